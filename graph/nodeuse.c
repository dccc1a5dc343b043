/* nodeuse.c: nodes of a graph that take tokens of limits.
 *
 * What such a node takes is in a table of the plan, and its claim in one of the
 * run; its task starts here and not in dag.c. So nodes that take nothing have
 * neither a byte nor an instruction more for it.
 *
 *     wf_nodeuse_execute   asks for all its tokens at once, and lets its worker
 *                          go if it has to wait
 *     granted              executes the node, gives the tokens back, goes on
 *
 * The tokens are given back before what is behind the node is made ready: that
 * may end the run, in which the claim is. A node that runs a plan gives them
 * back when that has ended.
 *
 * A claim cannot be withdrawn (claim.c), so a node of a cancelled run that
 * waits is granted its tokens in its turn, calls nothing, and gives them back;
 * one that has not asked yet does not ask any more. */
#include "graph/nodeuse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/claim.h"
#include "graph/dagrun.h"
#include "graph/drawing.h"

static int check(const struct node_use *to, const struct weft_use *use,
                 const char *task, weft_error *why)
{
    struct weft_limit_stats limit;

    if (!use->limit)
        return wf_error(why, -EINVAL, "a use of task '%s' has no limit", task);
    if (to->count == WEFT_MOST_USES)
        return wf_error(why, -EINVAL,
                        "task '%s' takes of more than %d limits, as many as "
                        "are possible",
                        task, WEFT_MOST_USES);
    weft_limit_stats(use->limit, &limit);
    if (use->tokens > limit.tokens)
        return wf_error(why, -EINVAL,
                        "task '%s' takes %u tokens of limit '%s', which has "
                        "%u",
                        task, use->tokens, limit.name, limit.tokens);
    for (unsigned i = 0; i < to->count; i++)
        if (to->uses[i].limit == use->limit)
            return wf_error(why, -EINVAL,
                            "task '%s' takes of limit '%s' twice: add the "
                            "tokens up",
                            task, limit.name);
    return 0;
}

int wf_nodeuse_add(struct node_use *to, const struct weft_use *uses, size_t n,
                   const char *task, weft_error *why)
{
    for (size_t i = 0; i < n; i++) {
        int rc = check(to, &uses[i], task, why);
        if (rc)
            return rc;
        to->uses[to->count++] = uses[i];
    }
    return 0;
}

int wf_nodeuse_compile(struct dag_plan *plan, const weft_graph *g)
{
    if (!g->use_count)
        return 0;
    plan->uses = malloc(g->use_count * sizeof *plan->uses);
    if (!plan->uses)
        return -ENOMEM;
    memcpy(plan->uses, g->uses, g->use_count * sizeof *plan->uses);
    plan->use_count = (uint32_t)g->use_count;
    for (size_t i = 0; i < g->node_count; i++) {
        struct dag_node *node = &plan->node[i];
        if (!g->nodes[i].use)
            continue;
        struct node_use *use = &plan->uses[g->nodes[i].use - 1];
        use->fn = node->fn;
        use->ctx = node->ctx;
        node->fn = wf_nodeuse_node;
        node->ctx = use;
    }
    return 0;
}

int wf_nodeuse_node(weft_worker *self, void *use) { return -ENOSYS; }

static struct claim *claim_of(struct dag_run *run, const struct node_use *use)
{
    const struct dag_plan *plan = (const struct dag_plan *)run->run.plan;
    return &run->claims[use - plan->uses];
}

static struct task *granted(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);
    const struct dag_plan *plan = (const struct dag_plan *)run->run.plan;
    const struct node_use *use = plan->node[n->index].ctx;

    task->run = wf_nodeuse_execute; /* in the next run: [R] in dag.c */
    if (!wf_dag_call(self, run, n->index, use->fn, use->ctx))
        return NULL;
    wf_claim_give(claim_of(run, use));
    return wf_dag_go_on(self, run, n->index);
}

struct task *wf_nodeuse_execute(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);
    const struct dag_plan *plan = (const struct dag_plan *)run->run.plan;
    const struct dag_node *node = &plan->node[n->index];
    const struct node_use *use = node->ctx;

    store_relaxed(&n->missing, node->before); /* [R] in dag.c */
    if (load_relaxed(&run->run.error))
        return wf_dag_go_on(self, run, n->index);
    task->run = granted;
    if (!wf_claim_take(claim_of(run, use), use->uses, use->count,
                       run->run.sched, task))
        return NULL; /* [X] in claim.c: it may already run elsewhere */
    return granted(self, task);
}

void wf_nodeuse_give(struct dag_run *run, uint32_t index)
{
    const struct dag_plan *plan = (const struct dag_plan *)run->run.plan;
    const struct dag_node *node = &plan->node[index];

    if (node->fn == wf_nodeuse_node)
        wf_claim_give(claim_of(run, node->ctx));
}
