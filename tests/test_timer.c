/* test_timer.c: sched/timer.c: a timer's task runs once, never early, or it was
 * cancelled; and who waits for a far one sleeps. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/asleep.h"
#include "tests/test.h"
#include "tests/times.h"

enum { MANY = TIMES(100000, 10000), ROUNDS = TIMES(20000, 4000) };

static const uint64_t MS = 1000000, HOUR = 3600 * (uint64_t)1000000000;

struct alarm {
    struct timer timer;
    uint64_t when;
    int ran, early; /* plain: whoever runs it twice races with itself */
};

static _Atomic uint32_t total;
static struct alarm many[MANY];

static struct task *ring(weft_worker *self, struct task *task)
{
    struct alarm *a = (struct alarm *)(void *)task;
    a->early += wf_now_ns() < a->when;
    a->ran++;
    add_release(&total, 1); /* for wait_for */
    return NULL;
}

static void wait_for(uint32_t n)
{
    while (load_acquire(&total) < n) /* what the tasks did, in ring() */
        usleep(50);
}

static weft_sched *make_sched(unsigned workers)
{
    weft_sched *sched = NULL;
    store_relaxed(&total, 0);
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), NULL),
        0);
    return sched;
}

static void set(weft_sched *sched, struct alarm *a, uint64_t when)
{
    *a = (struct alarm){ .timer.task.run = ring, .when = when };
    cr_assert_eq(wf_timer_start(sched, &a->timer, when), 0);
}

static uint64_t random_below(uint64_t n)
{
    static uint64_t seed = 0x9e3779b97f4a7c15u;
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % n;
}

Test(timer, each_of_many_runs_once_and_never_early, .timeout = 60)
{
    weft_sched *sched = make_sched(2);
    uint64_t now = wf_now_ns();
    for (int i = 0; i < MANY; i++)
        set(sched, &many[i], now + random_below(300 * MS));
    wait_for(MANY);
    weft_sched_destroy(sched);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(many[i].ran, 1);
        cr_assert_eq(many[i].early, 0);
    }
}

/* As after a stop of the process: all of them are due when the thread looks. */
Test(timer, many_of_one_time_run_once_each, .timeout = 60)
{
    weft_sched *sched = make_sched(2);
    uint64_t when = wf_now_ns() + 100 * MS;
    for (int i = 0; i < MANY; i++)
        set(sched, &many[i], when);
    wait_for(MANY);
    weft_sched_destroy(sched);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(many[i].ran, 1);
        cr_assert_eq(many[i].early, 0);
    }
}

/* ---- order --------------------------------------------------------------- */

enum { ORDERED = 300 };

static _Atomic uint32_t late; /* timers that were armed still, and earlier */

static struct task *look_for_earlier(weft_worker *self, struct task *task)
{
    struct alarm *a = (struct alarm *)(void *)task;
    weft_sched *sched = weft_worker_sched(self);
    for (int i = 0; i < ORDERED; i++)
        if (many[i].when < a->when && wf_timer_cancel(sched, &many[i].timer)) {
            add_relaxed(&late, 1);
            add_release(&total, 1);
        }
    return ring(self, task);
}

/* Each of them cancels all that are earlier, and finds none to cancel. They
 * have to be armed before the first is due: once more with more time, if not.
 */
Test(timer, a_task_comes_after_all_that_are_earlier, .timeout = 60)
{
    weft_sched *sched = make_sched(2);
    store_relaxed(&late, 0);
    for (uint64_t wait = 20 * MS, first = 0; wf_now_ns() >= first; wait *= 2) {
        if (first)
            wait_for(ORDERED);
        store_relaxed(&total, 0);
        store_relaxed(&late, 0);
        first = wf_now_ns() + wait;
        for (int i = 0; i < ORDERED; i++)
            many[i] = (struct alarm){ .timer.task.run = look_for_earlier,
                                      .when = first + random_below(50 * MS) };
        for (int i = 0; i < ORDERED; i++)
            cr_assert_eq(wf_timer_start(sched, &many[i].timer, many[i].when),
                         0);
    }
    wait_for(ORDERED);
    weft_sched_destroy(sched);
    cr_assert_eq(late, 0);
}

/* ---- cancelled, hurried, started again ----------------------------------- */

Test(timer, one_that_is_not_armed_cannot_be_cancelled_nor_hurried)
{
    struct alarm a = { .timer.task.run = ring };
    weft_sched *sched = make_sched(1);
    cr_assert(!wf_timer_cancel(sched, &a.timer));
    cr_assert(!wf_timer_hurry(sched, &a.timer));
    set(sched, &a, wf_now_ns() + MS);
    wait_for(1);
    cr_assert(!wf_timer_cancel(sched, &a.timer));
    cr_assert(!wf_timer_hurry(sched, &a.timer));
    weft_sched_destroy(sched);
    cr_assert_eq(a.ran, 1);
}

