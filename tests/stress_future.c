/* stress_future.c: threads and tasks make futures of futures, wait for them,
 * cancel, complete and destroy them, in any order. What is lost hangs, and the
 * test times out; what is freed twice, or never, a sanitizer sees. Built with
 * WEFT_CHAOS. */
#include <pthread.h>
#include <stdlib.h>

#include "graph/future.h"
#include "tests/futures.h"

enum { THREADS = 3, ROUNDS = TIMES(100000, 10000), KEPT = 12 };

struct player {
    weft_sched *sched[2];
    unsigned random;
    _Atomic unsigned calls;
    weft_future *kept[KEPT];
    weft_future *promise[KEPT]; /* not kept yet */
};

static unsigned below(unsigned n, unsigned *random)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 12) % n;
}

static int call(weft_worker *self, void *calls)
{
    add_relaxed((_Atomic unsigned *)calls, 1u);
    return 0;
}

static int call_and_fail(weft_worker *self, void *calls)
{
    call(self, calls);
    return -EIO;
}

static int call_then(weft_worker *self, int result, void *calls)
{
    return call(self, calls);
}

static int call_and_pend(weft_worker *self, void *calls)
{
    weft_future *pause = NULL;
    call(self, calls);
    if (weft_after_ns(weft_worker_sched(self), 20000, &pause, NULL))
        return -EIO;
    return weft_end_as(self, pause);
}

/* Waits for what it has submitted, in a task. */
static int call_and_wait(weft_worker *self, void *calls)
{
    weft_future *f = NULL;
    if (weft_submit(weft_worker_sched(self), call_and_pend, calls, &f, NULL))
        return -ENOMEM;
    int rc = wait_and_destroy(f);
    return rc == -EAGAIN ? 0 : rc;
}

static weft_future *any_kept(struct player *p)
{
    return p->kept[below(KEPT, &p->random)];
}

static weft_future *make(struct player *p)
{
    static weft_fn *const fns[] = { call, call_and_fail, call_and_pend,
                                    call_and_wait };
    weft_sched *s = p->sched[below(2, &p->random)];
    weft_future *some[3] = { any_kept(p), any_kept(p), any_kept(p) };
    weft_future *f = NULL;

    switch (below(6, &p->random)) {
    case 0:
        cr_assert_eq(
            weft_submit(s, fns[below(4, &p->random)], &p->calls, &f, NULL), 0);
        break;
    case 1:
        cr_assert_eq(
            weft_then(some[0],
                      weft_config(then, .name = "then", .fn = call_then,
                                  .ctx = &p->calls,
                                  .on = (enum weft_on)below(3, &p->random)),
                      &f, NULL),
            0);
        break;
    case 2:
        cr_assert_eq(weft_when_all(s, some, 3, &f, NULL), 0);
        break;
    case 3:
        cr_assert_eq(weft_when_any(s, some, 3, &f, NULL), 0);
        break;
    case 4:
        cr_assert_eq(weft_after_ns(s, below(50000, &p->random), &f, NULL), 0);
        break;
    default:
        for (int i = 0; i < KEPT; i++)
            if (!p->promise[i])
                return p->promise[i] = promised(s);
        f = submitted(s, call, &p->calls);
    }
    return f;
}

static void keep_one(struct player *p)
{
    weft_future **promise = &p->promise[below(KEPT, &p->random)];

    if (*promise)
        weft_future_complete(*promise, below(2, &p->random) ? 0 : -EIO);
    *promise = NULL;
}

