/* test_router.c: graph/router.c, and forks and joins in flow.c and layout.c:
 * which path an item takes, who waits for room, and in which order items are
 * together again. */
#include "tests/pipes.h"

static int by_value(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = (unsigned)(value_of(item) % *(unsigned *)ctx);
    return 0;
}

static int any_way(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = WEFT_ANY_PATH;
    return 0;
}

/* A router of `count` paths, each a row with its way. */
static void fork_to(weft_pipeline *p, weft_route_fn *fn, void *ctx,
                    struct way *ways, weft_stage_fn *stage, unsigned count,
                    unsigned slots)
{
    static const char *const names[] = { "a", "b", "c", "d" };
    struct weft_path paths[4] = { { NULL } };

    for (unsigned i = 0; i < count; i++) {
        ways[i].number = i;
        paths[i].name = names[i];
        paths[i].slots = slots;
        paths[i].stages =
            stage ? row_of(stage, &ways[i]) : in_order_row(&ways[i]);
    }
    weft_router(p, weft_config(router, .name = "router", .fn = fn, .ctx = ctx,
                               .paths = paths, .path_count = count));
    for (unsigned i = 0; i < count; i++)
        weft_pipeline_destroy(paths[i].stages);
}

Test(router, an_item_goes_down_the_path_that_was_chosen, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        enum { N = TIMES(30000, 3000) };
        struct numbers source = { .end = N };
        struct way ways[3] = { { 0 } };
        struct number got;
        unsigned three = 3;
        uint64_t taken = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(8);

        weft_source(p, "numbers", give, &source);
        fork_to(p, by_value, &three, ways, note, 3, 0);
        weft_consumer(p, WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (; take(run, &got) == 1; taken++)
            cr_assert_eq(got.mark, got.value % 3);
        cr_assert_eq(taken, N);
        for (unsigned i = 0; i < 3; i++)
            cr_assert_eq(ways[i].seen, N / 3);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

Test(router, a_path_without_stages_leads_around_the_others, .timeout = 60)
{
    for (unsigned n = 1; n <= 2; n++) {
        struct numbers source = { .end = 3000 };
        struct way way = { .number = 1 };
        struct number got;
        unsigned two = 2;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(4), *none = weft_pipeline_create(NULL);
        weft_pipeline *row = row_of(note, &way);
        struct weft_path paths[] = { { .name = "around", .stages = none },
                                     { .name = "through", .stages = row } };

        weft_source(p, "numbers", give, &source);
        weft_router(p, weft_config(router, .name = "router", .fn = by_value,
                                   .ctx = &two, .paths = paths, .path_count = 2,
                                   .join = WEFT_INPUT));
        weft_consumer(p, WEFT_INPUT);
        weft_pipeline_destroy(none);
        weft_pipeline_destroy(row);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t i = 0; i < 3000; i++) {
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, i);
            cr_assert_eq(got.mark, i % 2);
        }
        cr_assert_eq(take(run, &got), 0);
        cr_assert_eq(way.seen, 1500);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* ---- a mistaken choice ------------------------------------------------- */

struct reports {
    unsigned count;
    char text[8][256];
};

/* One worker, so one at a time. */
static void report(const struct weft_failure *f, void *item, void *ctx)
{
    struct reports *r = ctx;
    cr_assert_eq(f->item, value_of(item));
    snprintf(r->text[f->item], sizeof r->text[0], "%s: %s", f->stage, f->text);
    r->count++;
}

static int choose_wrongly(weft_worker *self, void *item, unsigned *path,
                          void *ctx)
{
    static const int rc[] = { 0, 0, 0, WEFT_PENDING, 77, -EIO, WEFT_FILTER, 0 };
    static const unsigned paths[] = { 0, 2, 4000000000u, 0, 0, 0, 0, 1 };
    uint64_t value = value_of(item);

    *path = paths[value];
    return value == 5 ? weft_fail(item, rc[5], "no way") : rc[value];
}

Test(router, a_path_that_there_is_not_is_a_failure_with_a_sentence)
{
    struct numbers source = { .end = 8 };
    struct reports r = { 0 };
    struct way ways[2] = { { 0 } };
    weft_sched *sched = workers(1);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(4), .on_failure = report,
                    .ctx = &r, .failures = { .policy = WEFT_SKIP }));

    weft_source(p, "numbers", give, &source);
    fork_to(p, choose_wrongly, NULL, ways, note, 2, 0);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    struct weft_flow f = flow_of(run, 0);
    cr_assert_eq(f.failed, 5);
    cr_assert_eq(f.filtered, 1);
    cr_assert_eq(f.delivered, 2);
    cr_assert_eq(ways[0].seen, 1);
    cr_assert_eq(ways[1].seen, 1);
    cr_assert_eq(r.count, 5);
    cr_assert_eq(strcmp(r.text[1], "router: there is no path 2: there are 2"),
                 0);
    cr_assert_eq(
        strcmp(r.text[2], "router: there is no path 4000000000: there are 2"),
        0);
    cr_assert_eq(strcmp(r.text[3], "router: a router may not be pending"), 0);
    cr_assert_eq(strcmp(r.text[4], "router: the stage returned 77"), 0);
    cr_assert_eq(strcmp(r.text[5], "router: no way"), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(router, a_wrong_choice_stops_the_run_unless_failures_are_skipped)
{
    struct numbers source = { .end = 8 };
    struct way ways[2] = { { 0 } };
    weft_error why;
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(4);

    weft_source(p, "numbers", give, &source);
    fork_to(p, choose_wrongly, NULL, ways, note, 2, 0);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, &why), -EINVAL);
    cr_assert(strstr(why.text, "stage 'router' failed on item ") == why.text);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- order ------------------------------------------------------------- */

/* Items fail and are filtered before the router, by it, and in its paths. */
static int holes_before(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = value_of(item);
    dawdle(self, item, NULL);
    return value % 20 == 3 ? -EIO : value % 20 == 6 ? WEFT_FILTER : 0;
}

static int holes_by_choice(weft_worker *self, void *item, unsigned *path,
                           void *ctx)
{
    uint64_t value = value_of(item);
    *path = value % 50 == 13 ? 9 : (unsigned)(value % 3);
    return value % 50 == 11 ? WEFT_FILTER : value % 50 == 12 ? -EIO : 0;
}

static int holes_inside(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = value_of(item);
    dawdle(self, item, NULL);
    return value % 14 == 1 ? -EIO : value % 14 == 2 ? WEFT_FILTER : 0;
}

static bool comes_through(uint64_t value)
{
    bool before = value % 20 == 3 || value % 20 == 6;
    bool by_choice = value % 50 >= 11 && value % 50 <= 13;
    bool inside = value % 14 == 1 || value % 14 == 2;

    return !before && !by_choice && !(inside && value % 3 < 2);
}

/* The stage behind the join, or the consumer, asks for no order itself. */
static void joined_in_order(unsigned worker_count, bool stage_follows)
{
    enum { N = TIMES(100000, 6000) };
    struct numbers source = { .end = N };
    struct way behind = { 0 };
    struct number got;
    uint64_t next = 0;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = skipping(16), *none = weft_pipeline_create(NULL);
    weft_pipeline *left = row_of(holes_inside, NULL);
    weft_pipeline *right = row_of(holes_inside, NULL);
    struct weft_path paths[] = { { .name = "left", .stages = left },
                                 { .name = "right", .stages = right },
                                 { .name = "none", .stages = none } };

    weft_stage(right, weft_config(stage, .name = "more", .fn = pend));
    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "before", .fn = holes_before));
    weft_router(p, weft_config(router, .name = "router", .fn = holes_by_choice,
                               .paths = paths, .path_count = 3,
                               .join = WEFT_INPUT));
    if (stage_follows)
        weft_stage(p, weft_config(stage, .name = "behind", .fn = in_order,
                                  .ctx = &behind, .tokens = 1));
    weft_consumer(p, stage_follows ? WEFT_INPUT : WEFT_ANY);
    weft_pipeline_destroy(left);
    weft_pipeline_destroy(right);
    weft_pipeline_destroy(none);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (; take(run, &got) == 1; next++) {
        while (!comes_through(next))
            next++;
        cr_assert_eq(got.value, next);
    }
    for (; next < N; next++)
        cr_assert(!comes_through(next));
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(behind.wrong, 0);
    cr_assert_eq(behind.seen, stage_follows ? flow_of(run, 0).delivered : 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(router, joined_in_input_order_is_exact_around_holes, .timeout = 300)
{
    for (unsigned n = 1; n <= 4; n++) {
        joined_in_order(n, false);
        joined_in_order(n, true);
    }
}

/* Some items have no choice, the others take any path. */
static int sometimes_any(weft_worker *self, void *item, unsigned *path,
                         void *ctx)
{
    uint64_t value = value_of(item);
    *path = value % 3 ? (unsigned)(value % 2) : WEFT_ANY_PATH;
    return value % 40 == 7 ? -EIO : 0;
}

static void order_in_paths(weft_route_fn *fn, unsigned worker_count)
{
    enum { N = TIMES(100000, 6000) };
    struct numbers source = { .end = N };
    struct way ways[2] = { { 0 } };
    unsigned two = 2;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = skipping(12);

    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "before", .fn = holes_before));
    fork_to(p, fn, &two, ways, NULL, 2, 2);
    weft_stage(p, weft_config(stage, .name = "behind", .fn = dawdle));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(ways[0].wrong, 0);
    cr_assert_eq(ways[1].wrong, 0);
    cr_assert_eq(ways[0].seen + ways[1].seen, flow_of(run, 0).delivered);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(router, ordered_stages_in_a_path_see_its_items_in_input_order,
     .timeout = 300)
{
    for (unsigned n = 1; n <= 4; n++) {
        order_in_paths(by_value, n);
        order_in_paths(any_way, n);
        order_in_paths(sometimes_any, n);
    }
}

