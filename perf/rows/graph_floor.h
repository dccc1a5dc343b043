/* graph_floor.h: a shape with the least that it takes. */
#ifndef WEFT_PERF_ROWS_GRAPH_FLOOR_H
#define WEFT_PERF_ROWS_GRAPH_FLOOR_H
#include "perf/rows/floor_graph.h"

static struct floor_graph graph;

static void node(uintptr_t ctx) { shape_visit((unsigned)ctx); }

static void open_threads(const struct row *row, const struct shape *largest)
{
    floor_open(row->workers, largest->nodes);
}

static void draw(const struct shape *shape) { floor_draw(&graph, shape, node); }

static void compile(void) { floor_compile(&graph); }

static void run(void) { floor_run(&graph); }

static void destroy(void) { floor_destroy(&graph); }

static const struct graph_runner graph_floor = {
    open_threads, draw, compile, run, destroy, floor_close, NULL, 1, false
};
#endif
