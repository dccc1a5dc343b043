/* test_nodeuse.c: graph/nodeuse.c: nodes of a graph that take tokens of limits.
 */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

static weft_limit *limit_of(const char *name, unsigned tokens)
{
    weft_limit *l = NULL;
    cr_assert_eq(
        weft_limit_create(
            &l, weft_config(limit, .name = name, .tokens = tokens), NULL),
        0);
    return l;
}

static struct weft_limit_stats stats_of(weft_limit *l)
{
    struct weft_limit_stats stats;
    weft_limit_stats(l, &stats);
    return stats;
}

static void takes(weft_graph *g, weft_node node, weft_limit *l, unsigned tokens)
{
    weft_task_uses(g, node, &(struct weft_use){ l, tokens }, 1);
}

/* How many tokens are out, as those who have them count. */
struct tokens {
    weft_limit *limit;
    _Atomic unsigned out, most;
};

static void note(struct tokens *t, unsigned tokens)
{
    unsigned out = add_relaxed(&t->out, tokens) + tokens;
    unsigned most = load_relaxed(&t->most);
    while (out > most && !cas_relaxed(&t->most, &most, out))
        ;
    for (volatile int i = 0; i < 200; i++)
        ;
    add_relaxed(&t->out, -tokens);
}

static int has_none(weft_worker *self, void *ctx) { return 0; }

static int has_one(weft_worker *self, void *ctx)
{
    note(ctx, 1);
    return 0;
}

static int has_two(weft_worker *self, void *ctx)
{
    note(ctx, 2);
    return 0;
}

/* Keeps what it has until all three have been out at one time. */
static void meet(struct tokens *t)
{
    while (stats_of(t->limit).peak < 3)
        usleep(50);
}

static int has_two_and_waits(weft_worker *self, void *ctx)
{
    meet(ctx);
    return has_two(self, ctx);
}

static int item_has_one(weft_worker *self, void *item, void *ctx)
{
    if (weft_item_number(item) == 0)
        meet(ctx);
    note(ctx, 1);
    return 0;
}

static const uint64_t numbers[500] = { 0 };

static weft_plan *items_of(struct tokens *t)
{
    weft_plan *plan = NULL;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(uint64_t), .slots = 8 }));
    weft_source_array(p, "numbers", numbers, 500, sizeof numbers[0]);
    weft_stage(p, weft_config(stage, .name = "take", .fn = item_has_one,
                              .ctx = t, .use_count = 1,
                              .uses = &(struct weft_use){ t->limit, 1 }));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

Test(nodeuse, a_limit_of_a_graph_and_a_pipeline_is_reached_and_never_exceeded,
     .timeout = 60)
{
    struct tokens t = { .limit = limit_of("gpu", 3) };
    struct weft_run *of_items, *of_nodes[2];
    weft_sched *s = workers(4);
    weft_plan *items = items_of(&t);
    weft_graph *g = weft_graph_create();
    takes(g, weft_task(g, "meet", has_two_and_waits, &t), t.limit, 2);
    weft_plan *meeting = compiled(g);
    g = weft_graph_create();
    weft_node first = weft_task(g, "first", has_two, &t);
    takes(g, first, t.limit, 2);
    for (int i = 0; i < 400; i++) {
        weft_node node = weft_task(g, NULL, i % 3 ? has_one : has_two, &t);
        takes(g, node, t.limit, i % 3 ? 0 : 2); /* 0: one */
        if (i % 2)
            weft_after(g, node, first);
    }
    weft_plan *nodes = compiled(g);

    for (int i = 0; i < 5; i++) {
        cr_assert_eq(weft_start(&of_nodes[0], s, meeting, NULL), 0);
        cr_assert_eq(weft_start(&of_items, s, items, NULL), 0);
        cr_assert_eq(weft_wait(of_nodes[0], -1, NULL), 0);
        weft_run_destroy(of_nodes[0]);
        for (int k = 0; k < 2; k++)
            cr_assert_eq(weft_start(&of_nodes[k], s, nodes, NULL), 0);
        for (int k = 0; k < 2; k++) {
            cr_assert_eq(weft_wait(of_nodes[k], -1, NULL), 0);
            weft_run_destroy(of_nodes[k]);
        }
        cr_assert_eq(weft_wait(of_items, -1, NULL), 0);
        weft_run_destroy(of_items);
    }
    cr_assert(t.most <= 3);
    cr_assert_eq(stats_of(t.limit).peak, 3);
    cr_assert_eq(stats_of(t.limit).in_use, 0);
    cr_assert_eq(stats_of(t.limit).granted, 5 * (1 + 500 + 2 * 401));
    weft_plan_destroy(meeting);
    weft_plan_destroy(nodes);
    weft_plan_destroy(items);
    weft_sched_destroy(s);
    weft_limit_destroy(t.limit);
}

