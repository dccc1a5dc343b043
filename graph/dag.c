/* dag.c: one run of a compiled graph.
 *
 * A node that completes counts down every node behind it. Whoever brings a
 * count to zero has a ready node: the first of them is what this worker runs
 * next, the others go to its deque in one piece. A node behind just one other
 * needs no count: it is ready when that one has completed.
 *
 *  [D] Dependency. Counting down is acq_rel, so who brings the count to zero
 *      has seen all that the nodes before have done, and hands it on with the
 *      task. Who finds it at one, acquired, is the last, for all others have
 *      counted: it need not write. In the same way the last node comes after
 * everything else in the run: what it ends, nobody touches any more. A node
 * that has counted down the last one behind it, and got none ready, must
 * therefore not look at the run or the plan again.
 *
 *  [R] Run again. A node sets its count anew before it goes on to those behind
 *      it: nobody counts it down any more in this run, and those of the next
 *      run come after the end of this one. So a run that has ended is ready to
 *      start, with no pass over its nodes. The plan keeps all of these. One
 *      that has no count need not: only after a failure, or if it has asked for
 *      its handle, is there anything else in its word.
 *
 *  [E] End. A run has parties that may still touch it: its nodes; its deadline,
 *      until that was cancelled or has gone off; and whoever cancels or drains
 *      it, for so long: the nodes' plans may end under their hands. Each counts
 *      itself out, acq_rel, and the last one ends the run. Nobody becomes a
 *      party of a run that has none.
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
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dagrun.h"
#include "graph/large.h"
#include "graph/map.h"

/* Where a million tasks are usual, each byte is a megabyte. */
_Static_assert(sizeof(struct dag_node) + sizeof(struct run_node) <= 48,
               "what a node takes in a plan and a run");

enum { PUSHED_AT_ONCE = 32 };
#define NO_NODE UINT32_MAX

struct run_pool {
    pthread_mutex_t lock;
    struct dag_run *first[2]; /* [1]: runs that take turns */
};

struct label wf_dag_label(const struct dag_plan *plan, uint32_t index)
{
    return wf_label(wf_dag_name(plan, index), index);
}

/* Counts down one node; true: it is ready now. */
static inline bool counts_down(const struct dag_node *node, struct dag_run *run,
                               uint32_t to)
{
    _Atomic uint32_t *missing = &run->node[to].missing;

    return node->before <= 1 ||
           (load_acquire(missing) & COUNT) == 1 || /* [D] */
           (sub_acq_rel(missing, 1) & COUNT) == 1; /* [D] */
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
    if (count)
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

/* So many parties are out. */
static void count_out(struct dag_run *run, unsigned parties)
{
    if (sub_acq_rel(&run->parties, parties) != parties) /* [E] */
        return;
    if (run->takes_turns)
        wf_sched_rivals(run->run.sched, -1);
    wf_run_end(&run->run);
}

/* Becomes a party; false: the run is over. */
static bool count_in(struct dag_run *run)
{
    unsigned parties = load_relaxed(&run->parties);

    while (parties && !cas_relaxed(&run->parties, &parties, parties + 1))
        ;
    return parties;
}

void wf_dag_hold(struct dag_run *run) { add_relaxed(&run->parties, 1); }
void wf_dag_release(struct dag_run *run) { count_out(run, 1); }

/* Who waits for tokens, or starts a plan, looks for the error after that:
 * either it is found here, or it finds the error. */
void wf_dag_stop(struct dag_run *run)
{
    wf_nodeuse_stop(run);
    wf_subplans_visit(&run->subplans, weft_cancel);
}

void wf_dag_end(struct dag_run *run)
{
    bool cancelled =
        run->deadline_ms && wf_timer_cancel(run->run.sched, &run->deadline);

    count_out(run, cancelled ? 2 : 1);
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
    if (!wf_node_just_ends(self, n, node->fn, node->ctx, &rc) ||
        load_relaxed(&run->run.error))
        return end_one(run, index, true, rc);
    if (node->before > 1) /* else the word is as it was */
        store_relaxed(&n->missing, node->before); /* [R] */
    return true;
}

/* The node, and what follows it for as long as that is of its kind and the
 * worker need not look at the clock: what the worker runs next. All that it
 * takes is in the plan: of a node behind only one other the run's cache line is
 * not touched. */
static struct task *execute(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);
    const struct dag_node *nodes = wf_dag_plan_of(run)->node;
    const uint32_t *edges = wf_dag_plan_of(run)->edge;
    unsigned most = wf_steps_left(self), left = most;
    uint32_t next = n->index;

    for (;; left--) {
        const struct dag_node *node = &nodes[next];
        uint32_t first = node[0].first_edge, count = node[1].first_edge - first;
        if (!execute_one(self, run, node, next)) {
            next = NO_NODE;
        } else if (count == 1) {
            next = edges[first];
            if (!counts_down(&nodes[next], run, next))
                next = NO_NODE;
        } else if (count) {
            next = count_down(self, run, &edges[first], count);
        } else {
            wf_dag_end(run);
            next = NO_NODE;
        }
        if (next == NO_NODE || !left || nodes[next].fn == wf_special_node)
            break;
    }
    wf_count_steps(self, most - left);
    return next == NO_NODE ? NULL : &run->node[next].task;
}

