/* test_borders.c: R18 where items of several segments load: the peak is the
 * budget and one item, whatever leads into what; graph/budget.c is tested alone
 * in test_budget.c. */
#include "tests/pipes.h"

enum { BUDGET = 100, MOST = 150, INPUTS = 8, ITEMS = TIMES(200, 80) };

/* 1 .. MOST, as chance has it. */
static uint64_t some(const void *item, void *ctx)
{
    uint64_t n = (weft_item_number(item) + 1) * 0x9e3779b97f4a7c15u;
    return 1 + (n >> 32) % MOST;
}

static uint64_t all(const void *item, void *ctx) { return BUDGET; }

static unsigned seed; /* 0: threads; else chance has it who overtakes whom */

/* Those behind it overtake it now and then. */
static int dally(weft_worker *self, void *item, void *ctx)
{
    if (!seed && weft_item_number(item) % 5 == 0)
        usleep(50);
    return 0;
}

static int loads(weft_worker *self, void *item, void *ctx) { return 0; }

static void load(weft_pipeline *p, const char *name, weft_bytes_fn *bytes)
{
    char behind[16];

    snprintf(behind, sizeof behind, "%s-use", name);
    weft_stage(p, weft_config(stage, .name = name, .fn = loads, .bytes = bytes,
                              .tokens = 3));
    weft_stage(p, weft_config(stage, .name = behind, .fn = dally, .tokens = 3));
}

static int put_in(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static int cut_in_two(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct number *n = item;
    return n->mark++ == 2 ? WEFT_END : 0;
}

static bool comes_within(struct weft_run *run, int timeout_ms)
{
    void *item;
    int rc = weft_next(run, &item, timeout_ms, NULL);

    if (rc == 1)
        weft_release(item);
    return rc == 1;
}

static void run_it(unsigned worker_count, weft_plan *plan, struct numbers *from,
                   unsigned sources, uint64_t items, uint64_t most)
{
    struct weft_budget_stats b;
    struct number n;
    weft_sched *sched = workers_by(worker_count, seed);

    for (unsigned i = 0; i < sources; i++)
        from[i].next = 0;
    struct weft_run *run = started(sched, plan);
    for (uint64_t i = 0; i < items; i++) {
        bool came = comes_within(run, 60000);
        if (!came)
            fprintf(stderr, "seed %u: item %lu does not come\n", seed,
                    (unsigned long)i);
        cr_assert(came);
    }
    cr_assert_eq(take(run, &n), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_budget(run, &b), 0);
    cr_assert_eq(b.used, 0);
    if (b.peak > most)
        printf("the peak is %lu, above %lu\n", (unsigned long)b.peak,
               (unsigned long)most);
    cr_assert(b.peak <= most);
    ended(run, 0);
    weft_sched_destroy(sched);
}

/* Runs it on 1 to 3 workers, and by many seeds: `items` come, and the peak is
 * never above. */
static void peak_is(weft_pipeline *p, struct numbers *from, unsigned sources,
                    uint64_t items, uint64_t most)
{
    unsigned seeds = is_long() ? 400 : TIMES(5, 3);
    weft_plan *plan = pipeline_plan(p);

    seed = 0;
    for (unsigned w = 1; w <= 3; w++)
        run_it(w, plan, from, sources, items, most);
    for (seed = 1; seed <= seeds; seed++)
        run_it(1 + seed % 3, plan, from, sources, items, most);
    seed = 0;
    weft_plan_destroy(plan);
}

static weft_pipeline *with_budget(unsigned slots)
{
    return weft_pipeline_create(weft_config(pipeline, .items = slots_of(slots),
                                            .budget_bytes = BUDGET));
}

/* ---- merges ------------------------------------------------------------ */

/* Inputs that load, and load again behind the merge. */
static weft_pipeline *merging(struct numbers *from, int turn,
                              weft_bytes_fn *bytes, bool again, unsigned slots)
{
    struct weft_path inputs[INPUTS] = { { 0 } };
    weft_pipeline *p = with_budget(slots);
    char name[INPUTS][8];

    for (unsigned i = 0; i < INPUTS; i++) {
        snprintf(name[i], sizeof name[i], "in%u", i);
        inputs[i] = (struct weft_path){ .name = name[i],
                                        .weight = 1 + i % 3,
                                        .stages = weft_pipeline_create(NULL) };
        from[i] = (struct numbers){ .end = ITEMS };
        weft_source(inputs[i].stages, "source", give, &from[i]);
        load(inputs[i].stages, "load", bytes);
    }
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                              .input_count = INPUTS, .turn = turn));
    for (unsigned i = 0; i < INPUTS; i++)
        weft_pipeline_destroy(inputs[i].stages);
    if (again)
        load(p, "again", bytes);
    weft_consumer(p, WEFT_ANY);
    return p;
}

