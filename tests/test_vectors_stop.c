/* test_vectors_stop.c: semantics checked against public vectors: epochs, and
 * consumers that look, leave early, and come back. See test_vectors.c for where
 * the facts are from. */
#include <pthread.h>
#include <unistd.h>

#include "tests/vectors.h"

/* ---- epochs ------------------------------------------------------------ */

Test(vectors_stop, epochs_follow_each_other_and_end_one_by_one, .timeout = 30)
{
    struct range three = { .end = 5, .epochs = 3 };
    GIVES(taken_from(draw(&three, WEFT_STOP), WEFT_INPUT), 0, 1, 2, 3, 4, EPOCH,
          100, 101, 102, 103, 104, EPOCH, 200, 201, 202, 203, 204, EPOCH);
    struct range one = { .end = 3, .epochs = 1 };
    GIVES(taken_from(draw(&one, WEFT_STOP), WEFT_INPUT), 0, 1, 2, EPOCH);
    struct range empty = { .end = 0, .epochs = 3 };
    GIVES(taken_from(draw(&empty, WEFT_STOP), WEFT_INPUT), EPOCH, EPOCH, EPOCH);
    struct range single = { .end = 1, .epochs = 3 };
    GIVES(taken_from(draw(&single, WEFT_STOP), WEFT_INPUT), 0, EPOCH, 100,
          EPOCH, 200, EPOCH);
}

/* Sorts what is between the marks: how an epoch was ordered does not matter. */
static struct taken sorted_epochs(struct taken t)
{
    for (unsigned from = 0, i = 0; i < t.count; i++) {
        if (t.values[i] != EPOCH)
            continue;
        qsort(&t.values[from], i - from, sizeof t.values[0], compare_values);
        from = i + 1;
    }
    return t;
}

static int slow_if_even(weft_worker *self, void *item, void *ctx)
{
    if (*value_of(item) % 2 == 0)
        usleep(500);
    return 0;
}

/* In any order, and with one slow path: none is in an epoch that is not its. */
Test(vectors_stop, no_item_crosses_the_end_of_its_epoch, .timeout = 60)
{
    for (int i = 0; i < TIMES(20, 5); i++) {
        struct range r = { .end = 4, .epochs = 4 };
        weft_pipeline *p = draw_with(&r, (struct weft_failures){ 0 }, 16);
        weft_stage(p, weft_config(stage, .name = "slow", .fn = slow_if_even,
                                  .kind = WEFT_BLOCKING, .tokens = 4));
        add(p, "one more", one_more, WEFT_ANY);
        GIVES(sorted_epochs(taken_from(p, WEFT_ANY)), 1, 2, 3, 4, EPOCH, 101,
              102, 103, 104, EPOCH, 201, 202, 203, 204, EPOCH, 301, 302, 303,
              304, EPOCH);
    }
}

static struct taken epochs_by(uint64_t numbers, unsigned by, bool drop)
{
    struct range r = { .end = numbers, .epochs = 2 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    add(p, "pass", pass, WEFT_ANY);
    batch_by(p, by, drop);
    return taken_from(p, WEFT_INPUT);
}

Test(vectors_stop, R22_a_batch_is_of_one_epoch, .timeout = 30)
{
    GIVES(epochs_by(6, 3, false), 0, 1, 2, BREAK, 3, 4, 5, BREAK, EPOCH, 100,
          101, 102, BREAK, 103, 104, 105, BREAK, EPOCH);
    GIVES(epochs_by(5, 3, false), 0, 1, 2, BREAK, 3, 4, BREAK, EPOCH, 100, 101,
          102, BREAK, 103, 104, BREAK, EPOCH);
    GIVES(epochs_by(5, 3, true), 0, 1, 2, BREAK, EPOCH, 100, 101, 102, BREAK,
          EPOCH);
    GIVES(epochs_by(0, 3, false), EPOCH, EPOCH);
}

static int by_parity(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *value_of(item) % 2;
    return 0;
}

static int by_half(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = *value_of(item) / 2 % 2;
    return 0;
}

static void route(weft_pipeline *p, const char *name, weft_route_fn *fn,
                  weft_pipeline *a, weft_pipeline *b)
{
    const struct weft_path paths[] = { { "a", a, 0, 0 }, { "b", b, 0, 0 } };
    weft_router(p, weft_config(router, .name = name, .fn = fn, .paths = paths,
                               .path_count = 2));
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
}

static weft_pipeline *path(weft_stage_fn *fn)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_stage(p, weft_config(stage, .name = "do", .fn = fn,
                              .kind = WEFT_BLOCKING, .tokens = 2));
    return p;
}

