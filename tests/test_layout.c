/* test_layout.c: graph/layout.c and pipeline.c: what does not fit together is a
 * sentence; what does has the names, and the items, that its parts give it. */
#include "tests/pipes.h"

static struct numbers source;

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    *(struct number *)batch = *(struct number *)item;
    return 0;
}

static int cut(weft_worker *self, void *item, void *piece, void *ctx)
{
    return WEFT_END;
}

static void stage(weft_pipeline *p, const char *name)
{
    weft_stage(p, weft_config(stage, .name = name, .fn = pass));
}

static weft_pipeline *fed(void)
{
    weft_pipeline *p = drawing(4);
    weft_source(p, "numbers", give, &source);
    return p;
}

static void gather(weft_pipeline *p)
{
    weft_gather(p, weft_config(gather, .name = "batch", .fn = add, .count = 2,
                               .items = slots_of(2)));
}

static void scatter(weft_pipeline *p)
{
    weft_scatter(p, weft_config(scatter, .name = "cut", .fn = cut,
                                .items = slots_of(2)));
}

/* Routers and merges of one or two parts, which are destroyed. */
static void router(weft_pipeline *p, weft_pipeline *a, weft_pipeline *b)
{
    const struct weft_path paths[] = { { .name = "a", .stages = a },
                                       { .name = "b", .stages = b } };
    weft_router(p, weft_config(router, .name = "router", .paths = paths,
                               .path_count = 2));
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
}

static void merge(weft_pipeline *p, weft_pipeline *a, weft_pipeline *b)
{
    const struct weft_path inputs[] = { { .name = "a", .stages = a },
                                        { .name = "b", .stages = b } };
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                              .input_count = 2));
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
}

static weft_pipeline *part(void) { return weft_pipeline_create(NULL); }

static weft_pipeline *row(const char *name)
{
    weft_pipeline *p = part();
    stage(p, name);
    return p;
}

/* ---- one after the other ----------------------------------------------- */

Test(layout, a_pipeline_begins_with_a_source)
{
    mistake(part(), "the pipeline has no source");
    mistake(row("a"), "'a' has no source before it");

    weft_pipeline *p = part();
    weft_consumer(p, WEFT_ANY);
    mistake(p, "'consumer' has no source before it");

    p = part();
    router(p, row("a"), row("a"));
    mistake(p, "'router' has no source before it");

    p = fed();
    stage(p, "a");
    weft_source_fed(p, "fed");
    mistake(p, "source 'fed' comes after 'a': it must be first");

    p = fed();
    merge(p, fed(), fed());
    mistake(p, "merge 'merge' comes after 'numbers': it must be first");
}

Test(layout, a_pipeline_ends_with_its_consumer)
{
    weft_pipeline *p = fed();
    weft_consumer(p, WEFT_ANY);
    stage(p, "late");
    mistake(p, "'late' comes after the consumer, which is the end");

    p = fed();
    weft_consumer(p, WEFT_ANY);
    weft_consumer(p, WEFT_ANY);
    mistake(p, "'consumer' comes after the consumer, which is the end");

    p = fed();
    gather(p);
    mistake(p, "nothing takes the batches of 'batch'");

    p = fed();
    scatter(p);
    mistake(p, "nothing takes the pieces of 'cut'");
}

Test(layout, two_stages_have_two_names)
{
    weft_pipeline *p = fed();
    stage(p, "a");
    stage(p, "b");
    stage(p, "a");
    mistake(p, "two stages are called 'a'");

    p = fed();
    stage(p, "numbers");
    mistake(p, "two stages are called 'numbers'");

    /* those of paths have the path's, if it has one */
    p = fed();
    router(p, row("same"), row("same"));
    weft_plan_destroy(pipeline_plan(p));

    p = fed();
    weft_pipeline *same = row("same");
    const struct weft_path nameless[] = { { .stages = same },
                                          { .stages = same } };
    weft_router(p, weft_config(router, .name = "router", .paths = nameless,
                               .path_count = 2));
    weft_pipeline_destroy(same);
    mistake(p, "two stages are called 'same'");

    p = fed();
    stage(p, "a.same");
    router(p, row("same"), row("same"));
    mistake(p, "two stages are called 'a.same'");
}

