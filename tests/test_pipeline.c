/* test_pipeline.c: graph/pipeline.c, flow.c, feed.c, segment.c, failure.c and
 * consumer.c, through the public API. */
#include <pthread.h>
#include <unistd.h>

#include "tests/runs.h"

struct number {
    uint64_t value;
    int resets;
};

struct counter {
    uint64_t next, end; /* of the source */
    int fails_with;     /* instead of the end */
};

static int give(weft_worker *self, void *item, void *ctx)
{
    struct counter *c = ctx;
    if (c->next == c->end)
        return c->fails_with ? c->fails_with : WEFT_END;
    ((struct number *)item)->value = c->next++;
    return 0;
}

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static struct weft_flow flow_of(struct weft_run *run, unsigned segment)
{
    struct weft_flow f;
    cr_assert_eq(weft_run_flow(run, segment, &f), 0);
    return f;
}

static void assert_balanced(struct weft_flow f)
{
    cr_assert_eq(f.fed, f.delivered + f.filtered + f.failed + f.cancelled +
                            f.in_flight);
    cr_assert(f.in_flight <= f.slots);
}

/* ---- mistakes ---------------------------------------------------------- */

static void assert_mistake(weft_pipeline *p, const char *sentence)
{
    weft_plan *plan = NULL;
    weft_error why;
    cr_assert_eq(weft_pipeline_compile(&plan, p, &why), -EINVAL);
    cr_assert_eq(strcmp(why.text, sentence), 0);
    cr_assert_eq(plan, NULL);
    weft_pipeline_destroy(p);
}

Test(pipeline, mistakes_of_the_drawing_are_sentences)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    assert_mistake(p, "the pipeline has no source");

    p = weft_pipeline_create(NULL);
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass));
    assert_mistake(p, "'a' has no source before it");

    p = weft_pipeline_create(NULL);
    weft_source(p, "s", pass, NULL);
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass));
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass));
    assert_mistake(p, "two stages are called 'a'");

    p = weft_pipeline_create(NULL);
    weft_source(p, "s", pass, NULL);
    weft_consumer(p, WEFT_ANY);
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass));
    assert_mistake(p, "'a' comes after the consumer, which is the end");

    p = weft_pipeline_create(NULL);
    weft_source(p, "s", pass, NULL);
    weft_stage(p, weft_config(stage, .name = "a"));
    assert_mistake(p, "'a' has no function");
}

/* ---- order and tokens -------------------------------------------------- */

struct gauge {
    _Atomic unsigned now, most;
    _Atomic uint64_t calls;
    unsigned spin;
};

static int measure(weft_worker *self, void *item, void *ctx)
{
    struct gauge *g = ctx;
    unsigned now = add_relaxed(&g->now, 1) + 1, most = load_relaxed(&g->most);
    while (now > most && !cas_relaxed(&g->most, &most, now))
        ;
    add_relaxed(&g->calls, 1);
    uint64_t value = ((struct number *)item)->value;
    for (volatile unsigned i = 0; i < value * 7 % (g->spin + 1); i++)
        ;
    atomic_fetch_sub(&g->now, 1);
    return 0;
}

struct order {
    uint64_t next;
    uint64_t seen;
};

static int in_order(weft_worker *self, void *item, void *ctx)
{
    struct order *o = ctx;
    uint64_t value = ((struct number *)item)->value;
    if (value < o->next)
        return -EPROTO;
    o->next = value + 1;
    o->seen++;
    return 0;
}

/* The gauge is plain memory: more than one at a time is a race for TSan too. */
static void concurrency(unsigned tokens, enum weft_order order, uint64_t items)
{
    struct counter source = { .end = items };
    struct gauge gauge = { .spin = 40 };
    struct weft_run *run;
    struct weft_stage_stats stats;
    weft_sched *sched = workers(8);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 32 }));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "measure", .fn = measure,
                              .ctx = &gauge, .tokens = tokens, .order = order));
    weft_plan *plan = pipeline_plan(p);

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_stage(run, 1, &stats), 0);
    cr_assert_eq(stats.done, items);
    cr_assert_eq(gauge.calls, items);
    cr_assert_eq(stats.running, 0);
    cr_assert(gauge.most <= tokens);
    cr_assert(stats.peak <= tokens);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(pipeline, R12_tokens_are_never_exceeded, .timeout = 300)
{
    const unsigned tokens[] = { 1, 2, 3, 8 };
    for (int i = 0; i < 4; i++) {
        concurrency(tokens[i], WEFT_ANY, TIMES(1000000, 10000));
        concurrency(tokens[i], WEFT_INPUT, TIMES(1000000, 10000));
    }
}

