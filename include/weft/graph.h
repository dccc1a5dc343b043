/* graph.h: tasks that depend on each other.
 *
 * Draw the graph, compile it once, run the plan as often as you like. A task
 * here is a node of a graph, and runs in each run of it. One that is submitted
 * by itself is future.h's, with a handle on its result; one that lies in the
 * frame of who waits for it is a child: task.h. */
#ifndef WEFT_GRAPH_H
#define WEFT_GRAPH_H
#include "weft/io.h"
#include "weft/limit.h"
#include "weft/run.h"

typedef struct weft_graph weft_graph; /* tasks and edges, still a drawing */
typedef struct weft_node {
    unsigned id;
} weft_node;

/* A task: called once per run, after everything it depends on. 0, or a negative
 * errno, which cancels what has not started and is the result of the run. Or
 * WEFT_PENDING, after weft_task_pending. */
typedef int weft_fn(weft_worker *self, void *ctx);

/* Draws a graph, which is empty, that then is run: the task has ended when that
 * run has; no worker waits for it. What is drawn may draw again, to any depth.
 * 0, or a negative errno: nothing is run. */
typedef int weft_draw_fn(weft_worker *self, weft_graph *g, void *ctx);

/* Says which operation the task is: fills a struct weft_io of yours, all but
 * `done` and `ctx`, and leaves its address in *io; NULL: there is nothing to be
 * done. 0, or a negative errno. Runs of one plan may be at it at the same time:
 * weft_task_context leads to what is one run's. */
typedef int weft_task_io_fn(weft_worker *self, struct weft_io **io, void *ctx);

/* Chooses which of the choices of the task comes next: its number in the order
 * of weft_choices; or leaves *which as it is, WEFT_NO_CHOICE. 0, or a negative
 * errno. */
typedef int weft_choose_fn(weft_worker *self, unsigned *which, void *ctx);
#define WEFT_NO_CHOICE UINT_MAX

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

/* Where a task had better run: it is made ready there, and a worker that finds
 * nothing else to do may take it all the same. One that runs where it should
 * goes on at once; else it has one more step. */
struct weft_place {
    enum {
        WEFT_ANYWHERE,
        WEFT_ON_WORKER, /* `worker`, before other tasks that it has */
        WEFT_ON_NODE,   /* on the NUMA node of `worker` */
        WEFT_NEAR,      /* on the NUMA node of `memory` */
    } kind;
    unsigned worker; /* as weft_worker_index; one that there is not fails the
                        task */
    const void *memory;
};

/* A task of any kind. At most one of `fn` alone, `plan`, `draw` and `io` says
 * what it does; it then chooses, if it is to choose. */
struct weft_task_config {
    size_t size; /* set by weft_config(task, ...) */
    const char *name;
    weft_fn *fn;           /* with `io`: called after the operation, if that
                              succeeded; may be NULL then */
    const weft_plan *plan; /* as weft_task_plan */
    weft_draw_fn *draw;
    weft_task_io_fn *io;
    weft_choose_fn *choose;      /* when the task has ended well */
    void *ctx;                   /* of all of these */
    const struct weft_use *uses; /* as weft_task_uses; copied */
    unsigned use_count;
    int priority; /* whenever a worker takes up a task of the run, it is the
                     highest of those that are ready, of equal ones the one that
                     was ready first; 0. Tokens are given in another order: see
                     limit.h. Where all are 0 there is no order, and no cost */
    struct weft_place place;
};
weft_node weft_task_with(weft_graph *g, const struct weft_task_config *config);

/* Many tasks at once, alike but for ctx: that of task i is i * stride bytes
 * behind the one in the config. Returns the first; their ids are consecutive:
 * see weft_nth. */
weft_node weft_tasks(weft_graph *g, const struct weft_task_config *config,
                     size_t count, size_t stride);
static inline weft_node weft_nth(weft_node first, size_t i)
{
    return (weft_node){ first.id ? first.id + (unsigned)i : 0 };
}

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

/* Many dependencies at once: each `to` runs after its `from`. */
struct weft_edge {
    weft_node from, to;
};
void weft_edges(weft_graph *g, const struct weft_edge *edges, size_t n);

/* What the task chooses from, or what always comes after it if it has one
 * choice and no `choose`. Called again: more of them.
 *
 * Being chosen is no dependency: the chosen task is ready at once, whatever
 * else it is after, and once for each time that it is chosen; one that already
 * waits or executes does so again afterwards, never twice at a time (and never
 * 2^20 times more: -EOVERFLOW). So a choice may lead back: that is a loop. In a
 * graph with choices
 *
 *  - a task starts by itself if it is after nothing and is nobody's choice;
 *  - each time that a task ends well it counts for what is after it, which runs
 *    when it was counted for as often as it is after others;
 *  - what is behind a choice that was not taken does not run, nor does what is
 *    after that: where paths meet again, let them choose the same task;
 *  - the run ends when nothing is left that could execute: well, if nothing
 *    failed;
 *  - starting a run takes a pass over the tasks, and the end of a task one or
 *    two additions to a counter of the run. Graphs without choices pay nothing.
 */
void weft_choices(weft_graph *g, weft_node node, const weft_node *targets,
                  size_t n);
#define weft_choose(g, node, ...)                                              \
    weft_choices(g, node, (const weft_node[]){ __VA_ARGS__ },                  \
                 sizeof((weft_node[]){ __VA_ARGS__ }) / sizeof(weft_node))
void weft_graph_destroy(weft_graph *g);

/* [one] -EINVAL with the mistake ("cycle: parse -> link -> parse"), -ENOMEM.
 * The graph may be destroyed afterwards, or drawn further and compiled again.
 *
 * Running the plan again allocates nothing: it keeps the memory of its runs
 * that have ended, of as many as there were at a time, until it is destroyed.
 * Those with .times it does not keep; and a task that runs a plan, or what it
 * draws, allocates for that each time. */
int weft_compile(weft_plan **out, const weft_graph *g, weft_error *why);

/* [worker] In a callback of a task, or in a child (task.h): the `ctx` of its
 * run, from weft_run_config: what several runs of one plan do not share. In a
 * graph that a task runs, or has drawn, that of the outermost run. NULL: it was
 * given none. */
void *weft_task_context(weft_worker *self);

/* [worker] In the `fn` of a task that is going to return WEFT_PENDING: what
 * completes it. If it returns anything else after all, it must not be
 * completed. Misuse, and NULL, in other callbacks and in a child. */
typedef struct weft_pending weft_pending;
weft_pending *weft_task_pending(weft_worker *self);

/* [any] The task that returned WEFT_PENDING ends, as if it had returned `rc`: 0
 * or a negative errno. Exactly once; it may come before the task has returned.
 * Also in a run that was cancelled: that waits for it. */
void weft_task_complete(weft_pending *task, int rc);
#endif
