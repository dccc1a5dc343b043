/* test_run.c: starting, waiting for, failing, cancelling and ending runs. */
#include <dirent.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/runs.h"
#include "weft/future.h"

/* `length` tasks, one behind the other. */
static weft_plan *chain(unsigned length, weft_fn *fn, void *ctx)
{
    weft_graph *g = weft_graph_create();
    weft_node last = { 0 };
    for (unsigned i = 0; i < length; i++) {
        weft_node node = weft_task(g, NULL, fn, ctx);
        if (i)
            weft_after(g, node, last);
        last = node;
    }
    return compiled(g);
}

/* Rows of tasks, each behind all of the row before. */
static weft_plan *lattice(unsigned rows, unsigned width, weft_fn *fn, void *ctx)
{
    weft_graph *g = weft_graph_create();
    weft_node above[16], row[16];
    for (unsigned r = 0; r < rows; r++) {
        for (unsigned i = 0; i < width; i++) {
            row[i] = weft_task(g, NULL, fn, ctx);
            if (r)
                weft_depend(g, row[i], above, width);
        }
        memcpy(above, row, sizeof row);
    }
    return compiled(g);
}

/* A task that says that it runs and then waits to be let go. */
struct gate {
    sem_t entered, open;
    _Atomic unsigned ran; /* tasks behind it */
};

static void gate_init(struct gate *gate)
{
    sem_init(&gate->entered, 0, 0);
    sem_init(&gate->open, 0, 0);
    gate->ran = 0;
}

static int pass(weft_worker *self, void *ctx)
{
    struct gate *gate = ctx;
    sem_post(&gate->entered);
    sem_wait(&gate->open);
    return 0;
}

/* A gate, and three tasks behind it. */
static weft_plan *gated(struct gate *gate)
{
    gate_init(gate);
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "gate", pass, gate);
    for (int i = 0; i < 3; i++) {
        weft_node node = weft_task(g, NULL, count, &gate->ran);
        weft_after(g, node, first);
    }
    return compiled(g);
}

static int fail_enospc(weft_worker *self, void *ctx) { return -ENOSPC; }
static int return_seven(weft_worker *self, void *ctx) { return 7; }

Test(run, error_is_the_result_and_names_the_task)
{
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();
    weft_task(g, "link", fail_enospc, NULL);
    weft_plan *plan = compiled(g);
    weft_error why;
    cr_assert_eq(weft_run(s, plan, &why), -ENOSPC);
    cr_assert_eq(
        strcmp(why.text, "task 'link' failed: No space left on device"), 0);
    cr_assert_eq(weft_run(s, plan, NULL), -ENOSPC);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, unnamed_task_fails_by_its_number)
{
    weft_sched *s = workers(1);
    weft_plan *plan = chain(1, fail_enospc, NULL);
    weft_error why;
    cr_assert_eq(weft_run(s, plan, &why), -ENOSPC);
    cr_assert_eq(strcmp(why.text, "task '#1' failed: No space left on device"),
                 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, positive_return_is_an_error)
{
    weft_sched *s = workers(1);
    weft_plan *plan = chain(2, return_seven, NULL);
    weft_error why;
    cr_assert_eq(weft_run(s, plan, &why), -EINVAL);
    cr_assert_eq(strcmp(why.text, "task '#1' returned 7, which is neither 0 "
                                  "nor a negative errno"),
                 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, wait_gives_the_same_result_again)
{
    weft_sched *s = workers(2);
    weft_plan *plan = chain(3, fail_enospc, NULL);
    struct weft_run *run = started(s, plan);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(weft_wait(run, -1, NULL), -ENOSPC);
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, 0, NULL), -ENOSPC);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, wait_comes_back_after_its_timeout)
{
    struct gate gate;
    weft_sched *s = workers(2);
    weft_plan *plan = gated(&gate);
    struct weft_run *run = started(s, plan);
    weft_error why;
    cr_assert_eq(weft_wait(run, 0, &why), -ETIMEDOUT);
    cr_assert_eq(weft_wait(run, 20, &why), -ETIMEDOUT);
    cr_assert_eq(strcmp(why.text, "the run has not ended after 20 ms"), 0);
    sem_post(&gate.open);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(gate.ran, 3);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* What a task needs that starts and waits for another run. */
struct nested {
    const weft_plan *plan;
    struct weft_run *run;
    int run_rc, wait_rc, start_rc;
    weft_error run_why, wait_why;
};

static int start_and_wait(weft_worker *self, void *ctx)
{
    struct nested *n = ctx;
    weft_sched *s = weft_worker_sched(self);
    n->run_rc = weft_run(s, n->plan, &n->run_why);
    n->start_rc = weft_start(&n->run, s, n->plan, NULL);
    n->wait_rc = weft_wait(n->run, -1, &n->wait_why);
    return 0;
}

Test(run, worker_may_start_a_run_but_not_wait_for_it)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    weft_plan *inner = chain(5, count, &ran);
    struct nested n = { .plan = inner };
    weft_plan *outer = chain(1, start_and_wait, &n);
    cr_assert_eq(weft_run(s, outer, NULL), 0);
    cr_assert_eq(n.run_rc, -EDEADLK);
    cr_assert_eq(n.wait_rc, -EDEADLK);
    cr_assert_eq(n.start_rc, 0);
    cr_assert(strstr(n.run_why.text, "a worker may not wait for a run"));
    cr_assert(strstr(n.wait_why.text, "a worker may not wait for a run"));
    cr_assert_eq(weft_wait(n.run, -1, NULL), 0);
    cr_assert_eq(ran, 5);
    weft_run_destroy(n.run);
    weft_plan_destroy(inner);
    weft_plan_destroy(outer);
    weft_sched_destroy(s);
}

