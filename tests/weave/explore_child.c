/* explore_child.c: a child that another worker takes while its parent goes on,
 * [J] and [K] in graph/spawn.c, where the parent sleeps at once: in
 * explore_spawn.c the child has ended long before. */
#include <errno.h>
#include <stdlib.h>

#include "graph/child.h"
#include "graph/pause.h"
#include "graph/stack.h"
#include "tests/weave/weave.h"

enum { WORKERS = 2, A_WHILE = 1000000 /* ns */ };

/* A deque has one place; a child that finds none waits for its sync. */
struct weft_worker {
    _Atomic(struct task *) place;
};

static struct weft_worker workers[WORKERS];
static _Atomic(struct task *) injected;
static bool stack_is_low, no_thread; /* of the parent; that sleeps for it */
static _Atomic bool is_over;
static _Atomic int looks; /* of the parent, at the clock */
static int sums[2];       /* plain: of each child its own */

static _Thread_local weft_worker *here;
static _Thread_local uint64_t now;
_Thread_local uintptr_t wf_task_here, wf_stack_low_from;
_Thread_local struct pause *wf_pause_here;

/* What spawn.c asks of the scheduler. */
weft_worker *wf_worker_here(void) { return here; }
weft_sched *weft_worker_sched(const weft_worker *self) { return NULL; }
bool wf_stack_low(void) { return stack_is_low && here == &workers[0]; }
bool wf_stack_out(void) { return false; }

/* So a parent helps for one round. */
uint64_t wf_now_ns(void)
{
    if (here == &workers[0])
        add_relaxed(&looks, 1);
    return now += A_WHILE;
}

void wf_misuse(const char *format, ...) { weave_fail("%s", format); }

static struct task *take_from(_Atomic(struct task *) *place)
{
    return load_relaxed(place) ? swap_acquire(place, (struct task *)NULL)
                               : NULL;
}

bool wf_push_own(weft_worker *self, struct task *task)
{
    if (load_relaxed(&self->place))
        return false;
    store_release(&self->place, task);
    return true;
}

void wf_push(weft_worker *self, struct task *task)
{
    weave_assert(wf_push_own(self, task));
}

bool wf_take_back(weft_worker *self, struct task *task)
{
    return load_relaxed(&self->place) == task && take_from(&self->place);
}

struct task *wf_steal_from(weft_worker *self, weft_worker *victim)
{
    return take_from(&victim->place);
}

struct task *wf_take_elsewhere(weft_worker *self)
{
    return take_from(&workers[self == &workers[0]].place);
}

void wf_inject(weft_sched *sched, struct task_list *list)
{
    store_release(&injected, task_list_take(list));
}

int wf_worker_sleep(weft_worker *self, _Atomic uint32_t *word, uint32_t seen,
                    int64_t timeout_ns)
{
    if (no_thread)
        return -EAGAIN;
    wf_sleep_while(word, seen, timeout_ns);
    return 0;
}

/* With a timeout others have a turn, or it could run out for ever. */
void wf_wait_while(const weft_sched *sched, _Atomic uint32_t *word,
                   uint32_t seen, int64_t timeout_ns)
{
    if (timeout_ns < 0)
        wf_sleep_while(word, seen, timeout_ns);
    else
        weave_yield();
}

static int leaf(weft_worker *self, void *sum)
{
    ++*(int *)sum;
    return -1;
}

/* Of which the parent may take the other one to help. */
static int has_a_child(weft_worker *self, void *sum)
{
    struct weft_child child = { .fn = leaf, .ctx = &sums[1] };

    weft_spawn(self, &child);
    leaf(self, sum);
    weave_assert(weft_sync(self, &child) == -1);
    weave_assert(sums[1] == 1);
    return -2;
}

/* The same after the parent has helped for as long as it does. */
static int has_a_late_child(weft_worker *self, void *sum)
{
    while (self == &workers[1] && load_relaxed(&looks) < 2)
        weave_yield();
    return has_a_child(self, sum);
}

/* The child is gone as soon as it is synced, so who touches it later is seen.
 */
static void call(weft_fn *fn, int result)
{
    struct weft_child *child = calloc(1, sizeof *child);

    here = &workers[0];
    child->fn = fn;
    child->ctx = &sums[0];
    weft_spawn(here, child);
    weave_assert(weft_sync(here, child) == result);
    weave_assert(sums[0] == 1);
    free(child);
    store_relaxed(&is_over, true);
}

static void parent(void) { call(leaf, -1); }
static void grandparent(void) { call(has_a_child, -2); }
static void late_grandparent(void) { call(has_a_late_child, -2); }

/* Who has the frame of the child is no worker. */
static void outsider(void)
{
    struct weft_child *child = calloc(1, sizeof *child);

    child->fn = leaf;
    child->ctx = &sums[0];
    weave_assert(wf_child_call(NULL, child) == -1);
    weave_assert(sums[0] == 1);
    free(child);
    store_relaxed(&is_over, true);
}

static void take_one(void)
{
    here = &workers[1];
    while (!load_relaxed(&is_over)) {
        struct task *task = wf_take_elsewhere(here);
        if (!task)
            task = take_from(&injected);
        if (task) {
            weave_assert(!task->run(here, task));
            return;
        }
        weave_yield();
    }
}

static void low_stack(void) { stack_is_low = true; }
static void cannot_sleep(void) { no_thread = true; }

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_parent_that_sleeps_sees_what_its_child_did",
          .setup = low_stack,
          .threads = { parent, take_one },
          .interruptions = 4,
          .stale = 2,
          .most = 200000 },
        { .name = "so_does_one_that_helps",
          .threads = { grandparent, take_one },
          .interruptions = 3,
          .stale = 1,
          .most = 100000 },
        { .name = "so_does_one_that_helps_and_then_sleeps",
          .threads = { late_grandparent, take_one },
          .interruptions = 3,
          .stale = 1,
          .most = 100000 },
        { .name = "so_does_one_that_no_thread_can_sleep_for",
          .setup = cannot_sleep,
          .threads = { late_grandparent, take_one },
          .interruptions = 3,
          .stale = 1,
          .most = 100000 },
        { .name = "so_does_who_is_no_worker",
          .threads = { outsider, take_one },
          .interruptions = 4,
          .stale = 2,
          .most = 200000 },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
