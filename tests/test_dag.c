/* test_dag.c: every task once, after what it depends on.
 *
 * What a task leaves for those behind it is a plain int on purpose: where the
 * order of two tasks is not real, ThreadSanitizer says so. */
#include "tests/runs.h"

/* A random graph whose tasks know what they depend on. */
enum { MOST_TASKS = 64 };

struct probe {
    struct probe *before[MOST_TASKS];
    unsigned before_count;
    int done;   /* plain: see above */
    int result; /* what it returns */
    int too_early, calls;
};

static int probe(weft_worker *self, void *ctx)
{
    struct probe *p = ctx;
    p->calls++;
    for (unsigned i = 0; i < p->before_count; i++)
        p->too_early += !p->before[i]->done;
    p->done = 1;
    return p->result;
}

static unsigned below(uint64_t *seed, unsigned n)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return (unsigned)(*seed >> 33) % n;
}

/* Tasks are drawn in an order that has nothing to do with their edges. */
static weft_graph *draw_random(struct probe *p, unsigned n, uint64_t *seed)
{
    weft_graph *g = weft_graph_create();
    weft_node node[MOST_TASKS];
    unsigned order[MOST_TASKS];

    memset(p, 0, n * sizeof *p);
    for (unsigned i = 0; i < n; i++) {
        unsigned j = below(seed, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
    for (unsigned i = 0; i < n; i++)
        node[order[i]] = weft_task(g, NULL, probe, &p[order[i]]);

    unsigned density = 1 + below(seed, 8);
    for (unsigned to = 1; to < n; to++)
        for (unsigned from = 0; from < to; from++) {
            if (below(seed, n) >= density)
                continue;
            p[to].before[p[to].before_count++] = &p[from];
            weft_after(g, node[to], node[from]);
        }
    return g;
}

Test(dag, R16_random_graphs_run_each_task_once_and_in_order, .timeout = 300)
{
    static struct probe p[MOST_TASKS];
    weft_sched *s = workers(4);
    uint64_t seed = 20240229;

    for (int i = 0; i < TIMES(100000, 300); i++) {
        unsigned n = 1 + below(&seed, MOST_TASKS);
        weft_graph *g = draw_random(p, n, &seed);
        weft_plan *plan = NULL;
        cr_assert_eq(weft_compile(&plan, g, NULL), 0);
        weft_graph_destroy(g);
        for (int again = 1; again <= 2; again++) {
            for (unsigned t = 0; t < n; t++)
                p[t].done = 0;
            cr_assert_eq(run_watched(s, plan, i), 0);
            for (unsigned t = 0; t < n; t++) {
                cr_assert_eq(p[t].calls, again);
                cr_assert_eq(p[t].too_early, 0);
            }
        }
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(s);
}

/* Whether `p` depends on `on`, directly or not. */
static int depends(const struct probe *p, const struct probe *on)
{
    for (unsigned i = 0; i < p->before_count; i++)
        if (p->before[i] == on || depends(p->before[i], on))
            return 1;
    return 0;
}

Test(dag, what_depends_on_a_failed_task_is_never_called, .timeout = 120)
{
    enum { TASKS = 12 };
    static struct probe p[TASKS];
    weft_sched *s = workers(4);
    uint64_t seed = 7;

    for (int i = 0; i < TIMES(100, 20); i++) {
        weft_graph *g = draw_random(p, TASKS, &seed);
        weft_plan *plan = NULL;
        cr_assert_eq(weft_compile(&plan, g, NULL), 0);
        weft_graph_destroy(g);
        for (unsigned bad = 0; bad < TASKS; bad++) {
            for (unsigned t = 0; t < TASKS; t++)
                p[t].done = p[t].calls = p[t].result = 0;
            p[bad].result = -EPROTO;
            cr_assert_eq(weft_run(s, plan, NULL), -EPROTO);
            cr_assert_eq(p[bad].calls, 1);
            for (unsigned t = 0; t < TASKS; t++) {
                cr_assert_eq(p[t].too_early, 0);
                cr_assert(p[t].calls <= !depends(&p[t], &p[bad]));
            }
        }
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(s);
}

/* One task, `width` behind it, one behind all of these: counts in between. */
struct fan {
    _Atomic unsigned middle;
    int opened, closed_at;
};

static int fan_open(weft_worker *self, void *ctx)
{
    struct fan *f = ctx;
    f->opened = 1;
    return 0;
}

static int fan_middle(weft_worker *self, void *ctx)
{
    struct fan *f = ctx;
    add_relaxed(&f->middle, f->opened ? 1u : 0u);
    return 0;
}

static int fan_close(weft_worker *self, void *ctx)
{
    struct fan *f = ctx;
    f->closed_at = (int)load_relaxed(&f->middle);
    return 0;
}

Test(dag, ten_thousand_fan_out_and_in, .timeout = 60)
{
    enum { WIDTH = 10000 };
    struct fan f = { 0 };
    weft_graph *g = weft_graph_create();
    weft_node open = weft_task(g, "open", fan_open, &f);
    weft_node close = weft_task(g, "close", fan_close, &f);
    for (int i = 0; i < WIDTH; i++) {
        weft_node middle = weft_task(g, NULL, fan_middle, &f);
        weft_after(g, middle, open);
        weft_after(g, close, middle);
    }
    cr_assert_eq(run_once(g, 4, NULL), 0);
    cr_assert_eq(f.closed_at, WIDTH);
}
