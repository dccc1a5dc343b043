/* test_nested.c: a run of another plan as what a stage does. Through the public
 * API alone. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/runs.h"

enum { ITEMS = TIMES(10000, 400), STOPS = TIMES(3000, 150) };

static uint64_t numbers[ITEMS];

/* An item of a run that starts runs. */
struct nest {
    uint64_t number;
    struct weft_run *inner;
    _Atomic uint64_t sum; /* of what the inner run made of it */
};

/* What a stage that nests has for a context. */
struct next {
    weft_plan *plan;
    _Atomic unsigned started, ended;
};

/* Of the innermost runs. */
struct leaf {
    _Atomic unsigned calls, failures;
    uint64_t fails_at; /* the number of the outer item; or never */
};

struct world {
    weft_sched *sched;
    struct next middle, leaf;
    weft_plan *outer;
};

/* ---- what the stages do ------------------------------------------------ */

/* The inner run has ended: with its result the item goes on, or with its
 * sentence the item fails. */
static void pass_on(struct weft_run *run, int result, void *item)
{
    weft_error why;

    if (result && weft_wait(run, 0, &why) == result)
        weft_fail(item, result, "%s", why.text);
    weft_complete(NULL, item, result);
}

static int start_inner(weft_worker *self, void *item, void *ctx)
{
    struct nest *n = item;
    struct next *next = ctx;
    weft_error why;

    weft_run_destroy(n->inner); /* of the attempt before */
    n->inner = NULL;
    int rc =
        weft_start_with(&n->inner, weft_worker_sched(self), next->plan,
                        weft_config(run, .on_end = pass_on, .ctx = item), &why);
    if (rc)
        return weft_fail(item, rc, "%s", why.text);
    add_relaxed(&next->started, 1u);
    return WEFT_PENDING;
}

/* The attempt is not over before this has returned, so the run is there. */
static void cancel_inner(void *item, void *ctx)
{
    weft_cancel(((struct nest *)item)->inner);
}

/* Here, and not in pass_on: cancel_inner may not have returned yet then. */
static void leave(void *item, void *ctx)
{
    struct nest *n = item;

    if (n->inner && ctx)
        add_relaxed(&((struct next *)ctx)->ended, 1u);
    weft_run_destroy(n->inner);
    *n = (struct nest){ 0 };
}

/* Two items, with the number of the item that the run belongs to. */
static int give_two(weft_worker *self, void *item, void *ctx)
{
    if (weft_item_number(item) == 2)
        return WEFT_END;
    ((struct nest *)item)->number =
        ((struct nest *)weft_run_context(item))->number;
    return 0;
}

/* What the inner run has made is what this one has made. */
static int add_up(weft_worker *self, void *item, void *ctx)
{
    struct nest *n = item, *outer = weft_run_context(item);

    add_relaxed(&outer->sum, n->sum);
    return 0;
}

static int add_number(weft_worker *self, void *item, void *ctx)
{
    struct nest *n = item, *outer = weft_run_context(item);
    struct leaf *leaf = ctx;

    add_relaxed(&leaf->calls, 1u);
    if (n->number == leaf->fails_at) {
        add_relaxed(&leaf->failures, 1u);
        return weft_fail(item, -EBADMSG, "nobody likes %d", (int)n->number);
    }
    add_relaxed(&outer->sum, n->number);
    return 0;
}

/* ---- plans ------------------------------------------------------------- */

static weft_plan *finished(weft_pipeline *p)
{
    weft_plan *plan = NULL;

    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

/* Two numbers are added to the sum of the item that the run is for. */
static weft_plan *make_leaf(struct leaf *leaf)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct nest), .slots = 2 }));

    weft_source(p, "two", give_two, NULL);
    weft_stage(
        p, weft_config(stage, .name = "leaf", .fn = add_number, .ctx = leaf));
    return finished(p);
}

/* For each of two items there is an inner run. */
static weft_plan *make_middle(struct next *next)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct nest),
                                         .slots = 2,
                                         .reset = leave,
                                         .ctx = next }));

    weft_source(p, "two", give_two, NULL);
    weft_stage(p,
               weft_config(stage, .name = "middle", .fn = start_inner,
                           .ctx = next, .cancel = cancel_inner, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "add up", .fn = add_up));
    return finished(p);
}

struct dead {
    pthread_mutex_t lock; /* items may fail at one time */
    unsigned count;
    weft_error why;
};

