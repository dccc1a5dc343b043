/* compile.c: from a drawing to a plan.
 *
 * Every step is a pass over the nodes or the edges, none is recursive, so a
 * chain of a million tasks compiles in the same way as three.
 *
 *  1. The edges are sorted by where they start (a counting sort). An edge that
 *     was drawn twice is kept once.
 *  2. A topological pass takes away the nodes that wait for nothing, again and
 *     again. What cannot be taken away is on a cycle, or behind one.
 *  3. The end of the run must be noticed. A counter of all nodes would be
 *     written by every worker all the time; even one of those that nothing
 *     follows is such a counter, where a million tasks are independent. Instead
 *     every JOIN of them are followed by a node of weft's own, these again by
 *     nodes of that kind, until one node is left. Its end is the end of the
 *     run, no counter is written more than JOIN times, and dag.c knows nothing
 *     of all this. A drawing that has one last task gets no joins; an empty one
 *     gets one node. Where a node chooses what comes next there may be no last
 *     one: conditions.c counts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dagrun.h"
#include "graph/drawing.h"
#include "sched/sched.h"

enum { JOIN = 32, MOST_NODES = COUNT };

/* How many joins it takes until one of `count` is left. */
static size_t joins_for(size_t count)
{
    size_t joins = count ? 0 : 1;

    while (count > 1) {
        size_t groups = count / JOIN, rest = count % JOIN;
        joins += groups + (rest > 1);
        count = groups + (rest > 0);
    }
    return joins;
}

/* Counts what follows each node; returns how many nothing follows. */
static size_t count_edges(struct dag_node *node, const weft_graph *g)
{
    size_t last = g->node_count;

    for (size_t i = 0; i < g->edge_count; i++)
        if (node[g->edges[i].from].edges++ == 0)
            last--;
    return last;
}

static void sort_edges(struct dag_plan *p, const weft_graph *g, uint32_t *mark)
{
    uint32_t position = 0, kept = 0;

    for (size_t i = 0; i < g->node_count; i++) {
        p->node[i].first_edge = position;
        position += p->node[i].edges;
        p->node[i].edges = 0;
    }
    for (size_t i = 0; i < g->edge_count; i++) {
        struct dag_node *from = &p->node[g->edges[i].from];
        p->edge[from->first_edge + from->edges++] = g->edges[i].to;
    }
    /* Keep each once: mark[to] is the last node, counted from 1, that was seen
     * to lead there. */
    for (uint32_t i = 0; i < g->node_count; i++) {
        struct dag_node *from = &p->node[i];
        uint32_t *edge = p->edge + from->first_edge;
        uint32_t edges = from->edges;

        from->first_edge = kept;
        from->edges = 0;
        for (uint32_t e = 0; e < edges; e++) {
            uint32_t to = edge[e];
            if (mark[to] == i + 1)
                continue;
            mark[to] = i + 1;
            p->node[to].before++;
            p->edge[kept++] = to;
            from->edges++;
        }
    }
    p->edge_count = kept;
}

/* left[] and queue[] are as long as the drawing has nodes. */
static int check_order(struct dag_plan *p, uint32_t *left, uint32_t *queue,
                       weft_error *why)
{
    uint32_t tail = 0;

    for (uint32_t i = 0; i < p->node_count; i++) {
        left[i] = p->node[i].before;
        if (!left[i])
            queue[tail++] = i;
    }
    for (uint32_t head = 0; head < tail; head++) {
        const struct dag_node *n = &p->node[queue[head]];
        for (uint32_t e = 0; e < n->edges; e++) {
            uint32_t to = p->edge[n->first_edge + e];
            if (--left[to] == 0)
                queue[tail++] = to;
        }
    }
    if (tail < p->node_count)
        return wf_cycle_error(p, p->node_count, left, queue, why);
    return 0;
}

/* A new node after the `count` in open[]. */
static uint32_t join(struct dag_plan *p, const uint32_t *open, uint32_t count)
{
    uint32_t added = p->node_count++;

    p->node[added].before = count;
    for (uint32_t i = 0; i < count; i++) {
        struct dag_node *from = &p->node[open[i]];
        from->first_edge = p->edge_count;
        from->edges = 1;
        p->edge[p->edge_count++] = added;
    }
    return added;
}

