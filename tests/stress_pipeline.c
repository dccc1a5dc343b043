/* stress_pipeline.c: what the arguments in graph/ promise when everything goes
 * wrong at once: budgets whose items overtake each other, runs that are stopped
 * and freed under the hands of whoever ends them. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "graph/budget.h"
#include "tests/aborts.h"
#include "tests/runs.h"

enum { LONG_MS = 5000 }; /* what does not end by then hangs */

static weft_plan *drawn(weft_pipeline *p)
{
    weft_plan *plan = NULL;
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

/* ---- the budget -------------------------------------------------------- */

/* Were it to wait, then behind a younger one that waits for what others hold:
 * and these may wait for their turn behind it. */
Test(budget, who_wants_nothing_never_waits)
{
    struct budget b;
    struct slot slot[4] = { 0 };

    cr_assert_eq(wf_budget_init(&b, 10, 1), 0);
    wf_budget_share(&b, 0, (struct share){ .into = NOWHERE, .asks = true });
    for (int i = 0; i < 4; i++)
        wf_budget_flows(&b, &slot[i]);
    cr_assert(wf_budget_ask(&b, &slot[0], 4, NULL));
    cr_assert(wf_budget_ask(&b, &slot[2], 6, NULL));
    cr_assert(!wf_budget_ask(&b, &slot[3], 5, NULL));
    cr_assert(wf_budget_ask(&b, &slot[1], 0, NULL));
    wf_budget_finish(&b);
}

/* The first item waits in a stage until the second one, which was reserved
 * before it and fed after it, has all bytes and waits for its turn. */
static _Atomic unsigned has_asked;

static int wait_for_the_other(weft_worker *self, void *item, void *ctx)
{
    while (weft_item_number(item) == 0 && !load_relaxed(&has_asked))
        usleep(50);
    return 0;
}

static uint64_t all_bytes(const void *item, void *ctx)
{
    if (weft_item_number(item) == 1)
        store_relaxed(&has_asked, 1);
    else
        usleep(10000);
    return 10;
}

static int pass_on(weft_worker *self, void *item, void *ctx) { return 0; }

Test(budget, the_oldest_is_who_was_fed_first_not_who_was_reserved_first,
     .timeout = 60)
{
    weft_sched *sched = workers(3);
    struct weft_run *run;
    void *first, *second;

    store_relaxed(&has_asked, 0);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = 8, .slots = 4 }, .budget_bytes = 10));
    weft_source_fed(p, "in");
    weft_stage(p, weft_config(stage, .name = "wait", .fn = wait_for_the_other));
    weft_stage(p, weft_config(stage, .name = "take", .fn = pass_on,
                              .bytes = all_bytes, .order = WEFT_INPUT));
    weft_plan *plan = drawn(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_reserve(run, NULL, &second, 0, NULL), 0);
    cr_assert_eq(weft_reserve(run, NULL, &first, 0, NULL), 0);
    weft_feed(first);
    weft_feed(second);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, LONG_MS, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int produce(weft_worker *self, void *item, void *ctx)
{
    uint64_t *left = ctx;
    return (*left)-- ? 0 : WEFT_END;
}

static uint64_t five_bytes(const void *item, void *ctx) { return 5; }

/* Items move into the merge's segment with their bytes, and then another one is
 * the oldest of its input. A consumer that takes nothing must not fill all
 * slots behind the merge. */
