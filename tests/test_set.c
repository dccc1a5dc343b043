/* test_set.c: futures that are waited for again and again. */
#include <pthread.h>
#include <stdlib.h>

#include "graph/future.h"
#include "tests/futures.h"
#include "tests/trail.h"

static weft_set *make_set(void)
{
    weft_set *set = NULL;
    cr_assert_eq(weft_set_create(&set, NULL), 0);
    return set;
}

static void add(weft_set *set, weft_future *f, void *tag)
{
    cr_assert_eq(weft_set_add(set, f, tag, NULL), 0);
}

struct keeper {
    weft_future **f;
    unsigned n;
    _Atomic unsigned told;
    _Atomic uint64_t kept_at;
};

/* Keeps the next one when the one before was told. */
static void *keep_in_turn(void *ctx)
{
    struct keeper *k = ctx;

    for (unsigned i = 0; i < k->n; i++) {
        while (load_acquire(&k->told) < i) /* all before */
            wf_sleep_while(&k->told, load_relaxed(&k->told), 1000000);
        store_relaxed(&k->kept_at, wf_now_ns());
        weft_future_complete(k->f[i * 7 % k->n], -EPROTO);
    }
    return NULL;
}

/* Each is told when it is done, by its tag. What pends is not looked at: the
 * times of 10 and of 10 000 are told side by side. */
Test(set, R8_one_of_ten_thousand_is_told_without_a_look_at_the_others,
     .timeout = 120)
{
    static weft_future *f[10000];
    weft_sched *s = workers(1);

    for (unsigned n = 10; n <= 10000; n *= 1000) {
        weft_set *set = make_set();
        struct keeper k = { .f = f, .n = n };
        uint64_t took[2] = { 0 };
        pthread_t th;

        for (uintptr_t i = 0; i < n; i++) {
            f[i] = promised(s);
            add(set, f[i], &f[i]);
        }
        pthread_create(&th, NULL, keep_in_turn, &k);
        for (unsigned i = 0; i < n; i++) {
            void *tag;
            int result = 0;
            cr_assert_eq(weft_set_next(set, &tag, &result, -1), 1);
            took[1] += wf_now_ns() - load_relaxed(&k.kept_at);
            cr_assert_eq(tag, &f[i * 7 % n]);
            cr_assert_eq(result, -EPROTO);
            add_release(&k.told, 1); /* all before */
            wf_wake_all(&k.told);
        }
        pthread_join(th, NULL);
        cr_assert_eq(weft_set_next(set, (void *[]){ NULL }, NULL, -1), 0);
        printf("one of %u is told after %.1f us\n", n,
               (double)took[1] / 1e3 / n);
        weft_set_destroy(set);
        for (unsigned i = 0; i < n; i++)
            weft_future_destroy(f[i]);
    }
    weft_sched_destroy(s);
}

Test(set, what_is_done_when_it_is_added_is_told_in_this_order, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_set *set = make_set();
    void *tag = NULL;

    cr_assert_eq(weft_set_next(set, &tag, NULL, -1), 0);
    for (uintptr_t i = 0; i < 5; i++) {
        weft_future *p = promised(s);
        weft_future_complete(p, 0);
        add(set, p, (void *)i);
        weft_future_destroy(p);
    }
    for (uintptr_t i = 0; i < 5; i++) {
        cr_assert_eq(weft_set_next(set, &tag, NULL, 0), 1);
        cr_assert_eq(tag, (void *)i);
    }
    weft_set_destroy(set);
    weft_set_destroy(NULL);
    weft_sched_destroy(s);
}

Test(set, nothing_is_told_before_the_timeout_is_over, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_set *set = make_set();
    weft_future *p = promised(s);
    void *tag = NULL;
    uint64_t start = wf_now_ns();

    add(set, p, NULL);
    cr_assert_eq(weft_set_next(set, &tag, NULL, 0), -ETIMEDOUT);
    cr_assert_eq(weft_set_next(set, &tag, NULL, 2), -ETIMEDOUT);
    cr_assert(wf_now_ns() - start >= 2000000);
    weft_future_complete(p, 0);
    weft_future_destroy(p);
    cr_assert_eq(weft_set_next(set, &tag, NULL, 0), 1);
    weft_set_destroy(set);
    weft_sched_destroy(s);
}

/* A crawler: what one result leads to is added, on the worker that waits. */
struct crawl {
    weft_set *set;
    _Atomic unsigned ran;
    unsigned told;
};

