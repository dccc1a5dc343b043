/* critical.h: when the nodes of a run executed, and which of them set its time.
 */
#ifndef WEFT_GRAPH_CRITICAL_H
#define WEFT_GRAPH_CRITICAL_H
#include <stdint.h>

#include "sched/atomic.h"

struct dag_run;

/* Of one node, all its executions in a run: ns since the run began. */
struct node_times {
    _Atomic uint64_t runs, begin, end; /* the first begin, the last end */
    _Atomic uint64_t spent;            /* from begin to end, added up */
    uint64_t since; /* when it began to execute; 0: it does not */
};

/* The node executes, or has, if it did. */
void wf_node_begins(struct dag_run *run, uint32_t index);
void wf_node_ends(struct dag_run *run, uint32_t index);

enum { NOT_ON_PATH = -1 };
struct critical_path {
    int64_t *next; /* for each node of the plan the one after it, the last of
                      them itself, the others NOT_ON_PATH; free it */
    uint64_t ns;
    unsigned nodes; /* that were drawn */
};

/* [any] Of a run that takes times: those nodes, each after the one before, that
 * spent most. 0 or -ENOMEM. */
int wf_critical_path(struct critical_path *out, const struct dag_run *run);
#endif
