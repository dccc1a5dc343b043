/* test_subplan.c: graph/subplan.c: nodes of a graph that run another plan; and
 * the deadline of a graph's run. */
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/runs.h"

enum { ITEMS = 50 };

/* A pipeline of ITEMS numbers that adds up; its source counts for itself, so
 * that it can run several times at once. */
struct sum {
    _Atomic uint64_t total;
    uint64_t fails_at; /* an item, or none */
};

static const uint64_t numbers[ITEMS] = { 1, 2, 3, 4, 5 };

static int add_up(weft_worker *self, void *item, void *ctx)
{
    struct sum *sum = ctx;
    uint64_t number = weft_item_number(item);
    if (sum->fails_at && number == sum->fails_at)
        return weft_fail(item, -EBADMSG, "number %d is no good", (int)number);
    add_relaxed(&sum->total, *(uint64_t *)item);
    return 0;
}

static weft_plan *summing(struct sum *sum)
{
    weft_plan *plan = NULL;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(uint64_t), .slots = 4 }));
    weft_source_array(p, "numbers", numbers, ITEMS, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "add", .fn = add_up, .ctx = sum));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

/* What came before it must have been added up when this runs. */
struct check {
    struct sum *sum;
    uint64_t expected;
    _Atomic unsigned ran;
};

static int check(weft_worker *self, void *ctx)
{
    struct check *c = ctx;
    add_relaxed(&c->ran, 1u);
    return load_relaxed(&c->sum->total) == c->expected ? 0 : -EPROTO;
}

Test(subplan, a_node_has_ended_when_its_pipeline_has, .timeout = 30)
{
    for (unsigned n = 1; n <= 3; n++) {
        struct sum sum = { 0 };
        struct check after = { .sum = &sum, .expected = 45 };
        weft_plan *inner = summing(&sum);
        weft_graph *g = weft_graph_create();
        weft_node node[3];
        /* The same plan three times at once. */
        for (int i = 0; i < 3; i++)
            node[i] = weft_task_plan(g, "sum", inner);
        weft_node last = weft_task(g, "check", check, &after);
        weft_depend(g, last, node, 3);
        cr_assert_eq(run_once(g, n, NULL), 0);
        cr_assert_eq(after.ran, 1);
        weft_plan_destroy(inner);
    }
}

Test(subplan, its_error_is_the_nodes_and_what_is_behind_it_does_not_run)
{
    struct sum sum = { .fails_at = 7 };
    struct check after = { .sum = &sum };
    weft_error why;
    weft_plan *inner = summing(&sum);
    weft_graph *g = weft_graph_create();
    weft_node node = weft_task_plan(g, "load", inner);
    weft_after(g, weft_task(g, "check", check, &after), node);
    cr_assert_eq(run_once(g, 2, &why), -EBADMSG);
    cr_assert_eq(strcmp(why.text,
                        "task 'load' failed: stage 'add' failed on item 7, "
                        "attempt 1: EBADMSG: number 7 is no good"),
                 0);
    cr_assert_eq(after.ran, 0);
    weft_plan_destroy(inner);
}

Test(subplan, a_node_without_a_plan_is_a_mistake)
{
    weft_graph *g = weft_graph_create();
    weft_task_plan(g, "load", NULL);
    refused(g, -EINVAL, "task 'load' has no plan to run");
}

Test(subplan, a_node_whose_pipeline_has_a_consumer_is_a_mistake)
{
    weft_graph *g = weft_graph_create();
    weft_plan *inner = NULL;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));

    weft_source_array(p, "numbers", numbers, ITEMS, sizeof numbers[0]);
    weft_consumer(p, WEFT_ANY);
    cr_assert_eq(weft_pipeline_compile(&inner, p, NULL), 0);
    weft_pipeline_destroy(p);
    weft_task_plan(g, "sum", inner);
    refused(g, -EINVAL,
            "task 'sum' runs a pipeline with a consumer, from which nobody "
            "could take: end it with a stage");
    weft_plan_destroy(inner);
}

