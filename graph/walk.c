/* walk.c: how a worker goes from node to node.
 *
 * A node that completes counts down every node behind it. Whoever brings a
 * count to zero has a ready node: the first of them is what this worker runs
 * next, the others go to its deque. A node behind just one other needs no
 * count: it is ready when that one has completed. Where none is ready the
 * worker goes on with the newest of its deque that is of this kind.
 *
 *  [D] Dependency. Counting down is acq_rel, so who brings the count to zero
 *      has seen all that the nodes before have done, and hands it on with the
 *      task. Who finds as much as it is to take off, acquired, is the last, for
 *      all others have counted: it need not write. In the same way the last
 *      node comes after everything else in the run: what it ends, nobody
 *      touches any more. A node that has counted down the last one behind it,
 *      and got none ready, must therefore not look at the run or the plan
 *      again.
 *
 *  [J] Joins. What compile.c adds to have one last node is counted down by many
 *      in one piece: the worker owes it until it has nothing else to do in this
 *      run, or leaves. Only the end of the run is behind a join, and whatever
 *      the worker does first is before that as well: nobody waits for longer.
 *      While it owes anything the run does not end.
 *
 *  [R] Run again. A node sets its count anew before it goes on to those behind
 *      it: nobody counts it down any more in this run, and those of the next
 *      run come after the end of this one. So a run that has ended is ready to
 *      start, with no pass over its nodes. The plan keeps all of these. One
 *      that has no count need not: only after a failure, or if it has asked for
 *      its handle, is there anything else in its word.
 *
 *  After the first error nothing is called any more, but everything is counted
 *  down all the same, so the run ends in the usual way. What depends on the
 *  node that failed comes after it and sees the error; what does not may just
 *  have started.
 *
 *  A run may go on instead with what does not depend on the failure: a node
 *  that is bad makes those behind it bad, before it counts them down, so [D]
 *  they know. Nobody looks for that before the first error.
 *
 *  Here are the nodes that only call a function. The others, and all in a graph
 *  where nodes choose, are node.c's. */
#include "graph/dagrun.h"

enum { PUSHED_AT_ONCE = 32 };
#define NO_NODE UINT32_MAX

/* What a worker has in hand besides its node. */
struct walk {
    weft_worker *self;
    struct dag_run *run;
    uint32_t join, owed; /* [J] */
    unsigned steps;      /* it may go before the worker looks at the clock */
    unsigned takes;      /* of the worker's own among them */
};

/* Takes `n` off what the node waits for; true: it is ready now. */
static inline bool take_off(struct dag_run *run, uint32_t to, uint32_t n)
{
    _Atomic uint32_t *missing = &run->node[to].missing;

    return (load_acquire(missing) & COUNT) == n || /* [D] */
           (sub_acq_rel(missing, n) & COUNT) == n; /* [D] */
}

static inline bool counts_down(const struct dag_node *node, struct dag_run *run,
                               uint32_t to)
{
    return node->before <= 1 || take_off(run, to, 1);
}

void wf_dag_count_down(struct dag_run *run, uint32_t index,
                       struct task_list *ready)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    const uint32_t *edge = wf_dag_edges(plan, index);
    const uint32_t *end = wf_dag_edges(plan, index + 1);

    while (edge < end) {
        uint32_t to = *edge++;
        if (counts_down(&plan->node[to], run, to))
            task_list_add(ready, &run->node[to].task);
    }
}

/* The same for the fast path: one of them, and the others to the deque. Not a
 * part of it, or a chain would have no registers left. */
static __attribute__((noinline)) uint32_t count_down(weft_worker *self,
                                                     struct dag_run *run,
                                                     const uint32_t *edge,
                                                     uint32_t edges)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    const uint32_t *end = edge + edges;
    uint32_t next = NO_NODE;
    struct task *more[PUSHED_AT_ONCE];
    unsigned count = 0;

    while (edge < end) {
        uint32_t to = *edge++;
        if (!counts_down(&plan->node[to], run, to))
            continue;
        __builtin_prefetch(wf_dag_edges(plan, to)); /* it runs soon */
        if (next == NO_NODE) {
            next = to;
            continue;
        }
        __builtin_prefetch(&run->node[to]); /* its task */
        more[count++] = &run->node[to].task;
        if (count == PUSHED_AT_ONCE) {
            wf_push_many(self, more, count);
            count = 0;
        }
    }
    if (count == 1)
        wf_push(self, more[0]);
    else if (count)
        wf_push_many(self, more, count);
    return next;
}

void wf_dag_pass_on(struct dag_run *run, struct run_node *n)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    const uint32_t *end = wf_dag_edges(plan, n->index + 1);

    if (!run->goes_on || !(load_relaxed(&n->missing) & IS_BAD))
        return;
    for (const uint32_t *to = wf_dag_edges(plan, n->index); to < end; to++)
        or_relaxed(&run->node[*to].missing, IS_BAD);
}

