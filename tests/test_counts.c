/* test_counts.c: graph/counts.c: each wait of an item has its name.
 *
 * Each test has items wait in one way, for a time that is known to be longer
 * than anything else takes here. It is found under that name, and not under
 * another. */
#include "tests/stands.h"

enum { HELD_MS = 150 };

static const uint64_t held = HELD_MS * (uint64_t)1000000;

/* What a stage counts, by its name. */
static struct weft_stage_stats of(struct weft_run *run, const char *name)
{
    struct weft_stage_stats s;

    for (unsigned i = 0; weft_run_stage(run, i, &s) == 0; i++)
        if (!strcmp(s.name, name))
            return s;
    cr_assert(!"there is such a stage");
    return s;
}

/* So many waits of HELD_MS, which are most of what there was. */
static void is_all(uint64_t wait_ns, unsigned waits,
                   const struct weft_stage_stats *s)
{
    uint64_t sum = s->token_wait_ns + s->ready_wait_ns + s->run_ns +
                   s->pending_wait_ns + s->retry_wait_ns + s->output_wait_ns;
    cr_assert(wait_ns >= waits * held);
    cr_assert(sum - wait_ns < wait_ns);
}

static void hold_still(void) { usleep(HELD_MS * 1000); }

static void ends(struct stand *s)
{
    cr_assert_eq(weft_wait(s->run, -1, NULL), 0);
}

static void destroy(struct stand *s)
{
    weft_run_destroy(s->run);
    weft_plan_destroy(s->plan);
    weft_sched_destroy(s->sched);
}

/* Where item 0 is kept for a while, so that others wait. */
static void keep_first(weft_pipeline *p, struct shelf *shelf, unsigned end)
{
    *shelf = (struct shelf){ .end = end, .from = 0, .to = 0 };
    weft_source(p, "make", make, shelf);
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = shelf, .tokens = end));
}

/* Waits until the report has so many lines like this one. */
static void stands(struct weft_run *run, const char *line, unsigned count)
{
    struct lines l;
    unsigned found;

    do {
        usleep(1000);
        l.count = found = 0;
        cr_assert_eq(weft_run_report(run, add_line, &l), 0);
        for (unsigned i = 0; i < l.count; i++)
            found += strstr(l.text[i], line) != NULL;
    } while (found != count);
}

Test(counts, a_wait_for_a_turn_is_one_for_a_token, .timeout = 60)
{
    struct shelf shelf;
    weft_pipeline *p = drawing(4);

    keep_first(p, &shelf, 3);
    weft_stage(p, weft_config(stage, .name = "write", .fn = pass,
                              .order = WEFT_INPUT));
    struct stand s = start(p, 2);
    stands(s.run, "waits for its turn", 2);
    cr_assert_eq(of(s.run, "write").waiting, 2);
    hold_still();
    let_go(&shelf, 0);
    ends(&s);
    struct weft_stage_stats write = of(s.run, "write");
    is_all(write.token_wait_ns, 2, &write);
    destroy(&s);
}

Test(counts, a_wait_for_a_token_is_not_one_for_its_callback, .timeout = 60)
{
    struct shelf shelf = { .end = 3, .from = 0, .to = 0 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &shelf, .tokens = 1, .order = WEFT_INPUT));
    struct stand s = start(p, 2);
    stands(s.run, "for a token", 2);
    struct weft_stage_stats now = of(s.run, "keep");
    cr_assert_eq(now.in, 3);
    cr_assert_eq(now.waiting, 2);
    cr_assert(now.tokens == 1 && now.running == 1 && now.peak == 1);
    hold_still();
    let_go(&shelf, 0);
    ends(&s);
    struct weft_stage_stats keep_it = of(s.run, "keep");
    cr_assert_eq(keep_it.waiting, 0);
    cr_assert(keep_it.token_wait_ns >= 2 * held);
    cr_assert(keep_it.pending_wait_ns >= held);
    cr_assert(keep_it.pending_wait_ns < keep_it.token_wait_ns);
    cr_assert(keep_it.run_ns + keep_it.ready_wait_ns < held);
    destroy(&s);
}

static weft_pipeline *path_of(const char *name, weft_stage_fn *fn, void *ctx)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_stage(p, weft_config(stage, .name = name, .fn = fn, .ctx = ctx,
                              .order = WEFT_INPUT));
    return p;
}

