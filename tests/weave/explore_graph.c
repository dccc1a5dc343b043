/* explore_graph.c: graphs, run by two workers, from compile to destroy. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

enum { NODES = 6 };

static int order, at[NODES]; /* plain: nodes that nothing orders write their own
                                places only */
static _Atomic bool is_held;

static int first(weft_worker *self, void *ctx)
{
    at[0] = 1;
    return 0;
}

/* Sees what is before it, and leaves its own for the last. */
static int middle(weft_worker *self, void *ctx)
{
    weave_assert(at[0] == 1);
    *(int *)ctx = 1;
    return 0;
}

static int last(weft_worker *self, void *ctx)
{
    weave_assert(at[1] == 1 && at[2] == 1);
    order++;
    return 0;
}

static int passes(weft_worker *self, void *ctx) { return 0; }
static int fails(weft_worker *self, void *ctx) { return -EIO; }

static int ends_later(weft_worker *self, void *ctx)
{
    weft_task_complete(weft_task_pending(self), 0);
    return WEFT_PENDING;
}

static weft_plan *compiled(weft_graph *g)
{
    weft_plan *plan;

    weave_assert(!weft_compile(&plan, g, 0));
    weft_graph_destroy(g);
    return plan;
}

static weft_plan *diamond(weft_fn *left)
{
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, 0, first, 0);
    weft_node b = weft_task(g, 0, left, &at[1]);
    weft_node c = weft_task(g, 0, middle, &at[2]);
    weft_node d = weft_task(g, 0, last, 0);

    weft_after(g, b, a);
    weft_after(g, c, a);
    weft_after(g, d, b, c);
    return compiled(g);
}

static void run_diamond(void)
{
    weft_plan *plan = diamond(middle);
    weft_sched *sched = workers(2);

    weave_assert(!weft_run(sched, plan, 0));
    weave_assert(order == 1);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
}

static void run_diamond_twice(void)
{
    weft_plan *plan = diamond(middle);
    weft_sched *sched = workers(2);

    weave_assert(!weft_run(sched, plan, 0));
    at[0] = at[1] = at[2] = 0;
    weave_assert(!weft_run(sched, plan, 0));
    weave_assert(order == 2);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
}

/* The second time what does not depend on it does run. */
static void run_with_a_failure(void)
{
    struct weft_run *run;
    weft_plan *plan = diamond(fails);
    weft_sched *sched = workers(2);

    weave_assert(weft_run(sched, plan, 0) == -EIO);
    weave_assert(order == 0);
    at[0] = at[2] = 0;
    weave_assert(!weft_start_with(
        &run, sched, plan, weft_config(run, .on_failure = WEFT_GO_ON), 0));
    weave_assert(weft_wait(run, -1, 0) == -EIO);
    weave_assert(order == 0 && at[2] == 1);
    weft_run_destroy(run);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
}

/* It is asked whether it is bad, as it ends after the failure. */
static void go_on_beside_a_failure(void)
{
    weft_graph *g = weft_graph_create();
    weft_after(g, weft_task(g, 0, count, &at[0]), weft_task(g, 0, fails, 0));
    weft_after(g, weft_task(g, 0, count, &at[1]),
               weft_task(g, 0, ends_later, 0));
    weft_plan *plan = compiled(g);
    weft_sched *sched = workers(1);
    struct weft_run *run;

    weave_assert(!weft_start_with(
        &run, sched, plan, weft_config(run, .on_failure = WEFT_GO_ON), 0));
    weave_assert(weft_wait(run, -1, 0) == -EIO);
    weave_assert(!at[0] && at[1] == 1);
    weft_run_destroy(run);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
}

static void run_independent(void)
{
    weft_graph *g = weft_graph_create();
    for (unsigned i = 0; i < NODES; i++)
        weft_task(g, 0, count, &at[i]);
    weft_plan *plan = compiled(g);
    weft_sched *sched = workers(2);

    weave_assert(!weft_run(sched, plan, 0));
    for (unsigned i = 0; i < NODES; i++)
        weave_assert(at[i] == 1);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
}

