/* dag.h: a compiled graph, laid out flat. Written by compile.c; its runs
 * are dag.c's, in which workers go from node to node as walk.c says.
 *
 * Nodes have the numbers that they had in the drawing, and refer to each other
 * by them. What follows a node is a piece of one array:
 *
 *     drawn       a -> b, a -> c, b -> d, c -> d
 *
 *     node        a        b        c        d       (the end)
 *     before      0        1        1        2
 *     first_edge  0        2        3        4        4
 *                 |        |        |        |
 *     edge      [ b  c ] [ d ]    [ d ]
 *
 * Exactly one node has nothing after it: the last one, whose end is the end of
 * the run. Where the drawing has more of them, compile.c joins them. Not so if
 * a node chooses what comes next: conditions.c. */
#ifndef WEFT_GRAPH_DAG_H
#define WEFT_GRAPH_DAG_H
#include "graph/plan.h"
#include "graph/special.h"
#include "weft/graph.h"

struct dag_node {
    weft_fn *fn;
    void *ctx;
    uint32_t before;     /* how many nodes it waits for */
    uint32_t first_edge; /* its edges end where those of the next one begin */
};

struct run_pool; /* the runs that have ended, to be used again: dag.c */

struct dag_plan {
    struct weft_plan plan;
    uint32_t node_count, edge_count, root_count;
    uint32_t drawn_count;  /* the other nodes are joins */
    struct dag_node *node; /* and one more, for its first_edge */
    uint32_t *edge;
    uint32_t *root; /* the nodes that wait for nothing */
    uint32_t *name; /* of the first nodes, where it starts in `names` */
    uint32_t name_count;
    char *names;
    struct special *special;
    uint32_t special_count;
    unsigned most_uses; /* of one node */
    uint32_t *choice;   /* what nodes choose from */
    bool conditional;   /* a node chooses */
    int *priority;      /* of each node, or NULL: all have none */
    struct run_pool *pool;
};

/* What follows the node, up to what follows the next one. */
static inline const uint32_t *wf_dag_edges(const struct dag_plan *plan,
                                           uint32_t node)
{
    return plan->edge + plan->node[node].first_edge;
}

/* "": it has none. */
static inline const char *wf_dag_name(const struct dag_plan *plan,
                                      uint32_t node)
{
    return node < plan->name_count ? plan->names + plan->name[node] : "";
}

/* In dag.c: makes the empty plan one that can be run; 0 or -ENOMEM. */
int wf_dag_init(struct dag_plan *plan);
void wf_dag_destroy(struct dag_plan *plan); /* half-built is fine */

/* In cycle.c: describes a cycle among the first `count` nodes; returns -EINVAL.
 * left[v] is how many nodes before v are on a cycle or behind one: not 0 for
 * one v at least. Both arrays are `count` long and overwritten. */
int wf_cycle_error(const struct dag_plan *plan, uint32_t count, uint32_t *left,
                   uint32_t *scratch, weft_error *why);
#endif