Test(nodeuse, R12_n_tasks_on_one_token_are_n_grants, .timeout = 60)
{
    enum { N = TIMES(20000, 3000) };
    struct tokens t = { .limit = limit_of("one", 1) };
    weft_graph *g = weft_graph_create();
    for (int i = 0; i < N; i++)
        takes(g, weft_task(g, NULL, has_one, &t), t.limit, 1);
    cr_assert_eq(run_once(g, 3, NULL), 0);
    struct weft_limit_stats stats = stats_of(t.limit);
    cr_assert_eq(t.most, 1);
    cr_assert_eq(stats.granted, N);
    cr_assert_eq(stats.peak, 1);
    cr_assert_eq(stats.in_use, 0);
    cr_assert_eq(stats.waiting, 0);
    weft_limit_destroy(t.limit);
}

/* A task that waits is made ready once more, when it has its token; nobody is
 * woken in vain. */
Test(nodeuse, n_tasks_on_one_token_are_n_times_two_steps, .timeout = 60)
{
    for (unsigned n = 1000; n <= TIMES(64000, 4000); n *= 2) {
        struct tokens t = { .limit = limit_of("one", 1) };
        struct weft_sched_stats stats;
        weft_sched *s = workers(3);
        weft_graph *g = weft_graph_create();
        for (unsigned i = 0; i < n; i++)
            takes(g, weft_task(g, NULL, has_one, &t), t.limit, 1);
        weft_plan *plan = compiled(g);
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        weft_sched_stats(s, &stats);
        cr_assert_eq(stats_of(t.limit).granted, n);
        /* One in so many is a join, or a starter of the roots. */
        cr_assert(stats.tasks <= 2 * n + n / 31 + n / 32 + 8);
        cr_assert(stats.wakes <= 2 * n);
        weft_plan_destroy(plan);
        weft_sched_destroy(s);
        weft_limit_destroy(t.limit);
    }
}

/* ---- without a worker -------------------------------------------------- */

struct meeting {
    _Atomic unsigned has_it, is_free_to_go;
};

static int hold(weft_worker *self, void *ctx)
{
    struct meeting *m = ctx;
    store_relaxed(&m->has_it, 1);
    while (!load_relaxed(&m->is_free_to_go))
        usleep(50);
    return 0;
}

static int let_go(weft_worker *self, void *ctx)
{
    struct meeting *m = ctx;
    store_relaxed(&m->is_free_to_go, 1);
    return 0;
}

/* The only worker goes on to what does not need the token that is elsewhere. */
Test(nodeuse, a_node_waits_without_a_worker, .timeout = 30)
{
    struct meeting m = { 0 };
    struct weft_run *run;
    weft_limit *l = limit_of("nvme0", 1);
    weft_sched *other = workers(1), *one = workers(1);
    _Atomic unsigned ran = 0;

    weft_graph *g = weft_graph_create();
    takes(g, weft_task(g, "hold", hold, &m), l, 1);
    weft_plan *holds = compiled(g);
    g = weft_graph_create();
    takes(g, weft_task(g, "waits", count, &ran), l, 1);
    takes(g, weft_task(g, "waits", count, &ran), l, 1);
    weft_task(g, "let go", let_go, &m);
    weft_plan *waits = compiled(g);
    cr_assert_eq(weft_start(&run, other, holds, NULL), 0);
    while (!load_relaxed(&m.has_it))
        usleep(50);
    cr_assert_eq(weft_run(one, waits, NULL), 0);
    cr_assert_eq(ran, 2);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(holds);
    weft_plan_destroy(waits);
    weft_sched_destroy(one);
    weft_sched_destroy(other);
    weft_limit_destroy(l);
}

