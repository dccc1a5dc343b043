/* test_go_on.c: runs of graphs that go on after a failure: with what does not
 * depend on it, in graph/walk.c and node.c. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

enum { MOST_NODES = 32 };

static unsigned below(uint64_t *random, unsigned n)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random >> 33) % n;
}

/* A task that knows what it comes after. */
struct part {
    const struct part *before[MOST_NODES];
    unsigned before_count;
    int result; /* that it returns */
    enum { CALLS, PENDS, DRAWS, KINDS } kind;
    unsigned calls, wrong; /* plain on purpose: see test_dag.c */
};

static int act(weft_worker *self, void *ctx)
{
    struct part *p = ctx;
    p->calls++;
    for (unsigned i = 0; i < p->before_count; i++)
        p->wrong += !p->before[i]->calls || p->before[i]->result;
    return p->result;
}

static int pend(weft_worker *self, void *ctx)
{
    weft_pending *task = weft_task_pending(self);
    weft_task_complete(task, act(self, ctx));
    return WEFT_PENDING;
}

static int draw(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_node a = weft_task(g, "inner", act, ctx);
    weft_after(g, weft_task(g, "behind", nothing, NULL), a);
    return 0;
}

static bool runs(const struct part *p)
{
    for (unsigned i = 0; i < p->before_count; i++)
        if (p->before[i]->result || !runs(p->before[i]))
            return false;
    return true;
}

static weft_plan *invent(struct part *p, unsigned n, weft_limit *limit,
                         uint64_t *random)
{
    weft_graph *g = weft_graph_create();
    weft_node node[MOST_NODES];
    unsigned density = 1 + below(random, 3);

    memset(p, 0, n * sizeof *p);
    for (unsigned i = 0; i < n; i++) {
        p[i].kind = below(random, 4) ? CALLS : below(random, KINDS);
        node[i] = weft_task_with(
            g, weft_config(task, .ctx = &p[i],
                           .fn = p[i].kind == CALLS   ? act
                                 : p[i].kind == PENDS ? pend
                                                      : NULL,
                           .draw = p[i].kind == DRAWS ? draw : NULL));
        if (below(random, 3) == 0)
            weft_task_uses(g, node[i], &(struct weft_use){ limit, 1 }, 1);
        for (unsigned k = 0; k < i; k++)
            if (below(random, n) < density) {
                p[i].before[p[i].before_count++] = &p[k];
                weft_after(g, node[i], node[k]);
            }
    }
    return compiled(g);
}

static struct weft_run *going_on(weft_sched *s, const weft_plan *plan)
{
    static unsigned turns; /* without a priority, and with */
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(&run, s, plan,
                                 weft_config(run, .on_failure = WEFT_GO_ON,
                                             .priority = turns++ % 3),
                                 NULL),
                 0);
    return run;
}

Test(go_on, R16_exactly_what_does_not_depend_on_a_failure_runs, .timeout = 300)
{
    static struct part p[MOST_NODES];
    uint64_t random = 5557;
    unsigned failed = 0, left_out = 0;
    weft_limit *limit = NULL;
    weft_sched *s[3] = { workers(1), workers(2), workers(4) };

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    for (int i = 0; i < TIMES(5000, 200); i++) {
        unsigned n = 1 + below(&random, MOST_NODES);
        weft_plan *plan = invent(p, n, limit, &random);
        for (int again = 0; again < 3; again++) {
            bool fails = false;
            for (unsigned k = 0; k < n; k++) {
                p[k].calls = p[k].wrong = 0;
                p[k].result = below(&random, 6) ? 0 : -EIO;
            }
            for (unsigned k = 0; k < n; k++)
                fails |= runs(&p[k]) && p[k].result;
            struct weft_run *run = going_on(s[i % 3], plan);
            cr_assert_eq(weft_wait(run, -1, NULL), fails ? -EIO : 0);
            weft_run_destroy(run);
            for (unsigned k = 0; k < n; k++) {
                cr_assert_eq(p[k].calls, runs(&p[k]));
                cr_assert_eq(p[k].wrong, 0);
                left_out += !p[k].calls;
            }
            failed += fails;
        }
        weft_plan_destroy(plan);
    }
    cr_assert(failed && left_out);
    weft_limit_destroy(limit);
    for (int i = 0; i < 3; i++)
        weft_sched_destroy(s[i]);
}

/* ---- the first failure is told ----------------------------------------- */

static int fails(weft_worker *self, void *ctx) { return *(int *)ctx; }

Test(go_on, the_result_is_the_first_failure)
{
    int first = -ENOENT, second = -EPERM;
    _Atomic unsigned ran = 0;
    weft_error why;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", fails, &first);
    weft_node b = weft_task(g, "b", nothing, NULL);
    weft_after(g, weft_task(g, "behind a", count, &ran), a);
    for (int i = 0; i < 3; i++) {
        weft_node next = weft_task(g, "chain", count, &ran);
        weft_after(g, next, b);
        b = next;
    }
    weft_after(g, weft_task(g, "c", fails, &second), b);
    weft_plan *plan = compiled(g);
    struct weft_run *run = going_on(s, plan);
    cr_assert_eq(weft_wait(run, -1, &why), -ENOENT);
    cr_assert_eq(strcmp(why.text, "task 'a' failed: No such file or directory"),
                 0);
    cr_assert_eq(ran, 3);
    weft_run_destroy(run);

    /* The next run of the same plan is one that ends with the first. */
    ran = 0;
    first = second = 0;
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(ran, 4);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* Without a priority: each time the run that ended before. */
static int run_going_on(weft_sched *s, const weft_plan *plan)
{
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(&run, s, plan,
                                 weft_config(run, .on_failure = WEFT_GO_ON),
                                 NULL),
                 0);
    int rc = weft_wait(run, -1, NULL);
    weft_run_destroy(run);
    return rc;
}