Test(layout, without_memory_there_is_no_plan)
{
    weft_plan *plan = NULL;
    weft_error why;
    cr_assert_eq(weft_pipeline_compile(&plan, NULL, &why), -ENOMEM);
    cr_assert_eq(strcmp(why.text, "no memory to draw the pipeline"), 0);
    cr_assert_eq(plan, NULL);
}

/* ---- parts that do not fit --------------------------------------------- */

Test(layout, paths_are_made_of_stages_and_routers)
{
    weft_pipeline *p = fed();
    weft_router(p, weft_config(router, .name = "router"));
    mistake(p, "router 'router' has no paths");

    p = fed();
    router(p, row("x"), NULL);
    mistake(p, "part 'b' of 'router' has no stages");

    void (*const draws[])(weft_pipeline *) = { gather, scatter };
    static const char *const names[] = { "batch", "cut" };
    for (int i = 0; i < 2; i++) {
        char sentence[128];
        weft_pipeline *wrong = row("x");
        draws[i](wrong);
        p = fed();
        router(p, row("y"), wrong);
        snprintf(sentence, sizeof sentence,
                 "'%s' cannot be in path 'b': paths are made of stages and "
                 "routers",
                 names[i]);
        mistake(p, sentence);
    }

    p = fed();
    router(p, fed(), row("x"));
    mistake(p, "'numbers' cannot be in path 'a': paths are made of stages and "
               "routers");

    weft_pipeline *wrong = part(), *inner = part();
    merge(inner, fed(), fed());
    weft_embed(wrong, "inner", inner);
    weft_pipeline_destroy(inner);
    p = fed();
    router(p, row("x"), wrong);
    mistake(p, "'merge' cannot be in path 'b': paths are made of stages and "
               "routers");

    wrong = row("x");
    weft_consumer(wrong, WEFT_ANY);
    p = fed();
    router(p, wrong, row("x"));
    mistake(p, "'consumer' cannot be in path 'a': paths are made of stages and "
               "routers");
}

Test(layout, the_inputs_of_a_merge_have_sources)
{
    weft_pipeline *p = drawing(4);
    weft_merge(p, weft_config(merge, .name = "merge"));
    mistake(p, "merge 'merge' has no inputs");

    p = drawing(4);
    merge(p, fed(), NULL);
    mistake(p, "part 'b' of 'merge' has no stages");

    p = drawing(4);
    merge(p, fed(), part());
    mistake(p, "input 1 of merge 'merge' has no source");

    p = drawing(4);
    merge(p, row("x"), fed());
    mistake(p, "'x' has no source before it");
}

static void one_way(void *item, void *ctx) {}
static void another_way(void *item, void *ctx) {}

static weft_pipeline *ways(void (*reset)(void *, void *),
                           void (*finish)(void *, void *))
{
    struct weft_items items = slots_of(4);

    items.reset = reset;
    items.finish = finish;
    return weft_pipeline_create(weft_config(pipeline, .items = items));
}

Test(layout, the_items_of_a_merge_are_all_of_one_kind)
{
    weft_pipeline *p = drawing(4), *a = weft_pipeline_create(weft_config(
                                       pipeline, .items = { .bytes = 24 }));
    weft_source(a, "numbers", give, &source);
    merge(p, fed(), a);
    mistake(p,
            "input 1 of merge 'merge' gives items of 24 bytes, but the merge "
            "makes some of 16");

    /* the last segment of an input counts */
    p = drawing(4);
    a = fed();
    weft_gather(a, weft_config(gather, .name = "batch", .fn = add,
                               .items = { .bytes = 32 }));
    merge(p, a, fed());
    mistake(p,
            "input 0 of merge 'merge' gives items of 32 bytes, but the merge "
            "makes some of 16");

    for (int i = 0; i < 2; i++) {
        p = ways(one_way, one_way);
        a = ways(i ? another_way : one_way, i ? one_way : NULL);
        weft_source(a, "numbers", give, &source);
        weft_pipeline *b = ways(one_way, one_way);
        weft_source(b, "numbers", give, &source);
        merge(p, b, a);
        mistake(p, "the items of input 1 of merge 'merge' are not reset and "
                   "finished as those of the merge are, but they change "
                   "places");
    }
    struct weft_items items = slots_of(4);
    items.reset = one_way;
    p = weft_pipeline_create(weft_config(pipeline, .items = items));
    items.ctx = &source;
    a = weft_pipeline_create(weft_config(pipeline, .items = items));
    weft_source(a, "numbers", give, &source);
    weft_pipeline *b = weft_pipeline_create(NULL); /* as the whole */
    weft_source(b, "numbers", give, &source);
    merge(p, b, a);
    mistake(p, "the items of input 1 of merge 'merge' have another `ctx` than "
               "those of the merge, but they change places");
}

