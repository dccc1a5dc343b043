/* test_then.c: what comes after a future: when it is called, and what it has
 * where it is not. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/asleep.h"
#include "tests/entries.h"
#include "tests/futures.h"

/* ---- R4 ---------------------------------------------------------------- */

struct step {
    unsigned *calls;
    int rc;
};

static int first_step(weft_worker *self, void *ctx)
{
    struct step *step = ctx;
    ++*step->calls;
    return step->rc;
}

static int later_step(weft_worker *self, int result, void *ctx)
{
    cr_assert_eq(result, 0);
    return first_step(self, ctx);
}

/* Three steps, of which number `fails` does; 3: none. */
static weft_future *three_steps(weft_sched *s, int fails, unsigned calls[3],
                                struct step step[3])
{
    static const char *const names[] = { "fetch", "parse", "store" };
    weft_future *last = NULL, *next = NULL;

    for (int i = 0; i < 3; i++) {
        calls[i] = 0;
        step[i] = (struct step){ &calls[i], i == fails ? -EIO : 0 };
    }
    cr_assert_eq(
        weft_submit_with(s,
                         weft_config(submit, .name = names[0], .fn = first_step,
                                     .ctx = &step[0]),
                         &last, NULL),
        0);
    for (int i = 1; i < 3; i++) {
        cr_assert_eq(weft_then(last,
                               weft_config(then, .name = names[i],
                                           .fn = later_step, .ctx = &step[i]),
                               &next, NULL),
                     0);
        weft_future_destroy(last);
        last = next;
    }
    return last;
}

Test(then, R4_a_step_runs_only_if_the_one_before_succeeded, .timeout = 60)
{
    static const char *const sentences[] = {
        "task 'fetch' failed: Input/output error",
        "task 'parse' failed: Input/output error",
        "task 'store' failed: Input/output error",
    };
    weft_sched *s = workers(2);
    unsigned calls[3];
    struct step step[3];

    for (int fails = 0; fails <= 3; fails++) {
        weft_future *last = three_steps(s, fails, calls, step);
        cr_assert_eq(weft_future_wait(last, -1), fails < 3 ? -EIO : 0);
        cr_assert(fails < 3 ? says(last, -EIO, sentences[fails])
                            : says(last, 0, ""));
        for (int i = 0; i < 3; i++)
            cr_assert_eq(calls[i], i <= fails);
        weft_future_destroy(last);
    }
    weft_sched_destroy(s);
}

/* ---- R5 ---------------------------------------------------------------- */

struct chain {
    struct chains *all;
    unsigned ended; /* pauses */
};

struct chains {
    weft_sched *sched;
    unsigned begun, in_flight, ended, most; /* of one worker: no race */
    int threads;
    struct chain chain[1000];
};

static weft_future *pause_of_1ms(weft_sched *s)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_after_ns(s, 1000000, &f, NULL), 0);
    return f;
}

/* A pause has ended, and the next one begins. */
static int pause_again(weft_worker *self, int result, void *ctx)
{
    struct chain *c = ctx;
    cr_assert_eq(result, 0);
    c->all->begun += !c->ended++;
    return weft_end_as(self, pause_of_1ms(weft_worker_sched(self)));
}

static int end_chain(weft_worker *self, int result, void *ctx)
{
    struct chain *c = ctx;
    c->ended++;
    c->all->in_flight--;
    c->all->ended++;
    if (c->all->ended == 500)
        c->all->threads = entries_of("/proc/self/task");
    return result;
}

/* The only worker starts them all before it takes notice of the end of any. */
static int start_chains(weft_worker *self, void *ctx)
{
    struct chains *all = ctx;
    enum { N = 1000 };
    static weft_future *last[N];
    weft_future *done = NULL;

    for (int i = 0; i < N; i++) {
        all->chain[i].all = all;
        all->in_flight++;
        last[i] = then(pause_of_1ms(all->sched), WEFT_SUCCESS, pause_again,
                       &all->chain[i]);
        last[i] = then(last[i], WEFT_SUCCESS, pause_again, &all->chain[i]);
        last[i] = then(last[i], WEFT_ALWAYS, end_chain, &all->chain[i]);
    }
    all->most = all->begun ? 0 : all->in_flight;
    cr_assert_eq(weft_when_all(all->sched, last, N, &done, NULL), 0);
    for (int i = 0; i < N; i++)
        weft_future_destroy(last[i]);
    return weft_end_as(self, done);
}

/* All are in flight at once, on one worker, and no thread is in a pause: the
 * threads are as many as with one pause. The time is only told. */
