/* test_vectors.c: semantics checked against public vectors: order, batches and
 * pieces.
 *
 * The facts are those that the tests of SPDL's pipelines (github.com/
 * facebookresearch/spdl, tests/pipeline) check, in our own words. Where weft
 * means to differ, a test says what weft does, and a comment why. More of them
 * are in test_vectors_failure.c, _shape.c and _stop.c. */
#include <pthread.h>
#include <unistd.h>

#include "tests/vectors.h"

static const enum weft_order orders[] = { WEFT_ANY, WEFT_INPUT };

/* ---- order ------------------------------------------------------------- */

/* Items that wait until the test completes them, in the order that it likes. */
struct pending {
    pthread_mutex_t lock;
    void *items[10];
    _Atomic unsigned count;
};

static int pend(weft_worker *self, void *item, void *ctx)
{
    struct pending *p = ctx;
    pthread_mutex_lock(&p->lock);
    p->items[*value_of(item)] = item;
    pthread_mutex_unlock(&p->lock);
    add_release(&p->count, 1u); /* after the item: for all_pend */
    return WEFT_PENDING;
}

static void all_pend(struct pending *p)
{
    while (load_acquire(&p->count) < 10) /* with the items */
        usleep(100);
}

static weft_plan *pending_plan(struct range *r, struct pending *pending,
                               enum weft_order order)
{
    weft_pipeline *p = draw(r, WEFT_STOP);
    weft_stage(p, weft_config(stage, .name = "pend", .fn = pend, .ctx = pending,
                              .tokens = 10));
    weft_consumer(p, order);
    return pipeline_plan(p);
}

