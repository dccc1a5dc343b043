/* nodeuse.h: nodes of a graph that take tokens of limits. */
#ifndef WEFT_GRAPH_NODEUSE_H
#define WEFT_GRAPH_NODEUSE_H
#include <stdbool.h>

#include "weft/graph.h"

struct dag_plan;
struct dag_run;
struct node_claims;
struct special;
struct task;

/* What such a node takes. */
struct node_use {
    struct weft_use uses[WEFT_MOST_USES];
    unsigned count;
};

/* More uses for the task of this name: 0, or -EINVAL with the mistake. */
int wf_nodeuse_add(struct node_use *to, const struct weft_use *uses, size_t n,
                   const char *task, weft_error *why);

/* What the nodes of a run claim with: 0 or -ENOMEM. */
int wf_nodeuse_make(struct node_claims **out, const struct dag_plan *plan);
void wf_nodeuse_free(struct node_claims *claims);

/* [any] True: the node has its tokens. False: it asks with wf_nodeuse_take. */
bool wf_nodeuse_take_at_once(const struct special *s);

/* True: the node has its tokens. False: its task is made ready when it does, or
 * when the run was stopped, and may already run. */
bool wf_nodeuse_take(struct dag_run *run, const struct special *s,
                     struct task *task);

/* [any] No node of the run waits for tokens any more: it was stopped. */
void wf_nodeuse_stop(struct dag_run *run);

/* [worker] The node has ended: what has its tokens now, and should run next, or
 * NULL. */
struct task *wf_nodeuse_give(weft_worker *self, struct dag_run *run,
                             const struct special *s);
#endif
