/* test_lend.c: sched/lend.c: a thread that sleeps in a task lends its worker,
 * so whatever it waits for is done, and gets it back. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/test.h"
#include "tests/times.h"

static weft_sched *make_sched(unsigned workers)
{
    weft_sched *sched = NULL;
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), NULL),
        0);
    return sched;
}

/* A task that waits for others, and is waited for. */
struct job {
    struct task task;
    struct job *waits_for;
    _Atomic uint32_t done;
    int rc;
    int64_t timeout_ns;
};

/* What each worker is used for, plain: two threads that are the same worker at
 * one time race. */
static struct {
    unsigned long uses;
    char apart[56];
} used[8];

static void use(weft_worker *self)
{
    cr_assert_eq(wf_worker_here(), self);
    used[weft_worker_index(self)].uses++;
}

static void finish(struct job *j)
{
    add_release(&j->done, 1); /* what the task did, for who waits */
    wf_wake_all(&j->done);
}

static struct task *run(weft_worker *self, struct task *task)
{
    struct job *j = (struct job *)task;

    use(self);
    if (j->waits_for) {
        j->rc = wf_worker_sleep(self, &j->waits_for->done, 0, j->timeout_ns);
        use(self);
    }
    finish(j);
    return NULL;
}

static void ready(weft_sched *sched, struct job *jobs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        jobs[i].task.run = run;
        wf_ready(sched, NULL, &jobs[i].task);
    }
}

static void wait_for(struct job *j)
{
    while (!load_acquire(&j->done)) /* what it did */
        wf_sleep_while(&j->done, 0, -1);
}

Test(lend, what_a_sleeping_task_waits_for_is_done_on_its_worker, .timeout = 30)
{
    weft_sched *sched = make_sched(1);
    struct job jobs[2] = { { .waits_for = &jobs[1], .timeout_ns = -1 },
                           { .timeout_ns = -1 } };

    ready(sched, jobs, 2);
    wait_for(&jobs[0]);
    cr_assert_eq(jobs[0].rc, 0);
    cr_assert_eq(load_relaxed(&jobs[1].done), 1);
    weft_sched_destroy(sched);
}

Test(lend, a_sleep_ends_after_its_timeout, .timeout = 30)
{
    weft_sched *sched = make_sched(1);
    struct job never = { .done = 0 };
    struct job jobs[2] = { { .waits_for = &never, .timeout_ns = 2000000 },
                           { .waits_for = &never, .timeout_ns = 0 } };
    uint64_t start = wf_now_ns();

    ready(sched, jobs, 2);
    wait_for(&jobs[0]);
    cr_assert(wf_now_ns() - start >= 2000000);
    wait_for(&jobs[1]);
    cr_assert_eq(jobs[0].rc, 0);
    weft_sched_destroy(sched);
}

/* Each waits for the next one, which comes after it on the only worker. */
Test(lend, sleeps_may_be_many, .timeout = 60)
{
    enum { DEEP = 200 };
    static struct job jobs[DEEP];
    weft_sched *sched = make_sched(1);

    for (unsigned i = 0; i < DEEP; i++)
        jobs[i] = (struct job){ .waits_for = i + 1 < DEEP ? &jobs[i + 1] : NULL,
                                .timeout_ns = -1 };
    ready(sched, jobs, DEEP);
    wait_for(&jobs[0]);
    for (unsigned i = 0; i < DEEP; i++)
        cr_assert(load_relaxed(&jobs[i].done) == 1 && !jobs[i].rc);
    weft_sched_destroy(sched);
}

/* Who is refused goes on at once; so all of them come to their end. */
Test(lend, too_many_sleeps_are_refused, .timeout = 60)
{
    enum { MANY = 400 };
    static struct job jobs[MANY];
    weft_sched *sched = make_sched(1);
    unsigned refused = 0;

    for (unsigned i = 0; i < MANY; i++)
        jobs[i] = (struct job){ .waits_for = i + 1 < MANY ? &jobs[i + 1] : NULL,
                                .timeout_ns = -1 };
    ready(sched, jobs, MANY);
    for (unsigned i = 0; i < MANY; i++) {
        wait_for(&jobs[i]);
        refused += jobs[i].rc == -EAGAIN;
        cr_assert(!jobs[i].rc || jobs[i].rc == -EAGAIN);
    }
    cr_assert(refused > 0 && refused <= MANY - 256);
    weft_sched_destroy(sched);
}

Test(lend, the_scheduler_ends_after_those_that_sleep, .timeout = 60)
{
    static struct job jobs[64];

    for (unsigned round = 0; round < TIMES(50, 10); round++) {
        weft_sched *sched = make_sched(1 + round % 3);
        for (unsigned i = 0; i < 64; i++)
            jobs[i] =
                (struct job){ .waits_for = i + 1 < 64 ? &jobs[i + 1] : NULL,
                              .timeout_ns = -1 };
        ready(sched, jobs, 64);
        weft_sched_destroy(sched);
        for (unsigned i = 0; i < 64; i++)
            cr_assert_eq(load_relaxed(&jobs[i].done), 1);
    }
}

/* One that is woken from outside, while its worker may have nothing to do. */
Test(lend, a_worker_that_sleeps_meanwhile_is_given_back, .timeout = 60)
{
    for (unsigned workers = 1; workers <= 3; workers++) {
        weft_sched *sched = make_sched(workers);
        for (unsigned i = 0; i < TIMES(500, 100); i++) {
            struct job gate = { .done = 0 };
            struct job job = { .waits_for = &gate, .timeout_ns = -1 };
            ready(sched, &job, 1);
            usleep(i % 4 * 60);
            finish(&gate);
            wait_for(&job);
            cr_assert_eq(job.rc, 0);
        }
        weft_sched_destroy(sched);
    }
}

/* Tasks that make others ready and wait for them, at random, on all workers. */
struct tree {
    struct job job;
    weft_sched *sched;
    unsigned depth, seed;
};

static struct task *grow(weft_worker *self, struct task *task)
{
    struct tree *t = (struct tree *)task;
    struct tree child[2];

    use(self);
    for (unsigned i = 0; t->depth && i < 2; i++) {
        child[i] = (struct tree){ .sched = t->sched,
                                  .depth = t->depth - 1,
                                  .seed = t->seed * 2 + i };
        child[i].job.task.run = grow;
        wf_ready(t->sched, (t->seed + i) % 3 ? self : NULL, &child[i].job.task);
    }
    for (unsigned i = 0; t->depth && i < 2; i++) {
        _Atomic uint32_t *done = &child[i].job.done;
        while (!load_acquire(done)) /* what the child did */
            if (wf_worker_sleep(self, done, 0, -1))
                wf_sleep_while(done, 0, 1000000);
        use(self);
    }
    finish(&t->job);
    return NULL;
}

Test(lend, a_worker_is_one_threads_at_a_time, .timeout = 120)
{
    for (unsigned workers = 1; workers <= 4; workers++) {
        weft_sched *sched = make_sched(workers);
        for (unsigned i = 0; i < TIMES(30, 5); i++) {
            struct tree root = { .sched = sched, .depth = 6, .seed = i + 1 };
            root.job.task.run = grow;
            wf_ready(sched, NULL, &root.job.task);
            wait_for(&root.job);
        }
        weft_sched_destroy(sched);
    }
}
