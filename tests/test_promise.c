/* test_promise.c: futures that anyone may complete: of pending tasks, of tasks
 * that end as another future does, and of nobody. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/futures.h"

/* ---- pending tasks ----------------------------------------------------- */

struct pending {
    _Atomic(weft_future *) self;
    int rc;       /* of its completion */
    bool early;   /* it comes before the task returns */
    unsigned ran; /* continuations */
};

static int go_on(weft_worker *self, void *ctx)
{
    ((struct pending *)ctx)->ran++;
    return 0;
}

static int pend(weft_worker *self, void *ctx)
{
    struct pending *p = ctx;
    weft_future *f = weft_future_self(self);

    if (p->early)
        weft_future_complete(f, p->rc);
    else
        store_release(&p->self, f); /* for who completes it */
    return WEFT_PENDING;
}

static int pend_and_go_on(weft_worker *self, void *ctx)
{
    weft_continue(self, go_on, ctx);
    return pend(self, ctx);
}

static void complete(struct pending *p)
{
    weft_future *f;
    while (!(f = load_acquire(&p->self))) /* the task */
        cpu_pause();
    weft_future_complete(f, p->rc);
}

Test(promise, pending_task_has_the_result_of_its_completion, .timeout = 60)
{
    weft_sched *s = workers(1);
    for (int i = 0; i < 6; i++) {
        struct pending p = { .rc = i % 3 ? -EIO * (i % 3 - 1) : 9,
                             .early = i / 3 };
        weft_future *f = submitted(s, pend, &p);
        if (!p.early)
            complete(&p);
        cr_assert_eq(wait_and_destroy(f), i % 3 ? p.rc : -EINVAL);
    }
    weft_sched_destroy(s);
}

Test(promise, no_worker_waits_for_a_pending_task, .timeout = 60)
{
    enum { N = 1000 };
    static struct pending p[N];
    weft_sched *s = workers(1);
    weft_future *f[N];
    _Atomic unsigned ran = 0;

    for (int i = 0; i < N; i++) {
        p[i] = (struct pending){ .rc = -EIO };
        f[i] = submitted(s, pend, &p[i]);
    }
    cr_assert_eq(wait_and_destroy(submitted(s, count, &ran)), 0);
    for (int i = N; i-- > 0;) {
        cr_assert_eq(weft_future_wait(f[i], 0), -ETIMEDOUT);
        complete(&p[i]);
        cr_assert_eq(wait_and_destroy(f[i]), -EIO);
    }
    weft_sched_destroy(s);
}

Test(promise, pending_task_goes_on_when_it_was_completed, .timeout = 60)
{
    weft_sched *s = workers(1);
    for (int i = 0; i < 8; i++) {
        struct pending p = { .rc = i % 2 ? -EIO : 0, .early = i / 2 % 2 };
        weft_future *f = NULL;
        cr_assert_eq(
            weft_submit(s, pend_and_go_on, &p, i / 4 ? NULL : &f, NULL), 0);
        if (!p.early)
            complete(&p);
        if (f) {
            cr_assert_eq(wait_and_destroy(f), p.rc);
        } else {
            weft_sched_destroy(s); /* waits for it */
            s = workers(1);
        }
        cr_assert_eq(p.ran, p.rc ? 0 : 1);
    }
    weft_sched_destroy(s);
}

/* A task that pends again and again. */
struct pending_chain {
    weft_sched *sched;
    unsigned left, done;
};

static int complete_it(weft_worker *self, void *f)
{
    weft_future_complete(f, 0);
    return 0;
}

static int pend_again(weft_worker *self, void *ctx)
{
    struct pending_chain *c = ctx;
    weft_future *f = weft_future_self(self);

    c->done++;
    if (!--c->left)
        return 0;
    weft_continue(self, pend_again, c);
    cr_assert_eq(weft_submit(c->sched, complete_it, f, NULL, NULL), 0);
    return WEFT_PENDING;
}

