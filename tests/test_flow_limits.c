/* test_flow_limits.c: stages that take of named limits: graph/claim.c as seen
 * from pipelines. What is in use is counted in the stages themselves. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "sched/sched.h"
#include "tests/flows.h"

enum { SLOTS = 32 };

static weft_limit *limit_of(const char *name, unsigned tokens)
{
    weft_limit *l = NULL;
    cr_assert_eq(
        weft_limit_create(
            &l, weft_config(limit, .name = name, .tokens = tokens), NULL),
        0);
    return l;
}

static struct weft_limit_stats stats_of(weft_limit *l)
{
    struct weft_limit_stats s;
    weft_limit_stats(l, &s);
    return s;
}

/* All tokens are back. */
static void destroyed(weft_limit *l, unsigned peak, uint64_t granted)
{
    struct weft_limit_stats s = stats_of(l);
    cr_assert_eq(s.in_use, 0);
    cr_assert_eq(s.waiting, 0);
    cr_assert_eq(s.peak, peak);
    cr_assert_eq(s.granted, granted);
    weft_limit_destroy(l);
}

static weft_pipeline *draw(struct numbers *source)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .items = { .bytes = sizeof(uint64_t), .slots = SLOTS }));
    weft_source(p, "numbers", number, source);
    return p;
}

/* ---- together ---------------------------------------------------------- */

/* Items are pending until so many are, then all of them are completed. Who
 * comes when there are as many is one too many. */
struct crowd {
    pthread_mutex_t lock;
    unsigned size, count, most;
    void *items[SLOTS];
    uint64_t last, rounds, out_of_order;
};

static int gather_round(weft_worker *self, void *item, void *ctx)
{
    struct crowd *c = ctx;
    void *items[SLOTS];
    unsigned count = 0;

    pthread_mutex_lock(&c->lock);
    c->out_of_order += c->last && number_of(item) < c->last;
    c->last = number_of(item);
    c->items[c->count++] = item;
    c->most = c->count > c->most ? c->count : c->most;
    if (c->count == c->size) {
        count = c->count;
        memcpy(items, c->items, sizeof items);
        c->count = 0;
        c->rounds++;
    }
    pthread_mutex_unlock(&c->lock);
    while (count)
        weft_complete(self, items[--count], 0);
    return WEFT_PENDING;
}

/* If more than the number could be inside, more than the number would be. */
static int stay_a_while(weft_worker *self, void *item, void *ctx)
{
    enters(ctx);
    for (volatile unsigned i = number_of(item) * 7919 % 300; i; i--)
        ;
    leaves(ctx);
    return 0;
}

/* The stage has tokens of its own, and takes of limits that have as many, or
 * plenty if the stage has not. */
static void exact(unsigned tokens, enum weft_order order, unsigned own)
{
    bool by_limit = own > tokens;
    const uint64_t items = (uint64_t)tokens * TIMES(10000, 500);
    struct numbers source = { .end = items };
    struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER, .size = tokens };
    struct gauge gauge = { 0 };
    weft_limit *wide = limit_of("wide", by_limit ? tokens : 100);
    weft_limit *other = limit_of("other", by_limit ? 2 : 100);
    weft_sched *sched = workers(2);
    struct weft_use uses[] = { { wide, 1 } },
                    both[] = { { other, 1 }, { wide, 0 } };

    weft_pipeline *p = draw(&source);
    weft_stage(p, weft_config(stage, .name = "crowd", .fn = gather_round,
                              .ctx = &crowd, .order = order, .tokens = own,
                              .uses = uses, .use_count = 1));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, items);
    weft_plan_destroy(plan);
    cr_assert_eq(crowd.most, tokens);
    cr_assert_eq(crowd.rounds, items / tokens);
    if (order == WEFT_INPUT && tokens == 1)
        cr_assert_eq(crowd.out_of_order, 0);

    source = (struct numbers){ .end = items };
    p = draw(&source);
    weft_stage(p, weft_config(stage, .name = "stay", .fn = stay_a_while,
                              .ctx = &gauge, .order = order, .tokens = own,
                              .uses = both, .use_count = 2));
    plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert(stage_of(run, "stay").peak <= (by_limit ? SLOTS : tokens));
    cr_assert_eq(stage_of(run, "stay").tokens, own == WEFT_UNLIMITED ? 0 : own);
    cr_assert_eq(ended(run, 0).delivered, items);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    cr_assert_eq(gauge.calls, items);
    cr_assert(gauge.most <= tokens);
    destroyed(wide, tokens, 2 * items);
    unsigned peak = stats_of(other).peak;
    cr_assert(peak <= (by_limit ? 2 : tokens));
    destroyed(other, peak, items);
}

