/* graph_weft.h: a shape as a graph of weft, drawn node by node. */
#ifndef WEFT_PERF_ROWS_GRAPH_WEFT_H
#define WEFT_PERF_ROWS_GRAPH_WEFT_H
#include "perf/rows/shapes.h"
#include "weft/weft.h"

static weft_sched *sched;
static weft_graph *graph;
static weft_plan *plan;
static weft_error why;

static int node(weft_worker *self, void *ctx)
{
    shape_visit((unsigned)(uintptr_t)ctx);
    return 0;
}

static void open_sched(const struct row *row, const struct shape *largest)
{
    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
}

static void draw(const struct shape *shape)
{
    weft_node before[MOST_BEFORE], first = { 0 };
    unsigned numbers[MOST_BEFORE];

    graph = weft_graph_create();
    for (unsigned i = 0; i < shape->nodes; i++) {
        weft_node drawn = weft_task(graph, NULL, node, (void *)(uintptr_t)i);
        unsigned n = shape_before(shape, i, numbers);
        if (i == 0)
            first = drawn;
        for (unsigned k = 0; k < n; k++)
            before[k] = weft_nth(first, numbers[k]);
        if (n)
            weft_depend(graph, drawn, before, n);
    }
}

/* The drawing is not needed any more. */
static void compile(void)
{
    must(weft_compile(&plan, graph, &why), why.text);
    weft_graph_destroy(graph);
}

static void run(void) { must(weft_run(sched, plan, &why), why.text); }

static void destroy(void) { weft_plan_destroy(plan); }

static void close_sched(void) { weft_sched_destroy(sched); }

static const struct graph_runner graph_weft = {
    open_sched, draw, compile, run, destroy, close_sched, NULL, 1, false
};
#endif