Test(vectors_stop, an_epoch_ends_behind_its_slowest_path, .timeout = 60)
{
    for (int i = 0; i < TIMES(20, 5); i++) {
        struct range r = { .end = 8, .epochs = 3 };
        weft_pipeline *even = weft_pipeline_create(NULL);
        weft_pipeline *p = draw_with(&r, (struct weft_failures){ 0 }, 16);
        route(even, "half", by_half, path(slow_if_even), path(twice));
        route(p, "parity", by_parity, even, path(one_more));
        GIVES(sorted_epochs(taken_from(p, WEFT_ANY)), 0, 2, 4, 4, 4, 6, 8, 12,
              EPOCH, 100, 102, 104, 104, 106, 108, 204, 212, EPOCH, 200, 202,
              204, 204, 206, 208, 404, 412, EPOCH);
    }
    struct range r = { .end = 0, .epochs = 3 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    route(p, "parity", by_parity, path(twice), path(pass));
    GIVES(taken_from(p, WEFT_ANY), EPOCH, EPOCH, EPOCH);
}

/* In SPDL all sources of a merge have epochs, or none has. In weft an epoch
 * ends when all have ended theirs; one that has no more is not waited for. */
Test(vectors_stop, an_epoch_ends_when_all_inputs_have_ended_it, .timeout = 30)
{
    struct range r[] = { { .end = 2, .epochs = 3 }, { .next = 10, .end = 12 } };
    weft_pipeline *p = draw(NULL, WEFT_STOP), *parts[2];
    struct weft_path paths[2];

    for (int i = 0; i < 2; i++) {
        parts[i] = draw(&r[i], WEFT_STOP);
        paths[i] =
            (struct weft_path){ .name = i ? "b" : "a", .stages = parts[i] };
    }
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = paths,
                              .input_count = 2, .turn = WEFT_ROUND_ROBIN,
                              .order = WEFT_INPUT));
    weft_pipeline_destroy(parts[0]);
    weft_pipeline_destroy(parts[1]);
    GIVES(taken_from(p, WEFT_INPUT), 0, 10, 1, 11, EPOCH, 100, 101, EPOCH, 200,
          201, EPOCH);
}

/* ---- epochs that do not end -------------------------------------------- */

Test(vectors_stop, a_source_may_fail_in_an_epoch, .timeout = 30)
{
    struct range r = { .end = 2, .epochs = 1, .error = -EIO };
    struct taken t = taken_from(draw(&r, WEFT_STOP), WEFT_INPUT);
    LISTS(t, 0, 1);
    cr_assert_eq(t.error, -EIO);
}

static int fail_at(weft_worker *self, void *item, void *ctx)
{
    return *value_of(item) == *(const uint64_t *)ctx ? -EINVAL : 0;
}

