/* test_advice.c: graph/advice.c: what is said of the speed of one run: where
 * the machine sets the gain, at the end of a run, and where there is nothing to
 * say. Predictions that are followed: test_explain.c. */
#include "tests/built.h"

/* ---- workers ----------------------------------------------------------- */

/* Callbacks that need the processor; what a second one really gives is
 * printed. */
Test(advice, workers_that_compute_all_the_time_are_too_few, .timeout = 60)
{
    const struct shape before = { .workers = 1,
                                  .knots = { { SPIN, "decode", 4 } } };
    struct shape after = before;
    struct trial one = { .shape = &before, .ms = 1000 };
    struct trial two = { .shape = &after, .ms = 1000 };

    after.workers = 2;
    measure(&one);
    measure(&two);
    printf("%s\n%s: predicted %.3f, measured %.3f\n", one.advice.sentence.text,
           two.advice.sentence.text,
           one.advice.more_workers / one.advice.items_per_s,
           two.items_per_s / one.items_per_s);
    cr_assert_eq(one.advice.what, WEFT_BY_WORKERS);
    cr_assert_eq(two.advice.what, WEFT_BY_WORKERS);
    cr_assert(one.advice.more_workers > 1.9 * one.advice.items_per_s);
    cr_assert(two.advice.more_workers < 1.6 * two.advice.items_per_s);
}

Test(advice, a_serial_stage_that_computes_wants_no_worker, .timeout = 60)
{
    const struct shape shape = { .workers = 2,
                                 .knots = { { HOLD, "serial", 40, 1 } } };
    struct trial t = { .shape = &shape, .ms = 1000 };

    measure(&t);
    printf("%s\n", t.advice.sentence.text);
    cr_assert_eq(t.advice.what, WEFT_BY_STAGE);
    cr_assert(t.advice.more_workers < 1.02 * t.advice.items_per_s);
    cr_assert(t.advice.more_tokens > 1.5 * t.advice.items_per_s);
}

/* ---- performance simulation -------------------------------------------- */

/* So long do the items wait for a token of a stage, and so long are they
 * pending in it, together. */
struct split {
    double waited_ms, pending_ms, all_ms, done;
};

static struct split split_of(struct weft_run *run, unsigned stage)
{
    struct weft_stage_stats s;
    cr_assert_eq(weft_run_stage(run, stage, &s), 0);
    uint64_t all = s.token_wait_ns + s.ready_wait_ns + s.run_ns +
                   s.pending_wait_ns + s.output_wait_ns;
    return (struct split){ (double)s.token_wait_ns / 1e6,
                           (double)s.pending_wait_ns / 1e6, (double)all / 1e6,
                           (double)s.done };
}

/* One worker carries items through stages of 10, 25 and 40 ms to a consumer of
 * 30 ms, none of which needs it: 25 a second, as the slowest gives. All slots
 * are full, and nearly all of the time is waited for that one. */
Test(advice, items_flow_at_the_rate_of_the_slowest_on_one_worker, .timeout = 60)
{
    const struct shape shape = { .consumer_ms = 30,
                                 .slots = 8,
                                 .knots = { { NAP, "ten", 10, 1 },
                                            { NAP, "twenty-five", 25, 1 },
                                            { NAP, "forty", 40, 1 } } };
    const double ms[] = { 10, 25, 40 };
    struct trial t = { .shape = &shape };
    struct weft_sink_stats sink;
    pthread_t consumer;
    weft_sched *sched = loose_workers(1);
    weft_plan *plan = draw(&t);
    double start = now_s(), in_flight = 0;

    cr_assert_eq(weft_start(&t.run, sched, plan, NULL), 0);
    pthread_create(&consumer, NULL, consume, &t);
    while (delivered(t.run) < 60)
        sleep_ms(1);
    double elapsed = now_s() - start;
    struct split s[3];
    for (unsigned i = 0; i < 3; i++) {
        s[i] = split_of(t.run, i + 1);
        in_flight += s[i].all_ms;
        cr_assert(s[i].pending_ms >= ms[i] * s[i].done);
    }
    cr_assert_eq(weft_run_sink(t.run, &sink), 0);
    in_flight += (double)(sink.ready_ns + sink.borrowed_ns) / 1e6;
    in_flight /= elapsed * 1e3;
    cr_assert_eq(weft_pipeline_explain(t.run, NULL, &t.advice), 0);
    printf("%.1f items/s, %.2f in flight; they waited %.0f, %.0f and %.0f ms\n",
           60 / elapsed, in_flight, s[0].waited_ms, s[1].waited_ms,
           s[2].waited_ms);
    cr_assert(elapsed >= 60 * 0.040);
    cr_assert(in_flight > 6 && in_flight < 8); /* those that are there are not
                                                  counted yet */
    cr_assert(s[2].waited_ms > 4 * (s[0].waited_ms + s[1].waited_ms));
    cr_assert_eq((int)t.advice.what, WEFT_BY_STAGE);
    cr_assert_eq(strcmp(t.advice.stage, "forty"), 0);
    weft_cancel(t.run);
    pthread_join(consumer, NULL);
    weft_run_destroy(t.run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- what else it may be asked ----------------------------------------- */

static int ten(weft_worker *self, void *item, void *ctx)
{
    unsigned *n = ctx;
    return (*n)++ < 10 ? 0 : WEFT_END;
}

static struct weft_run *ten_items(weft_sched *sched, weft_plan **plan,
                                  unsigned *n, bool counts_only)
{
    struct weft_run *run = NULL;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct bead) },
                    .statistics = counts_only ? WEFT_COUNTS_ONLY : WEFT_TIMES));

    *n = 0;
    weft_source(p, "ten", ten, n);
    weft_consumer(p, WEFT_ANY);
    cr_assert_eq(weft_pipeline_compile(plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&run, sched, *plan, NULL), 0);
    return run;
}