/* What has run has run once, and the memory is let go of. */
static void cancel_a_run(void)
{
    weft_plan *plan = diamond(middle);
    weft_sched *sched = workers(2);
    struct weft_run *run;

    weave_assert(!weft_start(&run, sched, plan, 0));
    weft_cancel(run);
    int rc = weft_wait(run, -1, 0);
    weave_assert(rc == 0 || rc == -ECANCELED);
    weave_assert(rc == 0 ? order == 1 : order <= 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int holds_it(weft_worker *self, void *ctx)
{
    *(weft_pending **)ctx = weft_task_pending(self);
    store_release(&is_held, true);
    return WEFT_PENDING;
}

static weft_plan *with_the_token(weft_limit *limit, weft_fn *fn, void *ctx)
{
    struct weft_use use = { limit, 1 };
    weft_graph *g = weft_graph_create();

    weft_task_uses(g, weft_task(g, 0, fn, ctx), &use, 1);
    return compiled(g);
}

/* The run that has the token ends after the one that wants it. */
static int run_without_tokens(const struct weft_run_config *config)
{
    weft_limit *limit;
    weave_assert(!weft_limit_create(
        &limit, weft_config(limit, .name = "one", .tokens = 1), 0));
    weft_pending *pending;
    weft_plan *holder = with_the_token(limit, holds_it, &pending);
    weft_plan *plan = with_the_token(limit, count, &at[0]);
    weft_sched *sched = workers(config ? 2 : 1); /* one for the deadline */
    struct weft_run *held, *run;

    weave_assert(!weft_start(&held, sched, holder, 0));
    while (!load_acquire(&is_held))
        weave_yield();
    weave_assert(!weft_start_with(&run, sched, plan, config, 0));
    if (!config)
        weft_cancel(run);
    int rc = weft_wait(run, -1, 0);
    weave_assert(!at[0]);
    weft_run_destroy(run);
    weft_task_complete(pending, 0);
    weave_assert(!weft_wait(held, -1, 0));
    weft_run_destroy(held);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_plan_destroy(holder);
    weft_limit_destroy(limit);
    return rc;
}

static void cancel_who_waits(void)
{
    weave_assert(run_without_tokens(NULL) == -ECANCELED);
}

static void time_out_who_waits(void)
{
    weave_assert(run_without_tokens(weft_config(run, .deadline_ms = 1)) ==
                 -ETIMEDOUT);
}

/* Nobody touches it when it is over: it is freed. */
static void run_with_a_deadline(void)
{
    weft_plan *plan = diamond(middle);
    weft_sched *sched = workers(1);
    struct weft_run *run;

    weave_assert(!weft_start_with(&run, sched, plan,
                                  weft_config(run, .deadline_ms = 1), 0));
    int rc = weft_wait(run, -1, 0);
    weave_assert(rc == 0 || rc == -ETIMEDOUT);
    weave_assert(rc == 0 ? order == 1 : order <= 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int complete_it(weft_worker *self, void *pending)
{
    weft_task_complete(*(weft_pending **)pending, 0);
    return 0;
}

/* What one run makes ready of the other comes before what it has left: so the
 * worker that ends the other goes on with this one, and owes both. */
static void run_two_at_a_time(void)
{
    weft_pending *pending;
    weft_graph *g = weft_graph_create();
    weft_node before = weft_task(g, 0, holds_it, &pending);
    for (unsigned i = 0; i < 2; i++) { /* then a worker may go further */
        weft_node next = weft_task(g, 0, passes, 0);
        weft_after(g, next, before);
        before = next;
    }
    for (unsigned i = 0; i < 2; i++)
        weft_after(g, weft_task(g, 0, passes, 0), before);
    weft_plan *plans[2] = { compiled(g) };
    g = weft_graph_create();
    weft_task(g, 0, complete_it, &pending);
    weft_task(g, 0, passes, 0);
    plans[1] = compiled(g);
    weft_sched *sched = workers(1);
    struct weft_run *runs[2];

    weave_assert(!weft_start(&runs[0], sched, plans[0], 0));
    while (!load_acquire(&is_held))
        weave_yield();
    weave_assert(!weft_start(&runs[1], sched, plans[1], 0));
    for (unsigned i = 0; i < 2; i++) {
        weave_assert(!weft_wait(runs[i], -1, 0));
        weft_run_destroy(runs[i]);
        weft_plan_destroy(plans[i]);
    }
    weft_sched_destroy(sched);
}

/* Its worker owes a join, and leaves for what is special. */
static void run_what_is_special(void)
{
    weft_limit *limit;
    weave_assert(!weft_limit_create(
        &limit, weft_config(limit, .name = "one", .tokens = 1), 0));
    struct weft_use use = { limit, 1 };
    weft_graph *g = weft_graph_create();
    weft_task(g, 0, passes, 0);
    weft_node before = weft_task(g, 0, passes, 0);
    weft_node special = weft_task(g, 0, passes, 0);
    weft_task_uses(g, special, &use, 1);
    weft_after(g, special, before);
    weft_plan *plan = compiled(g);
    weft_sched *sched = workers(1);

    weave_assert(!weft_run(sched, plan, 0));
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_limit_destroy(limit);
}

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static weft_plan *fed_pipeline(void)
{
    weft_plan *plan;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(int), .slots = 1 }));

    weft_source_fed(p, "fed");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass, .tokens = 1));
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    return plan;
}

