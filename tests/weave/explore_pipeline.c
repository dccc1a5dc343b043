/* explore_pipeline.c: pipelines of a few items, by two workers. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

/* With SLOTS_FOR_BURSTS the source fills two items a turn. */
enum { ITEMS = 4, FEW_SLOTS = 2, LATE_SLOTS = 3, SLOTS_FOR_BURSTS = 8 };

struct number {
    int value, stages;
};

static _Atomic bool is_called;  /* an item that others wait for */
static int made;                /* plain: one item of the source at a time */
static int seen[ITEMS];         /* plain: of each item its own */
static _Atomic(void *) pending; /* item */
static int alone, in_row;       /* plain: of the stage that has one token */

static int make(weft_worker *self, void *item, void *ctx)
{
    if (made == ITEMS)
        return WEFT_END;
    *(struct number *)item = (struct number){ .value = made++ };
    return 0;
}

static int work(weft_worker *self, void *item, void *ctx)
{
    ((struct number *)item)->stages++;
    return 0;
}

/* The first is late. */
static int work_late(weft_worker *self, void *item, void *ctx)
{
    int value = ((struct number *)item)->value;

    if (value == 2)
        store_release(&is_called, true);
    while (value == 0 && !load_acquire(&is_called))
        weave_yield();
    return work(self, item, ctx);
}

static int work_alone(weft_worker *self, void *item, void *ctx)
{
    alone++;
    return work(self, item, ctx);
}

static int in_order(weft_worker *self, void *item, void *ctx)
{
    weave_assert(((struct number *)item)->value == in_row++);
    return work(self, item, ctx);
}

static int fails(weft_worker *self, void *item, void *ctx)
{
    return ((struct number *)item)->value == 1 ? -EIO : 0;
}

static int end(weft_worker *self, void *item, void *ctx)
{
    struct number *n = item;

    weave_assert(n->stages == 2);
    weave_assert(seen[n->value]++ == 0);
    return 0;
}

static weft_pipeline *drawing(unsigned slots)
{
    return weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = slots }));
}

static weft_plan *compiled(weft_pipeline *p)
{
    weft_plan *plan;

    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    return plan;
}

/* A stage of any order, one that is in order or has one token, and a last. */
static weft_plan *three_stages(unsigned slots, weft_stage_fn *fn,
                               enum weft_order order, unsigned tokens)
{
    weft_pipeline *p = drawing(slots);

    weft_source(p, "make", make, 0);
    weft_stage(p, weft_config(stage, .name = "work", .fn = work, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "second", .fn = fn, .order = order,
                              .tokens = tokens));
    weft_stage(p, weft_config(stage, .name = "end", .fn = end, .tokens = 2));
    return compiled(p);
}

static void run(weft_plan *plan, int result)
{
    weft_sched *sched = workers(2);

    weave_assert(weft_run(sched, plan, 0) == result);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    for (unsigned i = 0; i < ITEMS && !result; i++)
        weave_assert(seen[i] == 1);
}

static void any_order(unsigned slots)
{
    run(three_stages(slots, work, WEFT_ANY, 2), 0);
}

static void one_token(unsigned slots)
{
    run(three_stages(slots, work_alone, WEFT_ANY, 1), 0);
}

static void in_input_order(unsigned slots)
{
    run(three_stages(slots, in_order, WEFT_INPUT, 1), 0);
}

/* What has come early waits for its turn, then for the token. */
static void late_in_order(void)
{
    weft_pipeline *p = drawing(LATE_SLOTS);

    weft_source(p, "make", make, 0);
    weft_stage(
        p, weft_config(stage, .name = "late", .fn = work_late, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "second", .fn = in_order,
                              .order = WEFT_INPUT, .tokens = 1));
    weft_stage(p, weft_config(stage, .name = "end", .fn = end, .tokens = 2));
    run(compiled(p), 0);
}

