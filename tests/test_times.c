/* test_times.c: graph/times.h: an item that stands for others counts for them,
 * in histograms as in sums. */
#include "graph/pipeline.h"
#include "tests/test.h"
#include "tests/times.h"

static uint64_t total(const struct histogram *h)
{
    struct histogram_sum sum = { 0 };
    wf_histogram_add_up(&sum, h);
    return sum.total;
}

Test(times, an_item_that_stands_for_eight_counts_for_eight)
{
    struct slot slot = { .weight = 8 };
    struct durations d = { 0 };

    count_duration(&d, &slot, 100, 120);
    cr_assert_eq(d.sum, 160);
    cr_assert_eq(total(&d.each), 8);
    count_duration(&d, &slot, 100, 0); /* it was not known */
    slot.weight = 0;
    count_duration(&d, &slot, 100, 120); /* nor taken */
    cr_assert_eq(d.sum, 160);
    cr_assert_eq(total(&d.each), 8);
}

struct numbers {
    uint64_t next, end;
};

static int number(weft_worker *self, void *item, void *ctx)
{
    struct numbers *n = ctx;
    return n->next++ == n->end ? WEFT_END : 0;
}

/* From an input of a merge to a consumer. */
static weft_plan *drawn(struct numbers *n)
{
    const struct weft_items items = { .bytes = 8, .slots = 16 };
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = items));
    weft_pipeline *only =
        weft_pipeline_create(weft_config(pipeline, .items = items));
    const struct weft_path input = { .stages = only };
    weft_plan *plan = NULL;

    weft_source(only, "numbers", number, n);
    weft_merge(p, weft_config(merge, .name = "both", .inputs = &input,
                              .input_count = 1));
    weft_consumer(p, WEFT_ANY);
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(only);
    weft_pipeline_destroy(p);
    return plan;
}

/* The source's, the merge's, and the sink's two. When some items begin to stand
 * for others, or no longer do, a group of eight may count for none or twice. */
Test(times, fast_items_are_all_counted_for, .timeout = 60)
{
    struct numbers n = { .end = TIMES(40000, 4000) };
    weft_plan *plan = drawn(&n);
    weft_sched *sched = NULL;
    struct weft_run *base;
    void *item;

    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = 1), NULL), 0);
    cr_assert_eq(weft_start(&base, sched, plan, NULL), 0);
    while (weft_next(base, &item, -1, NULL) == 1)
        weft_release(item);
    cr_assert_eq(weft_wait(base, -1, NULL), 0);

    const struct pipeline_run *run = (const struct pipeline_run *)base;
    const struct outlet *out = &run->segments[run->plan->last].out;
    const uint64_t counted[] = {
        total(&wf_counts_of(&run->counts, 0, 0)->latency),
        total(&run->stages[1].merge.waited.each),
        total(&out->ready.each),
        total(&out->held.each),
    };
    for (unsigned i = 0; i < 4; i++) {
        cr_assert(counted[i] > n.end * 8 / 10);
        cr_assert(counted[i] < n.end * 12 / 10);
    }
    weft_run_destroy(base);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
