/* explore_nodes.c: what nodes of a graph can be beside a function that returns:
 * they pend, choose what comes next, or run another plan. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

static weft_sched *sched;
static weft_plan *plan, *inner;
static struct weft_run *run;
static weft_pending *pending;
static _Atomic bool is_shared, is_left;
static int calls, at[2]; /* plain: nothing but the nodes' order keeps it */

static weft_plan *compiled(weft_graph *g)
{
    weft_plan *made;

    weave_assert(!weft_compile(&made, g, 0));
    weft_graph_destroy(g);
    return made;
}

static void wait_until(_Atomic bool *that)
{
    while (!load_acquire(that))
        weave_yield();
}

/* Who has waited sees it all: the workers are still there. */
static void run_it(weft_plan *it, int runs, int each)
{
    sched = workers(2);
    weave_assert(!weft_run(sched, it, 0));
    weave_assert(calls == runs && at[0] == each && at[1] == each);
    weft_sched_destroy(sched);
    weft_plan_destroy(it);
}

/* ---- it pends ------------------------------------------------------------ */

static int pends(weft_worker *self, void *ctx)
{
    pending = weft_task_pending(self);
    store_release(&is_shared, true);
    at[0] = 1;
    return WEFT_PENDING;
}

static int sees_both(weft_worker *self, void *ctx)
{
    weave_assert(at[0] == 1 && at[1] == 1);
    calls++;
    return 0;
}

static void run_what_pends(void)
{
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, 0, pends, 0);

    weft_after(g, weft_task(g, 0, sees_both, 0), first);
    run_it(compiled(g), 1, 1);
}

static void complete(void)
{
    wait_until(&is_shared);
    at[1] = 1;
    weft_task_complete(pending, 0);
}

/* ---- it chooses ---------------------------------------------------------- */

static int choose_first(weft_worker *self, unsigned *which, void *ctx)
{
    if (ctx)
        *(int *)ctx = 1;
    *which = 0;
    return 0;
}

static weft_node chooser(weft_graph *g, weft_node target, void *ctx)
{
    weft_node it = weft_task_with(
        g, weft_config(task, .choose = choose_first, .ctx = ctx));

    weft_choose(g, it, target);
    return it;
}

static int sees_who_chose(weft_worker *self, void *ctx)
{
    if (++calls == 2)
        weave_assert(at[0] == 1 && at[1] == 1);
    return 0;
}

/* One that is chosen by two is never in two places. */
static void run_what_two_choose(void)
{
    weft_graph *g = weft_graph_create();
    weft_node chosen = weft_task(g, 0, sees_who_chose, 0);

    chooser(g, chosen, &at[0]);
    chooser(g, chosen, &at[1]);
    run_it(compiled(g), 2, 1);
}

/* The second time nothing before it is still to come. */
static int sees_both_twice(weft_worker *self, void *ctx)
{
    if (++calls == 2)
        weave_assert(at[0] == 2 && at[1] == 2);
    return 0;
}

/* Both before it are chosen by two. */
static void run_what_comes_twice(void)
{
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, 0, sees_both_twice, 0);

    for (unsigned i = 0; i < 2; i++) {
        weft_node before = weft_task(g, 0, count, &at[i]);
        chooser(g, before, 0);
        chooser(g, before, 0);
        weft_after(g, last, before);
    }
    run_it(compiled(g), 2, 2);
}

/* Each of the two is chosen once. */
static void run_what_comes_once(void)
{
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, 0, sees_both, 0);

    for (unsigned i = 0; i < 2; i++) {
        weft_node before = weft_task(g, 0, count, &at[i]);
        chooser(g, before, 0);
        weft_after(g, last, before);
    }
    run_it(compiled(g), 1, 1);
}

/* Nothing comes after the two that are chosen. */
static void run_what_ends_twice(void)
{
    weft_graph *g = weft_graph_create();

    for (unsigned i = 0; i < 2; i++)
        chooser(g, weft_task(g, 0, count, &at[i]), 0);
    run_it(compiled(g), 0, 1);
}

static int begins(weft_worker *self, void *ctx) { return 0; }

/* Both are after the same, and choose what has nothing after it. */
static void run_what_goes_two_ways(void)
{
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, 0, begins, 0);

    for (unsigned i = 0; i < 2; i++)
        weft_after(g, chooser(g, weft_task(g, 0, count, &at[i]), 0), first);
    run_it(compiled(g), 0, 1);
}

/* ---- it runs a plan ------------------------------------------------------ */

static weft_plan *with_a_plan(weft_fn *after)
{
    weft_graph *g = weft_graph_create();

    weft_task(g, 0, count, &at[0]);
    weft_task(g, 0, count, &at[1]);
    inner = compiled(g);
    g = weft_graph_create();
    weft_node runs = weft_task_plan(g, 0, inner);
    weft_after(g, weft_task(g, 0, after, 0), runs);
    return compiled(g);
}

static void run_what_runs_a_plan(void)
{
    run_it(with_a_plan(sees_both), 1, 1);
    weft_plan_destroy(inner);
}

static void start_what_runs_a_plan(void)
{
    plan = with_a_plan(sees_both);
    sched = workers(1);
    weave_assert(!weft_start(&run, sched, plan, 0));
    store_release(&is_shared, true);
    int rc = weft_wait(run, -1, 0);
    weave_assert(rc == -ECANCELED || (rc == 0 && calls == 1));
    wait_until(&is_left);
    weft_run_destroy(run);
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weft_plan_destroy(inner);
}

static void cancel(void)
{
    wait_until(&is_shared);
    weft_cancel(run);
    store_release(&is_left, true);
}

static const struct weave_test tests[] = {
    { .name = "a_node_that_pends_ends_when_it_has_returned_and_is_complete",
      .threads = { run_what_pends, complete } },
    { .name = "a_node_runs_as_often_as_it_is_chosen",
      .threads = { run_what_two_choose } },
    { .name = "what_is_after_two_that_were_chosen_sees_both",
      .threads = { run_what_comes_once } },
    { .name = "a_run_with_choices_ends_after_the_last_of_them",
      .threads = { run_what_ends_twice } },
    { .name = "a_run_with_choices_goes_all_ways_to_their_ends",
      .threads = { run_what_goes_two_ways } },
    { .name = "what_is_after_two_runs_as_often_as_both_have",
      .threads = { run_what_comes_twice } },
    { .name = "a_node_has_ended_when_the_plan_that_it_runs_has",
      .threads = { run_what_runs_a_plan } },
    { .name = "a_cancel_reaches_a_plan_that_a_node_runs",
      .threads = { start_what_runs_a_plan, cancel } },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
