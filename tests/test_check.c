/* test_check.c: graph/check.c: each mistake in one element of a pipeline is a
 * sentence that names it. */
#include "tests/pipes.h"

static int describe(weft_worker *self, void *item, struct weft_io **io,
                    void *ctx)
{
    return -ENOSYS;
}

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static int cut(weft_worker *self, void *item, void *piece, void *ctx)
{
    return WEFT_END;
}

static uint64_t some_bytes(const void *item, void *ctx) { return 1; }

static struct numbers source;

static weft_pipeline *fed(void)
{
    weft_pipeline *p = drawing(4);
    weft_source(p, "numbers", give, &source);
    return p;
}

/* A pipeline of a source and this stage, which must not compile. */
#define STAGE_IS_WRONG(SENTENCE, ...)                                          \
    do {                                                                       \
        weft_pipeline *wrong = fed();                                          \
        weft_stage(wrong, weft_config(stage, __VA_ARGS__));                    \
        mistake(wrong, SENTENCE);                                              \
    } while (0)

Test(check, a_stage_has_a_name_and_a_function)
{
    STAGE_IS_WRONG("stage 1 has no name", .fn = pass);
    STAGE_IS_WRONG("stage 1 has no name", .name = "", .fn = pass);
    STAGE_IS_WRONG("'a' has no function", .name = "a");

    weft_pipeline *p = fed();
    weft_stage(p, NULL);
    mistake(p, "stage 1 has no name");

    p = drawing(1);
    weft_source(p, "s", NULL, NULL);
    mistake(p, "'s' has no function");

    p = fed();
    weft_gather(p, weft_config(gather, .name = "g"));
    mistake(p, "'g' has no function");

    p = fed();
    weft_scatter(p, weft_config(scatter, .name = "cut"));
    mistake(p, "'cut' has no function");
}

Test(check, an_io_stage_describes_its_operation_and_no_other_does)
{
    STAGE_IS_WRONG("I/O stage 'a' has no `describe` to say which operation",
                   .name = "a", .fn = pass, .kind = WEFT_IO);
    STAGE_IS_WRONG("stage 'a' describes an operation: its kind has to be "
                   "WEFT_IO",
                   .name = "a", .describe = describe);
    STAGE_IS_WRONG("'a' has kind 7: there is none", .name = "a", .fn = pass,
                   .kind = (enum weft_kind)7);

    weft_pipeline *p = drawing(1);
    weft_source_with(
        p, weft_config(source, .name = "s", .fn = give, .kind = WEFT_IO));
    mistake(p, "source 's' cannot be of kind WEFT_IO: let it be pending");
}

Test(check, a_thread_is_for_what_is_pinned)
{
    weft_thread *thread = NULL;
    weft_sched *sched = workers(1);
    cr_assert_eq(weft_thread_create(&thread, sched, "gpu", NULL), 0);
    STAGE_IS_WRONG("'a' has a thread: its kind has to be WEFT_PINNED",
                   .name = "a", .fn = pass, .thread = thread);
    STAGE_IS_WRONG("'a' has a thread: its kind has to be WEFT_PINNED",
                   .name = "a", .fn = pass, .thread = thread,
                   .kind = WEFT_BLOCKING);
    weft_thread_destroy(thread);
    weft_sched_destroy(sched);
}

Test(check, elements_of_an_array_are_apart)
{
    static const uint64_t array[4];
    weft_pipeline *p = drawing(1);
    weft_source_array(p, "array", array, 4, 0);
    mistake(p, "the elements of source 'array' are 0 bytes apart");
    p = drawing(1);
    weft_source_array(p, "array", NULL, 4, 8);
    mistake(p, "source 'array' has no array");
}

/* ---- tokens and limits ------------------------------------------------- */

Test(check, tokens_are_so_many_or_unlimited)
{
    STAGE_IS_WRONG("stage 'a' has 4000000000 tokens: at most 1073741824 are "
                   "possible, or WEFT_UNLIMITED",
                   .name = "a", .fn = pass, .tokens = 4000000000u);
}