node_step *wf_dag_first_step(const struct dag_run *run, uint32_t index)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);

    return run->times || plan->conditional || run->ready ||
                   plan->node[index].fn == wf_special_node
               ? wf_node_execute
               : execute;
}

static void free_run(struct dag_run *run)
{
    if (!run)
        return;
    wf_subplans_finish(&run->subplans);
    wf_ready_destroy(run->ready);
    wf_nodeuse_free(run->claims);
    free(run->active);
    free(run->times);
    free(run);
}

/* What plans have that are not all nodes and edges: 0 or -ENOMEM. */
static int make_extras(struct dag_run *run, const struct dag_plan *plan,
                       bool times)
{
    if (times)
        run->times = calloc(plan->node_count, sizeof *run->times);
    if (plan->priority || run->takes_turns)
        run->ready = wf_ready_create(run);
    return (times && !run->times) || wf_nodeuse_make(&run->claims, plan) ||
                   ((plan->priority || run->takes_turns) && !run->ready) ||
                   (plan->conditional && wf_conditions_make(run))
               ? -ENOMEM
               : 0;
}

static struct dag_run *make_run(const struct dag_plan *plan, bool times,
                                bool takes_turns)
{
    size_t nodes = plan->node_count * sizeof(struct run_node);
    struct dag_run *run =
        wf_large_alloc(sizeof *run + nodes + wf_starters_size(plan));

    if (!run)
        return NULL;
    memset(run, 0, sizeof *run);
    run->run.plan = &plan->plan;
    run->takes_turns = takes_turns;
    run->starters = (struct starter *)(void *)&run->node[plan->node_count];
    wf_subplans_init(&run->subplans);
    if (make_extras(run, plan, times)) {
        free_run(run);
        return NULL;
    }
    for (uint32_t i = 0; i < plan->node_count; i++) {
        run->node[i].task.run = wf_dag_first_step(run, i);
        store_relaxed(&run->node[i].missing, plan->node[i].before);
        run->node[i].index = i;
    }
    return run;
}

static struct dag_run *take_run(struct run_pool *pool, bool takes_turns)
{
    pthread_mutex_lock(&pool->lock);
    struct dag_run **first = &pool->first[takes_turns], *run = *first;
    if (run)
        *first = run->next;
    pthread_mutex_unlock(&pool->lock);
    return run;
}

