/* dag.c: one run of a compiled graph.
 *
 * A node that completes counts down every node behind it. Whoever brings a
 * count to zero has a ready node: the first of them is what this worker runs
 * next, the others go to its deque in one piece. A node behind just one other
 * needs no count: it is ready when that one has completed.
 *
 *  [D] Dependency. Counting down is acq_rel, so who brings the count to zero
 *      has seen all that the nodes before have done, and hands it on with the
 *      task. In the same way the last node comes after everything else in the
 *      run: what it ends, nobody touches any more. A node that has counted
 *      down the last one behind it, and got none ready, must therefore not
 *      look at the run or the plan again.
 *
 *  [R] Run again. A node sets its count anew when it starts: nobody counts it
 *      down any more in this run, and those of the next run come after the end
 *      of this one. So a run that has ended is ready to start, with no pass
 *      over its nodes. The plan keeps a few of these.
 *
 *  After the first error nothing is called any more, but everything is counted
 *  down all the same, so the run ends in the usual way. What depends on the
 *  node that failed comes after it and sees the error; what does not may just
 *  have started. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dag.h"
#include "graph/drawing.h"
#include "sched/sched.h"
#include "sched/task.h"

enum { KEPT_RUNS = 8 };

struct run_node {
    struct task task;
    _Atomic uint32_t missing; /* unless the node is behind only one */
    uint32_t index;           /* leads from the task to the run */
};

/* Where a million tasks are usual, each byte is a megabyte. */
_Static_assert(sizeof(struct dag_node) + sizeof(struct run_node) <= 56,
               "what a node takes in a plan and a run");

struct dag_run {
    struct weft_run run;
    struct dag_run *next; /* in the pool */
    struct run_node node[];
};

struct run_pool {
    pthread_mutex_t lock;
    struct dag_run *first;
    unsigned count;
};

static struct dag_run *run_of(struct run_node *n)
{
    char *first = (char *)(n - n->index);
    return (struct dag_run *)(void *)(first - offsetof(struct dag_run, node));
}

static void fail(const struct dag_plan *plan, struct dag_run *run,
                 uint32_t index, int rc)
{
    struct label task = wf_label(plan->names + plan->node[index].name, index);

    if (rc < 0)
        wf_run_fail(&run->run, rc, "task '%s' failed: %s", task.text,
                    strerror(-rc));
    else
        wf_run_fail(&run->run, -EINVAL,
                    "task '%s' returned %d, which is neither 0 nor a negative "
                    "errno",
                    task.text, rc);
}

/* The nodes behind this one that are ready now: one, and the others in a list.
 */
static struct task *count_down(struct dag_run *run, const struct dag_plan *plan,
                               const struct dag_node *n, struct task_list *more)
{
    const uint32_t *edge = plan->edge + n->first_edge;
    const uint32_t *end = edge + n->edges;
    struct task *next = NULL;

    while (edge < end) {
        uint32_t to = *edge++;
        struct run_node *behind = &run->node[to];
        if (plan->node[to].before > 1 &&
            sub_acq_rel(&behind->missing, 1) > 1) /* [D] */
            continue;
        if (next)
            task_list_add(more, &behind->task);
        else
            next = &behind->task;
    }
    return next;
}

static struct task *execute(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = run_of(n);
    const struct dag_plan *plan = (const struct dag_plan *)run->run.plan;
    const struct dag_node *node = &plan->node[n->index];

    store_relaxed(&n->missing, node->before); /* [R] */
    if (node->fn && !load_relaxed(&run->run.error)) {
        int rc = node->fn(self, node->ctx);
        if (rc)
            fail(plan, run, n->index, rc);
    }
    if (!node->edges) {
        wf_run_end(&run->run);
        return NULL;
    }
    struct task_list more = { 0 };
    struct task *next = count_down(run, plan, node, &more);
    if (more.first)
        wf_push_list(self, &more);
    return next;
}

static struct dag_run *make_run(const struct dag_plan *plan)
{
    struct dag_run *run =
        malloc(sizeof *run + plan->node_count * sizeof run->node[0]);

    for (uint32_t i = 0; run && i < plan->node_count; i++) {
        run->node[i].task.run = execute;
        store_relaxed(&run->node[i].missing, plan->node[i].before);
        run->node[i].index = i;
    }
    return run;
}

static struct dag_run *take_run(struct run_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct dag_run *run = pool->first;
    if (run) {
        pool->first = run->next;
        pool->count--;
    }
    pthread_mutex_unlock(&pool->lock);
    return run;
}

static int start(struct weft_run **out, weft_sched *sched,
                 const weft_plan *base, const struct weft_run_config *config,
                 weft_error *why)
{
    const struct dag_plan *plan = (const struct dag_plan *)base;
    struct dag_run *run = take_run(plan->pool);
    struct task_list roots = { 0 };

    if (!run)
        run = make_run(plan);
    if (!run)
        return wf_error(why, -ENOMEM, "no memory to run a graph of %u tasks",
                        plan->node_count);
    wf_run_init(&run->run, sched, base, config);
    for (uint32_t i = 0; i < plan->root_count; i++)
        task_list_add(&roots, &run->node[plan->root[i]].task);
    if (out)
        *out = &run->run;
    wf_inject(sched, &roots);
    return 0;
}

/* A graph has no input: all of it is in flight. */
static void drain(struct weft_run *run) {}

static void cancel(struct weft_run *run)
{
    wf_run_fail(run, -ECANCELED, "the run was cancelled");
}

static void destroy_run(struct weft_run *base)
{
    struct dag_run *run = (struct dag_run *)base;
    struct run_pool *pool = ((const struct dag_plan *)base->plan)->pool;

    pthread_mutex_lock(&pool->lock);
    if (pool->count < KEPT_RUNS) {
        run->next = pool->first;
        pool->first = run;
        pool->count++;
        run = NULL;
    }
    pthread_mutex_unlock(&pool->lock);
    free(run);
}

static void destroy_plan(weft_plan *plan)
{
    wf_dag_destroy((struct dag_plan *)plan);
}

static const struct plan_kind dag_kind = {
    .start = start,
    .drain = drain,
    .cancel = cancel,
    .destroy_run = destroy_run,
    .destroy_plan = destroy_plan,
};

int wf_dag_init(struct dag_plan *plan)
{
    plan->plan.kind = &dag_kind;
    plan->pool = calloc(1, sizeof *plan->pool);
    if (!plan->pool)
        return -ENOMEM;
    pthread_mutex_init(&plan->pool->lock, NULL); /* cannot fail on Linux */
    return 0;
}

void wf_dag_destroy(struct dag_plan *plan)
{
    if (!plan)
        return;
    for (struct dag_run *run; plan->pool && (run = plan->pool->first);) {
        plan->pool->first = run->next;
        free(run);
    }
    if (plan->pool)
        pthread_mutex_destroy(&plan->pool->lock);
    free(plan->pool);
    free(plan->node);
    free(plan->edge);
    free(plan->root);
    free(plan->names);
    free(plan);
}