Test(check, an_ordered_stage_has_as_many_slots_as_tokens)
{
    STAGE_IS_WRONG("ordered stage 'a' has 5 tokens, but only 4 items are in "
                   "flight: give the pipeline as many slots",
                   .name = "a", .fn = pass, .tokens = 5, .order = WEFT_INPUT);

    weft_pipeline *p = fed();
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass, .tokens = 4,
                              .order = WEFT_INPUT));
    weft_stage(p, weft_config(stage, .name = "b", .fn = pass,
                              .tokens = WEFT_UNLIMITED, .order = WEFT_INPUT));
    weft_stage(p, weft_config(stage, .name = "c", .fn = pass, .tokens = 5));
    weft_plan_destroy(pipeline_plan(p));

    /* the slots are those of its segment */
    p = fed();
    weft_gather(
        p, weft_config(gather, .name = "g", .fn = add, .items = slots_of(2)));
    weft_stage(p, weft_config(stage, .name = "a", .fn = pass, .tokens = 3,
                              .order = WEFT_INPUT));
    mistake(p, "ordered stage 'a' has 3 tokens, but only 2 items are in "
               "flight: give the pipeline as many slots");
}

Test(check, what_a_stage_takes_of_limits_can_be_had)
{
    weft_limit *one = NULL, *two = NULL;
    cr_assert_eq(
        weft_limit_create(&one, weft_config(limit, .name = "one", .tokens = 1),
                          NULL),
        0);
    cr_assert_eq(
        weft_limit_create(&two, weft_config(limit, .name = "two", .tokens = 2),
                          NULL),
        0);
    const struct weft_use more[] = { { .limit = two, .tokens = 3 } };
    const struct weft_use twice[] = { { .limit = two },
                                      { .limit = one },
                                      { .limit = two } };
    const struct weft_use none[] = { { .limit = one }, { .limit = NULL } };
    const struct weft_use many[] = {
        { one }, { one }, { one }, { one }, { one }
    };

    STAGE_IS_WRONG("stage 'a' takes 3 tokens of limit 'two', which has 2",
                   .name = "a", .fn = pass, .uses = more, .use_count = 1);
    STAGE_IS_WRONG("stage 'a' takes of limit 'two' twice: add the tokens up",
                   .name = "a", .fn = pass, .uses = twice, .use_count = 3);
    STAGE_IS_WRONG("use 1 of stage 'a' has no limit", .name = "a", .fn = pass,
                   .uses = none, .use_count = 2);
    STAGE_IS_WRONG("use 0 of stage 'a' has no limit", .name = "a", .fn = pass,
                   .use_count = 1);
    STAGE_IS_WRONG("stage 'a' takes of 5 limits: at most 4 are possible",
                   .name = "a", .fn = pass, .uses = many, .use_count = 5);
    weft_limit_destroy(one);
    weft_limit_destroy(two);
}

/* ---- items and the budget ---------------------------------------------- */

Test(check, slots_are_no_more_than_possible)
{
    weft_pipeline *p = drawing(1 << 25);
    weft_source(p, "numbers", give, &source);
    mistake(p, "'numbers' has 33554432 slots: at most 16777216 are possible");

    p = fed();
    weft_gather(p, weft_config(gather, .name = "g", .fn = add,
                               .items = slots_of(UINT_MAX)));
    weft_consumer(p, WEFT_ANY);
    mistake(p, "'g' has 4294967295 slots: at most 16777216 are possible");
}

static weft_pipeline *with_budget(uint64_t budget, uint64_t cost)
{
    struct weft_items items = slots_of(4);

    items.cost = cost;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = items, .budget_bytes = budget));
    weft_source(p, "numbers", give, &source);
    return p;
}

Test(check, the_budget_is_enough_for_one_of_each)
{
    mistake(
        with_budget(99, 100),
        "the budget of 99 bytes is below the cost of one item of 'numbers', "
        "100 bytes");
    mistake(with_budget(0, 100),
            "the items of 'numbers' cost 100 bytes, but the "
            "pipeline has no budget_bytes");
    weft_plan_destroy(pipeline_plan(with_budget(100, 100)));

    struct weft_items pieces = slots_of(4);
    pieces.cost = 101;
    weft_pipeline *p = with_budget(100, 100);
    weft_scatter(
        p, weft_config(scatter, .name = "cut", .fn = cut, .items = pieces));
    weft_consumer(p, WEFT_ANY);
    mistake(p,
            "the budget of 100 bytes is below the cost of one item of 'cut', "
            "101 bytes");

    pieces.cost = 1;
    p = with_budget(100, 100);
    weft_scatter(
        p, weft_config(scatter, .name = "cut", .fn = cut, .items = pieces));
    weft_consumer(p, WEFT_ANY);
    mistake(p, "the budget of 100 bytes is below the cost of one item of each "
               "at a time: 'numbers' (100), 'cut' (1)");

    STAGE_IS_WRONG("stage 'a' takes of the budget, but the pipeline has no "
                   "budget_bytes",
                   .name = "a", .fn = pass, .bytes = some_bytes);
}