static int wait_for_chain(weft_worker *self, void *ctx)
{
    struct pending_chain *c = ctx;
    return wait_and_destroy(submitted(c->sched, pend_again, c));
}

Test(promise, a_chain_of_pending_ends_needs_no_stack, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *s = workers(n);
        struct pending_chain c = { s, TIMES(200000, 10000), 0 };
        cr_assert_eq(wait_and_destroy(submitted(s, pend_again, &c)), 0);
        cr_assert_eq(c.done, TIMES(200000, 10000));
        c = (struct pending_chain){ s, TIMES(20000, 2000), 0 };
        cr_assert_eq(wait_and_destroy(submitted(s, wait_for_chain, &c)), 0);
        cr_assert_eq(c.done, TIMES(20000, 2000));
        weft_sched_destroy(s);
    }
}

static int pend_unasked(weft_worker *self, void *ctx) { return WEFT_PENDING; }

static int ask_and_return(weft_worker *self, void *ctx)
{
    return weft_future_self(self) ? -EPROTO : 0;
}

static int ask_and_go_on(weft_worker *self, void *ctx)
{
    weft_continue(self, pend_unasked, ctx);
    return weft_future_self(self) ? 0 : -EPROTO;
}

Test(promise, who_does_not_ask_for_itself_cannot_pend, .timeout = 60)
{
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, pend_unasked, NULL)), -EINVAL);
    cr_assert_eq(wait_and_destroy(submitted(s, ask_and_go_on, NULL)), -EINVAL);
    cr_assert_eq(wait_and_destroy(submitted(s, ask_and_return, NULL)), -EPROTO);
    weft_sched_destroy(s);
}

static int has_no_future(weft_worker *self, void *ctx)
{
    weft_future *f = promised(ctx);
    weft_future_complete(f, 0);
    cr_assert_eq(weft_future_self(self), NULL);
    cr_assert(!weft_is_cancelled(self));
    return weft_end_as(self, f);
}

Test(promise, task_of_a_graph_has_no_future, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_task(g, "odd", has_no_future, s);
    weft_plan *plan = compiled(g);
    cr_assert_eq(weft_run(s, plan, NULL), -EPERM);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* ---- promises ---------------------------------------------------------- */

Test(promise, is_kept_once_before_or_after_its_handle_goes, .timeout = 60)
{
    weft_sched *s = workers(1);
    for (int i = 0; i < 4; i++) {
        weft_future *p = promised(s);
        weft_future *f = NULL;
        cr_assert_eq(weft_future_wait(p, 0), -ETIMEDOUT);
        cr_assert(says(p, -EINPROGRESS, "it is not done yet"));
        if (i / 2)
            weft_future_complete(p, -EIO);
        cr_assert_eq(weft_when_all(s, &p, 1, &f, NULL), 0);
        weft_future_destroy(p);
        if (!(i / 2))
            weft_future_complete(p, -EIO);
        cr_assert_eq(weft_future_wait(f, -1), -EIO);
        cr_assert(says(f, -EIO, "a promise failed: Input/output error"));
        weft_future_destroy(f);
    }
    weft_sched_destroy(s);
}

static void *keep_late(void *p)
{
    usleep(2000);
    weft_future_complete(p, 0);
    return NULL;
}

static void *break_it(void *p)
{
    weft_future_complete(p, -EIO);
    return NULL;
}

Test(promise, the_scheduler_waits_for_it_and_what_comes_after, .timeout = 60)
{
    for (int i = 0; i < 10; i++) {
        _Atomic unsigned ran = 0;
        weft_sched *s = workers(2);
        weft_future *p = promised(s);
        pthread_t th;
        weft_future *f = NULL;
        cr_assert_eq(weft_then(p,
                               weft_config(then, .fn = count_then, .ctx = &ran),
                               &f, NULL),
                     0);
        weft_future_destroy(p);
        pthread_create(&th, NULL, keep_late, p);
        weft_sched_destroy(s);
        cr_assert_eq(ran, 1);
        cr_assert_eq(wait_and_destroy(f), 0);
        pthread_join(th, NULL);
    }
}

static int never(weft_worker *self, int result, void *ctx)
{
    cr_assert(false);
    return 0;
}

/* Its failure passes by many that hold nothing, to one that is to run. */
Test(promise, the_scheduler_waits_until_a_failure_has_passed_down,
     .timeout = 60)
{
    for (int i = 0; i < 20; i++) {
        _Atomic unsigned ran = 0;
        weft_sched *s = workers(1);
        weft_future *p = promised(s), *f = NULL;
        pthread_t th;

        cr_assert_eq(weft_then(p, weft_config(then, .fn = never), &f, NULL), 0);
        weft_future_destroy(p);
        for (int k = 0; k < TIMES(20000, 5000); k++)
            f = then(f, WEFT_SUCCESS, never, NULL);
        f = then(f, WEFT_ERROR, count_then, &ran);
        pthread_create(&th, NULL, break_it, p);
        weft_sched_destroy(s);
        cr_assert_eq(ran, 1);
        cr_assert_eq(wait_and_destroy(f), 0);
        pthread_join(th, NULL);
    }
}

/* ---- as another -------------------------------------------------------- */

static int go_wrong(weft_worker *self, void *ctx) { return -EPROTO; }

static int end_as_named(weft_worker *self, void *ctx)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_submit_with(weft_worker_sched(self),
                                  weft_config(submit, .name = "inner",
                                              .fn = ctx ? nothing : go_wrong),
                                  &f, NULL),
                 0);
    return weft_end_as(self, f);
}

