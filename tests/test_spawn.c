/* test_spawn.c: children: whoever runs them, their parent has what they did. */
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/aborts.h"
#include "tests/runs.h"

static const unsigned crews[] = { 1, 2, 3, 8 }; /* more than there are cores */
enum { CREWS = sizeof crews / sizeof *crews };

/* Calls fn on a scheduler of its own. */
static int called(unsigned worker_count, weft_fn *fn, void *ctx)
{
    weft_sched *s = workers(worker_count);
    int rc = weft_call(s, fn, ctx, NULL);
    weft_sched_destroy(s);
    return rc;
}

struct half {
    long n, result;
};

static int run_fib(weft_worker *self, void *ctx);

static long fib(weft_worker *self, long n)
{
    if (n < 2)
        return n;
    struct half a = { .n = n - 1 };
    struct weft_child child = { .fn = run_fib, .ctx = &a };
    cr_assert_eq(weft_spawn(self, &child), 0);
    long b = fib(self, n - 2);
    cr_assert_eq(weft_sync(self, &child), 0);
    return a.result + b;
}

static int run_fib(weft_worker *self, void *ctx)
{
    struct half *a = ctx;
    a->result = fib(self, a->n);
    return 0;
}

Test(spawn, parents_have_what_their_children_did, .timeout = 60)
{
    for (int i = 0; i < CREWS; i++) {
        struct half all = { .n = TIMES(24, 18) };
        cr_assert_eq(called(crews[i], run_fib, &all), 0);
        cr_assert_eq(all.result, TIMES(46368, 2584));
    }
}

/* ---- who runs a child -------------------------------------------------- */

struct child_note {
    sem_t go;
    pthread_t thread;
    unsigned worker, ran;
};

static int note(weft_worker *self, void *ctx)
{
    struct child_note *n = ctx;
    n->thread = pthread_self();
    n->worker = weft_worker_index(self);
    n->ran++;
    sem_post(&n->go);
    return 0;
}

static int spawn_and_sync(weft_worker *self, void *ctx)
{
    struct child_note *n = ctx;
    struct weft_child child = { .fn = note, .ctx = n };
    cr_assert_eq(weft_spawn(self, &child), 0);
    cr_assert_eq(weft_sync(self, &child), 0);
    cr_assert(pthread_equal(n->thread, pthread_self()));
    cr_assert_eq(n->worker, weft_worker_index(self));
    return 0;
}

Test(spawn, child_that_nobody_took_is_called_by_its_parent)
{
    struct child_note n = { .ran = 0 };
    sem_init(&n.go, 0, 0);
    cr_assert_eq(called(1, spawn_and_sync, &n), 0);
    cr_assert_eq(n.ran, 1);
}

static int wait_until_taken(weft_worker *self, void *ctx)
{
    struct child_note *n = ctx;
    struct weft_child child = { .fn = note, .ctx = n };
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&n->go); /* nobody but the other worker can post it */
    cr_assert_eq(weft_sync(self, &child), 0);
    cr_assert(n->worker != weft_worker_index(self));
    return 0;
}

Test(spawn, idle_worker_takes_a_child, .timeout = 60)
{
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(500, 100); i++) {
        struct child_note n = { .ran = 0 };
        sem_init(&n.go, 0, 0);
        cr_assert_eq(weft_call(s, wait_until_taken, &n, NULL), 0);
        cr_assert_eq(n.ran, 1);
    }
    weft_sched_destroy(s);
}

/* ---- a child that was taken, and takes long ---------------------------- */

struct held {
    sem_t taken, gate;
    _Atomic unsigned ran;
    struct weft_child grandchildren[3];
};

static pthread_t parent_thread;

static int count_here(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    cr_assert(pthread_equal(parent_thread, pthread_self()));
    add_relaxed(&h->ran, 1u);
    return 0;
}

/* Has children, and does not come to them until all have run elsewhere. */
static int hold(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    for (int i = 0; i < 3; i++) {
        h->grandchildren[i] = (struct weft_child){ .fn = count_here, .ctx = h };
        cr_assert_eq(weft_spawn(self, &h->grandchildren[i]), 0);
    }
    sem_post(&h->taken);
    while (load_relaxed(&h->ran) < 3)
        usleep(100);
    for (int i = 2; i >= 0; i--)
        cr_assert_eq(weft_sync(self, &h->grandchildren[i]), 0);
    return 0;
}

