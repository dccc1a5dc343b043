/* test_sched.c: sched/sched.c, worker.c, steal.c and inject.c: tasks that go in
 * run once, wherever they come from, and an idle scheduler sleeps. */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/asleep.h"
#include "tests/test.h"
#include "tests/times.h"

enum { MANY = TIMES(200000, 20000), FEEDERS = 2 };

struct counted {
    struct task task;
    int ran; /* plain: whoever runs a task twice races with itself */
};

static _Atomic uint32_t total;

static struct task *ran(weft_worker *self, struct task *task)
{
    ((struct counted *)task)->ran++;
    add_release(&total, 1); /* for wait_for */
    return NULL;
}

static weft_sched *make_sched(unsigned workers)
{
    weft_sched *sched = NULL;
    store_relaxed(&total, 0);
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), NULL),
        0);
    cr_assert_eq(weft_sched_workers(sched), workers);
    return sched;
}

static void wait_for(uint32_t n)
{
    while (load_acquire(&total) < n) /* what the tasks did, in ran() */
        usleep(100);
}

static struct counted many[MANY];

static void *feed(void *arg)
{
    static _Atomic unsigned feeder;
    unsigned first = add_relaxed(&feeder, 1) % FEEDERS;
    for (unsigned i = first; i < MANY; i += FEEDERS)
        wf_ready(arg, NULL, &many[i].task);
    return NULL;
}

Test(sched, every_task_from_outside_runs_once, .timeout = 60)
{
    pthread_t th[FEEDERS];
    weft_sched *sched = make_sched(3);
    for (int i = 0; i < MANY; i++)
        many[i] = (struct counted){ { ran, NULL }, 0 };
    for (int i = 0; i < FEEDERS; i++)
        pthread_create(&th[i], NULL, feed, sched);
    for (int i = 0; i < FEEDERS; i++)
        pthread_join(th[i], NULL);
    wait_for(MANY);
    weft_sched_destroy(sched);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(many[i].ran, 1);
}

Test(sched, destroy_finishes_what_was_queued, .timeout = 60)
{
    struct task_list list = { 0 };
    weft_sched *sched = make_sched(2);
    for (int i = 0; i < MANY; i++) {
        many[i] = (struct counted){ { ran, NULL }, 0 };
        task_list_add(&list, &many[i].task);
    }
    wf_inject(sched, &list);
    weft_sched_destroy(sched);
    cr_assert_eq(total, MANY);
}

static struct task *spread(weft_worker *self, struct task *task)
{
    struct task_list list = { 0 };
    for (int i = 0; i < MANY; i++)
        task_list_add(&list, &many[i].task);
    wf_push_list(self, &list);
    return NULL;
}

Test(sched, a_list_longer_than_the_deque_runs_all_the_same, .timeout = 60)
{
    struct task task = { spread, NULL };
    weft_sched *sched = make_sched(2);
    for (int i = 0; i < MANY; i++)
        many[i] = (struct counted){ { ran, NULL }, 0 };
    wf_ready(sched, NULL, &task);
    wait_for(MANY);
    weft_sched_destroy(sched);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(many[i].ran, 1);
}

/* Ends only if its child runs elsewhere meanwhile. */
static struct task *wait_for_thief(weft_worker *self, struct task *task)
{
    many[0] = (struct counted){ { ran, NULL }, 0 };
    wf_push(self, &many[0].task);
    wait_for(1);
    return NULL;
}

Test(sched, a_task_behind_a_long_one_is_stolen, .timeout = 10)
{
    struct task task = { wait_for_thief, NULL };
    struct weft_sched_stats stats;
    weft_sched *sched = make_sched(2);
    wf_ready(sched, NULL, &task);
    wait_for(1);
    weft_sched_stats(sched, &stats);
    cr_assert_eq(stats.steals, 1);
    weft_sched_destroy(sched);
}

static _Atomic uint32_t stop;

static struct task *go_on_for_ever(weft_worker *self, struct task *task)
{
    return load_relaxed(&stop) ? NULL : task;
}

Test(sched, an_endless_chain_lets_injected_tasks_in, .timeout = 10)
{
    struct task chain = { go_on_for_ever, NULL };
    weft_sched *sched = make_sched(1);
    store_relaxed(&stop, 0);
    wf_ready(sched, NULL, &chain);
    many[0] = (struct counted){ { ran, NULL }, 0 };
    wf_ready(sched, NULL, &many[0].task);
    wait_for(1);
    store_relaxed(&stop, 1);
    weft_sched_destroy(sched);
}

Test(sched, an_idle_scheduler_sleeps, .timeout = 10)
{
    struct weft_sched_stats before, after;
    struct rusage use[2];
    weft_sched *sched = make_sched(4);
    for (int i = 0; i < 1000; i++) {
        many[i] = (struct counted){ { ran, NULL }, 0 };
        wf_ready(sched, NULL, &many[i].task);
    }
    wait_for(1000);
    wait_until_idle();
    weft_sched_stats(sched, &before);
    getrusage(RUSAGE_SELF, &use[0]);
    usleep(300000);
    getrusage(RUSAGE_SELF, &use[1]);
    weft_sched_stats(sched, &after);
    cr_assert_eq(before.parks, after.parks);
    cr_assert_eq(before.wakes, after.wakes);
    cr_assert(after.searchers <= 2);
    printf("idle for 300 ms: %ld us of CPU\n",
           use[1].ru_utime.tv_usec + use[1].ru_stime.tv_usec -
               use[0].ru_utime.tv_usec - use[0].ru_stime.tv_usec);
    weft_sched_destroy(sched);
}

/* Puts itself on top of the deque again and again. */
static struct task *again(weft_worker *self, struct task *task)
{
    if (!load_relaxed(&stop))
        wf_push(self, task);
    return NULL;
}

static struct task *bury(weft_worker *self, struct task *task)
{
    wf_push(self, &many[0].task);
    task->run = again;
    return again(self, task);
}

Test(sched, the_oldest_task_of_a_busy_deque_gets_its_turn, .timeout = 10)
{
    struct task task = { bury, NULL };
    weft_sched *sched = make_sched(1);
    store_relaxed(&stop, 0);
    many[0] = (struct counted){ { ran, NULL }, 0 };
    wf_ready(sched, NULL, &task);
    wait_for(1);
    store_relaxed(&stop, 1);
    weft_sched_destroy(sched);
}

static struct task *signals_blocked(weft_worker *self, struct task *task)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    cr_assert(sigismember(&mask, SIGINT));
    cr_assert(sigismember(&mask, SIGTERM));
    return ran(self, task);
}

Test(sched, workers_take_no_signals_and_the_caller_keeps_its_own, .timeout = 10)
{
    sigset_t mask;
    weft_sched *sched = make_sched(2);
    many[0] = (struct counted){ { signals_blocked, NULL }, 0 };
    wf_ready(sched, NULL, &many[0].task);
    wait_for(1);
    weft_sched_destroy(sched);
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    cr_assert(!sigismember(&mask, SIGINT));
}

static struct task *who(weft_worker *self, struct task *task)
{
    cr_assert_eq(wf_worker_here(), self);
    cr_assert(weft_worker_index(self) < 2);
    return ran(self, task);
}

Test(sched, a_worker_knows_itself_and_other_threads_are_none, .timeout = 10)
{
    weft_sched *sched = make_sched(2);
    many[0] = (struct counted){ { who, NULL }, 0 };
    cr_assert_eq(wf_worker_here(), NULL);
    wf_ready(sched, NULL, &many[0].task);
    wait_for(1);
    weft_sched_destroy(sched);
}
