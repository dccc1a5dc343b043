/* test_bundle.c: graph/bundle.c: tasks from outside that have no handle run
 * once, in little memory while they wait, and do not wait for each other. */
#include <pthread.h>
#include <unistd.h>

#include "tests/futures.h"
#include "tests/live.h"

enum {
    THREADS = 4,
    MANY = 5000,
    IN_ONE_ALLOCATION = 50,
    SUMS = 3,
    SPARE = 20, /* a worker has memory for less, when it gets no more */
};

static weft_sched *sched;
static _Atomic unsigned ran, gate, sums[SUMS];

/* Until the gate is open. */
static int stop(weft_worker *self, void *ctx)
{
    add_release(&ran, 1);        /* for the test, which waits */
    while (!load_acquire(&gate)) /* what came before it was opened */
        usleep(100);
    return 0;
}

static void open_gate(void) { store_release(&gate, 1); /* for stop() */ }

/* All workers but those so many stop at the gate. */
static void begin(unsigned count, unsigned stopped)
{
    sched = workers(count);
    store_relaxed(&gate, 0);
    store_relaxed(&ran, 0);
    for (unsigned i = 0; i < SUMS; i++)
        store_relaxed(&sums[i], 0);
    for (unsigned i = 1; i <= stopped; i++) {
        cr_assert_eq(weft_submit(sched, stop, NULL, NULL, NULL), 0);
        while (load_acquire(&ran) < i) /* what stop() did */
            usleep(100);
    }
}

static void *submit(void *unused)
{
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(weft_submit(sched, count, &ran, NULL, NULL), 0);
    return NULL;
}

Test(bundle, each_runs_once, .timeout = 60)
{
    pthread_t thread[THREADS];

    begin(2, 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, submit, NULL);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), THREADS * MANY);
}

Test(bundle, those_that_wait_share_memory, .timeout = 60)
{
    begin(1, 1);
    uint64_t before = load_relaxed(&allocations);

    submit(NULL);
    cr_assert(load_relaxed(&allocations) - before <=
              MANY / IN_ONE_ALLOCATION + 1);
    open_gate();
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), 1 + MANY);
}

static _Atomic unsigned inner_gate;

static int open_inner(weft_worker *self, void *ctx)
{
    store_release(&inner_gate, 1); /* for stop_inside() */
    return 0;
}

static int stop_inside(weft_worker *self, void *ctx)
{
    while (!load_acquire(&inner_gate)) /* what open_inner() did */
        usleep(100);
    return 0;
}

/* The worker that has unpacked both stops in the first one. */
Test(bundle, one_does_not_wait_for_those_before_it, .timeout = 60)
{
    begin(2, 2);
    cr_assert_eq(weft_submit(sched, stop_inside, NULL, NULL, NULL), 0);
    cr_assert_eq(weft_submit(sched, open_inner, NULL, NULL, NULL), 0);
    open_gate();
    /* Not while the scheduler ends: a worker that finds nothing may leave
     * then, just before the other one has unpacked. */
    while (!load_relaxed(&inner_gate))
        usleep(100);
    weft_sched_destroy(sched);
}

Test(bundle, the_counts_are_of_tasks, .timeout = 60)
{
    struct weft_sched_stats stats;

    begin(1, 1);
    submit(NULL);
    open_gate();
    do
        weft_sched_stats(sched, &stats);
    while (stats.tasks < 1 + MANY);
    cr_assert_eq(stats.tasks, 1 + MANY);
    weft_sched_destroy(sched);
}

/* On the only worker, before those that wait are unpacked. */
static int have_no_memory(weft_worker *self, void *ctx)
{
    left = NONE_DO;
    return stop(self, ctx);
}

static int have_memory(weft_worker *self, void *ctx)
{
    left = -1;
    return 0;
}

static int add_one(weft_worker *self, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1);
    return 0;
}

static int add_two(weft_worker *self, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 2);
    return 0;
}

/* Each function once, twice, three times in a row ..., and again. */
Test(bundle, each_has_its_function_and_its_argument, .timeout = 60)
{
    unsigned expected[SUMS] = { 0 };

    begin(2, 0);
    for (unsigned i = 0, row = 1, more = 1; i < MANY; i++) {
        unsigned sum = i % SUMS, is_two = row % 2;
        cr_assert_eq(weft_submit(sched, is_two ? add_two : add_one, &sums[sum],
                                 NULL, NULL),
                     0);
        expected[sum] += 1 + is_two;
        if (--more == 0)
            more = ++row;
    }
    weft_sched_destroy(sched);
    for (unsigned i = 0; i < SUMS; i++)
        cr_assert_eq(load_relaxed(&sums[i]), expected[i]);
}

static weft_future *pending;

/* Without an argument it pends. */
static int pend_or_add_one(weft_worker *self, void *ctx)
{
    if (ctx)
        return add_one(self, ctx);
    pending = weft_future_self(self);
    add_release(&ran, 1); /* for the test, which waits */
    return WEFT_PENDING;
}

static void submit_and_wait(weft_fn *fn, unsigned until)
{
    cr_assert_eq(weft_submit(sched, fn, NULL, NULL, NULL), 0);
    while (load_acquire(&ran) < until) /* what the task did */
        usleep(100);
}

/* The first of it pends in the bundle, for there is no memory; the worker stops
 * in another task. */
Test(bundle, one_of_which_a_part_has_run_takes_more, .timeout = 60)
{
    begin(1, 0);
    submit_and_wait(have_no_memory, 1);
    for (int i = 0; i < SPARE; i++)
        cr_assert_eq(weft_submit(sched, add_one, &sums[2], NULL, NULL), 0);
    cr_assert_eq(weft_submit(sched, pend_or_add_one, NULL, NULL, NULL), 0);
    cr_assert_eq(weft_submit(sched, pend_or_add_one, &sums[0], NULL, NULL), 0);
    open_gate();
    while (load_acquire(&ran) < 2) /* that it pends */
        usleep(100);
    store_relaxed(&gate, 0);
    submit_and_wait(stop, 3);
    weft_future_complete(pending, 0);
    cr_assert_eq(weft_submit(sched, add_two, &sums[1], NULL, NULL), 0);
    cr_assert_eq(weft_submit(sched, have_memory, NULL, NULL, NULL), 0);
    open_gate();
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&sums[2]), SPARE);
    cr_assert_eq(load_relaxed(&sums[0]), 1);
    cr_assert_eq(load_relaxed(&sums[1]), 2);
}

Test(bundle, all_run_on_a_worker_without_memory, .timeout = 60)
{
    begin(1, 0);
    cr_assert_eq(weft_submit(sched, have_no_memory, NULL, NULL, NULL), 0);
    while (!load_acquire(&ran)) /* what stop() did */
        usleep(100);
    submit(NULL);
    cr_assert_eq(weft_submit(sched, have_memory, NULL, NULL, NULL), 0);
    open_gate();
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), 1 + MANY);
}
