/* graph_starpu.h: a shape as tasks with declared dependencies. A task runs
 * once: so all of them are made anew in each run. */
#ifndef WEFT_PERF_RIVALS_GRAPH_STARPU_H
#define WEFT_PERF_RIVALS_GRAPH_STARPU_H
#include "perf/rivals/starpu.h"
#include "perf/rows/shapes.h"

static struct shape graph;
static struct starpu_task **tasks;

static void node(void **none, void *ctx)
{
    shape_visit((unsigned)(uintptr_t)ctx);
}

static void open_workers(const struct row *row, const struct shape *largest)
{
    starpu_open(row);
}

static void draw(const struct shape *shape)
{
    graph = *shape;
    tasks = calloc(shape->nodes, sizeof(struct starpu_task *));
    row_check(tasks != NULL, "no memory");
}

static void run(void)
{
    static struct starpu_codelet codelet = { .cpu_funcs = { node } };
    struct starpu_task *after[MOST_BEFORE];
    unsigned before[MOST_BEFORE];

    for (unsigned i = 0; i < graph.nodes; i++) {
        unsigned n = shape_before(&graph, i, before);
        tasks[i] = starpu_make(&codelet, (void *)(uintptr_t)i);
        for (unsigned k = 0; k < n; k++)
            after[k] = tasks[before[k]];
        if (n)
            starpu_task_declare_deps_array(tasks[i], n, after);
        must(starpu_task_submit(tasks[i]), "a task is not submitted");
    }
    must(starpu_task_wait_for_all(), "tasks do not end");
    for (unsigned i = 0; i < graph.nodes; i++)
        starpu_task_destroy(tasks[i]);
}

static void destroy(void) { free(tasks); }

static const struct graph_runner graph_starpu = {
    open_workers, draw, NULL, run, destroy, starpu_shutdown, NULL, 50, true
};
#endif
