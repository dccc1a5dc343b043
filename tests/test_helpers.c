/* test_helpers.c: sched/helpers.c: a task that sleeps has a thread, there are
 * no more threads than tasks, and in the end there are none. */
#include <sched.h>
#include <stddef.h>
#include <unistd.h>

#include "sched/helpers.h"
#include "sched/sched.h"
#include "tests/entries.h"
#include "tests/starts.h"
#include "tests/test.h"
#include "tests/times.h"

enum { MANY = 32 };

static const uint64_t FOR_EVER = (uint64_t)1000000000 * 3600;

/* It is run by a helper, then by a worker, and so on for some rounds. */
struct call {
    struct task task;
    weft_sched *sched;
    struct helpers *helpers; /* of the test's own, or NULL: the scheduler's */
    unsigned rounds;
    int helped, worked; /* plain: one thread at a time has the call */
    pid_t thread;       /* the last helper */
};

static _Atomic uint32_t total, waiting, gate;

static struct call calls[MANY];

static int offload(struct call *c)
{
    return c->helpers ? wf_helpers_run(c->helpers, &c->task)
                      : wf_offload(c->sched, &c->task);
}

static struct task *on_helper(weft_worker *self, struct task *task);

static struct task *on_worker(weft_worker *self, struct task *task)
{
    struct call *c = (struct call *)task; /* its first member */
    cr_assert(self != NULL);
    cr_assert_eq(self, wf_worker_here());
    cr_assert_eq(weft_worker_sched(self), c->sched);
    c->worked++;
    if (--c->rounds) {
        task->run = on_helper;
        cr_assert_eq(offload(c), 0);
    } else {
        add_release(&total, 1); /* for wait_for */
    }
    return NULL;
}

static struct task *on_helper(weft_worker *self, struct task *task)
{
    struct call *c = (struct call *)task;
    cr_assert_eq(self, NULL);
    cr_assert_eq(wf_worker_here(), NULL);
    c->helped++;
    c->thread = gettid();
    task->run = on_worker;
    return task;
}

/* The same, once the gate is open. */
static struct task *at_gate(weft_worker *self, struct task *task)
{
    add_release(&waiting, 1);    /* for wait_for */
    while (!load_acquire(&gate)) /* what was done before it opened */
        wf_sleep_while(&gate, 0, -1);
    return on_helper(self, task);
}

static void open_gate(void)
{
    store_release(&gate, 1); /* for at_gate */
    wf_wake_all(&gate);
}

static void close_gate(void)
{
    store_relaxed(&gate, 0);
    store_relaxed(&waiting, 0);
}

static void wait_for(_Atomic uint32_t *counter, uint32_t n)
{
    while (load_acquire(counter) < n) /* what was done before it counted */
        usleep(50);
}

static int threads_now(void) { return entries_of("/proc/self/task"); }

/* Idle threads end in a second, and a joined one may still be listed for a
 * moment: the timeout of the test is the limit. */
static void wait_for_threads(int n)
{
    while (threads_now() > n)
        usleep(1000);
}

static weft_sched *make_sched(unsigned workers)
{
    weft_sched *sched = NULL;
    store_relaxed(&total, 0);
    close_gate();
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), NULL),
        0);
    store_relaxed(&started, 0);
    return sched;
}

static void start(struct call *c, weft_sched *sched, struct helpers *helpers,
                  struct task *(*run)(weft_worker *, struct task *),
                  unsigned rounds)
{
    *c = (struct call){ .task = { run, NULL },
                        .sched = sched,
                        .helpers = helpers,
                        .rounds = rounds };
    cr_assert_eq(offload(c), 0);
}

static void all_to_the_gate(weft_sched *sched, struct helpers *helpers)
{
    for (int i = 0; i < MANY; i++)
        start(&calls[i], sched, helpers, at_gate, 1);
    wait_for(&waiting, MANY);
}

Test(helpers, tasks_that_wait_for_each_other_each_have_a_thread, .timeout = 60)
{
    weft_sched *sched = make_sched(1);
    int before = threads_now();
    all_to_the_gate(sched, NULL);
    cr_assert_eq(load_relaxed(&started), MANY);
    cr_assert_eq(threads_now(), before + MANY);
    open_gate();
    wait_for(&total, MANY);
    weft_sched_destroy(sched);
    for (int i = 0; i < MANY; i++)
        cr_assert(calls[i].helped == 1 && calls[i].worked == 1);
}

