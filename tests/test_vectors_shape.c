/* test_vectors_shape.c: semantics checked against public vectors: merges and
 * routers. See test_vectors.c for where the facts are from. */
#include "tests/vectors.h"

/* ---- merges ------------------------------------------------------------ */

enum { MOST_INPUTS = 3 };

/* Inputs that count, each with up to two stages of its own. */
struct input {
    struct range range;
    weft_stage_fn *first, *second;
    unsigned weight;
};

static weft_pipeline *merged_by(struct input *inputs, unsigned count, int turn,
                                unsigned slots)
{
    weft_pipeline *parts[MOST_INPUTS],
        *p = draw_with(NULL, (struct weft_failures){ 0 }, slots);
    struct weft_path paths[MOST_INPUTS];
    struct weft_merge_config config =
        *weft_config(merge, .name = "merge", .inputs = paths,
                     .input_count = count, .order = WEFT_INPUT);
    static const char *const names[MOST_INPUTS] = { "a", "b", "c" };

    config.turn = turn;
    for (unsigned i = 0; i < count; i++) {
        parts[i] = weft_pipeline_create(NULL);
        weft_source(parts[i], "count", count_up, &inputs[i].range);
        if (inputs[i].first)
            add(parts[i], "first", inputs[i].first, WEFT_ANY);
        if (inputs[i].second)
            add(parts[i], "second", inputs[i].second, WEFT_ANY);
        paths[i] = (struct weft_path){ .name = names[i],
                                       .stages = parts[i],
                                       .weight = inputs[i].weight };
    }
    weft_merge(p, &config);
    for (unsigned i = 0; i < count; i++)
        weft_pipeline_destroy(parts[i]);
    return p;
}

static int plus_ten(weft_worker *self, void *item, void *ctx)
{
    *value_of(item) += 10;
    return 0;
}

static int times_five(weft_worker *self, void *item, void *ctx)
{
    *value_of(item) *= 5;
    return 0;
}

Test(vectors_shape, what_several_sources_give_comes_once, .timeout = 30)
{
    struct input two[] = { { .range = { 1, 4 } }, { .range = { 4, 7 } } };
    GIVES(sorted(taken_from(merged_by(two, 2, WEFT_ARRIVAL, 0), WEFT_ANY)), 1,
          2, 3, 4, 5, 6);
    struct input three[] = { { .range = { 1, 3 } },
                             { .range = { 10, 12 } },
                             { .range = { 100, 102 } } };
    GIVES(sorted(taken_from(merged_by(three, 3, WEFT_ARRIVAL, 1), WEFT_ANY)), 1,
          2, 10, 11, 100, 101);
    struct input one[] = { { .range = { 1, 3 } } };
    GIVES(taken_from(merged_by(one, 1, WEFT_ROUND_ROBIN, 0), WEFT_INPUT), 1, 2);
}

Test(vectors_shape, each_input_has_stages_of_its_own, .timeout = 30)
{
    struct input in[] = { { { 1, 4 }, twice, NULL, 0 },
                          { { 4, 7 }, plus_ten, one_more, 0 } };
    GIVES(sorted(taken_from(merged_by(in, 2, WEFT_ARRIVAL, 0), WEFT_ANY)), 2, 4,
          6, 15, 16, 17);
}

Test(vectors_shape, stages_behind_a_merge_get_what_all_inputs_give,
     .timeout = 30)
{
    struct input in[] = { { { 1, 4 }, twice, NULL, 0 }, { .range = { 4, 6 } } };
    weft_pipeline *p = merged_by(in, 2, WEFT_ARRIVAL, 0);
    add(p, "times five", times_five, WEFT_ANY);
    GIVES(sorted(taken_from(p, WEFT_ANY)), 10, 20, 20, 25, 30);
}

Test(vectors_shape, an_empty_input_does_not_stop_a_merge, .timeout = 30)
{
    for (int turn = WEFT_ARRIVAL; turn <= WEFT_WEIGHTED; turn++) {
        struct input in[] = { { .range = { 0, 0 } },
                              { .range = { 1, 4 } },
                              { .range = { 0, 0 } } };
        GIVES(taken_from(merged_by(in, 3, turn, 0), WEFT_INPUT), 1, 2, 3);
        struct input none[] = { { .range = { 0, 0 } }, { .range = { 0, 0 } } };
        gives_nothing(taken_from(merged_by(none, 2, turn, 0), WEFT_ANY));
    }
}

Test(vectors_shape, a_merge_without_inputs_is_refused)
{
    is_refused(merged_by(NULL, 0, WEFT_ARRIVAL, 0),
               "merge 'merge' has no inputs");
}

