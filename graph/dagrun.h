/* dagrun.h: one run of a compiled graph. Inside graph/ only. */
#ifndef WEFT_GRAPH_DAGRUN_H
#define WEFT_GRAPH_DAGRUN_H
#include <stdbool.h>

#include "graph/claim.h"
#include "graph/dag.h"
#include "graph/subplan.h"
#include "sched/sched.h"

struct run_node {
    struct task task;
    _Atomic uint32_t missing; /* unless the node is behind only one */
    uint32_t index;           /* leads from the task to the run */
};

struct dag_run {
    struct weft_run run;
    struct dag_run *next; /* in the pool */
    unsigned priority;    /* of the runs that its nodes start */
    unsigned deadline_ms; /* 0: none */
    struct timer deadline;
    _Atomic unsigned parties; /* that may still touch it: [E] in dag.c */
    struct subplans subplans;
    _Atomic bool draining; /* also what its nodes will start */
    struct claim *claims;  /* as many as the plan has uses */
    struct run_node node[];
};

/* In dag.c: [any] a node whose plan has ended, with this result. */
void wf_dag_node_ended(weft_worker *self, struct dag_run *run, uint32_t index);

/* In dag.c: calls the node's function, unless the run has failed. False: it
 * runs a plan, and wf_dag_node_ended will come; the run is not touched any
 * more. */
bool wf_dag_call(weft_worker *self, struct dag_run *run, uint32_t index,
                 weft_fn *fn, void *ctx);

/* In dag.c: the node has ended: what this worker runs next. */
struct task *wf_dag_go_on(weft_worker *self, struct dag_run *run,
                          uint32_t index);

static inline struct dag_run *wf_dag_run_of(struct run_node *n)
{
    char *first = (char *)(n - n->index);
    return (struct dag_run *)(void *)(first - offsetof(struct dag_run, node));
}

/* In dag.c: what a sentence calls the node. */
struct label wf_dag_label(const struct dag_plan *plan, uint32_t index);
#endif