Test(helpers, idle_threads_are_used_again, .timeout = 60)
{
    enum { ROUNDS = TIMES(200, 20) };
    struct helpers helpers;
    weft_sched *sched = make_sched(2);
    wf_helpers_init(&helpers, sched, FOR_EVER);
    for (int i = 1; i <= ROUNDS; i++) {
        close_gate();
        all_to_the_gate(sched, &helpers);
        open_gate();
        wait_for(&total, (uint32_t)i * MANY);
    }
    cr_assert_eq(load_relaxed(&started), MANY);
    wf_helpers_finish(&helpers);
    weft_sched_destroy(sched);
}

Test(helpers, a_chain_of_tasks_needs_one_thread, .timeout = 60)
{
    enum { ROUNDS = TIMES(20000, 2000) };
    struct helpers helpers;
    struct call c;
    weft_sched *sched = make_sched(2);
    wf_helpers_init(&helpers, sched, FOR_EVER);
    start(&c, sched, &helpers, on_helper, ROUNDS);
    wait_for(&total, 1);
    cr_assert_eq(c.helped, ROUNDS);
    cr_assert_eq(c.worked, ROUNDS);
    cr_assert_eq(load_relaxed(&started), 1);
    wf_helpers_finish(&helpers);
    weft_sched_destroy(sched);
}

Test(helpers, every_task_from_workers_and_from_outside_runs_once, .timeout = 60)
{
    enum { ROUNDS = TIMES(2000, 200) };
    struct helpers helpers;
    weft_sched *sched = make_sched(2);
    wf_helpers_init(&helpers, sched, FOR_EVER);
    for (int i = 0; i < MANY; i++)
        start(&calls[i], sched, &helpers, on_helper, ROUNDS);
    wait_for(&total, MANY);
    for (int i = 0; i < MANY; i++)
        cr_assert(calls[i].helped == ROUNDS && calls[i].worked == ROUNDS);
    cr_assert(load_relaxed(&started) <= MANY);
    wf_helpers_finish(&helpers);
    weft_sched_destroy(sched);
}

Test(helpers, an_idle_scheduler_has_none, .timeout = 60)
{
    weft_sched *sched = make_sched(1);
    int before = threads_now();
    for (int i = 1; i <= 2; i++) {
        close_gate();
        all_to_the_gate(sched, NULL);
        open_gate();
        wait_for(&total, (uint32_t)i * MANY);
        wait_for_threads(before);
    }
    cr_assert_eq(load_relaxed(&started), 2 * MANY);
    weft_sched_destroy(sched);
}

/* Were the threads called in turn, none would be idle for long enough. */
Test(helpers, threads_that_are_not_needed_end_while_tasks_come, .timeout = 60)
{
    struct helpers helpers;
    struct call c;
    weft_sched *sched = make_sched(1);
    int before = threads_now();
    wf_helpers_init(&helpers, sched, 100000000);
    all_to_the_gate(sched, &helpers);
    open_gate();
    wait_for(&total, MANY);
    for (uint32_t i = 1; threads_now() > before + 1; i++) {
        start(&c, sched, &helpers, on_helper, 1);
        wait_for(&total, MANY + i);
    }
    wf_helpers_finish(&helpers);
    weft_sched_destroy(sched);
}

Test(helpers, a_thread_that_ends_misses_no_task, .timeout = 120)
{
    enum { ROUNDS = TIMES(20000, 2000) };
    struct helpers helpers;
    weft_sched *sched = make_sched(1);
    int before = threads_now();
    wf_helpers_init(&helpers, sched, 20000);
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        start(&calls[0], sched, &helpers, on_helper, 1);
        start(&calls[1], sched, &helpers, on_helper, 1);
        if (i % 4)
            wait_for(&total, 2 * i); /* the pauses end near the idle time */
        else
            while (load_acquire(&total) < 2 * i) /* as in wait_for */
                cpu_pause();
    }
    wait_for_threads(before);
    cr_assert(load_relaxed(&started) > 2);
    wf_helpers_finish(&helpers);
    weft_sched_destroy(sched);
}

Test(helpers, the_end_and_threads_that_end_anyway_agree, .timeout = 120)
{
    enum { ROUNDS = TIMES(2000, 200) };
    struct helpers helpers;
    weft_sched *sched = make_sched(1);
    int before = threads_now();
    for (uint32_t i = 1; i <= ROUNDS; i++) {
        wf_helpers_init(&helpers, sched, 20000);
        for (int k = 0; k < 3; k++)
            start(&calls[k], sched, &helpers, on_helper, 1);
        wait_for(&total, 3 * i);
        wf_helpers_finish(&helpers);
    }
    weft_sched_destroy(sched);
    wait_for_threads(before - 1);
}

