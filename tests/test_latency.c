/* test_latency.c: who has a latency beside the stages: sources, merges, the
 * consumer, and limits.
 *
 * Each waits, or is held, for a known time: what is told is not less. And it is
 * the same as what is added up, where that is of one item. */
#include "graph/claim.h"
#include "tests/flows.h"
#include "tests/stands.h"

enum { NAP_MS = 20 };

#define MS ((uint64_t)1000000)

/* A clock may be read a little before, or after, what it is read for. */
static const uint64_t napped = NAP_MS * (uint64_t)990000;

static void rest(void) { usleep(NAP_MS * 1000); }

static bool is_zero(struct weft_latency l)
{
    return !l.p50_ns && !l.p90_ns && !l.p99_ns && !l.max_ns;
}

static bool are_same(struct weft_latency a, struct weft_latency b)
{
    return a.p50_ns == b.p50_ns && a.p90_ns == b.p90_ns &&
           a.p99_ns == b.p99_ns && a.max_ns == b.max_ns;
}

static void destroy(struct stand *s)
{
    weft_run_destroy(s->run);
    weft_plan_destroy(s->plan);
    weft_sched_destroy(s->sched);
}

static void over(struct stand *s)
{
    cr_assert_eq(weft_wait(s->run, -1, NULL), 0);
}

static struct weft_sink_stats sink_of(struct weft_run *run)
{
    struct weft_sink_stats s;
    cr_assert_eq(weft_run_sink(run, &s), 0);
    return s;
}

static void take(struct weft_run *run, void **item)
{
    cr_assert_eq(weft_next(run, item, -1, NULL), 1);
}

/* ---- sources ------------------------------------------------------------- */

static int rest_and_make(weft_worker *self, void *item, void *shelf)
{
    rest();
    return make(self, item, shelf);
}

/* A source of three items, which wait for the only slot while each is held.
 * What it is called for, it is called for by a worker or a thread of its own.
 */
static struct weft_stage_stats of_a_source(enum weft_kind kind)
{
    struct shelf shelf = { .end = 3 };
    weft_pipeline *p = drawing(1);
    void *item;

    weft_source_with(p, weft_config(source, .name = "make", .fn = rest_and_make,
                                    .ctx = &shelf, .kind = kind));
    weft_consumer(p, WEFT_ANY);
    struct stand s = start(p, 1);
    for (int i = 0; i < 3; i++) {
        take(s.run, &item);
        for (int k = 0; k < 5; k++)
            rest();
        weft_release(item);
    }
    over(&s);
    struct weft_stage_stats made = stage_of(s.run, "make");
    destroy(&s);
    return made;
}

Test(latency, a_sources_is_from_its_call_until_the_item_flows)
{
    const enum weft_kind kinds[] = { WEFT_CPU, WEFT_BLOCKING, WEFT_PINNED };

    for (unsigned i = 0; i < 3; i++) {
        struct weft_stage_stats made = of_a_source(kinds[i]);
        cr_assert_eq(made.done, 3);
        cr_assert(made.output_wait_ns >= 10 * napped);
        cr_assert(made.latency.p50_ns >= napped);
        /* Not its wait for a slot; for a worker, when it is back, it is. */
        cr_assert(made.latency.max_ns <= made.run_ns + made.ready_wait_ns);
    }
}

static int rest_here(weft_worker *self, void *item, void *ctx)
{
    rest();
    return 0;
}

/* The only worker is elsewhere for most of the time. */
Test(latency, a_sources_is_not_that_of_waiting_to_be_called)
{
    struct shelf shelf = { .end = 3 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "rest", .fn = rest_here));
    struct stand s = start(p, 1);
    over(&s);
    struct weft_stage_stats made = stage_of(s.run, "make");
    cr_assert(made.ready_wait_ns >= 2 * napped);
    cr_assert(made.latency.max_ns <= made.run_ns);
    destroy(&s);
}

/* It makes one item, which is completed later. */
static int keep_one(weft_worker *self, void *item, void *ctx)
{
    struct shelf *s = ctx;
    return s->made++ ? WEFT_END : keep(self, item, ctx);
}