static int end_a_run(weft_sched *sched, weft_plan *plan,
                     void (*by)(struct weft_run *))
{
    struct weft_run *run;

    weave_assert(!weft_start(&run, sched, plan, 0));
    by(run);
    int rc = weft_wait(run, -1, 0);
    weft_run_destroy(run);
    return rc;
}

static void cancel_later(struct weft_run *run)
{
    weave_assert(weft_wait(run, 1, 0) == -ETIMEDOUT);
    weft_cancel(run);
}

/* Nobody feeds the pipeline: it ends as the run does that it is in. The second
 * run knows nothing of the first, whose memory it has. */
static void end_a_pipeline_within(void)
{
    weft_plan *inner = fed_pipeline();
    weft_graph *g = weft_graph_create();
    weft_task_plan(g, 0, inner);
    weft_plan *plan = compiled(g);
    weft_sched *sched = workers(1);

    weave_assert(!end_a_run(sched, plan, weft_drain));
    weave_assert(end_a_run(sched, plan, cancel_later) == -ECANCELED);
    weft_plan_destroy(plan);
    weft_plan_destroy(inner);
    weft_sched_destroy(sched);
}

/* Two nodes that one token keeps apart write the same place. */
static void share_a_token(void)
{
    weft_limit *limit;
    weave_assert(!weft_limit_create(
        &limit, weft_config(limit, .name = "one", .tokens = 1), 0));
    struct weft_use use = { limit, 1 };
    weft_graph *g = weft_graph_create();
    for (unsigned i = 0; i < 3; i++)
        weft_task_uses(g, weft_task(g, 0, count, &at[0]), &use, 1);
    weft_plan *plan = compiled(g);
    weft_sched *sched = workers(2);

    weave_assert(!weft_run(sched, plan, 0));
    weave_assert(at[0] == 3);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_limit_destroy(limit);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "each_node_sees_what_is_before_it",
          .threads = { run_diamond } },
        { .name = "a_run_leaves_the_plan_as_it_was",
          .threads = { run_diamond_twice } },
        { .name = "nothing_runs_behind_a_failure",
          .threads = { run_with_a_failure } },
        { .name = "what_does_not_depend_on_a_failure_runs",
          .threads = { go_on_beside_a_failure } },
        { .name = "each_of_independent_nodes_runs_once",
          .threads = { run_independent } },
        { .name = "a_cancelled_run_ends", .threads = { cancel_a_run } },
        { .name = "one_token_keeps_nodes_apart", .threads = { share_a_token } },
        { .name = "a_cancel_reaches_a_node_that_waits",
          .threads = { cancel_who_waits } },
        { .name = "a_deadline_reaches_a_node_that_waits",
          .threads = { time_out_who_waits } },
        { .name = "a_run_ends_before_its_deadline_or_by_it",
          .threads = { run_with_a_deadline } },
        { .name = "each_of_two_runs_is_paid_what_is_owed",
          .threads = { run_two_at_a_time } },
        { .name = "what_is_owed_is_paid_before_what_is_special",
          .threads = { run_what_is_special } },
        { .name = "a_drain_and_a_cancel_reach_a_pipeline",
          .threads = { end_a_pipeline_within } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