static struct taken cut_at(uint64_t number, unsigned by)
{
    struct range r = { .end = 5, .epochs = 3 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    weft_stage(
        p, weft_config(stage, .name = "fail", .fn = fail_at, .ctx = &number));
    if (by)
        batch_by(p, by, false);
    return taken_from(p, WEFT_INPUT);
}

/* Who keeps something at the end of an epoch must not believe that this one was
 * whole. */
Test(vectors_stop, an_epoch_that_was_cut_short_is_not_told, .timeout = 60)
{
    for (int i = 0; i < TIMES(200, 50); i++) {
        struct taken t = cut_at(2, 0);
        LISTS(t, 0, 1);
        cr_assert_eq(t.error, -EINVAL);
        t = cut_at(102, 0);
        LISTS(t, 0, 1, 2, 3, 4, EPOCH, 100, 101);
        cr_assert_eq(t.error, -EINVAL);
        t = cut_at(104, 3);
        LISTS(t, 0, 1, 2, BREAK, 3, 4, BREAK, EPOCH, 100, 101, 102, BREAK, 103,
              BREAK);
        cr_assert_eq(t.error, -EINVAL);
    }
}

/* Of two inputs one is cut short in its first epoch: by a stage, or its source.
 * That epoch does not end, and what the other has of the next does not come. */
static struct taken one_is_cut(bool by_source, unsigned by)
{
    uint64_t two = 2;
    struct range r[] = { { .end = by_source ? 2 : 5, .epochs = 3 },
                         { .end = 4, .epochs = 3 } };
    weft_pipeline *p = draw(NULL, WEFT_STOP), *parts[2];
    struct weft_path paths[2];

    r[0].error = by_source ? -EINVAL : 0;
    for (int i = 0; i < 2; i++) {
        parts[i] = draw(&r[i], WEFT_STOP);
        weft_stage(parts[i],
                   weft_config(stage, .name = "fail", .fn = i ? pass : fail_at,
                               .ctx = &two));
        paths[i] =
            (struct weft_path){ .name = i ? "b" : "a", .stages = parts[i] };
    }
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = paths,
                              .input_count = 2, .order = WEFT_INPUT));
    weft_pipeline_destroy(parts[0]);
    weft_pipeline_destroy(parts[1]);
    if (by)
        batch_by(p, by, false);
    return taken_from(p, WEFT_INPUT);
}

Test(vectors_stop, an_epoch_that_one_input_cut_short_is_not_told, .timeout = 60)
{
    for (int i = 0; i < TIMES(200, 50); i++) {
        struct taken t = one_is_cut(i % 2, i % 4 < 2 ? 0 : 3);
        cr_assert_eq(t.error, -EINVAL);
        for (unsigned k = 0; k < t.count; k++)
            cr_assert(t.values[k] < 100 || t.values[k] == BREAK);
    }
}

/* ---- a consumer that looks --------------------------------------------- */

static int wait_a_little(weft_worker *self, void *item, void *ctx)
{
    usleep(100);
    return 0;
}