Test(borders, R18_inputs_that_all_load_have_one_item_above_the_budget,
     .timeout = 3000)
{
    const int turns[] = { WEFT_ARRIVAL, WEFT_ROUND_ROBIN, WEFT_WEIGHTED };
    struct numbers from[INPUTS];

    for (unsigned i = 0; i < 3; i++)
        for (unsigned slots = 1; slots <= 8; slots += 7) {
            peak_is(merging(from, turns[i], all, false, slots), from, INPUTS,
                    INPUTS * ITEMS, BUDGET + BUDGET);
            peak_is(merging(from, turns[i], some, true, slots), from, INPUTS,
                    INPUTS * ITEMS, BUDGET + MOST);
        }
}

/* ---- one segment behind the other -------------------------------------- */

static void gather(weft_pipeline *p, const char *name, unsigned slots)
{
    weft_gather(p, weft_config(gather, .name = name, .fn = put_in, .count = 2,
                               .items = slots_of(slots)));
}

Test(borders, R18_batches_that_load_have_one_item_above_the_budget,
     .timeout = 3000)
{
    for (unsigned slots = 1; slots <= 8; slots += 7)
        for (int i = 0; i < 2; i++) {
            weft_bytes_fn *bytes = i ? some : all;
            struct numbers from = { .end = ITEMS };
            weft_pipeline *p = with_budget(slots);
            weft_source(p, "source", give, &from);
            load(p, "one", bytes);
            gather(p, "two", slots);
            load(p, "both", bytes);
            gather(p, "four", 1);
            load(p, "all", bytes);
            weft_consumer(p, WEFT_ANY);
            peak_is(p, &from, 1, ITEMS / 4, BUDGET + (i ? MOST : BUDGET));
        }
}

/* The item that is cut stays until its pieces have gone. */
Test(borders, R18_pieces_that_load_have_one_item_more_for_each_scatter,
     .timeout = 3000)
{
    for (unsigned slots = 1; slots <= 8; slots += 7) {
        struct numbers from = { .end = ITEMS };
        weft_pipeline *p = with_budget(slots);
        weft_source(p, "source", give, &from);
        load(p, "whole", some);
        weft_scatter(p, weft_config(scatter, .name = "cut", .fn = cut_in_two,
                                    .items = slots_of(slots)));
        load(p, "piece", some);
        gather(p, "two", slots);
        load(p, "both", some);
        weft_consumer(p, WEFT_ANY);
        peak_is(p, &from, 1, ITEMS, BUDGET + 2 * MOST);
    }
}

/* Inputs that load and scatter, behind a merge that loads. */
static weft_pipeline *scattering(struct numbers *from, int turn, unsigned slots)
{
    struct weft_path inputs[INPUTS] = { { 0 } };
    weft_pipeline *p = with_budget(slots);
    char name[INPUTS][8];

    for (unsigned i = 0; i < INPUTS; i++) {
        weft_pipeline *in = weft_pipeline_create(NULL);
        snprintf(name[i], sizeof name[i], "in%u", i);
        inputs[i] = (struct weft_path){ .name = name[i], .stages = in };
        from[i] = (struct numbers){ .end = ITEMS / 4 };
        weft_source(in, "source", give, &from[i]);
        load(in, "whole", some);
        weft_scatter(in, weft_config(scatter, .name = "cut", .fn = cut_in_two,
                                     .items = slots_of(slots)));
        load(in, "piece", some);
    }
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                              .input_count = INPUTS, .turn = turn));
    for (unsigned i = 0; i < INPUTS; i++)
        weft_pipeline_destroy(inputs[i].stages);
    load(p, "again", some);
    weft_consumer(p, WEFT_ANY);
    return p;
}

/* In turns, each input may have an item that is cut and waits for the others.
 */
Test(borders, R18_inputs_that_scatter_have_one_item_more_or_each_in_turns,
     .timeout = 3000)
{
    struct numbers from[INPUTS];

    for (unsigned slots = 1; slots <= 4; slots += 3) {
        peak_is(scattering(from, WEFT_ARRIVAL, slots), from, INPUTS,
                INPUTS * (ITEMS / 4) * 2, BUDGET + 2 * MOST);
        peak_is(scattering(from, WEFT_ROUND_ROBIN, slots), from, INPUTS,
                INPUTS * (ITEMS / 4) * 2, BUDGET + (INPUTS + 1) * MOST);
    }
}

/* ---- who waits for whom ------------------------------------------------ */

static _Atomic unsigned small_end;