/* ---- room -------------------------------------------------------------- */

/* All who are in the path meet: so as many do get in as it has slots. */
static int come_in(weft_worker *self, void *item, void *ctx)
{
    gauge_in(&((struct way *)ctx)->inside);
    return 0;
}

struct meeting {
    struct held held;
    unsigned size;
};

static int meet(weft_worker *self, void *item, void *ctx)
{
    struct meeting *m = ctx;
    void *all[64];
    unsigned n = 0;

    pthread_mutex_lock(&m->held.lock);
    m->held.item[m->held.count++] = item;
    if (m->held.count == m->size) {
        n = m->size;
        m->held.count = 0;
        memcpy(all, m->held.item, sizeof all);
    }
    pthread_mutex_unlock(&m->held.lock);
    for (unsigned i = 0; i < n; i++)
        weft_complete(self, all[i], 0);
    return WEFT_PENDING;
}

static int go_out(weft_worker *self, void *item, void *ctx)
{
    struct way *w = ctx;
    gauge_out(&w->inside);
    add_relaxed(&w->seen, 1);
    return 0;
}

static void slots_in_paths(unsigned slots, const unsigned *given,
                           const unsigned *expected, unsigned count,
                           unsigned worker_count)
{
    enum { N = 3 * 4 * TIMES(1000, 100) };
    struct numbers source = { .end = N };
    struct way ways[4] = { { 0 } };
    struct meeting meetings[4];
    struct weft_path paths[4] = { { NULL } };
    static const char *const names[] = { "a", "b", "c", "d" };
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = drawing(slots);

    for (unsigned i = 0; i < count; i++) {
        meetings[i] = (struct meeting){ HELD, expected[i] };
        weft_pipeline *row = row_of(come_in, &ways[i]);
        weft_stage(row, weft_config(stage, .name = "meet", .fn = meet,
                                    .ctx = &meetings[i], .tokens = 16));
        weft_stage(row, weft_config(stage, .name = "out", .fn = go_out,
                                    .ctx = &ways[i]));
        paths[i] = (struct weft_path){ .name = names[i],
                                       .stages = row,
                                       .slots = given ? given[i] : 0 };
    }
    weft_source(p, "numbers", give, &source);
    weft_router(p, weft_config(router, .name = "router", .fn = by_value,
                               .ctx = &count, .paths = paths,
                               .path_count = count));
    for (unsigned i = 0; i < count; i++)
        weft_pipeline_destroy(paths[i].stages);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, NULL), 0);
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(ways[i].seen, N / count);
        cr_assert_eq(ways[i].inside.most, expected[i]);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(router, the_slots_of_a_path_are_reached_and_never_exceeded, .timeout = 60)
{
    const unsigned given[] = { 1, 2, 4 }, shares[] = { 2, 2, 2, 2 };
    const unsigned ones[] = { 1, 1, 1, 1 };

    for (unsigned n = 1; n <= 3; n++) {
        slots_in_paths(12, given, given, 3, n);
        slots_in_paths(8, NULL, shares, 4, n); /* their share is the default */
        slots_in_paths(4, NULL, ones, 4, n);
    }
}