static void keep_sentence(const struct weft_failure *f, void *item, void *ctx)
{
    struct dead *dead = ctx;

    pthread_mutex_lock(&dead->lock);
    dead->count++;
    snprintf(dead->why.text, sizeof dead->why.text, "%s", f->text);
    pthread_mutex_unlock(&dead->lock);
}

/* Checks what came out of two nested runs: four times the number. */
static int check_sum(weft_worker *self, void *item, void *ctx)
{
    struct nest *n = item;

    return n->sum == 4 * n->number ? 0 : -EPROTO;
}

static weft_plan *make_outer(struct next *next, uint64_t items,
                             struct dead *dead,
                             const struct weft_stage_config *more)
{
    struct weft_stage_config stage = { 0 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline,
                    .items = { .bytes = sizeof(struct nest),
                               .slots = 16,
                               .reset = leave,
                               .ctx = next },
                    .failures = { .policy = dead ? WEFT_SKIP : WEFT_STOP },
                    .on_failure = dead ? keep_sentence : NULL, .ctx = dead));

    for (uint64_t i = 0; i < items; i++)
        numbers[i] = i;
    weft_source_array(p, "numbers", numbers, items, sizeof numbers[0]);
    if (more)
        stage = *more;
    stage.size = sizeof stage;
    stage.name = "outer";
    stage.fn = start_inner;
    stage.ctx = next;
    stage.cancel = cancel_inner;
    stage.tokens = 8;
    weft_stage(p, &stage);
    weft_stage(p, weft_config(stage, .name = "check", .fn = check_sum));
    return finished(p);
}

static struct world make_world(unsigned worker_count)
{
    return (struct world){ .sched = workers(worker_count) };
}

static void destroy_world(struct world *w)
{
    weft_plan_destroy(w->outer);
    weft_plan_destroy(w->middle.plan);
    weft_plan_destroy(w->leaf.plan);
    weft_sched_destroy(w->sched);
}

/* ---- a run as a stage -------------------------------------------------- */

/* On one worker nobody waits for anybody: 10 000 items, each of which is a run
 * of two items, each of which is a run of two items. */
Test(nested, a_stage_is_a_run_whose_stage_is_a_run, .timeout = 120)
{
    struct world w = make_world(1);
    struct leaf leaf = { .fails_at = UINT64_MAX };
    weft_error why = { "" };

    w.leaf.plan = make_leaf(&leaf);
    w.middle.plan = make_middle(&w.leaf);
    w.outer = make_outer(&w.middle, ITEMS, NULL, NULL);
    int rc = weft_run(w.sched, w.outer, &why);
    if (rc)
        fprintf(stderr, "%s\n", why.text);
    cr_assert_eq(rc, 0);
    cr_assert_eq(w.middle.started, ITEMS);
    cr_assert_eq(w.middle.ended, ITEMS);
    cr_assert_eq(w.leaf.started, 2 * ITEMS);
    cr_assert_eq(w.leaf.ended, 2 * ITEMS);
    cr_assert_eq(leaf.calls, 4 * ITEMS);
    destroy_world(&w);
}

/* Nothing needs the run after its end here, so on_end destroys it. */
static void pass_on_and_destroy(struct weft_run *run, int result, void *item)
{
    weft_run_destroy(run);
    weft_complete(NULL, item, result);
}

static int start_and_forget(weft_worker *self, void *item, void *ctx)
{
    int rc = weft_start_with(
        NULL, weft_worker_sched(self), ctx,
        weft_config(run, .on_end = pass_on_and_destroy, .ctx = item), NULL);
    return rc ? rc : WEFT_PENDING;
}

static int check_twice(weft_worker *self, void *item, void *ctx)
{
    struct nest *n = item;

    return n->sum == 2 * n->number ? 0 : -EPROTO;
}

Test(nested, on_end_may_destroy_the_run_that_nobody_else_knows, .timeout = 60)
{
    struct leaf leaf = { .fails_at = UINT64_MAX };
    weft_sched *sched = workers(3);
    weft_plan *inner = make_leaf(&leaf), *outer;

    for (uint64_t i = 0; i < ITEMS; i++)
        numbers[i] = i;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct nest), .reset = leave }));
    weft_source_array(p, "numbers", numbers, ITEMS, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "run", .fn = start_and_forget,
                              .ctx = inner, .tokens = WEFT_UNLIMITED));
    weft_stage(p, weft_config(stage, .name = "check", .fn = check_twice));
    outer = finished(p);
    cr_assert_eq(weft_run(sched, outer, NULL), 0);
    cr_assert_eq(leaf.calls, 2 * ITEMS);
    weft_plan_destroy(outer);
    weft_plan_destroy(inner);
    weft_sched_destroy(sched);
}

