/* explore_future.c: futures, by two workers and who has their handles. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

static int calls, results; /* plain */
static weft_sched *sched;
static weft_future *shared;
static _Atomic bool is_shared;

static int seven(weft_worker *self, void *ctx) { return -7; }

static int after(weft_worker *self, int result, void *ctx)
{
    calls++;
    results = result;
    return 0;
}

static void then_hears(void)
{
    weft_future *f, *g;

    sched = workers(1);
    weave_assert(!weft_submit(sched, seven, 0, &f, 0));
    weave_assert(!weft_then(
        f, weft_config(then, .fn = after, .on = WEFT_ALWAYS), &g, 0));
    weft_future_destroy(f);
    weave_assert(!weft_future_wait(g, -1));
    weave_assert(calls == 1 && results == -7);
    weft_future_destroy(g);
    weft_sched_destroy(sched);
}

/* It ran, and has its result, or it was cancelled and never runs. */
static void cancel_or_run(void)
{
    weft_future *f;

    sched = workers(1);
    weave_assert(!weft_submit(sched, count, &calls, &f, 0));
    weft_future_cancel(f);
    int rc = weft_future_wait(f, -1);
    weave_assert(rc == 0 || rc == -ECANCELED);
    weave_assert(calls == (rc == 0));
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

/* A promise, kept by one thread while another waits for it. */
static void make_promise(void)
{
    sched = workers(1);
    weave_assert(!weft_promise(sched, &shared, 0));
    store_release(&is_shared, true);
    weave_assert(weft_future_wait(shared, -1) == -7);
    weave_assert(calls == 1);
    weft_future_destroy(shared);
    weft_sched_destroy(sched);
}

static void keep_promise(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    calls++;
    weft_future_complete(shared, -7);
}

static int pends(weft_worker *self, void *ctx)
{
    shared = weft_future_self(self);
    store_release(&is_shared, true);
    return WEFT_PENDING;
}

/* A task that pends may be completed before it has returned. */
static void wait_for_what_pends(void)
{
    weft_future *f;

    sched = workers(1);
    weave_assert(!weft_submit(sched, pends, 0, &f, 0));
    weave_assert(weft_future_wait(f, -1) == -7);
    weave_assert(calls == 1);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

static void wait_for_the_first(void)
{
    weft_future *f[2], *any;

    sched = workers(2);
    weave_assert(!weft_submit(sched, seven, 0, &f[0], 0));
    weave_assert(!weft_submit(sched, seven, 0, &f[1], 0));
    weave_assert(!weft_when_any(sched, f, 2, &any, 0));
    weave_assert(weft_future_wait(any, -1) == -7);
    weave_assert(weft_future_which(any) < 2);
    weft_future_destroy(any);
    weft_future_destroy(f[0]);
    weft_future_destroy(f[1]);
    weft_sched_destroy(sched);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "what_comes_after_hears_once", .threads = { then_hears } },
        { .name = "a_cancel_wins_or_loses", .threads = { cancel_or_run } },
        { .name = "a_promise_is_kept_once",
          .threads = { make_promise, keep_promise } },
        { .name = "what_pends_is_completed_at_any_time",
          .threads = { wait_for_what_pends, keep_promise } },
        { .name = "the_first_of_two_decides",
          .threads = { wait_for_the_first } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
