/* nodeuse.h: nodes of a graph that take tokens of limits. */
#ifndef WEFT_GRAPH_NODEUSE_H
#define WEFT_GRAPH_NODEUSE_H
#include "sched/task.h"
#include "weft/graph.h"

struct dag_plan;
struct dag_run;

/* What such a node takes, and what it does with it. */
struct node_use {
    weft_fn *fn;
    void *ctx;
    struct weft_use uses[WEFT_MOST_USES];
    unsigned count;
};

/* More uses for the task of this name: 0, or -EINVAL with the mistake. */
int wf_nodeuse_add(struct node_use *to, const struct weft_use *uses, size_t n,
                   const char *task, weft_error *why);

/* The plan has its nodes, as they were drawn. 0 or -ENOMEM. */
int wf_nodeuse_compile(struct dag_plan *plan, const weft_graph *g);

/* What such a node has as its function; it is never called. Its context is its
 * struct node_use in the plan. */
int wf_nodeuse_node(weft_worker *self, void *use);

/* What its task does: takes the tokens, or waits for them, and executes. */
struct task *wf_nodeuse_execute(weft_worker *self, struct task *task);

/* [any] The node has ended. */
void wf_nodeuse_give(struct dag_run *run, uint32_t index);
#endif