Test(latency, a_pending_sources_is_until_the_completion)
{
    struct shelf shelf = { .end = 1 };
    weft_pipeline *p = drawing(2);

    weft_source(p, "make", keep_one, &shelf);
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    struct stand s = start(p, 1);
    UNTIL(load_acquire(&shelf.item[0]));
    rest();
    let_go(&shelf, 0);
    over(&s);
    struct weft_stage_stats made = stage_of(s.run, "make");
    cr_assert(made.latency.p50_ns >= napped);
    cr_assert(made.latency.max_ns >= made.pending_wait_ns);
    destroy(&s);
}

Test(latency, who_feeds_from_outside_has_none)
{
    weft_pipeline *p = drawing(1);
    void *item;

    weft_source_fed(p, "in");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    struct stand s = start(p, 1);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(weft_reserve(s.run, NULL, &item, -1, NULL), 0);
        weft_feed(item);
    }
    cr_assert_eq(weft_feed_end(s.run, NULL, NULL), 0);
    over(&s);
    struct weft_stage_stats in = stage_of(s.run, "in");
    cr_assert_eq(in.done, 3);
    cr_assert(is_zero(in.latency));
    destroy(&s);
}

/* ---- merges -------------------------------------------------------------- */

Test(latency, a_merges_is_how_long_an_item_waited_to_be_moved)
{
    struct shelf shelf = { .end = 3 }, kept = { .from = 0, .to = 0 };
    weft_pipeline *p = drawing(1), *only = drawing(4);
    const struct weft_path input = { .stages = only };

    weft_source(only, "make", make, &shelf);
    weft_merge(p, weft_config(merge, .name = "both", .inputs = &input,
                              .input_count = 1));
    weft_stage(
        p, weft_config(stage, .name = "after", .fn = pass_some, .ctx = &kept));
    weft_pipeline_destroy(only);
    struct stand s = start(p, 2);
    UNTIL(stage_of(s.run, "both").waiting == 2);
    rest();
    let_go(&kept, 0);
    over(&s);
    struct weft_stage_stats both = stage_of(s.run, "both");
    cr_assert(both.latency.p50_ns >= napped); /* two of three */
    cr_assert(both.latency.max_ns <= both.output_wait_ns);
    cr_assert(both.latency.max_ns >= both.output_wait_ns / 3);
    destroy(&s);
}

/* ---- the consumer -------------------------------------------------------- */

Test(latency, the_consumers_are_of_being_ready_and_of_being_held)
{
    struct shelf shelf = { .end = 3 };
    weft_pipeline *p = drawing(4);
    void *item[3];

    weft_source(p, "make", make, &shelf);
    weft_consumer(p, WEFT_INPUT);
    struct stand s = start(p, 1);
    UNTIL(sink_of(s.run).ready == 3);
    rest();
    for (int i = 0; i < 3; i++)
        take(s.run, &item[i]);
    struct weft_sink_stats sink = sink_of(s.run);
    cr_assert(sink.ready_latency.p50_ns >= napped);
    cr_assert(sink.ready_latency.max_ns >= sink.ready_ns / 3);
    cr_assert(sink.ready_latency.max_ns <= sink.ready_ns);
    cr_assert(is_zero(sink.borrowed_latency)); /* none was released */
    rest();
    for (int i = 0; i < 3; i++)
        weft_release(item[i]);
    over(&s);
    sink = sink_of(s.run);
    cr_assert(sink.borrowed_latency.p50_ns >= napped);
    cr_assert(sink.borrowed_latency.max_ns >= sink.borrowed_ns / 3);
    cr_assert(sink.borrowed_latency.max_ns <= sink.borrowed_ns);
    struct weft_stage_stats stage = stage_of(s.run, "consumer");
    cr_assert(are_same(stage.latency, sink.ready_latency));
    destroy(&s);
}

static int end_epochs(weft_worker *self, void *item, void *epochs)
{
    return (*(unsigned *)epochs)-- ? WEFT_EPOCH : WEFT_END;
}

