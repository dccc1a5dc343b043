/* test_stall.c: a branch that stands still holds what it has admitted, and no
 * more: graph/router.c, merge.c and budget.c together. */
#include "tests/pipes.h"

static int any_way(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = WEFT_ANY_PATH;
    return 0;
}

/* ---- a stalled branch -------------------------------------------------- */

/* Path a stands still with as many items as it admits; all others are
 * delivered meanwhile. Then it is let go, and all ends. */
static void stalled(weft_route_fn *fn, unsigned admits, bool ordered,
                    unsigned worker_count)
{
    enum { N = TIMES(3000, 1000) };
    struct numbers source = { .end = N };
    struct held held = HELD;
    struct way way = { .number = 1 };
    struct number got;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = drawing(8);
    weft_pipeline *a = row_of(hold, &held);
    weft_pipeline *b = ordered ? in_order_row(&way) : row_of(note, &way);
    struct weft_path paths[] = { { .name = "a", .stages = a, .slots = admits },
                                 { .name = "b", .stages = b } };

    weft_source(p, "numbers", give, &source);
    weft_router(p,
                weft_config(router, .name = "router", .fn = fn, .ctx = &admits,
                            .paths = paths, .path_count = 2));
    weft_consumer(p, WEFT_ANY);
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < N - admits; i++)
        cr_assert_eq(take(run, &got), 1);
    UNTIL(held_by(&held) == admits);
    cr_assert_eq(way.seen, N - admits);
    UNTIL(flow_of(run, 0).in_flight == admits);
    balanced(run);
    open_up(&held);
    for (unsigned i = 0; i < admits; i++)
        cr_assert_eq(take(run, &got), 1);
    cr_assert_eq(take(run, &got), 0);
    cr_assert_eq(way.wrong, 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* As many for a as it admits: every hundredth. */
static int few_for_a(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    uint64_t value = value_of(item);
    *path = value % 100 || value / 100 >= *(unsigned *)ctx;
    return 0;
}

Test(router, R23_a_stalled_branch_does_not_stall_the_others, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++)
        for (unsigned admits = 1; admits <= 7; admits += 3)
            for (int ordered = 0; ordered < 2; ordered++) {
                stalled(any_way, admits, ordered, n);
                stalled(NULL, admits, ordered, n);
                stalled(few_for_a, admits, ordered, n);
            }
}

/* The path that stands still is one of a router inside of another. */
Test(router, R23_a_stalled_branch_inside_a_branch_does_not_stall_it,
     .timeout = 60)
{
    enum { N = 2000 };
    struct numbers source = { .end = N };
    struct held held = HELD;
    struct way inner = { 0 }, outer = { 0 };
    struct number got;
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(8), *nest = weft_pipeline_create(NULL);
    weft_pipeline *a = row_of(hold, &held), *b = row_of(note, &inner);
    weft_pipeline *c = row_of(note, &outer);
    struct weft_path in[] = { { .name = "a", .stages = a, .slots = 2 },
                              { .name = "b", .stages = b } };
    struct weft_path out[] = { { .name = "nest", .stages = nest },
                               { .name = "c", .stages = c } };

    weft_router(
        nest, weft_config(router, .name = "in", .paths = in, .path_count = 2));
    weft_source(p, "numbers", give, &source);
    weft_router(
        p, weft_config(router, .name = "out", .paths = out, .path_count = 2));
    weft_consumer(p, WEFT_ANY);
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
    weft_pipeline_destroy(c);
    weft_pipeline_destroy(nest);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < N - 2; i++)
        cr_assert_eq(take(run, &got), 1);
    UNTIL(held_by(&held) == 2);
    cr_assert_eq(inner.seen + outer.seen, N - 2);
    cr_assert(inner.seen > 0);
    open_up(&held);
    for (unsigned i = 0; i < 2; i++)
        cr_assert_eq(take(run, &got), 1);
    cr_assert_eq(take(run, &got), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- with what else there is ------------------------------------------- */

static int down_a(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = 0;
    return 0;
}

static void count_reset(void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1u);
}

/* Some wait before path a, which stands still until they are cancelled. */
Test(router, a_cancelled_run_ends_with_items_before_a_full_path, .timeout = 60)
{
    for (unsigned n = 1; n <= 2; n++) {
        _Atomic unsigned resets = 0;
        struct numbers source = { .end = 1000 };
        struct held held = HELD;
        weft_sched *sched = workers(n);
        weft_pipeline *a = row_of(hold, &held);
        struct weft_path path = { .name = "a", .stages = a, .slots = 3 };
        struct weft_items items = slots_of(10);

        items.reset = count_reset;
        items.ctx = &resets;
        weft_pipeline *p =
            weft_pipeline_create(weft_config(pipeline, .items = items));
        weft_source(p, "numbers", give, &source);
        weft_router(p, weft_config(router, .name = "router", .fn = down_a,
                                   .paths = &path, .path_count = 1));
        weft_pipeline_destroy(a);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        UNTIL(held_by(&held) == 3 && flow_of(run, 0).in_flight == 10);
        weft_cancel(run);
        cr_assert_eq(weft_wait(run, 5, NULL), -ETIMEDOUT);
        let_go(&held, 3);
        cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
        cr_assert_eq(flow_of(run, 0).cancelled, 7);
        cr_assert_eq(held.count, 0); /* none of them came into the stage */
        cr_assert_eq(resets, 10);
        ended(run, -ECANCELED);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

static uint64_t bytes_before(const void *item, void *ctx)
{
    return value_of(item) ? 40 : 60;
}

static uint64_t bytes_inside(const void *item, void *ctx) { return 60; }

/* The first item is held before the router. The second could get into the path
 * and wait there for the bytes that the first one has, while the first one
 * waits for its place in the path. */
Test(router, a_budget_does_not_stall_where_a_path_is_full, .timeout = 60)
{
    struct numbers source = { .end = 2 };
    struct held held = HELD;
    weft_sched *sched = workers(2);
    weft_pipeline *a = weft_pipeline_create(NULL);
    struct weft_path path = { .name = "a", .stages = a, .slots = 1 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(2), .budget_bytes = 100));

    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "before", .fn = pass,
                              .bytes = bytes_before, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "hold", .fn = hold, .ctx = &held,
                              .tokens = 2));
    weft_router(p, weft_config(router, .name = "router", .paths = &path,
                               .path_count = 1));
    weft_stage(a, weft_config(stage, .name = "inside", .fn = pass,
                              .bytes = bytes_inside, .tokens = 2));
    weft_pipeline_destroy(a);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    UNTIL(held_by(&held) == 2);
    unsigned first = value_of(held.item[0]) == 0 ? 0 : 1;
    void *oldest = held.item[first], *other = held.item[!first];
    weft_complete(NULL, other, 0);
    usleep(10000); /* for it to get as far as it can */
    weft_complete(NULL, oldest, 0);
    cr_assert_eq(weft_wait(run, 20000, NULL), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