static int crawl(weft_worker *self, void *ctx)
{
    struct crawl *c = ctx;
    weft_sched *s = weft_worker_sched(self);
    void *tag;
    uintptr_t begun = 1;
    int rc;

    weft_future *f = submitted(s, count, &c->ran);
    add(c->set, f, (void *)begun);
    weft_future_destroy(f);
    while ((rc = weft_set_next(c->set, &tag, NULL, -1)) == 1) {
        c->told++;
        for (int i = 0; i < 2 && begun < 1000; i++) {
            f = submitted(s, count, &c->ran);
            add(c->set, f, (void *)++begun);
            weft_future_destroy(f);
        }
    }
    return rc;
}

Test(set, futures_are_added_as_others_are_told, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *s = workers(n);
        struct crawl c = { .set = make_set() };
        cr_assert_eq(wait_and_destroy(submitted(s, crawl, &c)), 0);
        cr_assert_eq(c.told, 1000);
        cr_assert_eq(c.ran, 1000);
        weft_set_destroy(c.set);
        weft_sched_destroy(s);
    }
}

Test(set, a_set_may_go_while_its_futures_end, .timeout = 120)
{
    enum { N = 16 };
    weft_sched *s = workers(3);
    _Atomic unsigned ran = 0;
    unsigned told = 0;

    for (unsigned round = 0; round < TIMES(10000, 1000); round++) {
        weft_set *set = make_set();
        weft_future *f[N], *stop = promised(s);
        void *tag;
        for (int i = 0; i < N; i++) {
            f[i] = submitted(s, count, &ran);
            add(set, f[i], NULL);
            weft_future_destroy(f[i]);
        }
        add(set, stop, NULL);
        for (unsigned i = 0; i < round % N; i++)
            told += weft_set_next(set, &tag, NULL, -1) == 1;
        weft_set_destroy(set);
        cr_assert_eq(stop->listeners, NULL);
        weft_future_complete(stop, 0);
        weft_future_destroy(stop);
    }
    weft_sched_destroy(s);
    cr_assert_eq(ran, N * TIMES(10000, 1000));
    cr_assert(told > 0);
}

/* ---- timeouts, and schedulers that end before the set ------------------- */

struct adder {
    weft_set *set;
    weft_future *f;
};

static void *add_soon(void *ctx)
{
    struct adder *a = ctx;
    add(a->set, a->f, NULL);
    return NULL;
}

/* However the two meet: it was empty when the call began. */
Test(set, the_timeout_is_that_of_a_set_to_which_the_first_is_just_added,
     .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s);

    for (int i = 0; i < 100; i++) {
        struct adder a = { make_set(), p };
        pthread_t thread;
        void *tag;
        int rc;
        pthread_create(&thread, NULL, add_soon, &a);
        while ((rc = weft_set_next(a.set, &tag, NULL, 1)) == 0)
            ;
        cr_assert_eq(rc, -ETIMEDOUT);
        pthread_join(thread, NULL);
        weft_set_destroy(a.set);
    }
    weft_future_complete(p, 0);
    weft_future_destroy(p);
    weft_sched_destroy(s);
}

/* The latest that was added is of a scheduler that has ended; the timeout is
 * one in the time of the one that pends. */
static void time_out_after(weft_sched *gone)
{
    weft_sched *s = played(1, 7);
    weft_set *set = make_set();
    weft_future *pends = promised(s), *done = promised(gone);
    uint64_t start = weft_sched_now_ns(s);
    void *tag;

    add(set, pends, pends);
    add(set, done, done);
    weft_future_complete(done, 0);
    weft_future_destroy(done);
    weft_sched_destroy(gone);
    cr_assert_eq(weft_set_next(set, &tag, NULL, 5000), 1);
    cr_assert_eq(tag, done);
    cr_assert_eq(weft_set_next(set, &tag, NULL, 5000), -ETIMEDOUT);
    cr_assert_eq(weft_sched_now_ns(s) - start, 5000000000);
    weft_future_complete(pends, 0);
    cr_assert_eq(weft_set_next(set, &tag, NULL, 5000), 1);
    weft_future_destroy(pends);
    weft_set_destroy(set);
    weft_sched_destroy(s);
}

Test(set, the_schedulers_of_what_was_told_may_be_gone, .timeout = 20)
{
    time_out_after(workers(1));
    time_out_after(played(2, 3));
}