static int give_small(weft_worker *self, void *item, void *ctx)
{
    *(struct number *)item = (struct number){ .value = 1 };
    return load_relaxed(&small_end) ? WEFT_END : 0;
}

static uint64_t forty(const void *item, void *ctx) { return 40; }

static uint64_t value_as_bytes(const void *item, void *ctx)
{
    return value_of(item);
}

/* Two inputs; items that have passed the merge ask as well. */
static weft_pipeline *two_inputs(weft_pipeline *a, weft_pipeline *b, int turn)
{
    struct weft_path inputs[2] = { { .name = "a", .stages = a },
                                   { .name = "b", .stages = b } };
    weft_pipeline *p = with_budget(8);

    weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                              .input_count = 2, .turn = turn));
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
    return p;
}

static uint64_t rarely_much(const void *item, void *ctx)
{
    return weft_item_number(item) % 100 == 5 ? MOST : 0;
}

/* One item in a hundred waits, and is passed by many of its input. */
Test(borders, inputs_in_turns_wait_for_no_item_that_waits_for_its_turn,
     .timeout = 3000)
{
    const int turns[] = { WEFT_ARRIVAL, WEFT_ROUND_ROBIN, WEFT_WEIGHTED };
    struct numbers from[2] = { { .end = 2 * ITEMS }, { .end = 2 * ITEMS } };

    for (unsigned i = 0; i < 3; i++) {
        weft_pipeline *a = weft_pipeline_create(NULL);
        weft_pipeline *b = weft_pipeline_create(NULL);
        weft_source(a, "source", give, &from[0]);
        load(a, "load", rarely_much);
        weft_source(b, "source", give, &from[1]);
        load(b, "load", forty);
        weft_pipeline *p = two_inputs(a, b, turns[i]);
        weft_consumer(p, WEFT_ANY);
        peak_is(p, from, 2, 4 * ITEMS, BUDGET + MOST);
    }
}

static int be_slow(weft_worker *self, void *item, void *ctx)
{
    usleep(100);
    return 0;
}

static uint64_t ten(const void *item, void *ctx) { return 10; }
static uint64_t fifteen(const void *item, void *ctx) { return 15; }

/* What comes back would be gone to new items, and one at a time could grow. */
Test(borders, an_item_that_has_begun_grows_before_others_begin, .timeout = 60)
{
    enum { WARM = 50 };
    struct numbers from = { .end = UINT64_MAX };
    struct held held = HELD;
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(32), .budget_bytes = 60));
    unsigned count = 0;

    weft_source(p, "source", give, &from);
    weft_stage(p, weft_config(stage, .name = "begin", .fn = pass, .bytes = ten,
                              .tokens = 32));
    weft_stage(p, weft_config(stage, .name = "grow", .fn = hold, .ctx = &held,
                              .bytes = fifteen, .tokens = 32));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned round = 0; round < WARM || count < 3; round++) {
        cr_assert(round < 1000);
        count = held_by(&held);
        let_go(&held, count);
        usleep(5000); /* others take what they had */
    }
    weft_cancel(run);
    open_up(&held);
    ended(run, -ECANCELED);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Those that ask for nothing keep coming, and ask behind the merge. */
Test(borders, R17_an_item_that_is_large_is_not_passed_for_ever, .timeout = 60)
{
    enum { LARGE = 20 };
    struct numbers from = { .end = LARGE, .base = 1000 };
    weft_pipeline *a = weft_pipeline_create(NULL);
    weft_pipeline *b = weft_pipeline_create(NULL);
    struct number n = { 0 };

    store_relaxed(&small_end, 0);
    weft_source(a, "source", give, &from);
    load(a, "load", all);
    weft_source(b, "source", give_small, NULL);
    weft_pipeline *p = two_inputs(a, b, WEFT_ARRIVAL);
    weft_stage(p,
               weft_config(stage, .name = "use", .fn = be_slow, .bytes = forty,
                           .kind = WEFT_BLOCKING, .tokens = 4));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    weft_sched *sched = workers(2);
    struct weft_run *run = started(sched, plan);
    for (unsigned large = 0; large < LARGE;) {
        cr_assert_eq(take(run, &n), 1);
        large += n.value >= 1000;
    }
    store_relaxed(&small_end, 1);
    while (take(run, &n) == 1)
        cr_assert(n.value < 1000);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static void feed_to(struct weft_run *run, const char *source, uint64_t value)
{
    void *item;

    cr_assert_eq(weft_reserve(run, source, &item, -1, NULL), 0);
    *(struct number *)item = (struct number){ .value = value };
    weft_feed(item);
}

/* Three inputs that are fed, and a merge behind which items ask. What comes
 * from `a` loads, and is held in a segment of its own before the merge. */
static weft_pipeline *three_inputs(struct held *held)
{
    const char *names[] = { "a", "b", "c" };
    weft_pipeline *part[3], *p = with_budget(8);
    struct weft_path inputs[3] = { { 0 } };

    for (unsigned i = 0; i < 3; i++) {
        part[i] = weft_pipeline_create(NULL);
        inputs[i] = (struct weft_path){ .name = names[i], .stages = part[i] };
        weft_source_fed(part[i], "fed");
    }
    load(part[0], "load", value_as_bytes);
    weft_gather(part[0], weft_config(gather, .name = "one", .fn = put_in,
                                     .count = 1, .items = slots_of(2)));
    weft_stage(part[0], weft_config(stage, .name = "hold", .fn = hold,
                                    .ctx = held, .tokens = 2));
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                              .input_count = 3));
    for (unsigned i = 0; i < 3; i++)
        weft_pipeline_destroy(part[i]);
    load(p, "again", forty);
    weft_consumer(p, WEFT_ANY);
    return p;
}

