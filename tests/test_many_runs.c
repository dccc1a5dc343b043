/* test_many_runs.c: one plan that is run many times at once, each run with a
 * context of its own, and what a run tells when it ends. */
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/runs.h"

static uint64_t numbers[10];

static weft_plan *finished(weft_pipeline *p)
{
    weft_plan *plan = NULL;

    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

enum { RUNS = 64, OF_EACH = TIMES(500, 50) };

/* What one of the runs has to itself: plain memory but for what waits. */
struct mine {
    uint64_t id, next, sum;
    unsigned wrong;
    struct gate *gate;
};

/* Opens when the first item of each run is in it: so they are under way at one
 * time, all of them. */
struct gate {
    pthread_mutex_t lock;
    void *items[RUNS];
    unsigned count;
};

struct marked {
    uint64_t id, value;
};

static int give_marked(weft_worker *self, void *item, void *ctx)
{
    struct mine *mine = weft_run_context(item);

    *(struct marked *)item = (struct marked){ mine->id, mine->next };
    return mine->next++ < OF_EACH ? 0 : WEFT_END;
}

static int meet_first(weft_worker *self, void *item, void *ctx)
{
    struct gate *gate = ((struct mine *)weft_run_context(item))->gate;
    bool all;

    if (((struct marked *)item)->value)
        return 0;
    pthread_mutex_lock(&gate->lock);
    gate->items[gate->count++] = item;
    all = gate->count == RUNS;
    pthread_mutex_unlock(&gate->lock);
    for (int i = 0; all && i < RUNS; i++)
        weft_complete(self, gate->items[i], 0);
    return WEFT_PENDING;
}

static int add_mine(weft_worker *self, void *item, void *ctx)
{
    struct mine *mine = weft_run_context(item);
    struct marked *m = item;

    mine->wrong += m->id != mine->id;
    mine->sum += m->value;
    return 0;
}

Test(many_runs, runs_of_one_plan_at_a_time_have_a_context_each, .timeout = 60)
{
    static struct mine mine[RUNS];
    static struct gate gate;
    struct weft_run *runs[RUNS];
    weft_sched *sched = workers(3);

    pthread_mutex_init(&gate.lock, NULL);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct marked), .slots = 2 }));
    weft_source(p, "marked", give_marked, NULL);
    weft_stage(p, weft_config(stage, .name = "meet", .fn = meet_first));
    weft_stage(p, weft_config(stage, .name = "add", .fn = add_mine, .tokens = 1,
                              .order = WEFT_INPUT));
    weft_plan *plan = finished(p);

    for (unsigned i = 0; i < RUNS; i++) {
        mine[i] = (struct mine){ .id = i, .gate = &gate };
        cr_assert_eq(weft_start_with(&runs[i], sched, plan,
                                     weft_config(run, .ctx = &mine[i]), NULL),
                     0);
    }
    for (unsigned i = 0; i < RUNS; i++) {
        cr_assert_eq(weft_wait(runs[i], -1, NULL), 0);
        cr_assert_eq(mine[i].wrong, 0);
        cr_assert_eq(mine[i].sum, (uint64_t)OF_EACH * (OF_EACH - 1) / 2);
        weft_run_destroy(runs[i]);
    }
    cr_assert_eq(gate.count, RUNS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    pthread_mutex_destroy(&gate.lock);
}

/* Also in `reset` and `finish`, in the consumer's hands, and where the run was
 * given none. */
struct marks {
    _Atomic unsigned resets, finishes;
};

static void mark_reset(void *item, void *ctx)
{
    struct marks *m = weft_run_context(item);

    if (m)
        add_relaxed(&m->resets, 1u);
}

static void mark_finish(void *item, void *ctx)
{
    struct marks *m = weft_run_context(item);

    if (m)
        add_relaxed(&m->finishes, 1u);
}