/* ---- nodes that run plans ---------------------------------------------- */

static int is_out(weft_worker *self, void *limit)
{
    return stats_of(limit).in_use == 2 ? 0 : -EPROTO;
}

static int is_back(weft_worker *self, void *limit)
{
    return stats_of(limit).in_use == 0 ? 0 : -EPROTO;
}

Test(nodeuse, a_plan_has_the_tokens_of_its_node_until_it_has_ended,
     .timeout = 30)
{
    weft_limit *l = limit_of("gpu", 2);
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", is_out, l);
    weft_after(g, weft_task(g, "b", is_out, l), a);
    weft_plan *inner = compiled(g);
    for (int i = 0; i < TIMES(200, 50); i++) {
        g = weft_graph_create();
        weft_node node = weft_task_plan(g, "inner", inner);
        takes(g, node, l, 2);
        weft_after(g, weft_task(g, "after", is_back, l), node);
        cr_assert_eq(run_once(g, 2, NULL), 0);
    }
    cr_assert_eq(stats_of(l).granted, TIMES(200, 50));
    weft_plan_destroy(inner);
    weft_limit_destroy(l);
}

/* ---- every path gives them back ---------------------------------------- */

struct chance {
    _Atomic unsigned calls, fails_at; /* the call that fails */
};

static int may_fail(weft_worker *self, void *ctx)
{
    struct chance *c = ctx;
    unsigned call = add_relaxed(&c->calls, 1) + 1;
    for (volatile unsigned i = 0; i < call % 7 * 100; i++)
        ;
    return call == load_relaxed(&c->fails_at) ? -EIO : 0;
}

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    return *random ^= *random << 17;
}

enum { NODES = 24 };

/* Nodes with random edges; most take of one limit or of both; two run a plan.
 */
static weft_plan *tangle(struct chance *c, weft_limit *const *l,
                         const weft_plan *inner, uint64_t *random)
{
    weft_graph *g = weft_graph_create();
    weft_node node[NODES];

    for (unsigned i = 0; i < NODES; i++) {
        uint64_t r = next_random(random);
        node[i] = i % 12 == 5 ? weft_task_plan(g, "plan", inner)
                              : weft_task(g, "node", may_fail, c);
        if (r & 1)
            takes(g, node[i], l[0], 1 + (r >> 1 & 1));
        if (r & 4)
            takes(g, node[i], l[1], 1);
        if (i > 3)
            weft_after(g, node[i], node[(r >> 8) % i]);
    }
    return compiled(g);
}

Test(nodeuse, R24_whatever_ends_a_run_all_tokens_are_back, .timeout = 300)
{
    struct chance c = { 0 };
    weft_limit *l[2] = { limit_of("gpu", 2), limit_of("nvme0", 1) };
    weft_sched *s = workers(3);
    uint64_t random = 88172645463325252;
    unsigned ended[3] = { 0 }; /* well, failed, cancelled */
    weft_plan *plan = NULL;
    weft_graph *g = weft_graph_create();
    for (int i = 0; i < 3; i++)
        weft_task(g, NULL, may_fail, &c);
    weft_plan *inner = compiled(g);

    for (int i = 0; i < TIMES(10000, 1000); i++) {
        struct weft_run *run[2];
        if (i % 20 == 0) {
            weft_plan_destroy(plan);
            plan = tangle(&c, l, inner, &random);
        }
        store_relaxed(&c.calls, 0);
        store_relaxed(&c.fails_at, next_random(&random) % 100);
        for (int k = 0; k < 2; k++)
            cr_assert_eq(weft_start(&run[k], s, plan, NULL), 0);
        if (i % 3 == 0) {
            for (volatile uint64_t n = next_random(&random) % 20000; n; n--)
                ;
            weft_cancel(run[i % 2]);
        }
        for (int k = 0; k < 2; k++) {
            int rc = weft_wait(run[k], 60000, NULL);
            cr_assert(rc == 0 || rc == -EIO || rc == -ECANCELED);
            ended[!rc ? 0 : rc == -EIO ? 1 : 2]++;
            weft_run_destroy(run[k]);
        }
        for (int k = 0; k < 2; k++) {
            struct weft_limit_stats stats = stats_of(l[k]);
            cr_assert_eq(stats.in_use, 0);
            cr_assert_eq(stats.waiting, 0);
            cr_assert(stats.peak <= stats.tokens);
        }
    }
    cr_assert(ended[0] && ended[1] && ended[2]);
    weft_plan_destroy(plan);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
    for (int k = 0; k < 2; k++)
        weft_limit_destroy(l[k]);
}