Test(then, R5_a_thousand_chains_take_as_long_as_the_longest, .timeout = 60)
{
    static struct chains all;
    weft_sched *s = workers(1);

    cr_assert_eq(wait_and_destroy(pause_of_1ms(s)), 0);
    int threads = entries_of("/proc/self/task");
    for (int round = 0; round < 3; round++) {
        all = (struct chains){ .sched = s };
        uint64_t start = wf_now_ns();
        cr_assert_eq(wait_and_destroy(submitted(s, start_chains, &all)), 0);
        uint64_t took = wf_now_ns() - start;
        cr_assert_eq(all.most, 1000);
        cr_assert_eq(all.begun, 1000);
        cr_assert_eq(all.ended, 1000);
        cr_assert(all.threads <= threads); /* some that end may be left */
        for (int i = 0; i < 1000; i++)
            cr_assert_eq(all.chain[i].ended, 3);
        cr_assert(took >= 3000000);
        printf("1000 chains of three pauses of 1 ms: %.1f ms\n",
               (double)took / 1e6);
    }
    weft_sched_destroy(s);
}

/* ---- R6 ---------------------------------------------------------------- */

static int never(weft_worker *self, int result, void *ctx)
{
    cr_assert(false);
    return 0;
}

struct failing {
    weft_future *promise;
    pthread_t waiter;
    _Atomic long waiter_id;
    _Atomic bool waits;
    uint64_t failed;
};

static long sleeps_here(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

/* Fails the first step when the waiter is asleep. */
static void *fail_first(void *ctx)
{
    struct failing *f = ctx;
    char thread[32];

    while (!load_acquire(&f->waits)) /* the thread's number */
        usleep(100);
    snprintf(thread, sizeof thread, "%ld", load_relaxed(&f->waiter_id));
    for (int calm = 0; calm < 3; calm++) {
        usleep(1000);
        if (status_of(thread).state != 'S')
            calm = 0;
    }
    f->failed = wf_now_ns();
    weft_future_complete(f->promise, -EPROTO);
    return NULL;
}

Test(then, R6_the_last_handle_fails_as_soon_as_the_first_step_does,
     .timeout = 60)
{
    enum { STEPS = 10, ROUNDS = TIMES(100, 20) };
    weft_sched *s = workers(2);
    uint64_t best = UINT64_MAX;
    struct weft_sched_stats before, after;

    wait_until_idle();
    weft_sched_stats(s, &before);
    for (int round = 0; round < ROUNDS; round++) {
        struct failing f = { .promise = promised(s) };
        weft_future *last = then(f.promise, WEFT_SUCCESS, never, NULL);
        pthread_t th;

        for (int i = 1; i < STEPS; i++)
            last = then(last, WEFT_SUCCESS, never, NULL);
        pthread_create(&th, NULL, fail_first, &f);
        store_relaxed(&f.waiter_id, (long)gettid());
        long sleeps = sleeps_here();
        store_release(&f.waits, true); /* after the number */
        cr_assert_eq(weft_future_wait(last, -1), -EPROTO);
        cr_assert(sleeps_here() - sleeps <= 2);
        uint64_t late = wf_now_ns() - f.failed;
        best = late < best ? late : best;
        pthread_join(th, NULL);
        weft_future_destroy(last);
    }
    weft_sched_stats(s, &after);
    cr_assert_eq(after.tasks, before.tasks); /* nothing runs for that */
    printf("failure of the first of ten steps to the waiter: %.1f us\n",
           (double)best / 1e3);
    weft_sched_destroy(s);
}

Test(then, a_failure_passes_down_a_million_steps_without_stack, .timeout = 120)
{
    enum { STEPS = TIMES(1000000, 50000) };
    weft_sched *s = workers(1);
    weft_future *first = promised(s);
    weft_future *last = then(first, WEFT_SUCCESS, never, NULL);

    for (int i = 1; i < STEPS; i++)
        last = then(last, WEFT_SUCCESS, never, NULL);
    cr_assert_eq(weft_future_wait(last, 0), -ETIMEDOUT);
    weft_future_complete(first, -EIO);
    cr_assert_eq(weft_future_wait(last, 0), -EIO); /* it has it already */
    cr_assert(says(last, -EIO, "a promise failed: Input/output error"));
    weft_future_destroy(last);
    weft_sched_destroy(s);
}

/* ---- R7 ---------------------------------------------------------------- */

static int submit_more(weft_worker *self, int result, void *counter)
{
    return weft_submit(weft_worker_sched(self), count, counter, NULL, NULL);
}

/* Before: while the only worker is held. After: when it is done. */
Test(then, R7_a_callback_runs_once_whenever_it_is_added, .timeout = 300)
{
    enum { N = TIMES(1000000, 50000) };
    weft_sched *s = workers(2);
    _Atomic unsigned ran = 0, called = 0, late = 0, submitted_too = 0;
    unsigned random = 7, callbacks = 0, lates = 0, submits = 0;

    for (unsigned i = 0; i < N; i++) {
        weft_future *f = submitted(s, count, &ran);
        weft_future *p = i % 16 ? NULL : promised(s);
        random = random * 1664525 + 1013904223;
        if (random >> 30 == 0) {
            cr_assert_eq(weft_future_wait(f, -1), 0);
            lates++;
            f = then(f, WEFT_ALWAYS, count_then, &late);
        }
        callbacks++;
        weft_future_destroy(then(f, WEFT_SUCCESS, count_then, &called));
        if (p) {
            submits++;
            cr_assert_eq(weft_then(p,
                                   weft_config(then, .fn = submit_more,
                                               .ctx = &submitted_too),
                                   NULL, NULL),
                         0);
            weft_future_destroy(p);
            weft_future_complete(p, 0);
        }
    }
    weft_sched_destroy(s);
    cr_assert_eq(ran, N);
    cr_assert_eq(called, callbacks);
    cr_assert_eq(late, lates);
    cr_assert_eq(submitted_too, submits);
}

/* ---- the rest ---------------------------------------------------------- */

static int tell_result(weft_worker *self, int result, void *ctx)
{
    *(int *)ctx = result;
    return 0;
}

static int fail(weft_worker *self, void *ctx) { return -EIO; }

Test(then, an_error_is_handled_and_what_follows_goes_on, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    int heard = 1;
    weft_future *f =
        then(submitted(s, fail, NULL), WEFT_ERROR, tell_result, &heard);
    f = then(f, WEFT_SUCCESS, count_then, &ran);
    cr_assert_eq(wait_and_destroy(f), 0);
    cr_assert_eq(heard, -EIO);
    cr_assert_eq(ran, 1);
    weft_sched_destroy(s);
}

Test(then, what_is_for_errors_is_not_called_on_success, .timeout = 60)
{
    weft_sched *s = workers(1);
    int heard = 1;
    weft_future *f = then(submitted(s, nothing, NULL), WEFT_ERROR, never, NULL);
    f = then(f, WEFT_ALWAYS, tell_result, &heard);
    cr_assert_eq(wait_and_destroy(f), 0);
    cr_assert_eq(heard, 0);
    weft_sched_destroy(s);
}

static int order[8];
static _Atomic unsigned ordered;

static int note(weft_worker *self, int result, void *ctx)
{
    order[add_relaxed(&ordered, 1u)] = (int)(intptr_t)ctx;
    return 0;
}

/* On one worker the first goes on at once, the others are in its deque. */
Test(then, many_come_after_one, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s), *after[8];
    unsigned seen = 0;

    ordered = 0;
    for (intptr_t i = 0; i < 8; i++)
        cr_assert_eq(weft_then(p,
                               weft_config(then, .fn = note, .ctx = (void *)i),
                               &after[i], NULL),
                     0);
    weft_future_complete(p, 0);
    weft_future_destroy(p);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(wait_and_destroy(after[i]), 0);
    for (int i = 0; i < 8; i++)
        seen |= 1u << order[i];
    cr_assert_eq(seen, 255);
    weft_sched_destroy(s);
}

