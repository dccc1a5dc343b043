/* conditions.c: graphs where a node chooses what comes next.
 *
 * Not all nodes execute there, some several times, and none is the last. So
 * what is under way is counted: all activations of nodes that have not ended.
 * A node is activated when it is chosen, and when all before it have ended; the
 * end of a run is when nothing is under way.
 *
 *      drawn         get -> check, check chooses get or put
 *
 *      get ends      check is active, get no more                   1 under way
 *      check: get    get is active, check no more                   1
 *      get, check    as before                                      1
 *      check: none   nothing is active                              0: the end
 *
 *  [A] Active. `active` says how often a node is to execute: who makes it 1
 *      makes its task ready, who finds it higher leaves that to whoever ends
 *      the execution before: it takes 1 off, and if that was not the last makes
 *      the task ready again. So a node is never in two places. Both are
 *      acq_rel: an execution sees what came before its activation, and before
 *      the execution before.
 *
 *  [U] Under way. Each activation is counted before it is made, and taken off
 *      after all that its execution has activated was counted. So the count is
 *      not 0 while anything may still happen; taking off is acq_rel, and who
 *      takes the last one off has seen everything, and ends the run. Most nodes
 *      activate one: they hand on what they were counted for, as the last thing
 *      that they do to the run, and write no counter.
 *
 *  [M] Missing. Who brings the count of a node to 0 sets it anew by adding, as
 *      often as it takes until it is above 0 again: it was counted down further
 *      meanwhile, by who found it at 0 or below and so left that to us. Nothing
 *      is lost: a node is activated once for every `before` that it was counted
 *      down for, in whatever order.
 *
 * A node that fails, or is not called, activates nothing; so a run that was
 * stopped ends soon, and what comes after a failed node never starts.
 *
 * What was counted down and never got ready stays so at the end of the run.
 * Hence the pass over the nodes before it starts again. */
#include <errno.h>
#include <stdlib.h>

#include "graph/dagrun.h"

enum { MOST_ACTIVE = 1 << 20 }; /* of one node: COUNT has room for more */

int wf_conditions_make(struct dag_run *run)
{
    run->active = calloc(wf_dag_plan_of(run)->node_count, sizeof *run->active);
    return run->active ? 0 : -ENOMEM;
}

void wf_conditions_start(struct dag_run *run)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);

    for (uint32_t i = 0; i < plan->node_count; i++)
        store_relaxed(&run->node[i].missing, plan->node[i].before);
    for (uint32_t i = 0; i < plan->root_count; i++)
        store_relaxed(&run->active[plan->root[i]], 1);
    store_relaxed(&run->under_way, plan->root_count);
}

unsigned wf_conditions_ask(weft_worker *self, struct dag_run *run,
                           struct run_node *n, const struct special *s)
{
    unsigned which = WEFT_NO_CHOICE;

    if (!s->choose)
        return 0; /* its only one */
    wf_task_here = (uintptr_t)n | MAY_NOT_ASK;
    int rc = s->choose(self, &which, s->ctx);
    wf_task_here = 0;
    if (rc)
        wf_node_returned_error(run, n, rc);
    if (rc || which == WEFT_NO_CHOICE)
        return WEFT_NO_CHOICE;
    if (which < s->choices)
        return which;
    wf_node_fail(run, n, -EINVAL, "task '%s' chose number %u of its %u choices",
                 wf_dag_label(wf_dag_plan_of(run), n->index).text, which,
                 s->choices);
    return WEFT_NO_CHOICE;
}

/* There is an end to what the bits of a count can hold; mostly something goes
 * round faster than what it activates each time, and would never have ended. */
static void refuse(struct dag_run *run, uint32_t index)
{
    struct label task = wf_dag_label(wf_dag_plan_of(run), index);

    wf_run_fail(&run->run, -EOVERFLOW,
                "task '%s' is to execute %d times more than it has: what "
                "activates it does not wait for it",
                task.text, MOST_ACTIVE);
    store_relaxed(&run->stopped, true);
    wf_dag_stop(run);
}

/* What a node activates: the first waits for the end, [U]. */
struct activations {
    struct run_node *first;
    struct task_list ready;
};

/* The activation is counted. */
static void activate(struct dag_run *run, struct run_node *n,
                     struct task_list *ready)
{
    _Atomic uint32_t *active = &run->active[n->index];

    /* Looked at before: after it the run may be over, [U]. */
    if ((load_relaxed(active) & COUNT) == MOST_ACTIVE)
        refuse(run, n->index);
    if ((add_acq_rel(active, 1) & COUNT) == 0) /* [A] */
        task_list_add(ready, &n->task);
}

static void add(struct dag_run *run, struct activations *a, struct run_node *n)
{
    if (!a->first) {
        a->first = n;
        return;
    }
    add_relaxed(&run->under_way, 1); /* [U] */
    activate(run, n, &a->ready);
}

static void count_down(struct dag_run *run, struct activations *a,
                       struct run_node *n)
{
    uint32_t before = wf_dag_plan_of(run)->node[n->index].before;

    if (before <= 1) {
        add(run, a, n);
        return;
    }
    if (sub_acq_rel(&n->missing, 1) != 1) /* [D] in walk.c */
        return;
    do
        add(run, a, n);
    while ((int32_t)(add_acq_rel(&n->missing, before) + before) <= 0); /* [M] */
}

struct task_list wf_conditions_go_on(struct dag_run *run, struct run_node *n,
                                     unsigned which)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    const struct special *s = wf_node_special(run, n);
    struct activations a = { 0 };

    if (wf_node_may_run(run, n)) {
        const uint32_t *end = wf_dag_edges(plan, n->index + 1);
        for (const uint32_t *to = wf_dag_edges(plan, n->index); to < end; to++)
            count_down(run, &a, &run->node[*to]);
        if (which != WEFT_NO_CHOICE)
            add(run, &a, &run->node[plan->choice[s->first_choice + which]]);
    }
    /* Only this execution sets bits above the count. */
    uint32_t bits = load_relaxed(&run->active[n->index]) & ~(uint32_t)COUNT;
    uint32_t active =
        sub_acq_rel(&run->active[n->index], bits + 1) & COUNT; /* [A] */
    if (active > 1)
        task_list_add(&a.ready, &n->task);
    if (a.first)
        activate(run, a.first, &a.ready);          /* [U] */
    else if (sub_acq_rel(&run->under_way, 1) == 1) /* [U] */
        wf_dag_end(run);
    return a.ready;
}
