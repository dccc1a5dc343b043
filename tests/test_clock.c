/* test_clock.c: the time of day leaps by a day whenever it is asked for, to and
 * fro, and no timeout comes early or late for it. Nothing but the account of a
 * failure asks for it. */
#include <errno.h>
#include <time.h>

#include "tests/flows.h"
#include "tests/futures.h"

enum { DAY = 24 * 60 * 60, HOUR_MS = 60 * 60 * 1000 };

static _Atomic unsigned asked;
static int leap; /* in days, with each question */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    int rc = __real_clock_gettime(clock, now);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE ||
        clock == CLOCK_TAI)
        now->tv_sec += leap * DAY * (time_t)(add_relaxed(&asked, 1u) + 1);
    return rc;
}

struct world {
    bool given;
    _Atomic unsigned calls;
    void *_Atomic item; /* it is pending */
};

static int give(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    int rc = w->given ? WEFT_END : 0;
    w->given = true;
    return rc;
}

static int hold(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    add_relaxed(&w->calls, 1u);
    store_release(&w->item, item);
    return WEFT_PENDING;
}

static void let_go(void *item, void *ctx) { weft_complete(NULL, item, 0); }

/* One item, at most twice, so long each time. */
static weft_plan *planned(struct world *w, unsigned deadline_ms)
{
    *w = (struct world){ .calls = 0 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 1 }));
    weft_source(p, "one", give, w);
    weft_stage(p, weft_config(stage, .name = "hold", .fn = hold, .ctx = w,
                              .cancel = let_go, .deadline_ms = deadline_ms,
                              .retry = { .attempts = 2, .first_ms = 1 }));
    return pipeline_plan(p);
}

static struct weft_run *begun(weft_sched *sched, weft_plan *plan,
                              unsigned deadline_ms)
{
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .deadline_ms = deadline_ms),
                                 NULL),
                 0);
    return run;
}

static void end(struct weft_run *run, weft_plan *plan, int result)
{
    cr_assert_eq(weft_wait(run, -1, NULL), result);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
}

static weft_sched *leaping(int days)
{
    leap = days;
    store_relaxed(&asked, 0);
    return workers(2);
}

/* Two attempts, the pause between them, a run, and a pause for itself. */
static void none_is_late(int days)
{
    struct world w;
    weft_future *pause = NULL;
    weft_sched *sched = leaping(days);

    weft_plan *plan = planned(&w, 1);
    end(begun(sched, plan, 0), plan, -ETIMEDOUT);
    cr_assert_eq(w.calls, 2);
    cr_assert_eq(asked, 1); /* when it failed */

    plan = planned(&w, 0);
    end(begun(sched, plan, 1), plan, -ETIMEDOUT);
    cr_assert_eq(weft_after_ns(sched, 1000000, &pause, NULL), 0);
    cr_assert_eq(wait_and_destroy(pause), 0);
    cr_assert_eq(asked, 1);
    weft_sched_destroy(sched);
}

Test(clock, no_timeout_is_late, .timeout = 60)
{
    none_is_late(1);
    none_is_late(-1);
}

static void none_is_early(int days)
{
    struct world w;
    weft_future *pause = NULL;
    weft_sched *sched = leaping(days);

    cr_assert_eq(weft_after_ns(sched, HOUR_MS * 1000000ull, &pause, NULL), 0);
    weft_plan *plan = planned(&w, HOUR_MS);
    struct weft_run *run = begun(sched, plan, HOUR_MS);
    cr_assert_eq(weft_wait(run, 2, NULL), -ETIMEDOUT);
    cr_assert_eq(weft_future_wait(pause, 2), -ETIMEDOUT);
    UNTIL(load_acquire(&w.item));
    weft_complete(NULL, w.item, 0);
    end(run, plan, 0);
    cr_assert_eq(w.calls, 1);
    cr_assert_eq(asked, 0);

    weft_future_cancel(pause);
    weft_future_destroy(pause);
    weft_sched_destroy(sched);
}

Test(clock, no_timeout_is_early, .timeout = 60)
{
    none_is_early(1);
    none_is_early(-1);
}
