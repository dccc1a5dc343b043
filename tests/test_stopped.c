/* test_stopped.c: a process is stopped, for longer than its timeouts, and goes
 * on: none of them has passed, for that time was not lived. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/fed.h"
#include "tests/runs.h"
#include "tests/stops.h"
#include "weft/future.h"

static const uint64_t MS = 1000000;
enum { TIMEOUT = 500, STOPPED = 1500 };

/* What the other process tells: it stops this one. */
struct stop {
    _Atomic uint64_t began, ended; /* 0: not yet */
    pid_t pid;
};

static struct stop *stop_soon(void)
{
    struct stop *stop = mmap(NULL, sizeof *stop, PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(stop != MAP_FAILED);
    pid_t other = fork();
    cr_assert(other >= 0);
    if (other) {
        stop->pid = other;
        return stop;
    }
    usleep(50000);
    kill(getppid(), SIGSTOP);
    stop->began = wf_now_ns();
    usleep(STOPPED * 1000);
    stop->ended = wf_now_ns();
    kill(getppid(), SIGCONT);
    _exit(0);
}

/* How long it was, when it is over. */
static uint64_t stopped_for(struct stop *stop)
{
    waitpid(stop->pid, NULL, 0); /* Criterion may have done that */
    uint64_t ns = stop->ended - stop->began;
    cr_assert(ns >= STOPPED * MS);
    munmap(stop, sizeof *stop);
    return ns;
}

/* ---- a timer ----------------------------------------------------------- */

struct alarm {
    struct timer timer;
    _Atomic uint64_t ran;
};

static struct task *note(weft_worker *self, struct task *task)
{
    store_release(&((struct alarm *)(void *)task)->ran, wf_now_ns());
    return NULL;
}

static uint64_t ran(struct alarm *a)
{
    while (!load_acquire(&a->ran)) /* what note() did */
        usleep(1000);
    return a->ran;
}

Test(stopped, a_timeout_waits_for_time_that_is_lived, .timeout = 60)
{
    struct alarm timeout = { .timer.task.run = note };
    struct alarm pause = { .timer.task.run = note };
    weft_sched *sched = workers(1);
    struct stop *stop = stop_soon();
    uint64_t start = wf_now_ns(), when = start + TIMEOUT * MS;

    cr_assert_eq(wf_timeout_start(sched, &timeout.timer, TIMEOUT * MS), 0);
    cr_assert_eq(wf_timer_start(sched, &pause.timer, when), 0);
    cr_assert(ran(&pause) - start < (TIMEOUT + STOPPED) * MS * 20);
    cr_assert_eq(load_relaxed(&timeout.ran), 0);
    uint64_t passed = ran(&timeout) - start;
    /* 100 ms: after the thread was late once, as it is on a busy machine. */
    cr_assert(passed >= stopped_for(stop) + (TIMEOUT - 100) * MS);
    weft_sched_destroy(sched);
}

/* ---- in the middle of a call -------------------------------------------- */

/* A thread that has this is stopped for so long after its next look at the
 * clock, and all others with it; then the others run for a while. */
static _Thread_local unsigned stop_ms;

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = (int)syscall(SYS_clock_gettime, clock, now);
    unsigned ms = stop_ms;

    stop_ms = 0;
    if (ms) {
        stop_for(ms);
        usleep(50000);
    }
    return rc;
}

/* The other one is there so that the stop is noticed at once. */
Test(stopped, what_passes_while_a_timeout_is_started_does_not_count,
     .timeout = 60)
{
    enum { SHORT = 300, STOP = 600 };
    struct alarm timeout = { .timer.task.run = note };
    struct alarm far = { .timer.task.run = note };
    weft_sched *sched = workers(1);

    cr_assert_eq(wf_timeout_start(sched, &far.timer, 3600000 * MS), 0);
    usleep(20000); /* its thread sleeps, or will look first */
    stop_ms = STOP;
    cr_assert_eq(wf_timeout_start(sched, &timeout.timer, SHORT * MS), 0);
    cr_assert_eq(stop_ms, 0);
    uint64_t start = wf_now_ns();
    cr_assert(ran(&timeout) - start >= (SHORT - 100) * MS);
    cr_assert(wf_timer_cancel(sched, &far.timer));
    weft_sched_destroy(sched);
}

/* ---- an attempt, a run ------------------------------------------------- */

static int one(weft_worker *self, void *item, void *ctx)
{
    return (*(int *)ctx)++ ? WEFT_END : 0;
}

/* At work until the stop is over, and for a little that is lived. */
static int work(weft_worker *self, void *item, void *ctx)
{
    while (!((struct stop *)ctx)->ended)
        usleep(100);
    usleep(100000);
    return 0;
}

