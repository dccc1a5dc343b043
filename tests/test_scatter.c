/* test_scatter.c: graph/scatter.c: one item becomes none, some, or any number
 * of pieces, each made when there is room for it. */
#include "tests/pipes.h"

/* Cuts an item into so many pieces, numbered by their marks. */
struct cutter {
    unsigned most; /* value % (most + 1) of them; 0: always `pieces` */
    uint64_t pieces;
    uint64_t fails; /* this item does, after its second piece */
    _Atomic uint64_t calls, made;
};

static int cut(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct cutter *c = ctx;
    struct number *from = item;
    uint64_t count = c->most ? from->value % (c->most + 1) : c->pieces;

    add_relaxed(&c->calls, 1);
    if (c->fails && from->value == c->fails && from->mark == 2)
        return weft_fail(item, -EIO, "torn");
    if (from->mark == count)
        return WEFT_END;
    *(struct number *)piece =
        (struct number){ .value = from->value, .mark = from->mark++ };
    add_relaxed(&c->made, 1);
    return 0;
}

static void scatter(weft_pipeline *p, struct cutter *c, enum weft_order order,
                    unsigned slots)
{
    weft_scatter(p, weft_config(scatter, .name = "cut", .fn = cut, .ctx = c,
                                .order = order, .items = slots_of(slots)));
}

/* ---- how many, in which order ------------------------------------------ */

static void some_pieces(unsigned most, unsigned slots, unsigned worker_count)
{
    enum { N = TIMES(2000, 300) };
    struct numbers source = { .end = N };
    struct cutter c = { .most = most };
    uint64_t pieces = 0;
    void *item;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = drawing(slots);

    weft_source(p, "numbers", give, &source);
    weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
    scatter(p, &c, WEFT_INPUT, slots);
    weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (uint64_t i = 0; i < N; i++)
        for (uint64_t k = 0; k < i % (most + 1); k++, pieces++) {
            cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
            cr_assert_eq(value_of(item), i);
            cr_assert_eq(((struct number *)item)->mark, k);
            cr_assert_eq(weft_item_origin(item), i);
            cr_assert_eq(weft_item_number(item), pieces);
            weft_release(item);
        }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, N);
    cr_assert_eq(flow_of(run, 1).delivered, pieces);
    cr_assert_eq(c.calls, pieces + N);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(scatter, an_item_becomes_no_piece_or_some_in_order, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 7; slots += 3)
            for (unsigned most = 1; most <= 5; most += 2)
                some_pieces(most, slots, n);
}