/* All take the only path, which has this many slots. */
static void draw_path(weft_pipeline *p, struct shelf *shelf, unsigned slots)
{
    weft_pipeline *only = path_of("in", pass_some, shelf);
    const struct weft_path path = { .stages = only, .slots = slots };

    weft_router(p, weft_config(router, .name = "kind", .paths = &path,
                               .path_count = 1, .join = WEFT_INPUT));
    weft_pipeline_destroy(only);
}

Test(counts, a_wait_for_room_in_a_path_is_the_routers_output, .timeout = 60)
{
    struct shelf shelf = { .end = 2, .from = 0, .to = 0 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    draw_path(p, &shelf, 1);
    struct stand s = start(p, 2);
    stands(s.run, "waits for room", 1);
    hold_still();
    let_go(&shelf, 0);
    ends(&s);
    struct weft_stage_stats kind = of(s.run, "kind"), in = of(s.run, "in");
    is_all(kind.output_wait_ns, 1, &kind);
    is_all(in.pending_wait_ns, 1, &in);
    destroy(&s);
}

/* One path is quick, and waits behind the other. */
static int first_path(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *(uint64_t *)item != 0;
    return 0;
}

Test(counts, a_wait_for_the_turn_behind_paths_is_the_routers_output,
     .timeout = 60)
{
    struct shelf shelf = { .end = 3, .from = 0, .to = 0 };
    weft_pipeline *p = drawing(4);
    weft_pipeline *slow = path_of("slow", pass_some, &shelf);
    weft_pipeline *quick = path_of("quick", pass, NULL);
    const struct weft_path paths[] = { { .stages = slow, .slots = 3 },
                                       { .stages = quick, .slots = 3 } };

    weft_source(p, "make", make, &shelf);
    weft_router(p, weft_config(router, .name = "kind", .fn = first_path,
                               .paths = paths, .path_count = 2,
                               .join = WEFT_INPUT));
    weft_stage(p, weft_config(stage, .name = "after", .fn = pass));
    weft_pipeline_destroy(slow);
    weft_pipeline_destroy(quick);
    struct stand s = start(p, 2);
    stands(s.run, "behind the paths", 2);
    hold_still();
    let_go(&shelf, 0);
    ends(&s);
    struct weft_stage_stats kind = of(s.run, "kind"),
                            after = of(s.run, "after");
    is_all(kind.output_wait_ns, 2, &kind);
    cr_assert(after.token_wait_ns + after.ready_wait_ns < held);
    destroy(&s);
}

static int fail_first(weft_worker *self, void *item, void *ctx)
{
    return weft_item_attempt(item) == 1 ? -EAGAIN : 0;
}

Test(counts, a_wait_for_the_next_attempt_has_its_own_name, .timeout = 60)
{
    struct shelf shelf = { .end = 3 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "fetch", .fn = fail_first,
                              .retry = { .attempts = 2, .first_ms = HELD_MS }));
    struct stand s = start(p, 2);
    ends(&s);
    struct weft_stage_stats fetch = of(s.run, "fetch");
    cr_assert_eq(fetch.retried, 3);
    is_all(fetch.retry_wait_ns, 3, &fetch);
    destroy(&s);
}

/* Three pieces, each after a while. */
static int split_slowly(weft_worker *self, void *item, void *piece, void *ctx)
{
    unsigned *pieces = ctx;
    usleep(HELD_MS * 1000 / 2);
    return (*pieces)++ < 3 ? 0 : WEFT_END;
}

Test(counts, a_scatter_that_runs_does_not_wait, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    unsigned pieces = 0;
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_scatter(p, weft_config(scatter, .name = "split", .fn = split_slowly,
                                .ctx = &pieces, .items = numbers(4)));
    weft_stage(p, weft_config(stage, .name = "piece", .fn = pass));
    struct stand s = start(p, 2);
    ends(&s);
    struct weft_stage_stats split = of(s.run, "split");
    is_all(split.run_ns, 2, &split);
    destroy(&s);
}

static int split_in_two(weft_worker *self, void *item, void *piece, void *ctx)
{
    unsigned *pieces = ctx;
    return (*pieces)++ < 2 ? 0 : WEFT_END;
}