static uint64_t ready(struct weft_run *run)
{
    struct weft_sink_stats sink;
    cr_assert_eq(weft_run_sink(run, &sink), 0);
    return sink.ready;
}

Test(advice, a_consumer_that_takes_nothing_is_the_bottleneck)
{
    struct weft_advice a;
    weft_plan *plan;
    unsigned n;
    weft_sched *sched = loose_workers(1);
    struct weft_run *run = ten_items(sched, &plan, &n, false);

    while (ready(run) < 10)
        sleep_ms(1);
    cr_assert_eq(weft_pipeline_explain(run, NULL, &a), 0);
    cr_assert_eq((int)a.what, WEFT_BY_CONSUMER);
    cr_assert_eq(strcmp(a.sentence.text, "the consumer is the bottleneck: it "
                                         "has released nothing yet"),
                 0);
    weft_cancel(run);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The clock goes on, and so does what was shared; the answer does not. */
Test(advice, a_run_that_has_ended_is_explained_as_it_was)
{
    struct weft_advice a, b;
    weft_plan *plan;
    unsigned n;
    void *item;
    weft_sched *sched = loose_workers(1);
    struct weft_run *run = ten_items(sched, &plan, &n, false);

    while (weft_next(run, &item, -1, NULL) == 1) {
        sleep_ms(2);
        weft_release(item);
    }
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_pipeline_explain(run, NULL, &a), 0);
    sleep_ms(50);
    cr_assert_eq(weft_pipeline_explain(run, NULL, &b), 0);
    cr_assert(a.items_per_s == b.items_per_s);
    cr_assert_eq(strcmp(a.sentence.text, b.sentence.text), 0);
    cr_assert_eq((int)a.what, WEFT_BY_CONSUMER);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(advice, where_nothing_was_delivered_there_is_no_telling)
{
    struct weft_advice a;
    weft_moment *moment;
    weft_plan *plan;
    unsigned n;
    void *item;
    weft_sched *sched = loose_workers(1);
    struct weft_run *run = ten_items(sched, &plan, &n, false);

    while (weft_next(run, &item, -1, NULL) == 1)
        weft_release(item);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_moment_create(&moment, run), 0);
    cr_assert_eq(weft_pipeline_explain(run, moment, &a), 0);
    cr_assert_eq((int)a.what, WEFT_BY_NOTHING);
    cr_assert_eq(strcmp(a.sentence.text,
                        "nothing was delivered, so there is no telling: "
                        "weft_run_report says what each item waits for"),
                 0);
    weft_moment_destroy(moment);
    weft_moment_destroy(NULL);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(advice, without_times_there_is_no_explanation)
{
    struct weft_advice a;
    weft_plan *plan;
    unsigned n;
    void *item;
    weft_sched *sched = loose_workers(1);
    struct weft_run *run = ten_items(sched, &plan, &n, true);

    while (weft_next(run, &item, -1, NULL) == 1)
        weft_release(item);
    cr_assert_eq(weft_pipeline_explain(run, NULL, &a), -ENODATA);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(advice, a_graph_has_no_bottleneck_to_explain)
{
    struct weft_advice a;
    weft_moment *moment;
    struct weft_run *run;
    weft_sched *sched = loose_workers(1);
    weft_graph *g = weft_graph_create();

    weft_task(g, "only", nothing, NULL);
    weft_plan *plan = compiled(g);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_pipeline_explain(run, NULL, &a), -EINVAL);
    cr_assert_eq(weft_moment_create(&moment, run), -EINVAL);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Another run keeps the only worker. */
Test(advice, workers_that_others_keep_busy_are_the_bottleneck, .timeout = 60)
{
    const struct shape small = { .knots = { { HOLD, "small", 2 } } };
    const struct shape large = { .knots = { { HOLD, "large", 20 } } };
    weft_sched *sched = loose_workers(1);
    struct trial t = { .shape = &small, .sched = sched, .ms = 1000 };
    struct trial other = { .shape = &large };
    weft_plan *plan = draw(&other);
    struct weft_run *run;

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    measure(&t);
    printf("%s\n", t.advice.sentence.text);
    cr_assert_eq((int)t.advice.what, WEFT_BY_WORKERS);
    cr_assert(strstr(t.advice.sentence.text, "were ready and waited") != NULL);
    cr_assert(t.advice.more_workers > 1.5 * t.advice.items_per_s);
    cr_assert(t.advice.more_workers < 2.5 * t.advice.items_per_s);
    weft_cancel(run);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