static void destroy_run(struct weft_run *base)
{
    struct dag_run *run = (struct dag_run *)base;
    struct run_pool *pool = ((const struct dag_plan *)base->plan)->pool;

    if (run->times) {
        free_run(run);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    struct dag_run **first = &pool->first[run->takes_turns];
    run->next = *first;
    *first = run;
    pthread_mutex_unlock(&pool->lock);
}

static struct task *out_of_time(weft_worker *self, struct task *task)
{
    struct dag_run *run =
        (struct dag_run *)((char *)task - offsetof(struct dag_run, deadline) -
                           offsetof(struct timer, task));

    wf_run_fail(&run->run, -ETIMEDOUT,
                "the run took longer than its deadline of %u ms",
                run->deadline_ms);
    store_relaxed(&run->stopped, true);
    wf_dag_stop(run);
    count_out(run, 1);
    return NULL;
}

/* 0, or a negative errno: the deadline cannot be kept. */
static int arm(struct dag_run *run, const struct weft_run_config *config)
{
    run->priority = config->priority;
    run->began = run->times ? wf_now_ns() : 0;
    run->goes_on = config->on_failure == WEFT_GO_ON;
    store_relaxed(&run->draining, false);
    store_relaxed(&run->stopped, false);
    run->deadline_ms = config->deadline_ms;
    store_relaxed(&run->parties, run->deadline_ms ? 2 : 1);
    if (!run->deadline_ms)
        return 0;
    run->deadline = (struct timer){ .task.run = out_of_time, .timeout = true };
    return wf_timer_start(run->run.sched, &run->deadline,
                          weft_sched_now_ns(run->run.sched) +
                              run->deadline_ms * (uint64_t)1000000);
}

/* All at once, the highest first. */
static struct task_list ready_roots(struct dag_run *run)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    struct task_list roots = { 0 };

    for (uint32_t i = 0; i < plan->root_count; i++)
        task_list_add(&roots, &run->node[plan->root[i]].task);
    wf_ready_add(run, &roots);
    return roots;
}

static int start(struct weft_run **out, weft_sched *sched,
                 const weft_plan *base, const struct weft_run_config *config,
                 weft_error *why)
{
    const struct dag_plan *plan = (const struct dag_plan *)base;
    bool turns = config->priority;
    struct dag_run *run = config->times ? NULL : take_run(plan->pool, turns);

    if (!run)
        run = make_run(plan, config->times, turns);
    if (!run)
        return wf_error(why, -ENOMEM, "no memory to run a graph of %u tasks",
                        plan->node_count);
    wf_run_init(&run->run, sched, base, config);
    int rc = arm(run, config);
    if (rc) {
        wf_run_abandon(&run->run);
        destroy_run(&run->run);
        return wf_error(why, rc, "no thread for the deadline of a run");
    }
    if (plan->conditional)
        wf_conditions_start(run);
    if (turns)
        wf_sched_rivals(sched, 1);
    if (out)
        *out = &run->run;
    struct task_list first = run->ready ? ready_roots(run) : wf_starters(run);
    if (!turns) /* else it has begun, and may be over */
        wf_inject(sched, &first);
    return 0;
}

/* A graph has no input: all of it is in flight. The plans of its nodes may. */
static void drain(struct weft_run *base)
{
    struct dag_run *run = (struct dag_run *)base;

    if (!count_in(run))
        return;
    store_relaxed(&run->draining, true); /* before the visit: subplan.c */
    wf_subplans_visit(&run->subplans, weft_drain);
    count_out(run, 1);
}

static void cancel(struct weft_run *base)
{
    struct dag_run *run = (struct dag_run *)base;

    if (!count_in(run))
        return;
    wf_run_fail(base, -ECANCELED, "the run was cancelled");
    store_relaxed(&run->stopped, true);
    wf_dag_stop(run);
    count_out(run, 1);
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
    .draw = wf_graph_draw,
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
    for (int turns = 0; plan->pool && turns < 2; turns++)
        for (struct dag_run *run; (run = plan->pool->first[turns]);) {
            plan->pool->first[turns] = run->next;
            free_run(run);
        }
    if (plan->pool)
        pthread_mutex_destroy(&plan->pool->lock);
    free(plan->pool);
    free(plan->node);
    free(plan->edge);
    free(plan->root);
    free(plan->name);
    free(plan->names);
    free(plan->special);
    free(plan->choice);
    free(plan->priority);
    free(plan);
}
