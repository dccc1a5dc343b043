/* test_retry.c: graph/attempt.c: further attempts, and the time between them.
 */
#include <errno.h>
#include <stdbool.h>

#include "sched/sched.h"
#include "tests/flows.h"

enum { MOST = 1000 };

#define MILLISECOND ((uint64_t)1000000)

/* What happened in a stage, in its order. */
struct event {
    uint64_t number, time_ns;
    unsigned attempt;
};

struct world {
    struct numbers numbers;
    unsigned bad_attempts; /* of each item; with `some`, of every third */
    bool some;
    _Atomic unsigned calls, told;
    struct event events[4 * MOST];
    _Atomic unsigned last_attempt[MOST];
    uint64_t failed_at[MOST];
    _Atomic unsigned too_early, out_of_line;
    struct weft_retry retry;
};

static struct world w;

static void world_init(uint64_t items, unsigned bad_attempts)
{
    w = (struct world){ .numbers = { .end = items },
                        .bad_attempts = bad_attempts };
}

/* The least that lies between the failure of this attempt and the next. */
static double back_off_ns(unsigned attempt)
{
    const struct weft_retry *r = &w.retry;
    double ms = r->first_ms ? r->first_ms : 10;
    for (unsigned i = 1; i < attempt; i++)
        ms *= r->factor ? r->factor : 2;
    if (ms > (r->most_ms ? r->most_ms : 10000))
        ms = r->most_ms ? r->most_ms : 10000;
    return ms * (1 - r->jitter) * (double)MILLISECOND;
}

static int attempt(weft_worker *self, void *item, void *ctx)
{
    uint64_t n = number_of(item), now = wf_now_ns();
    unsigned attempt = weft_item_attempt(item);
    struct event *e = &w.events[add_relaxed(&w.calls, 1u)];

    *e = (struct event){ n, now, attempt };
    add_relaxed(&w.out_of_line,
                attempt != add_relaxed(&w.last_attempt[n], 1u) + 1);
    if (attempt > 1)
        add_relaxed(&w.too_early,
                    (double)(now - w.failed_at[n]) < back_off_ns(attempt - 1));
    w.failed_at[n] = wf_now_ns();
    if (w.some && n % 3)
        return 0;
    return attempt <= w.bad_attempts ? -EAGAIN : 0;
}

static void note_failure(const struct weft_failure *failure, void *item,
                         void *ctx)
{
    add_relaxed(&w.told, 1u);
    cr_assert_eq(failure->attempt, w.retry.attempts);
    cr_assert_eq(failure->error, -EAGAIN);
}

static weft_plan *planned(enum weft_policy policy, unsigned slots,
                          unsigned tokens, bool consumer)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .failures = { .policy = policy }, .on_failure = note_failure,
        .items = { .bytes = sizeof(uint64_t), .slots = slots }));
    weft_source(p, "numbers", number, &w.numbers);
    weft_stage(p, weft_config(stage, .name = "try", .fn = attempt,
                              .tokens = tokens, .retry = w.retry));
    if (consumer)
        weft_consumer(p, WEFT_INPUT);
    return pipeline_plan(p);
}

/* ---- how often ---------------------------------------------------------- */