static int leap(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    struct weft_child child = { .fn = hold, .ctx = h };
    parent_thread = pthread_self();
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&h->taken);
    return weft_sync(self, &child);
}

Test(spawn, who_waits_for_a_child_helps_with_what_that_has_spawned,
     .timeout = 60)
{
    struct held h = { .ran = 0 };
    sem_init(&h.taken, 0, 0);
    cr_assert_eq(called(2, leap, &h), 0);
    cr_assert_eq(h.ran, 3);
}

/* The child waits for a task that only its parent's worker is left to run. It
 * is no descendant: a parent that ran it on its own stack would be seen. */
static int stranger(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    cr_assert(!pthread_equal(parent_thread, pthread_self()));
    sem_post(&h->gate);
    return 0;
}

static int wait_for_stranger(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    cr_assert_eq(weft_submit(weft_worker_sched(self), stranger, h, NULL, NULL),
                 0);
    sem_post(&h->taken);
    sem_wait(&h->gate); /* with its worker: a bad manner */
    return 0;
}

static int wait_for_a_child_that_waits(weft_worker *self, void *ctx)
{
    struct held *h = ctx;
    struct weft_child child = { .fn = wait_for_stranger, .ctx = h };
    parent_thread = pthread_self();
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&h->taken);
    cr_assert_eq(weft_sync(self, &child), 0);
    cr_assert(pthread_equal(parent_thread, pthread_self()));
    return 0;
}

Test(spawn, stranger_runs_while_a_parent_waits_but_not_on_its_stack,
     .timeout = 60)
{
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(200, 50); i++) {
        struct held h = { .ran = 0 };
        sem_init(&h.taken, 0, 0);
        sem_init(&h.gate, 0, 0);
        cr_assert_eq(weft_call(s, wait_for_a_child_that_waits, &h, NULL), 0);
    }
    weft_sched_destroy(s);
}

/* ---- several children -------------------------------------------------- */

enum { MANY = 5000 }; /* more than a deque holds */

struct number {
    unsigned i, ran;
};

static int fail_by_number(weft_worker *self, void *ctx)
{
    struct number *n = ctx;
    n->ran++;
    return n->i % 7 == 3 ? -(int)(n->i % 1000 + 1) : 0;
}

static int spawn_many(weft_worker *self, void *ctx)
{
    struct number *numbers = ctx;
    struct weft_child *children = calloc(MANY, sizeof *children);
    for (unsigned i = 0; i < MANY; i++) {
        numbers[i].i = i;
        children[i] =
            (struct weft_child){ .fn = fail_by_number, .ctx = &numbers[i] };
        cr_assert_eq(weft_spawn(self, &children[i]), 0);
    }
    for (unsigned i = MANY; i-- > 0;) {
        int rc = weft_sync(self, &children[i]);
        cr_assert_eq(rc, i % 7 == 3 ? -(int)(i % 1000 + 1) : 0);
        cr_assert_eq(numbers[i].ran, 1);
    }
    free(children);
    return 0;
}

Test(spawn, more_children_than_a_deque_holds_give_each_their_own_result,
     .timeout = 60)
{
    for (int i = 0; i < CREWS; i++) {
        struct number *numbers = calloc(MANY, sizeof *numbers);
        cr_assert_eq(called(crews[i], spawn_many, numbers), 0);
        free(numbers);
    }
}

/* The order of every permutation that a stride gives; MOST is a prime. */
enum { MOST = 101 };

static int sync_in_any_order(weft_worker *self, void *ctx)
{
    for (unsigned stride = 1; stride < MOST; stride++) {
        struct number numbers[MOST];
        struct weft_child children[MOST];
        for (unsigned i = 0; i < MOST; i++) {
            numbers[i] = (struct number){ .i = i };
            children[i] =
                (struct weft_child){ .fn = fail_by_number, .ctx = &numbers[i] };
            cr_assert_eq(weft_spawn(self, &children[i]), 0);
        }
        for (unsigned k = 0, i = 0; k < MOST; k++, i = (i + stride) % MOST) {
            cr_assert_eq(weft_sync(self, &children[i]),
                         i % 7 == 3 ? -(int)(i + 1) : 0);
            cr_assert_eq(numbers[i].ran, 1);
        }
    }
    return 0;
}