Test(latency, the_end_of_an_epoch_is_no_item_that_waits)
{
    unsigned epochs = 3;
    weft_pipeline *p = drawing(4);
    void *item;

    weft_source(p, "make", end_epochs, &epochs);
    weft_consumer(p, WEFT_ANY);
    struct stand s = start(p, 1);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(weft_next(s.run, &item, -1, NULL), WEFT_EPOCH);
    over(&s);
    struct weft_sink_stats sink = sink_of(s.run);
    struct weft_stage_stats made = stage_of(s.run, "make");
    cr_assert(is_zero(sink.ready_latency));
    cr_assert(is_zero(sink.borrowed_latency));
    cr_assert(is_zero(made.latency));
    destroy(&s);
}

/* ---- limits -------------------------------------------------------------- */

struct asker {
    struct task task;
    struct claim claim;
};

static _Atomic unsigned served;

static struct task *serve(weft_worker *self, struct task *task)
{
    add_release(&served, 1); /* for what is on the stack of the test */
    return NULL;
}

static bool ask(struct asker *a, weft_sched *sched, const struct weft_use *uses,
                unsigned count)
{
    *a = (struct asker){ .task = { serve, NULL } };
    return wf_claim_take(&a->claim, uses, count, sched, &a->task);
}

static weft_limit *limit_of(unsigned tokens)
{
    weft_limit *l = NULL;
    struct weft_limit_config *config =
        weft_config(limit, .name = "limit", .tokens = tokens);
    cr_assert_eq(weft_limit_create(&l, config, NULL), 0);
    store_relaxed(&served, 0);
    return l;
}

static struct weft_limit_stats stats_of(weft_limit *l)
{
    struct weft_limit_stats s;
    weft_limit_stats(l, &s);
    return s;
}

/* What one request waited, and held, is also what is added up. */
Test(latency, a_limits_are_of_waiting_for_a_grant_and_of_holding_it)
{
    weft_limit *limit = limit_of(3);
    const struct weft_use all = { limit, 3 };
    weft_sched *sched = workers(1);
    struct asker a, b;

    cr_assert(ask(&a, sched, &all, 1));
    cr_assert(is_zero(stats_of(limit).wait_latency));
    cr_assert(!ask(&b, sched, &all, 1));
    rest();
    cr_assert(is_zero(stats_of(limit).wait_latency)); /* not granted */
    cr_assert(is_zero(stats_of(limit).hold_latency));
    wf_claim_give(&a.claim);
    struct weft_limit_stats s = stats_of(limit);
    cr_assert(s.wait_latency.max_ns >= NAP_MS * MS);
    cr_assert_eq(s.wait_latency.max_ns, s.wait_ns);
    cr_assert_eq(s.wait_latency.p50_ns, s.wait_ns); /* the longer of two */
    cr_assert(s.hold_latency.p50_ns >= NAP_MS * MS);
    uint64_t first = s.hold_latency.max_ns;
    for (int i = 0; i < 2; i++)
        rest();
    wf_claim_give(&b.claim);
    s = stats_of(limit);
    cr_assert(s.hold_latency.max_ns >= 2 * NAP_MS * MS);
    cr_assert_eq(s.busy_ns, 3 * (first + s.hold_latency.max_ns));

    for (int i = 0; i < 2; i++) {
        cr_assert(ask(&a, sched, &all, 1));
        wf_claim_give(&a.claim);
    }
    s = stats_of(limit);
    cr_assert_eq(s.wait_latency.p50_ns, 0); /* three of four did not wait */
    cr_assert_eq(s.wait_latency.p99_ns, s.wait_ns);
    cr_assert_eq(s.wait_latency.max_ns, s.wait_ns);
    UNTIL(load_acquire(&served) == 1);
    weft_sched_destroy(sched);
    weft_limit_destroy(limit);
}