/* A graph is run like a pipeline. */
static int count_call(weft_worker *self, void *leaf)
{
    add_relaxed(&((struct leaf *)leaf)->calls, 1u);
    return 0;
}

Test(nested, a_graph_is_a_stage_too, .timeout = 60)
{
    struct world w = make_world(2);
    struct leaf leaf = { 0 };
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "first", count_call, &leaf);
    weft_node left = weft_task(g, "left", count_call, &leaf);
    weft_node right = weft_task(g, "right", count_call, &leaf);

    weft_after(g, left, first);
    weft_after(g, right, first);
    w.middle.plan = compiled(g);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct nest),
                                         .reset = leave,
                                         .ctx = &w.middle }));
    weft_source_array(p, "numbers", numbers, ITEMS, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "graph", .fn = start_inner,
                              .ctx = &w.middle, .tokens = 3,
                              .cancel = cancel_inner));
    w.outer = finished(p);
    cr_assert_eq(weft_run(w.sched, w.outer, NULL), 0);
    cr_assert_eq(leaf.calls, 3 * ITEMS);
    cr_assert_eq(w.middle.ended, ITEMS);
    destroy_world(&w);
}

/* ---- failing ----------------------------------------------------------- */

Test(nested, an_error_comes_through_two_runs_with_its_sentence, .timeout = 60)
{
    struct world w = make_world(2);
    struct leaf leaf = { .fails_at = 57 };
    struct dead dead = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct weft_run *run;
    struct weft_flow flow;

    w.leaf.plan = make_leaf(&leaf);
    w.middle.plan = make_middle(&w.leaf);
    w.outer = make_outer(&w.middle, 100, &dead, NULL);
    cr_assert_eq(weft_start(&run, w.sched, w.outer, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_flow(run, 0, &flow), 0);
    cr_assert_eq(flow.delivered, 99);
    cr_assert_eq(flow.failed, 1);
    cr_assert_eq(dead.count, 1);
    /* Which of the two items of the inner runs is the first, nobody knows. */
    const char *inner = strstr(dead.why.text, "stage 'leaf' failed on item ");
    cr_assert(!strncmp(dead.why.text, "stage 'middle' failed on item ", 30));
    cr_assert(inner != NULL);
    cr_assert(strstr(inner, ", attempt 1: EBADMSG: nobody likes 57"));
    weft_run_destroy(run);
    destroy_world(&w);
}

static int fail_twice(weft_worker *self, void *item, void *ctx)
{
    struct nest *n = item, *outer = weft_run_context(item);
    struct leaf *leaf = ctx;

    if (n->number == 3 && add_relaxed(&leaf->failures, 1u) < 2)
        return -EAGAIN;
    add_relaxed(&outer->sum, n->number);
    return 0;
}

/* Each attempt is a run of its own. */
Test(nested, a_retry_starts_a_new_run, .timeout = 60)
{
    struct world w = make_world(2);
    struct leaf leaf = { 0 };
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct nest), .slots = 2 }));

    weft_source(p, "two", give_two, NULL);
    weft_stage(p, weft_config(stage, .name = "leaf", .fn = fail_twice,
                              .ctx = &leaf, .tokens = 1, .order = WEFT_INPUT));
    w.middle.plan = finished(p);
    p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct nest),
                                         .reset = leave,
                                         .ctx = &w.middle }));
    for (uint64_t i = 0; i < 10; i++)
        numbers[i] = i;
    weft_source_array(p, "numbers", numbers, 10, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "run", .fn = start_inner,
                              .ctx = &w.middle, .cancel = cancel_inner,
                              .retry = { .attempts = 3, .first_ms = 1 }));
    w.outer = finished(p);
    cr_assert_eq(weft_run(w.sched, w.outer, NULL), 0);
    cr_assert_eq(w.middle.started, 12);
    cr_assert_eq(w.middle.ended, 10); /* the others, by the next attempt */
    cr_assert_eq(leaf.failures, 4);   /* calls for that number */
    destroy_world(&w);
}

/* ---- cancelling -------------------------------------------------------- */

struct sleeper {
    struct weft_io io;
};

static int give_sleeper(weft_worker *self, void *item, void *ctx)
{
    return weft_item_number(item) == 2 ? WEFT_END : 0;
}