/* A merge of SPDL that takes turns ends with its first input: 1 4 2 5 3 6. One
 * of weft goes on with those that have more. */
Test(vectors_shape, in_turns_the_longer_input_goes_on_alone, .timeout = 30)
{
    struct input in[] = { { .range = { 1, 4 } }, { .range = { 4, 10 } } };
    GIVES(taken_from(merged_by(in, 2, WEFT_ROUND_ROBIN, 0), WEFT_INPUT), 1, 4,
          2, 5, 3, 6, 7, 8, 9);
    struct input weighted[] = { { { 10, 16 }, NULL, NULL, 3 },
                                { { 20, 24 }, NULL, NULL, 1 },
                                { { 30, 31 }, NULL, NULL, 1 } };
    GIVES(taken_from(merged_by(weighted, 3, WEFT_WEIGHTED, 0), WEFT_INPUT), 10,
          11, 12, 20, 30, 13, 14, 15, 21, 22, 23);
}

/* The other way to leave early is the consumer's. */
Test(vectors_shape, a_merge_is_left_though_its_inputs_have_more, .timeout = 30)
{
    weft_sched *sched = workers(2);
    for (int turn = WEFT_ARRIVAL; turn <= WEFT_WEIGHTED; turn++) {
        struct input in[] = { { .range = { 0, UINT64_MAX } },
                              { .range = { 0, UINT64_MAX } } };
        struct taken t = { .count = 0 };
        struct weft_run *run;
        weft_pipeline *p = merged_by(in, 2, turn, 3);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
        cr_assert_eq(take(run, &t, 7), 1);
        weft_cancel(run);
        cr_assert_eq(take(run, &t, 1), -ECANCELED);
        cr_assert_eq(take(run, &t, 1), 0);
        cr_assert_eq(t.count, 7);
        cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

/* The other input would never end. */
Test(vectors_shape, an_input_that_fails_ends_the_others, .timeout = 30)
{
    for (int turn = WEFT_ARRIVAL; turn <= WEFT_WEIGHTED; turn++) {
        struct input in[] = { { .range = { 0, 3, .error = -EIO } },
                              { .range = { 0, 900 } } };
        struct input endless[] = { { .range = { 0, 3, .error = -EIO } },
                                   { .range = { 0, UINT64_MAX } } };
        struct taken t = taken_from(merged_by(in, 2, turn, 4), WEFT_INPUT);
        cr_assert(t.count >= 3);
        ends_with(&t, -EIO,
                  "source 'a.count' failed on item 3, attempt 1: EIO: "
                  "Input/output error");
        t = taken_from(merged_by(endless, 2, turn, 4), WEFT_INPUT);
        cr_assert(t.count >= 3);
        cr_assert_eq(t.error, -EIO);
    }
}

static int unpack(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct vec *batch = item;
    if (batch->value == batch->count)
        return WEFT_END;
    *(struct vec *)piece = (struct vec){ batch->of[batch->value++] };
    return 0;
}

Test(vectors_shape, inputs_may_gather_and_scatter, .timeout = 30)
{
    struct range r[2] = { { 1, 5 }, { 10, 14 } };
    weft_pipeline *p = draw(NULL, WEFT_STOP), *parts[2];
    struct weft_path paths[2];

    for (int i = 0; i < 2; i++) {
        parts[i] = draw(&r[i], WEFT_STOP);
        batch_by(parts[i], 3, false);
        weft_scatter(parts[i],
                     weft_config(scatter, .name = "unpack", .fn = unpack,
                                 .order = WEFT_INPUT,
                                 .items = { .bytes = sizeof(struct vec) }));
        paths[i] =
            (struct weft_path){ .name = i ? "b" : "a", .stages = parts[i] };
    }
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = paths,
                              .input_count = 2, .turn = WEFT_ROUND_ROBIN,
                              .order = WEFT_INPUT));
    weft_pipeline_destroy(parts[0]);
    weft_pipeline_destroy(parts[1]);
    GIVES(taken_from(p, WEFT_INPUT), 1, 10, 2, 11, 3, 12, 4, 13);
}

/* ---- routers ----------------------------------------------------------- */

static int by_parity(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *value_of(item) % 2;
    return 0;
}

static int by_three(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *value_of(item) % 3;
    return 0;
}

static int always(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *(const unsigned *)ctx;
    return 0;
}

static int by_size(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *value_of(item) >= *(const uint64_t *)ctx;
    return 0;
}

static int no_road(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    return weft_fail(item, -EHOSTUNREACH, "no road for %d",
                     (int)*value_of(item));
}