/* Those that come fast are not all timed; those after them are. */
Test(latency, a_limit_times_every_request_again_after_a_pause)
{
    weft_limit *limit = limit_of(1);
    const struct weft_use one = { limit, 1 };
    weft_sched *sched = workers(1);
    struct asker a;
    enum { FAST = 1000, SLOW = 3 };

    for (int i = 0; i < FAST; i++) {
        cr_assert(ask(&a, sched, &one, 1));
        wf_claim_give(&a.claim);
    }
    rest();
    uint64_t before = stats_of(limit).busy_ns;
    for (int i = 0; i < SLOW; i++) {
        cr_assert(ask(&a, sched, &one, 1));
        rest();
        wf_claim_give(&a.claim);
    }
    struct weft_limit_stats s = stats_of(limit);
    cr_assert_eq(s.granted, FAST + SLOW);
    cr_assert(s.busy_ns - before >= SLOW * NAP_MS * MS);
    cr_assert(s.hold_latency.max_ns >= NAP_MS * MS);
    cr_assert(s.hold_latency.p50_ns < NAP_MS * MS);
    cr_assert_eq(s.wait_ns, 0);
    weft_sched_destroy(sched);
    weft_limit_destroy(limit);
}

/* It waits at the limit when its stage's own token is there for it. */
Test(latency, a_limits_wait_begins_with_the_stages_token)
{
    weft_limit *limit = limit_of(1);
    struct weft_limit own;
    weft_sched *sched = workers(1);
    struct asker a, b, other;
    const struct weft_use uses[] = { { &own, 1 }, { limit, 1 } };

    wf_named_limit_init(&own, "stage", 1);
    cr_assert(ask(&a, sched, uses, 2));
    cr_assert(!ask(&b, sched, uses, 2)); /* for its stage's */
    rest();
    wf_claim_give(&a.claim); /* which it gets with the limit's */
    cr_assert(is_zero(stats_of(limit).wait_latency));
    cr_assert(is_zero(stats_of(&own).wait_latency)); /* its stage has them */
    cr_assert(stats_of(&own).wait_ns >= NAP_MS * MS);
    cr_assert(!ask(&other, sched, &uses[1], 1));
    rest();
    wf_claim_give(&b.claim);
    wf_claim_give(&other.claim);
    struct weft_limit_stats s = stats_of(limit);
    cr_assert(s.wait_latency.max_ns >= NAP_MS * MS);
    cr_assert_eq(s.wait_latency.max_ns, s.wait_ns);
    cr_assert_eq(s.wait_latency.p50_ns, 0);
    UNTIL(load_acquire(&served) == 2);
    weft_sched_destroy(sched);
    weft_limit_destroy(limit);
}

Test(latency, who_gave_up_waiting_was_not_granted)
{
    weft_limit *limit = limit_of(1);
    const struct weft_use one = { limit, 1 };
    weft_sched *sched = workers(1);
    struct asker a, b;

    cr_assert(ask(&a, sched, &one, 1));
    cr_assert(!ask(&b, sched, &one, 1));
    rest();
    wf_claim_hurry(&b.claim);
    wf_claim_give(&b.claim);
    struct weft_limit_stats s = stats_of(limit);
    cr_assert(s.wait_ns >= NAP_MS * MS);
    cr_assert(is_zero(s.wait_latency));
    cr_assert(is_zero(s.hold_latency));
    wf_claim_give(&a.claim);
    UNTIL(load_acquire(&served) == 1);
    weft_sched_destroy(sched);
    weft_limit_destroy(limit);
}

/* Two items may be in the stage, but for the limit. */
Test(latency, a_limits_are_of_the_items_that_took_of_it)
{
    weft_limit *limit = limit_of(1);
    const struct weft_use use = { .limit = limit };
    struct shelf shelf = { .end = 2 };
    weft_pipeline *p = drawing(2);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "copy", .fn = keep, .ctx = &shelf,
                              .tokens = 2, .uses = &use, .use_count = 1));
    struct stand s = start(p, 1);
    UNTIL(stats_of(limit).waiting == 1);
    rest();
    for (unsigned i = 0; i < 2; i++)
        let_go(&shelf, i);
    over(&s);
    struct weft_limit_stats stats = stats_of(limit);
    cr_assert_eq(stats.granted, 2);
    cr_assert(stats.wait_latency.p50_ns >= NAP_MS * MS);
    cr_assert_eq(stats.wait_latency.max_ns, stats.wait_ns);
    cr_assert(stats.hold_latency.max_ns >= NAP_MS * MS);
    cr_assert(stats.hold_latency.max_ns < stats.busy_ns);
    destroy(&s);
    weft_limit_destroy(limit);
}
