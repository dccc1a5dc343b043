/* test_wait_any.c: graph/waitset.c: a thread waits for several futures at a
 * time, for one of them or all. */
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "graph/future.h"
#include "tests/asleep.h"
#include "tests/futures.h"

static unsigned below(unsigned n, unsigned *random)
{
    *random = *random * 1664525 + 1013904223;
    return (*random >> 12) % n;
}

/* ---- R8 ---------------------------------------------------------------- */

enum { MOST = 12 };

struct round {
    weft_future *f[MOST]; /* those that pend, in any order */
    int result[MOST];     /* what they will have */
    bool is_promise[MOST];
    unsigned n;
};

static int fail_some(weft_worker *self, void *ctx)
{
    return (uintptr_t)ctx % 5 ? 0 : -EIO;
}

static int keep(weft_worker *self, void *promise)
{
    weft_future_complete(promise, -EPROTO);
    return 0;
}

/* A worker keeps one of the promises that are left, if any is. */
static void keep_one(weft_sched *s, struct round *r, unsigned *random)
{
    unsigned i = below(r->n, random);

    for (unsigned looked = 0; looked < r->n; looked++, i = (i + 1) % r->n)
        if (r->is_promise[i]) {
            r->is_promise[i] = false;
            cr_assert_eq(weft_submit(s, keep, r->f[i], NULL, NULL), 0);
            return;
        }
}

/* Those that are done leave. */
static unsigned take_done(struct round *r, const bool done[])
{
    unsigned left = 0, taken = 0;

    for (unsigned i = 0; i < r->n; i++) {
        if (done[i]) {
            cr_assert_eq(weft_future_wait(r->f[i], 0), r->result[i]);
            weft_future_destroy(r->f[i]);
            taken++;
            continue;
        }
        r->f[left] = r->f[i];
        r->result[left] = r->result[i];
        r->is_promise[left++] = r->is_promise[i];
    }
    r->n = left;
    return taken;
}

/* Each is told done once, when it is, and until then it pends: done and pending
 * are disjoint, and together all. */
Test(wait_any, R8_every_future_is_told_done_once_and_pends_until_then,
     .timeout = 300)
{
    enum { ROUNDS = TIMES(100000, 5000) };
    weft_sched *s = workers(2);
    unsigned random = 11, waits = 0, told = 0, all = 0;

    for (unsigned round = 0; round < ROUNDS; round++) {
        struct round r = { .n = 1 + below(MOST, &random) };
        bool done[MOST];

        all += r.n;
        for (uintptr_t i = 0; i < r.n; i++) {
            r.is_promise[i] = below(2, &random);
            r.result[i] = r.is_promise[i] ? -EPROTO : i % 5 ? 0 : -EIO;
            r.f[i] = r.is_promise[i] ? promised(s)
                                     : submitted(s, fail_some, (void *)i);
        }
        while (r.n) {
            if (below(4, &random) == 0) { /* just a look */
                int now = weft_wait_any(r.f, r.n, done, 0);
                cr_assert_eq(take_done(&r, done), (unsigned)now);
                told += (unsigned)now;
                continue;
            }
            keep_one(s, &r, &random);
            int rc = weft_wait_any(r.f, r.n, done, -1);
            cr_assert(rc >= 1);
            cr_assert_eq(take_done(&r, done), (unsigned)rc);
            told += (unsigned)rc;
            waits++;
        }
    }
    cr_assert_eq(told, all);
    cr_assert(waits >= ROUNDS / 2);
    weft_sched_destroy(s);
}

static long sleeps_here(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nvcsw;
}

struct keeper {
    weft_future **f;
    unsigned n, step;
    _Atomic unsigned go;
    _Atomic long waiter;
    _Atomic uint64_t kept_at;
};