Test(spawn, children_may_be_synced_in_any_order, .timeout = 60)
{
    for (int i = 0; i < CREWS; i++)
        cr_assert_eq(called(crews[i], sync_in_any_order, NULL), 0);
}

static int submit_between(weft_worker *self, void *ctx)
{
    weft_sched *s = weft_worker_sched(self);
    struct number n = { 0 };
    struct weft_child child = { .fn = fail_by_number, .ctx = &n };
    cr_assert_eq(weft_spawn(self, &child), 0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(weft_submit(s, count, ctx, NULL, NULL), 0);
    cr_assert_eq(weft_sync(self, &child), 0);
    cr_assert_eq(n.ran, 1);
    return 0;
}

Test(spawn, child_below_other_tasks_is_found_and_these_run_too, .timeout = 60)
{
    for (int i = 0; i < CREWS; i++) {
        _Atomic unsigned ran = 0;
        weft_sched *s = workers(crews[i]);
        for (int n = 0; n < TIMES(1000, 100); n++)
            cr_assert_eq(weft_call(s, submit_between, &ran, NULL), 0);
        weft_sched_destroy(s);
        cr_assert_eq(ran, 10 * TIMES(1000, 100));
    }
}

static int group_of_many(weft_worker *self, void *ctx)
{
    struct number numbers[MOST];
    struct weft_child children[MOST];
    struct weft_group group = { 0 };
    for (int round = 0; round < 3; round++) {
        cr_assert_eq(weft_group_sync(self, &group), 0);
        for (unsigned i = 0; i < MOST; i++) {
            numbers[i] = (struct number){ .i = i };
            children[i] =
                (struct weft_child){ .fn = fail_by_number, .ctx = &numbers[i] };
            cr_assert_eq(weft_group_spawn(self, &group, &children[i]), 0);
        }
        cr_assert_eq(weft_group_sync(self, &group), -4);
        for (unsigned i = 0; i < MOST; i++)
            cr_assert_eq(numbers[i].ran, 1);
    }
    return 0;
}

Test(spawn, group_has_the_first_error_and_all_have_run, .timeout = 60)
{
    for (int i = 0; i < CREWS; i++)
        cr_assert_eq(called(crews[i], group_of_many, NULL), 0);
}

/* ---- calls from outside ------------------------------------------------ */

static int give_back(weft_worker *self, void *ctx)
{
    cr_assert(self != NULL);
    return *(int *)ctx;
}

Test(spawn, call_gives_what_the_function_returned)
{
    int good = 0, bad = -EIO, odd = 5;
    weft_error why = { "" };
    weft_sched *s = workers(1);
    cr_assert_eq(weft_call(s, give_back, &good, &why), 0);
    cr_assert_eq(strcmp(why.text, ""), 0);
    cr_assert_eq(weft_call(s, give_back, &bad, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "the function failed: Input/output error"),
                 0);
    cr_assert_eq(weft_call(s, give_back, &odd, NULL), -EINVAL);
    weft_sched_destroy(s);
}

static int call_on_a_worker(weft_worker *self, void *ctx)
{
    weft_error why;
    int rc = weft_call(weft_worker_sched(self), nothing, NULL, &why);
    cr_assert_eq(strcmp(why.text, "weft_call was called on a worker: call the "
                                  "function itself"),
                 0);
    return rc;
}

Test(spawn, worker_that_calls_is_told_to_do_it_itself)
{
    cr_assert_eq(called(1, call_on_a_worker, NULL), -EDEADLK);
}

static void *caller(void *sched)
{
    for (int i = 0; i < TIMES(5000, 500); i++) {
        struct half a = { .n = 5 };
        cr_assert_eq(weft_call(sched, run_fib, &a, NULL), 0);
        cr_assert_eq(a.result, 5);
    }
    return NULL;
}

/* Each waits as soon as it has called: a lost wake-up hangs. */
Test(spawn, many_threads_call, .timeout = 60)
{
    enum { THREADS = 4 };
    pthread_t threads[THREADS];
    weft_sched *s = workers(2);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, caller, s);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    weft_sched_destroy(s);
}
