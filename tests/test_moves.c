/* test_moves.c: graph/merge.c again: what items have grown goes with them, is
 * reset and finished once, however the run ends; and inputs of all shapes. */
#include <stdlib.h>

#include "tests/pipes.h"

/* An item with a buffer, which stays with it for the next one in its slot. */
struct thing {
    struct number n;
    uint64_t *buffer;
};

struct world {
    _Atomic unsigned made, grown, reset, finished;
};

/* One input. */
struct maker {
    struct numbers numbers;
    struct world *world;
};

static int make(weft_worker *self, void *item, void *ctx)
{
    struct maker *m = ctx;
    struct thing *t = item;
    struct number n;
    int rc = give(self, &n, &m->numbers);

    if (rc)
        return rc;
    if (!t->buffer) {
        t->buffer = malloc(100 * sizeof *t->buffer);
        add_relaxed(&m->world->grown, 1);
    }
    t->n = n;
    t->buffer[99] = n.value;
    add_relaxed(&m->world->made, 1);
    return 0;
}

/* Its buffer is the one that it was made with. */
static int look(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    return t->buffer[99] == t->n.value ? 0 : -EBADMSG;
}

static void reset(void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->reset, 1);
}

static void finish(void *item, void *ctx)
{
    free(((struct thing *)item)->buffer);
    add_relaxed(&((struct world *)ctx)->finished, 1);
}

static weft_pipeline *things(struct world *w, unsigned slots)
{
    return weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct thing),
                                         .slots = slots,
                                         .reset = reset,
                                         .finish = finish,
                                         .ctx = w }));
}

/* Two inputs of things, with 3 and 2 slots, merged into 4. */
enum { SLOTS = 9 };

struct two {
    struct world world;
    struct maker maker[2];
};

static void two_inputs(struct two *t, weft_pipeline *p, uint64_t items,
                       uint64_t epoch, int turn, enum weft_order order)
{
    struct weft_path inputs[2] = { { .name = "a" }, { .name = "b" } };

    for (unsigned i = 0; i < 2; i++) {
        t->maker[i] = (struct maker){
            .numbers = { .end = items, .epoch = epoch, .base = i * 1000000 },
            .world = &t->world
        };
        inputs[i].stages = things(&t->world, 3 - i);
        weft_source(inputs[i].stages, "make", make, &t->maker[i]);
        weft_stage(inputs[i].stages,
                   weft_config(stage, .name = "pend", .fn = pend));
    }
    struct weft_merge_config c = { .size = sizeof c,
                                   .name = "merge",
                                   .inputs = inputs,
                                   .input_count = 2,
                                   .order = order };
    c.turn = turn;
    weft_merge(p, &c);
    weft_pipeline_destroy(inputs[0].stages);
    weft_pipeline_destroy(inputs[1].stages);
    weft_stage(p, weft_config(stage, .name = "look", .fn = look));
}

/* The sanitizer sees that every buffer is freed, and none twice. */
Test(moves, what_an_item_has_grown_goes_with_it, .timeout = 60)
{
    enum { N = TIMES(20000, 2000) };

    for (unsigned n = 1; n <= 3; n++)
        for (int turn = WEFT_ARRIVAL; turn <= WEFT_ROUND_ROBIN; turn++) {
            struct two t = { 0 };
            weft_sched *sched = workers(n);
            weft_pipeline *p = things(&t.world, 4);

            two_inputs(&t, p, N, 0, turn, n % 2 ? WEFT_ANY : WEFT_INPUT);
            weft_plan *plan = pipeline_plan(p);
            struct weft_run *run = started(sched, plan);
            ended(run, 0);
            cr_assert_eq(t.world.made, 2 * N);
            cr_assert_eq(t.world.reset, 2 * N);
            cr_assert_eq(t.world.finished, SLOTS);
            cr_assert(t.world.grown <= SLOTS); /* once a slot */
            weft_plan_destroy(plan);
            weft_sched_destroy(sched);
        }
}

/* ---- early exit -------------------------------------------------------- */

struct stopper {
    struct weft_run *run;
    uint64_t delay;
};

static void *cancel_later(void *ctx)
{
    struct stopper *s = ctx;
    for (volatile uint64_t i = 0; i < s->delay; i++)
        ;
    weft_cancel(s->run);
    return NULL;
}