/* Everybody who is in the stage waits, pending, until `tokens` are: so the test
 * ends only if that many do get in at one time, with however few workers. */
struct meeting {
    pthread_mutex_t lock;
    void *here[8];
    unsigned count, tokens, most;
};

static int meet(weft_worker *self, void *item, void *ctx)
{
    struct meeting *m = ctx;
    void *all[8];
    unsigned n = 0;

    pthread_mutex_lock(&m->lock);
    m->here[m->count++] = item;
    if (m->count > m->most)
        m->most = m->count;
    if (m->count == m->tokens) {
        n = m->count;
        memcpy(all, m->here, sizeof all);
        m->count = 0;
    }
    pthread_mutex_unlock(&m->lock);
    for (unsigned i = 0; i < n; i++)
        weft_complete(self, all[i], 0);
    return WEFT_PENDING;
}

static void reached(unsigned tokens, enum weft_order order, unsigned count)
{
    struct meeting m = { .tokens = tokens };
    struct counter source = { .end = 1000 * tokens };
    weft_sched *sched = workers(count);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 16 }));
    pthread_mutex_init(&m.lock, NULL);
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "meet", .fn = meet, .ctx = &m,
                              .tokens = tokens, .order = order));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, NULL), 0);
    cr_assert_eq(m.most, tokens);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    pthread_mutex_destroy(&m.lock);
}

Test(pipeline, R12_tokens_are_reached_in_every_order, .timeout = 60)
{
    const unsigned tokens[] = { 1, 2, 3, 8 };
    for (int i = 0; i < 4; i++)
        for (unsigned n = 1; n <= 2; n++) {
            reached(tokens[i], WEFT_ANY, n);
            reached(tokens[i], WEFT_INPUT, n);
        }
}

static int fail_or_filter(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = ((struct number *)item)->value;
    for (volatile unsigned i = 0; i < value * 31 % 97; i++)
        ;
    return value % 100 == 17 ? -EIO : value % 100 == 40 ? WEFT_FILTER : 0;
}

Test(pipeline, ordered_stages_keep_the_order_around_holes, .timeout = 300)
{
    enum { N = TIMES(1000000, 10000) };
    struct counter source = { .end = N };
    struct order order = { 0 }, second = { 0 };
    struct weft_run *run;
    weft_sched *sched = workers(4);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 24 },
        .failures = { .policy = WEFT_SKIP }));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "holes", .fn = fail_or_filter,
                              .tokens = 4));
    weft_stage(p, weft_config(stage, .name = "order", .fn = in_order,
                              .ctx = &order, .tokens = 1, .order = WEFT_INPUT));
    weft_stage(p, weft_config(stage, .name = "mix", .fn = pass));
    weft_stage(p,
               weft_config(stage, .name = "again", .fn = in_order,
                           .ctx = &second, .tokens = 1, .order = WEFT_INPUT));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    struct weft_flow f = flow_of(run, 0);
    assert_balanced(f);
    cr_assert_eq(f.failed, N / 100);
    cr_assert_eq(f.filtered, N / 100);
    cr_assert_eq(order.seen, f.delivered);
    cr_assert_eq(second.seen, f.delivered);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- a full buffer ----------------------------------------------------- */

/* Two workers at a time, or it hangs. */
static int both(weft_worker *self, void *item, void *ctx)
{
    pthread_barrier_wait(ctx);
    return 0;
}

Test(pipeline, R15_a_full_buffer_stops_admission_never_a_worker, .timeout = 60)
{
    struct counter stalled_source = { .end = 1000 }, source = { .end = 4000 };
    pthread_barrier_t pair;
    struct weft_run *stalled, *run;
    void *item;
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 1 }));
    weft_source(p, "numbers", give, &stalled_source);
    const char *names[] = { "1", "2", "3", "4", "5", "6", "7", "8" };
    for (int i = 0; i < 8; i++)
        weft_stage(
            p, weft_config(stage, .name = names[i], .fn = pass, .tokens = 1));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *stalled_plan = pipeline_plan(p);

    p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 4 }));
    pthread_barrier_init(&pair, NULL, 2);
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "both", .fn = both, .ctx = &pair));
    weft_plan *plan = pipeline_plan(p);

    cr_assert_eq(weft_start(&stalled, sched, stalled_plan, NULL), 0);
    while (flow_of(stalled, 0).in_flight < 1)
        usleep(100);
    usleep(10000); /* the consumer sleeps: nothing more can be admitted */
    cr_assert_eq(flow_of(stalled, 0).fed, 1);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, 4000);
    cr_assert_eq(flow_of(stalled, 0).fed, 1);
    for (uint64_t i = 0; i < 1000; i++) {
        cr_assert_eq(weft_next(stalled, &item, -1, NULL), 1);
        cr_assert_eq(((struct number *)item)->value, i);
        weft_release(item);
    }
    cr_assert_eq(weft_next(stalled, &item, -1, NULL), 0);
    weft_run_destroy(stalled);
    weft_run_destroy(run);
    weft_plan_destroy(stalled_plan);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    pthread_barrier_destroy(&pair);
}

