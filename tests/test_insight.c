/* test_insight.c: graph/insight.c and clock.c: what a run says of
 * itself at any instant adds up. */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>

#include "tests/everything.h"

enum { MOST = 32 }; /* stages and segments */

#define MS ((uint64_t)1000000)

/* ---- at every instant -------------------------------------------------- */

struct watch {
    struct weft_run *run;
    struct weft_stage_stats before[MOST];
    struct weft_flow flow_before[MOST];
    uint64_t stages;
    _Atomic unsigned looks, over;
};

static uint64_t look_at_flows(struct watch *w)
{
    struct weft_flow f;
    uint64_t in_flight = 0;
    unsigned i = 0;

    for (; weft_run_flow(w->run, i, &f) == 0; i++) {
        struct weft_flow *b = &w->flow_before[i];
        cr_assert_eq(f.fed, f.delivered + f.filtered + f.failed + f.cancelled +
                                f.in_flight);
        cr_assert(f.in_flight <= f.slots);
        cr_assert(f.fed >= b->fed && f.delivered >= b->delivered &&
                  f.filtered >= b->filtered && f.failed >= b->failed &&
                  f.cancelled >= b->cancelled);
        *b = f;
        in_flight += f.in_flight;
    }
    cr_assert_eq(i, 5);
    return in_flight;
}

static void look_at_stage(const struct weft_stage_stats *s,
                          const struct weft_stage_stats *b)
{
    cr_assert(s->in >= s->done + s->filtered + s->failed);
    cr_assert(s->in >= b->in && s->done >= b->done);
    cr_assert(s->filtered >= b->filtered && s->failed >= b->failed);
    cr_assert(s->retried >= b->retried);
    cr_assert(s->waiting <= s->in);
    cr_assert(s->peak >= b->peak);
    cr_assert(s->latency.p50_ns <= s->latency.p90_ns);
    cr_assert(s->latency.p90_ns <= s->latency.p99_ns);
    cr_assert(s->latency.p99_ns <= s->latency.max_ns);
}

static void look(struct watch *w)
{
    struct weft_stage_stats s;
    struct weft_budget_stats budget;
    struct weft_sink_stats sink;
    unsigned i = 0;

    look_at_flows(w);
    for (; weft_run_stage(w->run, i, &s) == 0; i++) {
        look_at_stage(&s, &w->before[i]);
        w->before[i] = s;
    }
    w->stages = i;
    cr_assert_eq(weft_run_budget(w->run, &budget), 0);
    cr_assert(budget.used <= budget.peak);
    cr_assert(budget.peak <= budget.budget + 1000);
    cr_assert_eq(weft_run_sink(w->run, &sink), 0);
    cr_assert(sink.taken >= sink.borrowed);
    add_relaxed(&w->looks, 1u);
}

static void *keep_looking(void *ctx)
{
    struct watch *w = ctx;
    while (!load_acquire(&w->over)) /* the run is still there */
        look(w);
    return NULL;
}

/* What the consumer holds, it holds for a while. */
static uint64_t take_all(struct weft_run *run, uint64_t most,
                         useconds_t held_us)
{
    uint64_t taken = 0;
    void *item;
    int rc;

    while (taken < most &&
           ((rc = weft_next(run, &item, -1, NULL)) == 1 || rc == WEFT_EPOCH)) {
        if (rc != 1)
            continue;
        usleep(held_us);
        weft_release(item);
        taken++;
    }
    return taken;
}

/* At the end, every item that came to a stage is accounted for there. */
static void nothing_is_left(struct watch *w, bool cancelled)
{
    uint64_t in_flight = look_at_flows(w);

    cr_assert_eq(in_flight, 0);
    cr_assert_eq(w->stages, 13);
    for (unsigned i = 0; i < w->stages && !cancelled; i++) {
        const struct weft_stage_stats *s = &w->before[i];
        cr_assert_eq(s->in, s->done + s->filtered + s->failed);
        cr_assert_eq(s->waiting, 0);
        cr_assert_eq(s->running, 0);
    }
}