Test(promise, ends_as_another_with_its_error_and_sentence, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f = submitted(s, end_as_named, NULL);
    cr_assert_eq(weft_future_wait(f, -1), -EPROTO);
    cr_assert(says(f, -EPROTO, "task 'inner' failed: Protocol error"));
    weft_future_destroy(f);
    cr_assert_eq(wait_and_destroy(submitted(s, end_as_named, s)), 0);
    weft_sched_destroy(s);
}

static int continue_after_other(weft_worker *self, void *ctx)
{
    weft_continue(self, count, ctx);
    return weft_end_as(self, submitted(weft_worker_sched(self), count, ctx));
}

Test(promise, goes_on_after_another, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    cr_assert_eq(wait_and_destroy(submitted(s, continue_after_other, &ran)), 0);
    cr_assert_eq(ran, 2);
    weft_sched_destroy(s);
}

/* Each ends as the next one, which it submits. */
static int end_as_next(weft_worker *self, void *ctx)
{
    struct pending_chain *c = ctx;
    c->done++;
    if (!--c->left)
        return -EPROTO;
    return weft_end_as(self, submitted(c->sched, end_as_next, c));
}

Test(promise, a_long_row_of_others_ends_without_stack, .timeout = 120)
{
    for (unsigned n = 1; n <= 2; n++) {
        weft_sched *s = workers(n);
        struct pending_chain c = { s, TIMES(1000000, 50000), 0 };
        cr_assert_eq(wait_and_destroy(submitted(s, end_as_next, &c)), -EPROTO);
        cr_assert_eq(c.done, TIMES(1000000, 50000));
        weft_sched_destroy(s);
    }
}

static int wait_for_row(weft_worker *self, void *ctx)
{
    struct pending_chain *c = ctx;
    return wait_and_destroy(submitted(c->sched, end_as_next, c));
}

Test(promise, who_waits_helps_with_the_others, .timeout = 120)
{
    weft_sched *s = workers(1);
    struct pending_chain c = { s, 40, 0 };
    cr_assert_eq(wait_and_destroy(submitted(s, wait_for_row, &c)), -EPROTO);
    cr_assert_eq(c.done, 40);
    weft_sched_destroy(s);
}