Test(router, a_path_has_a_slot_though_its_share_is_less_than_one, .timeout = 60)
{
    const unsigned ones[] = { 1, 1, 1, 1 };

    slots_in_paths(3, NULL, ones, 4, 2);
}

/* Three paths stand still: each has what it admits, and the others wait. */
Test(router, any_path_is_one_that_has_room, .timeout = 60)
{
    struct numbers source = { .end = 40 };
    struct held held[3] = { HELD, HELD, HELD };
    struct weft_path paths[3];
    static const char *const names[] = { "a", "b", "c" };
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(12);

    weft_source(p, "numbers", give, &source);
    for (unsigned i = 0; i < 3; i++)
        paths[i] = (struct weft_path){ .name = names[i],
                                       .stages = row_of(hold, &held[i]),
                                       .slots = i + 1 };
    weft_router(p, weft_config(router, .name = "router", .paths = paths,
                               .path_count = 3));
    for (unsigned i = 0; i < 3; i++)
        weft_pipeline_destroy(paths[i].stages);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < 3; i++)
        UNTIL(held_by(&held[i]) == i + 1);
    UNTIL(flow_of(run, 0).in_flight == 12);
    for (unsigned let = 1; let <= 3; let++) { /* room in b, for one each time */
        let_go(&held[1], 1);
        UNTIL(held_by(&held[1]) == 2);
        UNTIL(flow_of(run, 0).fed == 12 + let);
        cr_assert_eq(held_by(&held[0]), 1);
        cr_assert_eq(held_by(&held[2]), 3);
    }
    for (unsigned i = 0; i < 3; i++)
        open_up(&held[i]);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- nests ------------------------------------------------------------- */

