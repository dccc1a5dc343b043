/* test_nomem_graph.c: every allocation of a graph with all that a task may be
 * may fail; and running again allocates nothing. As in test_nomem.c the n-th
 * allocation of this thread fails, for n = 0, 1, 2 ... */
#include <stdlib.h>

#include "tests/allocs.h"
#include "tests/runs.h"

static int choose_next(weft_worker *self, unsigned *which, void *ctx)
{
    *which = 0;
    return 0;
}

static int describe_nothing(weft_worker *self, struct weft_io **io, void *ctx)
{
    return 0;
}

static int draw_one(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_task(g, "one", count, ctx);
    return 0;
}

/* What is drawn; without memory it keeps that as its mistake. */
static weft_graph *draw(_Atomic unsigned *ran, weft_limit *limit,
                        const weft_plan *inner)
{
    weft_graph *g = weft_graph_create();
    weft_node many = weft_tasks(
        g, weft_config(task, .name = "many", .fn = count, .ctx = ran), 40, 0);
    weft_node fork = weft_task_with(
        g, weft_config(task, .name = "fork", .choose = choose_next));
    weft_node io = weft_task_with(
        g, weft_config(task, .name = "io", .io = describe_nothing));
    weft_node drawn = weft_task_with(
        g, weft_config(task, .name = "draws", .draw = draw_one, .ctx = ran));
    weft_node run = weft_task_plan(g, "plan", inner);
    struct weft_edge edges[40];

    for (unsigned i = 0; i < 40; i++) {
        weft_task_uses(g, weft_nth(many, i), &(struct weft_use){ limit, 1 }, 1);
        edges[i] = (struct weft_edge){ weft_nth(many, i), fork };
        weft_task_with(g, weft_config(task, .fn = count, .ctx = ran,
                                      .priority = (int)i - 20));
    }
    weft_edges(g, edges, 40);
    weft_choose(g, fork, io, drawn);
    weft_after(g, drawn, io);
    weft_after(g, run, drawn);
    return g;
}

static weft_limit *a_limit(void)
{
    weft_limit *limit = NULL;
    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 2), NULL),
        0);
    return limit;
}

static weft_plan *an_inner_plan(_Atomic unsigned *ran)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "inner", count, ran);
    return compiled(g);
}

static int draw_and_run(weft_sched *s, int n, _Atomic unsigned *ran,
                        weft_limit *limit, const weft_plan *inner)
{
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    weft_error why = { "" };
    char *picture = NULL;

    left = n;
    weft_graph *g = draw(ran, limit, inner);
    int rc = weft_compile(&plan, g, &why);
    cr_assert(!rc || !plan);
    if (!rc) {
        rc = weft_start_with(&run, s, plan, weft_config(run, .times = true),
                             &why);
        cr_assert(!rc || !run);
    }
    if (!rc) {
        rc = weft_plan_draw(&picture, plan, run, WEFT_DOT, &why);
        cr_assert(!rc || !picture);
    }
    left = -1;
    cr_assert(!rc || strstr(why.text, "no memory"));
    weft_graph_destroy(g);
    if (run)
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
    free(picture);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    return rc;
}

Test(nomem_graph, says_so_wherever_memory_ends, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    weft_limit *limit = a_limit();
    weft_plan *inner = an_inner_plan(&ran);
    for (int i = 0; i < 2; i++) {
        int n = 0;
        for_good = i;
        for (int rc; (rc = draw_and_run(s, n, &ran, limit, inner)); n++)
            cr_assert_eq(rc, -ENOMEM);
        cr_assert(n > 30);
    }
    for_good = false;
    cr_assert_eq(ran % 82, 0);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}

/* ---- on a worker ------------------------------------------------------- */

/* The allocations of the worker fail from here on. */
static int set_left(weft_worker *self, void *ctx)
{
    left = *(int *)ctx;
    return 0;
}

static int draw_with_little(weft_worker *self, weft_graph *g, void *ctx)
{
    left = *(int *)ctx;
    weft_task(g, "inner", nothing, NULL);
    return 0;
}

Test(nomem_graph, a_task_fails_if_there_is_none_for_what_it_draws,
     .timeout = 60)
{
    int n = 0, rc = -ENOMEM, all = -1;
    weft_error why;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();

    weft_task_with(g, weft_config(task, .name = "outer",
                                  .draw = draw_with_little, .ctx = &n));
    weft_plan *plan = compiled(g);
    for (; rc && n < 100; n++) {
        weft_future *f = NULL;
        rc = weft_run(s, plan, &why);
        cr_assert(!rc || rc == -ENOMEM);
        cr_assert(!rc || strstr(why.text, "task 'outer' failed: no memory"));
        cr_assert_eq(weft_submit(s, set_left, &all, &f, NULL), 0);
        cr_assert_eq(weft_future_wait(f, -1), 0);
        weft_future_destroy(f);
    }
    cr_assert_eq(rc, 0);
    cr_assert(n > 5);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* ---- again ------------------------------------------------------------- */

static int pend(weft_worker *self, void *ctx)
{
    weft_task_complete(weft_task_pending(self), 0);
    return WEFT_PENDING;
}

Test(nomem_graph, running_again_allocates_nothing, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_limit *limit = a_limit();
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, "first", nothing, NULL);

    for (int i = 0; i < 50; i++) {
        weft_node node = weft_task_with(
            g, weft_config(task, .fn = i % 3 ? count : pend, .ctx = &ran,
                           .priority = i % 4, .use_count = i % 2,
                           .uses = &(struct weft_use){ limit, 1 },
                           .place = { i % 3, .worker = i % 2 }));
        weft_after(g, node, last);
        if (i % 5)
            last = node;
    }
    weft_choose(g, last, weft_task(g, "chosen", count, &ran));
    weft_plan *plan = compiled(g);
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    uint64_t before = load_relaxed(&allocations);
    for (int i = 0; i < TIMES(1000, 100); i++)
        cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(load_relaxed(&allocations), before);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}

/* As many runs at a time as were before, all under way together. */
static uint64_t allocated_by_runs(weft_sched *s, const weft_plan *plan,
                                  unsigned runs, unsigned at_a_time,
                                  unsigned priority)
{
    enum { MOST = 64 };
    struct weft_run *run[MOST];
    uint64_t before = load_relaxed(&allocations);

    for (unsigned i = 0; i < runs; i++) {
        for (unsigned k = 0; k < at_a_time; k++)
            cr_assert_eq(weft_start_with(&run[k], s, plan,
                                         weft_config(run, .priority = priority),
                                         NULL),
                         0);
        for (unsigned k = 0; k < at_a_time; k++) {
            cr_assert_eq(weft_wait(run[k], -1, NULL), 0);
            weft_run_destroy(run[k]);
        }
    }
    return load_relaxed(&allocations) - before;
}

Test(nomem_graph, running_64_at_a_time_again_allocates_nothing, .timeout = 60)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();
    weft_after(g, weft_task(g, "second", count, &ran),
               weft_task(g, "first", count, &ran));
    weft_plan *plan = compiled(g);

    for (unsigned priority = 0; priority <= 1; priority++) {
        cr_assert(allocated_by_runs(s, plan, 1, 64, priority) >= 64);
        cr_assert_eq(allocated_by_runs(s, plan, TIMES(100, 10), 64, priority),
                     0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}
