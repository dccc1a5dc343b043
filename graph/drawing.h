/* drawing.h: a graph as it was drawn: tasks and edges in the order they came.
 */
#ifndef WEFT_GRAPH_DRAWING_H
#define WEFT_GRAPH_DRAWING_H
#include <stdbool.h>

#include "graph/special.h"
#include "weft/graph.h"

struct drawn_node {
    weft_fn *fn;
    void *ctx;
    uint32_t before, after; /* edges that lead to it, and from it */
};

struct drawn_edge {
    uint32_t from, to; /* indices of nodes: `to` runs after `from` */
};

/* What few graphs say of their nodes. */
struct column {
    uint32_t *of; /* the first nodes; the others have 0 */
    size_t count, room;
};

struct weft_graph {
    struct drawn_node *nodes;
    struct drawn_edge *edges;
    struct drawn_edge *choices; /* `from` may choose `to` */
    char *names; /* one after the other, each with its end; "" is the first */
    struct special *specials;
    struct column name;     /* where it starts in `names` */
    struct column special;  /* which of `specials` it is, from 1 */
    struct column priority; /* an int */
    size_t node_count, edge_count, choice_count, name_bytes, special_count;
    size_t node_room, edge_room, choice_room, name_room, special_room;
    size_t behind, followed; /* nodes with edges to them, and from them */
    int error;               /* of the first mistake, else 0 */
    weft_error mistake;
};

/* In graph.c: the array with room for `more` elements after the `count` it has,
 * or NULL after a mistake. */
void *wf_drawing_room(weft_graph *g, void *array, size_t *room, size_t count,
                      size_t more, size_t size);

/* In graph.c: the node's in the column; false after a mistake. */
bool wf_drawing_set(weft_graph *g, struct column *c, size_t node,
                    uint32_t value);

static inline uint32_t wf_drawing_get(const struct column *c, size_t node)
{
    return node < c->count ? c->of[node] : 0;
}

/* In graph.c: copies the name, and says where it is; false after a mistake. */
bool wf_drawing_name(weft_graph *g, const char *name, uint32_t *at);

/* In graph.c: there is room for the node. */
bool wf_drawing_add(weft_graph *g, weft_fn *fn, void *ctx, uint32_t name);

/* In graph.c: there is room for the edge, from and to nodes that there are. */
void wf_drawing_edge(weft_graph *g, weft_node from, weft_node to);

/* In graph.c: whether the node is one; `what` of a drawing asks for it. */
bool wf_drawing_has(weft_graph *g, weft_node node, const char *what);

/* In drawspecial.c: what a node is that is special, from now on at the latest;
 * NULL after a mistake. */
struct special *wf_drawing_special(weft_graph *g, weft_node node);

/* A node's name, else "#17": what a sentence calls it. */
struct label {
    char text[128];
};
struct label wf_label(const char *name, uint32_t node);
#endif
