/* test_future_wait.c: graph/helpwait.c: waiting for a result in a task. The
 * worker helps with what the wait depends on, and with nothing else, or lets
 * another thread be the worker; it never stops, and never waits for itself. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/futures.h"

/* ---- helping ----------------------------------------------------------- */

struct waiting {
    weft_future *f;
    _Atomic unsigned strangers;
    unsigned strangers_then; /* when the wait was over */
    _Atomic int ran_on;      /* the thread of what was waited for */
    int waited_on, rc;
};

static int tell_thread(weft_worker *self, void *ctx)
{
    struct waiting *w = ctx;
    store_relaxed(&w->ran_on, gettid());
    return -EPROTO;
}

static int wait_among_strangers(weft_worker *self, void *ctx)
{
    struct waiting *w = ctx;
    weft_sched *s = weft_worker_sched(self);

    cr_assert_eq(weft_submit(s, count, &w->strangers, NULL, NULL), 0);
    weft_future *f = submitted(s, tell_thread, w);
    cr_assert_eq(weft_submit(s, count, &w->strangers, NULL, NULL), 0);
    w->waited_on = gettid();
    int rc = wait_and_destroy(f);
    w->strangers_then = load_relaxed(&w->strangers);
    return rc;
}

Test(future_wait, worker_runs_what_it_waits_for_and_nothing_else, .timeout = 60)
{
    weft_sched *s = workers(1);
    struct waiting w = { 0 };

    cr_assert_eq(wait_and_destroy(submitted(s, wait_among_strangers, &w)),
                 -EPROTO);
    cr_assert_eq(w.strangers_then, 0);
    cr_assert_eq(w.ran_on, w.waited_on);
    weft_sched_destroy(s);
    cr_assert_eq(w.strangers, 2);
}

static int wait_for_it(weft_worker *self, void *ctx)
{
    struct waiting *w = ctx;
    w->rc = weft_future_wait(w->f, -1);
    w->waited_on = gettid();
    return w->rc;
}

static int complete_it(weft_worker *self, void *ctx)
{
    struct waiting *w = ctx;
    store_relaxed(&w->ran_on, gettid());
    weft_future_complete(w->f, -EPROTO);
    return 0;
}

/* On the only worker; what ends the wait comes after it in the queue. */
Test(future_wait, another_thread_is_the_worker_where_there_is_no_help,
     .timeout = 60)
{
    weft_sched *s = workers(1);
    struct waiting w = { .f = promised(s) };
    weft_future *waits = submitted(s, wait_for_it, &w);
    cr_assert_eq(weft_submit(s, complete_it, &w, NULL, NULL), 0);
    cr_assert_eq(wait_and_destroy(waits), -EPROTO);
    cr_assert(w.ran_on != w.waited_on);
    weft_future_destroy(w.f);
    weft_sched_destroy(s);
}

static int wait_1ms(weft_worker *self, void *ctx)
{
    return weft_future_wait(ctx, 1);
}

Test(future_wait, a_wait_in_a_task_ends_after_its_timeout, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s);
    cr_assert_eq(wait_and_destroy(submitted(s, wait_1ms, p)), -ETIMEDOUT);
    weft_future_complete(p, 0);
    cr_assert_eq(wait_and_destroy(submitted(s, wait_1ms, p)), 0);
    weft_future_destroy(p);
    weft_sched_destroy(s);
}

/* What it waits for is behind others, which it must run first. */
static int wait_for_chain(weft_worker *self, void *ctx)
{
    weft_sched *s = weft_worker_sched(self);
    weft_future *f = submitted(s, count, ctx), *both[2], *all = NULL;

    for (int i = 0; i < 10; i++)
        f = then(f, WEFT_SUCCESS, count_then, ctx);
    both[0] = f;
    both[1] = submitted(s, count, ctx);
    cr_assert_eq(weft_when_all(s, both, 2, &all, NULL), 0);
    weft_future_destroy(both[0]);
    weft_future_destroy(both[1]);
    unsigned before = load_relaxed((_Atomic unsigned *)ctx);
    cr_assert_eq(before, 0);
    return wait_and_destroy(then(all, WEFT_SUCCESS, count_then, ctx));
}

Test(future_wait, help_goes_down_to_what_can_be_run, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    cr_assert_eq(wait_and_destroy(submitted(s, wait_for_chain, &ran)), 0);
    cr_assert_eq(ran, 13);
    weft_sched_destroy(s);
}

