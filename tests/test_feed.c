/* test_feed.c: graph/feed.c: what a gather makes of the items. */
#include <stdbool.h>

#include "tests/runs.h"

struct numbers {
    uint64_t next, end;
};

static int give(weft_worker *self, void *item, void *ctx)
{
    struct numbers *n = ctx;
    if (n->next == n->end)
        return WEFT_END;
    *(uint64_t *)item = n->next++;
    return 0;
}

struct batch {
    uint64_t value[8];
    unsigned count;
};

static int collect(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct batch *b = batch;
    uint64_t value = *(uint64_t *)item;
    if (ctx && value == 5)
        return -EINVAL;
    b->value[b->count++] = value;
    return ctx && value == 6 ? WEFT_FULL : 0;
}

static void clear(void *batch, void *ctx)
{
    ((struct batch *)batch)->count = 0;
    add_relaxed((_Atomic unsigned *)ctx, 1u);
}

static void batches(weft_sched *sched, uint64_t items, bool drop, void *ctx,
                    const unsigned *sizes, unsigned count)
{
    struct numbers numbers = { .end = items };
    _Atomic unsigned cleared = 0;
    bool dropped = drop && items % 3;
    struct weft_run *run;
    weft_plan *plan = NULL;
    void *item;
    uint64_t next = 0;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .items = { .bytes = sizeof(uint64_t), .slots = 2 }));
    weft_source(p, "give", give, &numbers);
    weft_gather(p, weft_config(gather, .name = "gather", .fn = collect,
                               .ctx = ctx, .count = 3, .order = WEFT_INPUT,
                               .rest = drop ? WEFT_DROP : WEFT_FLUSH,
                               .items = { .bytes = sizeof(struct batch),
                                          .slots = 1,
                                          .reset = clear,
                                          .ctx = &cleared }));
    weft_consumer(p, WEFT_INPUT);
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        struct batch *b = item;
        cr_assert_eq(b->count, sizes[i]);
        for (unsigned k = 0; k < b->count; k++, next++) {
            next += ctx && next == 5;
            cr_assert_eq(b->value[k], next);
        }
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(cleared, count + dropped); /* each once */
    weft_run_destroy(run);
    weft_plan_destroy(plan);
}

Test(feed, a_gather_fills_batches_in_order_and_flushes_or_drops_the_rest)
{
    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *sched = workers(n);
        batches(sched, 7, false, NULL, (const unsigned[]){ 3, 3, 1 }, 3);
        batches(sched, 7, true, NULL, (const unsigned[]){ 3, 3 }, 2);
        batches(sched, 6, false, NULL, (const unsigned[]){ 3, 3 }, 2);
        batches(sched, 6, true, NULL, (const unsigned[]){ 3, 3 }, 2);
        batches(sched, 0, false, NULL, NULL, 0);
        /* item 5 fails, 6 says that the batch is full */
        batches(sched, 10, false, "odd", (const unsigned[]){ 3, 3, 3 }, 3);
        weft_sched_destroy(sched);
    }
}