/* ---- no shape deadlocks ------------------------------------------------ */

Test(pipeline, R16_four_stages_one_worker_buffers_of_one, .timeout = 60)
{
    struct counter source = { .end = 10000 };
    struct order order = { 0 };
    weft_sched *sched = workers(1);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 1 }));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass));
    weft_stage(p, weft_config(stage, .name = "b", .fn = in_order, .ctx = &order,
                              .tokens = 1, .order = WEFT_INPUT));
    weft_stage(p, weft_config(stage, .name = "c", .fn = pass));
    weft_stage(p, weft_config(stage, .name = "d", .fn = pass, .tokens = 1));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, NULL), 0);
    cr_assert_eq(order.seen, 10000);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- failures ---------------------------------------------------------- */

Test(pipeline, R20_a_source_error_comes_once_after_the_good_items)
{
    struct counter source = { .end = 10, .fails_with = -EIO };
    struct weft_run *run;
    weft_error why;
    void *item;
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct number) }));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    for (uint64_t i = 0; i < 10; i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        cr_assert_eq(((struct number *)item)->value, i);
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "source 'numbers' failed on item 10, attempt "
                                  "1: EIO: Input/output error"),
                 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), -EIO);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int fail_at_17(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = ((struct number *)item)->value;
    return value == 17 ? weft_fail(item, -EBADMSG, "%d is no good", 17) : 0;
}

static int pend(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, 0);
    return WEFT_PENDING;
}

Test(pipeline, R20_a_stage_error_comes_after_all_items_before_it)
{
    struct counter source = { .end = 1000 };
    struct weft_run *run;
    weft_error why;
    void *item;
    weft_sched *sched = workers(4);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 8 }));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "check", .fn = fail_at_17));
    weft_stage(p, weft_config(stage, .name = "slow", .fn = pend, .tokens = 1));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    uint64_t next = 0;
    int rc;
    for (; (rc = weft_next(run, &item, -1, &why)) == 1; weft_release(item)) {
        uint64_t value = ((struct number *)item)->value;
        cr_assert(value >= next && value != 17);
        if (next < 17)
            cr_assert_eq(value, next);
        next = value + 1;
    }
    cr_assert(next >= 17);
    cr_assert_eq(rc, -EBADMSG);
    cr_assert_eq(strcmp(why.text, "stage 'check' failed on item 17, attempt 1: "
                                  "EBADMSG: 17 is no good"),
                 0);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

struct report {
    _Atomic unsigned count;
    _Atomic uint64_t last;
};

static void report(const struct weft_failure *f, void *item, void *ctx)
{
    struct report *r = ctx;
    cr_assert_eq(f->attempt, 1);
    cr_assert_eq(f->item, ((struct number *)item)->value);
    add_relaxed(&r->count, 1);
    store_relaxed(&r->last, f->item);
}

static int fail_odd(weft_worker *self, void *item, void *ctx)
{
    return ((struct number *)item)->value % 2 ? -EINVAL : 0;
}

Test(pipeline, at_most_n_failures_then_the_run_stops)
{
    struct counter source = { .end = 100 };
    struct report reports = { 0 };
    struct weft_run *run;
    void *item;
    weft_sched *sched = workers(1);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 1 },
        .failures = { .policy = WEFT_AT_MOST, .most = 3 }, .on_failure = report,
        .ctx = &reports));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "odd", .fn = fail_odd));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    for (uint64_t i = 0; i <= 6; i += 2) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        cr_assert_eq(((struct number *)item)->value, i);
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), -EINVAL);
    cr_assert_eq(reports.count, 4);
    cr_assert_eq(reports.last, 7);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(pipeline, a_failure_gives_its_token_back, .timeout = 30)
{
    struct counter source = { .end = 1000 };
    struct weft_run *run;
    struct weft_stage_stats stats;
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 8 },
        .failures = { .policy = WEFT_SKIP }));
    weft_source(p, "numbers", give, &source);
    weft_stage(p,
               weft_config(stage, .name = "odd", .fn = fail_odd, .tokens = 1));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, 20000, NULL), 0);
    cr_assert_eq(flow_of(run, 0).failed, 500);
    cr_assert_eq(weft_run_stage(run, 1, &stats), 0);
    cr_assert_eq(stats.running, 0);
    cr_assert_eq(stats.failed, 500);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
