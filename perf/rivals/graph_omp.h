/* graph_omp.h: a shape as tasks with depend clauses. A task is drawn when it is
 * made, and runs once: so all of it is made anew in each run. */
#ifndef WEFT_PERF_RIVALS_GRAPH_OMP_H
#define WEFT_PERF_RIVALS_GRAPH_OMP_H
#include <omp.h>

#include "perf/rows/shapes.h"

static struct shape graph;
static char *done; /* what the clauses name */

static void open_threads(const struct row *row, const struct shape *largest)
{
    omp_set_num_threads((int)row->workers);
}

static void draw(const struct shape *shape)
{
    graph = *shape;
    done = (char *)calloc(shape->nodes, 1);
    row_check(done != NULL, "no memory");
}

static void make_task(unsigned i)
{
    unsigned b[MOST_BEFORE];

    switch (shape_before(&graph, i, b)) {
    case 0:
#pragma omp task depend(out : done[i]) firstprivate(i)
        shape_visit(i);
        break;
    case 1:
#pragma omp task depend(in : done[b[0]]) depend(out : done[i]) firstprivate(i)
        shape_visit(i);
        break;
    case 2:
#pragma omp task depend(in                                                     \
                        : done[b[0]], done[b[1]]) depend(out                   \
                                                         : done[i])            \
    firstprivate(i)
        shape_visit(i);
        break;
    default:
#pragma omp task depend(in                                                     \
                        : done[b[0]], done[b[1]], done[b[2]], done[b[3]])      \
    depend(out                                                                 \
           : done[i]) firstprivate(i)
        shape_visit(i);
        break;
    }
}

static void run(void)
{
#pragma omp parallel
#pragma omp single
    for (unsigned i = 0; i < graph.nodes; i++)
        make_task(i);
}

static void destroy(void) { free(done); }

static void close_threads(void) {}

static const struct graph_runner graph_omp = {
    open_threads, draw, NULL, run, destroy, close_threads, NULL, 20, true
};
#endif