/* Too long to go down: another thread is the worker. */
static int wait_for_long_chain(weft_worker *self, void *ctx)
{
    weft_sched *s = weft_worker_sched(self);
    weft_future *f = submitted(s, count, ctx);

    for (int i = 0; i < TIMES(100000, 5000); i++)
        f = then(f, WEFT_SUCCESS, count_then, ctx);
    return wait_and_destroy(f);
}

Test(future_wait, a_long_chain_is_not_gone_down_again_and_again, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    cr_assert_eq(wait_and_destroy(submitted(s, wait_for_long_chain, &ran)), 0);
    cr_assert_eq(ran, TIMES(100000, 5000) + 1);
    weft_sched_destroy(s);
}

static int pend_and_complete_later(weft_worker *self, void *ctx)
{
    weft_future *pause = NULL;
    cr_assert_eq(weft_after_ns(weft_worker_sched(self), 100000, &pause, NULL),
                 0);
    return weft_end_as(self, then(pause, WEFT_SUCCESS, count_then, ctx));
}

static int wait_for_pending(weft_worker *self, void *ctx)
{
    weft_sched *s = weft_worker_sched(self);
    return wait_and_destroy(submitted(s, pend_and_complete_later, ctx));
}

Test(future_wait, what_was_helped_with_may_pend, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    for (int i = 0; i < 20; i++)
        cr_assert_eq(wait_and_destroy(submitted(s, wait_for_pending, &ran)), 0);
    cr_assert_eq(ran, 20);
    weft_sched_destroy(s);
}

static int chain_1000(weft_worker *self, void *ctx)
{
    if (add_relaxed((_Atomic unsigned *)ctx, 1u) < 999)
        weft_continue(self, chain_1000, ctx);
    return 0;
}

static int wait_for_continuations(weft_worker *self, void *ctx)
{
    return wait_and_destroy(
        submitted(weft_worker_sched(self), chain_1000, ctx));
}

Test(future_wait, what_was_helped_with_may_go_on, .timeout = 60)
{
    weft_sched *s = workers(1);
    _Atomic unsigned ran = 0;
    cr_assert_eq(wait_and_destroy(submitted(s, wait_for_continuations, &ran)),
                 0);
    cr_assert_eq(ran, 1000);
    weft_sched_destroy(s);
}

Test(future_wait, task_of_a_graph_may_wait, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_graph *g = weft_graph_create();
    weft_task(g, "waits", wait_for_chain, &ran);
    cr_assert_eq(run_once(g, 1, NULL), 0);
    cr_assert_eq(ran, 13);
}

/* A worker of one scheduler is none of the other. */
static int check_sched(weft_worker *self, void *ctx)
{
    return weft_worker_sched(self) == ctx ? 0 : -EXDEV;
}

static int wait_elsewhere(weft_worker *self, void *ctx)
{
    return wait_and_destroy(submitted(ctx, check_sched, ctx));
}

Test(future_wait, what_another_scheduler_has_is_left_to_it, .timeout = 60)
{
    weft_sched *s = workers(1), *other = workers(1);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(wait_and_destroy(submitted(s, wait_elsewhere, other)), 0);
    weft_sched_destroy(s);
    weft_sched_destroy(other);
}

/* ---- waiting for oneself ----------------------------------------------- */

struct own {
    weft_future *self;
    _Atomic bool is_there;
    _Atomic unsigned called;
    int way;
};

static int wait_for_own(weft_worker *self, void *ctx)
{
    struct own *o = ctx;
    return weft_future_wait(o->self, -1);
}

static int wait_for_itself(weft_worker *self, void *ctx)
{
    struct own *o = ctx;
    weft_sched *s = weft_worker_sched(self);
    weft_future *f = NULL, *both[2];
    int rc;

    while (!load_acquire(&o->is_there)) /* its handle */
        ;
    switch (o->way) {
    case 0:
        return weft_future_wait(o->self, -1);
    case 1: /* what waits for it is run here */
        return wait_and_destroy(submitted(s, wait_for_own, o));
    case 2:
        cr_assert_eq(
            weft_then(o->self,
                      weft_config(then, .fn = count_then, .ctx = &o->called),
                      &f, NULL),
            0);
        weft_future_cancel(f); /* it must not be called later */
        cr_assert_eq(wait_and_destroy(f), -ECANCELED);
        cr_assert_eq(weft_when_all(s, &o->self, 1, &f, NULL), 0);
        return wait_and_destroy(f);
    case 3:
        return weft_wait_any(&o->self, 1, NULL, -1);
    case 4:
        return weft_wait_all(&o->self, 1, -1, NULL);
    default: /* the other one will do */
        both[0] = o->self;
        both[1] = submitted(s, nothing, NULL);
        cr_assert_eq(weft_when_any(s, both, 2, &f, NULL), 0);
        rc = weft_future_wait(f, -1);
        cr_assert_eq(weft_future_which(f), 1);
        cr_assert_eq(weft_wait_any(both, 2, NULL, -1), 1);
        cr_assert_eq(wait_and_destroy(both[1]), 0);
        weft_future_destroy(f);
        return rc;
    }
}

