/* runs.h: what the tests of graphs, runs and futures share. */
#ifndef WEFT_TESTS_RUNS_H
#define WEFT_TESTS_RUNS_H
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sched/atomic.h"
#include "tests/test.h"
#include "tests/times.h"
#include "weft/weft.h"

/* So many; with a seed, one thread plays them. */
static inline weft_sched *workers_by(unsigned n, uint64_t seed)
{
    weft_sched *s = NULL;
    cr_assert_eq(weft_sched_create(
                     &s, weft_config(sched, .workers = n, .seed = seed), NULL),
                 0);
    return s;
}

static inline weft_sched *workers(unsigned n) { return workers_by(n, 0); }

/* The plan of a graph, which is destroyed. */
static inline weft_plan *compiled(weft_graph *g)
{
    weft_plan *plan = NULL;
    cr_assert_eq(weft_compile(&plan, g, NULL), 0);
    weft_graph_destroy(g);
    return plan;
}

/* The plan of a pipeline, which is destroyed. */
static inline weft_plan *pipeline_plan(weft_pipeline *p)
{
    weft_plan *plan = NULL;
    weft_error why = { "" };
    int rc = weft_pipeline_compile(&plan, p, &why);
    if (rc)
        fprintf(stderr, "%s\n", why.text);
    cr_assert_eq(rc, 0);
    weft_pipeline_destroy(p);
    return plan;
}

static inline struct weft_run *started(weft_sched *sched, const weft_plan *plan)
{
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    return run;
}

/* Runs the plan, without a priority or with one. Who sees no end of it in a
 * minute is told in which round, so that it can be repeated. */
static inline int run_watched(weft_sched *sched, const weft_plan *plan,
                              int round)
{
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(
                     &run, sched, plan,
                     weft_config(run, .priority = (unsigned)round % 3), NULL),
                 0);
    int rc = weft_wait(run, 60000, NULL);
    if (rc == -ETIMEDOUT)
        fprintf(stderr, "round %d has not ended after a minute\n", round);
    cr_assert(rc != -ETIMEDOUT);
    weft_run_destroy(run);
    return rc;
}

/* Runs once what was drawn. */
static inline int run_once(weft_graph *g, unsigned worker_count,
                           weft_error *why)
{
    weft_sched *s = workers(worker_count);
    weft_plan *plan = compiled(g);
    int rc = weft_run(s, plan, why);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    return rc;
}

/* Compiles what must not compile; the sentence is as expected. */
static inline void refused(weft_graph *g, int error, const char *sentence)
{
    weft_plan *plan = NULL;
    weft_error why;
    cr_assert_eq(weft_compile(&plan, g, &why), error);
    cr_assert_eq(plan, NULL);
    cr_assert_eq(strcmp(why.text, sentence), 0);
    weft_graph_destroy(g);
}

/* Tasks. */
static inline int nothing(weft_worker *self, void *ctx) { return 0; }

static inline int count(weft_worker *self, void *counter)
{
    add_relaxed((_Atomic unsigned *)counter, 1u);
    return 0;
}
#endif