/* A path of one or two stages, or of none. */
static weft_pipeline *path(weft_stage_fn *first, weft_stage_fn *second)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    if (first)
        weft_stage(
            p, weft_config(stage, .name = "first", .fn = first, .tokens = 3));
    if (second)
        weft_stage(p, weft_config(stage, .name = "second", .fn = second,
                                  .order = WEFT_INPUT, .tokens = 1));
    return p;
}

/* The parts are used up. */
static void route(weft_pipeline *p, const char *name, weft_route_fn *fn,
                  void *ctx, weft_pipeline *a, weft_pipeline *b,
                  weft_pipeline *c)
{
    weft_pipeline *parts[] = { a, b, c };
    const struct weft_path paths[] = { { "a", a, 0, 0 },
                                       { "b", b, 0, 0 },
                                       { "c", c, 0, 0 } };
    unsigned count = c ? 3 : b ? 2 : a ? 1 : 0;

    weft_router(p, weft_config(router, .name = name, .fn = fn, .ctx = ctx,
                               .paths = paths, .path_count = count,
                               .join = WEFT_INPUT));
    for (unsigned i = 0; i < count; i++)
        weft_pipeline_destroy(parts[i]);
}

static int plus_hundred(weft_worker *self, void *item, void *ctx)
{
    *value_of(item) += 100;
    return 0;
}

static int times_ten(weft_worker *self, void *item, void *ctx)
{
    *value_of(item) *= 10;
    return 0;
}

/* In SPDL paths join as items are done. Here they may, or in the order of the
 * input: then no slow source is needed to know what comes. */
