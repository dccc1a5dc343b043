/* subplan.h: nodes of a graph that run another plan. */
#ifndef WEFT_GRAPH_SUBPLAN_H
#define WEFT_GRAPH_SUBPLAN_H
#include <pthread.h>
#include <stdint.h>

#include "weft/graph.h"

struct dag_run;
struct subplan;

/* The runs that the nodes of one run have under way, and who visits them. */
struct subplans {
    pthread_mutex_t lock; /* of what follows */
    struct subplan *first;
    struct visitor *visitors;
};

void wf_subplans_init(struct subplans *s);
void wf_subplans_finish(struct subplans *s);

/* Starts a plan for the node, and destroys `owned`, unless NULL, when its run
 * has ended: 0, and wf_node_ended will be called; or a negative errno and a
 * sentence. */
int wf_subplan_start(struct dag_run *run, uint32_t index, const weft_plan *plan,
                     weft_plan *owned, weft_error *why);

/* [any] What the callbacks of a run get as its context: what it was given, or
 * for the run of a node what the outermost run was given. */
void *wf_run_context(const struct weft_run *run);

/* [any] Drains, or cancels, those that are under way. The run is not freed
 * meanwhile. */
void wf_subplans_visit(struct subplans *s, void (*what)(struct weft_run *));
#endif