Test(counts, a_wait_for_the_slot_of_a_piece_is_the_scatters_output,
     .timeout = 60)
{
    struct shelf shelf = { .end = 1 }, kept = { .from = 0, .to = 0 };
    unsigned pieces = 0;
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_scatter(p, weft_config(scatter, .name = "split", .fn = split_in_two,
                                .ctx = &pieces, .items = numbers(1)));
    weft_stage(
        p, weft_config(stage, .name = "piece", .fn = pass_some, .ctx = &kept));
    struct stand s = start(p, 2);
    stands(s.run, "for its next piece", 1);
    hold_still();
    let_go(&kept, 0);
    ends(&s);
    struct weft_stage_stats split = of(s.run, "split");
    is_all(split.output_wait_ns, 1, &split);
    destroy(&s);
}

Test(counts, items_behind_a_gather_without_a_slot_wait_for_its_token,
     .timeout = 60)
{
    struct shelf shelf = { .end = 3 }, kept = { .from = 0, .to = 0 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .count = 1, .items = numbers(1)));
    weft_stage(
        p, weft_config(stage, .name = "train", .fn = pass_some, .ctx = &kept));
    struct stand s = start(p, 2);
    stands(s.run, "waits for 'batch'", 2);
    hold_still();
    let_go(&kept, 0);
    ends(&s);
    struct weft_stage_stats batch = of(s.run, "batch");
    cr_assert(batch.token_wait_ns >= 2 * held);
    cr_assert(batch.output_wait_ns >= held); /* the gather's own */
    cr_assert(batch.output_wait_ns < batch.token_wait_ns);
    cr_assert(batch.ready_wait_ns + batch.run_ns < held);
    destroy(&s);
}

Test(counts, a_wait_for_the_epoch_before_is_one_for_a_token, .timeout = 60)
{
    struct shelf shelf;
    weft_pipeline *p = drawing(8);

    keep_first(p, &shelf, 3);
    shelf.epoch_after = 1;
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .count = 8, .items = numbers(3)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = pass));
    struct stand s = start(p, 2);
    stands(s.run, "for the end of epoch 0", 2);
    hold_still();
    let_go(&shelf, 0);
    ends(&s);
    struct weft_stage_stats batch = of(s.run, "batch");
    is_all(batch.token_wait_ns, 2, &batch);
    destroy(&s);
}

static uint64_t all_bytes(const void *item, void *ctx) { return 1000; }

Test(counts, a_wait_for_bytes_is_one_for_a_token, .timeout = 60)
{
    struct shelf shelf = { .end = 2, .from = 0, .to = 1 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = numbers(4), .budget_bytes = 1000));

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "decode", .fn = pass_some,
                              .ctx = &shelf, .bytes = all_bytes, .tokens = 2));
    struct weft_budget_stats budget;
    struct stand s = start(p, 1);
    stands(s.run, "of the budget", 1);
    cr_assert_eq(weft_run_budget(s.run, &budget), 0);
    cr_assert(budget.budget == 1000 && budget.used == 1000);
    cr_assert_eq(budget.waiting, 1);
    stands(s.run, "is pending", 1); /* and so on the shelf */
    hold_still();
    while (weft_wait(s.run, 1, NULL) != 0)
        let_all_go(&shelf);
    struct weft_stage_stats decode = of(s.run, "decode");
    cr_assert_eq(decode.bytes, 2000);
    cr_assert(decode.token_wait_ns >= held);
    cr_assert(decode.pending_wait_ns >= held);
    cr_assert(decode.ready_wait_ns + decode.run_ns < held);
    destroy(&s);
}

static uint64_t bytes_of_first(const void *item, void *ctx)
{
    return weft_item_number(item) == 0 ? 2000 : 300;
}

/* Of three items that have cost what they cost the first grows beyond all
 * limits. Then another one leaves, and its slot with it; the source has waited
 * for bytes, and goes on waiting for them. */
