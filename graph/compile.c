/* compile.c: from a drawing to a plan.
 *
 * Every step is a pass over the nodes or the edges, none is recursive, so a
 * chain of a million tasks compiles in the same way as three.
 *
 *  1. The drawing has counted what follows each node: so it is known where the
 *     edges of each begin, and they are put there.
 *  2. The end of the run must be noticed. A counter of all nodes would be
 *     written by every worker all the time; even one of those that nothing
 *     follows is such a counter, where a million tasks are independent. Instead
 *     every JOIN of them are followed by a node of weft's own, these again by
 *     nodes of that kind, until one node is left. Its end is the end of the
 *     run, and no counter is written more than JOIN times: less often, as
 *     walk.c counts many down in one piece, [J] there. A drawing that has one
 *     last task gets no joins; an empty one gets one node. Where a node chooses
 *     what comes next there may be no last one: conditions.c counts.
 *  3. An edge that was drawn twice is kept once. There are none where the edges
 *     of each node ascend, as they do if each task is drawn together with what
 *     it comes after.
 *  4. A cycle has an edge to a node that was drawn before the one where it
 *     starts. If there is any, a topological pass takes away the nodes that
 *     wait for nothing, again and again. What cannot be taken away is on a
 *     cycle, or behind one. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dagrun.h"
#include "graph/drawing.h"
#include "graph/large.h"
#include "sched/sched.h"

#ifndef DAG_JOIN
#define DAG_JOIN 32
#endif

enum { JOIN = DAG_JOIN, MOST_NODES = COUNT };

/* How many joins it takes until one of `count` is left. */
static size_t joins_for(size_t count)
{
    size_t joins = 0;

    while (count > 1) {
        size_t groups = count / JOIN, rest = count % JOIN;
        joins += groups + (rest > 1);
        count = groups + (rest > 0);
    }
    return joins;
}

/* Nodes that are to be joined: `count` of them, JOIN before each of the nodes
 * from first_join. If then a single one is left over, the last, it is one of
 * the next level instead. */
struct level {
    uint32_t count, first_join, last;
};

/* The nodes as they were drawn; where the edges of each end, which becomes
 * where they begin when they are put there; the roots; and the edges to the
 * joins. */
static void lay_out(struct dag_plan *p, const weft_graph *g, const char *chosen,
                    struct level *ends)
{
    uint32_t edges = 0, number = 0;

    for (uint32_t i = 0; i < g->node_count; i++) {
        const struct drawn_node *n = &g->nodes[i];
        edges += n->after;
        p->node[i] = (struct dag_node){ n->fn, n->ctx, n->before, edges };
        if (!n->before && !(chosen && chosen[i]))
            p->root[p->root_count++] = i;
        if (!n->after && ends->count > 1) {
            p->edge[edges++] = ends->first_join + number++ / JOIN;
            ends->last = i;
        }
    }
    p->edge_count = edges;
}

/* What weft adds does nothing. */
static int join_node(weft_worker *self, void *ctx) { return 0; }

static void add_joins(struct dag_plan *p, struct level l)
{
    while (l.count > 1) {
        uint32_t rest = l.count % JOIN, joins = l.count / JOIN + (rest > 1);
        struct level above = { joins + (rest == 1), l.first_join + joins,
                               rest == 1 ? l.last : l.first_join + joins - 1 };
        for (uint32_t i = 0; i < joins; i++) {
            p->node[l.first_join + i] = (struct dag_node){
                .fn = join_node,
                .before = i < l.count / JOIN ? JOIN : rest,
                .first_edge = p->edge_count,
            };
            if (above.count > 1)
                p->edge[p->edge_count++] = above.first_join + i / JOIN;
        }
        if (above.count > 1)
            p->edge[p->node[above.last].first_edge] =
                above.first_join + (above.count - 1) / JOIN;
        l = above;
    }
    p->node_count = l.first_join;
    if (!p->node_count) {
        p->node[p->node_count++] = (struct dag_node){ .fn = join_node };
        p->root[p->root_count++] = 0;
    }
    p->node[p->node_count].first_edge = p->edge_count;
}

/* True: one of them leads to itself, or to a node that was drawn before. */
static bool put_edges(struct dag_plan *p, const weft_graph *g)
{
    bool back = false;

    for (size_t i = g->edge_count; i-- > 0;) {
        struct drawn_edge e = g->edges[i];
        p->edge[--p->node[e.from].first_edge] = e.to;
        back |= e.to <= e.from;
    }
    return back;
}

static bool edges_ascend(const struct dag_plan *p)
{
    for (uint32_t i = 0; i < p->drawn_count; i++)
        for (uint32_t e = p->node[i].first_edge + 1;
             e < p->node[i + 1].first_edge; e++)
            if (p->edge[e] <= p->edge[e - 1])
                return false;
    return true;
}