/* Keeps promise i * step when the waiter is asleep for the i-th time. */
static void *keep_one_by_one(void *ctx)
{
    struct keeper *k = ctx;

    for (unsigned i = 0; i < k->n; i++) {
        while (load_acquire(&k->go) <= i) /* the waiter is about to sleep */
            usleep(20);
        wait_until_asleep(load_relaxed(&k->waiter));
        store_relaxed(&k->kept_at, wf_now_ns());
        weft_future_complete(k->f[i * k->step], 0);
    }
    return NULL;
}

/* There are many, of which one is done: the thread is woken once. */
Test(wait_any, R8_one_of_ten_thousand_wakes_its_waiter_once, .timeout = 120)
{
    enum { MANY = 10000, ROUNDS = 20 };
    static weft_future *f[MANY], *pending[MANY];
    static bool done[MANY];
    weft_sched *s = workers(1);
    struct keeper k = { .f = f, .n = ROUNDS, .step = MANY / ROUNDS };
    uint64_t best = UINT64_MAX;
    pthread_t th;
    unsigned n = MANY;
    long sleeps = 0;

    for (int i = 0; i < MANY; i++)
        pending[i] = f[i] = promised(s);
    store_relaxed(&k.waiter, (long)gettid());
    pthread_create(&th, NULL, keep_one_by_one, &k);
    for (unsigned round = 0; round < ROUNDS; round++) {
        long before = sleeps_here();
        add_release(&k.go, 1); /* all before */
        cr_assert_eq(weft_wait_any(pending, n, done, -1), 1);
        uint64_t took = wf_now_ns() - load_relaxed(&k.kept_at);
        sleeps += sleeps_here() - before;
        best = took < best ? took : best;
        unsigned left = 0;
        for (unsigned i = 0; i < n; i++) {
            cr_assert(!done[i] || pending[i] == f[round * k.step]);
            if (!done[i])
                pending[left++] = pending[i];
        }
        cr_assert_eq(left, n - 1);
        n = left;
    }
    cr_assert(sleeps <= 3 * ROUNDS); /* a page or a lock may take one, too */
    pthread_join(th, NULL);
    printf("wait_any, one of 10000: %.1f us\n", (double)best / 1e3);
    for (unsigned i = 0; i < n; i++)
        weft_future_complete(pending[i], 0);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(f[i]->listeners, NULL); /* nothing was left there */
        weft_future_destroy(f[i]);
    }
    weft_sched_destroy(s);
}

/* ---- timeouts, and none ------------------------------------------------ */

Test(wait_any, after_a_timeout_none_is_done, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f[] = { promised(s), promised(s) };
    bool done[2] = { true, true };
    uint64_t start = wf_now_ns();

    cr_assert_eq(weft_wait_any(f, 2, done, 2), 0);
    cr_assert(wf_now_ns() - start >= 2000000);
    cr_assert(!done[0] && !done[1]);
    cr_assert_eq(weft_wait_any(f, 2, NULL, 0), 0);
    cr_assert_eq(weft_wait_any(f, 0, NULL, -1), 0);
    for (int i = 0; i < 2; i++) {
        weft_future_complete(f[i], 0);
        weft_future_destroy(f[i]);
    }
    weft_sched_destroy(s);
}

/* ---- wait_all ---------------------------------------------------------- */

Test(wait_any, all_are_waited_for_with_one_wake_up, .timeout = 120)
{
    enum { ALL = 100 };
    weft_future *f[ALL];
    weft_sched *s = workers(1);
    struct keeper k = { .f = f, .n = 1 };
    pthread_t th;

    for (int i = 0; i < ALL; i++)
        f[i] = promised(s);
    store_relaxed(&k.waiter, (long)gettid());
    pthread_create(&th, NULL, keep_one_by_one, &k);
    for (int i = 1; i < ALL; i++)
        cr_assert_eq(weft_submit(s, keep, f[i], NULL, NULL), 0);
    long sleeps = sleeps_here();
    add_release(&k.go, 1); /* all before */
    cr_assert_eq(weft_wait_all(f, ALL, -1, NULL), -EPROTO);
    cr_assert(sleeps_here() - sleeps <= 2);
    pthread_join(th, NULL);
    for (int i = 0; i < ALL; i++)
        weft_future_destroy(f[i]);
    weft_sched_destroy(s);
}