/* In no order, some of them twice. */
static int cancel_every_other(weft_sched *sched)
{
    int cancelled = 0;
    for (int n = MANY; n > 0; n--) {
        struct alarm *a = &many[random_below(MANY / 2) * 2 + 1];
        cancelled += wf_timer_cancel(sched, &a->timer);
    }
    for (int i = 1; i < MANY; i += 2)
        cancelled += wf_timer_cancel(sched, &many[i].timer);
    return cancelled;
}

/* All are cancelled before the first is due: once more with more time, if not.
 */
Test(timer, what_is_cancelled_never_runs_and_the_others_do, .timeout = 60)
{
    int cancelled = 0;
    weft_sched *sched = make_sched(2);
    for (uint64_t wait = 100 * MS, first = 0; wf_now_ns() >= first; wait *= 2) {
        if (first)
            wait_for((uint32_t)(MANY - cancelled));
        store_relaxed(&total, 0);
        first = wf_now_ns() + wait;
        for (int i = 0; i < MANY; i++)
            set(sched, &many[i], first + random_below(50 * MS));
        cancelled = cancel_every_other(sched);
    }
    cr_assert_eq(cancelled, MANY / 2);
    wait_for(MANY / 2);
    weft_sched_destroy(sched);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(many[i].ran, !(i % 2));
        cr_assert_eq(many[i].early, 0);
    }
}

Test(timer, a_hurried_one_runs_at_once_and_once, .timeout = 10)
{
    struct alarm a, other;
    weft_sched *sched = make_sched(1);
    set(sched, &other, wf_now_ns() + HOUR);
    set(sched, &a, wf_now_ns() + 2 * HOUR);
    cr_assert(wf_timer_hurry(sched, &a.timer));
    wait_for(1);
    cr_assert(!wf_timer_hurry(sched, &a.timer));
    cr_assert(wf_timer_cancel(sched, &other.timer));
    weft_sched_destroy(sched);
    cr_assert_eq(a.ran, 1);
    cr_assert_eq(other.ran, 0);
}

static struct task *ring_again(weft_worker *self, struct task *task)
{
    struct alarm *a = (struct alarm *)(void *)task;
    ring(self, task);
    if (a->ran == 1000)
        return NULL;
    a->when = wf_now_ns() + random_below(100000);
    cr_assert_eq(wf_timer_start(weft_worker_sched(self), &a->timer, a->when),
                 0);
    return NULL;
}

Test(timer, a_task_may_start_its_timer_again, .timeout = 60)
{
    struct alarm a = { .timer.task.run = ring_again };
    weft_sched *sched = make_sched(2);
    cr_assert_eq(wf_timer_start(sched, &a.timer, 1), 0);
    wait_for(1000);
    weft_sched_destroy(sched);
    cr_assert_eq(a.ran, 1000);
    cr_assert_eq(a.early, 0);
}

/* Many rounds of a timer that comes when it is cancelled, and hurried by
 * another thread. */
static _Atomic(struct alarm *) to_hurry;

static void *hurry(void *sched)
{
    for (struct alarm *a, *last = NULL; (a = load_acquire(&to_hurry)) != many;)
        if (a && a != last) { /* set, in the test */
            wf_timer_hurry(sched, &a->timer);
            last = a;
        }
    return NULL;
}

Test(timer, either_it_is_cancelled_or_it_runs, .timeout = 120)
{
    static bool cancelled[ROUNDS];
    pthread_t thread;
    uint32_t n = 0;
    weft_sched *sched = make_sched(2);

    store_relaxed(&to_hurry, NULL);
    pthread_create(&thread, NULL, hurry, sched);
    for (int i = 1; i < ROUNDS; i++) {
        struct alarm *a = &many[i % MANY];
        uint64_t end = wf_now_ns() + random_below(200000);
        set(sched, a, wf_now_ns() + 1 + random_below(200000));
        if (i % 4 == 0)
            store_release(&to_hurry, a); /* as it was set */
        while (wf_now_ns() < end)
            cpu_pause();
        cancelled[i] = wf_timer_cancel(sched, &a->timer);
        n += cancelled[i];
    }
    store_release(&to_hurry, many);
    pthread_join(thread, NULL);
    cr_assert(n > 0 && n < ROUNDS - 1);
    wait_for(ROUNDS - 1 - n);
    weft_sched_destroy(sched);
    for (int i = 1; i < ROUNDS; i++)
        cr_assert_eq(many[i].ran + cancelled[i], 1);
}

/* ---- its thread ---------------------------------------------------------- */