static void join_last(struct dag_plan *p, uint32_t *open)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < p->node_count; i++)
        if (!p->node[i].edges)
            open[count++] = i;
    if (!count)
        join(p, open, 0);
    while (count > 1) {
        uint32_t kept = 0;
        for (uint32_t i = 0; i < count; i += JOIN) {
            uint32_t n = count - i < JOIN ? count - i : JOIN;
            open[kept++] = n > 1 ? join(p, open + i, n) : open[i];
        }
        count = kept;
    }
}

/* left[] is all 0. */
static int find_roots(struct dag_plan *p, const weft_graph *g, uint32_t *left,
                      weft_error *why)
{
    for (size_t i = 0; i < g->choice_count; i++)
        left[g->choices[i].to] = 1; /* it waits to be chosen */
    for (uint32_t i = 0; i < p->node_count; i++)
        p->root_count += !p->node[i].before && !(p->conditional && left[i]);
    if (!p->root_count)
        return wf_error(why, -EINVAL,
                        "no task can be the first: each is after another, or "
                        "is there to be chosen");
    p->root = malloc(p->root_count * sizeof *p->root);
    if (!p->root)
        return -ENOMEM;
    uint32_t *root = p->root;
    for (uint32_t i = 0; i < p->node_count; i++)
        if (!p->node[i].before && !(p->conditional && left[i]))
            *root++ = i;
    return 0;
}

/* The drawing's nodes, and room for all that will be added: as if nothing
 * followed any node, what is not needed of it stays untouched. */
static int copy_nodes(struct dag_plan *p, const weft_graph *g, weft_error *why)
{
    size_t names = g->name_bytes ? g->name_bytes : 1;
    p->node = calloc(g->node_count + joins_for(g->node_count), sizeof *p->node);
    p->names = calloc(names, 1);
    if (!p->node || !p->names)
        return -ENOMEM;
    if (g->name_bytes)
        memcpy(p->names, g->names, g->name_bytes);
    for (size_t i = 0; i < g->node_count; i++) {
        p->node[i].fn = g->nodes[i].fn;
        p->node[i].ctx = g->nodes[i].ctx;
        p->node[i].name = g->nodes[i].name;
    }
    p->node_count = p->drawn_count = (uint32_t)g->node_count;
    if (g->priority_count) {
        p->priority = calloc(g->node_count + joins_for(g->node_count),
                             sizeof *p->priority);
        if (!p->priority)
            return -ENOMEM;
        memcpy(p->priority, g->priorities,
               g->priority_count * sizeof *p->priority);
    }
    int rc = wf_special_compile(p, g, why);
    if (rc)
        return rc;

    size_t last = count_edges(p->node, g);
    p->edge =
        malloc((g->edge_count + last + joins_for(last)) * sizeof *p->edge);
    return p->edge ? 0 : -ENOMEM;
}

static int build(struct dag_plan *p, const weft_graph *g, weft_error *why)
{
    int rc = copy_nodes(p, g, why);
    uint32_t *mark = calloc(g->node_count + 1, sizeof *mark);
    uint32_t *list = malloc((g->node_count + 1) * sizeof *list);

    if (!rc && mark && list) {
        sort_edges(p, g, mark);
        rc = check_order(p, mark, list, why);
        if (!rc && !p->conditional)
            join_last(p, list);
        if (!rc)
            rc = find_roots(p, g, mark, why);
    } else if (!rc) {
        rc = -ENOMEM;
    }
    free(mark);
    free(list);
    return rc;
}

int weft_compile(weft_plan **out, const weft_graph *g, weft_error *why)
{
    if (!g)
        return wf_error(why, -ENOMEM, "no memory for a graph");
    if (g->error)
        return wf_error(why, g->error, "%s", g->mistake.text);
    if (g->node_count > MOST_NODES)
        return wf_error(why, -E2BIG, "the graph has more than %d tasks",
                        MOST_NODES);

    struct dag_plan *p = calloc(1, sizeof *p);
    int rc = p ? wf_dag_init(p) : -ENOMEM;
    if (!rc)
        rc = build(p, g, why);
    if (rc) {
        wf_dag_destroy(p);
        if (rc == -ENOMEM)
            wf_error(why, rc, "no memory to compile %zu tasks and %zu edges",
                     g->node_count, g->edge_count);
        return rc;
    }
    *out = &p->plan;
    return 0;
}