Test(flow_limits, R12_concurrency_is_exact_where_limits_are_taken_as_well,
     .timeout = 120)
{
    const unsigned tokens[] = { 1, 2, 3, 8 };
    for (unsigned i = 0; i < 4; i++) {
        exact(tokens[i], WEFT_ANY, tokens[i]);
        exact(tokens[i], WEFT_INPUT, tokens[i]);
    }
}

Test(flow_limits, R12_concurrency_is_exact_where_the_limit_is_narrower,
     .timeout = 120)
{
    const unsigned tokens[] = { 1, 2, 3, 8 };
    for (unsigned i = 0; i < 4; i++) {
        exact(tokens[i], WEFT_ANY, SLOTS);
        exact(tokens[i], WEFT_INPUT, SLOTS);
    }
}

Test(flow_limits, R12_concurrency_is_exact_where_only_the_limit_bounds_it,
     .timeout = 120)
{
    const unsigned tokens[] = { 1, 3 };
    for (unsigned i = 0; i < 2; i++) {
        exact(tokens[i], WEFT_ANY, WEFT_UNLIMITED);
        exact(tokens[i], WEFT_INPUT, WEFT_UNLIMITED);
    }
}

/* ---- shared ------------------------------------------------------------ */

/* What is in use of a limit, in tokens. */
struct use {
    _Atomic unsigned *in_use;
    _Atomic unsigned *most;
    unsigned tokens;
};

static void take(struct use *u)
{
    unsigned now = add_relaxed(u->in_use, u->tokens) + u->tokens;
    unsigned most = load_relaxed(u->most);
    while (now > most && !cas_relaxed(u->most, &most, now))
        ;
}

static int use(weft_worker *self, void *item, void *ctx)
{
    struct use *u = ctx;
    take(u);
    for (volatile unsigned i = number_of(item) * 7919 % 300; i; i--)
        ;
    add_relaxed(u->in_use, -u->tokens);
    return number_of(item) % 7 == 2   ? -EIO
           : number_of(item) % 7 == 4 ? WEFT_FILTER
                                      : 0;
}

static int use_pending(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, use(self, item, ctx));
    return WEFT_PENDING;
}

/* Four stages in two plans, each run twice, on two schedulers. */
Test(flow_limits, a_limit_is_shared_by_stages_plans_runs_and_schedulers,
     .timeout = 120)
{
    enum { TOKENS = 7, RUNS = 4 };
    const uint64_t items = TIMES(7000, 700);
    _Atomic unsigned in_use = 0, most = 0;
    struct use weights[] = { { &in_use, &most, 1 },
                             { &in_use, &most, 3 },
                             { &in_use, &most, 2 },
                             { &in_use, &most, 7 } };
    weft_limit *limit = limit_of("shared", TOKENS);
    weft_sched *sched[] = { workers(2), workers(1) };
    weft_plan *plan[2];
    struct weft_run *run[RUNS];
    struct numbers source[RUNS] = { { .end = 0 } };
    uint64_t delivered = 0;

    for (int i = 0; i < 2; i++) {
        weft_pipeline *p = draw(&source[i]);
        source[i].end = items;
        for (int k = 0; k < 2; k++) {
            struct use *u = &weights[2 * i + k];
            struct weft_use of = { limit, u->tokens };
            weft_stage(p,
                       weft_config(stage, .name = k ? "second" : "first",
                                   .fn = i ? use : use_pending, .ctx = u,
                                   .kind = i && k ? WEFT_BLOCKING : WEFT_CPU,
                                   .tokens = 8, .uses = &of, .use_count = 1));
        }
        plan[i] = pipeline_plan(p);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 2; i++) {
            source[i].next = 0;
            run[i] = started(sched[(i + round) % 2], plan[i]);
        }
        for (int i = 0; i < 2; i++)
            delivered += ended(run[i], 0).delivered;
    }
    for (int i = 0; i < 2; i++) {
        weft_plan_destroy(plan[i]);
        weft_sched_destroy(sched[i]);
    }
    cr_assert_eq(delivered, 4 * items / 7 * 5);
    cr_assert(most <= TOKENS);
    cr_assert_eq(in_use, 0);
    /* Seven at a time was granted; and all of the first stages' items, and five
     * of seven of them in the second. */
    destroyed(limit, TOKENS, 4 * (items + items / 7 * 5));
}

/* Two runs of one plan at one time. */
static _Atomic uint64_t dealt;

static int deal(weft_worker *self, void *item, void *ctx)
{
    uint64_t n = add_relaxed(&dealt, 1);
    *(uint64_t *)item = n;
    return n < *(uint64_t *)ctx ? 0 : WEFT_END;
}

