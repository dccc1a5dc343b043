/* test_burst.c: graph/burst.c: many items in one turn of the source, and none
 * of them hidden from anybody. */
#include "tests/pipes.h"
#include "tests/times.h"

enum { ITEMS = TIMES(200000, 20000), SELDOM = 1000 };

/* Which items have been through the stage. Now and then one waits there for the
 * one fed after it; or the source does, for the one fed before. */
struct watched {
    _Atomic bool through[ITEMS + 1];
    _Atomic uint64_t filled;
    bool source_waits, stage_waits;
    _Atomic bool waits; /* some item */
    enum weft_order order;
};

static int fill(weft_worker *self, void *item, void *ctx)
{
    struct watched *w = ctx;
    uint64_t value = load_relaxed(&w->filled);

    if (value == ITEMS)
        return WEFT_END;
    if (w->source_waits && value % SELDOM == SELDOM - 1)
        UNTIL(load_relaxed(&w->through[value - 1]));
    *(struct number *)item = (struct number){ .value = value };
    store_relaxed(&w->filled, value + 1);
    return 0;
}

static int go_through(weft_worker *self, void *item, void *ctx)
{
    struct watched *w = ctx;
    uint64_t value = value_of(item);

    if (w->stage_waits && value % SELDOM == SELDOM / 2 &&
        !atomic_exchange(&w->waits, true)) {
        UNTIL(load_relaxed(&w->through[value + 1]));
        store_relaxed(&w->waits, false);
    }
    cr_assert(!load_relaxed(&w->through[value]));
    store_relaxed(&w->through[value], true);
    return 0;
}

static void all_go_through(struct watched *w, unsigned count)
{
    weft_sched *sched = workers(count);
    weft_pipeline *p = drawing(64);

    weft_source(p, "fill", fill, w);
    weft_stage(p, weft_config(stage, .name = "through", .fn = go_through,
                              .order = w->order, .ctx = w));
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (weft_wait(run, 1, NULL) == -ETIMEDOUT)
        balanced(run);
    cr_assert_eq(flow_of(run, 0).delivered, ITEMS);
    ended(run, 0);
    for (unsigned i = 0; i < ITEMS; i++)
        cr_assert(w->through[i]);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    free(w);
}

static struct watched *watched(struct watched how)
{
    struct watched *w = calloc(1, sizeof *w);

    cr_assert(w);
    w->source_waits = how.source_waits;
    w->stage_waits = how.stage_waits;
    w->order = how.order;
    return w;
}

Test(burst, a_source_that_blocks_hides_no_item, .timeout = 120)
{
    for (unsigned n = 2; n <= 4; n++)
        all_go_through(watched((struct watched){ .source_waits = true }), n);
}

Test(burst, an_item_that_blocks_holds_up_none_behind_it, .timeout = 120)
{
    for (unsigned n = 2; n <= 4; n++)
        all_go_through(watched((struct watched){ .stage_waits = true }), n);
}

Test(burst, each_item_goes_through_once, .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        all_go_through(watched((struct watched){ 0 }), n);
        all_go_through(watched((struct watched){ .order = WEFT_INPUT }), n);
    }
}

/* What a source says in the middle of a turn. */
static int odd_answers(weft_worker *self, void *item, void *ctx)
{
    struct numbers *n = ctx;

    if (n->next % 997 == 500 && !n->marked) {
        n->marked = true;
        return WEFT_EPOCH;
    }
    n->marked = false;
    if (n->next == n->end)
        return n->fails_with ? n->fails_with : WEFT_END;
    *(struct number *)item = (struct number){ .value = n->next++ };
    if (n->next % 991 != 0)
        return 0;
    weft_complete(self, item, 0);
    return WEFT_PENDING;
}

Test(burst, a_turn_ends_as_the_source_says, .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        struct numbers source = { .end = ITEMS };
        struct number taken;
        uint64_t count = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(64);

        source.fails_with = n % 2 ? 0 : -EIO;
        weft_source(p, "odd", odd_answers, &source);
        weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (int rc; (rc = take(run, &taken));)
            if (rc == 1)
                cr_assert_eq(taken.value, count++);
        cr_assert_eq(count, ITEMS);
        ended(run, source.fails_with);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* Some items wait until there are so many of them: also if each comes at
 * the end of a burst, all of whose slots are spent. */
enum { MEET = 24 };

struct waiters {
    struct numbers source;
    weft_future *all;
    _Atomic unsigned count;
};

static int wait_for_all(weft_worker *self, void *item, void *ctx)
{
    struct waiters *w = ctx;

    if (value_of(item) < 1000 || value_of(item) % 8 != 7 ||
        load_relaxed(&w->count) >= MEET)
        return 0;
    if (add_relaxed(&w->count, 1) + 1 == MEET)
        weft_future_complete(w->all, 0);
    return weft_future_wait(w->all, -1);
}

Test(burst, who_waits_hides_no_slot, .timeout = 60)
{
    for (unsigned n = 2; n <= 3; n++) {
        struct waiters w = { .source = { .end = ITEMS } };
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(64);

        cr_assert_eq(weft_promise(sched, &w.all, NULL), 0);
        weft_source(p, "numbers", give, &w.source);
        weft_stage(p, weft_config(stage, .name = "wait", .fn = wait_for_all,
                                  .tokens = 64, .ctx = &w));
        weft_plan *plan = pipeline_plan(p);
        ended(started(sched, plan), 0);
        cr_assert(w.count >= MEET);
        weft_future_destroy(w.all);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}
