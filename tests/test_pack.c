/* test_pack.c: graph/pack.c: items that go through stages together hide none
 * from anybody, keep their order, and part where one of them has to. */
#include "tests/pipes.h"
#include "tests/times.h"

enum { ITEMS = TIMES(200000, 20000), STAGES = 3, SELDOM = 1000 };

/* How far each item has come. In the middle one waits now and then, until an
 * other is through the last stage. */
struct journey {
    _Atomic unsigned stages[ITEMS + 2];
    uint64_t next[STAGES]; /* in order: the turn keeps it */
    _Atomic bool waits, disorder;
    int for_whom; /* 0: it never waits; else who that is, from where it is */
    bool ordered;
};

struct stop {
    struct journey *journey;
    unsigned number;
};

static int go_through(weft_worker *self, void *item, void *ctx)
{
    const struct stop *stop = ctx;
    struct journey *j = stop->journey;
    uint64_t value = value_of(item);

    if (j->ordered && j->next[stop->number]++ != value)
        store_relaxed(&j->disorder, true);
    if (j->for_whom && stop->number == 1 && value % SELDOM == SELDOM / 2 &&
        !atomic_exchange(&j->waits, true)) {
        UNTIL(load_relaxed(&j->stages[value + (uint64_t)j->for_whom]) ==
              STAGES);
        store_relaxed(&j->waits, false);
    }
    cr_assert_eq(load_relaxed(&j->stages[value]), stop->number);
    store_relaxed(&j->stages[value], stop->number + 1);
    return 0;
}

static void all_go_through(struct journey how, unsigned count)
{
    static const char *const names[STAGES] = { "a", "b", "c" };
    struct journey *j = calloc(1, sizeof *j);
    struct numbers source = { .end = ITEMS };
    struct stop stops[STAGES];
    weft_sched *sched = workers(count);
    weft_pipeline *p = drawing(64);

    cr_assert(j);
    j->for_whom = how.for_whom;
    j->ordered = how.ordered;
    weft_source(p, "numbers", give, &source);
    for (unsigned i = 0; i < STAGES; i++) {
        stops[i] = (struct stop){ j, i };
        weft_stage(p, weft_config(stage, .name = names[i], .fn = go_through,
                                  .tokens = j->ordered ? 1 : 64,
                                  .order = j->ordered ? WEFT_INPUT : WEFT_ANY,
                                  .ctx = &stops[i]));
    }
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (weft_wait(run, 1, NULL) == -ETIMEDOUT)
        balanced(run);
    cr_assert_eq(flow_of(run, 0).delivered, ITEMS);
    ended(run, 0);
    cr_assert(!j->disorder);
    for (unsigned i = 0; i < ITEMS; i++)
        cr_assert_eq(j->stages[i], STAGES);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    free(j);
}

Test(pack, an_item_that_blocks_holds_up_none_behind_it, .timeout = 120)
{
    for (unsigned n = 2; n <= 4; n++)
        all_go_through((struct journey){ .for_whom = 1 }, n);
}

Test(pack, an_item_that_blocks_holds_up_none_before_it, .timeout = 120)
{
    for (unsigned n = 2; n <= 4; n++) {
        all_go_through((struct journey){ .for_whom = -1 }, n);
        all_go_through((struct journey){ .for_whom = -1, .ordered = true }, n);
    }
}

Test(pack, all_go_through_each_stage_once_and_in_order, .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        all_go_through((struct journey){ .ordered = false }, n);
        all_go_through((struct journey){ .ordered = true }, n);
    }
}

/* Every so many items one leaves the others, in one way or another. */
struct strict {
    struct numbers source;
    uint64_t next[STAGES];
    _Atomic unsigned inside[STAGES];
    _Atomic bool disorder, crowd;
    _Atomic uint64_t called;
    _Atomic(struct weft_run *) run;
    uint64_t cancel_at;
};

struct post {
    struct strict *strict;
    unsigned number;
};

static int be_strict(weft_worker *self, void *item, void *ctx)
{
    const struct post *post = ctx;
    struct strict *s = post->strict;
    unsigned i = post->number;
    uint64_t value = value_of(item);

    add_relaxed(&s->called, 1);
    if (add_relaxed(&s->inside[i], 1))
        store_relaxed(&s->crowd, true);
    if (value < s->next[i])
        store_relaxed(&s->disorder, true);
    s->next[i] = value + 1;
    add_relaxed(&s->inside[i], -1u);
    if (i == 1 && value == s->cancel_at) {
        UNTIL(load_relaxed(&s->run));
        weft_cancel(load_relaxed(&s->run));
    }
    switch (value % 23 * STAGES + i) {
    case 3 * STAGES:
        return WEFT_FILTER;
    case 7 * STAGES + 1:
        return -EIO;
    case 11 * STAGES + 2:
        return WEFT_FILTER;
    case 16 * STAGES + 1:
        return pend(self, item, NULL);
    default:
        return 0;
    }
}

static struct weft_run *strictly(struct strict *s, struct post posts[],
                                 weft_sched *sched, weft_plan **plan)
{
    static const char *const names[STAGES] = { "a", "b", "c" };
    weft_pipeline *p = skipping(64);

    weft_source(p, "numbers", give, &s->source);
    for (unsigned i = 0; i < STAGES; i++) {
        posts[i] = (struct post){ s, i };
        weft_stage(p, weft_config(stage, .name = names[i], .fn = be_strict,
                                  .tokens = 1, .order = WEFT_INPUT,
                                  .ctx = &posts[i]));
    }
    *plan = pipeline_plan(p);
    return started(sched, *plan);
}

Test(pack, who_parts_from_the_others_keeps_their_order, .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        struct strict s = { .source = { .end = ITEMS },
                            .cancel_at = UINT64_MAX };
        struct post posts[STAGES];
        weft_sched *sched = workers(n);
        weft_plan *plan;

        struct weft_run *run = strictly(&s, posts, sched, &plan);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        struct weft_flow flow = flow_of(run, 0);
        cr_assert_eq(flow.fed, ITEMS);
        cr_assert_eq(flow.failed, (ITEMS + 15) / 23);
        cr_assert_eq(flow.filtered, (ITEMS + 19) / 23 + (ITEMS + 11) / 23);
        cr_assert(!s.disorder && !s.crowd);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

Test(pack, none_is_called_after_a_cancel_but_those_that_run, .timeout = 120)
{
    for (unsigned round = 0; round < TIMES(200, 20); round++) {
        struct strict s = { .source = { .end = ITEMS },
                            .cancel_at = 23u * (200 + round) };
        struct post posts[STAGES];
        weft_sched *sched = workers(2);
        weft_plan *plan;

        struct weft_run *run = strictly(&s, posts, sched, &plan);
        store_relaxed(&s.run, run);
        cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
        struct weft_flow flow = flow_of(run, 0);
        cr_assert(flow.cancelled <= 64);
        cr_assert_eq(flow.in_flight, 0);
        cr_assert(s.next[1] <= s.cancel_at + 2);
        cr_assert(!s.disorder && !s.crowd);
        ended(run, -ECANCELED);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}