/* Nothing, or the end: the two are told apart, and no look loses an item. */
Test(vectors_stop, R9_who_only_looks_gets_everything, .timeout = 60)
{
    struct range r = { .end = 200, .epochs = 3 };
    struct weft_run *run;
    weft_sched *sched = workers(2);
    weft_pipeline *p = draw_with(&r, (struct weft_failures){ 0 }, 8);
    uint64_t next = 0, epochs = 0, looks = 0;
    void *item;
    int rc;

    weft_stage(p, weft_config(stage, .name = "wait", .fn = wait_a_little,
                              .kind = WEFT_BLOCKING, .tokens = 2));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    while ((rc = weft_next(run, &item, looks % 2, NULL)) != 0) {
        if (rc == -ETIMEDOUT) {
            looks++;
        } else if (rc == WEFT_EPOCH) {
            cr_assert_eq(next, 200);
            next = 0;
            epochs++;
        } else {
            cr_assert_eq(rc, 1);
            cr_assert_eq(*value_of(item), next++ + epochs * 100);
            weft_release(item);
        }
    }
    cr_assert_eq(epochs, 3);
    cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* A source that sleeps keeps nobody else from working, nor is it hurried: what
 * it has given is taken meanwhile. */
static int count_slowly(weft_worker *self, void *item, void *ctx)
{
    usleep(500);
    return count_up(self, item, ctx);
}

Test(vectors_stop, a_slow_source_is_waited_for, .timeout = 60)
{
    struct range r = { .end = 30, .epochs = 2 };
    struct weft_run *run;
    weft_sched *sched = workers(1);
    weft_pipeline *p = draw(NULL, WEFT_STOP);
    uint64_t next = 0;
    unsigned epochs = 0;
    void *item;
    int rc;

    weft_source_with(p, weft_config(source, .name = "slow", .fn = count_slowly,
                                    .ctx = &r, .kind = WEFT_BLOCKING));
    add(p, "twice", twice, WEFT_INPUT);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    while ((rc = weft_next(run, &item, 0, NULL)) != 0) {
        if (rc == WEFT_EPOCH) {
            cr_assert_eq(next, 30);
            next = 0;
            epochs++;
        } else if (rc == 1) {
            cr_assert_eq(*value_of(item), 2 * (next++ + epochs * 100));
            weft_release(item);
        } else {
            cr_assert_eq(rc, -ETIMEDOUT);
        }
    }
    cr_assert_eq(epochs, 2);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The only stage is pinned down by the test: so it is a fact, and no race, that
 * there is nothing. */
struct closed {
    pthread_mutex_t gate;
    _Atomic unsigned inside;
};

static int wait_at_gate(weft_worker *self, void *item, void *ctx)
{
    struct closed *c = ctx;
    add_relaxed(&c->inside, 1u);
    pthread_mutex_lock(&c->gate);
    pthread_mutex_unlock(&c->gate);
    return 0;
}

Test(vectors_stop, nothing_yet_is_not_the_end, .timeout = 30)
{
    struct range r = { .end = 1 };
    struct closed c = { .gate = PTHREAD_MUTEX_INITIALIZER };
    struct weft_run *run;
    void *item;
    weft_sched *sched = workers(1);
    weft_pipeline *p = draw(&r, WEFT_STOP);

    weft_stage(p, weft_config(stage, .name = "gate", .fn = wait_at_gate,
                              .ctx = &c, .kind = WEFT_BLOCKING));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    pthread_mutex_lock(&c.gate);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_next(run, &item, 0, NULL), -ETIMEDOUT);
    while (!load_relaxed(&c.inside))
        usleep(100);
    cr_assert_eq(weft_next(run, &item, 5, NULL), -ETIMEDOUT);
    pthread_mutex_unlock(&c.gate);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
    weft_release(item);
    cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
    cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- a consumer that leaves -------------------------------------------- */

struct leaving {
    struct range range;
    weft_sched *sched;
    weft_plan *plan;
    struct weft_run *run;
    _Atomic uint64_t resets;
};

static void count_reset(void *item, void *ctx)
{
    add_relaxed(&((struct leaving *)ctx)->resets, (uint64_t)1);
}

static void enter(struct leaving *l, weft_stage_fn *fn, unsigned slots)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct vec),
                                         .slots = slots,
                                         .reset = count_reset,
                                         .ctx = l }));
    l->sched = workers(2);
    weft_source(p, "count", count_up, &l->range);
    weft_stage(p, weft_config(stage, .name = "stage", .fn = fn,
                              .kind = WEFT_BLOCKING));
    weft_consumer(p, WEFT_INPUT);
    l->plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&l->run, l->sched, l->plan, NULL), 0);
}

static struct weft_flow leave(struct leaving *l)
{
    struct weft_flow f;
    weft_wait(l->run, -1, NULL);
    cr_assert_eq(weft_run_flow(l->run, 0, &f), 0);
    cr_assert_eq(f.in_flight, 0);
    cr_assert_eq(f.fed, f.delivered + f.cancelled);
    cr_assert_eq(l->resets, f.fed);
    weft_run_destroy(l->run);
    weft_plan_destroy(l->plan);
    weft_sched_destroy(l->sched);
    return f;
}

/* In the middle of an epoch, between two, and after the last; its buffer full,
 * its stages at work. */
