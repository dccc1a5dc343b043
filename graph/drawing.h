/* drawing.h: a graph as it was drawn: tasks and edges in the order they came.
 */
#ifndef WEFT_GRAPH_DRAWING_H
#define WEFT_GRAPH_DRAWING_H
#include "graph/nodeuse.h"
#include "weft/graph.h"

struct drawn_node {
    weft_fn *fn;
    void *ctx;
    uint32_t name; /* where it starts in `names`; 0: it has none */
    uint32_t use;  /* which of `uses` is its own, from 1; 0: it has none */
};

struct drawn_edge {
    uint32_t from, to; /* indices of nodes: `to` runs after `from` */
};

struct weft_graph {
    struct drawn_node *nodes;
    struct drawn_edge *edges;
    char *names; /* one after the other, each with its end; "" is the first */
    struct node_use *uses;
    size_t node_count, edge_count, name_bytes, use_count;
    size_t node_room, edge_room, name_room, use_room;
    int error; /* of the first mistake, else 0 */
    weft_error mistake;
};

/* A node's name, else "#17": what a sentence calls it. */
struct label {
    char text[128];
};
struct label wf_label(const char *name, uint32_t node);
#endif