static struct task *sleep_first(weft_worker *self, struct task *task)
{
    usleep(2000);
    return on_helper(self, task);
}

Test(helpers, destroy_finishes_what_is_under_way, .timeout = 120)
{
    enum { ROUNDS = TIMES(500, 50) };
    int before = 0;
    for (int i = 0; i < ROUNDS; i++) {
        weft_sched *sched = make_sched(1);
        for (int k = 0; k < 3; k++)
            start(&calls[k], sched, NULL, sleep_first, 2);
        weft_sched_destroy(sched);
        for (int k = 0; k < 3; k++)
            cr_assert(calls[k].helped == 2 && calls[k].worked == 2);
        if (i == 0) /* ThreadSanitizer has started a thread of its own by now */
            before = threads_now();
    }
    wait_for_threads(before);
}

/* The last worker ends when nobody holds the scheduler. It must not do so
 * between the call that came back and the task that it brought. */
Test(helpers, destroy_sees_a_chain_to_its_end, .timeout = 120)
{
    enum { ROUNDS = TIMES(100, 20), STEPS = 200 };
    for (int i = 0; i < ROUNDS; i++) {
        weft_sched *sched = make_sched(1);
        start(&calls[0], sched, NULL, on_helper, STEPS);
        weft_sched_destroy(sched);
        cr_assert(calls[0].helped == STEPS && calls[0].worked == STEPS);
    }
}

Test(helpers, without_any_thread_the_task_stays_with_the_caller, .timeout = 60)
{
    struct call c = { .task = { on_helper, NULL }, .rounds = 1 };
    c.sched = make_sched(1);
    store_relaxed(&refuse_threads, true);
    cr_assert_eq(wf_offload(c.sched, &c.task), -EAGAIN);
    store_relaxed(&refuse_threads, false);
    cr_assert_eq(wf_offload(c.sched, &c.task), 0);
    wait_for(&total, 1);
    weft_sched_destroy(c.sched); /* nobody holds it for the first try */
    cr_assert_eq(c.helped, 1);
}

Test(helpers, without_another_thread_tasks_wait_for_one, .timeout = 60)
{
    weft_sched *sched = make_sched(1);
    start(&calls[0], sched, NULL, at_gate, 1);
    wait_for(&waiting, 1);
    store_relaxed(&refuse_threads, true);
    for (int i = 1; i < 4; i++)
        start(&calls[i], sched, NULL, on_helper, 1);
    store_relaxed(&refuse_threads, false);
    open_gate();
    wait_for(&total, 4);
    for (int i = 1; i < 4; i++)
        cr_assert_eq(calls[i].thread, calls[0].thread);
    cr_assert_eq(load_relaxed(&started), 1);
    weft_sched_destroy(sched);
}

Test(helpers, threads_that_were_refused_are_made_up_for, .timeout = 60)
{
    weft_sched *sched = make_sched(1);
    start(&calls[0], sched, NULL, at_gate, 1);
    store_relaxed(&refuse_threads, true);
    for (int i = 1; i < 4; i++)
        start(&calls[i], sched, NULL, at_gate, 1);
    store_relaxed(&refuse_threads, false);
    start(&calls[4], sched, NULL, at_gate, 1);
    wait_for(&waiting, 5);
    cr_assert_eq(load_relaxed(&started), 5);
    open_gate();
    wait_for(&total, 5);
    weft_sched_destroy(sched);
}

static struct task *free_to_move(weft_worker *self, struct task *task)
{
    cpu_set_t here;
    sched_getaffinity(0, sizeof here, &here);
    cr_assert(CPU_EQUAL(&here, &((struct call *)task)->helpers->cpus));
    return on_helper(self, task);
}

static struct task *offload_it(weft_worker *self, struct task *task)
{
    task->run = free_to_move;
    cr_assert_eq(offload((struct call *)task), 0);
    return NULL;
}

Test(helpers, a_thread_that_a_worker_starts_is_not_pinned, .timeout = 60)
{
    struct helpers helpers;
    struct call c = { .task = { offload_it, NULL }, .rounds = 1 };
    c.sched = make_sched(2);
    c.helpers = &helpers;
    wf_helpers_init(&helpers, c.sched, FOR_EVER);
    wf_ready(c.sched, NULL, &c.task);
    wait_for(&total, 1);
    cr_assert_eq(c.helped, 1);
    wf_helpers_finish(&helpers);
    weft_sched_destroy(c.sched);
}
