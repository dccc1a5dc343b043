/* drawspecial.c: drawing nodes that do more than call a function. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/drawing.h"
#include "graph/plan.h"
#include "sched/sched.h"

struct special *wf_drawing_special(weft_graph *g, weft_node node)
{
    const struct drawn_node *drawn = &g->nodes[node.id - 1];
    uint32_t which = wf_drawing_get(&g->special, node.id - 1);

    if (!which) {
        struct special *all = wf_drawing_room(g, g->specials, &g->special_room,
                                              g->special_count, 1, sizeof *all);
        if (!all)
            return NULL;
        g->specials = all;
        all[g->special_count++] =
            (struct special){ .fn = drawn->fn, .ctx = drawn->ctx };
        which = (uint32_t)g->special_count;
        if (!wf_drawing_set(g, &g->special, node.id - 1, which))
            return NULL;
    }
    return &g->specials[which - 1];
}

static void mistake(weft_graph *g, const char *name, const char *what)
{
    struct label task = wf_label(name ? name : "", (uint32_t)g->node_count);

    g->error = wf_error(&g->mistake, -EINVAL, "task '%s' %s", task.text, what);
}

/* What is wrong with it, or NULL. */
static const char *wrong(const struct weft_task_config *c)
{
    int acts = !!c->plan + !!c->draw + !!c->io;

    if (acts > 1 || (acts && c->fn && !c->io))
        return "is to do several things: give it one of fn, plan, draw and io";
    if (!acts && !c->fn && !c->choose)
        return "has no function to call";
    if (c->plan && wf_plan_has_consumer(c->plan))
        return "runs a pipeline with a consumer, from which nobody could take: "
               "end it with a stage";
    return NULL;
}

/* There is room for it. */
static bool add(weft_graph *g, const struct weft_task_config *c, uint32_t name)
{
    if (!wf_drawing_add(g, c->fn, c->ctx, name))
        return false;
    if (c->priority && !wf_drawing_set(g, &g->priority, g->node_count - 1,
                                       (uint32_t)c->priority))
        return false;
    if (!c->plan && !c->draw && !c->io && !c->choose && !c->use_count &&
        !c->place.kind)
        return true;
    weft_node node = { (unsigned)g->node_count };
    struct special *s = wf_drawing_special(g, node);
    if (!s)
        return false;
    s->plan = c->plan;
    s->draw = c->draw;
    s->io = c->io;
    s->choose = c->choose;
    s->place = c->place;
    weft_task_uses(g, node, c->uses, c->use_count);
    return !g->error;
}

weft_node weft_tasks(weft_graph *g, const struct weft_task_config *config,
                     size_t count, size_t stride)
{
    const weft_node none = { 0 };
    struct weft_task_config c = { 0 };
    uint32_t name;

    if (config)
        memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (!g || g->error || !count)
        return none;
    const char *what = wrong(&c);
    if (what) {
        mistake(g, c.name, what);
        return none;
    }
    struct drawn_node *nodes = wf_drawing_room(
        g, g->nodes, &g->node_room, g->node_count, count, sizeof *nodes);
    if (!nodes)
        return none;
    g->nodes = nodes;
    if (!wf_drawing_name(g, c.name, &name))
        return none;
    weft_node first = { (unsigned)g->node_count + 1 };
    for (size_t i = 0; i < count; i++) {
        if (!add(g, &c, name))
            return none;
        if (stride) /* ctx may be NULL */
            c.ctx = (char *)c.ctx + stride;
    }
    return first;
}

weft_node weft_task_with(weft_graph *g, const struct weft_task_config *config)
{
    return weft_tasks(g, config, 1, 0);
}

weft_node weft_task_plan(weft_graph *g, const char *name, const weft_plan *plan)
{
    if (plan)
        return weft_task_with(g, weft_config(task, .name = name, .plan = plan));
    if (g && !g->error)
        mistake(g, name, "has no plan to run");
    return (weft_node){ 0 };
}

void weft_task_uses(weft_graph *g, weft_node node, const struct weft_use *uses,
                    size_t n)
{
    if (!g || g->error || !n || !wf_drawing_has(g, node, "use of a limit"))
        return;
    struct special *s = wf_drawing_special(g, node);
    if (!s)
        return;
    uint32_t name = wf_drawing_get(&g->name, node.id - 1);
    struct label task = wf_label(name ? g->names + name : "", node.id - 1);
    g->error = wf_nodeuse_add(&s->use, uses, n, task.text, &g->mistake);
}

void weft_edges(weft_graph *g, const struct weft_edge *edges, size_t n)
{
    if (!g || g->error || !n)
        return;
    struct drawn_edge *drawn = wf_drawing_room(g, g->edges, &g->edge_room,
                                               g->edge_count, n, sizeof *drawn);
    if (!drawn)
        return;
    g->edges = drawn;
    for (size_t i = 0; i < n; i++) {
        if (!wf_drawing_has(g, edges[i].from, "dependency") ||
            !wf_drawing_has(g, edges[i].to, "dependency"))
            return;
        wf_drawing_edge(g, edges[i].from, edges[i].to);
    }
}

void weft_choices(weft_graph *g, weft_node node, const weft_node *targets,
                  size_t n)
{
    if (!g || g->error || !n || !wf_drawing_has(g, node, "choice") ||
        !wf_drawing_special(g, node))
        return;
    struct drawn_edge *drawn = wf_drawing_room(
        g, g->choices, &g->choice_room, g->choice_count, n, sizeof *drawn);
    if (!drawn)
        return;
    g->choices = drawn;
    for (size_t i = 0; i < n; i++) {
        if (!wf_drawing_has(g, targets[i], "choice"))
            return;
        drawn[g->choice_count++] =
            (struct drawn_edge){ node.id - 1, targets[i].id - 1 };
    }
}
