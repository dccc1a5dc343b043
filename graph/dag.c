/* dag.c: one run of a compiled graph.
 *
 *  [E] End. A run has parties that may still touch it: its nodes; its deadline,
 *      until that was cancelled or has gone off; and whoever cancels or drains
 *      it, for so long: the nodes' plans may end under their hands. Each counts
 *      itself out, acq_rel, and the last one ends the run. Nobody becomes a
 *      party of a run that has none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dagrun.h"
#include "graph/large.h"
#include "graph/map.h"

/* Where a million tasks are usual, each byte is a megabyte. */
_Static_assert(sizeof(struct dag_node) + sizeof(struct run_node) <= 48,
               "what a node takes in a plan and a run");

struct run_pool {
    pthread_mutex_t lock;
    struct dag_run *first[2]; /* [1]: runs that take turns */
};

struct label wf_dag_label(const struct dag_plan *plan, uint32_t index)
{
    return wf_label(wf_dag_name(plan, index), index);
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
    run->deadline = (struct timer){ .task.run = out_of_time };
    return wf_timeout_start(run->run.sched, &run->deadline,
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
