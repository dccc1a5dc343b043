/* test_ready.c: graph/ready.c: of the ready tasks of a run, the one with the
 * highest priority first; in runs without a priority of their own, and in such
 * as take turns. */
#include <stdbool.h>
#include <stdlib.h>

#include "tests/runs.h"

enum { MOST_NODES = 40 };

static unsigned below(uint64_t *random, unsigned n)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random >> 33) % n;
}

/* What is known of a graph: in which order one worker has to execute it. */
struct part {
    int priority;
    unsigned before, after[MOST_NODES], after_count;
    unsigned number; /* of those that have been ready */
    bool is_ready;
};

struct graph {
    struct part part[MOST_NODES];
    unsigned n, order[MOST_NODES], executed;
};

struct place {
    struct graph *graph;
    unsigned i;
};

static int note(weft_worker *self, void *ctx)
{
    struct place *p = ctx;
    p->graph->order[p->graph->executed++] = p->i;
    return 0;
}

static void invent(struct graph *g, uint64_t *random)
{
    unsigned density = below(random, 4), priorities = 1 + below(random, 6);

    memset(g, 0, sizeof *g);
    g->n = 1 + below(random, MOST_NODES);
    for (unsigned to = 0; to < g->n; to++) {
        g->part[to].priority = (int)below(random, priorities) - 2;
        for (unsigned from = 0; from < to; from++)
            if (below(random, g->n) < density) {
                struct part *p = &g->part[from];
                p->after[p->after_count++] = to;
                g->part[to].before++;
            }
    }
    g->part[0].priority = 7; /* at least one that is not 0 */
}

static weft_plan *plan_of(struct graph *known, struct place *places)
{
    weft_graph *g = weft_graph_create();
    weft_node node[MOST_NODES];

    for (unsigned i = 0; i < known->n; i++) {
        places[i] = (struct place){ known, i };
        node[i] =
            weft_task_with(g, weft_config(task, .fn = note, .ctx = &places[i],
                                          .priority = known->part[i].priority));
    }
    for (unsigned i = 0; i < known->n; i++)
        for (unsigned k = 0; k < known->part[i].after_count; k++)
            weft_after(g, node[known->part[i].after[k]], node[i]);
    return compiled(g);
}

/* The highest that is ready; of equal ones the first that was. */
static unsigned best(const struct graph *g)
{
    const struct part *best = NULL;

    for (const struct part *p = g->part; p < g->part + g->n; p++)
        if (p->is_ready &&
            (!best || p->priority > best->priority ||
             (p->priority == best->priority && p->number < best->number)))
            best = p;
    return (unsigned)(best - g->part);
}

static bool is_in_order(struct graph *g)
{
    unsigned missing[MOST_NODES], number = 0;
    bool right = g->executed == g->n;

    for (unsigned i = 0; i < g->n; i++) {
        missing[i] = g->part[i].before;
        g->part[i].is_ready = !missing[i];
        g->part[i].number = number++;
    }
    for (unsigned k = 0; right && k < g->n; k++) {
        unsigned i = best(g);
        right = g->order[k] == i;
        g->part[i].is_ready = false;
        for (unsigned e = 0; e < g->part[i].after_count; e++) {
            unsigned to = g->part[i].after[e];
            if (--missing[to])
                continue;
            g->part[to].is_ready = true;
            g->part[to].number = number++;
        }
    }
    return right;
}

Test(ready, one_worker_takes_the_highest_of_all_that_are_ready, .timeout = 60)
{
    static struct graph known;
    static struct place places[MOST_NODES];
    uint64_t random = 41;
    weft_sched *s = workers(1);

    for (int i = 0; i < TIMES(3000, 300); i++) {
        invent(&known, &random);
        weft_plan *plan = plan_of(&known, places);
        for (int again = 0; again < 3; again++) {
            known.executed = 0;
            cr_assert_eq(run_watched(s, plan, again), 0);
            cr_assert(is_in_order(&known));
        }
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(s);
}

/* ---- many workers ------------------------------------------------------ */

/* Nothing is lost, and nothing is done twice. */
Test(ready, each_task_runs_once_whatever_has_a_priority, .timeout = 60)
{
    enum { TASKS = 200 };
    _Atomic unsigned ran = 0;
    weft_limit *limit = NULL;
    weft_sched *s = workers(4);
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "first", nothing, NULL);

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 2), NULL),
        0);
    for (int i = 0; i < TASKS; i++) {
        weft_node node = weft_task_with(
            g, weft_config(task, .fn = count, .ctx = &ran, .priority = i % 7,
                           .uses = &(struct weft_use){ limit, 1 },
                           .use_count = i % 3 == 0));
        if (i % 2)
            weft_after(g, node, first);
    }
    weft_plan *plan = compiled(g);
    for (unsigned i = 1; i <= TIMES(300, 30); i++) {
        cr_assert_eq(run_watched(s, plan, (int)i), 0);
        cr_assert_eq(load_relaxed(&ran), i * TASKS);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}

static int choose_again(weft_worker *self, unsigned *which, void *ctx)
{
    _Atomic unsigned *left = ctx;
    unsigned now = load_relaxed(left);
    while (now && !cas_relaxed(left, &now, now - 1))
        ;
    *which = now ? 0 : WEFT_NO_CHOICE;
    return 0;
}

/* Loops side by side, whose tasks are ready again and again. */
Test(ready, loops_have_priorities_too, .timeout = 60)
{
    enum { SIDE_BY_SIDE = 8, ROUNDS = TIMES(20000, 2000) };
    _Atomic unsigned left = 0;
    weft_sched *s = workers(4);
    weft_graph *g = weft_graph_create();

    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        weft_node first = weft_task(g, "first", nothing, NULL);
        weft_node loop =
            weft_task_with(g, weft_config(task, .choose = choose_again,
                                          .ctx = &left, .priority = i));
        weft_after(g, loop, first);
        weft_choose(g, loop, loop);
    }
    weft_plan *plan = compiled(g);
    for (int i = 0; i < 3; i++) {
        store_relaxed(&left, ROUNDS);
        cr_assert_eq(run_watched(s, plan, i), 0);
        cr_assert_eq(load_relaxed(&left), 0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}