Test(counts, a_slot_does_not_end_a_wait_for_bytes, .timeout = 60)
{
    struct shelf shelf = { .end = 4, .from = 0, .to = 2 };
    struct shelf grown = { .from = 0, .to = 0 };
    struct weft_items items = numbers(4);
    items.cost = 300;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = items, .budget_bytes = 1000));

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &shelf, .tokens = 4));
    weft_stage(p, weft_config(stage, .name = "grow", .fn = pass_some,
                              .ctx = &grown, .bytes = bytes_of_first));
    struct stand s = start(p, 2);
    stands(s.run, "is pending in 'keep'", 3);
    let_go(&shelf, 0);
    stands(s.run, "is pending in 'grow'", 1);
    let_go(&shelf, 1);
    stands(s.run, "is pending", 2);
    stands(s.run, "waits for 300 bytes of the budget", 1);
    struct weft_flow f = { .delivered = 0 };
    while (!f.delivered)
        cr_assert_eq(weft_run_flow(s.run, 0, &f), 0);
    uint64_t before = of(s.run, "make").output_wait_ns;
    hold_still();
    cr_assert(of(s.run, "make").output_wait_ns >= before + held);
    let_go(&shelf, 2);
    let_go(&grown, 0);
    ends(&s);
    destroy(&s);
}

Test(counts, a_wait_for_a_slot_behind_a_merge_is_its_output, .timeout = 60)
{
    struct shelf shelf = { .end = 3 }, kept = { .from = 0, .to = 0 };
    weft_pipeline *p = drawing(1), *only = drawing(4);
    const struct weft_path input = { .stages = only };

    weft_source(only, "make", make, &shelf);
    weft_merge(p, weft_config(merge, .name = "both", .inputs = &input,
                              .input_count = 1));
    weft_stage(
        p, weft_config(stage, .name = "after", .fn = pass_some, .ctx = &kept));
    weft_pipeline_destroy(only);
    struct stand s = start(p, 2);
    stands(s.run, "waits in 'both' for a free slot", 2);
    hold_still();
    let_go(&kept, 0);
    ends(&s);
    struct weft_stage_stats merge = of(s.run, "both");
    is_all(merge.output_wait_ns, 2, &merge);
    destroy(&s);
}

static int nap_here(weft_worker *self, void *item, void *ctx)
{
    hold_still();
    return 0;
}

/* One thread for two. */
Test(counts, a_wait_for_a_thread_is_one_to_be_ready, .timeout = 60)
{
    struct shelf shelf = { .end = 2 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "sqlite", .fn = nap_here,
                              .kind = WEFT_PINNED, .tokens = 2));
    struct stand s = start(p, 2);
    ends(&s);
    struct weft_stage_stats sqlite = of(s.run, "sqlite");
    cr_assert(sqlite.run_ns >= 2 * held);
    cr_assert(sqlite.ready_wait_ns >= held / 2);
    cr_assert(sqlite.ready_wait_ns < sqlite.run_ns);
    cr_assert(sqlite.token_wait_ns + sqlite.pending_wait_ns < held);
    destroy(&s);
}

/* Completed while the only worker is somewhere else. */
Test(counts, a_completed_item_waits_to_be_ready, .timeout = 60)
{
    struct shelf shelf;
    weft_pipeline *p = drawing(4);

    keep_first(p, &shelf, 2);
    weft_stage(p,
               weft_config(stage, .name = "work", .fn = nap_here, .tokens = 1));
    struct stand s = start(p, 1);
    stands(s.run, "runs in 'work'", 1);
    let_go(&shelf, 0);
    ends(&s);
    struct weft_stage_stats keep_it = of(s.run, "keep");
    cr_assert(keep_it.ready_wait_ns > 0);
    cr_assert(of(s.run, "work").run_ns >= 2 * held);
    destroy(&s);
}

/* Of three items that need the only token each waits for those before it. What
 * comes after the stage is not its affair. */
Test(counts, a_latency_is_from_a_door_to_the_next, .timeout = 60)
{
    struct shelf shelf = { .end = 3 };
    struct shelf later = { .from = 0, .to = 2 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "nap", .fn = nap_here,
                              .kind = WEFT_BLOCKING, .tokens = 1));
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &later, .tokens = 3));
    struct stand s = start(p, 2);
    stands(s.run, "is pending in 'keep'", 3);
    struct weft_latency nap = of(s.run, "nap").latency;
    cr_assert_eq(of(s.run, "keep").latency.max_ns, 0);
    hold_still();
    for (unsigned i = 0; i < 3; i++)
        let_go(&later, i);
    ends(&s);
    cr_assert(nap.p50_ns >= 2 * held);
    cr_assert(nap.p99_ns >= 3 * held);
    cr_assert_eq(nap.max_ns, of(s.run, "nap").latency.max_ns);
    cr_assert(of(s.run, "keep").latency.p50_ns >= held);
    destroy(&s);
}
