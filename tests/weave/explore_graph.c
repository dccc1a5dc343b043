/* explore_graph.c: graphs, run by two workers, from compile to destroy. */
#include <errno.h>

#include "tests/weave/world.h"

enum { NODES = 4 };

static int order, at[NODES]; /* plain: nodes that nothing orders write their own
                                places only */

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

static int fails(weft_worker *self, void *ctx) { return -EIO; }

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

static void run_with_a_failure(void)
{
    weft_plan *plan = diamond(fails);
    weft_sched *sched = workers(2);

    weave_assert(weft_run(sched, plan, 0) == -EIO);
    weave_assert(order == 0);
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
        { .name = "each_of_independent_nodes_runs_once",
          .threads = { run_independent } },
        { .name = "a_cancelled_run_ends", .threads = { cancel_a_run } },
        { .name = "one_token_keeps_nodes_apart", .threads = { share_a_token } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
