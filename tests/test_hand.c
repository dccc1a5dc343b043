/* test_hand.c: graph/hand.c: tokens that workers keep are nobody's loss. */
#include "tests/pipes.h"
#include "tests/times.h"

static struct weft_stage_stats stats_of(struct weft_run *run, const char *name)
{
    struct weft_stage_stats s = { 0 };
    unsigned i = 0;

    do
        cr_assert_eq(weft_run_stage(run, i++, &s), 0);
    while (strcmp(s.name, name) != 0);
    return s;
}

Test(hand, what_is_kept_is_not_in_use, .timeout = 60)
{
    struct numbers source = { .end = 20 };
    struct number taken;
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(32);

    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "one", .fn = pass));
    weft_stage(p, weft_config(stage, .name = "two", .fn = pass, .tokens = 4));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    UNTIL(stats_of(run, "two").done == 20);
    UNTIL(!stats_of(run, "one").running && !stats_of(run, "two").running);
    cr_assert_eq(stats_of(run, "one").tokens, 2);
    cr_assert(stats_of(run, "one").peak <= 2);
    cr_assert(stats_of(run, "two").peak <= 4);
    while (take(run, &taken) == 1)
        ;
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Most items go through at once, and leave tokens in the workers' hands. Every
 * tenth stays, and none of these goes on before all tokens are theirs. */
struct meeting {
    pthread_mutex_t lock;
    void *here[4];
    unsigned count, tokens;
    struct gauge in;
};

static int meet_at_times(weft_worker *self, void *item, void *ctx)
{
    struct meeting *m = ctx;
    void *all[4];
    unsigned n = 0;

    if (value_of(item) % 10)
        return 0;
    gauge_in(&m->in);
    pthread_mutex_lock(&m->lock);
    m->here[m->count++] = item;
    if (m->count == m->tokens) {
        n = m->count;
        memcpy(all, m->here, sizeof all);
        m->count = 0;
    }
    pthread_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < n; i++) {
        gauge_out(&m->in);
        weft_complete(self, all[i], 0);
    }
    return WEFT_PENDING;
}

static void all_meet(unsigned tokens, unsigned count, enum weft_order order)
{
    struct meeting m = { .lock = PTHREAD_MUTEX_INITIALIZER, .tokens = tokens };
    struct numbers source = { .end = TIMES(10000, 1000) * tokens };
    weft_sched *sched = workers(count);
    weft_pipeline *p = drawing(128);

    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "before", .fn = pass));
    weft_stage(p, weft_config(stage, .name = "meet", .fn = meet_at_times,
                              .ctx = &m, .tokens = tokens, .order = order));
    weft_stage(p, weft_config(stage, .name = "after", .fn = pass));
    weft_plan *plan = pipeline_plan(p);
    ended(started(sched, plan), 0);
    cr_assert_eq(m.in.most, tokens);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(hand, who_waits_gets_what_others_keep, .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        all_meet(4, n, WEFT_ANY);
        all_meet(4, n, WEFT_INPUT);
        all_meet(n, n, WEFT_ANY);
    }
}

static void feed(struct weft_run *run, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        void *item;
        cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
        weft_feed(item);
    }
}

static int gauged(weft_worker *self, void *item, void *ctx)
{
    gauge_in(ctx);
    usleep(300);
    gauge_out(ctx);
    return 0;
}

Test(hand, nothing_is_kept_beyond_a_new_number, .timeout = 60)
{
    struct gauge in = { 0 };
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(16);

    weft_source_fed(p, "hand");
    weft_stage(p, weft_config(stage, .name = "one", .fn = gauged, .ctx = &in,
                              .tokens = 4));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    feed(run, 12);
    UNTIL(flow_of(run, 0).delivered == 12);
    cr_assert(in.most <= 2);
    cr_assert_eq(weft_set_tokens(run, "one", 1), 0);
    store_relaxed(&in.most, 0);
    feed(run, 12);
    UNTIL(flow_of(run, 0).delivered == 24);
    cr_assert_eq(in.most, 1);
    weft_drain(run);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Two tokens: PENDS has one, RUNS the other until COMES waits, which ends the
 * first. So RUNS must not keep its own when it goes on. */
enum kind { PASSES, PENDS, RUNS, COMES };

struct scene {
    _Atomic(void *) pending;
    _Atomic bool runs, somebody_waits;
};

static int play(weft_worker *self, void *item, void *ctx)
{
    struct scene *scene = ctx;

    switch ((enum kind)value_of(item)) {
    case PENDS:
        store_release(&scene->pending, item); /* for COMES */
        return WEFT_PENDING;
    case RUNS:
        store_relaxed(&scene->runs, true);
        UNTIL(load_relaxed(&scene->somebody_waits));
        return 0;
    case COMES:
        weft_complete(self, load_acquire(&scene->pending), 0); /* of PENDS */
        return 0;
    default:
        return 0;
    }
}

static void feed_one(struct weft_run *run, enum kind kind)
{
    void *item;

    cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
    *(struct number *)item = (struct number){ .value = kind };
    weft_feed(item);
}

static void play_round(struct weft_run *run, struct scene *scene)
{
    uint64_t fed = flow_of(run, 0).fed;

    store_relaxed(&scene->runs, false);
    store_relaxed(&scene->somebody_waits, false);
    store_relaxed(&scene->pending, NULL);
    feed_one(run, PENDS);
    UNTIL(load_relaxed(&scene->pending));
    feed_one(run, RUNS);
    UNTIL(load_relaxed(&scene->runs));
    feed_one(run, COMES);
    UNTIL(stats_of(run, "one").waiting == 1);
    store_relaxed(&scene->somebody_waits, true);
    UNTIL(flow_of(run, 0).delivered == fed + 3);
}

Test(hand, nothing_is_kept_while_somebody_waits, .timeout = 30)
{
    struct scene scene = { .runs = false };
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(16);

    weft_source_fed(p, "hand");
    weft_stage(p, weft_config(stage, .name = "one", .fn = play, .ctx = &scene,
                              .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "two", .fn = pass));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < TIMES(500, 50); i++) {
        feed_one(run, PASSES); /* so that "two" has a token in some hand */
        feed_one(run, PASSES);
        UNTIL(!flow_of(run, 0).in_flight);
        play_round(run, &scene);
    }
    weft_drain(run);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
