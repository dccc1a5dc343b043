/* test_waits.c: graph/waits.c: what the items before and in gathers, scatters,
 * routers and merges wait for. */
#include "tests/stands.h"

Test(report, says_how_many_a_batch_has_and_what_a_full_gather_waits_for,
     .timeout = 60)
{
    struct shelf shelf = { .end = 7 };
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .order = WEFT_INPUT, .count = 3,
                               .items = numbers(2)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = keep, .ctx = &shelf,
                              .order = WEFT_INPUT, .tokens = 1));
    struct stand s = start(p, 1);
    COMES_TO(s.run,
             "item 6 waits for 'batch', which waits for a free slot: all 2 are "
             "in use",
             "gather 'batch' waits for a free slot: all 2 are in use",
             "batch 0 is pending in 'train' for ",
             "batch 1 waits in 'train' for a token: 1 of 1 is held by batch 0");
    let_go(&shelf, 0);
    COMES_TO(s.run, "batch 1 is pending in 'train' for ",
             "batch 2 waits in 'train' for a token: 1 of 1 is held by batch 1");
    stop(&s, &shelf);
}

Test(report, says_what_the_items_before_a_gather_wait_for, .timeout = 60)
{
    struct shelf shelf = { .end = 50 };
    weft_pipeline *p = drawing(2);

    weft_source(p, "make", make, &shelf);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .order = WEFT_INPUT, .count = 3,
                               .items = numbers(1)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = keep, .ctx = &shelf,
                              .order = WEFT_INPUT, .tokens = 1));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "source 'make' waits for a free slot: all 2 are in use",
             "item 3 waits for 'batch', which waits for a free slot: the only "
             "one is in use",
             "item 4 waits for 'batch', which waits for a free slot: the only "
             "one is in use",
             "gather 'batch' waits for a free slot: the only one is in use",
             "batch 0 is pending in 'train' for ");
    stop(&s, &shelf);
}

/* The end of the input waits for the gather's token as an item does. */
Test(report, the_end_that_a_gather_waits_for_is_no_item, .timeout = 60)
{
    struct shelf shelf = { .end = 6 };
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .count = 3, .items = numbers(2)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = keep, .ctx = &shelf,
                              .tokens = 2));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "gather 'batch' waits for a free slot: all 2 are in use",
             "batch 0 is pending in 'train' for ",
             "batch 1 is pending in 'train' for ");
    stop(&s, &shelf);
}

Test(report, says_how_many_of_a_batch_are_there, .timeout = 60)
{
    struct shelf shelf = { .end = 3, .from = 2, .to = 2 };
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    weft_stage(
        p, weft_config(stage, .name = "keep", .fn = pass_some, .ctx = &shelf));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .order = WEFT_INPUT, .count = 8,
                               .items = numbers(2)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = pass));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 2 is pending in 'keep' for ",
             "gather 'batch' has 2 of 8 items");
    stop(&s, &shelf);
}

Test(report, says_what_the_next_piece_waits_for, .timeout = 60)
{
    struct shelf shelf = { .end = 2 };
    weft_pipeline *p = drawing(3);

    weft_source(p, "make", make, &shelf);
    weft_scatter(p, weft_config(scatter, .name = "split", .fn = split_for_ever,
                                .order = WEFT_INPUT, .items = numbers(2)));
    weft_stage(p, weft_config(stage, .name = "piece", .fn = keep, .ctx = &shelf,
                              .order = WEFT_INPUT, .tokens = 1));
    struct stand s = start(p, 1);
    COMES_TO(
        s.run,
        "item 0 waits in 'split' for a free slot for its next piece: all 2 "
        "are in use",
        "item 1 waits in 'split' for a token: 1 of 1 is held by item 0",
        "scatter 'split' waits for a free slot: all 2 are in use",
        "piece 0 is pending in 'piece' for ",
        "piece 1 waits in 'piece' for a token: 1 of 1 is held by piece 0");
    stop(&s, &shelf);
}

Test(report, says_that_the_next_piece_waits_for_its_bytes, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    struct weft_items pieces = numbers(2);
    pieces.cost = 1000;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = numbers(3), .budget_bytes = 1500));

    weft_source(p, "make", make, &shelf);
    weft_scatter(p, weft_config(scatter, .name = "split", .fn = split_for_ever,
                                .items = pieces));
    weft_stage(p, weft_config(stage, .name = "piece", .fn = keep, .ctx = &shelf,
                              .tokens = 2));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 waits in 'split' for the bytes of its next piece",
             "piece 0 is pending in 'piece' for ",
             "scatter 'split' waits for 1000 bytes of the budget: 1000 bytes "
             "of 1.465 KiB are used, piece 0 has 1000 bytes");
    stop(&s, &shelf);
}