Test(vectors, in_the_order_of_completion_what_is_done_comes, .timeout = 30)
{
    struct range r = { .end = 10 };
    struct pending pending = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct taken t = { .count = 0 };
    struct weft_run *run;
    weft_sched *sched = workers(2);
    weft_plan *plan = pending_plan(&r, &pending, WEFT_ANY);

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    all_pend(&pending);
    for (unsigned i = 10; i-- > 0;) {
        weft_complete(NULL, pending.items[i], 0);
        cr_assert_eq(take(run, &t, 1), 1);
    }
    cr_assert_eq(take(run, &t, 1), 0);
    LISTS(t, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(vectors, in_the_order_of_the_input_the_first_is_waited_for, .timeout = 30)
{
    struct range r = { .end = 10 };
    struct pending pending = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct taken t = { .count = 0 };
    struct weft_run *run;
    void *none;
    weft_sched *sched = workers(2);
    weft_plan *plan = pending_plan(&r, &pending, WEFT_INPUT);

    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    all_pend(&pending);
    for (unsigned i = 10; i-- > 1;)
        weft_complete(NULL, pending.items[i], 0);
    cr_assert_eq(weft_next(run, &none, 20, NULL), -ETIMEDOUT);
    weft_complete(NULL, pending.items[0], 0);
    cr_assert_eq(take(run, &t, UINT32_MAX), 0);
    LISTS(t, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* What happens to which number: dropped, failed, or kept. */
static int holes(weft_worker *self, void *item, void *ctx)
{
    char fate = ((const char *)ctx)[*value_of(item)];
    for (volatile unsigned i = 0; i < *value_of(item) * 7 % 5 * 100; i++)
        ;
    return fate == 'd' ? WEFT_FILTER : fate == 'f' ? -EINVAL : 0;
}

static struct taken with_holes(const char *fates, enum weft_order order)
{
    struct range r = { .end = strlen(fates) };
    weft_pipeline *p = draw(&r, WEFT_SKIP);
    weft_stage(p, weft_config(stage, .name = "holes", .fn = holes,
                              .ctx = (void *)(uintptr_t)fates, .tokens = 5,
                              .order = order));
    add(p, "behind", pass, order);
    return taken_from(p, WEFT_INPUT);
}

/* In SPDL each stage says in which order its results leave. In weft a stage
 * says in which order items enter, and the consumer in which they leave: so the
 * stage between may have any order. */
Test(vectors, the_order_of_the_input_has_no_holes_to_wait_for, .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        GIVES(with_holes("d.d.d.d.d.", orders[i]), 1, 3, 5, 7, 9);
        GIVES(with_holes("f.f.f.f.f.", orders[i]), 1, 3, 5, 7, 9);
        GIVES(with_holes("d..d..d..d..d..", orders[i]), 1, 2, 4, 5, 7, 8, 10,
              11, 13, 14);
        GIVES(with_holes("dd...ff...", orders[i]), 2, 3, 4, 7, 8, 9);
        GIVES(with_holes(".ddddfffff", orders[i]), 0);
        GIVES(with_holes("dfdfdfdfd.", orders[i]), 9);
        gives_nothing(with_holes("ddddd", orders[i]));
        gives_nothing(with_holes("fffff", orders[i]));
    }
}

Test(vectors, without_any_stage_everything_comes_through, .timeout = 30)
{
    struct range r = { .end = 10 };
    GIVES(taken_from(draw(&r, WEFT_STOP), WEFT_INPUT), 0, 1, 2, 3, 4, 5, 6, 7,
          8, 9);
}

Test(vectors, stages_are_done_one_after_the_other, .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        struct range r = { .end = 5 };
        weft_pipeline *p = draw(&r, WEFT_STOP);
        add(p, "twice", twice, orders[i]);
        add(p, "one more", one_more, orders[i]);
        GIVES(taken_from(p, WEFT_INPUT), 1, 3, 5, 7, 9);
    }
}

/* ---- gather ------------------------------------------------------------ */

static struct taken batches(uint64_t numbers, unsigned by, bool drop)
{
    struct range r = { .end = numbers };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    batch_by(p, by, drop);
    return taken_from(p, WEFT_INPUT);
}

Test(vectors, the_last_batch_has_what_is_left, .timeout = 30)
{
    GIVES(batches(13, 4, false), 0, 1, 2, 3, BREAK, 4, 5, 6, 7, BREAK, 8, 9, 10,
          11, BREAK, 12, BREAK);
    GIVES(batches(5, 8, false), 0, 1, 2, 3, 4, BREAK);
    GIVES(batches(1, 5, false), 0, BREAK);
}

Test(vectors, a_batch_that_is_not_full_is_dropped_if_asked, .timeout = 30)
{
    GIVES(batches(13, 4, true), 0, 1, 2, 3, BREAK, 4, 5, 6, 7, BREAK, 8, 9, 10,
          11, BREAK);
    GIVES(batches(5, 3, true), 0, 1, 2, BREAK);
    gives_nothing(batches(5, 8, true));
}

Test(vectors, numbers_that_divide_leave_no_empty_batch, .timeout = 30)
{
    GIVES(batches(6, 3, false), 0, 1, 2, BREAK, 3, 4, 5, BREAK);
    GIVES(batches(6, 3, true), 0, 1, 2, BREAK, 3, 4, 5, BREAK);
    GIVES(batches(3, 1, false), 0, BREAK, 1, BREAK, 2, BREAK);
    gives_nothing(batches(0, 3, false));
}

Test(vectors, items_that_are_not_there_leave_no_gap_in_a_batch, .timeout = 30)
{
    struct range r = { .end = 12 };
    weft_pipeline *p = draw(&r, WEFT_SKIP);
    weft_stage(p, weft_config(stage, .name = "holes", .fn = holes,
                              .ctx = "d.f.d..f...d"));
    batch_by(p, 3, false);
    GIVES(taken_from(p, WEFT_INPUT), 1, 3, 5, BREAK, 6, 8, 9, BREAK, 10, BREAK);
}

/* A batch is full when the numbers in it add up to ten. */
static int up_to_ten(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct vec *b = batch;
    gather_number(self, batch, item, ctx);
    b->value += *value_of(item);
    return b->value >= 10 ? WEFT_FULL : 0;
}

static struct taken tens(bool drop)
{
    static const uint64_t lengths[] = { 1, 2, 3, 4, 1, 2, 3, 1 };
    weft_pipeline *p = draw(NULL, WEFT_STOP);
    weft_source_array(p, "lengths", lengths, 8, sizeof lengths[0]);
    weft_gather(p, weft_config(gather, .name = "tens", .fn = up_to_ten,
                               .order = WEFT_INPUT,
                               .rest = drop ? WEFT_DROP : WEFT_FLUSH,
                               .items = { .bytes = sizeof(struct vec),
                                          .reset = clear_batch }));
    return taken_from(p, WEFT_INPUT);
}

Test(vectors, a_gather_may_say_itself_when_a_batch_is_full, .timeout = 30)
{
    GIVES(tens(false), 1, 2, 3, 4, BREAK, 1, 2, 3, 1, BREAK);
    GIVES(tens(true), 1, 2, 3, 4, BREAK);
}

static int no_fours(weft_worker *self, void *batch, void *item, void *ctx)
{
    if (*value_of(item) % 4 == 0)
        return weft_fail(item, -EDOM, "no fours");
    return gather_number(self, batch, item, ctx);
}

static struct taken without_fours(enum weft_policy policy)
{
    struct range r = { .next = 1, .end = 9 };
    weft_pipeline *p = draw(&r, policy);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = no_fours,
                               .count = 3, .order = WEFT_INPUT,
                               .items = { .bytes = sizeof(struct vec),
                                          .reset = clear_batch }));
    return taken_from(p, WEFT_INPUT);
}

