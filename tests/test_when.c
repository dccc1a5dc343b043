/* test_when.c: one future of many: all of them, or any. */
#include <pthread.h>
#include <stdlib.h>

#include "graph/future.h"
#include "tests/futures.h"

enum { N = 8 };

static weft_future *all_of(weft_sched *s, weft_future *const f[], size_t n)
{
    weft_future *out = NULL;
    cr_assert_eq(weft_when_all(s, f, n, &out, NULL), 0);
    return out;
}

static weft_future *any_of(weft_sched *s, weft_future *const f[], size_t n)
{
    weft_future *out = NULL;
    cr_assert_eq(weft_when_any(s, f, n, &out, NULL), 0);
    return out;
}

static void promise_many(weft_sched *s, weft_future *f[N])
{
    for (int i = 0; i < N; i++)
        f[i] = promised(s);
}

static void destroy_many(weft_future *f[N])
{
    for (int i = 0; i < N; i++)
        weft_future_destroy(f[i]);
}

Test(when, all_succeed_when_the_last_one_has, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f[N];
    promise_many(s, f);
    weft_future *all = all_of(s, f, N);
    for (int i = 0; i < N; i++) {
        cr_assert_eq(weft_future_wait(all, 0), -ETIMEDOUT);
        weft_future_complete(f[(i * 3) % N], 0);
    }
    cr_assert_eq(weft_future_which(all), 7 * 3 % N);
    cr_assert_eq(wait_and_destroy(all), 0);
    destroy_many(f);
    weft_sched_destroy(s);
}

Test(when, all_fail_as_soon_as_one_does_and_say_which, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f[N];
    promise_many(s, f);
    weft_future *all = all_of(s, f, N);
    weft_future_complete(f[3], 0);
    weft_future_complete(f[5], -EPROTO);
    cr_assert_eq(weft_future_wait(all, 0), -EPROTO);
    cr_assert_eq(weft_future_which(all), 5);
    cr_assert(says(all, -EPROTO, "a promise failed: Protocol error"));
    weft_future_complete(f[0], -EIO);
    cr_assert_eq(wait_and_destroy(all), -EPROTO);
    for (int i = 0; i < N; i++)
        if (i != 0 && i != 3 && i != 5)
            weft_future_complete(f[i], 0);
    destroy_many(f);
    weft_sched_destroy(s);
}

Test(when, any_ends_as_the_first_that_ends, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f[N];
    for (int fails = 0; fails < 2; fails++) {
        promise_many(s, f);
        weft_future *any = any_of(s, f, N);
        cr_assert_eq(weft_future_wait(any, 0), -ETIMEDOUT);
        cr_assert_eq(weft_future_which(any), SIZE_MAX);
        weft_future_complete(f[6], fails ? -EIO : 0);
        cr_assert_eq(weft_future_wait(any, 0), fails ? -EIO : 0);
        for (int i = 0; i < N; i++)
            if (i != 6)
                weft_future_complete(f[i], -EPROTO);
        cr_assert_eq(weft_future_which(any), 6);
        cr_assert_eq(wait_and_destroy(any), fails ? -EIO : 0);
        destroy_many(f);
    }
    weft_sched_destroy(s);
}

Test(when, what_is_done_already_counts, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f[N];
    promise_many(s, f);
    weft_future_complete(f[4], 0);
    weft_future *any = any_of(s, f, N);
    cr_assert_eq(weft_future_wait(any, 0), 0);
    cr_assert_eq(weft_future_which(any), 4);
    weft_future_destroy(any);
    for (int i = 0; i < N; i++)
        if (i != 4)
            weft_future_complete(f[i], 0);
    cr_assert_eq(wait_and_destroy(all_of(s, f, N)), 0);
    destroy_many(f);
    weft_sched_destroy(s);
}