/* A large item waits, and its way is kept free, while an earlier one is still
 * on it: that comes to a merge where items of both other inputs have to wait.
 * Whose turn it is there depends on how many came. */
Test(borders, who_is_on_a_way_that_is_kept_free_is_let_through, .timeout = 60)
{
    weft_sched *sched = workers(1);

    for (unsigned more = 0; more < 4; more++) {
        struct held held = HELD;
        struct weft_budget_stats b = { 0 };
        weft_plan *plan = pipeline_plan(three_inputs(&held));
        struct weft_run *run = started(sched, plan);
        unsigned waiting = 0;
        feed_to(run, "a.fed", 10);
        UNTIL(held_by(&held) == 1);
        feed_to(run, "a.fed", MOST);
        UNTIL((weft_run_budget(run, &b), b.waiting == 1));
        do
            feed_to(run, "b.fed", 1);
        while (comes_within(run, 200)); /* else its way is kept free */
        feed_to(run, "c.fed", 1);
        while (waiting < more)
            feed_to(run, waiting++ % 2 ? "c.fed" : "b.fed", 1);
        usleep(10000); /* they come to the merge */
        open_up(&held);
        for (unsigned i = 0; i < 4 + more; i++)
            cr_assert(comes_within(run, 20000));
        weft_cancel(run);
        ended(run, -ECANCELED);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

static _Atomic unsigned has_begun, goes_on;

static uint64_t much_for_the_first(const void *item, void *ctx)
{
    return weft_item_number(item) ? 0 : MOST;
}

static int hold_the_first(weft_worker *self, void *item, void *ctx)
{
    if (weft_item_number(item) == 0)
        store_relaxed(&has_begun, 1);
    while (weft_item_number(item) == 0 && !load_relaxed(&goes_on))
        usleep(50);
    return 0;
}

static int wait_for_the_first(weft_worker *self, void *item, void *ctx)
{
    while (!load_relaxed(&has_begun))
        usleep(50);
    return 0;
}

/* What a cancelled item would have taken is still the turn of its input: the
 * first one of `a` comes to the merge after the second was dropped there. */
Test(borders, an_item_that_is_dropped_takes_no_turn, .timeout = 60)
{
    struct numbers from[2] = { { .end = 2 }, { .end = 2 } };
    weft_pipeline *a = weft_pipeline_create(NULL);
    weft_pipeline *b = weft_pipeline_create(NULL);
    struct weft_budget_stats stats;

    store_relaxed(&has_begun, 0);
    store_relaxed(&goes_on, 0);
    weft_source(a, "source", give, &from[0]);
    weft_stage(a, weft_config(stage, .name = "load", .fn = hold_the_first,
                              .bytes = much_for_the_first,
                              .kind = WEFT_BLOCKING, .tokens = 2));
    weft_source(b, "source", give, &from[1]);
    weft_stage(b, weft_config(stage, .name = "wait", .kind = WEFT_BLOCKING,
                              .fn = wait_for_the_first));
    weft_stage(b,
               weft_config(stage, .name = "load", .fn = loads, .bytes = forty));
    weft_pipeline *p = two_inputs(a, b, WEFT_ROUND_ROBIN);
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    weft_sched *sched = workers(2);
    struct weft_run *run = started(sched, plan);
    do
        cr_assert_eq(weft_run_budget(run, &stats), 0);
    while (stats.peak < MOST || !stats.waiting);
    usleep(20000); /* the second one of `a` is at the merge, or nearly */
    weft_cancel(run);
    store_relaxed(&goes_on, 1);
    ended(run, -ECANCELED);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