Test(subplan, graphs_run_in_graphs_in_graphs, .timeout = 30)
{
    struct sum sum = { 0 };
    weft_sched *s = workers(1);
    weft_plan *plan[4] = { summing(&sum) };
    for (int depth = 1; depth < 4; depth++) {
        weft_graph *g = weft_graph_create();
        weft_node a = weft_task_plan(g, "a", plan[depth - 1]);
        weft_after(g, weft_task_plan(g, "b", plan[depth - 1]), a);
        plan[depth] = compiled(g);
    }
    for (int i = 1; i <= 20; i++) {
        cr_assert_eq(weft_run(s, plan[3], NULL), 0);
        cr_assert_eq(sum.total, (uint64_t)i * 8 * 15);
    }
    for (int i = 3; i >= 0; i--)
        weft_plan_destroy(plan[i]);
    weft_sched_destroy(s);
}

/* A pipeline whose only item is pending until it is cancelled, or completed. */
struct stuck {
    _Atomic(void *) item;
    _Atomic unsigned cancelled;
};

static int get_stuck(weft_worker *self, void *item, void *ctx)
{
    store_release(&((struct stuck *)ctx)->item, item); /* for the test */
    return WEFT_PENDING;
}

static void let_go(void *item, void *ctx)
{
    add_relaxed(&((struct stuck *)ctx)->cancelled, 1u);
    weft_complete(NULL, item, 0);
}

static weft_plan *stuck_plan(struct stuck *stuck)
{
    weft_plan *plan = NULL;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_source_array(p, "one", numbers, 1, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "wait", .fn = get_stuck,
                              .ctx = stuck, .cancel = let_go));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

static weft_plan *graph_of(const weft_plan *inner)
{
    weft_graph *g = weft_graph_create();
    weft_task_plan(g, "inner", inner);
    return compiled(g);
}

Test(subplan, no_worker_waits_for_it_and_a_cancel_reaches_it, .timeout = 30)
{
    struct stuck stuck = { .cancelled = 0 };
    _Atomic unsigned counted = 0;
    struct weft_run *run;
    weft_sched *s = workers(1);
    weft_plan *inner = stuck_plan(&stuck), *middle = graph_of(inner),
              *outer = graph_of(middle);

    cr_assert_eq(weft_start(&run, s, outer, NULL), 0);
    while (!load_acquire(&stuck.item)) /* stored before */
        usleep(100);
    weft_graph *g = weft_graph_create();
    weft_task(g, "count", count, &counted);
    weft_plan *other = compiled(g);
    cr_assert_eq(weft_run(s, other, NULL), 0); /* on the only worker */
    cr_assert_eq(weft_wait(run, 0, NULL), -ETIMEDOUT);
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    cr_assert_eq(stuck.cancelled, 1);
    weft_run_destroy(run);
    weft_plan_destroy(other);
    weft_plan_destroy(outer);
    weft_plan_destroy(middle);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}

Test(subplan, the_deadline_of_a_graph_ends_the_runs_of_its_nodes, .timeout = 30)
{
    struct stuck stuck = { .cancelled = 0 };
    struct weft_run *run;
    weft_error why;
    weft_sched *s = workers(1);
    weft_plan *inner = stuck_plan(&stuck), *outer = graph_of(inner);

    cr_assert_eq(weft_start_with(&run, s, outer,
                                 weft_config(run, .deadline_ms = 20), NULL),
                 0);
    cr_assert_eq(weft_wait(run, -1, &why), -ETIMEDOUT);
    cr_assert_eq(
        strcmp(why.text, "the run took longer than its deadline of 20 ms"), 0);
    /* On a busy machine the deadline may come before the item does. */
    cr_assert_eq(stuck.cancelled, stuck.item != NULL);
    weft_run_destroy(run);

    /* One that is in time is not touched, and may run again. */
    struct sum sum = { 0 };
    weft_plan *quick = summing(&sum), *graph = graph_of(quick);
    for (int i = 0; i < TIMES(1000, 100); i++) {
        cr_assert_eq(weft_start_with(&run, s, graph,
                                     weft_config(run, .deadline_ms = 60000),
                                     NULL),
                     0);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_run_destroy(run);
    }
    weft_plan_destroy(graph);
    weft_plan_destroy(quick);
    weft_plan_destroy(outer);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}