Test(scatter, in_any_order_every_piece_comes_once, .timeout = 60)
{
    enum { N = TIMES(3000, 500), PIECES = 3 };
    static unsigned char seen[N];

    for (unsigned n = 1; n <= 3; n++) {
        struct numbers source = { .end = N };
        struct cutter c = { .pieces = PIECES };
        struct number got;
        uint64_t taken = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(5);

        memset(seen, 0, sizeof seen);
        weft_source(p, "numbers", give, &source);
        weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
        scatter(p, &c, WEFT_ANY, 4);
        weft_stage(p, weft_config(stage, .name = "again", .fn = dawdle));
        weft_consumer(p, WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (; take(run, &got) == 1; taken++) {
            cr_assert(!(seen[got.value] >> got.mark & 1));
            seen[got.value] |= (unsigned char)(1 << got.mark);
        }
        cr_assert_eq(taken, PIECES * N);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

static int count_piece(weft_worker *self, void *item, void *ctx)
{
    uint64_t *next = ctx; /* plain: one slot, so one at a time */
    return ((struct number *)item)->mark == (*next)++ ? 0 : -EPROTO;
}

Test(scatter, a_million_pieces_of_one_item_pass_through_one_slot,
     .timeout = 120)
{
    enum { PIECES = TIMES(1000000, 30000) };

    for (unsigned n = 1; n <= 2; n++) {
        struct numbers source = { .end = 1 };
        struct cutter c = { .pieces = PIECES };
        uint64_t next = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(1);

        weft_source(p, "numbers", give, &source);
        scatter(p, &c, WEFT_ANY, 1);
        weft_stage(p, weft_config(stage, .name = "count", .fn = count_piece,
                                  .ctx = &next));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        ended(run, 0);
        cr_assert_eq(next, PIECES);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* ---- room -------------------------------------------------------------- */

/* All pieces stand still: as many are made as there are slots, and the next
 * one when one of them has gone. */
Test(scatter, no_piece_is_made_before_there_is_room_for_it, .timeout = 60)
{
    enum { SLOTS = 3, PIECES = 20 };

    for (unsigned n = 1; n <= 3; n++) {
        struct numbers source = { .end = 4 };
        struct cutter c = { .pieces = PIECES };
        struct held held = HELD;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(2);

        weft_source(p, "numbers", give, &source);
        scatter(p, &c, WEFT_INPUT, SLOTS);
        weft_stage(p, weft_config(stage, .name = "hold", .fn = hold,
                                  .ctx = &held, .tokens = 16));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (unsigned gone = 0; gone < PIECES - SLOTS; gone++) {
            UNTIL(held_by(&held) == SLOTS);
            usleep(500); /* for it to make more if it would */
            cr_assert_eq(c.made, SLOTS + gone);
            cr_assert_eq(c.calls, SLOTS + gone);
            cr_assert_eq(flow_of(run, 1).in_flight, SLOTS);
            cr_assert_eq(flow_of(run, 0).fed, 2);
            balanced(run);
            let_go(&held, 1);
        }
        open_up(&held);
        ended(run, 0);
        cr_assert_eq(c.made, 4 * PIECES);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

static int come(weft_worker *self, void *item, void *ctx)
{
    gauge_in(ctx);
    return pend(self, item, NULL);
}

static int go(weft_worker *self, void *item, void *ctx)
{
    gauge_out(ctx);
    return 0;
}

Test(scatter, pieces_in_flight_are_never_more_than_slots, .timeout = 60)
{
    enum { N = TIMES(300, 50) };

    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 4; slots++) {
            struct numbers source = { .end = N };
            struct cutter c = { .pieces = 50 };
            struct gauge gauge = { 0 };
            weft_sched *sched = workers(n);
            weft_pipeline *p = drawing(4);

            weft_source(p, "numbers", give, &source);
            scatter(p, &c, WEFT_ANY, slots);
            weft_stage(p, weft_config(stage, .name = "come", .fn = come,
                                      .ctx = &gauge));
            weft_stage(
                p, weft_config(stage, .name = "go", .fn = go, .ctx = &gauge));
            weft_plan *plan = pipeline_plan(p);
            struct weft_run *run = started(sched, plan);
            ended(run, 0);
            cr_assert(gauge.most <= slots);
            cr_assert_eq(c.made, 50 * N);
            weft_plan_destroy(plan);
            weft_sched_destroy(sched);
        }
}

/* ---- failures, stops --------------------------------------------------- */

struct reports {
    unsigned count;
    uint64_t item;
    char text[256];
};

static void report(const struct weft_failure *f, void *item, void *ctx)
{
    struct reports *r = ctx;
    r->count++;
    r->item = f->item;
    snprintf(r->text, sizeof r->text, "%s: %s", f->stage, f->text);
}

/* Item 5 is torn after its second piece. */
static void torn(enum weft_policy policy, unsigned worker_count)
{
    struct numbers source = { .end = 100 };
    struct cutter c = { .pieces = 4, .fails = 5 };
    struct reports reports = { 0 };
    struct number got;
    int rc = 1;
    weft_sched *sched = workers(worker_count);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(3), .on_failure = report,
                    .ctx = &reports, .failures = { .policy = policy }));

    weft_source(p, "numbers", give, &source);
    scatter(p, &c, WEFT_INPUT, 2);
    weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (uint64_t i = 0; i < (policy == WEFT_SKIP ? 100 : 6); i++)
        for (uint64_t k = 0; k < (i == 5 ? 2 : 4); k++) {
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, i);
            cr_assert_eq(got.mark, k);
        }
    rc = take(run, &got);
    cr_assert_eq(rc, policy == WEFT_SKIP ? 0 : -EIO);
    cr_assert_eq(take(run, &got), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), rc);
    cr_assert_eq(flow_of(run, 0).failed, 1);
    cr_assert_eq(flow_of(run, 1).failed, 0);
    cr_assert_eq(reports.count, 1);
    cr_assert_eq(reports.item, 5);
    cr_assert_eq(strcmp(reports.text, "cut: torn"), 0);
    ended(run, rc);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(scatter, the_pieces_before_a_failure_are_delivered, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++)
        for (int i = 0; i < TIMES(50, 10); i++) {
            torn(WEFT_SKIP, n);
            torn(WEFT_STOP, n);
        }
}

static int odd_result(weft_worker *self, void *item, void *piece, void *ctx)
{
    return WEFT_PENDING;
}

Test(scatter, a_result_that_it_cannot_have_is_a_failure_with_a_sentence)
{
    struct numbers source = { .end = 1 };
    weft_error why;
    weft_sched *sched = workers(1);
    weft_pipeline *p = drawing(1);

    weft_source(p, "numbers", give, &source);
    weft_scatter(p, weft_config(scatter, .name = "cut", .fn = odd_result,
                                .items = slots_of(1)));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, &why), -EINVAL);
    cr_assert_eq(strcmp(why.text, "stage 'cut' failed on item 0, attempt 1: "
                                  "EINVAL: the scatter returned 3"),
                 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

struct world {
    _Atomic unsigned reset, finished;
};

static void reset(void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->reset, 1);
}

static void finish(void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->finished, 1);
}

