/* test_sched.c: sched/sched.c, worker.c, steal.c and inject.c: tasks that go in
 * run once, wherever they come from, and an idle scheduler sleeps. */
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
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

/* ---- what comes last ---------------------------------------------------- */

struct noted {
    struct task task;
    char name;
};

static char order[16]; /* in which they ran: on one worker */
static struct noted last, later, first, injected, pushed;

static struct task *note(weft_worker *self, struct task *task)
{
    char name[] = { ((struct noted *)task)->name, 0 };
    strcat(order, name);
    add_release(&total, 1); /* for wait_for */
    return NULL;
}

static struct task *make_all_ready(weft_worker *self, struct task *task)
{
    weft_sched *sched = weft_worker_sched(self);
    struct task_list list = { 0 };

    cr_assert(!wf_has_other_work(self));
    wf_ready_last(sched, self, &last.task, false);
    wf_ready_last(sched, NULL, &later.task, false);
    wf_ready_last(sched, self, &first.task, true);
    cr_assert(!wf_has_other_work(self));
    task_list_add(&list, &injected.task);
    wf_inject(sched, &list);
    cr_assert(wf_has_other_work(self));
    wf_push(self, &pushed.task);
    return NULL;
}

Test(sched, what_is_to_come_last_comes_after_all_else, .timeout = 10)
{
    struct task task = { make_all_ready, NULL };
    struct noted *all[] = { &last, &later, &first, &injected, &pushed };
    weft_sched *sched = make_sched(1);
    order[0] = '\0';
    for (int i = 0; i < 5; i++)
        *all[i] = (struct noted){ { note, NULL }, "lLfip"[i] };
    wf_ready(sched, NULL, &task);
    wait_for(5);
    cr_assert_eq(strcmp(order, "piflL"), 0);
    weft_sched_destroy(sched);
}

/* Is ready again and again, until what waits to be the last has run. */
static struct task *once_more(weft_worker *self, struct task *task)
{
    if (!load_relaxed(&total))
        wf_ready(weft_worker_sched(self), self, task);
    return NULL;
}

Test(sched, what_is_to_come_last_is_not_put_off_for_ever, .timeout = 10)
{
    struct counted counted = { { ran, NULL }, 0 };
    struct task endless[2] = { { once_more, NULL }, { once_more, NULL } };
    weft_sched *sched = make_sched(1);
    for (int i = 0; i < 2; i++)
        wf_ready(sched, NULL, &endless[i]);
    wf_ready_last(sched, NULL, &counted.task, false);
    wait_for(1);
    weft_sched_destroy(sched);
    cr_assert_eq(counted.ran, 1);
}

static _Atomic bool has_pushed;

/* Busy until the other has run what is in the deque here. */
static struct task *push_and_stay(weft_worker *self, struct task *task)
{
    wf_push(self, &pushed.task);
    store_release(&has_pushed, true); /* for the load in ask_to_be_last */
    wait_for(1);
    return NULL;
}

static struct task *ask_to_be_last(weft_worker *self, struct task *task)
{
    while (!load_acquire(&has_pushed)) /* push_and_stay has */
        ;
    wf_ready_last(weft_worker_sched(self), self, &last.task, false);
    return NULL;
}

Test(sched, of_several_who_come_last_each_lets_others_work_first, .timeout = 30)
{
    for (int i = 0; i < TIMES(200, 50); i++) {
        struct task stay = { push_and_stay, NULL };
        struct task ask = { ask_to_be_last, NULL };
        weft_sched *sched = make_sched(2);
        order[0] = '\0';
        store_relaxed(&has_pushed, false);
        pushed = (struct noted){ { note, NULL }, 'p' };
        last = (struct noted){ { note, NULL }, 'l' };
        wf_sched_rivals(sched, 2);
        wf_ready(sched, NULL, &ask);
        wf_ready(sched, NULL, &stay);
        wait_for(2);
        weft_sched_destroy(sched);
        cr_assert_eq(strcmp(order, "pl"), 0);
    }
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