static uint64_t forty(const void *item, void *ctx) { return 40; }

static uint64_t much_for_the_first(const void *item, void *ctx)
{
    return weft_item_number(item) ? 40 : 300;
}

Test(report, says_who_goes_first_into_the_next_segment, .timeout = 60)
{
    struct shelf first = { .end = 2 }, second = { .from = 0, .to = 0 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = numbers(3), .budget_bytes = 100));

    weft_source(p, "make", make, &first);
    weft_stage(p, weft_config(stage, .name = "load", .fn = keep, .ctx = &first,
                              .bytes = forty, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "grow", .fn = pass_some,
                              .ctx = &second, .bytes = much_for_the_first,
                              .tokens = 2));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .count = 2, .items = numbers(2)));
    weft_stage(p,
               weft_config(stage, .name = "train", .fn = pass, .bytes = forty));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'load' for ",
             "item 1 is pending in 'load' for ",
             "gather 'batch' has 0 of 2 items");
    let_go(&first, 0);
    COMES_TO(s.run, "item 0 is pending in 'grow' for ",
             "item 1 is pending in 'load' for ",
             "gather 'batch' has 0 of 2 items");
    let_go(&first, 1);
    COMES_TO(s.run, "item 0 is pending in 'grow' for ",
             "item 1 waits before 'batch' for item 0, which goes first: there "
             "were not enough bytes for it",
             "gather 'batch' has 0 of 2 items");
    stop(&s, &second);
}

static int odd_or_even(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *(uint64_t *)item % 2;
    return 0;
}

/* In order, so that it is known who comes first. */
static weft_pipeline *one_stage(const char *name, weft_stage_fn *fn, void *ctx,
                                unsigned tokens)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_stage(p, weft_config(stage, .name = name, .fn = fn, .ctx = ctx,
                              .tokens = tokens, .order = WEFT_INPUT));
    return p;
}

static void draw_router(weft_pipeline *p, struct shelf *shelf,
                        weft_route_fn *route_it, enum weft_order join)
{
    weft_pipeline *even = one_stage("e", keep, shelf, 1);
    weft_pipeline *odd = one_stage("o", pass, NULL, 1);
    const struct weft_path paths[] = {
        { .name = "even", .stages = even, .slots = 1 },
        { .name = "odd", .stages = odd, .slots = 1 },
    };
    weft_router(p, weft_config(router, .name = "kind", .fn = route_it,
                               .paths = paths, .path_count = 2, .join = join));
    weft_pipeline_destroy(even);
    weft_pipeline_destroy(odd);
}

Test(report, says_which_path_has_no_room, .timeout = 60)
{
    struct shelf shelf = { .end = 5 };
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    draw_router(p, &shelf, odd_or_even, WEFT_ANY);
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'even.e' for ",
             "item 2 waits for room in path 'even' of 'kind': 1 of 1 are in it",
             "item 4 waits for room in path 'even' of 'kind': 1 of 1 are in "
             "it");
    stop(&s, &shelf);
}

Test(report, says_who_is_waited_for_behind_the_paths, .timeout = 60)
{
    struct shelf shelf = { .end = 4 };
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    draw_router(p, &shelf, odd_or_even, WEFT_INPUT);
    struct stand s = start(p, 1);
    COMES_TO(
        s.run, "item 0 is pending in 'even.e' for ",
        "item 1 waits for its turn behind the paths of 'kind', behind item "
        "0",
        "item 2 waits for room in path 'even' of 'kind': 1 of 1 are in it",
        "item 3 waits for its turn behind the paths of 'kind', behind item "
        "0");
    stop(&s, &shelf);
}

Test(report, says_that_no_path_has_room, .timeout = 60)
{
    struct shelf shelf = { .end = 3 };
    weft_pipeline *p = drawing(8);
    weft_pipeline *stages = one_stage("s", keep, &shelf, 1);
    const struct weft_path paths[] = { { .stages = stages, .slots = 1 } };

    weft_source(p, "make", make, &shelf);
    weft_router(
        p, weft_config(router, .name = "any", .paths = paths, .path_count = 1));
    weft_pipeline_destroy(stages);
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 's' for ",
             "item 1 waits for room in any path of 'any'",
             "item 2 waits for room in any path of 'any'");
    stop(&s, &shelf);
}