/* The task that fails in the second run is the first that is called there. */
Test(go_on, what_a_failure_has_left_out_runs_in_the_next_run)
{
    int other = 0, first = -ENOENT;
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_task(g, "other", fails, &other);
    weft_node last = weft_task(g, "first", fails, &first);
    for (int i = 0; i < 5; i++) {
        weft_node next = weft_task(g, "chain", count, &ran);
        weft_after(g, next, last);
        last = next;
    }
    weft_plan *plan = compiled(g);
    cr_assert_eq(run_going_on(s, plan), -ENOENT);
    cr_assert_eq(ran, 0);

    other = -EPERM;
    first = 0;
    cr_assert_eq(run_going_on(s, plan), -EPERM);
    cr_assert_eq(ran, 5);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* ---- a cancel is another matter ---------------------------------------- */

struct open {
    _Atomic unsigned may_go_on, after;
};

static int fails_at_once(weft_worker *self, void *ctx) { return -EIO; }

static bool has_ended(struct weft_run *run, weft_node node)
{
    struct weft_task_stats stats;

    cr_assert_eq(weft_run_task(run, node, &stats), 0);
    return stats.end_ns;
}

static int waits(weft_worker *self, void *ctx)
{
    struct open *o = ctx;
    while (!load_relaxed(&o->may_go_on))
        usleep(50);
    return 0;
}

Test(go_on, a_cancel_stops_what_a_failure_did_not, .timeout = 30)
{
    struct open o = { 0 };
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();
    weft_node bad = weft_task(g, "fails", fails_at_once, NULL);
    weft_node wait = weft_task(g, "wait", waits, &o);
    weft_after(g, weft_task(g, "after", count, &o.after), wait);
    weft_plan *plan = compiled(g);
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(
                     &run, s, plan,
                     weft_config(run, .on_failure = WEFT_GO_ON, .times = true),
                     NULL),
                 0);
    while (!has_ended(run, bad))
        usleep(50);
    weft_cancel(run);
    store_relaxed(&o.may_go_on, 1);
    cr_assert_eq(weft_wait(run, -1, NULL), -EIO); /* that was first */
    cr_assert_eq(o.after, 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* ---- tokens ------------------------------------------------------------ */

struct chance {
    _Atomic unsigned calls, fails_at;
};

static int may_fail(weft_worker *self, void *ctx)
{
    struct chance *c = ctx;
    unsigned call = add_relaxed(&c->calls, 1u) + 1;
    return call == load_relaxed(&c->fails_at) ? -EIO : 0;
}

static int pends_and_may_fail(weft_worker *self, void *ctx)
{
    weft_task_complete(weft_task_pending(self), may_fail(self, ctx));
    return WEFT_PENDING;
}

static int draws_what_may_fail(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_after(g, weft_task(g, NULL, may_fail, ctx),
               weft_task(g, NULL, may_fail, ctx));
    return 0;
}

Test(go_on, R24_wherever_it_fails_or_is_cancelled_all_tokens_are_back,
     .timeout = 300)
{
    struct chance c = { 0 };
    uint64_t random = 3;
    unsigned results[3] = { 0 };
    weft_limit *limit = NULL;
    struct weft_limit_stats stats;
    weft_sched *s = workers(3);
    weft_graph *g = weft_graph_create();
    weft_node node[24];

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 2), NULL),
        0);
    for (unsigned i = 0; i < 24; i++) {
        node[i] = weft_task_with(
            g, weft_config(task, .ctx = &c,
                           .fn = i % 6 == 1   ? pends_and_may_fail
                                 : i % 6 == 2 ? NULL
                                              : may_fail,
                           .draw = i % 6 == 2 ? draws_what_may_fail : NULL));
        if (i % 2)
            weft_task_uses(g, node[i],
                           &(struct weft_use){ limit, 1 + i % 3 % 2 }, 1);
        if (i > 4)
            weft_after(g, node[i], node[below(&random, i)]);
    }
    weft_plan *plan = compiled(g);
    for (int i = 0; i < TIMES(10000, 500); i++) {
        store_relaxed(&c.calls, 0);
        store_relaxed(&c.fails_at, below(&random, 60));
        struct weft_run *run = i % 2 ? going_on(s, plan) : started(s, plan);
        if (i % 3 == 0) {
            for (volatile unsigned n = below(&random, 20000); n; n--)
                ;
            weft_cancel(run);
        }
        int rc = weft_wait(run, -1, NULL);
        weft_run_destroy(run);
        cr_assert(rc == 0 || rc == -EIO || rc == -ECANCELED);
        results[!rc ? 0 : rc == -EIO ? 1 : 2]++;
        weft_limit_stats(limit, &stats);
        cr_assert_eq(stats.in_use, 0);
        cr_assert_eq(stats.waiting, 0);
    }
    cr_assert(results[0] && results[1] && results[2]);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}
