/* test_future_cancel.c: graph/withdraw.c: what has not started never starts,
 * and what has is asked to end. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "graph/future.h"
#include "tests/futures.h"

static int never(weft_worker *self, void *ctx)
{
    cr_assert(false);
    return 0;
}

static int never_then(weft_worker *self, int result, void *ctx)
{
    return never(self, ctx);
}

/* ---- what has not started ---------------------------------------------- */

struct hold {
    _Atomic bool held, open;
};

static int hold(weft_worker *self, void *ctx)
{
    struct hold *h = ctx;
    store_release(&h->held, true);
    while (!load_acquire(&h->open)) /* for the test */
        usleep(50);
    return 0;
}

/* The only worker is busy. */
static weft_future *held(weft_sched *s, struct hold *h)
{
    weft_future *f = submitted(s, hold, h);
    while (!load_acquire(&h->held)) /* by the task */
        usleep(50);
    return f;
}

Test(future_cancel, what_has_not_started_never_starts, .timeout = 60)
{
    struct hold h = { false };
    weft_sched *s = workers(1);
    weft_future *busy = held(s, &h);
    weft_future *f = NULL;

    cr_assert_eq(
        weft_submit_with(s, weft_config(submit, .name = "late", .fn = never),
                         &f, NULL),
        0);
    weft_future_cancel(f);
    cr_assert_eq(weft_future_wait(f, 0), -ECANCELED); /* at once */
    cr_assert(says(f, -ECANCELED, "task 'late' was cancelled"));
    weft_future_cancel(f);
    store_release(&h.open, true);
    cr_assert_eq(wait_and_destroy(busy), 0);
    weft_future_destroy(f);
    weft_sched_destroy(s);
}

Test(future_cancel, what_depends_on_it_never_starts_either, .timeout = 60)
{
    struct hold h = { false };
    weft_sched *s = workers(1);
    weft_future *busy = held(s, &h), *all = NULL, *any = NULL;
    weft_future *first = submitted(s, never, NULL), *last = NULL;
    _Atomic unsigned told = 0;

    cr_assert_eq(
        weft_when_all(s, (weft_future *[]){ busy, first }, 2, &all, NULL), 0);
    cr_assert_eq(
        weft_when_any(s, (weft_future *[]){ busy, first }, 2, &any, NULL), 0);
    cr_assert_eq(
        weft_then(first, weft_config(then, .fn = never_then), &last, NULL), 0);
    last = then(last, WEFT_SUCCESS, never_then, NULL);
    weft_future *handled = NULL;
    cr_assert_eq(weft_then(last,
                           weft_config(then, .fn = count_then, .ctx = &told,
                                       .on = WEFT_ERROR),
                           &handled, NULL),
                 0);
    weft_future_cancel(first);
    cr_assert_eq(weft_future_wait(last, 0), -ECANCELED);
    cr_assert_eq(weft_future_wait(all, 0), -ECANCELED);
    cr_assert_eq(weft_future_wait(any, 0), -ECANCELED);
    cr_assert_eq(weft_future_which(any), 1);
    store_release(&h.open, true);
    cr_assert_eq(wait_and_destroy(busy), 0);
    cr_assert_eq(wait_and_destroy(handled), 0);
    cr_assert_eq(told, 1);
    weft_future_destroy(first);
    weft_future_destroy(last);
    weft_future_destroy(all);
    weft_future_destroy(any);
    weft_sched_destroy(s);
}

Test(future_cancel, who_waits_for_another_leaves_it, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s), *f = NULL;

    for (int i = 0; i < 100; i++) {
        if (i % 3 == 0)
            cr_assert_eq(
                weft_then(p, weft_config(then, .fn = never_then), &f, NULL), 0);
        else if (i % 3 == 1)
            cr_assert_eq(weft_when_all(s, &p, 1, &f, NULL), 0);
        else
            cr_assert_eq(weft_when_any(s, &p, 1, &f, NULL), 0);
        weft_future_cancel(f);
        cr_assert_eq(wait_and_destroy(f), -ECANCELED);
    }
    cr_assert_eq(p->listeners, NULL);
    cr_assert_eq(weft_future_wait(p, 0), -ETIMEDOUT); /* it goes on */
    weft_future_complete(p, 0);
    weft_future_destroy(p);
    weft_sched_destroy(s);
}

Test(future_cancel, a_promise_is_done_and_its_completion_is_not_heard,
     .timeout = 60)
{
    weft_sched *s = workers(1);
    for (int late = 0; late < 2; late++) {
        weft_future *p = promised(s);
        weft_future_cancel(p);
        cr_assert_eq(weft_future_wait(p, 0), -ECANCELED);
        if (late)
            weft_future_destroy(p);
        weft_future_complete(p, -EIO);
        if (!late)
            cr_assert_eq(wait_and_destroy(p), -ECANCELED);
    }
    weft_sched_destroy(s);
}

Test(future_cancel, what_is_done_is_as_it_was, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f = submitted(s, nothing, NULL);
    cr_assert_eq(weft_future_wait(f, -1), 0);
    weft_future_cancel(f);
    cr_assert_eq(wait_and_destroy(f), 0);
    weft_sched_destroy(s);
}

/* ---- what has started -------------------------------------------------- */

struct asked {
    _Atomic bool started, asked;
    _Atomic(weft_future *) self;
    _Atomic unsigned asks;
};

static void ask(void *ctx)
{
    struct asked *a = ctx;
    weft_future *f = load_acquire(&a->self); /* the task */
    add_relaxed(&a->asks, 1u);
    store_release(&a->asked, true);
    if (f) {
        weft_future_complete(f, -EINTR);
        cr_assert_eq(weft_future_wait(f, 0), -ETIMEDOUT); /* we still ask */
    }
}