/* For an hour, unless somebody asks it to end. */
static int sleep_long(weft_worker *self, void *item, struct weft_io **io,
                      void *ctx)
{
    struct sleeper *s = item;

    add_relaxed(&((struct leaf *)ctx)->calls, 1u);
    s->io =
        (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = UINT64_C(3600000000000) };
    *io = &s->io;
    return 0;
}

static weft_plan *make_sleeping_leaf(struct leaf *leaf)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct sleeper) }));

    weft_source(p, "two", give_sleeper, NULL);
    weft_stage(p, weft_config(stage, .name = "sleep", .kind = WEFT_IO,
                              .describe = sleep_long, .ctx = leaf));
    return finished(p);
}

/* Of 8 items in the outer stage each has 2 in the middle, each with 2 that
 * sleep. */
Test(nested, a_cancel_reaches_the_innermost_operation, .timeout = 60)
{
    struct world w = make_world(1);
    struct leaf leaf = { 0 };
    struct weft_run *run;
    weft_error why;

    w.leaf.plan = make_sleeping_leaf(&leaf);
    w.middle.plan = make_middle(&w.leaf);
    w.outer = make_outer(&w.middle, 100, NULL, NULL);
    cr_assert_eq(weft_start(&run, w.sched, w.outer, NULL), 0);
    while (load_relaxed(&leaf.calls) < 32)
        usleep(100);
    cr_assert_eq(weft_wait(run, 10, NULL), -ETIMEDOUT);
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, -1, &why), -ECANCELED);
    cr_assert_eq(strcmp(why.text, "the run was cancelled"), 0);
    cr_assert_eq(leaf.calls, 32); /* nothing began after it */
    cr_assert_eq(w.middle.started, 8);
    cr_assert_eq(w.middle.ended, 8);
    cr_assert_eq(w.leaf.started, 16);
    cr_assert_eq(w.leaf.ended, 16);
    struct weft_flow flow;
    cr_assert_eq(weft_run_flow(run, 0, &flow), 0);
    cr_assert_eq(flow.cancelled, flow.fed);
    weft_run_destroy(run);
    destroy_world(&w);
}

/* The deadline of one item is a cancel of its run, and of no other. */
Test(nested, a_deadline_ends_the_run_of_its_item, .timeout = 60)
{
    struct world w = make_world(2);
    struct leaf leaf = { 0 };
    struct dead dead = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct weft_run *run;
    struct weft_flow flow;

    w.leaf.plan = make_sleeping_leaf(&leaf);
    w.middle.plan = make_middle(&w.leaf);
    w.outer =
        make_outer(&w.middle, 20, &dead, weft_config(stage, .deadline_ms = 20));
    cr_assert_eq(weft_start(&run, w.sched, w.outer, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_flow(run, 0, &flow), 0);
    cr_assert_eq(flow.failed, 20);
    cr_assert_eq(dead.count, 20);
    cr_assert_eq(
        strcmp(dead.why.text, "it took longer than its deadline of 20 ms"), 0);
    cr_assert_eq(w.middle.ended, 20);
    cr_assert_eq(w.leaf.ended, w.leaf.started);
    weft_run_destroy(run);
    destroy_world(&w);
}

/* At any instant: before the first run, between the levels, at the end. */
Test(nested, a_cancel_at_any_instant_ends_every_run, .timeout = 300)
{
    struct world w = make_world(3);
    struct leaf leaf = { .fails_at = UINT64_MAX };
    uint64_t random = 88172645463325252;

    w.leaf.plan = make_leaf(&leaf);
    w.middle.plan = make_middle(&w.leaf);
    w.outer = make_outer(&w.middle, 20, NULL, NULL);
    for (int i = 0; i < STOPS; i++) {
        struct weft_run *run;
        struct weft_flow flow;
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        cr_assert_eq(weft_start(&run, w.sched, w.outer, NULL), 0);
        for (volatile unsigned n = 0; n < random % 400000; n++)
            ;
        weft_cancel(run);
        int rc = weft_wait(run, -1, NULL);
        cr_assert(rc == 0 || rc == -ECANCELED);
        cr_assert_eq(weft_run_flow(run, 0, &flow), 0);
        cr_assert_eq(flow.fed, flow.delivered + flow.cancelled);
        cr_assert_eq(w.middle.ended, w.middle.started);
        cr_assert_eq(w.leaf.ended, w.leaf.started);
        weft_run_destroy(run);
    }
    destroy_world(&w);
}
