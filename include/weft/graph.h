/* graph.h: tasks that depend on each other.
 *
 * Draw the graph, compile it once, run the plan as often as you like. */
#ifndef WEFT_GRAPH_H
#define WEFT_GRAPH_H
#include "weft/limit.h"
#include "weft/run.h"

typedef struct weft_graph weft_graph; /* tasks and edges, still a drawing */
typedef struct weft_node {
    unsigned id;
} weft_node;

/* A task: called once per run, after everything it depends on. 0, or a negative
 * errno, which cancels what has not started and is the result of the run. */
typedef int weft_fn(weft_worker *self, void *ctx);

/* Draw [one]. None of these can fail to your face: the first mistake, out of
 * memory included, is kept for weft_compile to report. */
weft_graph *weft_graph_create(void);
weft_node weft_task(weft_graph *g, const char *name, weft_fn *fn, void *ctx);

/* A task that runs another plan, a pipeline or a graph, and has ended when that
 * run has; no worker waits for it. Its error is the task's. A cancel, a drain
 * or the deadline of the outer run reaches it, a drain also when it has not
 * started yet. The plan is borrowed. It has no consumer: nobody could take from
 * it. */
weft_node weft_task_plan(weft_graph *g, const char *name,
                         const weft_plan *plan);

/* What the task takes of which limits, each of them once: all or none, before
 * it runs; no worker waits for them. It gives them back when it has ended,
 * however it does; if it runs a plan, when that has: which must not need tokens
 * of the same limits. Called again: more of them. The limits are borrowed. */
void weft_task_uses(weft_graph *g, weft_node node, const struct weft_use *uses,
                    size_t n);

/* `node` runs after the n nodes in `first`. */
void weft_depend(weft_graph *g, weft_node node, const weft_node *first,
                 size_t n);
#define weft_after(g, node, ...)                                               \
    weft_depend(g, node, (const weft_node[]){ __VA_ARGS__ },                   \
                sizeof((weft_node[]){ __VA_ARGS__ }) / sizeof(weft_node))
void weft_graph_destroy(weft_graph *g);

/* [one] -EINVAL with the mistake ("cycle: parse -> link -> parse"), -ENOMEM.
 * The graph may be destroyed afterwards, or drawn further and compiled again.
 */
int weft_compile(weft_plan **out, const weft_graph *g, weft_error *why);
#endif