/* The number of the thread of timers; 0: there is none. */
static int timer_thread(void)
{
    int found = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; (e = readdir(d));) {
        char path[300], name[32] = "";
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", e->d_name);
        FILE *f = fopen(path, "re");
        if (f && fgets(name, sizeof name, f) && !strcmp(name, "weft/timer\n"))
            found = atoi(e->d_name);
        if (f)
            fclose(f);
    }
    closedir(d);
    return found;
}

Test(timer, a_time_that_is_past_needs_no_thread, .timeout = 10)
{
    struct alarm a, b;
    weft_sched *sched = make_sched(1);
    set(sched, &a, 0);
    set(sched, &b, wf_now_ns());
    wait_for(2);
    cr_assert_eq(timer_thread(), 0);
    weft_sched_destroy(sched);
    cr_assert_eq(a.ran + b.ran, 2);
}

Test(timer, who_waits_for_a_far_one_sleeps, .timeout = 60)
{
    char thread[16];
    struct alarm first, near, earlier;
    struct weft_sched_stats before, after;
    weft_sched *sched = make_sched(2);
    set(sched, &near, wf_now_ns() + MS);
    set(sched, &first, wf_now_ns() + HOUR);
    wait_for(1);
    snprintf(thread, sizeof thread, "%d", timer_thread());
    wait_until_idle();
    set(sched, &earlier, wf_now_ns() + MS); /* than what it sleeps for */
    wait_for(2);
    wait_until_idle();
    long sleeps = status_of(thread).sleeps;
    weft_sched_stats(sched, &before);
    for (int i = 0; i < 1000; i++) /* later ones wake nobody, and have to go */
        set(sched, &many[i], first.when + 1 + random_below(HOUR));
    for (int i = 0; i < 1000; i++)
        cr_assert(wf_timer_cancel(sched, &many[i].timer));
    usleep(300000);
    cr_assert_eq(status_of(thread).sleeps, sleeps);
    weft_sched_stats(sched, &after);
    cr_assert_eq(before.parks, after.parks);
    cr_assert_eq(before.wakes, after.wakes);
    cr_assert(wf_timer_cancel(sched, &first.timer));
    weft_sched_destroy(sched);
}

static struct task *set_from_worker(weft_worker *self, struct task *task)
{
    set(weft_worker_sched(self), &many[0], wf_now_ns() + MS);
    return NULL;
}

/* The worker that starts it is pinned to its core. */
Test(timer, the_thread_may_run_anywhere, .timeout = 10)
{
    cpu_set_t ours, its;
    struct task task = { set_from_worker, NULL };
    weft_sched *sched = make_sched(2);
    wf_ready(sched, NULL, &task);
    wait_for(1);
    cr_assert_eq(sched_getaffinity(0, sizeof ours, &ours), 0);
    cr_assert_eq(sched_getaffinity(timer_thread(), sizeof its, &its), 0);
    cr_assert(CPU_EQUAL(&ours, &its));
    weft_sched_destroy(sched);
}

static struct task *ring_and_release(weft_worker *self, struct task *task)
{
    ring(self, task);
    wf_sched_release(weft_worker_sched(self));
    return NULL;
}

Test(timer, destroy_waits_for_whoever_holds_the_scheduler, .timeout = 10)
{
    struct alarm a = { .timer.task.run = ring_and_release };
    for (int i = 0; i < 20; i++) {
        weft_sched *sched = make_sched(2);
        wf_sched_hold(sched);
        a.when = wf_now_ns() + random_below(5 * MS);
        cr_assert_eq(wf_timer_start(sched, &a.timer, a.when), 0);
        weft_sched_destroy(sched);
        cr_assert_eq(a.ran, i + 1);
    }
    cr_assert_eq(a.early, 0);
}

/* Nobody has memory for such a stack. */
Test(timer, no_thread_is_an_error, .timeout = 10)
{
    pthread_attr_t usual, huge;
    struct alarm a = { .timer.task.run = ring };
    weft_sched *sched = make_sched(1);

    cr_assert_eq(pthread_getattr_default_np(&usual), 0);
    cr_assert_eq(pthread_attr_init(&huge), 0);
    cr_assert_eq(pthread_attr_setstacksize(&huge, (size_t)1 << 50), 0);
    cr_assert_eq(pthread_setattr_default_np(&huge), 0);
    int rc = wf_timer_start(sched, &a.timer, wf_now_ns() + HOUR);
    cr_assert_eq(pthread_setattr_default_np(&usual), 0);
    cr_assert_eq(rc, -EAGAIN);
    cr_assert(!wf_timer_hurry(sched, &a.timer));
    set(sched, &a, wf_now_ns() + MS);
    wait_for(1);
    weft_sched_destroy(sched);
    pthread_attr_destroy(&huge);
    pthread_attr_destroy(&usual);
}
