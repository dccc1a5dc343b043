/* metg.h: how small may tasks be? The minimum effective task granularity of
 * Task Bench: of a stencil in one dimension, each task after three of the step
 * before, the time of the smallest task with which half of what the workers
 * could do, or nine tenths of it, is done. C++ reads this too. */
#ifndef WEFT_PERF_ROWS_METG_H
#define WEFT_PERF_ROWS_METG_H
#include <math.h>

#include "perf/rows/shapes.h"

enum { METG_STEPS = 1000, METG_LEAST = 50, METG_RUNS = 3 };

static const double metg_first = 8, metg_last = 25000, metg_factor = 1.4;
static const double metg_wanted[] = { 0.5, 0.9 };
enum { METG_WANTED = 2 };

/* ns that a step of work takes on one thread: the best of many short times. */
static inline double metg_step_ns(void)
{
    const unsigned times = 100, steps = 10000;
    double least = INFINITY;

    for (unsigned i = 0; i < times; i++) {
        uint64_t began = wall_ns();
        shape_work(steps);
        least = fmin(least, (double)(wall_ns() - began) / steps);
    }
    return least;
}

/* The part of what the workers could do that is done in a run: the best of a
 * few, for what else the machine does is not the question. */
static inline double metg_efficiency(const struct row *row,
                                     const struct graph_runner *runner,
                                     unsigned nodes, double ns, double step_ns)
{
    double least = INFINITY;
    uint64_t steps = (uint64_t)(ns / step_ns + 0.5);

    shape_set_steps(steps ? steps : 1);
    for (int i = 0; i < METG_RUNS; i++) {
        uint64_t began = wall_ns();
        runner->run();
        least = fmin(least, (double)(wall_ns() - began));
    }
    double serial = (double)shape_node.steps * step_ns * nodes;
    shape_set_steps(0);
    return serial / row->workers / least;
}

static inline void metg_measure(const struct row *row, const struct row_case *c,
                                const struct graph_runner *runner)
{
    static const char *const what[] = { "50 %", "90 %" };
    struct row_result r = { c->name, NULL, runner->by, "ns", 0, 0, NULL, 0 };
    struct shape shape = { STENCIL, 0, c->which * row->workers };
    double before = 0, ns = metg_first;
    unsigned found = 0;

    shape.nodes = shape.width * (unsigned)row_size(row, METG_STEPS, METG_LEAST);
    runner->open(row, &shape);
    runner->draw(&shape);
    if (runner->compile)
        runner->compile();
    shape_check_run(&shape, runner->run);
    double step_ns = metg_step_ns();
    for (; ns < metg_last && found < METG_WANTED; ns *= metg_factor) {
        double now = metg_efficiency(row, runner, shape.nodes, ns, step_ns);
        for (; found < METG_WANTED && now >= metg_wanted[found]; found++) {
            /* Where between the last task and this one. */
            double part = (now - metg_wanted[found]) / (now - before);
            r.what = what[found];
            r.value = ns * pow(metg_factor, -part);
            row_tell(row, r);
        }
        before = now;
    }
    for (; found < METG_WANTED; found++)
        fprintf(stderr, "%s, %s: %s is not reached\n", row->by, c->name,
                what[found]);
    runner->destroy();
    runner->close();
}

/* The width: of the workers, and four times as much. */
#define METG_CASES(measure)                                                    \
    {                                                                          \
        { "width W", measure, 1 }, { "width 4W", measure, 4 },                 \
    }
#endif
