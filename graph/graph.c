/* graph.c: drawing a graph.
 *
 * A weft_node is the number of a task, and counts from 1: one that was never
 * assigned is 0 and is found out. The first mistake is kept, and what is drawn
 * after it is not: weft_compile reports it. A graph for which there was no
 * memory is NULL, and can be drawn on like any other. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/drawing.h"
#include "graph/large.h"
#include "sched/sched.h"

/* Indices and positions are 32 bits wide. Compiling adds nodes and edges of its
 * own, together fewer than twice the nodes. */
enum { MOST = 1 << 30 };

struct label wf_label(const char *name, uint32_t node)
{
    struct label label;
    if (*name)
        snprintf(label.text, sizeof label.text, "%s", name);
    else
        snprintf(label.text, sizeof label.text, "#%u", node + 1);
    return label;
}

weft_graph *weft_graph_create(void) { return calloc(1, sizeof(weft_graph)); }

void weft_graph_destroy(weft_graph *g)
{
    if (!g)
        return;
    wf_large_free(g->nodes, g->node_room * sizeof *g->nodes);
    wf_large_free(g->edges, g->edge_room * sizeof *g->edges);
    wf_large_free(g->choices, g->choice_room * sizeof *g->choices);
    wf_large_free(g->names, g->name_room);
    wf_large_free(g->specials, g->special_room * sizeof *g->specials);
    wf_large_free(g->name.of, g->name.room * sizeof *g->name.of);
    wf_large_free(g->special.of, g->special.room * sizeof *g->special.of);
    wf_large_free(g->priority.of, g->priority.room * sizeof *g->priority.of);
    free(g);
}

void *wf_drawing_room(weft_graph *g, void *array, size_t *room, size_t count,
                      size_t more, size_t size)
{
    if (more <= *room - count)
        return array;
    if (more > MOST - count) {
        g->error = wf_error(&g->mistake, -E2BIG,
                            "the graph is too large: at most %d tasks, edges "
                            "and bytes of names",
                            MOST);
        return NULL;
    }
    size_t grown = *room < 16 ? 16 : *room * 2;
    if (grown < count + more)
        grown = count + more;
    size_t bytes = grown * size;
    void *moved = wf_large_grow(array, *room * size, &bytes);
    if (!moved) {
        g->error = wf_error(&g->mistake, -ENOMEM,
                            "no memory to draw more than %zu tasks and %zu "
                            "edges",
                            g->node_count, g->edge_count);
        return NULL;
    }
    *room = bytes / size;
    return moved;
}

bool wf_drawing_set(weft_graph *g, struct column *c, size_t node,
                    uint32_t value)
{
    if (node >= c->count) {
        size_t more = node + 1 - c->count;
        uint32_t *of =
            wf_drawing_room(g, c->of, &c->room, c->count, more, sizeof *of);
        if (!of)
            return false;
        memset(of + c->count, 0, more * sizeof *of);
        c->of = of;
        c->count = node + 1;
    }
    c->of[node] = value;
    return true;
}

bool wf_drawing_name(weft_graph *g, const char *name, uint32_t *at)
{
    size_t bytes = name && *name ? strlen(name) + 1 : 0;
    size_t empty = g->name_bytes ? 0 : 1; /* the "" at the start */

    *at = 0;
    if (!bytes)
        return true;
    char *names = wf_drawing_room(g, g->names, &g->name_room, g->name_bytes,
                                  bytes + empty, 1);
    if (!names)
        return false;
    g->names = names;
    if (empty)
        names[g->name_bytes++] = '\0';
    *at = (uint32_t)g->name_bytes;
    memcpy(names + g->name_bytes, name, bytes);
    g->name_bytes += bytes;
    return true;
}

bool wf_drawing_add(weft_graph *g, weft_fn *fn, void *ctx, uint32_t name)
{
    size_t node = g->node_count++;

    g->nodes[node] = (struct drawn_node){ .fn = fn, .ctx = ctx };
    return !name || wf_drawing_set(g, &g->name, node, name);
}

weft_node weft_task(weft_graph *g, const char *name, weft_fn *fn, void *ctx)
{
    const weft_node none = { 0 };
    uint32_t at;

    if (!g || g->error)
        return none;
    if (!fn) {
        struct label task = wf_label(name ? name : "", (uint32_t)g->node_count);
        g->error = wf_error(&g->mistake, -EINVAL,
                            "task '%s' has no function to call", task.text);
        return none;
    }
    struct drawn_node *nodes = wf_drawing_room(g, g->nodes, &g->node_room,
                                               g->node_count, 1, sizeof *nodes);
    if (!nodes)
        return none;
    g->nodes = nodes;
    if (!wf_drawing_name(g, name, &at) || !wf_drawing_add(g, fn, ctx, at))
        return none;
    return (weft_node){ (unsigned)g->node_count };
}

bool wf_drawing_has(weft_graph *g, weft_node node, const char *what)
{
    if (node.id >= 1 && node.id <= g->node_count)
        return true;
    g->error = wf_error(&g->mistake, -EINVAL,
                        "a %s names node %u, which is none of the %zu tasks of "
                        "this graph",
                        what, node.id, g->node_count);
    return false;
}

void wf_drawing_edge(weft_graph *g, weft_node from, weft_node to)
{
    uint32_t f = from.id - 1, t = to.id - 1;

    g->edges[g->edge_count++] = (struct drawn_edge){ .from = f, .to = t };
    g->followed += g->nodes[f].after++ == 0;
    g->behind += g->nodes[t].before++ == 0;
}

void weft_depend(weft_graph *g, weft_node node, const weft_node *first,
                 size_t n)
{
    if (!g || g->error || !n || !wf_drawing_has(g, node, "dependency"))
        return;
    struct drawn_edge *edges = wf_drawing_room(g, g->edges, &g->edge_room,
                                               g->edge_count, n, sizeof *edges);
    if (!edges)
        return;
    g->edges = edges;
    for (size_t i = 0; i < n; i++) {
        if (!wf_drawing_has(g, first[i], "dependency"))
            return;
        wf_drawing_edge(g, first[i], node);
    }
}
