/* test_future.c: loose tasks, their continuations and their results. */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/futures.h"

/* Task i adds i to the sum and fails where i is a multiple of seven. */
static _Atomic uint64_t sum;

static int add_or_fail(weft_worker *self, void *ctx)
{
    uintptr_t i = (uintptr_t)ctx;
    add_relaxed(&sum, (uint64_t)i);
    return i % 7 ? 0 : -EIO;
}

Test(future, R1_results_and_errors_are_values, .timeout = 120)
{
    enum { N = TIMES(1000000, 100000) };
    weft_sched *s = workers(2);
    weft_future **f = calloc(N, sizeof(weft_future *));
    unsigned errors = 0, others = 0;

    sum = 0;
    for (uintptr_t i = 0; i < N; i++)
        cr_assert_eq(weft_submit(s, add_or_fail, (void *)i, &f[i], NULL), 0);
    for (uintptr_t i = 0; i < N; i++) {
        int rc = wait_and_destroy(f[i]);
        errors += rc == -EIO;
        others += rc != (i % 7 ? 0 : -EIO);
    }
    cr_assert_eq(errors, TIMES(142858, 14286));
    cr_assert_eq(others, 0);
    cr_assert_eq(sum, (uint64_t)N * (N - 1) / 2);
    free(f);
    weft_sched_destroy(s);
}

/* The first one waits until the caller has done something else. */
static int wait_for_caller(weft_worker *self, void *counter)
{
    while (!load_relaxed((_Atomic unsigned *)counter))
        usleep(100);
    return 0;
}

Test(future, R2_the_caller_does_other_work_meanwhile, .timeout = 120)
{
    enum { N = TIMES(100000, 10000) };
    weft_sched *s = workers(1);
    static weft_future *f[N];
    _Atomic unsigned counter = 0;
    weft_future *all = NULL;

    sum = 0;
    f[0] = submitted(s, wait_for_caller, &counter);
    for (uintptr_t i = 1; i < N; i++)
        f[i] = submitted(s, add_or_fail, (void *)(i * 7 + 1));
    cr_assert_eq(weft_when_all(s, f, N, &all, NULL), 0);
    while (weft_future_wait(all, 0) == -ETIMEDOUT)
        add_relaxed(&counter, 1u);
    cr_assert(counter > 0);
    cr_assert_eq(wait_and_destroy(all), 0);
    cr_assert_eq(sum, (uint64_t)N * (N - 1) / 2 * 7 + N - 1);
    for (int i = 0; i < N; i++)
        weft_future_destroy(f[i]);
    weft_sched_destroy(s);
}

struct steps {
    uint64_t left, done;
};

static int step(weft_worker *self, void *ctx)
{
    struct steps *c = ctx;
    c->done++;
    if (--c->left)
        weft_continue(self, step, c);
    return 0;
}

Test(future, R10_unbounded_chain_needs_no_stack, .timeout = 120)
{
    enum { N = TIMES(10000000, 1000000) };
    pthread_attr_t small, old;
    pthread_getattr_default_np(&old);
    pthread_getattr_default_np(&small);
    /* ThreadSanitizer does not start a thread with less. */
    pthread_attr_setstacksize(&small, TIMES(256, 1024) * 1024);
    pthread_setattr_default_np(&small);

    weft_sched *s = workers(2);
    struct steps c = { .left = N };
    cr_assert_eq(wait_and_destroy(submitted(s, step, &c)), 0);
    cr_assert_eq(c.done, N);
    weft_sched_destroy(s);

    pthread_setattr_default_np(&old);
    pthread_attr_destroy(&small);
    pthread_attr_destroy(&old);
}

Test(future, several_chains_go_on_side_by_side, .timeout = 60)
{
    enum { CHAINS = 16, LENGTH = TIMES(100000, 10000) };
    weft_sched *s = workers(2);
    struct steps c[CHAINS];
    weft_future *f[CHAINS];
    for (int i = 0; i < CHAINS; i++) {
        c[i] = (struct steps){ .left = LENGTH };
        f[i] = submitted(s, step, &c[i]);
    }
    for (int i = 0; i < CHAINS; i++) {
        cr_assert_eq(wait_and_destroy(f[i]), 0);
        cr_assert_eq(c[i].done, LENGTH);
    }
    weft_sched_destroy(s);
}

static int fail_eproto(weft_worker *self, void *ctx) { return -EPROTO; }
static int return_nine(weft_worker *self, void *ctx) { return 9; }