/* ---- mistakes ---------------------------------------------------------- */

/* ---- another run has the tokens ---------------------------------------- */

static int pends(weft_worker *self, void *ctx)
{
    *(_Atomic(weft_pending *) *)ctx = weft_task_pending(self);
    return WEFT_PENDING;
}

static int fails_late(weft_worker *self, void *ctx)
{
    while (!stats_of(ctx).waiting)
        usleep(50);
    return -EIO;
}

/* A run whose task waits for the token of another run, which keeps it until the
 * first one is over. */
Test(nodeuse, R24_a_stop_does_not_wait_for_the_tokens_of_another_run,
     .timeout = 60)
{
    weft_sched *sched = workers(2);
    _Atomic(weft_pending *) holder = NULL;

    for (int how = 0; how < 3; how++) {
        weft_limit *l = limit_of("gpu", 1);
        weft_graph *g = weft_graph_create();
        takes(g, weft_task(g, "holds", pends, &holder), l, 1);
        weft_plan *holds = compiled(g);
        g = weft_graph_create();
        takes(g, weft_task(g, "waits", has_none, NULL), l, 1);
        if (how == 2)
            weft_task(g, "fails", fails_late, l);
        weft_plan *waits = compiled(g);
        struct weft_run *first = started(sched, holds), *second = NULL;
        while (!load_acquire(&holder)) /* that it was stored */
            usleep(50);
        cr_assert_eq(weft_start_with(&second, sched, waits,
                                     weft_config(run, .deadline_ms = how == 1),
                                     NULL),
                     0);
        while (how == 0 && !stats_of(l).waiting)
            usleep(50);
        if (how == 0)
            weft_cancel(second);
        int results[] = { -ECANCELED, -ETIMEDOUT, -EIO };
        cr_assert_eq(weft_wait(second, -1, NULL), results[how]);
        cr_assert_eq(stats_of(l).waiting, 0);
        cr_assert_eq(stats_of(l).in_use, 1);
        weft_task_complete(load_relaxed(&holder), 0);
        store_relaxed(&holder, NULL);
        cr_assert_eq(weft_wait(first, -1, NULL), 0);
        cr_assert_eq(stats_of(l).in_use, 0);
        weft_run_destroy(first);
        weft_run_destroy(second);
        weft_plan_destroy(holds);
        weft_plan_destroy(waits);
        weft_limit_destroy(l);
    }
    weft_sched_destroy(sched);
}

Test(nodeuse, mistakes_are_sentences)
{
    weft_limit *l[5];
    for (int i = 0; i < 5; i++)
        l[i] = limit_of("gpu", 2);

    weft_graph *g = weft_graph_create();
    takes(g, weft_task(g, "copy", nothing, NULL), l[0], 3);
    refused(g, -EINVAL,
            "task 'copy' takes 3 tokens of limit 'gpu', which has 2");

    g = weft_graph_create();
    weft_node node = weft_task(g, "copy", nothing, NULL);
    takes(g, node, l[0], 1);
    takes(g, node, l[0], 1);
    refused(g, -EINVAL,
            "task 'copy' takes of limit 'gpu' twice: add the tokens up");

    g = weft_graph_create();
    node = weft_task(g, NULL, nothing, NULL);
    for (int i = 0; i < 5; i++)
        takes(g, node, l[i], 1);
    refused(g, -EINVAL,
            "task '#1' takes of more than 4 limits, as many as are possible");

    g = weft_graph_create();
    takes(g, weft_task(g, "copy", nothing, NULL), NULL, 1);
    refused(g, -EINVAL, "a use of task 'copy' has no limit");

    g = weft_graph_create();
    weft_task(g, "copy", nothing, NULL);
    takes(g, (weft_node){ 7 }, l[0], 1);
    refused(g, -EINVAL,
            "a use of a limit names node 7, which is none of the 1 tasks of "
            "this graph");
    for (int i = 0; i < 5; i++)
        weft_limit_destroy(l[i]);
}