Test(when, of_none_all_succeed_and_any_is_an_error, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *none = NULL;
    weft_error why;
    weft_future *all = all_of(s, NULL, 0);
    cr_assert_eq(weft_future_which(all), SIZE_MAX);
    cr_assert_eq(wait_and_destroy(all), 0);
    cr_assert_eq(weft_when_any(s, NULL, 0, &none, &why), -EINVAL);
    cr_assert_eq(strcmp(why.text, "weft_when_any of no futures would never be "
                                  "done"),
                 0);
    cr_assert_eq(none, NULL);
    weft_future *f = submitted(s, nothing, NULL);
    cr_assert_eq(weft_future_which(f), SIZE_MAX);
    cr_assert_eq(wait_and_destroy(f), 0);
    weft_sched_destroy(s);
}

Test(when, one_may_be_there_twice, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s), *f[] = { p, p, p };
    weft_future *all = all_of(s, f, 3), *any = any_of(s, f, 3);
    weft_future_complete(p, 0);
    cr_assert_eq(wait_and_destroy(all), 0);
    cr_assert_eq(weft_future_which(any), 0);
    cr_assert_eq(wait_and_destroy(any), 0);
    weft_future_destroy(p);
    weft_sched_destroy(s);
}

Test(when, handles_of_what_is_waited_for_may_go_first, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f[N];
    promise_many(s, f);
    weft_future *all = all_of(s, f, N), *any = any_of(s, f, N);
    destroy_many(f); /* who completes has them until they do */
    for (int i = 0; i < N; i++)
        weft_future_complete(f[i], 0);
    cr_assert_eq(wait_and_destroy(all), 0);
    cr_assert_eq(wait_and_destroy(any), 0);
    weft_sched_destroy(s);
}

/* Else each round would leave something at the promise; the sanitizer for
 * leaks cannot see it, so the promise is asked who listens. */
Test(when, who_has_lost_leaves_nothing_behind, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *stop = promised(s);
    for (int i = 0; i < 1000; i++) {
        weft_future *f[] = { stop, promised(s) };
        weft_future *any = any_of(s, f, 2), *all = all_of(s, f, 2);
        weft_future_complete(f[1], -EIO);
        cr_assert_eq(wait_and_destroy(any), -EIO);
        cr_assert_eq(wait_and_destroy(all), -EIO);
        weft_future_destroy(f[1]);
    }
    cr_assert_eq(stop->listeners, NULL);
    weft_future_complete(stop, 0);
    weft_future_destroy(stop);
    weft_sched_destroy(s);
}

/* Tasks of any result, which end on any worker while they are collected. */
static int fail_if_third(weft_worker *self, void *ctx)
{
    return (uintptr_t)ctx % 3 ? 0 : -EIO;
}

Test(when, tasks_end_while_they_are_collected, .timeout = 120)
{
    weft_sched *s = workers(3);
    for (unsigned round = 0; round < TIMES(20000, 2000); round++) {
        weft_future *f[N];
        for (uintptr_t i = 0; i < N; i++)
            f[i] = submitted(s, fail_if_third, (void *)(i + 1 + round % 7));
        weft_future *all = all_of(s, f, N), *any = any_of(s, f, N);
        destroy_many(f);
        cr_assert_eq(weft_future_wait(all, -1), -EIO);
        cr_assert_eq((weft_future_which(all) + 1 + round % 7) % 3, 0);
        int rc = weft_future_wait(any, -1);
        size_t which = weft_future_which(any);
        cr_assert_eq(rc, (which + 1 + round % 7) % 3 ? 0 : -EIO);
        weft_future_destroy(all);
        weft_future_destroy(any);
    }
    weft_sched_destroy(s);
}

Test(when, a_tree_of_all_succeeds, .timeout = 120)
{
    enum { LEAVES = 1 << 12 };
    weft_sched *s = workers(2);
    weft_future **f = calloc(LEAVES, sizeof(weft_future *));
    _Atomic unsigned ran = 0;
    for (int i = 0; i < LEAVES; i++)
        f[i] = submitted(s, count, &ran);
    for (int n = LEAVES; n > 1; n /= 4)
        for (int i = 0; i < n; i += 4) {
            weft_future *all = all_of(s, f + i, 4);
            for (int k = 0; k < 4; k++)
                weft_future_destroy(f[i + k]);
            f[i / 4] = all;
        }
    cr_assert_eq(wait_and_destroy(f[0]), 0);
    cr_assert_eq(ran, LEAVES);
    free(f);
    weft_sched_destroy(s);
}