Test(future_wait, waiting_for_oneself_is_an_error, .timeout = 60)
{
    for (int way = 0; way < 6; way++) {
        weft_sched *s = workers(1);
        struct own o = { .way = way };
        o.self = submitted(s, wait_for_itself, &o);
        store_release(&o.is_there, true); /* the handle */
        cr_assert_eq(wait_and_destroy(o.self), way < 5 ? -EDEADLK : 0);
        weft_sched_destroy(s);
    }
}

/* Task i of a ring waits for task i + 1, and all of them run. */
struct ring {
    weft_future *f[8];
    unsigned n;
    int way;
    _Atomic unsigned running;
    _Atomic bool is_there;
    struct ring_task {
        struct ring *ring;
        unsigned number;
    } task[8];
};

static int wait_for_next_in_ring(weft_worker *self, void *ctx)
{
    struct ring_task *t = ctx;
    struct ring *r = t->ring;
    weft_future *next = NULL, *all = NULL;

    add_relaxed(&r->running, 1u);
    while (load_relaxed(&r->running) < r->n ||
           !load_acquire(&r->is_there)) /* the handles */
        usleep(50);
    next = r->f[(t->number + 1) % r->n];
    if (t->number || !r->way)
        return weft_future_wait(next, -1);
    if (r->way == 1)
        return weft_wait_all(&next, 1, -1, NULL);
    cr_assert_eq(weft_when_all(weft_worker_sched(self), &next, 1, &all, NULL),
                 0);
    return wait_and_destroy(all);
}

/* The last one sees it; and so do the others, by its result. */
Test(future_wait, tasks_that_wait_for_each_other_are_told, .timeout = 120)
{
    for (unsigned round = 0; round < TIMES(200, 30); round++) {
        struct ring r = { .n = 2 + round % 3, .way = (int)round / 3 % 3 };
        weft_sched *s = workers(r.n);
        for (unsigned i = 0; i < r.n; i++) {
            r.task[i] = (struct ring_task){ &r, i };
            r.f[i] = submitted(s, wait_for_next_in_ring, &r.task[i]);
        }
        store_release(&r.is_there, true); /* the handles */
        for (unsigned i = 0; i < r.n; i++)
            cr_assert_eq(weft_future_wait(r.f[i], -1), -EDEADLK);
        for (unsigned i = 0; i < r.n; i++)
            weft_future_destroy(r.f[i]);
        weft_sched_destroy(s);
    }
}

/* ---- deep and many ----------------------------------------------------- */

struct nest {
    weft_sched *sched;
    _Atomic unsigned begun, ended, refused;
    unsigned depth;
};

static int nest(weft_worker *self, void *ctx)
{
    struct nest *n = ctx;
    int rc = 0;

    if (add_relaxed(&n->begun, 1u) + 1 < n->depth) {
        weft_future *next = submitted(n->sched, nest, n);
        rc = wait_and_destroy(next);
        if (rc == -EAGAIN)
            add_relaxed(&n->refused, 1u);
    }
    add_relaxed(&n->ended, 1u);
    return rc;
}

/* However many of them: all that has begun ends, with 0 or an error. */
static int nest_deep(unsigned worker_count, unsigned depth)
{
    struct nest n = { .sched = workers(worker_count), .depth = depth };
    int rc = wait_and_destroy(submitted(n.sched, nest, &n));

    cr_assert(rc == 0 || rc == -EAGAIN);
    weft_sched_destroy(n.sched);
    cr_assert_eq(n.begun, depth); /* who was refused left one behind */
    cr_assert_eq(n.ended, depth);
    cr_assert(!rc == !n.refused);
    return rc;
}