/* ---- failures ---------------------------------------------------------- */

Test(check, policies_and_rates_are_what_they_can_be)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = (enum weft_policy)9 }));
    weft_source(p, "numbers", give, &source);
    mistake(p, "the pipeline has policy 9: there is none");

    p = weft_pipeline_create(weft_config(
        pipeline, .failures = { .policy = WEFT_AT_RATE, .rate = 1.5 }));
    weft_source(p, "numbers", give, &source);
    mistake(p, "the pipeline lets a rate of 1.5 fail: it is from 0 to 1");

    STAGE_IS_WRONG("a lets a rate of -1 fail: it is from 0 to 1", .name = "a",
                   .fn = pass,
                   .failures = { .policy = WEFT_AT_RATE, .rate = -1 });
    STAGE_IS_WRONG("a has policy 9: there is none", .name = "a", .fn = pass,
                   .failures = { .policy = (enum weft_policy)9 });
}

Test(check, a_back_off_grows_up_to_its_most)
{
    STAGE_IS_WRONG("stage 'a' has a jitter of 1.1: it is from 0 to 1",
                   .name = "a", .fn = pass, .retry = { .jitter = 1.1 });
    STAGE_IS_WRONG("stage 'a' has a back-off factor of 0.5: it is at least 1",
                   .name = "a", .fn = pass, .retry = { .factor = 0.5 });
    STAGE_IS_WRONG("stage 'a' backs off for 9 ms first, but for 5 at most",
                   .name = "a", .fn = pass,
                   .retry = { .first_ms = 9, .most_ms = 5 });
}

/* ---- what there is to choose from -------------------------------------- */

static weft_pipeline *numbered(void)
{
    weft_pipeline *p = drawing(4);
    weft_source(p, "numbers", give, &source);
    return p;
}

Test(check, what_is_chosen_is_among_what_there_is)
{
    weft_pipeline *p = numbered(), *row = row_of(pass, NULL);
    const struct weft_path path = { .name = "row", .stages = row };
    struct weft_gather_config rest = { .size = sizeof rest,
                                       .name = "g",
                                       .fn = add };
    struct weft_merge_config turn = {
        .size = sizeof turn, .name = "m", .inputs = &path, .input_count = 1
    };
    struct weft_pipeline_config statistics = { .size = sizeof statistics };
    const enum weft_order order = 7;

    STAGE_IS_WRONG("'a' has order 7: there is none", .name = "a", .fn = pass,
                   .order = order);
    weft_consumer(p, order);
    mistake(p, "'consumer' has order 7: there is none");
    p = numbered();
    memset(&rest.rest, 2, 1);
    weft_gather(p, &rest);
    mistake(p, "'g' has rest 2: there is none");
    p = numbered();
    weft_scatter(p,
                 weft_config(scatter, .name = "s", .fn = cut, .order = order));
    mistake(p, "'s' has order 7: there is none");
    p = numbered();
    weft_router(p, weft_config(router, .name = "r", .paths = &path,
                               .path_count = 1, .join = order));
    mistake(p, "'r' has join 7: there is none");
    p = drawing(4);
    memset(&turn.turn, 3, 1);
    weft_merge(p, &turn);
    mistake(p, "'m' has turn 3: there is none");
    memset(&statistics.statistics, 2, 1);
    p = weft_pipeline_create(&statistics);
    weft_source(p, "numbers", give, &source);
    mistake(p, "the pipeline has statistics 2: there are none");
    weft_pipeline_destroy(row);
}

Test(check, paths_that_were_not_given_have_no_stages)
{
    weft_pipeline *p = numbered();
    weft_router(p, weft_config(router, .name = "r", .path_count = 2));
    mistake(p, "part '' of 'r' has no stages");
}