/* An ordered stage in a path: the items of a path have numbers of their own. */
Test(report, says_who_is_waited_for_inside_of_a_path, .timeout = 60)
{
    struct shelf shelf = { .end = 5, .from = 0, .to = 0 };
    weft_pipeline *p = drawing(8);
    weft_pipeline *even = one_stage("e", pass_some, &shelf, 3);
    weft_pipeline *odd = one_stage("o", pass, NULL, 1);
    weft_stage(even, weft_config(stage, .name = "write", .fn = pass,
                                 .order = WEFT_INPUT));
    const struct weft_path paths[] = {
        { .name = "even", .stages = even },
        { .name = "odd", .stages = odd },
    };

    weft_source(p, "make", make, &shelf);
    weft_router(p, weft_config(router, .name = "kind", .fn = odd_or_even,
                               .paths = paths, .path_count = 2));
    weft_pipeline_destroy(even);
    weft_pipeline_destroy(odd);
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'even.e' for ",
             "item 2 waits for its turn in 'even.write', behind item 0",
             "item 4 waits for its turn in 'even.write', behind item 0");
    stop(&s, &shelf);
}

/* Two inputs; of the second, `keep_b` are kept for ever. */
static struct stand start_merge(struct shelf *a, struct shelf *b,
                                struct shelf *after, bool in_turns)
{
    weft_pipeline *p = drawing(2), *in_a = drawing(3), *in_b = drawing(3);

    weft_source(in_a, "make", make, a);
    weft_source(in_b, "make", make, b);
    weft_stage(in_b, weft_config(stage, .name = "keep", .fn = keep, .ctx = b));
    const struct weft_path inputs[] = { { .name = "a", .stages = in_a },
                                        { .name = "b", .stages = in_b } };
    weft_merge(p,
               weft_config(merge, .name = "both", .inputs = inputs,
                           .input_count = 2, .order = WEFT_INPUT,
                           .turn = in_turns ? WEFT_ROUND_ROBIN : WEFT_ARRIVAL));
    weft_stage(p, weft_config(stage, .name = "after", .fn = pass_some,
                              .ctx = after, .tokens = 2));
    weft_pipeline_destroy(in_a);
    weft_pipeline_destroy(in_b);
    return start(p, 1);
}

static void stop_merge(struct stand *s, struct shelf *b, struct shelf *after)
{
    weft_cancel(s->run);
    let_all_go(b);
    stop(s, after);
}

Test(report, says_whose_turn_it_is_in_a_merge, .timeout = 60)
{
    struct shelf a = { .end = 3 }, b = { .end = 1 }, after = { .to = -1 };
    struct stand s = start_merge(&a, &b, &after, true);

    COMES_TO(s.run, "item 1 waits in 'both' for input 'b', whose turn it is",
             "item 2 waits in 'both' for input 'b', whose turn it is",
             "item 0 is pending in 'b.keep' for ");
    stop_merge(&s, &b, &after);
}

Test(report, says_that_a_merge_has_no_free_slot, .timeout = 60)
{
    struct shelf a = { .end = 4 }, b = { .end = 0 }, after = { .to = 9 };
    struct stand s = start_merge(&a, &b, &after, false);

    COMES_TO(s.run, "item 2 waits in 'both' for a free slot: all 2 are in use",
             "item 3 waits in 'both' for a free slot: all 2 are in use",
             "merge 'both' waits for a free slot: all 2 are in use",
             "item 0 is pending in 'after' for ",
             "item 1 is pending in 'after' for ");
    stop_merge(&s, &b, &after);
}

Test(report, says_which_epoch_the_other_inputs_have_to_end, .timeout = 60)
{
    struct shelf a = { .end = 2, .epoch_after = 1 }, b = { .end = 1 };
    struct shelf after = { .to = -1 };
    struct stand s = start_merge(&a, &b, &after, false);

    COMES_TO(s.run,
             "the end of epoch 0 waits in 'both' for the other inputs to end "
             "epoch 0",
             "item 1 waits before 'both' for the end of epoch 0",
             "item 0 is pending in 'b.keep' for ");
    stop_merge(&s, &b, &after);
}

Test(report, says_that_an_epoch_waits_for_the_one_before, .timeout = 60)
{
    struct shelf shelf = { .end = 3, .epoch_after = 1, .from = 0, .to = 0 };
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &shelf, .tokens = 3));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect_one,
                               .order = WEFT_INPUT, .count = 8,
                               .items = numbers(2)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = pass));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'keep' for ",
             "the end of epoch 0 waits before 'batch' for the items before it",
             "item 1 waits before 'batch' for the end of epoch 0",
             "item 2 waits before 'batch' for the end of epoch 0",
             "gather 'batch' has 0 of 8 items");
    stop(&s, &shelf);
}