static void *play(void *ctx)
{
    struct player *p = ctx;

    for (int i = 0; i < KEPT; i++)
        p->kept[i] = submitted(p->sched[0], call, &p->calls);
    for (int round = 0; round < ROUNDS; round++) {
        weft_future **at = &p->kept[below(KEPT, &p->random)];
        bool done[KEPT];
        switch (below(6, &p->random)) {
        case 0:
            weft_future_cancel(*at);
            break;
        case 1:
            keep_one(p);
            break;
        case 2:
            weft_future_wait(*at, 0);
            weft_wait_any(p->kept, KEPT, done, 1);
            break;
        default:;
            weft_future *f = make(p);
            weft_future_destroy(*at);
            *at = f;
        }
    }
    for (int i = 0; i < KEPT; i++) {
        if (p->promise[i])
            weft_future_complete(p->promise[i], 0);
    }
    cr_assert(weft_wait_all(p->kept, KEPT, -1, NULL) != -ETIMEDOUT);
    for (int i = 0; i < KEPT; i++)
        weft_future_destroy(p->kept[i]);
    return NULL;
}

Test(future, everything_is_done_in_any_order, .timeout = 110)
{
    weft_sched *a = workers(2), *b = workers(1);
    static struct player p[THREADS];
    pthread_t th[THREADS];

    for (unsigned i = 0; i < THREADS; i++) {
        p[i] = (struct player){ .sched = { a, b }, .random = i + 1 };
        pthread_create(&th[i], NULL, play, &p[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(th[i], NULL);
    weft_sched_destroy(a);
    weft_sched_destroy(b);
    for (int i = 0; i < THREADS; i++)
        cr_assert(p[i].calls > 0);
}

/* ---- one future, and all who want something of it ---------------------- */

struct race {
    weft_future *f;
    _Atomic unsigned ready, go;
    _Atomic unsigned called, waits;
    int results[THREADS];
};

struct racer {
    struct race *race;
    unsigned number;
};

static int call_once(weft_worker *self, int result, void *ctx)
{
    struct race *r = ctx;
    add_relaxed(&r->called, 1u);
    return result;
}

/* Adds a callback, waits, or cancels: at the same time as the others. */
static void *want(void *ctx)
{
    struct racer *me = ctx;
    struct race *r = me->race;
    weft_future *f = NULL;

    add_release(&r->ready, 1);    /* all before */
    while (!load_acquire(&r->go)) /* for all */
        cpu_pause();
    if (me->number == 2)
        weft_future_cancel(r->f);
    cr_assert_eq(weft_then(r->f,
                           weft_config(then, .fn = call_once, .ctx = r,
                                       .on = WEFT_ALWAYS),
                           &f, NULL),
                 0);
    r->results[me->number] = wait_and_destroy(f);
    return NULL;
}

/* All see the same result, and each callback is called once. */
Test(future, all_who_want_a_result_get_the_same, .timeout = 110)
{
    weft_sched *s = workers(2);
    unsigned cut = 0, ran = 0;

    for (int round = 0; round < ROUNDS / 50; round++) {
        struct race r = { .called = 0 };
        struct racer racer[THREADS];
        _Atomic unsigned calls = 0;
        pthread_t th[THREADS];

        for (unsigned i = 0; i < THREADS; i++) {
            racer[i] = (struct racer){ &r, i };
            pthread_create(&th[i], NULL, want, &racer[i]);
        }
        while (load_acquire(&r.ready) < THREADS) /* all are there */
            cpu_pause();
        r.f = submitted(s, call, &calls);
        store_release(&r.go, 1); /* the handle */
        int rc = weft_future_wait(r.f, -1);
        for (int i = 0; i < THREADS; i++)
            pthread_join(th[i], NULL);
        cr_assert_eq(r.f->listeners, NULL); /* nobody was left there */
        weft_future_destroy(r.f);
        cr_assert_eq(load_relaxed(&r.called), THREADS);
        cr_assert_eq(load_relaxed(&calls), rc ? 0 : 1);
        for (int i = 0; i < THREADS; i++)
            cr_assert_eq(r.results[i], rc);
        cut += rc == -ECANCELED;
        ran += rc == 0;
    }
    cr_assert_eq(cut + ran, ROUNDS / 50);
    weft_sched_destroy(s);
}