static int run_until_asked(weft_worker *self, void *ctx)
{
    struct asked *a = ctx;
    store_release(&a->started, true);
    while (!load_acquire(&a->asked)) /* what came before the asking */
        usleep(50);
    cr_assert(weft_is_cancelled(self));
    return -EINTR;
}

static int run_until_cancelled(weft_worker *self, void *ctx)
{
    struct asked *a = ctx;
    cr_assert(!weft_is_cancelled(self));
    store_release(&a->started, true);
    while (!weft_is_cancelled(self))
        usleep(50);
    return 0;
}

static int pend_until_asked(weft_worker *self, void *ctx)
{
    struct asked *a = ctx;
    store_release(&a->self, weft_future_self(self));
    store_release(&a->started, true);
    return WEFT_PENDING;
}

static weft_future *started_with(weft_sched *s, weft_fn *fn, struct asked *a)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_submit_with(
                     s, weft_config(submit, .fn = fn, .ctx = a, .cancel = ask),
                     &f, NULL),
                 0);
    while (!load_acquire(&a->started)) /* the task */
        usleep(50);
    return f;
}

Test(future_cancel, what_has_started_is_asked_once_to_end, .timeout = 60)
{
    weft_fn *const fns[] = { run_until_asked, pend_until_asked };
    weft_sched *s = workers(1);
    for (int i = 0; i < 2; i++) {
        struct asked a = { false };
        weft_future *f = started_with(s, fns[i], &a);
        weft_future_cancel(f);
        weft_future_cancel(f);
        cr_assert_eq(wait_and_destroy(f), -EINTR);
        cr_assert_eq(a.asks, 1);
    }
    weft_sched_destroy(s);
}

Test(future_cancel, a_task_may_look_whether_it_was_cancelled, .timeout = 60)
{
    weft_sched *s = workers(1);
    struct asked a = { false };
    weft_future *f = submitted(s, run_until_cancelled, &a);
    while (!load_acquire(&a.started)) /* the task */
        usleep(50);
    weft_future_cancel(f);
    cr_assert_eq(wait_and_destroy(f), 0); /* its result is its own */
    weft_sched_destroy(s);
}

static int go_on_for_ever(weft_worker *self, void *ctx)
{
    store_release(&((struct asked *)ctx)->started, true);
    weft_continue(self, go_on_for_ever, ctx);
    return 0;
}

static int end_as_pause(weft_worker *self, void *ctx)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_after_ns(weft_worker_sched(self), UINT64_MAX, &f, NULL),
                 0);
    store_release(&((struct asked *)ctx)->started, true);
    return weft_end_as(self, f);
}

static int end_as_end_as_pause(weft_worker *self, void *ctx)
{
    return weft_end_as(self,
                       submitted(weft_worker_sched(self), end_as_pause, ctx));
}

/* The last one may also come to its end before it has begun. */
Test(future_cancel, a_chain_ends_and_so_does_what_a_task_ends_as, .timeout = 60)
{
    weft_fn *const fns[] = { go_on_for_ever, end_as_pause,
                             end_as_end_as_pause };
    for (int i = 0; i < TIMES(300, 60); i++) {
        weft_sched *s = workers(1 + i % 2);
        struct asked a = { false };
        weft_future *f = submitted(s, fns[i % 3], &a);
        while (i % 2 && !load_acquire(&a.started)) /* the task */
            ;
        weft_future_cancel(f);
        cr_assert_eq(weft_future_wait(f, -1), -ECANCELED);
        weft_future_destroy(f);
        weft_sched_destroy(s);
    }
}

/* ---- at any moment ----------------------------------------------------- */

struct moment {
    _Atomic unsigned ran, told;
};

static int count_run(weft_worker *self, void *ctx)
{
    return count(self, &((struct moment *)ctx)->ran);
}

static int count_told(weft_worker *self, int result, void *ctx)
{
    return count(self, &((struct moment *)ctx)->told);
}

static void note(void *ctx) {}

/* It ran or it was cancelled, never both, never neither, and what handles the
 * result does so once. */
Test(future_cancel, comes_at_any_moment, .timeout = 200)
{
    weft_sched *s = workers(2);
    unsigned seed = 1, cut = 0;
    enum { ROUNDS = TIMES(20000, 2000), N = 4 };

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct moment m[N] = { { 0 } };
        weft_future *f[N], *told[N];
        for (int i = 0; i < N; i++) {
            cr_assert_eq(
                weft_submit_with(s,
                                 weft_config(submit, .fn = count_run,
                                             .ctx = &m[i], .cancel = note),
                                 &f[i], NULL),
                0);
            cr_assert_eq(weft_then(f[i],
                                   weft_config(then, .fn = count_told,
                                               .ctx = &m[i], .on = WEFT_ALWAYS),
                                   &told[i], NULL),
                         0);
        }
        seed = seed * 1664525 + 1013904223;
        for (volatile unsigned spin = seed >> 20; spin; spin--)
            ;
        for (int i = 0; i < N; i++)
            weft_future_cancel(f[i]);
        for (int i = 0; i < N; i++) {
            cr_assert_eq(wait_and_destroy(told[i]), 0);
            int rc = wait_and_destroy(f[i]);
            cr_assert_eq(load_relaxed(&m[i].told), 1);
            cr_assert_eq(load_relaxed(&m[i].ran), rc ? 0 : 1);
            cr_assert(rc == 0 || rc == -ECANCELED);
            cut += rc != 0;
        }
    }
    cr_assert(cut > 0);
    weft_sched_destroy(s);
}
