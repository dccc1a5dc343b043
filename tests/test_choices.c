/* test_choices.c: random graphs where tasks choose what comes next, against a
 * model of graph/conditions.c that does one thing after the other. */
#include <stdbool.h>
#include <stdlib.h>

#include "tests/runs.h"

enum { MOST_NODES = 24, MOST_CHOICES = 4, LOOPS = 4 };

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    return *random ^= *random << 17;
}

static unsigned below(uint64_t *random, unsigned n)
{
    return (unsigned)(next_random(random) >> 33) % n;
}

/* A node that chooses by how often it has executed, whatever the schedule; so
 * how often each executes is known. */
struct actor {
    unsigned id, before, choice_count;
    unsigned after[MOST_NODES], after_count;
    unsigned choices[MOST_CHOICES];
    bool is_choice;
    enum { CALLS, RUNS_PLAN, DRAWS } kind;
    uint64_t salt;
    unsigned executed; /* plain: one at a time */
    _Atomic unsigned inner;
};

/* At most LOOPS choices of each lead back or forth. */
static unsigned chooses(const struct actor *a, unsigned execution)
{
    uint64_t random = a->salt + execution * 0x9e3779b97f4a7c15u + 1;
    next_random(&random);
    if (!a->choice_count || execution > LOOPS || below(&random, 4) == 0)
        return WEFT_NO_CHOICE;
    return below(&random, a->choice_count);
}

static int act(weft_worker *self, void *ctx)
{
    ((struct actor *)ctx)->executed++;
    return 0;
}

static int act_choose(weft_worker *self, unsigned *which, void *ctx)
{
    struct actor *a = ctx;
    a->executed += a->kind == RUNS_PLAN;
    *which = chooses(a, a->executed);
    return 0;
}

static int act_draw(weft_worker *self, weft_graph *g, void *ctx)
{
    struct actor *a = ctx;
    a->executed++;
    weft_node last = weft_task(g, "one", count, &a->inner);
    weft_after(g, weft_task(g, "two", count, &a->inner), last);
    return 0;
}

static void invent(struct actor *a, unsigned n, uint64_t *random)
{
    unsigned density = 1 + below(random, 3);

    memset(a, 0, n * sizeof *a);
    for (unsigned to = 0; to < n; to++) {
        a[to].id = to;
        a[to].salt = next_random(random);
        a[to].kind = below(random, 8)   ? CALLS
                     : below(random, 2) ? RUNS_PLAN
                                        : DRAWS;
        for (unsigned from = 0; from < to; from++)
            if (below(random, n) < density) {
                a[from].after[a[from].after_count++] = to;
                a[to].before++;
            }
    }
    for (unsigned i = 0; i < n; i++) {
        if (below(random, 3) && a[i].kind != RUNS_PLAN)
            continue;
        a[i].choice_count = 1 + below(random, MOST_CHOICES);
        for (unsigned c = 0; c < a[i].choice_count; c++) {
            /* Not the first: it starts the run. */
            a[i].choices[c] = n > 1 ? 1 + below(random, n - 1) : 0;
            a[a[i].choices[c]].is_choice = true;
        }
    }
}

static weft_plan *draw_actors(struct actor *a, unsigned n,
                              const weft_plan *inner)
{
    weft_graph *g = weft_graph_create();
    weft_node node[MOST_NODES], choices[MOST_CHOICES];

    for (unsigned i = 0; i < n; i++)
        node[i] = weft_task_with(
            g, weft_config(task, .ctx = &a[i],
                           .fn = a[i].kind == CALLS ? act : NULL,
                           .draw = a[i].kind == DRAWS ? act_draw : NULL,
                           .plan = a[i].kind == RUNS_PLAN ? inner : NULL,
                           .choose = a[i].choice_count ? act_choose : NULL));
    for (unsigned i = 0; i < n; i++) {
        for (unsigned k = 0; k < a[i].after_count; k++)
            weft_after(g, node[a[i].after[k]], node[i]);
        for (unsigned c = 0; c < a[i].choice_count; c++)
            choices[c] = node[a[i].choices[c]];
        weft_choices(g, node[i], choices, a[i].choice_count);
    }
    return compiled(g);
}

/* How often each executes: one after the other, the newest first. */
static void simulate(const struct actor *a, unsigned n, bool conditional,
                     unsigned *executed)
{
    unsigned missing[MOST_NODES], active[MOST_NODES], steps = 0;

    for (unsigned i = 0; i < n; i++) {
        missing[i] = a[i].before;
        active[i] = !a[i].before && !(conditional && a[i].is_choice);
        executed[i] = 0;
    }
    for (unsigned i = 0; i < n; i++) {
        if (!active[i])
            continue;
        active[i]--;
        cr_assert(++steps < 1000000);
        unsigned which = chooses(&a[i], ++executed[i]);
        for (unsigned k = 0; k < a[i].after_count; k++) {
            unsigned to = a[i].after[k];
            if (--missing[to] == 0) {
                missing[to] = a[to].before;
                active[to]++;
            }
        }
        if (which != WEFT_NO_CHOICE)
            active[a[i].choices[which]]++;
        i = (unsigned)-1; /* from the start */
    }
}

Test(conditions, R16_random_graphs_that_choose_do_what_a_model_does,
     .timeout = 300)
{
    static struct actor a[MOST_NODES];
    unsigned expected[MOST_NODES];
    uint64_t random = 20261129, skipped = 0, repeated = 0;
    _Atomic unsigned inner_runs = 0;
    weft_sched *s[3] = { workers(1), workers(2), workers(4) };
    weft_graph *g = weft_graph_create();
    weft_after(g, weft_task(g, NULL, count, &inner_runs),
               weft_task(g, NULL, nothing, NULL));
    weft_plan *inner = compiled(g);

    for (int i = 0; i < (is_long() ? 100000 : TIMES(10000, 300)); i++) {
        unsigned n = 1 + below(&random, MOST_NODES), plans = 0;
        invent(a, n, &random);
        bool conditional = false;
        for (unsigned k = 0; k < n; k++)
            conditional |= a[k].choice_count;
        simulate(a, n, conditional, expected);
        if (conditional && n == 1)
            continue; /* its own choice: it cannot start */
        weft_plan *plan = draw_actors(a, n, inner);
        for (int again = 0; again < 2; again++) {
            for (unsigned k = 0; k < n; k++) {
                a[k].executed = 0;
                store_relaxed(&a[k].inner, 0);
            }
            store_relaxed(&inner_runs, 0);
            cr_assert_eq(run_watched(s[i % 3], plan, i), 0);
            plans = 0;
            for (unsigned k = 0; k < n; k++) {
                cr_assert_eq(a[k].executed, expected[k]);
                cr_assert_eq(a[k].inner,
                             a[k].kind == DRAWS ? 2 * expected[k] : 0);
                plans += a[k].kind == RUNS_PLAN ? expected[k] : 0;
                skipped += !expected[k];
                repeated += expected[k] > 1;
            }
            cr_assert_eq(load_relaxed(&inner_runs), plans);
        }
        weft_plan_destroy(plan);
    }
    cr_assert(skipped && repeated); /* else it has shown little */
    weft_plan_destroy(inner);
    for (int i = 0; i < 3; i++)
        weft_sched_destroy(s[i]);
}