Test(retry, R19_retries_are_made_as_often_as_asked, .timeout = 30)
{
    weft_sched *sched = workers(2);

    for (unsigned attempts = 1; attempts <= 4; attempts++) {
        world_init(100, 9);
        w.retry = (struct weft_retry){ .attempts = attempts, .first_ms = 1 };
        weft_plan *plan = planned(WEFT_SKIP, 16, 4, false);
        struct weft_run *run = started(sched, plan);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        struct weft_stage_stats s = stage_of(run, "try");
        cr_assert_eq(s.in, 100);
        cr_assert_eq(s.failed, 100);
        cr_assert_eq(s.retried, 100 * (attempts - 1));
        cr_assert_eq(ended(run, 0).failed, 100);
        cr_assert_eq(w.calls, 100 * attempts);
        cr_assert_eq(w.told, 100);
        cr_assert_eq(w.out_of_line, 0);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

Test(retry, R19_what_succeeds_in_the_end_has_not_failed, .timeout = 30)
{
    weft_sched *sched = workers(2);

    world_init(99, 2);
    w.some = true;
    w.retry = (struct weft_retry){ .attempts = 3, .first_ms = 1 };
    weft_plan *plan = planned(WEFT_STOP, 16, 4, false);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(stage_of(run, "try").retried, 66);
    cr_assert_eq(stage_of(run, "try").failed, 0);
    cr_assert_eq(ended(run, 0).delivered, 99);
    cr_assert_eq(w.calls, 99 + 66);
    cr_assert_eq(w.told, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- when ---------------------------------------------------------------- */

static void not_too_early(struct weft_retry retry, unsigned bad_attempts)
{
    weft_sched *sched = workers(2);

    world_init(20, bad_attempts);
    w.retry = retry;
    weft_plan *plan = planned(WEFT_STOP, 20, 2, false);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, 20);
    cr_assert_eq(w.calls, 20 * (bad_attempts + 1));
    cr_assert_eq(w.too_early, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(retry, R19_retries_back_off_exponentially, .timeout = 60)
{
    not_too_early((struct weft_retry){ .attempts = 5, .first_ms = 3 }, 4);
    not_too_early(
        (struct weft_retry){ .attempts = 4, .first_ms = 2, .factor = 5 }, 3);
    not_too_early((struct weft_retry){ .attempts = 2 }, 1); /* 10 ms */
    not_too_early(
        (struct weft_retry){ .attempts = 8, .first_ms = 2, .factor = 1.5 }, 7);
    not_too_early(
        (struct weft_retry){ .attempts = 8, .first_ms = 5, .factor = 1 }, 7);
    /* With twice the exponent the last would come after a minute. */
    not_too_early(
        (struct weft_retry){
            .attempts = 6, .first_ms = 1, .factor = 4, .most_ms = 100000 },
        5);
    not_too_early(
        (struct weft_retry){
            .attempts = 4, .first_ms = 20, .factor = 1.5, .jitter = 0.5 },
        3);
}

/* Without the limit the second would come after a day. */
Test(retry, R19_retries_back_off_no_longer_than_the_most, .timeout = 60)
{
    not_too_early(
        (struct weft_retry){
            .attempts = 4, .first_ms = 10, .factor = 1e7, .most_ms = 12 },
        3);
}

/* All fail at about one time; with jitter they come back in another order. */
static unsigned overtaken(double jitter)
{
    enum { ITEMS = 64 };
    unsigned count = 0, seconds = 0;
    uint64_t order[ITEMS];
    weft_sched *sched = workers(1);

    world_init(ITEMS, 1);
    w.retry =
        (struct weft_retry){ .attempts = 2, .first_ms = 100, .jitter = jitter };
    weft_plan *plan = planned(WEFT_STOP, ITEMS, 1, false);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, ITEMS);
    cr_assert_eq(w.calls, 2 * ITEMS);
    cr_assert_eq(w.too_early, 0);
    for (unsigned i = 0; i < 2 * ITEMS; i++)
        if (w.events[i].attempt == 2)
            order[seconds++] = w.events[i].number;
    for (unsigned i = 1; i < ITEMS; i++)
        count += order[i] < order[i - 1];
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return count;
}

Test(retry, R19_retries_that_failed_together_are_spread_by_jitter,
     .timeout = 60)
{
    cr_assert(overtaken(1) >= 8); /* of 63; 31 where the order is random */
}

/* ---- meanwhile ----------------------------------------------------------- */

static unsigned place_of_event(uint64_t n, unsigned attempt)
{
    unsigned i = 0;
    while (w.events[i].number != n || w.events[i].attempt != attempt)
        i++;
    return i;
}

/* One token, one worker. Others use both while an item backs off. */
Test(retry, R19_retries_hold_neither_token_nor_worker, .timeout = 60)
{
    weft_sched *sched = workers(1);

    world_init(30, 1);
    w.some = true;
    w.retry = (struct weft_retry){ .attempts = 2, .first_ms = 300 };
    weft_plan *plan = planned(WEFT_STOP, 30, 1, false);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, 30);
    cr_assert_eq(w.calls, 40);
    cr_assert(place_of_event(1, 1) < place_of_event(0, 2));
    cr_assert(place_of_event(3, 1) < place_of_event(0, 2));
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* If somebody waited with each, one would follow the other. */
Test(retry, R19_retries_of_many_wait_side_by_side, .timeout = 60)
{
    unsigned waiting = 0, most = 0;
    weft_sched *sched = workers(1);

    world_init(MOST, 1);
    w.retry = (struct weft_retry){ .attempts = 2, .first_ms = 400 };
    weft_plan *plan = planned(WEFT_STOP, MOST, 1, false);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, MOST);
    cr_assert_eq(w.calls, 2 * MOST);
    for (unsigned i = 0; i < 2 * MOST; i++) {
        waiting += w.events[i].attempt == 1 ? 1u : -1u;
        most = waiting > most ? waiting : most;
    }
    cr_assert(most >=
              MOST / 2); /* all of them, on a machine that is not busy */
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(retry, R19_retries_keep_the_order, .timeout = 60)
{
    weft_sched *sched = workers(3);
    void *item;

    world_init(300, 2);
    w.some = true;
    w.retry = (struct weft_retry){ .attempts = 3, .first_ms = 1, .jitter = 1 };
    weft_plan *plan = planned(WEFT_STOP, 16, 4, true);
    struct weft_run *run = started(sched, plan);
    for (uint64_t n = 0; n < 300; n++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        cr_assert_eq(number_of(item), n);
        cr_assert_eq(weft_item_attempt(item), 1); /* of what it is in now */
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* What backs off when the run is stopped makes no further attempt. */
Test(retry, R19_retries_end_with_the_run, .timeout = 30)
{
    weft_sched *sched = workers(2);

    world_init(16, 9);
    w.retry = (struct weft_retry){ .attempts = 3,
                                   .first_ms = 1000000,
                                   .most_ms = 1000000 };
    weft_plan *plan = planned(WEFT_STOP, 16, 16, false);
    struct weft_run *run = started(sched, plan);
    UNTIL(load_relaxed(&w.calls) == 16);
    weft_cancel(run);
    struct weft_flow f = ended(run, -ECANCELED);
    cr_assert_eq(f.cancelled, f.fed);
    cr_assert_eq(w.calls, 16);
    cr_assert_eq(w.told, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static _Atomic bool over;

static int fail_when_it_is_over(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&w.calls, 1u);
    UNTIL(load_relaxed(&over));
    return -EAGAIN;
}

/* An attempt that fails when the run has been stopped is not the last one that
 * the item had: it is cancelled, and nobody is told of a failure. */
Test(retry, R19_retries_that_a_stop_prevents_are_no_failures, .timeout = 30)
{
    weft_sched *sched = workers(1);

    world_init(1, 0);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .on_failure = note_failure,
                    .items = { .bytes = sizeof(uint64_t) }));
    weft_source(p, "numbers", number, &w.numbers);
    weft_stage(p, weft_config(stage, .name = "try", .fn = fail_when_it_is_over,
                              .retry = { .attempts = 2 }));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    UNTIL(load_relaxed(&w.calls) == 1);
    weft_cancel(run);
    store_relaxed(&over, true);
    struct weft_flow f = ended(run, -ECANCELED);
    cr_assert_eq(f.cancelled, 1);
    cr_assert_eq(f.failed, 0);
    cr_assert_eq(w.calls, 1);
    cr_assert_eq(w.told, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