static void watch_a_run(struct world *world, uint64_t cancel_after)
{
    struct watch w = { 0 };
    pthread_t thread;
    weft_sched *sched = workers(3);
    weft_plan *plan = everything(world);

    cr_assert_eq(weft_start(&w.run, sched, plan, NULL), 0);
    pthread_create(&thread, NULL, keep_looking, &w);
    while (!load_relaxed(&w.looks))
        usleep(100);
    take_all(w.run, cancel_after, 0);
    if (cancel_after != UINT64_MAX)
        weft_cancel(w.run);
    take_all(w.run, UINT64_MAX, 0);
    int rc = weft_wait(w.run, -1, NULL);
    cr_assert_eq(rc, cancel_after == UINT64_MAX ? 0 : -ECANCELED);
    store_release(&w.over, 1); /* nothing more is looked at */
    pthread_join(thread, NULL);
    look(&w);
    nothing_is_left(&w, rc != 0);
    weft_run_destroy(w.run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static weft_limit *one_token(const char *name)
{
    weft_limit *limit = NULL;
    cr_assert_eq(
        weft_limit_create(&limit, weft_config(limit, .name = name, .tokens = 1),
                          NULL),
        0);
    return limit;
}

Test(insight, R21_the_account_balances_at_every_instant, .timeout = 120)
{
    weft_limit *limit = one_token("gpu");

    for (int i = 0; i < 2; i++) {
        struct world w = { .items = TIMES(400, 60),
                           .epochs = 3,
                           .fails = true,
                           .nap_ns = 20000,
                           .limit = limit,
                           .budget = 5000,
                           .order = i ? WEFT_INPUT : WEFT_ANY };
        watch_a_run(&w, UINT64_MAX);
    }
    weft_limit_destroy(limit);
}

Test(insight, R21_the_account_balances_while_a_run_is_cancelled, .timeout = 120)
{
    weft_limit *limit = one_token("gpu");

    for (unsigned i = 0; i < TIMES(60, 10); i++) {
        struct world w = { .items = 400,
                           .epochs = 3,
                           .fails = true,
                           .nap_ns = 20000,
                           .limit = limit,
                           .budget = 5000,
                           .order = i % 2 ? WEFT_INPUT : WEFT_ANY };
        watch_a_run(&w, i);
    }
    weft_limit_destroy(limit);
}

/* ---- the split of the times -------------------------------------------- */

/* All that the items of a run waited for and were in, but for the waits that
 * are a stage's own. */
static double times_of_all(struct weft_run *run)
{
    struct weft_stage_stats s;
    struct weft_sink_stats sink;
    double sum = 0;

    for (unsigned i = 0; weft_run_stage(run, i, &s) == 0; i++) {
        bool own = !strcmp(s.name, "ia.a") || !strcmp(s.name, "ib.b");
        if (own)
            continue;
        sum += (double)(s.token_wait_ns + s.ready_wait_ns + s.run_ns +
                        s.pending_wait_ns + s.retry_wait_ns);
        if (strcmp(s.name, "batch") != 0)
            sum += (double)s.output_wait_ns;
    }
    cr_assert_eq(weft_run_sink(run, &sink), 0);
    return sum + (double)sink.borrowed_ns;
}

Test(insight, the_times_of_the_items_add_up_to_the_time_they_were_in_flight,
     .timeout = 60)
{
    for (unsigned i = 0; i < 4; i++) {
        weft_limit *limit = one_token("gpu");
        struct weft_run *run;
        struct world w = { .items = 40,
                           .epochs = 2,
                           .nap_ns = 1 * MS,
                           .limit = i & 2 ? limit : NULL,
                           .order = i & 1 ? WEFT_INPUT : WEFT_ANY };
        weft_sched *sched = workers(2);
        weft_plan *plan = everything(&w);
        cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
        take_all(run, UINT64_MAX, 2000);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        double sum = times_of_all(run), lived = (double)w.lived_ns;
        printf("in flight for %.3f s, of which %.3f s have a name\n",
               lived / 1e9, sum / 1e9);
        cr_assert_eq(w.born, w.gone);
        cr_assert(sum > 0.97 * lived);
        cr_assert(sum < 1.03 * lived);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
        weft_limit_destroy(limit);
    }
}

/* ---- who waits in vain ------------------------------------------------- */

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

struct fed {
    weft_sched *sched;
    weft_plan *plan;
    struct weft_run *run;
};

/* One slot, from a source that is fed to a consumer. */
static struct fed start_fed(void)
{
    struct fed f = { .sched = workers(1) };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 1 }));

    weft_source_fed(p, "in");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    weft_consumer(p, WEFT_ANY);
    cr_assert_eq(weft_pipeline_compile(&f.plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&f.run, f.sched, f.plan, NULL), 0);
    return f;
}

