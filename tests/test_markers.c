/* test_markers.c: the ends of epochs pass routers, merges, scatters and gathers
 * of gathers; and what becomes of them where a run is cancelled. */
#include "tests/pipes.h"

enum { LENGTH = 10 }; /* of an epoch */

static uint64_t epoch_of(const void *item) { return value_of(item) / LENGTH; }

/* Each epoch has so many items, all of its own, then its end comes. */
static void epochs_of(struct weft_run *run, uint64_t epochs, uint64_t items)
{
    void *item;

    for (uint64_t e = 0; e < epochs; e++) {
        for (uint64_t i = 0; i < items; i++) {
            cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
            cr_assert_eq(epoch_of(item), e);
            cr_assert_eq(weft_item_epoch(item), e);
            weft_release(item);
            balanced(run);
        }
        cr_assert_eq(weft_next(run, &item, -1, NULL), WEFT_EPOCH);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    ended(run, 0);
}

static int split(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = value_of(item) % 3 ? (unsigned)(value_of(item) % 2) : WEFT_ANY_PATH;
    return 0;
}

Test(markers, they_go_around_the_paths_of_a_router, .timeout = 60)
{
    enum { EPOCHS = TIMES(500, 80) };

    for (unsigned i = 0; i < 12; i++) {
        struct numbers source = { .end = EPOCHS * LENGTH, .epoch = LENGTH };
        weft_sched *sched = workers(1 + i / 4);
        weft_pipeline *p = drawing(i % 4 < 2 ? 3 : 16);
        struct way way = { 0 };
        weft_pipeline *a = row_of(pend, NULL), *b = in_order_row(&way);
        struct weft_path paths[] = { { .name = "a", .stages = a },
                                     { .name = "b", .stages = b } };

        weft_stage(a, weft_config(stage, .name = "dawdle", .fn = dawdle));
        weft_source(p, "numbers", give, &source);
        weft_router(p, weft_config(router, .name = "router", .fn = split,
                                   .paths = paths, .path_count = 2,
                                   .join = i % 2 ? WEFT_INPUT : WEFT_ANY));
        weft_consumer(p, i % 2 ? WEFT_ANY : WEFT_INPUT);
        weft_pipeline_destroy(a);
        weft_pipeline_destroy(b);
        weft_plan *plan = pipeline_plan(p);
        epochs_of(started(sched, plan), EPOCHS, LENGTH);
        cr_assert_eq(way.wrong, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

static int two_pieces(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct number *from = item;

    if (from->mark++ == 2)
        return WEFT_END;
    *(struct number *)piece = (struct number){ .value = from->value };
    return 0;
}

Test(markers, they_come_behind_the_last_piece_of_an_epoch, .timeout = 60)
{
    enum { EPOCHS = TIMES(500, 80) };

    for (unsigned i = 0; i < 12; i++) {
        struct numbers source = { .end = EPOCHS * LENGTH, .epoch = LENGTH };
        weft_sched *sched = workers(1 + i / 4);
        weft_pipeline *p = drawing(6);

        weft_source(p, "numbers", give, &source);
        weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
        weft_scatter(p, weft_config(scatter, .name = "cut", .fn = two_pieces,
                                    .order = i % 2 ? WEFT_INPUT : WEFT_ANY,
                                    .items = slots_of(1 + i % 4 * 2)));
        weft_stage(p, weft_config(stage, .name = "again", .fn = dawdle));
        weft_consumer(p, WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        epochs_of(started(sched, plan), EPOCHS, 2 * LENGTH);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* A batch has the value of its first item, and counts them in its mark. */
static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct number *b = batch, *n = item;

    if (!b->mark)
        b->value = n->value;
    if (weft_item_epoch(batch) != weft_item_epoch(item))
        return -EPROTO;
    b->mark += n->mark ? n->mark : 1;
    return 0;
}

static void clear(void *batch, void *ctx)
{
    *(struct number *)batch = (struct number){ 0 };
}

static void gather(weft_pipeline *p, const char *name, unsigned count,
                   bool drops)
{
    struct weft_gather_config c = { .size = sizeof c,
                                    .name = name,
                                    .fn = add,
                                    .count = count,
                                    .items = slots_of(2) };
    c.items.reset = clear;
    c.rest = drops ? WEFT_DROP : WEFT_FLUSH;
    weft_gather(p, &c);
}

/* 10 items are 3, 3, 3, 1; two of these are 6 and 4, or 6 and 3. */
Test(markers, each_gather_behind_another_is_flushed_or_drops, .timeout = 60)
{
    enum { EPOCHS = TIMES(300, 60) };

    for (unsigned i = 0; i < 12; i++) {
        struct numbers source = { .end = EPOCHS * LENGTH, .epoch = LENGTH };
        struct number got = { 0 };
        bool drops = i % 2, drops_too = i / 2 % 2;
        unsigned batches = drops_too ? 1 : 2;
        uint64_t first = 0;
        weft_sched *sched = workers(1 + i / 4);
        weft_pipeline *p = drawing(7);

        weft_source(p, "numbers", give, &source);
        weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
        gather(p, "threes", 3, drops);
        weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
        /* of 3, 3, 3, 1 none is left over; of 3, 3, 3 one is */
        gather(p, "twos", 2, drops_too);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        if (!drops)
            batches = 2;
        for (uint64_t e = 0; e < EPOCHS; e++) {
            first = 0;
            for (unsigned k = 0; k < batches; k++) {
                cr_assert_eq(take(run, &got), 1);
                cr_assert_eq(epoch_of(&got), e);
                first += got.mark;
                balanced(run);
            }
            cr_assert_eq(first, !drops ? 10 : drops_too ? 6 : 9);
            cr_assert_eq(take(run, &got), WEFT_EPOCH);
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* ---- merges ------------------------------------------------------------ */

/* Three inputs, whose epochs are of 4, 2 and 1 items, in turn. */
static void merge_three(weft_pipeline *p, struct numbers *sources,
                        enum weft_order order, int turn, unsigned slots)
{
    static const char *const names[] = { "a", "b", "c" };
    struct weft_path inputs[3];
    struct weft_merge_config c = { .size = sizeof c,
                                   .name = "merge",
                                   .inputs = inputs,
                                   .input_count = 3,
                                   .order = order };

    for (unsigned i = 0; i < 3; i++) {
        inputs[i] =
            (struct weft_path){ .name = names[i], .stages = drawing(slots) };
        weft_source(inputs[i].stages, "numbers", give, &sources[i]);
        weft_stage(inputs[i].stages,
                   weft_config(stage, .name = "dawdle", .fn = dawdle));
    }
    c.turn = turn;
    weft_merge(p, &c);
    for (unsigned i = 0; i < 3; i++)
        weft_pipeline_destroy(inputs[i].stages);
}

/* The first has fewer epochs than the others, which go on without it. */
Test(markers, an_epoch_ends_when_all_inputs_have_ended_it, .timeout = 60)
{
    enum { EPOCHS = TIMES(400, 60), FEWER = EPOCHS / 2 };

    for (unsigned i = 0; i < 24; i++) {
        struct numbers sources[] = {
            { .end = 4 * FEWER, .epoch = 4 },
            { .end = 2 * EPOCHS, .epoch = 2, .base = 100000 },
            { .end = EPOCHS, .epoch = 1, .base = 200000 },
        };
        static const uint64_t lengths[] = { 4, 2, 1 };
        void *item;
        weft_sched *sched = workers(1 + i / 8);
        weft_pipeline *p = drawing(5);

        merge_three(p, sources, i % 2 ? WEFT_INPUT : WEFT_ANY,
                    i / 2 % 2 ? WEFT_ROUND_ROBIN : WEFT_ARRIVAL,
                    i / 4 % 2 ? 1 : 6);
        weft_stage(p, weft_config(stage, .name = "again", .fn = dawdle));
        weft_consumer(p, WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t e = 0; e < EPOCHS; e++) {
            for (unsigned k = 0; k < (e < FEWER ? 7 : 3); k++) {
                cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
                uint64_t from = value_of(item) / 100000;
                cr_assert_eq(value_of(item) % 100000 / lengths[from], e);
                cr_assert_eq(weft_item_epoch(item), e);
                weft_release(item);
                balanced(run);
            }
            cr_assert_eq(weft_next(run, &item, -1, NULL), WEFT_EPOCH);
        }
        cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* a b c a b a a, then the next one. */
Test(markers, each_epoch_begins_with_the_first_input_in_turn, .timeout = 60)
{
    enum { EPOCHS = TIMES(400, 60) };

    for (unsigned n = 1; n <= 3; n++) {
        struct numbers sources[] = {
            { .end = 4 * EPOCHS, .epoch = 4 },
            { .end = 2 * EPOCHS, .epoch = 2, .base = 100000 },
            { .end = EPOCHS, .epoch = 1, .base = 200000 },
        };
        static const unsigned from[] = { 0, 1, 2, 0, 1, 0, 0 };
        struct number got = { 0 };
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(4);

        merge_three(p, sources, WEFT_INPUT, WEFT_ROUND_ROBIN, 3);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t e = 0; e < EPOCHS; e++) {
            for (unsigned k = 0; k < 7; k++) {
                cr_assert_eq(take(run, &got), 1);
                cr_assert_eq(got.value / 100000, from[k]);
            }
            cr_assert_eq(take(run, &got), WEFT_EPOCH);
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* Two inputs are fed from outside, each with its epochs. */
Test(markers, who_feeds_an_input_ends_its_epochs, .timeout = 60)
{
    enum { EPOCHS = TIMES(500, 100) };
    static const char *const names[] = { "a.fed", "b.fed" };

    for (unsigned n = 1; n <= 2; n++) {
        struct weft_path inputs[2] = { { .name = "a" }, { .name = "b" } };
        struct number got = { 0 };
        void *item;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(4);

        for (int i = 0; i < 2; i++) {
            inputs[i].stages = drawing(3);
            weft_source_fed(inputs[i].stages, "fed");
        }
        weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                                  .input_count = 2));
        weft_consumer(p, WEFT_ANY);
        weft_pipeline_destroy(inputs[0].stages);
        weft_pipeline_destroy(inputs[1].stages);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t e = 0; e < EPOCHS; e++) {
            for (int i = 0; i < 2; i++) {
                cr_assert_eq(weft_reserve(run, names[i], &item, -1, NULL), 0);
                *(struct number *)item = (struct number){ .value = e };
                weft_feed(item);
                cr_assert_eq(weft_feed_epoch(run, names[i], -1, NULL), 0);
                cr_assert_eq(take(run, &got), 1);
                cr_assert_eq(got.value, e);
                /* b has yet to end it */
                cr_assert(i || weft_next(run, &item, 0, NULL) == -ETIMEDOUT);
            }
            cr_assert_eq(take(run, &got), WEFT_EPOCH);
        }
        /* what has ended altogether is not waited for */
        cr_assert_eq(weft_feed_end(run, names[0], NULL), 0);
        cr_assert_eq(weft_feed_epoch(run, names[1], -1, NULL), 0);
        cr_assert_eq(take(run, &got), WEFT_EPOCH);
        cr_assert_eq(weft_feed_end(run, names[1], NULL), 0);
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* ---- stops ------------------------------------------------------------- */

struct world {
    _Atomic unsigned reset;
};

static void reset(void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->reset, 1);
}

static void reset_batch(void *batch, void *ctx)
{
    clear(batch, NULL);
    reset(batch, ctx);
}

/* All shapes, short epochs, a consumer that leaves early. */
static void leave_early(weft_sched *sched, uint64_t epoch, unsigned most,
                        bool by_drain)
{
    struct numbers source = { .end = UINT64_MAX, .epoch = epoch };
    struct world w[3] = { { 0 } };
    struct weft_items of[3] = { slots_of(4), slots_of(3), slots_of(3) };
    struct weft_flow f;
    void *item;
    int rc;

    for (unsigned i = 0; i < 3; i++) {
        of[i].reset = i == 2 ? reset_batch : reset;
        of[i].ctx = &w[i];
    }
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = of[0]));
    weft_pipeline *a = row_of(pend, NULL), *b = row_of(dawdle, NULL);
    struct weft_path paths[] = { { .name = "a", .stages = a },
                                 { .name = "b", .stages = b } };
    weft_source(p, "numbers", give, &source);
    weft_router(p, weft_config(router, .name = "router", .fn = split,
                               .paths = paths, .path_count = 2,
                               .join = most % 2 ? WEFT_ANY : WEFT_INPUT));
    weft_scatter(p, weft_config(scatter, .name = "cut", .fn = two_pieces,
                                .items = of[1]));
    weft_gather(p, weft_config(gather, .name = "add", .fn = add, .count = 3,
                               .items = of[2]));
    weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
    weft_consumer(p, most % 3 ? WEFT_ANY : WEFT_INPUT);
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned taken = 0; taken < most; taken++) {
        rc = weft_next(run, &item, -1, NULL);
        cr_assert(rc == 1 || rc == WEFT_EPOCH);
        if (rc == 1)
            weft_release(item);
    }
    if (by_drain)
        weft_drain(run);
    else
        weft_cancel(run);
    while (by_drain && (rc = weft_next(run, &item, -1, NULL)) != 0)
        if (rc == 1)
            weft_release(item);
    cr_assert_eq(weft_wait(run, -1, NULL), by_drain ? 0 : -ECANCELED);
    balanced(run);
    for (unsigned i = 0; i < 3; i++) {
        f = flow_of(run, i);
        cr_assert_eq(f.in_flight, 0);
        cr_assert(!by_drain || !f.cancelled);
        /* a batch that was begun and then dropped was never fed */
        cr_assert(w[i].reset == f.fed || (i == 2 && w[i].reset == f.fed + 1));
    }
    ended(run, by_drain ? 0 : -ECANCELED);
    weft_plan_destroy(plan);
}

Test(markers, a_stop_between_epochs_leaves_nothing_behind, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *sched = workers(n);
        for (unsigned i = 0; i < TIMES(1000, 150); i++)
            leave_early(sched, 1 + i % 5, i % 37, i % 4 == 0);
        weft_sched_destroy(sched);
    }
}