static int by_bit(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = value_of(item) >> *(const unsigned *)ctx & 1;
    return 0;
}

/* Each stage of a nest adds its part of the way to the mark. */
static int mark(weft_worker *self, void *item, void *ctx)
{
    ((struct number *)item)->mark += (uint64_t)1 << *(const unsigned *)ctx;
    return 0;
}

static const unsigned levels[] = { 0, 1, 2, 3, 4 };

/* A router whose paths have routers, `depth` of them; a 1 in the value is a
 * path with a stage. */
static weft_pipeline *nest(unsigned depth, unsigned orders)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    struct weft_path paths[2] = { { .name = "no" }, { .name = "yes" } };

    if (!depth)
        return p;
    for (int i = 0; i < 2; i++)
        paths[i].stages = weft_pipeline_create(NULL);
    weft_stage(paths[1].stages,
               weft_config(stage, .name = "mark", .fn = mark,
                           .ctx = (void *)(uintptr_t)&levels[depth - 1],
                           .tokens = 1,
                           .order = orders & 1 ? WEFT_INPUT : WEFT_ANY));
    for (int i = 0; i < 2; i++) {
        weft_pipeline *deeper = nest(depth - 1, orders >> 1);
        weft_embed(paths[i].stages, "deeper", deeper);
        weft_pipeline_destroy(deeper);
    }
    weft_router(p, weft_config(router, .name = "router", .fn = by_bit,
                               .ctx = (void *)(uintptr_t)&levels[depth - 1],
                               .paths = paths, .path_count = 2,
                               .join = orders & 2 ? WEFT_INPUT : WEFT_ANY));
    for (int i = 0; i < 2; i++)
        weft_pipeline_destroy(paths[i].stages);
    return p;
}

Test(router, routers_inside_of_routers_lead_each_item_its_way, .timeout = 120)
{
    enum { N = 16 * TIMES(40, 5) };
    struct number got;

    for (unsigned orders = 0; orders < 64; orders++) {
        struct numbers source = { .end = N };
        weft_sched *sched = workers(1 + orders % 3);
        weft_pipeline *p = drawing(1 + orders % 9), *part = nest(4, orders);

        weft_source(p, "numbers", give, &source);
        weft_embed(p, NULL, part);
        weft_consumer(p, WEFT_INPUT);
        weft_pipeline_destroy(part);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t i = 0; i < N; i++) {
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, i);
            cr_assert_eq(got.mark, i % 16);
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

Test(router, a_fifth_router_inside_of_four_is_refused)
{
    struct numbers source = { .end = 1 };
    weft_pipeline *p = drawing(1), *part = nest(5, 0);

    weft_source(p, "numbers", give, &source);
    weft_embed(p, NULL, part);
    weft_pipeline_destroy(part);
    mistake(p, "router 'no.deeper.no.deeper.no.deeper.no.deeper.router' is "
               "inside of 4 others: that is as deep as they may be");
}