static int continue_then(weft_worker *self, int result, void *ctx)
{
    weft_continue(self, count, ctx);
    return 0;
}

Test(then, what_comes_after_may_name_its_continuation, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    weft_future *f =
        then(submitted(s, count, &ran), WEFT_SUCCESS, continue_then, &ran);
    cr_assert_eq(wait_and_destroy(f), 0);
    cr_assert_eq(ran, 2);
    weft_sched_destroy(s);
}

Test(then, a_config_that_makes_no_sense_is_told, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f = submitted(s, nothing, NULL), *out = NULL;
    weft_error why;

    cr_assert_eq(weft_then(f, weft_config(then, .name = "odd"), &out, &why),
                 -EINVAL);
    cr_assert_eq(strcmp(why.text, "task 'odd' has no function"), 0);
    cr_assert_eq(weft_then(f,
                           weft_config(then, .name = "odd", .fn = never,
                                       .on = (enum weft_on)7),
                           &out, &why),
                 -EINVAL);
    cr_assert_eq(strcmp(why.text, "task 'odd' has no valid value of `on`"), 0);
    cr_assert_eq(
        weft_submit_with(s, weft_config(submit, .name = "odd"), &out, &why),
        -EINVAL);
    cr_assert_eq(strcmp(why.text, "task 'odd' has no function"), 0);
    cr_assert_eq(out, NULL);
    cr_assert_eq(wait_and_destroy(f), 0);
    weft_sched_destroy(s);
}