Test(budget, R18_holds_behind_a_merge, .timeout = 60)
{
    weft_sched *sched = workers(3);
    struct weft_budget_stats stats;
    struct weft_sink_stats sink;
    struct weft_run *run;
    uint64_t left[2] = { 200, 200 };
    struct weft_path inputs[2] = { { 0 } };
    unsigned taken = 0;
    void *item;

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = 8, .slots = 64 }, .budget_bytes = 12));
    for (int i = 0; i < 2; i++) {
        inputs[i].stages = weft_pipeline_create(NULL);
        inputs[i].name = i ? "b" : "a";
        weft_source(inputs[i].stages, "in", produce, &left[i]);
        weft_stage(inputs[i].stages,
                   weft_config(stage, .name = "take", .fn = pass_on,
                               .bytes = five_bytes));
    }
    weft_merge(p, weft_config(merge, .name = "both", .inputs = inputs,
                              .input_count = 2));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = drawn(p);
    for (int i = 0; i < 2; i++)
        weft_pipeline_destroy(inputs[i].stages);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    do
        cr_assert_eq(weft_run_sink(run, &sink), 0);
    while (sink.ready < 2);
    usleep(20000);
    while (weft_next(run, &item, LONG_MS, NULL) == 1) {
        taken++;
        weft_release(item);
    }
    cr_assert_eq(taken, 400);
    cr_assert_eq(weft_wait(run, LONG_MS, NULL), 0);
    cr_assert_eq(weft_run_budget(run, &stats), 0);
    cr_assert(stats.peak <= 12 + 5);
    cr_assert_eq(stats.used, 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* What is alive of items' memory: bytes that they have, not that they may
 * have. */
struct alive {
    _Atomic uint64_t now, peak;
};

static int grow(weft_worker *self, void *item, void *ctx)
{
    struct alive *alive = ctx;
    uint64_t now = add_relaxed(&alive->now, 5) + 5;
    uint64_t peak = load_relaxed(&alive->peak);
    while (now > peak && !cas_relaxed(&alive->peak, &peak, now))
        ;
    *(uint64_t *)item = 5;
    return 0;
}

static void shrink(void *item, void *ctx)
{
    struct alive *alive = ctx;
    for (volatile int i = 0; i < 2000; i++)
        ;
    add_relaxed(&alive->now, -*(uint64_t *)item);
    *(uint64_t *)item = 0;
}

Test(budget, R18_bytes_are_given_back_after_they_were_freed, .timeout = 60)
{
    weft_sched *sched = workers(4);
    struct alive alive = { 0 };
    uint64_t left = TIMES(50000, 5000);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .bytes = 8, .slots = 32, .reset = shrink, .ctx = &alive },
        .budget_bytes = 10));
    weft_source(p, "in", produce, &left);
    weft_stage(p, weft_config(stage, .name = "grow", .fn = grow, .ctx = &alive,
                              .bytes = five_bytes));
    weft_plan *plan = drawn(p);
    cr_assert_eq(weft_run(sched, plan, NULL), 0);
    cr_assert(alive.peak <= 10 + 5);
    cr_assert_eq(alive.now, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- the end ----------------------------------------------------------- */

struct ending {
    weft_plan *plan;
    _Atomic unsigned ended;
};

static void destroy_it(struct weft_run *run, int result, void *ctx)
{
    struct ending *e = ctx;
    weft_run_destroy(run);
    weft_plan_destroy(e->plan);
    store_release(&e->ended, 1); /* for the load of who waits */
}

/* The inner runs end under the hands of whoever cancels the outer one; that
 * ends with them, and its own end frees it. */
Test(end, a_graph_may_end_and_be_freed_while_it_is_cancelled, .timeout = 60)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 2 }));
    weft_source_fed(p, "in");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass_on));
    weft_plan *inner = drawn(p);

    for (int i = 0; i < TIMES(2000, 300); i++) {
        struct ending e = { 0 };
        struct weft_run *run;
        weft_graph *g = weft_graph_create();
        weft_task_plan(g, "inner", inner);
        weft_task_plan(g, "another", inner);
        e.plan = compiled(g);
        cr_assert_eq(
            weft_start_with(&run, sched, e.plan,
                            weft_config(run, .on_end = destroy_it, .ctx = &e),
                            NULL),
            0);
        usleep((unsigned)i % 10 * 30);
        weft_cancel(run);
        while (!load_acquire(&e.ended)) /* for its store */
            usleep(10);
    }
    weft_plan_destroy(inner);
    weft_sched_destroy(sched);
}

