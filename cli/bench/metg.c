/* metg.c: the minimum effective task granularity of Task Bench.
 *
 * stencil_1d: a row of `width` points, and in each step a task for each point,
 * which comes after those of the step before at this point and to its left and
 * right. How short may a task be so that all workers spend half, or nine
 * tenths, of their time in tasks? Tasks are made twice as long until they do.
 *
 * All of their time is what the same work takes on all workers at once, at
 * their best, with nothing else to do (speed.c). */
#include <math.h>
#include <stdlib.h>

#include "cli/bench/bench.h"
#include "cli/bench/clock.h"
#include "cli/bench/crossing.h"
#include "cli/bench/work.h"

enum { STEPS = 1000, MOST_TASKS = 1 << 20, SIZES = 14, RUNS = 3 };
static const double smallest_ns = 16;

static int task(weft_worker *self, void *rounds)
{
    work_rounds(*(const uint64_t *)rounds);
    return 0;
}

static int draw(weft_plan **out, unsigned width, unsigned steps,
                uint64_t *rounds, weft_error *why)
{
    weft_graph *g = weft_graph_create();
    weft_node first =
        weft_tasks(g, weft_config(task, .fn = task, .ctx = rounds),
                   (size_t)width * steps, 0);

    for (size_t step = 1; step < steps; step++)
        for (size_t at = 0; at < width; at++) {
            weft_node before[3];
            size_t count = 0, left = at > 0 ? at - 1 : 0,
                   right = at + 1 < width ? at + 1 : at;
            for (size_t i = left; i <= right; i++)
                before[count++] = weft_nth(first, (step - 1) * width + i);
            weft_depend(g, weft_nth(first, step * width + at), before, count);
        }
    int rc = weft_compile(out, g, why);
    weft_graph_destroy(g);
    return rc;
}

/* The part of their time that the workers spent in tasks, at best. */
static int efficiency(struct bench *b, const weft_plan *plan, double ideal_ns,
                      double *out, weft_error *why)
{
    double best = INFINITY;
    for (unsigned i = 0; i < RUNS; i++) {
        double start = now_ns();
        int rc = weft_run(b->all, plan, why);
        if (rc)
            return rc;
        best = fmin(best, now_ns() - start);
    }
    *out = ideal_ns / best;
    return 0;
}

static int one_width(struct bench *b, struct metg_figures *m, weft_error *why)
{
    double sizes[SIZES], parts[SIZES], all_per_ns = 0;
    double until = now_ns() + 6 * b->slice_ns;
    size_t tasks = (size_t)m->width * m->steps, count = 0;
    uint64_t rounds = 0;
    weft_plan *plan;

    for (unsigned i = 0; i < b->figures.workers; i++)
        all_per_ns += b->figures.each[i].best;
    double per_ns = all_per_ns / b->figures.workers;
    int rc = draw(&plan, m->width, m->steps, &rounds, why);
    if (rc)
        return rc;
    rc = weft_run(b->all, plan, why); /* its memory is there from now on */
    while (rc == 0 && count < SIZES && now_ns() < until) {
        rounds = (uint64_t)(smallest_ns * exp2((double)count) * per_ns);
        sizes[count] = (double)rounds / per_ns;
        rc = efficiency(b, plan, (double)(tasks * rounds) / all_per_ns,
                        &parts[count], why);
        if (rc == 0 && parts[count++] >= 0.9)
            break;
    }
    weft_plan_destroy(plan);
    m->at_50_ns = crossing(sizes, parts, count, 0.5);
    m->at_90_ns = crossing(sizes, parts, count, 0.9);
    return rc;
}

int bench_metg(struct bench *b, weft_error *why)
{
    static const unsigned per_worker[METG_WIDTHS] = { 1, 4 };
    int rc = 0;
    for (size_t i = 0; i < METG_WIDTHS && rc == 0; i++) {
        struct metg_figures *m = &b->figures.metg[i];
        m->width = b->figures.workers * per_worker[i];
        m->steps = STEPS;
        if (m->width > MOST_TASKS / STEPS)
            m->steps = MOST_TASKS / m->width;
        rc = one_width(b, m, why);
    }
    return rc;
}