static int run_through_a_stop(unsigned attempt_ms, unsigned run_ms)
{
    int made = 0;
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    weft_error why = { "" };
    weft_sched *sched = workers(2);
    struct stop *stop = stop_soon();
    weft_pipeline *p = weft_pipeline_create(NULL);

    weft_source(p, "one", one, &made);
    weft_stage(p, weft_config(stage, .name = "work", .fn = work, .ctx = stop,
                              .deadline_ms = attempt_ms));
    cr_assert_eq(weft_pipeline_compile(&plan, p, &why), 0);
    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .deadline_ms = run_ms), &why),
                 0);
    int rc = weft_wait(run, -1, &why);
    stopped_for(stop);
    weft_run_destroy(run);
    weft_pipeline_destroy(p);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return rc;
}

Test(stopped, an_attempt_is_not_late, .timeout = 60)
{
    cr_assert_eq(run_through_a_stop(TIMEOUT, 0), 0);
}

Test(stopped, a_run_is_not_out_of_time, .timeout = 60)
{
    cr_assert_eq(run_through_a_stop(0, TIMEOUT), 0);
}

/* ---- whoever waits for what does not come ------------------------------- */

/* A run whose one slot is reserved, and a promise that is not kept. */
static struct {
    weft_sched *sched;
    struct weft_run *run;
    weft_future *promise;
    weft_set *set;
} idle;

static int wait_for_run(void) { return weft_wait(idle.run, TIMEOUT, NULL); }

static int wait_for_item(void)
{
    void *item;
    return weft_next(idle.run, &item, TIMEOUT, NULL);
}

static int wait_for_slot(void) { return feed(idle.run, 1, TIMEOUT); }

static int wait_for_future(void)
{
    return weft_future_wait(idle.promise, TIMEOUT);
}

static int wait_for_all(void)
{
    return weft_wait_all(&idle.promise, 1, TIMEOUT, NULL);
}

static int wait_for_next(void)
{
    void *tag;
    return weft_set_next(idle.set, &tag, NULL, TIMEOUT);
}

static int wait_in_task(weft_worker *self, void *ctx)
{
    return wait_for_future();
}

static int wait_on_worker(void)
{
    weft_future *task;

    if (weft_submit(idle.sched, wait_in_task, NULL, &task, NULL))
        return 0;
    int rc = weft_future_wait(task, -1);
    weft_future_destroy(task);
    return rc;
}

struct waits {
    pthread_t thread;
    int (*wait)(void);
    uint64_t took;
    int rc;
};

static void *wait_in(void *waits_)
{
    struct waits *w = waits_;
    uint64_t start = wf_now_ns();

    w->rc = w->wait();
    w->took = wf_now_ns() - start;
    return NULL;
}

static void open_idle(const weft_plan *plan, void **item)
{
    idle.sched = workers(2);
    idle.run = started(idle.sched, plan);
    cr_assert_eq(weft_reserve(idle.run, NULL, item, -1, NULL), 0);
    cr_assert_eq(weft_promise(idle.sched, &idle.promise, NULL), 0);
    cr_assert_eq(weft_set_create(&idle.set, NULL), 0);
    cr_assert_eq(weft_set_add(idle.set, idle.promise, NULL, NULL), 0);
}

static void close_idle(void *item)
{
    weft_unreserve(item);
    weft_set_destroy(idle.set);
    weft_future_complete(idle.promise, 0);
    weft_future_destroy(idle.promise);
    weft_cancel(idle.run);
    result_of(idle.run);
    weft_sched_destroy(idle.sched);
}

Test(stopped, who_waits_has_as_long_as_was_asked_for, .timeout = 60)
{
    struct waits waits[] = {
        { .wait = wait_for_run },  { .wait = wait_for_item },
        { .wait = wait_for_slot }, { .wait = wait_for_future },
        { .wait = wait_for_all },  { .wait = wait_for_next },
        { .wait = wait_on_worker }
    };
    const size_t count = sizeof waits / sizeof waits[0];
    weft_pipeline *p = fed_by_hand(1);
    void *item;

    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    open_idle(plan, &item);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(pthread_create(&waits[i].thread, NULL, wait_in, &waits[i]),
                     0);
    struct stop *stop = stop_soon();
    for (size_t i = 0; i < count; i++)
        pthread_join(waits[i].thread, NULL);
    uint64_t lost = stopped_for(stop);
    for (size_t i = 0; i < count; i++) {
        cr_assert_eq(waits[i].rc, -ETIMEDOUT);
        cr_assert(waits[i].took >= lost + (TIMEOUT - 100) * MS);
    }
    close_idle(item);
    weft_plan_destroy(plan);
}