/* The rest of a node that was called and returned rc, or was not, where it is
 * pending, or something has failed. False: it may have ended elsewhere. */
static __attribute__((noinline)) bool
end_one(struct dag_run *run, uint32_t index, bool was_called, int rc)
{
    struct run_node *n = &run->node[index];

    if (was_called && !wf_node_returned(run, n, rc))
        return false;
    wf_dag_pass_on(run, n);
    store_relaxed(&n->missing,
                  wf_dag_plan_of(run)->node[index].before); /* [R] */
    return true;
}

static inline bool execute_one(weft_worker *self, struct dag_run *run,
                               const struct dag_node *node, uint32_t index)
{
    struct run_node *n = &run->node[index];
    int rc;

    if (load_relaxed(&run->run.error) && !wf_node_may_run(run, n))
        return end_one(run, index, false, 0);
    if (!wf_node_just_ends(self, n, node->fn, node->ctx, &rc))
        return end_one(run, index, true, rc);
    if (node->before > 1) /* else the word is as it was */
        store_relaxed(&n->missing, node->before); /* [R] */
    return true;
}

/* Counts down what the worker owes: the join if it is ready, else NO_NODE, and
 * the run may have ended. */
static uint32_t pay(struct walk *w)
{
    uint32_t owed = w->owed;

    w->owed = 0;
    return owed && take_off(w->run, w->join, owed) ? w->join : NO_NODE;
}

/* The same where the worker has something else to do. */
static void pay_and_go(struct walk *w)
{
    struct dag_run *run = w->run;
    uint32_t join = pay(w);

    if (join != NO_NODE)
        wf_push(w->self, &run->node[join].task);
}

static __attribute__((noinline)) void owe_another(struct walk *w, uint32_t join)
{
    pay_and_go(w);
    w->join = join;
    w->owed = 1;
}

/* The worker comes from a node behind which there is only this one, and that is
 * not the only one before it: true, it is ready now. */
static inline bool arrive(struct walk *w, uint32_t to)
{
    if (to < wf_dag_plan_of(w->run)->drawn_count)
        return take_off(w->run, to, 1);
    if (w->join == to)
        w->owed++;
    else
        owe_another(w, to);
    return false;
}

/* The node: what comes next. All that it takes is in the plan: of a node behind
 * only one other the run's cache line is not touched. */
static inline uint32_t step(struct walk *w, struct dag_run *run,
                            const struct dag_node *nodes, const uint32_t *edges,
                            uint32_t index)
{
    const struct dag_node *node = &nodes[index];
    uint32_t first = node[0].first_edge, count = node[1].first_edge - first;

    if (!execute_one(w->self, run, node, index))
        return NO_NODE;
    if (count == 1) {
        uint32_t next = edges[first];
        return nodes[next].before <= 1 || arrive(w, next) ? next : NO_NODE;
    }
    if (count)
        return count_down(w->self, run, &edges[first], count);
    wf_dag_end(run);
    return NO_NODE;
}

/* What the worker goes on with where nothing is ready: perhaps of another run.
 */
static inline struct run_node *take_own(struct walk *w, node_step *alike)
{
    struct run_node *n;

    if (!w->steps || !w->takes ||
        !(n = (struct run_node *)wf_take_alike(w->self, alike)))
        return NULL;
    w->steps--;
    w->takes--;
    struct dag_run *run = wf_dag_run_of(n);
    if (w->run != run)
        pay_and_go(w);
    w->run = run;
    return n;
}

/* The end of the walk, which is to go on with this node, or none. */
static struct task *leave(struct walk *w, uint32_t next)
{
    struct dag_run *run = w->run;

    if (w->owed && next != NO_NODE)
        pay_and_go(w);
    else if (w->owed)
        next = pay(w);
    return next == NO_NODE ? NULL : &run->node[next].task;
}

/* The node, and what follows it for as long as that is of its kind and the
 * worker need not look at the clock. */
static struct task *execute(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    unsigned steps = wf_steps_left(self);
    unsigned takes = steps ? wf_takes_left(self) : 0;
    struct walk w = {
        .self = self, .run = wf_dag_run_of(n), .steps = steps, .takes = takes
    };
    uint32_t next;

    do {
        struct dag_run *run = w.run;
        const struct dag_node *nodes = wf_dag_plan_of(run)->node;
        const uint32_t *edges = wf_dag_plan_of(run)->edge;
        next = n->index;
        do
            next = step(&w, run, nodes, edges, next);
        while (next != NO_NODE && w.steps &&
               nodes[next].fn != wf_special_node && w.steps--);
    } while (next == NO_NODE && (n = take_own(&w, execute)));
    wf_count_steps(self, steps - w.steps);
    wf_count_takes(self, takes - w.takes);
    return leave(&w, next);
}

node_step *wf_dag_first_step(const struct dag_run *run, uint32_t index)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);

    return run->times || plan->conditional || run->ready ||
                   plan->node[index].fn == wf_special_node
               ? wf_node_execute
               : execute;
}