static int continue_with_error(weft_worker *self, void *ctx)
{
    weft_continue(self, fail_eproto, ctx);
    return 0;
}

static int continue_but_fail(weft_worker *self, void *ctx)
{
    weft_continue(self, count, ctx);
    return -EIO;
}

static int continue_twice(weft_worker *self, void *ctx)
{
    weft_continue(self, fail_eproto, ctx);
    weft_continue(self, count, ctx);
    return 0;
}

Test(future, error_of_a_continuation_is_the_result)
{
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, continue_with_error, NULL)),
                 -EPROTO);
    weft_sched_destroy(s);
}

Test(future, failed_task_does_not_go_on)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, continue_but_fail, &ran)), -EIO);
    weft_sched_destroy(s);
    cr_assert_eq(ran, 0);
}

Test(future, last_continuation_counts)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, continue_twice, &ran)), 0);
    weft_sched_destroy(s);
    cr_assert_eq(ran, 1);
}

Test(future, positive_return_is_an_error)
{
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, return_nine, NULL)), -EINVAL);
    weft_sched_destroy(s);
}

/* In the task of a graph there is no loose task to go on from. */
Test(future, task_of_a_graph_has_no_continuation)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_task(g, "node", continue_twice, &ran);
    weft_plan *plan = NULL;
    cr_assert_eq(weft_compile(&plan, g, NULL), 0);
    cr_assert_eq(wait_and_destroy(submitted(s, count, &ran)), 0);
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(wait_and_destroy(submitted(s, count, &ran)), 0);
    cr_assert_eq(ran, 2);
    weft_graph_destroy(g);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* A task that waits to be let go. */
static int pass(weft_worker *self, void *gate)
{
    sem_wait(gate);
    return 0;
}

Test(future, wait_comes_back_after_its_timeout)
{
    sem_t gate;
    sem_init(&gate, 0, 0);
    weft_sched *s = workers(1);
    weft_future *f = submitted(s, pass, &gate);
    cr_assert_eq(weft_future_wait(f, 0), -ETIMEDOUT);
    cr_assert_eq(weft_future_wait(f, 20), -ETIMEDOUT);
    sem_post(&gate);
    cr_assert_eq(weft_future_wait(f, -1), 0);
    cr_assert_eq(weft_future_wait(f, 0), 0);
    weft_future_destroy(f);
    weft_sched_destroy(s);
}

Test(future, task_runs_though_its_handle_is_gone)
{
    _Atomic unsigned ran = 0;
    sem_t gate;
    sem_init(&gate, 0, 0);
    weft_sched *s = workers(1);
    weft_future_destroy(submitted(s, pass, &gate));
    for (int i = 0; i < 100; i++)
        weft_future_destroy(submitted(s, count, &ran));
    cr_assert_eq(ran, 0);
    sem_post(&gate);
    weft_sched_destroy(s);
    cr_assert_eq(ran, 100);
}

/* The task completes while its handle is destroyed: exactly one frees it. */
Test(future, handle_and_task_end_together, .timeout = 60)
{
    enum { N = TIMES(200000, 20000) };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    for (int i = 0; i < N; i++) {
        weft_future *f = submitted(s, count, &ran);
        if (i % 2)
            weft_future_wait(f, 0);
        weft_future_destroy(f);
    }
    weft_sched_destroy(s);
    cr_assert_eq(ran, N);
}

static void *wait_for(void *f)
{
    return weft_future_wait(f, -1) == 0 ? f : NULL;
}

Test(future, every_waiter_is_woken, .timeout = 60)
{
    enum { THREADS = 8 };
    sem_t gate;
    sem_init(&gate, 0, 0);
    weft_sched *s = workers(1);
    for (int again = 0; again < TIMES(200, 20); again++) {
        weft_future *f = submitted(s, pass, &gate);
        pthread_t thread[THREADS];
        for (int i = 0; i < THREADS; i++)
            pthread_create(&thread[i], NULL, wait_for, f);
        sem_post(&gate);
        for (int i = 0; i < THREADS; i++) {
            void *same = NULL;
            pthread_join(thread[i], &same);
            cr_assert_eq(same, f);
        }
        weft_future_destroy(f);
    }
    weft_sched_destroy(s);
}

/* Each result is waited for as soon as it may come: a lost wake-up hangs. */
Test(future, no_waiter_sleeps_past_its_result, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(50000, 5000); i++)
        cr_assert_eq(wait_and_destroy(submitted(s, count, &ran)), 0);
    weft_sched_destroy(s);
}