Test(layout, only_the_whole_has_a_consumer)
{
    weft_pipeline *p = fed(), *tail = row("x");
    weft_consumer(tail, WEFT_ANY);
    weft_embed(p, "tail", tail);
    weft_pipeline_destroy(tail);
    mistake(p, "the consumer is in part 'tail': only the whole can have one");

    p = drawing(4);
    weft_pipeline *input = fed();
    weft_consumer(input, WEFT_ANY);
    merge(p, fed(), input);
    mistake(p, "the consumer is in part 'b': only the whole can have one");
}

Test(layout, an_ordered_stage_in_a_path_has_room_for_its_tokens)
{
    weft_pipeline *wide = part();
    weft_stage(wide, weft_config(stage, .name = "x", .fn = pass, .tokens = 3,
                                 .order = WEFT_INPUT));
    weft_pipeline *p = fed();
    router(p, row("x"), wide);
    mistake(p, "ordered stage 'b.x' has 3 tokens, but only 2 items are in path "
               "'b': give the path as many slots");
}

/* ---- parts of parts ---------------------------------------------------- */

/* The sanitizer sees that all of these are freed. */
Test(layout, nothing_is_a_part_of_itself)
{
    weft_pipeline *p = fed();
    weft_embed(p, "again", p);
    mistake(p, "'again' is a part of itself");

    weft_pipeline *a = row("a"), *b = row("b");
    weft_embed(a, "b", b);
    weft_embed(b, "a", a);
    p = fed();
    weft_embed(p, "a", a);
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
    mistake(p, "'a' is a part of itself");

    a = row("a");
    b = row("b");
    router(b, a, row("c")); /* and a is destroyed, but for b */
    p = fed();
    weft_embed(p, "b", b);
    const struct weft_path path = { .name = "p", .stages = p };
    weft_router(b, weft_config(router, .name = "back", .paths = &path,
                               .path_count = 1));
    weft_pipeline_destroy(b);
    mistake(p, "'back' is a part of itself");
}

static weft_pipeline *nested(unsigned depth)
{
    weft_pipeline *p = row("bottom");

    for (; depth; depth--) {
        weft_pipeline *outer = part();
        weft_embed(outer, "in", p);
        weft_pipeline_destroy(p);
        p = outer;
    }
    return p;
}

Test(layout, parts_are_nested_sixteen_deep)
{
    weft_pipeline *p = fed(), *deep = nested(15);
    weft_embed(p, "in", deep);
    weft_pipeline_destroy(deep);
    weft_plan_destroy(pipeline_plan(p));

    p = fed();
    deep = nested(16);
    weft_embed(p, "in", deep);
    weft_pipeline_destroy(deep);
    mistake(p, "parts are nested deeper than 16 in 'in'");
}

Test(layout, names_of_parts_are_of_a_length_that_fits)
{
    char name[300];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    weft_pipeline *p = fed(), *a = row("x");
    weft_embed(p, name, a);
    weft_pipeline_destroy(a);
    mistake(p, "the name 'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...' is too "
               "long");
}

/* ---- what fits --------------------------------------------------------- */