/* The first item would never come to its end. */
static void endless(weft_sched *sched, bool held_back, unsigned most)
{
    struct numbers source = { .end = UINT64_MAX };
    struct cutter c = { .pieces = UINT64_MAX };
    struct world items = { 0 }, pieces = { 0 };
    struct held held = HELD;
    void *item;
    struct weft_items of[2] = { slots_of(3), slots_of(4) };

    of[0].reset = of[1].reset = reset;
    of[0].finish = of[1].finish = finish;
    of[0].ctx = &items;
    of[1].ctx = &pieces;
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = of[0]));
    weft_source(p, "numbers", give, &source);
    weft_scatter(p, weft_config(scatter, .name = "cut", .fn = cut, .ctx = &c,
                                .items = of[1]));
    if (held_back)
        weft_stage(p, weft_config(stage, .name = "hold", .fn = hold,
                                  .ctx = &held, .tokens = 16));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; !held_back && i < most; i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        weft_release(item);
    }
    if (held_back)
        UNTIL(held_by(&held) == 4);
    weft_cancel(run);
    open_up(&held);
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    cr_assert_eq(items.reset, flow_of(run, 0).fed);
    cr_assert_eq(pieces.reset, c.made);
    cr_assert_eq(flow_of(run, 0).delivered, 0);
    cr_assert_eq(flow_of(run, 1).delivered, held_back ? 0 : most);
    ended(run, -ECANCELED);
    cr_assert_eq(items.finished, 3);
    cr_assert_eq(pieces.finished, 4);
    weft_plan_destroy(plan);
}

Test(scatter, an_endless_one_is_cancelled, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *sched = workers(n);
        for (unsigned i = 0; i < TIMES(500, 100); i++)
            endless(sched, i % 8 == 0, i % 23);
        weft_sched_destroy(sched);
    }
}

/* ---- with gathers ------------------------------------------------------ */

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct number *b = batch;
    if (!b->value++)
        b->mark = 0;
    return 0;
}

static void clear(void *batch, void *ctx)
{
    *(struct number *)batch = (struct number){ 0 };
}

static int as_many(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct number *from = item;
    if (from->mark == from->value)
        return WEFT_END;
    *(struct number *)piece = (struct number){ .value = 1, .mark = 0 };
    from->mark++;
    return 0;
}

/* 4 pieces each, batches of 7, and as many pieces as a batch has items. */
Test(scatter, pieces_are_gathered_and_scattered_again, .timeout = 60)
{
    enum { N = TIMES(3000, 500) };

    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 5; slots += 2) {
            struct numbers source = { .end = N };
            struct cutter c = { .pieces = 4 };
            struct number got;
            uint64_t taken = 0;
            struct weft_items batches = slots_of(slots);
            weft_sched *sched = workers(n);
            weft_pipeline *p = drawing(slots);

            batches.reset = clear;
            weft_source(p, "numbers", give, &source);
            scatter(p, &c, WEFT_ANY, slots);
            weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
            weft_gather(p, weft_config(gather, .name = "add", .fn = add,
                                       .count = 7, .items = batches));
            weft_scatter(p, weft_config(scatter, .name = "again", .fn = as_many,
                                        .items = slots_of(slots)));
            weft_consumer(p, WEFT_ANY);
            weft_plan *plan = pipeline_plan(p);
            struct weft_run *run = started(sched, plan);
            while (take(run, &got) == 1)
                taken += got.value;
            cr_assert_eq(taken, 4 * N);
            cr_assert_eq(weft_wait(run, -1, NULL), 0);
            cr_assert_eq(flow_of(run, 1).delivered, 4 * N);
            cr_assert_eq(flow_of(run, 2).delivered, (4 * N + 6) / 7);
            cr_assert_eq(flow_of(run, 3).delivered, 4 * N);
            ended(run, 0);
            weft_plan_destroy(plan);
            weft_sched_destroy(sched);
        }
}
