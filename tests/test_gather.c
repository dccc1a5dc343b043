/* test_gather.c: graph/gather.c: when a batch is full, what is in it, and who
 * waits while there is no slot for the next one. The ends of epochs are in
 * test_epoch.c. */
#include "tests/pipes.h"

struct batch {
    unsigned count;
    uint64_t value[16];
};

/* Who has the batch has it alone: `busy` is plain. */
struct collector {
    uint64_t full_at; /* WEFT_FULL with items of this remainder by 10 */
    uint64_t bad_at;  /* these fail */
    bool busy;
    uint64_t overlaps, calls;
};

static int collect(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct collector *c = ctx;
    struct batch *b = batch;
    uint64_t digit = value_of(item) % 10;

    c->overlaps += c->busy;
    c->busy = true;
    c->calls++;
    dawdle(self, item, NULL);
    if (digit != c->bad_at)
        b->value[b->count++] = value_of(item);
    c->busy = false;
    if (digit == c->bad_at)
        return weft_fail(item, -EINVAL, "it does not fit");
    return digit == c->full_at ? WEFT_FULL : 0;
}

static void clear(void *batch, void *ctx)
{
    ((struct batch *)batch)->count = 0;
}

static void gather(weft_pipeline *p, struct collector *c, unsigned count,
                   enum weft_order order, unsigned slots)
{
    weft_gather(p, weft_config(gather, .name = "collect", .fn = collect,
                               .ctx = c, .count = count, .order = order,
                               .items = { .bytes = sizeof(struct batch),
                                          .slots = slots,
                                          .reset = clear }));
}

/* ---- what is in a batch ------------------------------------------------ */

enum { NONE = 99 };

/* Full with `count`, or with an item whose last digit says so; where `bad_at`
 * is a digit, such an item fails. The batches follow from that. */
static void batches(unsigned count, uint64_t full_at, uint64_t bad_at,
                    unsigned worker_count)
{
    enum { N = 10 * TIMES(300, 50) };
    struct numbers source = { .end = N };
    struct collector c = { .full_at = full_at, .bad_at = bad_at };
    uint64_t value = 0;
    void *item;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = skipping(7);

    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
    gather(p, &c, count, WEFT_INPUT, 2);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (weft_next(run, &item, -1, NULL) == 1) {
        struct batch *b = item;
        bool full = false;
        cr_assert(b->count > 0);
        for (unsigned i = 0; i < b->count; i++, value++) {
            cr_assert(!full);
            value += value % 10 == bad_at;
            cr_assert_eq(b->value[i], value);
            cr_assert(i || weft_item_origin(item) == value);
            full = value % 10 == full_at || i + 1 == count;
        }
        cr_assert(full || value + (bad_at == 9) >= N);
        weft_release(item);
    }
    cr_assert_eq(value + (value % 10 == bad_at && value < N), N);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).failed, bad_at == NONE ? 0 : N / 10);
    cr_assert_eq(c.calls, N);
    cr_assert_eq(c.overlaps, 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(gather, a_batch_is_full_with_its_count_or_when_the_callback_says_so,
     .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        batches(4, NONE, NONE, n);
        batches(1, NONE, NONE, n);
        batches(0, 6, NONE, n);
        batches(3, 6, NONE, n);
    }
}

Test(gather, an_item_that_fails_leaves_the_batch_as_it_was, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        batches(4, NONE, 5, n);
        batches(4, NONE, 9, n);
        batches(0, 6, 0, n);
        batches(3, 6, 9, n);
    }
}

/* A batch without a count and that nobody calls full is flushed at the end. */
Test(gather, what_is_never_full_is_one_batch)
{
    struct numbers source = { .end = 15 };
    struct collector c = { .full_at = NONE, .bad_at = NONE };
    void *item;
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(4);

    weft_source(p, "numbers", give, &source);
    gather(p, &c, 0, WEFT_ANY, 1);
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
    cr_assert_eq(((struct batch *)item)->count, 15);
    weft_release(item);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int odd_result(weft_worker *self, void *batch, void *item, void *ctx)
{
    return WEFT_FILTER;
}

Test(gather, a_result_that_it_cannot_have_is_a_failure_with_a_sentence)
{
    struct numbers source = { .end = 1 };
    weft_error why;
    weft_sched *sched = workers(1);
    weft_pipeline *p = drawing(1);

    weft_source(p, "numbers", give, &source);
    weft_gather(p, weft_config(gather, .name = "collect", .fn = odd_result,
                               .items = slots_of(1)));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, &why), -EINVAL);
    cr_assert_eq(strcmp(why.text, "stage 'collect' failed on item 0, attempt "
                                  "1: EINVAL: the gather returned 2"),
                 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- room -------------------------------------------------------------- */

/* All batches stand still: items are taken into as many as there are slots, and
 * not one more. */
Test(gather, items_wait_while_there_is_no_slot_for_a_batch, .timeout = 60)
{
    enum { SLOTS = 2, SIZE = 3, BATCHES = 12 };

    for (unsigned n = 1; n <= 3; n++) {
        struct numbers source = { .end = BATCHES * SIZE };
        struct collector c = { .full_at = NONE, .bad_at = NONE };
        struct held held = HELD;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(4);

        weft_source(p, "numbers", give, &source);
        gather(p, &c, SIZE, WEFT_INPUT, SLOTS);
        weft_stage(p, weft_config(stage, .name = "hold", .fn = hold,
                                  .ctx = &held, .tokens = 16));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (unsigned gone = 0; gone < BATCHES - SLOTS - 2; gone++) {
            UNTIL(held_by(&held) == SLOTS);
            UNTIL(flow_of(run, 0).delivered >= (SLOTS + gone) * SIZE);
            UNTIL(flow_of(run, 0).in_flight == 4);
            usleep(500); /* for it to take more if it would */
            cr_assert_eq(flow_of(run, 0).delivered, (SLOTS + gone) * SIZE);
            cr_assert_eq(flow_of(run, 1).fed, SLOTS + gone);
            balanced(run);
            let_go(&held, 1);
        }
        open_up(&held);
        ended(run, 0);
        cr_assert_eq(c.calls, BATCHES * SIZE);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* Any number of items at its door, and one at a time in it. */
Test(gather, a_batch_is_one_items_at_a_time, .timeout = 60)
{
    enum { N = TIMES(50000, 5000) };

    for (unsigned n = 1; n <= 4; n++) {
        struct numbers source = { .end = N };
        struct collector c = { .full_at = NONE, .bad_at = NONE };
        void *item;
        uint64_t taken = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(32);

        weft_source(p, "numbers", give, &source);
        weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
        gather(p, &c, 7, WEFT_ANY, 3);
        weft_consumer(p, WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (; weft_next(run, &item, -1, NULL) == 1; weft_release(item))
            taken += ((struct batch *)item)->count;
        cr_assert_eq(taken, N);
        cr_assert_eq(c.overlaps, 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}