/* Runs it; its stages have these names, and no others. */
static void stages_are(weft_pipeline *p, const char *const *names)
{
    struct weft_stage_stats stats;
    unsigned i = 0;
    weft_sched *sched = workers(1);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);

    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    for (; names[i]; i++) {
        cr_assert_eq(weft_run_stage(run, i, &stats), 0);
        cr_assert_eq(strcmp(stats.name, names[i]), 0);
    }
    cr_assert_eq(weft_run_stage(run, i, &stats), -ERANGE);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(layout, stages_of_parts_are_called_part_dot_stage)
{
    static const char *const names[] = {
        "a.numbers", "a.x",    "b.numbers", "merge",    "one.x",
        "one.two.y", "router", "a.z",       "a.router", "a.a.deep",
        "a.b.deep",  "b.z",    "batch",     "x",        NULL,
    };
    weft_pipeline *p = drawing(4), *a = fed(), *one = row("x");
    weft_pipeline *two = row("y"), *path = row("z"), *x = row("x");

    source = (struct numbers){ .end = 0 };
    stage(a, "x");
    merge(p, a, fed());
    weft_embed(one, "two", two);
    weft_embed(p, "one", one);
    router(path, row("deep"), row("deep"));
    router(p, path, row("z"));
    gather(p);
    weft_embed(p, NULL, x);
    weft_pipeline_destroy(one);
    weft_pipeline_destroy(two);
    weft_pipeline_destroy(x);
    stages_are(p, names);
}

static int double_it(weft_worker *self, void *item, void *ctx)
{
    ((struct number *)item)->value *= 2;
    return 0;
}

/* Three times in one pipeline, and in another one, after it was destroyed. */
Test(layout, a_part_is_used_as_often_as_you_like)
{
    struct number got;
    weft_sched *sched = workers(2);
    weft_pipeline *twice = part(), *p[2] = { drawing(4), drawing(4) };
    weft_plan *plan[2];

    weft_stage(twice, weft_config(stage, .name = "double", .fn = double_it));
    source = (struct numbers){ .end = 10 };
    for (int i = 0; i < 2; i++) {
        weft_source(p[i], "numbers", give, &source);
        weft_embed(p[i], "first", twice);
        weft_embed(p[i], "second", twice);
    }
    weft_embed(p[1], "third", twice);
    weft_pipeline_destroy(twice);
    for (int i = 0; i < 2; i++) {
        weft_consumer(p[i], WEFT_INPUT);
        plan[i] = pipeline_plan(p[i]); /* which destroys the drawing */
    }
    for (int i = 0; i < 2; i++) {
        source.next = 0;
        struct weft_run *run = started(sched, plan[i]);
        for (uint64_t k = 0; k < 10; k++) {
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, k * (i ? 8 : 4));
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan[i]);
    }
    weft_sched_destroy(sched);
}

/* What is drawn into a part later is in it when the whole is compiled. */
Test(layout, a_part_counts_as_it_is_when_the_whole_is_compiled)
{
    static const char *const before[] = { "numbers", "in.x", NULL };
    static const char *const after[] = { "numbers", "in.x", "in.y", NULL };
    weft_pipeline *p = fed(), *x = row("x");
    weft_plan *plan = NULL;

    source = (struct numbers){ .end = 0 };
    weft_embed(p, "in", x);
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_plan_destroy(plan);
    weft_pipeline *q = fed();
    weft_embed(q, "in", x);
    stages_are(q, before);
    stage(x, "y");
    weft_pipeline_destroy(x);
    stages_are(p, after);
}

/* A part without items of its own has those of what it is used in. */
Test(layout, items_are_those_of_the_nearest_part_that_has_some)
{
    struct weft_flow f;
    weft_sched *sched = workers(1);
    weft_pipeline *p = drawing(2);
    weft_pipeline *a = drawing(3), *b = part(), *in_a = part(), *in_b = part();
    static struct numbers sources[2];

    sources[0] = sources[1] = (struct numbers){ .end = 5 };
    weft_source(in_a, "numbers", give, &sources[0]);
    weft_source(in_b, "numbers", give, &sources[1]);
    weft_embed(a, "in", in_a);
    weft_embed(b, "in", in_b);
    weft_pipeline_destroy(in_a);
    weft_pipeline_destroy(in_b);
    merge(p, a, b);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        static const unsigned slots[] = { 3, 2, 2 };
        f = flow_of(run, i);
        cr_assert_eq(f.slots, slots[i]);
        cr_assert_eq(f.delivered, i < 2 ? 5 : 10);
    }
    cr_assert_eq(weft_run_flow(run, 3, &f), -ERANGE);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