/* Its slots are finished by the one that cancels; meanwhile another thread
 * drains the run, and has to be able to. */
struct finishing {
    struct weft_run *run;
    _Atomic unsigned finished;
    _Atomic bool may_go_on;
};

static void finish_slowly(void *item, void *ctx)
{
    struct finishing *f = ctx;
    add_relaxed(&f->finished, 1u);
    while (!load_acquire(&f->may_go_on)) /* the test's */
        usleep(100);
}

static void *cancel_run(void *ctx)
{
    weft_cancel(((struct finishing *)ctx)->run);
    return NULL;
}

Test(subplan, no_lock_is_held_while_a_callback_of_an_inner_run_is_called,
     .timeout = 30)
{
    struct finishing f = { .finished = 0 };
    struct sum sum = { 0 };
    weft_future *later;
    pthread_t thread;
    weft_sched *s = workers(1);
    weft_plan *inner = NULL;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t),
                                         .slots = 4,
                                         .finish = finish_slowly,
                                         .ctx = &f }));

    weft_source_fed(p, "nobody");
    weft_stage(p, weft_config(stage, .name = "add", .fn = add_up, .ctx = &sum));
    cr_assert_eq(weft_pipeline_compile(&inner, p, NULL), 0);
    weft_pipeline_destroy(p);
    weft_plan *outer = graph_of(inner);
    cr_assert_eq(weft_start(&f.run, s, outer, NULL), 0);
    cr_assert_eq(weft_submit(s, nothing, NULL, &later, NULL), 0);
    cr_assert_eq(weft_future_wait(later, -1), 0); /* the inner one runs */
    weft_future_destroy(later);
    pthread_create(&thread, NULL, cancel_run, &f);
    while (!load_relaxed(&f.finished))
        usleep(100);
    weft_drain(f.run);
    store_release(&f.may_go_on, true); /* for finish_slowly */
    pthread_join(thread, NULL);
    cr_assert_eq(weft_wait(f.run, -1, NULL), -ECANCELED);
    cr_assert_eq(f.finished, 4);
    weft_run_destroy(f.run);
    weft_plan_destroy(outer);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}

/* Nothing of the inner run is left then: its owner destroys the plan, and what
 * the callbacks use. */
struct owner {
    _Atomic bool over;
    _Atomic unsigned finished, too_late;
};

static void finish_in_time(void *item, void *ctx)
{
    struct owner *o = ctx;
    add_relaxed(&o->too_late, load_relaxed(&o->over));
    add_relaxed(&o->finished, 1u);
}

struct seen_running {
    _Atomic bool runs;
};

static int for_ever(weft_worker *self, void *item, void *ctx)
{
    store_relaxed(&((struct seen_running *)ctx)->runs, true);
    return 0;
}

static int fail_when_it_runs(weft_worker *self, void *ctx)
{
    while (!load_relaxed(&((struct seen_running *)ctx)->runs))
        usleep(50);
    return -EIO;
}

/* The pipeline of one never ends by itself; the other one fails. */
Test(subplan, a_failure_ends_the_runs_of_other_nodes, .timeout = 30)
{
    struct seen_running seen = { .runs = false };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 4 }));
    weft_source(p, "for ever", for_ever, &seen);
    weft_plan *endless = pipeline_plan(p);
    weft_graph *g = weft_graph_create();
    weft_task_plan(g, "endless", endless);
    weft_task(g, "fails", fail_when_it_runs, &seen);
    weft_error why;

    cr_assert_eq(run_once(g, 2, &why), -EIO);
    cr_assert(strstr(why.text, "task 'fails'"));
    weft_plan_destroy(endless);
}

