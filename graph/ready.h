/* ready.h: the ready nodes of a run, the highest priority first; and whose turn
 * it is between runs. */
#ifndef WEFT_GRAPH_READY_H
#define WEFT_GRAPH_READY_H
#include <stdint.h>

#include "sched/task.h"

struct dag_run;
struct ready;

/* For a run of a plan that has priorities, or one that takes turns; NULL: no
 * memory. */
struct ready *wf_ready_create(struct dag_run *run);
void wf_ready_destroy(struct ready *r);

/* [any] These nodes are ready. What the list has instead, tickets, is to be
 * made ready on the workers: nothing, where the run takes turns. */
void wf_ready_add(struct dag_run *run, struct task_list *nodes);
#endif