/* 0 or -ENOMEM. */
static int keep_each_once(struct dag_plan *p)
{
    /* The last node, counted from 1, that was seen to lead there. */
    uint32_t *mark = calloc(p->node_count, sizeof *mark);
    uint32_t kept = 0, next = 0;

    if (!mark)
        return -ENOMEM;
    for (uint32_t i = 0; i < p->node_count; i++) {
        uint32_t edge = next;
        next = p->node[i + 1].first_edge;
        p->node[i].first_edge = kept;
        for (; edge < next; edge++) {
            uint32_t to = p->edge[edge];
            if (mark[to] == i + 1)
                p->node[to].before--;
            else
                p->edge[kept++] = to;
            mark[to] = i + 1;
        }
    }
    p->node[p->node_count].first_edge = p->edge_count = kept;
    free(mark);
    return 0;
}

/* left[] and queue[] are as long as the plan has nodes. */
static int find_cycle(const struct dag_plan *p, uint32_t *left, uint32_t *queue,
                      weft_error *why)
{
    uint32_t tail = 0;

    for (uint32_t i = 0; i < p->node_count; i++) {
        left[i] = p->node[i].before;
        if (!left[i])
            queue[tail++] = i;
    }
    for (uint32_t head = 0; head < tail; head++) {
        const uint32_t *end = wf_dag_edges(p, queue[head] + 1);
        for (const uint32_t *to = wf_dag_edges(p, queue[head]); to < end; to++)
            if (--left[*to] == 0)
                queue[tail++] = *to;
    }
    return tail < p->node_count
               ? wf_cycle_error(p, p->node_count, left, queue, why)
               : 0;
}

static int check_order(const struct dag_plan *p, weft_error *why)
{
    uint32_t *left = malloc(p->node_count * sizeof *left);
    uint32_t *queue = malloc(p->node_count * sizeof *queue);
    int rc = left && queue ? find_cycle(p, left, queue, why) : -ENOMEM;

    free(left);
    free(queue);
    return rc;
}

/* A copy of the array, or NULL. */
static void *copy(const void *array, size_t bytes)
{
    void *copied = malloc(bytes ? bytes : 1);

    return copied && bytes ? memcpy(copied, array, bytes) : copied;
}

static int copy_names(struct dag_plan *p, const weft_graph *g)
{
    p->name_count = (uint32_t)g->name.count;
    p->name = copy(g->name.of, g->name.count * sizeof *p->name);
    p->names = copy(g->names, g->name_bytes);
    return p->name && p->names ? 0 : -ENOMEM;
}

static int copy_priorities(struct dag_plan *p, const weft_graph *g,
                           size_t nodes)
{
    if (!g->priority.count)
        return 0;
    p->priority = calloc(nodes, sizeof *p->priority);
    if (!p->priority)
        return -ENOMEM;
    memcpy(p->priority, g->priority.of,
           g->priority.count * sizeof *p->priority);
    return 0;
}

/* What waits to be chosen is no root. */
static int lay_out_chosen(struct dag_plan *p, const weft_graph *g,
                          struct level *ends)
{
    char *chosen = calloc(g->node_count, 1);

    if (!chosen)
        return -ENOMEM;
    for (size_t i = 0; i < g->choice_count; i++)
        chosen[g->choices[i].to] = true;
    lay_out(p, g, chosen, ends);
    free(chosen);
    return 0;
}

/* Each array as long as it has to be, and all but the checks. */
static int build(struct dag_plan *p, const weft_graph *g, bool *back,
                 weft_error *why)
{
    size_t last = p->conditional ? 0 : g->node_count - g->followed;
    size_t joins = joins_for(last);
    size_t nodes = g->node_count ? g->node_count + joins : 1;
    size_t edges = g->edge_count + (last > 1 ? last + joins - 1 : 0);
    struct level ends = { (uint32_t)last, p->drawn_count, 0 };

    p->node = wf_large_alloc((nodes + 1) * sizeof *p->node);
    p->edge = wf_large_alloc((edges + 1) * sizeof *p->edge);
    p->root = wf_large_alloc((g->node_count - g->behind + 1) * sizeof *p->root);
    if (!p->node || !p->edge || !p->root || copy_names(p, g) ||
        copy_priorities(p, g, nodes))
        return -ENOMEM;
    if (!p->conditional)
        lay_out(p, g, NULL, &ends);
    else if (lay_out_chosen(p, g, &ends))
        return -ENOMEM;
    *back = put_edges(p, g);
    add_joins(p, ends);
    return wf_special_compile(p, g, why);
}

static int build_and_check(struct dag_plan *p, const weft_graph *g,
                           weft_error *why)
{
    bool back;
    int rc = build(p, g, &back, why);

    if (!rc && !edges_ascend(p))
        rc = keep_each_once(p);
    if (!rc && back)
        rc = check_order(p, why);
    if (!rc && !p->root_count)
        rc = wf_error(why, -EINVAL,
                      "no task can be the first: each is after another, or is "
                      "there to be chosen");
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
    if (!rc) {
        p->drawn_count = (uint32_t)g->node_count;
        p->conditional = g->choice_count;
        rc = build_and_check(p, g, why);
    }
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
