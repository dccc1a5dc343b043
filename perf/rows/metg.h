/* metg.h: how small may tasks be? The minimum effective task granularity of
 * Task Bench: of a stencil in one dimension, each task after three of the step
 * before, the time of the smallest task with which half of what the workers
 * could do, or nine tenths of it, is done. C++ reads this too. */
#ifndef WEFT_PERF_ROWS_METG_H
#define WEFT_PERF_ROWS_METG_H
#include <math.h>

#include "perf/rows/shapes.h"

enum { METG_STEPS = 1000, METG_LEAST = 50, METG_RUNS = 3 };

static const double metg_first = 6, metg_last = 25000,
                    metg_factor = 1.4; /* ns */
static const double metg_wanted[] = { 0.5, 0.9 };
static const char *const metg_names[] = { "50 %", "90 %" };
enum { METG_WANTED = 2 };

struct metg {
    const struct row *row;
    const struct graph_runner *runner;
    struct shape shape;
    double step_ns;
};

/* Tasks of so many steps, and the time of the best run of a few: what else the
 * machine does is not the question. */
struct metg_point {
    double steps, wall;
};

/* ns that a step takes on one thread: the best of many short times, and of all
 * those before. One thread that does everything then never comes to half of
 * what two could. */
static inline void metg_calibrate(struct metg *m)
{
    const unsigned times = 50, steps = 5000;

    for (unsigned i = 0; i < times; i++) {
        uint64_t began = wall_ns();
        shape_work(steps);
        m->step_ns = fmin(m->step_ns, (double)(wall_ns() - began) / steps);
    }
}

static inline struct metg_point metg_run(struct metg *m, double ns)
{
    struct metg_point point = { 0, INFINITY };

    metg_calibrate(m);
    point.steps = ceil(ns / m->step_ns);
    shape_set_steps((uint64_t)point.steps);
    for (int i = 0; i < METG_RUNS; i++) {
        uint64_t began = wall_ns();
        m->runner->run();
        point.wall = fmin(point.wall, (double)(wall_ns() - began));
    }
    shape_set_steps(0);
    return point;
}

/* The part of what the workers could do that is done. */
static inline double metg_efficiency(const struct metg *m, struct metg_point at)
{
    return at.steps * m->step_ns * m->shape.nodes / m->row->workers / at.wall;
}

/* The task between two that has the efficiency, in ns. */
static inline double metg_between(const struct metg *m, struct metg_point less,
                                  struct metg_point more, double wanted)
{
    double low = metg_efficiency(m, less), high = metg_efficiency(m, more);
    double part = low < wanted ? (wanted - low) / (high - low) : 0;

    return m->step_ns * less.steps * pow(more.steps / less.steps, part);
}

static inline void metg_measure(const struct row *row, const struct row_case *c,
                                const struct graph_runner *runner)
{
    struct row_result r = { c->name, NULL, runner->by, "ns", 0, 0, NULL, 0 };
    struct metg m = { row, runner, { STENCIL, 0, 0 }, INFINITY };
    double last = row->percent < ROW_ALL ? metg_last / 10 : metg_last;
    unsigned found = 0;

    m.shape.width = c->which * row->workers;
    /* A quarter of them where all is made anew: that takes longest. */
    r.size =
        row_size(row, METG_STEPS / (runner->draws_in_run ? 4 : 1), METG_LEAST);
    m.shape.nodes = m.shape.width * (unsigned)r.size;
    runner->open(row, &m.shape);
    runner->draw(&m.shape);
    if (runner->compile)
        runner->compile();
    shape_check_run(&m.shape, runner->run);
    struct metg_point before = metg_run(&m, metg_first), now;
    for (double ns = metg_first; ns < last && found < METG_WANTED;) {
        now = metg_run(&m, ns *= metg_factor);
        while (found < METG_WANTED &&
               metg_efficiency(&m, now) >= metg_wanted[found]) {
            r.what = metg_names[found];
            r.value = metg_between(&m, before, now, metg_wanted[found++]);
            row_tell(row, r);
        }
        before = now;
    }
    for (; found < METG_WANTED; found++)
        fprintf(stderr, "%s, %s: %s is not reached\n", row->by, c->name,
                metg_names[found]);
    runner->destroy();
    runner->close();
}

/* The width: of the workers, and four times as much. */
#define METG_CASES(measure)                                                    \
    {                                                                          \
        { "width W", measure, 1 }, { "width 4W", measure, 4 },                 \
    }
#endif