/* The first is not complete before the third has begun. */
static int pend_first(weft_worker *self, void *item, void *ctx)
{
    int value = ((struct number *)item)->value;

    seen[value]++;
    if (value == 2)
        store_release(&is_called, true);
    if (value)
        return 0;
    store_release(&pending, item);
    return WEFT_PENDING;
}

static void use_what_is_kept(void)
{
    weft_pipeline *p = drawing(LATE_SLOTS);

    weft_source(p, "make", make, 0);
    weft_stage(
        p, weft_config(stage, .name = "pend", .fn = pend_first, .tokens = 2));
    run(compiled(p), 0);
}

static void complete_first(void)
{
    while (!load_acquire(&is_called) || !load_acquire(&pending))
        weave_yield();
    weft_complete(NULL, load_relaxed(&pending), 0);
}

static void few_any(void) { any_order(FEW_SLOTS); }
static void few_alone(void) { one_token(FEW_SLOTS); }
static void few_in_order(void) { in_input_order(FEW_SLOTS); }
static void bursts_any(void) { any_order(SLOTS_FOR_BURSTS); }
static void bursts_alone(void) { one_token(SLOTS_FOR_BURSTS); }
static void bursts_in_order(void) { in_input_order(SLOTS_FOR_BURSTS); }

static void with_a_failure(unsigned slots)
{
    weft_pipeline *p = drawing(slots);

    weft_source(p, "make", make, 0);
    weft_stage(p,
               weft_config(stage, .name = "fails", .fn = fails, .tokens = 2));
    run(compiled(p), -EIO);
}

static void few_with_a_failure(void) { with_a_failure(FEW_SLOTS); }
static void bursts_with_a_failure(void) { with_a_failure(SLOTS_FOR_BURSTS); }