Test(vectors_shape, each_item_takes_its_path_and_they_join_in_order,
     .timeout = 30)
{
    struct range r = { .end = 6 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    route(p, "parity", by_parity, NULL, path(twice, NULL),
          path(plus_hundred, NULL), NULL);
    GIVES(taken_from(p, WEFT_INPUT), 0, 101, 4, 103, 8, 105);

    struct range nine = { .end = 9 };
    p = draw(&nine, WEFT_STOP);
    route(p, "three", by_three, NULL, path(twice, NULL), path(plus_ten, NULL),
          path(times_five, NULL));
    GIVES(taken_from(p, WEFT_INPUT), 0, 11, 10, 6, 14, 25, 12, 17, 40);
}

Test(vectors_shape, all_may_take_one_path, .timeout = 30)
{
    struct range r = { 1, 4, 0, 0, 0 };
    unsigned first = 0;
    weft_pipeline *p = draw(&r, WEFT_STOP);
    route(p, "all", always, &first, path(times_ten, NULL),
          path(plus_hundred, NULL), NULL);
    GIVES(taken_from(p, WEFT_INPUT), 10, 20, 30);
}

/* In SPDL a path has a stage; one of weft may have none. */
Test(vectors_shape, a_path_may_be_empty_and_they_may_differ, .timeout = 30)
{
    struct range r = { .end = 6 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    route(p, "three", by_three, NULL, path(times_ten, NULL), path(NULL, NULL),
          path(plus_hundred, one_more));
    GIVES(taken_from(p, WEFT_INPUT), 0, 1, 103, 30, 4, 106);
}

Test(vectors_shape, a_path_may_begin_with_a_router, .timeout = 30)
{
    uint64_t six = 6;
    struct range r = { .end = 12 };
    weft_pipeline *even = weft_pipeline_create(NULL);
    weft_pipeline *odd = weft_pipeline_create(NULL);
    weft_pipeline *p = draw(&r, WEFT_STOP);

    route(even, "size", by_size, &six, path(times_ten, NULL),
          path(times_ten, times_ten), NULL);
    route(odd, "size", by_size, &six, path(NULL, NULL), path(times_five, NULL),
          NULL);
    route(p, "parity", by_parity, NULL, even, odd, NULL);
    GIVES(taken_from(p, WEFT_INPUT), 0, 1, 20, 3, 40, 5, 600, 35, 800, 45, 1000,
          55);
}

Test(vectors_shape, there_are_stages_before_and_behind_a_router, .timeout = 30)
{
    uint64_t limit = 25;
    struct range r = { 1, 5, 0, 0, 0 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    add(p, "times ten", times_ten, WEFT_ANY);
    route(p, "size", by_size, &limit, path(one_more, NULL),
          path(one_more, one_more), NULL);
    add(p, "twice", twice, WEFT_ANY);
    GIVES(taken_from(p, WEFT_INPUT), 22, 42, 64, 84);
}

Test(vectors_shape, a_router_takes_what_a_merge_gives, .timeout = 30)
{
    struct input in[] = { { .range = { 1, 3 } }, { .range = { 3, 5 } } };
    weft_pipeline *p = merged_by(in, 2, WEFT_ROUND_ROBIN, 0);
    route(p, "parity", by_parity, NULL, path(plus_hundred, NULL),
          path(NULL, NULL), NULL);
    GIVES(taken_from(p, WEFT_INPUT), 1, 3, 102, 104);
}

Test(vectors_shape, nothing_comes_of_a_router_without_input, .timeout = 30)
{
    struct range r = { .end = 0 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    route(p, "parity", by_parity, NULL, path(twice, NULL), path(twice, NULL),
          NULL);
    gives_nothing(taken_from(p, WEFT_INPUT));
}

/* A router of SPDL that chooses what is not there ends the run. In weft it has
 * failed one item. */
Test(vectors_shape, a_path_that_is_not_there_fails_the_item, .timeout = 30)
{
    unsigned wrong[] = { 2, 7, UINT32_MAX - 1 };
    char sentence[128];

    for (int i = 0; i < 3; i++) {
        struct range r = { .end = 3 };
        weft_pipeline *p = draw(&r, WEFT_STOP);
        route(p, "wrong", always, &wrong[i], path(pass, NULL), path(pass, NULL),
              NULL);
        struct taken t = taken_on(1, p, WEFT_INPUT);
        cr_assert_eq(t.count, 0);
        snprintf(sentence, sizeof sentence,
                 "stage 'wrong' failed on item 0, attempt 1: EINVAL: there is "
                 "no path %u: there are 2",
                 wrong[i]);
        ends_with(&t, -EINVAL, sentence);
    }
    struct range r = { .end = 6 };
    weft_pipeline *p = draw(&r, WEFT_SKIP);
    route(p, "three", by_three, NULL, path(pass, NULL), path(pass, NULL), NULL);
    GIVES(taken_from(p, WEFT_INPUT), 0, 1, 3, 4);
}

Test(vectors_shape, a_router_that_fails_fails_the_item, .timeout = 30)
{
    struct range r = { 1, 4, 0, 0, 0 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    route(p, "road", no_road, NULL, path(pass, NULL), NULL, NULL);
    struct taken t = taken_on(1, p, WEFT_INPUT);
    cr_assert_eq(t.count, 0);
    ends_with(&t, -EHOSTUNREACH,
              "stage 'road' failed on item 0, attempt 1: EHOSTUNREACH: no road "
              "for 1");
}

Test(vectors_shape, a_path_that_fails_leaves_the_other_alone, .timeout = 30)
{
    struct range r = { .end = 6 };
    weft_pipeline *p = draw(&r, WEFT_SKIP);
    route(p, "parity", by_parity, NULL, path(times_ten, NULL),
          path(odd_fails, NULL), NULL);
    GIVES(taken_from(p, WEFT_INPUT), 0, 20, 40);
}

Test(vectors_shape, a_path_may_end_the_run_however_much_is_on_its_way,
     .timeout = 30)
{
    unsigned second = 1;
    for (int all = 0; all < 2; all++) {
        struct range r = { .end = 100 };
        weft_pipeline *p = draw(&r, WEFT_STOP);
        route(p, "road", all ? always : by_parity, &second, path(pass, NULL),
              path(NULL, odd_fails), NULL);
        struct taken t = taken_from(p, WEFT_INPUT);
        LISTS(t, 0);
        ends_with(&t, -EINVAL,
                  "stage 'b.second' failed on item 1, attempt 1: EINVAL: "
                  "Invalid argument");
    }
}

Test(vectors_shape, what_no_path_can_be_is_refused)
{
    struct range r = { .end = 3 };
    weft_pipeline *p = draw(&r, WEFT_STOP), *part = path(pass, NULL);
    route(p, "road", by_parity, NULL, NULL, NULL, NULL);
    is_refused(p, "router 'road' has no paths");

    weft_source(part, "late", count_up, &r);
    p = draw(&r, WEFT_STOP);
    route(p, "road", by_parity, NULL, path(pass, NULL), part, NULL);
    is_refused(p, "'late' cannot be in path 'b': paths are made of stages and "
                  "routers");

    part = path(pass, NULL);
    weft_consumer(part, WEFT_ANY);
    p = draw(&r, WEFT_STOP);
    route(p, "road", by_parity, NULL, part, NULL, NULL);
    is_refused(p, "'consumer' cannot be in path 'a': paths are made of stages "
                  "and routers");

    /* SPDL has aggregates inside of paths. Here a batch is an item of the next
     * segment, and all paths lead to the same. */
    part = path(pass, NULL);
    batch_by(part, 2, false);
    p = draw(&r, WEFT_STOP);
    route(p, "road", by_parity, NULL, part, NULL, NULL);
    is_refused(p, "'batch' cannot be in path 'a': paths are made of stages and "
                  "routers");
}