struct family {
    _Atomic unsigned born;
};

/* Each task submits two more, until all are born. */
static int give_birth(weft_worker *self, void *ctx)
{
    struct family *family = ctx;
    for (int i = 0; i < 2; i++) {
        if (add_relaxed(&family->born, 1u) >= TIMES(100000, 10000))
            return 0;
        int rc =
            weft_submit(weft_worker_sched(self), give_birth, ctx, NULL, NULL);
        if (rc)
            return rc;
    }
    return 0;
}

Test(future, tasks_submit_tasks_until_the_scheduler_ends, .timeout = 60)
{
    struct family family = { 0 };
    weft_sched *s = workers(3);
    cr_assert_eq(weft_submit(s, give_birth, &family, NULL, NULL), 0);
    weft_sched_destroy(s);
    cr_assert(family.born >= TIMES(100000, 10000));
}

/* A task that waits, under way, for a byte that comes late. */
struct wait_for_byte {
    struct weft_io io;
    int ends[2];
    _Atomic unsigned over;
};

static void byte_came(weft_worker *self, struct weft_io *io, int rc)
{
    struct wait_for_byte *w = io->ctx;
    cr_assert_eq(rc, 0);
    add_relaxed(&w->over, 1u);
}

static int await_byte(weft_worker *self, void *ctx)
{
    struct wait_for_byte *w = ctx;
    usleep(20000); /* the scheduler is being destroyed */
    w->io = (struct weft_io){ .op = WEFT_IO_POLL,
                              .fd = w->ends[0],
                              .flags = POLLIN,
                              .done = byte_came,
                              .ctx = w };
    int rc = weft_io_start(self, &w->io);
    if (rc == WEFT_PENDING)
        return 0;
    byte_came(self, &w->io, rc);
    return 0;
}

static void *send_byte(void *ctx)
{
    struct wait_for_byte *w = ctx;
    usleep(60000);
    cr_assert_eq(write(w->ends[1], "b", 1), 1);
    return NULL;
}

Test(future, what_a_last_task_starts_is_finished_too, .timeout = 60)
{
    const enum weft_io_way ways[] = { WEFT_IO_RING, WEFT_IO_THREADS };
    for (int i = 0; i < 2; i++) {
        struct wait_for_byte w = { .over = 0 };
        pthread_t sender;
        weft_sched *s = NULL;
        cr_assert_eq(
            weft_sched_create(
                &s, weft_config(sched, .workers = 2, .io = ways[i]), NULL),
            0);
        cr_assert_eq(pipe(w.ends), 0);
        pthread_create(&sender, NULL, send_byte, &w);
        cr_assert_eq(weft_submit(s, await_byte, &w, NULL, NULL), 0);
        weft_sched_destroy(s);
        cr_assert_eq(w.over, 1);
        pthread_join(sender, NULL);
        close(w.ends[0]);
        close(w.ends[1]);
    }
}

/* A task that submits one to another scheduler. */
struct envoy {
    weft_sched *other;
    int arrived;
};

static int arrive(weft_worker *self, void *ctx)
{
    struct envoy *e = ctx;
    e->arrived = weft_worker_sched(self) == e->other;
    return 0;
}

static int leave(weft_worker *self, void *ctx)
{
    struct envoy *e = ctx;
    return weft_submit(e->other, arrive, e, NULL, NULL);
}

Test(future, worker_submits_to_another_scheduler)
{
    struct envoy e = { .other = workers(1) };
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, leave, &e)), 0);
    weft_sched_destroy(s);
    weft_sched_destroy(e.other);
    cr_assert(e.arrived);
}

struct feeder {
    weft_sched *sched;
    _Atomic unsigned *ran;
    int failures;
};

static void *feed(void *arg)
{
    struct feeder *feeder = arg;
    for (int i = 0; i < TIMES(50000, 5000); i++)
        feeder->failures +=
            weft_submit(feeder->sched, count, feeder->ran, NULL, NULL) != 0;
    return NULL;
}

Test(future, any_thread_submits, .timeout = 60)
{
    enum { THREADS = 4 };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    struct feeder feeder[THREADS];
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        feeder[i] = (struct feeder){ s, &ran, 0 };
        pthread_create(&thread[i], NULL, feed, &feeder[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        cr_assert_eq(feeder[i].failures, 0);
    }
    weft_sched_destroy(s);
    cr_assert_eq(ran, THREADS * TIMES(50000, 5000));
}