/* Who takes the items does so while they come. */
static void take_them(void)
{
    weft_pipeline *p = drawing(FEW_SLOTS);
    struct weft_run *r;
    void *item;

    weft_source(p, "make", make, 0);
    weft_stage(p, weft_config(stage, .name = "work", .fn = work, .tokens = 2));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = compiled(p);
    weft_sched *sched = workers(2);
    weave_assert(!weft_start(&r, sched, plan, 0));
    for (int i = 0; i < ITEMS; i++) {
        weave_assert(weft_next(r, &item, -1, 0) == 1);
        weave_assert(((struct number *)item)->value == i);
        weft_release(item);
    }
    weave_assert(weft_next(r, &item, -1, 0) == 0);
    weft_run_destroy(r);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- epochs and pieces --------------------------------------------------- */

static int one = 1, two = 2; /* in the first epoch; the second has one */

static int make_epochs(weft_worker *self, void *item, void *ctx)
{
    static bool has_ended;
    int first = *(int *)ctx;

    if (made != first || has_ended)
        return made == first + 1 ? WEFT_END : make(self, item, ctx);
    has_ended = true;
    return WEFT_EPOCH;
}

static void take_epochs(weft_stage_fn *fn)
{
    weft_pipeline *p = drawing(ITEMS);
    struct weft_run *r;
    void *item;

    weft_source(p, "make", make_epochs, &two);
    weft_stage(p, weft_config(stage, .name = "work", .fn = fn, .tokens = 2));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = compiled(p);
    weft_sched *sched = workers(2);
    weave_assert(!weft_start(&r, sched, plan, 0));
    for (int taken = 0, rc; (rc = weft_next(r, &item, -1, 0)); taken++) {
        weave_assert(rc == (taken == 2 ? WEFT_EPOCH : 1));
        if (rc == 1) {
            weave_assert(((struct number *)item)->value / 2 == taken / 2);
            seen[((struct number *)item)->value]++;
            weft_release(item);
        }
    }
    weave_assert(seen[0] == 1 && seen[1] == 1 && seen[2] == 1);
    weft_run_destroy(r);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static void take_epochs_as_they_come(void) { take_epochs(work); }
static void take_epochs_late(void) { take_epochs(work_late); }

/* Of each item two, as long as there is one. */
static int scatter(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct number *n = item;

    if (n->stages == 2)
        return WEFT_END;
    *(struct number *)piece =
        (struct number){ .value = 2 * n->value + n->stages++, .stages = 2 };
    return 0;
}

static void scatter_them(void)
{
    weft_pipeline *p = drawing(FEW_SLOTS);

    weft_source(p, "make", make_epochs, &one);
    weft_scatter(p, weft_config(scatter, .name = "scatter", .fn = scatter,
                                .items = { .bytes = sizeof(struct number),
                                           .slots = FEW_SLOTS }));
    weft_stage(p, weft_config(stage, .name = "end", .fn = end, .tokens = 2));
    run(compiled(p), 0);
}

/* ---- who stops it -------------------------------------------------------- */

static void stop_it(unsigned slots)
{
    weft_plan *plan = three_stages(slots, work, WEFT_ANY, 2);
    weft_sched *sched = workers(2);
    struct weft_run *r;

    weave_assert(!weft_start(&r, sched, plan, 0));
    weft_cancel(r);
    int rc = weft_wait(r, -1, 0);
    weave_assert(rc == 0 || rc == -ECANCELED);
    weft_run_destroy(r);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The second fails, the first comes after it. */
static int fail_late(weft_worker *self, void *item, void *ctx)
{
    int rc = fails(self, item, ctx);

    if (rc)
        store_release(&is_called, true);
    while (!load_acquire(&is_called))
        weave_yield();
    return rc;
}

/* Nobody takes what would come out. */
static void stop_what_fails(void)
{
    weft_pipeline *p = drawing(FEW_SLOTS);
    struct weft_run *r;

    weft_source(p, "make", make, 0);
    weft_stage(
        p, weft_config(stage, .name = "fails", .fn = fail_late, .tokens = 2));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = compiled(p);
    weft_sched *sched = workers(2);
    weave_assert(!weft_start(&r, sched, plan, 0));
    while (!load_acquire(&is_called))
        weave_yield();
    weft_cancel(r);
    int rc = weft_wait(r, -1, 0);
    weave_assert(rc == -EIO || rc == -ECANCELED);
    weft_run_destroy(r);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static void stop_few(void) { stop_it(FEW_SLOTS); }
static void stop_bursts(void) { stop_it(SLOTS_FOR_BURSTS); }

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "each_item_passes_all_stages", .threads = { few_any } },
        { .name = "one_token_keeps_items_apart", .threads = { few_alone } },
        { .name = "items_enter_in_order", .threads = { few_in_order } },
        { .name = "items_that_come_early_enter_in_order",
          .threads = { late_in_order } },
        { .name = "a_token_that_is_kept_is_there_for_another",
          .threads = { use_what_is_kept, complete_first } },
        { .name = "a_failure_ends_the_run", .threads = { few_with_a_failure } },
        { .name = "a_consumer_gets_all_in_order", .threads = { take_them } },
        { .name = "an_epoch_ends_after_its_items",
          .threads = { take_epochs_as_they_come } },
        { .name = "items_of_the_next_epoch_wait_for_the_end_of_one",
          .threads = { take_epochs_late } },
        { .name = "each_piece_passes_all_stages", .threads = { scatter_them } },
        { .name = "a_failure_takes_back_no_cancel",
          .threads = { stop_what_fails } },
        { .name = "a_cancelled_pipeline_ends", .threads = { stop_few } },
        { .name = "a_burst_passes_all_stages", .threads = { bursts_any } },
        { .name = "one_token_keeps_bursts_apart", .threads = { bursts_alone } },
        { .name = "bursts_enter_in_order", .threads = { bursts_in_order } },
        { .name = "a_failure_in_a_burst_ends_the_run",
          .threads = { bursts_with_a_failure } },
        { .name = "bursts_are_cancelled", .threads = { stop_bursts } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
