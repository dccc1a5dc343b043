/* dag.c: what an empty node of a compiled graph costs when it runs again. */

#include "cli/bench/bench.h"
#include "cli/bench/clock.h"
#include "cli/bench/percentile.h"

enum { MOST_RUNS = 200, LEAST_RUNS = 3 };

static int nothing(weft_worker *self, void *ctx) { return 0; }

/* What node `i` of `n` comes after, at most two: how many. */
typedef size_t before_fn(size_t i, size_t side, size_t before[2]);

static size_t chain(size_t i, size_t side, size_t before[2])
{
    before[0] = i - 1;
    return i > 0;
}

static size_t tree(size_t i, size_t side, size_t before[2])
{
    before[0] = (i - 1) / 2;
    return i > 0;
}

static size_t wavefront(size_t i, size_t side, size_t before[2])
{
    size_t count = 0;
    if (i >= side)
        before[count++] = i - side;
    if (i % side > 0)
        before[count++] = i - 1;
    return count;
}

static size_t independent(size_t i, size_t side, size_t before[2]) { return 0; }

static const struct shape {
    const char *name;
    before_fn *before;
} shapes[DAG_SHAPES] = {
    { "chain", chain },
    { "tree", tree },
    { "wavefront", wavefront },
    { "independent", independent },
};

static int draw(weft_plan **out, const struct shape *shape, size_t side,
                weft_error *why)
{
    weft_graph *g = weft_graph_create();
    weft_node first =
        weft_tasks(g, weft_config(task, .fn = nothing), side * side, 0);

    for (size_t i = 0; i < side * side; i++) {
        size_t before[2], count = shape->before(i, side, before);
        for (size_t k = 0; k < count; k++)
            weft_after(g, weft_nth(first, i), weft_nth(first, before[k]));
    }
    int rc = weft_compile(out, g, why);
    weft_graph_destroy(g);
    return rc;
}

/* The median of as many runs as the time allows, after one that is not
 * counted. */
static int run_again(struct bench *b, weft_sched *sched, const weft_plan *plan,
                     double *ns, weft_error *why)
{
    double runs[MOST_RUNS], start = now_ns();
    size_t count = 0;
    int rc = weft_run(sched, plan, why);

    while (rc == 0 && count < MOST_RUNS &&
           (count < LEAST_RUNS || now_ns() - start < b->slice_ns)) {
        double begin = now_ns();
        rc = weft_run(sched, plan, why);
        runs[count++] = now_ns() - begin;
    }
    *ns = median(runs, count);
    return rc;
}

int bench_dag(struct bench *b, weft_error *why)
{
    size_t side = b->quick ? 100 : 316;

    for (size_t i = 0; i < DAG_SHAPES; i++) {
        struct dag_figures *d = &b->figures.dag[i];
        weft_plan *plan;
        int rc = draw(&plan, &shapes[i], side, why);
        if (rc)
            return rc;
        *d = (struct dag_figures){ shapes[i].name, side * side, 0, 0 };
        rc = run_again(b, b->one, plan, &d->one_ns, why);
        if (rc == 0)
            rc = run_again(b, b->all, plan, &d->all_ns, why);
        weft_plan_destroy(plan);
        if (rc)
            return rc;
        d->one_ns /= (double)d->nodes;
        d->all_ns /= (double)d->nodes;
    }
    return 0;
}