Test(many_runs, whoever_has_an_item_has_the_context_of_its_run, .timeout = 60)
{
    struct marks marks[2] = { { 0 } };
    weft_sched *sched = workers(2);
    void *item;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8,
                                         .slots = 5,
                                         .reset = mark_reset,
                                         .finish = mark_finish }));
    weft_source_array(p, "numbers", numbers, 10, sizeof numbers[0]);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = finished(p);

    for (int i = 0; i < 3; i++) {
        void *ctx = i < 2 ? &marks[i] : NULL;
        struct weft_run *run;
        cr_assert_eq(weft_start_with(&run, sched, plan,
                                     weft_config(run, .ctx = ctx), NULL),
                     0);
        while (weft_next(run, &item, -1, NULL) == 1) {
            cr_assert_eq(weft_run_context(item), ctx);
            weft_release(item);
        }
        weft_run_destroy(run);
    }
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(marks[i].resets, 10);
        cr_assert_eq(marks[i].finishes, 5);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int mark_call(weft_worker *self, void *item, void *ctx)
{
    mark_reset(item, ctx);
    return 0;
}

/* A node of a graph that is a node of a graph. */
Test(many_runs, in_the_run_of_a_node_it_is_that_of_the_outermost_run,
     .timeout = 60)
{
    struct marks marks = { 0 };
    weft_sched *sched = workers(2);

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8,
                                         .slots = 5,
                                         .reset = mark_reset,
                                         .finish = mark_finish }));
    weft_source_array(p, "numbers", numbers, 10, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "mark", .fn = mark_call));
    weft_plan *plan[3] = { finished(p) };
    for (int i = 1; i < 3; i++) {
        weft_graph *g = weft_graph_create();
        weft_task_plan(g, "node", plan[i - 1]);
        plan[i] = compiled(g);
    }
    for (int i = 0; i < 2; i++) {
        struct weft_run *run;
        cr_assert_eq(weft_start_with(&run, sched, plan[2],
                                     weft_config(run, .ctx = i ? NULL : &marks),
                                     NULL),
                     0);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_run_destroy(run);
    }
    cr_assert_eq(marks.resets, 20);
    cr_assert_eq(marks.finishes, 5);
    for (int i = 2; i >= 0; i--)
        weft_plan_destroy(plan[i]);
    weft_sched_destroy(sched);
}

/* ---- what on_end may ask ----------------------------------------------- */

struct asked {
    _Atomic unsigned times;
    int result, waited, refused;
    weft_error why;
};

static void ask_why(struct weft_run *run, int result, void *ctx)
{
    struct asked *a = ctx;

    a->result = result;
    a->waited = weft_wait(run, 0, &a->why);
    add_release(&a->times, 1u); /* after the rest: for who waits for it */
}

static int ask_a_run_that_runs(weft_worker *self, void *item, void *ctx)
{
    struct asked *a = weft_run_context(item);
    struct weft_run *run = *(struct weft_run **)ctx;

    a->refused = weft_wait(run, 0, NULL);
    return weft_fail(item, -EDOM, "as it was told");
}

/* A worker may look, but not wait. */
Test(many_runs, a_worker_may_ask_whether_a_run_has_ended, .timeout = 60)
{
    struct asked asked = { .result = 1 };
    struct weft_run *run;
    weft_sched *sched = workers(1);

    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items.bytes = 8));
    weft_source_array(p, "one", numbers, 1, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "ask", .fn = ask_a_run_that_runs,
                              .ctx = &run));
    weft_plan *plan = finished(p);
    cr_assert_eq(weft_start_with(
                     &run, sched, plan,
                     weft_config(run, .on_end = ask_why, .ctx = &asked), NULL),
                 0);
    while (!load_acquire(&asked.times)) /* what ask_why wrote before it */
        usleep(100);
    cr_assert_eq(asked.refused, -ETIMEDOUT);
    cr_assert_eq(asked.result, -EDOM);
    cr_assert_eq(asked.waited, -EDOM);
    cr_assert_eq(strcmp(asked.why.text, "stage 'ask' failed on item 0, attempt "
                                        "1: EDOM: as it was told"),
                 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
