/* test_blocked.c: children where no thread can be had to stand in for a parent
 * that waits: its worker is blocked, and all ends all the same. */
#include <semaphore.h>
#include <unistd.h>

#include "tests/starts.h"
#include "tests/test.h"
#include "tests/times.h"
#include "weft/weft.h"

static const unsigned crews[] = { 1, 2, 3, 8 };
enum { CREWS = sizeof crews / sizeof *crews, DEEP = 100000 };

static weft_sched *workers(unsigned n)
{
    weft_sched *s = NULL;
    cr_assert_eq(weft_sched_create(&s, weft_config(sched, .workers = n), NULL),
                 0);
    return s;
}

static void count(_Atomic unsigned *counter) { add_relaxed(counter, 1u); }

/* ThreadSanitizer needs most for itself. */
static void use_small_stacks(void)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, TIMES(64, 1024) * 1024);
    cr_assert_eq(pthread_setattr_default_np(&attr), 0);
    pthread_attr_destroy(&attr);
}

/* Calls fn on a scheduler whose workers are all the threads there are. */
static int called(unsigned worker_count, weft_fn *fn, void *ctx)
{
    weft_sched *s = workers(worker_count);
    store_relaxed(&refuse_threads, true);
    int rc = weft_call(s, fn, ctx, NULL);
    store_relaxed(&refuse_threads, false);
    weft_sched_destroy(s);
    return rc;
}

struct node {
    unsigned depth;
    _Atomic unsigned *ran;
};

static int both(weft_worker *self, void *ctx)
{
    struct node *n = ctx, below = { n->depth - 1, n->ran };
    struct weft_child child[2] = { { .fn = both, .ctx = &below },
                                   { .fn = both, .ctx = &below } };
    struct weft_group group = { 0 };

    count(n->ran);
    if (!n->depth)
        return 0;
    if (load_relaxed(n->ran) % 64 == 0)
        usleep(100); /* so that parents wait for what was taken */
    for (int i = 0; i < 2; i++)
        cr_assert_eq(weft_group_spawn(self, &group, &child[i]), 0);
    return weft_group_sync(self, &group);
}

Test(blocked, tree_is_complete_without_a_thread_to_stand_in, .timeout = 60)
{
    enum { DEPTH = TIMES(14, 9) };
    for (int c = 0; c < CREWS; c++) {
        _Atomic unsigned ran = 0;
        struct node root = { DEPTH, &ran };
        cr_assert_eq(called(crews[c], both, &root), 0);
        cr_assert_eq(ran, (2u << DEPTH) - 1);
    }
}

/* The child is held until its parent blocks its worker; what it spawns then is
 * for nobody else to run. */
struct held {
    sem_t taken;
    _Atomic unsigned ran;
    bool one_before; /* another child comes first, in the same struct */
};

static int nothing(weft_worker *self, void *ctx) { return 0; }

static int run_late(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    count(&h->ran);
    return 0;
}

static int hold(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    struct weft_child child = { .fn = nothing, .ctx = h };

    if (h->one_before) {
        cr_assert_eq(weft_spawn(self, &child), 0);
        cr_assert_eq(weft_sync(self, &child), 0);
    }
    child.fn = run_late;
    sem_post(&h->taken);
    usleep(3000);
    cr_assert_eq(weft_spawn(self, &child), 0);
    while (!load_relaxed(&h->ran))
        usleep(50);
    return weft_sync(self, &child);
}

static int wait_blocked(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    struct weft_child child = { .fn = hold, .ctx = h };

    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&h->taken);
    return weft_sync(self, &child);
}

static void find_what_is_waited_for(bool one_before)
{
    for (int i = 0; i < TIMES(50, 10); i++) {
        struct held h = { .one_before = one_before };
        sem_init(&h.taken, 0, 0);
        cr_assert_eq(called(2, wait_blocked, &h), 0);
        cr_assert_eq(h.ran, 1);
    }
}

Test(blocked, parent_looks_for_what_its_child_waits_for, .timeout = 60)
{
    find_what_is_waited_for(false);
}

Test(blocked, child_that_was_synced_is_no_parent_any_more, .timeout = 60)
{
    find_what_is_waited_for(true);
}

/* As deep as the stack goes, and then nobody is left. */
static int go_down(weft_worker *self, void *ctx)
{
    struct node *n = ctx, below = { n->depth - 1, n->ran };
    struct weft_child child = { .fn = go_down, .ctx = &below };

    count(n->ran);
    if (!n->depth)
        return 0;
    int rc = weft_spawn(self, &child);
    return rc ? rc : weft_sync(self, &child);
}

/* The same, with another child beside, so that others take what goes down. */
static int go_down_beside(weft_worker *self, void *ctx)
{
    struct node *n = ctx, below = { n->depth - 1, n->ran };
    struct weft_child deep = { .fn = go_down_beside, .ctx = &below };
    struct weft_child leaf = { .fn = nothing };
    struct weft_group group = { 0 };

    count(n->ran);
    if (!n->depth)
        return 0;
    int rc = weft_group_spawn(self, &group, &deep);
    if (!rc)
        rc = weft_group_spawn(self, &group, &leaf);
    int other = weft_group_sync(self, &group);
    return rc ? rc : other;
}

Test(blocked, deep_children_end_in_an_error, .timeout = 60)
{
    weft_fn *const fns[] = { go_down, go_down_beside };

    use_small_stacks();
    for (int c = 0; c < CREWS; c++)
        for (int f = 0; f < 2; f++) {
            _Atomic unsigned ran = 0;
            struct node root = { DEEP, &ran };
            cr_assert_eq(called(crews[c], fns[f], &root), -ENOBUFS);
            cr_assert(ran < DEEP);
        }
}

/* ---- one thread can be had --------------------------------------------- */

/* The first parent that waits has a thread to stand in. That one has to wait,
 * too, when its stack is low, and there is no other: only it can open the gate.
 */
struct pair {
    sem_t taken, gate;
    _Atomic unsigned ran;
};

static int wait_at_gate(weft_worker *self, void *ctx)
{
    struct pair *p = ctx;
    sem_post(&p->taken);
    sem_wait(&p->gate);
    return 0;
}

static int open_gate(weft_worker *self, void *ctx)
{
    struct pair *p = ctx;
    struct node root = { DEEP, &p->ran };

    store_relaxed(&refuse_threads, true);
    cr_assert_eq(go_down(self, &root), -ENOBUFS);
    sem_post(&p->gate);
    return 0;
}

static int wait_for_gate(weft_worker *self, void *ctx)
{
    struct pair *p = ctx;
    struct weft_child child = { .fn = wait_at_gate, .ctx = p };

    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&p->taken);
    cr_assert_eq(weft_submit(weft_worker_sched(self), open_gate, p, NULL, NULL),
                 0);
    return weft_sync(self, &child);
}

Test(blocked, stand_in_without_a_stand_in_goes_on_too, .timeout = 60)
{
    use_small_stacks();
    for (int i = 0; i < TIMES(20, 5); i++) {
        struct pair p = { .ran = 0 };
        weft_sched *s = workers(2);
        sem_init(&p.taken, 0, 0);
        sem_init(&p.gate, 0, 0);
        cr_assert_eq(weft_call(s, wait_for_gate, &p, NULL), 0);
        cr_assert(p.ran > 0);
        store_relaxed(&refuse_threads, false);
        weft_sched_destroy(s);
    }
}