static uint64_t random_state = 88172645463325252;

static uint64_t next_random(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/* The consumer takes `most` at most; then it cancels, or somebody else has. */
static void leave_early(weft_sched *sched, uint64_t epoch, unsigned most,
                        bool by_another)
{
    uint64_t random = next_random();
    struct stopper s = { .delay = next_random() % 100000 };
    struct two t = { 0 };
    pthread_t other;
    void *item;
    int rc = 1;
    weft_pipeline *p = things(&t.world, 4);

    two_inputs(&t, p, UINT64_MAX, epoch, random % 2,
               random / 2 % 2 ? WEFT_ANY : WEFT_INPUT);
    weft_consumer(p, random / 4 % 2 ? WEFT_ANY : WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    s.run = started(sched, plan);
    if (by_another)
        cr_assert_eq(pthread_create(&other, NULL, cancel_later, &s), 0);
    for (unsigned taken = 0; taken < most; taken += rc == 1) {
        rc = weft_next(s.run, &item, -1, NULL);
        if (rc != 1 && rc != WEFT_EPOCH)
            break;
        if (rc == 1)
            weft_release(item);
    }
    if (by_another)
        pthread_join(other, NULL);
    weft_cancel(s.run);
    cr_assert_eq(weft_wait(s.run, -1, NULL), -ECANCELED);
    ended(s.run, -ECANCELED);
    cr_assert_eq(t.world.made, t.world.reset);
    cr_assert_eq(t.world.finished, SLOTS);
    cr_assert(t.world.grown <= SLOTS);
    weft_plan_destroy(plan);
}

Test(moves, a_consumer_that_leaves_early_leaves_nothing_behind, .timeout = 120)
{
    weft_sched *sched = workers(3);

    for (unsigned i = 0; i < TIMES(2000, 300); i++)
        leave_early(sched, 0, (unsigned)(next_random() % 50), i % 2);
    weft_sched_destroy(sched);
}

Test(moves, nor_does_it_between_epochs, .timeout = 120)
{
    weft_sched *sched = workers(3);

    for (unsigned i = 0; i < TIMES(2000, 300); i++)
        leave_early(sched, 1 + next_random() % 4,
                    (unsigned)(next_random() % 50), i % 2);
    weft_sched_destroy(sched);
}

/* ---- inputs of all shapes ---------------------------------------------- */

/* Its number in its input, however it came here. */
Test(moves, a_merged_item_knows_its_number_in_its_input, .timeout = 60)
{
    for (unsigned n = 1; n <= 2; n++) {
        struct two t = { 0 };
        void *item;
        uint64_t taken = 0;
        weft_sched *sched = workers(n);
        weft_pipeline *p = things(&t.world, 4);

        two_inputs(&t, p, 500, 0, WEFT_ARRIVAL, WEFT_ANY);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (; weft_next(run, &item, -1, NULL) == 1; taken++) {
            cr_assert_eq(weft_item_origin(item), value_of(item) % 1000000);
            cr_assert_eq(weft_item_number(item), taken);
            weft_release(item);
        }
        cr_assert_eq(taken, 1000);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* An input: 0, 1, 2 ... from its base. */
static struct weft_path input(const char *name, struct numbers *source,
                              unsigned slots)
{
    struct weft_path path = { .name = name, .stages = drawing(slots) };
    weft_source(path.stages, "numbers", give, source);
    return path;
}

static void round_robin(weft_pipeline *p, const char *name,
                        struct weft_path *inputs, unsigned count)
{
    weft_merge(p, weft_config(merge, .name = name, .inputs = inputs,
                              .input_count = count, .turn = WEFT_ROUND_ROBIN,
                              .order = WEFT_INPUT));
    for (unsigned i = 0; i < count; i++)
        weft_pipeline_destroy(inputs[i].stages);
}

/* ((a b) c): one of a, one of c, one of b, one of c. */
Test(moves, a_merge_is_an_input_of_another, .timeout = 60)
{
    enum { N = TIMES(2000, 300) };

    for (unsigned n = 1; n <= 3; n++)
        for (unsigned slots = 1; slots <= 4; slots += 3) {
            struct numbers source[3] = { { .end = N },
                                         { .end = N, .base = 10000 },
                                         { .end = 2 * N, .base = 20000 } };
            struct weft_path deep[2], outer[2];
            struct number got;
            weft_sched *sched = workers(n);
            weft_pipeline *p = drawing(slots);

            deep[0] = input("a", &source[0], slots);
            deep[1] = input("b", &source[1], slots);
            outer[0] =
                (struct weft_path){ .name = "ab", .stages = drawing(slots) };
            outer[1] = input("c", &source[2], slots);
            round_robin(outer[0].stages, "inner", deep, 2);
            round_robin(p, "outer", outer, 2);
            weft_consumer(p, WEFT_INPUT);
            weft_plan *plan = pipeline_plan(p);
            struct weft_run *run = started(sched, plan);
            for (uint64_t i = 0; i < 2 * N; i++) {
                cr_assert_eq(take(run, &got), 1);
                cr_assert_eq(got.value, i % 2 * 10000 + i / 2);
                cr_assert_eq(take(run, &got), 1);
                cr_assert_eq(got.value, 20000 + i);
            }
            cr_assert_eq(take(run, &got), 0);
            ended(run, 0);
            weft_plan_destroy(plan);
            weft_sched_destroy(sched);
        }
}

/* A batch has the first of its values, and their number as its mark. */
static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct number *b = batch;

    if (!b->mark++)
        b->value = value_of(item);
    return 0;
}

static void clear(void *batch, void *ctx)
{
    *(struct number *)batch = (struct number){ 0 };
}

static int three_pieces(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct number *from = item, *to = piece;

    if (from->mark == 3)
        return WEFT_END;
    *to = (struct number){ .value = from->value, .mark = from->mark++ };
    return 0;
}

static int odd_or_even(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = value_of(item) % 2;
    return 0;
}

/* Batches of two, three pieces each, and items down two paths, in turn. */
Test(moves, inputs_have_stages_gathers_scatters_and_routers, .timeout = 60)
{
    enum { N = TIMES(600, 120) };

    for (unsigned n = 1; n <= 3; n++) {
        struct numbers source[3] = { { .end = 2 * N },
                                     { .end = N / 3 },
                                     { .end = N } };
        struct weft_path inputs[3], paths[2];
        struct weft_items items = slots_of(2);
        struct number got;
        weft_sched *sched = workers(n);
        weft_pipeline *p = weft_pipeline_create(weft_config(
            pipeline,
            .items = { .bytes = sizeof got, .slots = 3, .reset = clear }));

        items.reset = clear;
        for (unsigned i = 0; i < 3; i++) {
            static const char *const names[] = { "batches", "pieces", "paths" };
            inputs[i] = (struct weft_path){ .name = names[i] };
            inputs[i].stages =
                weft_pipeline_create(weft_config(pipeline, .items = items));
            weft_source(inputs[i].stages, "numbers", give, &source[i]);
            weft_stage(inputs[i].stages,
                       weft_config(stage, .name = "pend", .fn = pend));
        }
        weft_gather(inputs[0].stages,
                    weft_config(gather, .name = "add", .fn = add, .count = 2,
                                .order = WEFT_INPUT, .items = items));
        weft_scatter(inputs[1].stages,
                     weft_config(scatter, .name = "pieces", .fn = three_pieces,
                                 .order = WEFT_INPUT, .items = items));
        for (unsigned i = 0; i < 2; i++)
            paths[i] = (struct weft_path){ .name = i ? "odd" : "even",
                                           .stages = row_of(dawdle, NULL) };
        weft_router(inputs[2].stages,
                    weft_config(router, .name = "router", .fn = odd_or_even,
                                .paths = paths, .path_count = 2));
        weft_pipeline_destroy(paths[0].stages);
        weft_pipeline_destroy(paths[1].stages);
        round_robin(p, "merge", inputs, 3);
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t i = 0; i < N; i++) {
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, 2 * i);
            cr_assert_eq(got.mark, 2);
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, i / 3);
            cr_assert_eq(got.mark, i % 3);
            cr_assert_eq(take(run, &got), 1);
            cr_assert_eq(got.value, i);
        }
        cr_assert_eq(take(run, &got), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}
