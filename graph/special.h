/* special.h: nodes of a graph that do more than call a function. */
#ifndef WEFT_GRAPH_SPECIAL_H
#define WEFT_GRAPH_SPECIAL_H
#include "graph/nodeuse.h"
#include "weft/graph.h"

struct dag_plan;

/* What such a node does: one of the first four, or nothing. */
struct special {
    weft_fn *fn; /* with `io`: after that */
    const weft_plan *plan;
    weft_draw_fn *draw;
    weft_task_io_fn *io;
    weft_choose_fn *choose;
    void *ctx;
    struct weft_place place;        /* where it had better run */
    struct node_use use;            /* what it takes */
    uint32_t first_choice, choices; /* in the plan's `choice` */
};

/* What such a node has as its function; it is never called. Its context is its
 * struct special in the plan. */
int wf_special_node(weft_worker *self, void *special);

/* The plan has its nodes, as they were drawn. 0, -ENOMEM, or -EINVAL and the
 * mistake. */
int wf_special_compile(struct dag_plan *plan, const weft_graph *g,
                       weft_error *why);
#endif