Test(flow_limits, runs_of_one_plan_share_its_limits_and_not_its_tokens,
     .timeout = 60)
{
    uint64_t items = TIMES(20000, 2000);
    struct crowd crowd = { .lock = PTHREAD_MUTEX_INITIALIZER, .size = 3 };
    weft_limit *limit = limit_of("shared", 3);
    weft_sched *sched = workers(2);
    struct weft_use of = { limit, 1 };

    dealt = 0;
    items -= items % 3;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(uint64_t), .slots = SLOTS }));
    weft_source(p, "deal", deal, &items);
    weft_stage(p, weft_config(stage, .name = "crowd", .fn = gather_round,
                              .ctx = &crowd, .tokens = 2, .uses = &of,
                              .use_count = 1));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run[2] = { started(sched, plan), started(sched, plan) };
    uint64_t delivered = 0;
    /* Two of one run cannot fill the crowd: the other has to be in it. At the
     * end one run may have nothing more to give: then the test does. */
    for (int i = 0; i < 2; i++)
        while (weft_wait(run[i], 1, NULL) == -ETIMEDOUT) {
            if (load_relaxed(&dealt) < items)
                continue;
            pthread_mutex_lock(&crowd.lock);
            unsigned count = crowd.count;
            void *items_left[SLOTS];
            memcpy(items_left, crowd.items, sizeof items_left);
            crowd.count = 0;
            pthread_mutex_unlock(&crowd.lock);
            while (count)
                weft_complete(NULL, items_left[--count], 0);
        }
    for (int i = 0; i < 2; i++)
        delivered += ended(run[i], 0).delivered;
    cr_assert_eq(delivered, items);
    cr_assert_eq(crowd.most, 3);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    destroyed(limit, 3, items);
}

/* ---- several ----------------------------------------------------------- */

struct two {
    struct use first, second;
};

static int use_two(weft_worker *self, void *item, void *ctx)
{
    struct two *t = ctx;
    take(&t->first);
    take(&t->second);
    for (volatile unsigned i = number_of(item) * 7919 % 300; i; i--)
        ;
    add_relaxed(t->first.in_use, -t->first.tokens);
    add_relaxed(t->second.in_use, -t->second.tokens);
    return 0;
}

/* Whoever holds one and waits for the other would be waited for. */
Test(flow_limits, crossed_limits_are_taken_all_or_none, .timeout = 120)
{
    enum { KINDS = 3 };
    const uint64_t items = TIMES(10000, 1000);
    _Atomic unsigned in_use[3] = { 0 }, most[3] = { 0 };
    weft_limit *limit[3] = { limit_of("a", 1), limit_of("b", 2),
                             limit_of("c", 3) };
    weft_sched *sched = workers(2);
    weft_plan *plan[KINDS];
    struct weft_run *run[KINDS];
    struct numbers source[KINDS];
    struct two two[KINDS];

    for (unsigned i = 0; i < KINDS; i++) {
        unsigned a = i, b = (i + 1) % 3;
        struct weft_use uses[] = { { limit[a], 1 }, { limit[b], b } };
        uses[1].tokens = b ? b : 1;
        two[i] = (struct two){ { &in_use[a], &most[a], 1 },
                               { &in_use[b], &most[b], uses[1].tokens } };
        source[i] = (struct numbers){ .end = items };
        weft_pipeline *p = draw(&source[i]);
        weft_stage(p, weft_config(stage, .name = "two", .fn = use_two,
                                  .ctx = &two[i], .tokens = 4, .uses = uses,
                                  .use_count = 2,
                                  .kind = i == 1 ? WEFT_BLOCKING : WEFT_CPU));
        plan[i] = pipeline_plan(p);
    }
    for (unsigned i = 0; i < KINDS; i++)
        run[i] = started(sched, plan[i]);
    for (unsigned i = 0; i < KINDS; i++)
        cr_assert_eq(ended(run[i], 0).delivered, items);
    for (unsigned i = 0; i < KINDS; i++) {
        weft_plan_destroy(plan[i]);
        cr_assert(most[i] <= i + 1);
        cr_assert_eq(in_use[i], 0);
        destroyed(limit[i], stats_of(limit[i]).peak, 2 * items);
    }
    weft_sched_destroy(sched);
}