Test(wait_any, all_tells_of_the_first_that_failed_when_all_are_done,
     .timeout = 60)
{
    weft_sched *s = workers(2);
    weft_future *f[3];
    weft_error why = { "" };
    static const char *const names[] = { "good", "bad", "worse" };

    f[0] = promised(s);
    for (int i = 1; i < 3; i++)
        cr_assert_eq(weft_submit_with(
                         s,
                         weft_config(submit, .name = names[i], .fn = fail_some),
                         &f[i], NULL),
                     0);
    cr_assert_eq(weft_wait_all(f, 3, 1, &why), -ETIMEDOUT);
    cr_assert_eq(strcmp(why.text, "not all of them are done yet"), 0);
    weft_future_complete(f[0], 0);
    cr_assert_eq(weft_wait_all(f, 3, -1, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "task 'bad' failed: Input/output error"), 0);
    cr_assert_eq(weft_wait_all(f, 1, 0, &why), 0);
    cr_assert_eq(weft_wait_all(f, 0, -1, &why), 0);
    for (int i = 0; i < 3; i++)
        weft_future_destroy(f[i]);
    weft_sched_destroy(s);
}

/* ---- on a worker ------------------------------------------------------- */

struct group {
    weft_future *f[16];
    _Atomic unsigned ran;
    bool any;
};

static int wait_for_group(weft_worker *self, void *ctx)
{
    struct group *g = ctx;
    weft_sched *s = weft_worker_sched(self);
    bool done[16];
    int rc;

    for (int i = 0; i < 16; i++)
        g->f[i] = submitted(s, count, &g->ran);
    if (g->any) {
        rc = weft_wait_any(g->f, 16, done, -1) >= 1 ? 0 : -ENOTRECOVERABLE;
        cr_assert_eq(load_relaxed(&g->ran), 1); /* and no more of them */
    } else {
        rc = weft_wait_all(g->f, 16, -1, NULL);
        cr_assert_eq(load_relaxed(&g->ran), 16);
    }
    for (int i = 0; i < 16; i++)
        weft_future_destroy(g->f[i]);
    return rc;
}

Test(wait_any, the_only_worker_helps_with_what_it_waits_for, .timeout = 60)
{
    for (int any = 0; any < 2; any++) {
        weft_sched *s = workers(1);
        struct group g = { .any = any };
        cr_assert_eq(wait_and_destroy(submitted(s, wait_for_group, &g)), 0);
        weft_sched_destroy(s);
        cr_assert_eq(g.ran, 16);
    }
}

static int wait_for_promises(weft_worker *self, void *ctx)
{
    struct group *g = ctx;
    weft_sched *s = weft_worker_sched(self);
    bool done[16];
    int rc = 0;

    for (int i = 0; i < 16; i++) {
        g->f[i] = promised(s);
        cr_assert_eq(weft_submit(s, keep, g->f[i], NULL, NULL), 0);
    }
    if (g->any)
        rc = weft_wait_any(g->f, 16, done, -1) >= 1 ? 0 : -ENOTRECOVERABLE;
    if (weft_wait_all(g->f, 16, -1, NULL) != -EPROTO)
        rc = -ENOTRECOVERABLE;
    for (int i = 0; i < 16; i++)
        weft_future_destroy(g->f[i]);
    return rc;
}

Test(wait_any, another_thread_is_the_worker_where_there_is_no_help,
     .timeout = 60)
{
    for (int any = 0; any < 2; any++) {
        weft_sched *s = workers(1);
        struct group g = { .any = any };
        cr_assert_eq(wait_and_destroy(submitted(s, wait_for_promises, &g)), 0);
        weft_sched_destroy(s);
    }
}