/* In SPDL an aggregator that fails ends the run, always; in weft it is the item
 * that has failed, and the policy says what follows. */
Test(vectors, a_gather_that_fails_fails_the_item, .timeout = 30)
{
    GIVES(without_fours(WEFT_SKIP), 1, 2, 3, BREAK, 5, 6, 7, BREAK);
    struct taken t = without_fours(WEFT_STOP);
    LISTS(t, 1, 2, 3, BREAK);
    ends_with(&t, -EDOM,
              "stage 'batch' failed on item 3, attempt 1: EDOM: no fours");
}

/* ---- scatter ----------------------------------------------------------- */

/* The numbers of a batch, from the last to the first of `count`. */
static int numbers_of(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct vec *batch = item;
    if (batch->value == batch->count)
        return WEFT_END;
    *(struct vec *)piece = (struct vec){ batch->of[batch->value++] };
    return 0;
}

static void scatter(weft_pipeline *p, const char *name, weft_scatter_fn *fn,
                    unsigned slots)
{
    weft_scatter(
        p,
        weft_config(scatter, .name = name, .fn = fn, .order = WEFT_INPUT,
                    .items = { .bytes = sizeof(struct vec), .slots = slots }));
}

Test(vectors, the_pieces_of_batches_come_in_their_order, .timeout = 30)
{
    static const struct vec lists[] = { { 0, 4, { 0, 1, 2, 3 } },
                                        { 0, 4, { 4, 5, 6, 7 } },
                                        { 0, 0, { 0 } },
                                        { 0, 4, { 8, 9, 10, 11 } },
                                        { 0, 1, { 12 } } };
    for (unsigned slots = 1; slots < 4; slots++) {
        weft_pipeline *p = draw(NULL, WEFT_STOP);
        weft_source_array(p, "lists", lists, 5, sizeof lists[0]);
        scatter(p, "numbers", numbers_of, slots);
        GIVES(taken_from(p, WEFT_INPUT), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11,
              12);
    }
}

Test(vectors, what_was_gathered_and_scattered_is_what_it_was, .timeout = 30)
{
    struct range r = { .end = 10 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    batch_by(p, 3, false);
    scatter(p, "numbers", numbers_of, 2);
    GIVES(taken_from(p, WEFT_INPUT), 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
}

/* Three for each, from its own value on. */
static int three_of(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct vec *v = item;
    if (v->of[0] == 3)
        return WEFT_END;
    *(struct vec *)piece = (struct vec){ v->value + v->of[0]++ };
    if (ctx)
        add_relaxed((_Atomic unsigned *)ctx, 1u);
    return 0;
}

Test(vectors, an_item_becomes_as_many_as_it_likes, .timeout = 30)
{
    struct range r = { .end = 3 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    scatter(p, "three", three_of, 0);
    GIVES(taken_from(p, WEFT_INPUT), 0, 1, 2, 1, 2, 3, 2, 3, 4);
}

/* With one slot for pieces: while the consumer has a piece, there is no room
 * for the next, and it is not made. */
Test(vectors, a_piece_comes_before_the_next_one_is_made, .timeout = 30)
{
    struct range r = { .end = 3 };
    _Atomic unsigned made = 0;
    struct weft_run *run;
    void *item;
    weft_sched *sched = workers(2);
    weft_pipeline *p = draw(&r, WEFT_STOP);

    weft_scatter(
        p, weft_config(scatter, .name = "three", .fn = three_of, .ctx = &made,
                       .order = WEFT_INPUT,
                       .items = { .bytes = sizeof(struct vec), .slots = 1 }));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    for (unsigned i = 0; i < 9; i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        usleep(1000);
        cr_assert_eq(made, i + 1);
        cr_assert_eq(*value_of(item), i % 3 + i / 3);
        cr_assert_eq(weft_item_origin(item), i / 3);
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