static void stop_fed(struct fed *f)
{
    void *item;
    cr_assert_eq(weft_feed_end(f->run, NULL, NULL), 0);
    cr_assert_eq(weft_next(f->run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(f->run, -1, NULL), 0);
    weft_run_destroy(f->run);
    weft_plan_destroy(f->plan);
    weft_sched_destroy(f->sched);
}

static struct weft_sink_stats sink_of(struct weft_run *run)
{
    struct weft_sink_stats s;
    cr_assert_eq(weft_run_sink(run, &s), 0);
    return s;
}

static uint64_t blocked_of(struct weft_run *run)
{
    struct weft_stage_stats s;
    cr_assert_eq(weft_run_stage(run, 0, &s), 0);
    return s.output_wait_ns;
}

static void feed_one(struct weft_run *run)
{
    void *item;
    cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
    weft_feed(item);
}

static void *next_and_release(void *ctx)
{
    void *item;
    cr_assert_eq(weft_next(ctx, &item, -1, NULL), 1);
    weft_release(item);
    return NULL;
}

/* It grows while nothing is there, whether who asked sleeps or comes back
 * later; and not while an item could be taken. */
Test(insight, a_consumer_starves_from_when_it_asks_until_an_item_comes)
{
    struct fed f = start_fed();
    pthread_t thread;
    void *item;

    usleep(20000); /* nobody has asked */
    cr_assert_eq(sink_of(f.run).starved_ns, 0);
    pthread_create(&thread, NULL, next_and_release, f.run);
    while (sink_of(f.run).starved_ns < 20 * MS)
        usleep(1000);
    feed_one(f.run);
    pthread_join(thread, NULL);
    uint64_t before = sink_of(f.run).starved_ns;
    usleep(20000);
    cr_assert_eq(sink_of(f.run).starved_ns, before);

    cr_assert_eq(weft_next(f.run, &item, 0, NULL), -ETIMEDOUT);
    while (sink_of(f.run).starved_ns < before + 20 * MS)
        usleep(1000);
    feed_one(f.run);
    while (!sink_of(f.run).ready)
        usleep(1000);
    before = sink_of(f.run).starved_ns;
    usleep(20000);
    cr_assert_eq(sink_of(f.run).starved_ns, before);
    cr_assert(sink_of(f.run).taken == 1);
    cr_assert_eq(weft_next(f.run, &item, 0, NULL), 1);
    cr_assert(sink_of(f.run).ready_ns >= 20 * MS);
    usleep(20000);
    weft_release(item);
    cr_assert(sink_of(f.run).borrowed_ns >= 20 * MS);
    stop_fed(&f);
}

static void *reserve_and_feed(void *run)
{
    feed_one(run);
    return NULL;
}

Test(insight, who_feeds_is_blocked_from_when_it_wants_a_slot_until_it_has_one)
{
    struct fed f = start_fed();
    pthread_t thread;
    void *item;

    feed_one(f.run);
    usleep(20000); /* nobody wants one */
    cr_assert_eq(blocked_of(f.run), 0);
    pthread_create(&thread, NULL, reserve_and_feed, f.run);
    while (blocked_of(f.run) < 20 * MS)
        usleep(1000);
    cr_assert_eq(weft_next(f.run, &item, -1, NULL), 1);
    weft_release(item);
    pthread_join(thread, NULL);
    uint64_t before = blocked_of(f.run);
    usleep(20000);
    cr_assert_eq(blocked_of(f.run), before);

    cr_assert_eq(weft_reserve(f.run, NULL, &item, 0, NULL), -ETIMEDOUT);
    while (blocked_of(f.run) < before + 20 * MS)
        usleep(1000);
    cr_assert_eq(weft_next(f.run, &item, -1, NULL), 1);
    weft_release(item);
    before = blocked_of(f.run);
    usleep(20000);
    cr_assert_eq(blocked_of(f.run), before);
    stop_fed(&f);
}

/* Once a run is old enough, a time that stands still is told as the same. */
Test(insight, a_time_that_stands_still_does_not_go_back)
{
    struct fed f = start_fed();
    struct weft_stage_stats a, b;
    void *item;

    feed_one(f.run);
    cr_assert_eq(weft_next(f.run, &item, -1, NULL), 1);
    weft_release(item);
    usleep(20000);
    cr_assert_eq(weft_run_stage(f.run, 1, &a), 0);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(weft_run_stage(f.run, 1, &b), 0);
        cr_assert_eq(a.run_ns, b.run_ns);
        cr_assert_eq(a.ready_wait_ns, b.ready_wait_ns);
        cr_assert_eq(a.latency.max_ns, b.latency.max_ns);
    }
    stop_fed(&f);
}