static int nest_on_small_stacks(unsigned worker_count, unsigned depth)
{
    pthread_attr_t small, old;
    pthread_getattr_default_np(&old);
    pthread_getattr_default_np(&small);
    /* ThreadSanitizer does not start a thread with less. */
    pthread_attr_setstacksize(&small, TIMES(256, 1024) * 1024);
    pthread_setattr_default_np(&small);
    int rc = nest_deep(worker_count, depth);
    pthread_setattr_default_np(&old);
    pthread_attr_destroy(&small);
    pthread_attr_destroy(&old);
    return rc;
}

Test(future_wait, waits_nest_ten_thousand_deep, .timeout = 120)
{
    nest_deep(1, 10000);
    nest_deep(2, 10000);
}

Test(future_wait, waits_nest_ten_thousand_deep_on_small_stacks, .timeout = 120)
{
    nest_on_small_stacks(1, 10000);
    nest_on_small_stacks(3, 10000);
}

/* 64 on each of 257 stacks, and no more. */
Test(future_wait, waits_that_nest_too_deep_end_in_an_error, .timeout = 120)
{
    cr_assert_eq(nest_on_small_stacks(1, TIMES(100000, 30000)), -EAGAIN);
}

/* Each waits for a promise, which is kept when as many as can do. */
Test(future_wait, too_many_waits_are_refused_and_the_others_go_on,
     .timeout = 60)
{
    enum { MANY = 400 };
    static struct waiting w[MANY];
    weft_future *f[MANY];
    weft_sched *s = workers(1);
    weft_future *p = promised(s);
    unsigned refused = 0, ended = 0;

    for (int i = 0; i < MANY; i++) {
        w[i] = (struct waiting){ .f = p };
        f[i] = submitted(s, wait_for_it, &w[i]);
    }
    /* The last one is refused at once, when all others wait or were. */
    cr_assert_eq(weft_future_wait(f[MANY - 1], -1), -EAGAIN);
    weft_future_complete(p, 0);
    for (int i = 0; i < MANY; i++) {
        int rc = wait_and_destroy(f[i]);
        refused += rc == -EAGAIN;
        ended += rc == 0;
    }
    cr_assert_eq(refused + ended, MANY);
    cr_assert(ended > 0);
    weft_future_destroy(p);
    weft_sched_destroy(s);
}

/* ---- a tree of waits --------------------------------------------------- */

struct fib {
    unsigned n;
    uint64_t result;
};

static int fib(weft_worker *self, void *ctx)
{
    struct fib *f = ctx;
    struct fib one = { .n = f->n - 1 }, two = { .n = f->n - 2 };

    if (f->n < 2) {
        f->result = f->n;
        return 0;
    }
    weft_future *first = submitted(weft_worker_sched(self), fib, &one);
    int rc = fib(self, &two);
    int other = wait_and_destroy(first);
    f->result = one.result + two.result;
    return rc ? rc : other;
}

Test(future_wait, tasks_wait_for_theirs_at_every_level, .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        weft_sched *s = workers(n);
        struct fib f = { .n = TIMES(20, 14) };
        cr_assert_eq(wait_and_destroy(submitted(s, fib, &f)), 0);
        cr_assert_eq(f.result, TIMES(6765, 377));
        weft_sched_destroy(s);
    }
}

/* Each waits for one that was submitted before, whoever has it. */
struct web {
    weft_future *f[2000];
    struct waiter {
        struct web *web;
        unsigned number, waits_for;
    } task[2000];
};

static int wait_for_an_earlier_one(weft_worker *self, void *ctx)
{
    struct waiter *t = ctx;
    return t->number ? weft_future_wait(t->web->f[t->waits_for], -1) : 0;
}

Test(future_wait, a_web_of_waits_ends, .timeout = 120)
{
    static struct web web;
    enum { N = TIMES(2000, 500) };
    unsigned random = 5;

    for (unsigned round = 0; round < 8; round++) {
        weft_sched *s = workers(1 + round % 3);
        for (unsigned i = 0; i < N; i++) {
            random = random * 1664525 + 1013904223;
            web.task[i] = (struct waiter){ &web, i, i ? (random >> 8) % i : 0 };
            web.f[i] = submitted(s, wait_for_an_earlier_one, &web.task[i]);
        }
        for (unsigned i = 0; i < N; i++) {
            int rc = weft_future_wait(web.f[i], -1);
            cr_assert(rc == 0 || rc == -EAGAIN);
        }
        for (unsigned i = 0; i < N; i++)
            weft_future_destroy(web.f[i]);
        weft_sched_destroy(s);
    }
}