Test(run, nothing_starts_after_a_cancel)
{
    struct gate gate;
    weft_sched *s = workers(2);
    weft_plan *plan = gated(&gate);
    for (int i = 0; i < 20; i++) {
        struct weft_run *run = started(s, plan);
        weft_error why;
        sem_wait(&gate.entered);
        weft_cancel(run);
        sem_post(&gate.open);
        cr_assert_eq(weft_wait(run, -1, &why), -ECANCELED);
        cr_assert_eq(strcmp(why.text, "the run was cancelled"), 0);
        weft_run_destroy(run);
    }
    cr_assert_eq(gate.ran, 0);

    struct weft_run *run = started(s, plan);
    sem_post(&gate.open);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(gate.ran, 3);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, cancel_after_the_end_changes_nothing)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    weft_plan *plan = chain(3, count, &ran);
    struct weft_run *run = started(s, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, drain_finishes_what_is_in_flight)
{
    struct gate gate;
    weft_sched *s = workers(2);
    weft_plan *plan = gated(&gate);
    struct weft_run *run = started(s, plan);
    weft_drain(run);
    sem_post(&gate.open);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(gate.ran, 3);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* It is all or an error, whenever the cancel comes; and the run that was cut
 * short is whole the next time. */
Test(run, cancel_at_any_moment_ends_the_run, .timeout = 120)
{
    enum { ROWS = 40, WIDTH = 8 };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(4);
    weft_plan *plan = lattice(ROWS, WIDTH, count, &ran);
    unsigned seed = 3, cut = 0;

    for (int i = 0; i < TIMES(3000, 300); i++) {
        ran = 0;
        struct weft_run *run = started(s, plan);
        seed = seed * 1664525 + 1013904223;
        for (volatile unsigned spin = seed >> 17; spin; spin--)
            ;
        weft_cancel(run);
        int rc = weft_wait(run, -1, NULL);
        unsigned all = load_relaxed(&ran);
        cr_assert(rc == 0 || rc == -ECANCELED);
        cr_assert(all == ROWS * WIDTH || rc == -ECANCELED);
        cut += all < ROWS * WIDTH;
        weft_run_destroy(run);
    }
    cr_assert(cut > 0);
    ran = 0;
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(ran, ROWS * WIDTH);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, plan_runs_again_a_thousand_times, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(4);
    weft_plan *plan = lattice(10, 5, count, &ran);
    for (int i = 0; i < 1000; i++)
        cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(ran, 50 * 1000);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, runs_of_one_plan_overlap, .timeout = 60)
{
    enum { RUNS = 50 };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(4);
    weft_plan *plan = lattice(10, 5, count, &ran);
    struct weft_run *run[RUNS];
    for (int again = 0; again < 20; again++) {
        for (int i = 0; i < RUNS; i++)
            run[i] = started(s, plan);
        for (int i = 0; i < RUNS; i++) {
            cr_assert_eq(weft_wait(run[i], -1, NULL), 0);
            weft_run_destroy(run[i]);
        }
    }
    cr_assert_eq(ran, 50 * RUNS * 20);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

struct caller {
    weft_sched *sched;
    weft_plan *plan;
    int failures;
};

static void *call_often(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < TIMES(500, 100); i++)
        c->failures += weft_run(c->sched, c->plan, NULL) != 0;
    return NULL;
}

Test(run, threads_share_a_plan, .timeout = 60)
{
    enum { THREADS = 4 };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    weft_plan *plan = lattice(4, 4, count, &ran);
    struct caller caller[THREADS];
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++) {
        caller[i] = (struct caller){ s, plan, 0 };
        pthread_create(&thread[i], NULL, call_often, &caller[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(thread[i], NULL);
        cr_assert_eq(caller[i].failures, 0);
    }
    cr_assert_eq(ran, 16 * THREADS * TIMES(500, 100));
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

static void *wait_for(void *run)
{
    return weft_wait(run, -1, NULL) == -ECANCELED ? run : NULL;
}

Test(run, every_waiter_is_woken)
{
    enum { THREADS = 8 };
    struct gate gate;
    weft_sched *s = workers(1);
    weft_plan *plan = gated(&gate);
    struct weft_run *run = started(s, plan);
    pthread_t thread[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, wait_for, run);
    weft_cancel(run);
    sem_post(&gate.open);
    for (int i = 0; i < THREADS; i++) {
        void *cancelled = NULL;
        pthread_join(thread[i], &cancelled);
        cr_assert_eq(cancelled, run);
    }
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, destroying_a_run_waits_for_its_end)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    weft_plan *plan = lattice(20, 8, count, &ran);
    for (unsigned i = 1; i <= 100; i++) {
        weft_run_destroy(started(s, plan));
        cr_assert_eq(load_relaxed(&ran), 160 * i);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(run, null_may_be_destroyed)
{
    weft_run_destroy(NULL);
    weft_plan_destroy(NULL);
    weft_graph_destroy(NULL);
    weft_future_destroy(NULL);
}

static unsigned entries(const char *path)
{
    unsigned n = 0;
    DIR *d = opendir(path);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* A thread that was joined may be listed a moment longer. */
static unsigned threads_down_to(unsigned n)
{
    unsigned now = entries("/proc/self/task");
    for (int i = 0; i < 10000 && now > n; i++) {
        nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
        now = entries("/proc/self/task");
    }
    return now;
}

/* One scheduler from create to destroy, with work that has not run when it is
 * cancelled, drained or left to the end. */
static void cycle(unsigned i)
{
    enum { LOOSE = 20 };
    _Atomic unsigned loose = 0, nodes = 0;
    weft_sched *s = workers(1 + i % 3);
    weft_plan *plan = lattice(5, 5, count, &nodes);
    struct weft_run *run = started(s, plan);
    weft_future *f = NULL;

    for (unsigned t = 0; t < LOOSE; t++) {
        cr_assert_eq(weft_submit(s, count, &loose, t % 2 ? &f : NULL, NULL), 0);
        if (t % 2)
            weft_future_destroy(f);
    }
    if (i % 4 == 1)
        weft_cancel(run);
    if (i % 4 == 2)
        weft_drain(run);
    if (i % 4 == 3)
        weft_run_destroy(run);
    weft_sched_destroy(s);
    cr_assert_eq(loose, LOOSE);
    if (i % 4 != 1)
        cr_assert_eq(nodes, 25);
    if (i % 4 != 3)
        weft_run_destroy(run);
    weft_plan_destroy(plan);
}

Test(run, R3_shutdown_with_work_queued_leaves_nothing, .timeout = 300)
{
    cycle(0); /* ThreadSanitizer starts a thread of its own with the first */
    unsigned fds = entries("/proc/self/fd");
    unsigned threads = entries("/proc/self/task");
    for (unsigned i = 0; i < TIMES(10000, 200); i++)
        cycle(i);
    cr_assert(threads_down_to(threads) <= threads);
    cr_assert_eq(entries("/proc/self/fd"), fds);
}

/* With ASan: nobody looks into a scheduler that may be gone. */
Test(run, what_has_ended_is_waited_for_without_its_scheduler, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    weft_plan *plan = lattice(2, 2, count, &ran);
    struct weft_run *run;
    weft_future *future;

    cr_assert_eq(weft_start(&run, s, plan, NULL), 0);
    cr_assert_eq(weft_submit(s, count, &ran, &future, NULL), 0);
    weft_sched_destroy(s);
    cr_assert_eq(weft_wait(run, 1000, NULL), 0);
    cr_assert_eq(weft_future_wait(future, 1000), 0);
    cr_assert_eq(load_relaxed(&ran), 5u);
    weft_future_destroy(future);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
}