Test(vectors_stop, who_has_enough_leaves_in_the_middle_of_an_epoch,
     .timeout = 60)
{
    for (unsigned most = 0; most < 12; most++) {
        struct leaving l = { .range = { .end = 5, .epochs = 1000 } };
        struct taken t = { .count = 0 };
        enter(&l, wait_a_little, 3);
        cr_assert_eq(take(l.run, &t, most), 1);
        weft_cancel(l.run);
        cr_assert_eq(take(l.run, &t, 1), -ECANCELED);
        cr_assert_eq(take(l.run, &t, 1), 0);
        cr_assert_eq(weft_wait(l.run, -1, NULL), -ECANCELED);
        cr_assert_eq(leave(&l).delivered, most);
    }
}

/* SPDL gives what is in its last buffer also after the stop. In weft that is
 * what a drain is for: it gives all that is in flight. */
Test(vectors_stop, after_a_drain_what_is_in_flight_comes_still, .timeout = 60)
{
    for (unsigned most = 0; most < 6; most++) {
        struct leaving l = { .range = { .end = UINT64_MAX } };
        struct taken t = { .count = 0 };
        enter(&l, pass, 4);
        cr_assert_eq(take(l.run, &t, most), 1);
        usleep(2000);
        weft_drain(l.run);
        cr_assert_eq(take(l.run, &t, UINT32_MAX), 0);
        for (unsigned i = 0; i < t.count; i++)
            cr_assert_eq(t.values[i], i);
        cr_assert(t.count <= most + 5); /* one was being filled */
        struct weft_flow f = leave(&l);
        cr_assert_eq(f.cancelled, 0);
        cr_assert_eq(f.delivered, t.count);
    }
}

/* Nothing comes twice, and nothing is lost. */
Test(vectors_stop, a_new_run_goes_on_where_the_last_one_was_drained,
     .timeout = 60)
{
    struct range r = { .end = 300 };
    struct taken t = { .count = 0 };
    weft_sched *sched = workers(2);
    weft_pipeline *p = draw_with(&r, (struct weft_failures){ 0 }, 7);
    unsigned runs = 0;

    add(p, "pass", pass, WEFT_ANY);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    for (int more = 1; more; runs++) {
        struct weft_run *run;
        cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
        more = take(run, &t, 5);
        weft_drain(run);
        cr_assert_eq(take(run, &t, UINT32_MAX), 0);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_run_destroy(run);
    }
    cr_assert_eq(t.count, 300);
    for (unsigned i = 0; i < 300; i++)
        cr_assert_eq(t.values[i], i);
    cr_assert(runs > 2);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Whoever stops taking and begins again gets the next. */
Test(vectors_stop, one_consumer_goes_on_where_another_has_left, .timeout = 60)
{
    struct leaving l = { .range = { .end = 12 } };
    enter(&l, pass, 3);
    for (unsigned i = 0; i < 4; i++) {
        struct taken t = { .count = 0 };
        cr_assert_eq(take(l.run, &t, 3), 1);
        LISTS(t, 3 * i, 3 * i + 1, 3 * i + 2);
    }
    struct taken none = take_rest(l.run);
    cr_assert_eq(none.count, 0);
    cr_assert_eq(leave(&l).delivered, 12);
}

Test(vectors_stop, a_run_may_be_stopped_as_often_as_you_like, .timeout = 60)
{
    struct leaving l = { .range = { .end = UINT64_MAX } };
    enter(&l, wait_a_little, 3);
    for (int i = 0; i < 3; i++)
        weft_drain(l.run);
    for (int i = 0; i < 3; i++)
        weft_cancel(l.run);
    int rc = weft_wait(l.run, -1, NULL);
    cr_assert(rc == -ECANCELED || rc == 0);
    for (int i = 0; i < 3; i++) {
        weft_cancel(l.run);
        weft_drain(l.run);
        cr_assert_eq(weft_wait(l.run, 0, NULL), rc);
    }
    leave(&l);
}