Test(subplan, a_plan_may_be_destroyed_once_the_outer_run_is_over, .timeout = 60)
{
    enum { RUNS = TIMES(3000, 1000) };
    struct owner owner = { .finished = 0 };
    struct sum sum = { 0 };
    weft_sched *s = workers(4);

    for (int i = 0; i < RUNS; i++) {
        weft_plan *inner = NULL;
        weft_pipeline *p = weft_pipeline_create(
            weft_config(pipeline, .items = { .bytes = sizeof(uint64_t),
                                             .slots = 2,
                                             .finish = finish_in_time,
                                             .ctx = &owner }));
        weft_source_array(p, "numbers", numbers, 1, sizeof numbers[0]);
        weft_stage(
            p, weft_config(stage, .name = "add", .fn = add_up, .ctx = &sum));
        cr_assert_eq(weft_pipeline_compile(&inner, p, NULL), 0);
        weft_pipeline_destroy(p);
        weft_plan *outer = graph_of(inner);
        store_relaxed(&owner.over, false);
        cr_assert_eq(weft_run(s, outer, NULL), 0);
        store_relaxed(&owner.over, true);
        weft_plan_destroy(outer);
        weft_plan_destroy(inner);
    }
    weft_sched_destroy(s);
    cr_assert_eq(owner.finished, 2 * RUNS);
    cr_assert_eq(owner.too_late, 0);
}

/* A source without an end; the nodes before it hold up its start. */
static int go_on_for_ever(weft_worker *self, void *item, void *ctx)
{
    *(uint64_t *)item = 1;
    return 0;
}

static int hold_up(weft_worker *self, void *may_go_on)
{
    while (!load_acquire((_Atomic bool *)may_go_on)) /* the test's */
        usleep(100);
    return 0;
}

Test(subplan, a_drain_reaches_what_starts_after_it, .timeout = 30)
{
    struct sum sum = { 0 };
    _Atomic bool may_go_on = false;
    struct weft_run *run;
    weft_sched *s = workers(1);
    weft_plan *inner = NULL;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_graph *g = weft_graph_create();

    weft_source(p, "for ever", go_on_for_ever, NULL);
    weft_stage(p, weft_config(stage, .name = "add", .fn = add_up, .ctx = &sum));
    cr_assert_eq(weft_pipeline_compile(&inner, p, NULL), 0);
    weft_pipeline_destroy(p);
    weft_plan *middle = graph_of(inner);
    weft_node first = weft_task(g, "first", hold_up, &may_go_on);
    weft_after(g, weft_task_plan(g, "then", middle), first);
    weft_plan *outer = compiled(g);
    for (int i = 0; i < 2; i++) { /* also in memory that was used before */
        cr_assert_eq(weft_start(&run, s, outer, NULL), 0);
        weft_drain(run);
        store_release(&may_go_on, true); /* for hold_up */
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_run_destroy(run);
        store_relaxed(&may_go_on, false);
    }
    weft_plan_destroy(outer);
    weft_plan_destroy(middle);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}

struct stopper {
    struct weft_run *run;
    unsigned delay;
};

static void *cancel_later(void *ctx)
{
    struct stopper *s = ctx;
    for (volatile unsigned i = 0; i < s->delay; i++)
        ;
    weft_cancel(s->run);
    return NULL;
}

Test(subplan, a_cancel_at_any_instant_ends_everything, .timeout = 120)
{
    struct sum sum = { 0 };
    weft_sched *s = workers(2);
    weft_plan *inner = summing(&sum);
    weft_graph *g = weft_graph_create();
    weft_node before = { 0 };
    for (int i = 0; i < 20; i++) {
        weft_node node = weft_task_plan(g, NULL, inner);
        if (i >= 4)
            weft_after(g, node, before);
        before = i % 4 ? before : node;
    }
    weft_plan *plan = compiled(g), *outer = graph_of(plan);

    for (unsigned i = 0; i < TIMES(1000, 100); i++) {
        struct stopper stopper = { .delay = i * 7919 % 100000 };
        pthread_t thread;
        cr_assert_eq(weft_start(&stopper.run, s, outer, NULL), 0);
        pthread_create(&thread, NULL, cancel_later, &stopper);
        int rc = weft_wait(stopper.run, -1, NULL);
        pthread_join(thread, NULL);
        cr_assert(rc == 0 || rc == -ECANCELED);
        weft_run_destroy(stopper.run);
    }
    weft_plan_destroy(outer);
    weft_plan_destroy(plan);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}