static int add_nothing(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static int for_ever(weft_worker *self, void *item, void *ctx) { return 0; }

/* A consumer that holds all slots, and is still told that there is no more. */
static void stop_while_all_is_held(weft_sched *sched, bool gathers,
                                   void (*stop)(struct weft_run *), int rc)
{
    struct weft_run *run;
    void *held[4], *item;
    int told;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 3 }));
    weft_source(p, "in", for_ever, NULL);
    if (gathers)
        weft_gather(p, weft_config(gather, .name = "pair", .fn = add_nothing,
                                   .count = 2,
                                   .items = { .bytes = 8, .slots = 3 }));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = drawn(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(weft_next(run, &held[i], -1, NULL), 1);
    stop(run);
    unsigned n = 2;
    while ((told = weft_next(run, &item, LONG_MS, NULL)) == 1)
        held[n++] = item;
    cr_assert_eq(told, rc);
    cr_assert_eq(weft_next(run, &item, LONG_MS, NULL), 0);
    while (n)
        weft_release(held[--n]);
    cr_assert_eq(weft_wait(run, LONG_MS, NULL), rc);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
}

Test(end, it_is_told_to_a_consumer_that_holds_all_slots, .timeout = 120)
{
    weft_sched *sched = workers(2);

    for (int i = 0; i < TIMES(1000, 200); i++) {
        stop_while_all_is_held(sched, false, weft_drain, 0);
        stop_while_all_is_held(sched, false, weft_cancel, -ECANCELED);
        stop_while_all_is_held(sched, true, weft_cancel, -ECANCELED);
    }
    weft_sched_destroy(sched);
}

/* As in graph/pipeline.h, which has a `count` of its own. */
void wf_flow_hold(struct slot *slot);
void wf_flow_finish(weft_worker *self, struct slot *slot);

static void *twice;

static bool release_again(void)
{
    weft_release(twice);
    return true;
}

/* The worker that offered the item may be late and still hold its slot. */
Test(end, who_releases_twice_is_told_while_a_worker_has_the_slot, .timeout = 60)
{
    weft_sched *sched = workers(1);
    struct weft_run *run;
    uint64_t left = 1;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 2 }));
    weft_source(p, "in", produce, &left);
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = drawn(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_next(run, &twice, -1, NULL), 1);
    wf_flow_hold(slot_of_item(twice));
    weft_release(twice);
    cr_assert(is_misuse(release_again,
                        "weft_release: item 0 is not yours: it was released "
                        "before, or never taken with weft_next"));
    cr_assert_eq(weft_wait(run, 0, NULL), -ETIMEDOUT);
    wf_flow_finish(NULL, slot_of_item(twice));
    cr_assert_eq(weft_wait(run, LONG_MS, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

struct known {
    struct weft_run *run;
    _Atomic unsigned ended, unknown;
};

static void is_known(struct weft_run *run, int result, void *ctx)
{
    struct known *k = ctx;
    add_relaxed(&k->unknown, k->run != run || result != -ETIMEDOUT);
    add_release(&k->ended, 1); /* for the load of who waits */
}

/* A run without a source of its own that may be over before weft_start is. */
Test(end, who_starts_a_run_knows_it_before_its_deadline_ends_it, .timeout = 120)
{
    weft_sched *sched = workers(3);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 3000 }));
    weft_source_fed(p, "in");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass_on));
    weft_plan *plan = drawn(p);

    for (int i = 0; i < TIMES(500, 100); i++) {
        struct known k = { 0 };
        cr_assert_eq(weft_start_with(&k.run, sched, plan,
                                     weft_config(run, .deadline_ms = 1,
                                                 .on_end = is_known, .ctx = &k),
                                     NULL),
                     0);
        while (!load_acquire(&k.ended)) /* for its store */
            usleep(50);
        cr_assert_eq(k.unknown, 0);
        weft_run_destroy(k.run);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