/* Small requests come for ever; with every fourth of them a large one waits. */
Test(flow_limits, a_wide_request_is_not_starved_by_narrow_ones, .timeout = 120)
{
    enum { TOKENS = 4, WIDE = TIMES(2000, 200) };
    _Atomic unsigned in_use = 0, most = 0;
    struct use narrow = { &in_use, &most, 1 },
               wide = { &in_use, &most, TOKENS };
    weft_limit *limit = limit_of("all", TOKENS);
    weft_sched *sched = workers(2);
    struct numbers endless = { .end = UINT64_MAX },
                   source = { .end = 7 * WIDE };
    struct weft_use one = { limit, 1 }, all = { limit, TOKENS };

    weft_pipeline *p = draw(&endless);
    weft_stage(p, weft_config(stage, .name = "narrow", .fn = use_pending,
                              .ctx = &narrow, .tokens = SLOTS, .uses = &one,
                              .use_count = 1));
    weft_plan *narrow_plan = pipeline_plan(p);
    p = draw(&source);
    weft_stage(p, weft_config(stage, .name = "wide", .fn = use, .ctx = &wide,
                              .uses = &all, .use_count = 1));
    weft_plan *wide_plan = pipeline_plan(p);
    struct weft_run *crowd = started(sched, narrow_plan);
    UNTIL(flow_of(crowd, 0).delivered > 100);
    cr_assert_eq(ended(started(sched, wide_plan), 0).delivered, 5 * WIDE);
    uint64_t before = flow_of(crowd, 0).delivered;
    UNTIL(flow_of(crowd, 0).delivered > before);
    weft_drain(crowd);
    ended(crowd, 0);
    weft_plan_destroy(narrow_plan);
    weft_plan_destroy(wide_plan);
    weft_sched_destroy(sched);
    cr_assert_eq(most, TOKENS);
    cr_assert_eq(in_use, 0);
    destroyed(limit, TOKENS, stats_of(limit).granted);
}

/* ---- given back -------------------------------------------------------- */

static int fail_twice(weft_worker *self, void *item, void *ctx)
{
    return weft_item_attempt(item) < 3 ? -EAGAIN : 0;
}

static int pend_and_count(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1u);
    return WEFT_PENDING;
}

static void let_go(void *item, void *ctx) { weft_complete(NULL, item, 0); }

/* Runs one stage that takes of a limit; cancels it when so many are in it. */
static void gives_back(struct weft_stage_config *stage, int result,
                       unsigned cancel_at, uint64_t granted)
{
    struct numbers source = { .end = 100 };
    _Atomic unsigned count = 0;
    weft_limit *limit = limit_of("mine", 3);
    struct weft_use uses[] = { { limit, 2 } };
    weft_sched *sched = workers(2);

    weft_pipeline *p = draw(&source);
    stage->size = sizeof *stage;
    stage->name = "one";
    stage->ctx = &count;
    stage->uses = uses;
    stage->use_count = 1;
    weft_stage(p, stage);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    if (cancel_at) {
        UNTIL(load_relaxed(&count) == cancel_at);
        weft_cancel(run);
    }
    ended(run, result);
    struct weft_limit_stats s = stats_of(limit);
    cr_assert_eq(s.granted < granted, 0);
    destroyed(limit, 2, s.granted);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(flow_limits, tokens_come_back_on_every_path, .timeout = 60)
{
    struct weft_retry retry = { .attempts = 3, .first_ms = 1 };

    gives_back(weft_config(stage, .fn = fail_twice, .retry = retry), 0, 0, 300);
    gives_back(weft_config(stage, .fn = fail_twice), 0, 0, 100);
    gives_back(weft_config(stage, .fn = fail_twice,
                           .failures = { .policy = WEFT_STOP }),
               -EAGAIN, 0, 1);
    gives_back(weft_config(stage, .fn = pend_and_count, .cancel = let_go,
                           .deadline_ms = 1),
               0, 0, 100);
    gives_back(weft_config(stage, .fn = pend_and_count, .cancel = let_go),
               -ECANCELED, 1, 1);
}

/* While it backs off for ever, another run takes all there are. */
Test(flow_limits, what_backs_off_holds_no_tokens, .timeout = 30)
{
    struct numbers source[2] = { { .end = 1 }, { .end = 50 } };
    weft_limit *limit = limit_of("all", 2);
    struct weft_use uses[] = { { limit, 2 } };
    weft_plan *plan[2];
    weft_sched *sched = workers(1);

    for (int i = 0; i < 2; i++) {
        weft_pipeline *p = draw(&source[i]);
        weft_stage(p, weft_config(stage, .name = "one", .fn = fail_twice,
                                  .uses = uses, .use_count = 1,
                                  .retry = { .attempts = i ? 1 : 2,
                                             .first_ms = 1000000,
                                             .most_ms = 1000000 }));
        plan[i] = pipeline_plan(p);
    }
    struct weft_run *run = started(sched, plan[0]);
    UNTIL(stage_of(run, "one").retried == 1);
    cr_assert_eq(ended(started(sched, plan[1]), 0).failed, 50);
    weft_cancel(run);
    ended(run, -ECANCELED);
    for (int i = 0; i < 2; i++)
        weft_plan_destroy(plan[i]);
    weft_sched_destroy(sched);
    destroyed(limit, 2, 1 + 50 + 1); /* cancelled only with its tokens */
}
