/* test_conditions.c: graph/conditions.c: graphs where tasks choose what comes
 * next. */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

/* ---- branches ---------------------------------------------------------- */

static int choose_number(weft_worker *self, unsigned *which, void *ctx)
{
    *which = *(unsigned *)ctx;
    return 0;
}

/* fork -> left -> behind left, or right; with `after` after left and right. */
struct branches {
    unsigned chosen;
    _Atomic unsigned left, behind_left, right, after, joined;
};

static weft_plan *draw_branches(struct branches *b)
{
    weft_graph *g = weft_graph_create();
    weft_node fork = weft_task_with(g, weft_config(task, .name = "fork",
                                                   .choose = choose_number,
                                                   .ctx = &b->chosen));
    weft_node left = weft_task(g, "left", count, &b->left);
    weft_node right = weft_task(g, "right", count, &b->right);
    weft_node behind = weft_task(g, "behind", count, &b->behind_left);
    weft_node joined = weft_task(g, "joined", count, &b->joined);
    weft_choose(g, fork, left, right);
    weft_after(g, behind, left);
    weft_after(g, weft_task(g, "after", count, &b->after), left, right);
    weft_choose(g, behind, joined);
    weft_choose(g, right, joined);
    return compiled(g);
}

Test(conditions, only_the_branch_that_is_chosen_runs, .timeout = 30)
{
    for (unsigned n = 1; n <= 3; n++) {
        struct branches b = { 0 };
        weft_sched *s = workers(n);
        weft_plan *plan = draw_branches(&b);
        unsigned left = 0, right = 0;
        for (unsigned i = 0; i < TIMES(300, 50); i++) {
            b.chosen = i % 3 == 2 ? WEFT_NO_CHOICE : i % 3;
            left += b.chosen == 0;
            right += b.chosen == 1;
            cr_assert_eq(weft_run(s, plan, NULL), 0);
            cr_assert_eq(b.left, left);
            cr_assert_eq(b.behind_left, left);
            cr_assert_eq(b.right, right);
            cr_assert_eq(b.joined, left + right);
            cr_assert_eq(b.after, 0); /* only one of the two has run */
        }
        weft_plan_destroy(plan);
        weft_sched_destroy(s);
    }
}

/* ---- loops ------------------------------------------------------------- */

/* Newton's square root: as often as it takes. */
struct root {
    double of, is;
    unsigned steps;
};

static int begin_root(weft_worker *self, void *ctx)
{
    struct root *r = weft_task_context(self);
    r->is = r->of;
    r->steps = 0;
    return 0;
}

static int improve(weft_worker *self, void *ctx)
{
    struct root *r = weft_task_context(self);
    r->is = (r->is + r->of / r->is) / 2;
    r->steps++;
    return 0;
}

static int has_converged(weft_worker *self, unsigned *which, void *ctx)
{
    struct root *r = weft_task_context(self);
    double error = r->is * r->is - r->of;
    *which = error > 1e-9 || error < -1e-9 ? 0 : WEFT_NO_CHOICE;
    return 0;
}

Test(conditions, a_task_is_repeated_until_it_has_converged, .timeout = 30)
{
    enum { RUNS = 16 };
    struct root roots[RUNS];
    struct weft_run *run[RUNS];
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();
    weft_node begin = weft_task(g, "begin", begin_root, NULL);
    weft_node step =
        weft_task_with(g, weft_config(task, .name = "step", .fn = improve,
                                      .choose = has_converged));
    weft_after(g, step, begin);
    weft_choose(g, step, step);
    weft_plan *plan = compiled(g);

    for (int again = 0; again < TIMES(100, 10); again++) {
        for (int i = 0; i < RUNS; i++) {
            roots[i].of = again + i + 2;
            cr_assert_eq(weft_start_with(&run[i], s, plan,
                                         weft_config(run, .ctx = &roots[i]),
                                         NULL),
                         0);
        }
        for (int i = 0; i < RUNS; i++) {
            cr_assert_eq(weft_wait(run[i], -1, NULL), 0);
            weft_run_destroy(run[i]);
            cr_assert(roots[i].steps >= 3 && roots[i].steps < 100);
            cr_assert(roots[i].is * roots[i].is - roots[i].of < 1e-8);
        }
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* A loop whose body is wide: all of a round come before the next. Plain ints on
 * purpose: see test_dag.c. */
enum { BODY = 8, ROUNDS = 50 };

struct rounds {
    unsigned round, done[BODY], wrong[BODY];
};

static int in_round(weft_worker *self, void *ctx)
{
    struct rounds *r = weft_task_context(self);
    unsigned i = *(unsigned *)ctx;
    r->wrong[i] += r->done[i] != r->round;
    r->done[i]++;
    return 0;
}

static int end_round(weft_worker *self, void *ctx)
{
    struct rounds *r = weft_task_context(self);
    r->round++;
    for (unsigned i = 0; i < BODY; i++)
        r->wrong[i] += r->done[i] != r->round;
    return 0;
}

static int next_round(weft_worker *self, unsigned *which, void *ctx)
{
    struct rounds *r = weft_task_context(self);
    *which = r->round < ROUNDS ? 0 : WEFT_NO_CHOICE;
    return 0;
}

Test(conditions, a_round_of_a_wide_loop_comes_after_the_one_before,
     .timeout = 60)
{
    static unsigned number[BODY];
    struct rounds r;
    struct weft_run *run;
    weft_sched *s = workers(3);
    weft_graph *g = weft_graph_create();
    weft_node start = weft_task(g, "start", nothing, NULL);
    weft_node open = weft_task(g, "open", nothing, NULL);
    weft_node close =
        weft_task_with(g, weft_config(task, .name = "close", .fn = end_round,
                                      .choose = next_round));
    weft_choose(g, start, open);
    weft_choose(g, close, open);
    for (unsigned i = 0; i < BODY; i++) {
        number[i] = i;
        weft_node body = weft_task(g, "body", in_round, &number[i]);
        weft_after(g, body, open);
        weft_after(g, close, body);
    }
    weft_plan *plan = compiled(g);
    for (int i = 0; i < TIMES(200, 10); i++) {
        r = (struct rounds){ 0 };
        cr_assert_eq(
            weft_start_with(&run, s, plan, weft_config(run, .ctx = &r), NULL),
            0);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_run_destroy(run);
        cr_assert_eq(r.round, ROUNDS);
        for (unsigned k = 0; k < BODY; k++)
            cr_assert_eq(r.wrong[k], 0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

static int a_million(weft_worker *self, unsigned *which, void *ctx)
{
    *which = ++*(unsigned *)ctx % TIMES(1000000, 20000) ? 0 : WEFT_NO_CHOICE;
    return 0;
}

Test(conditions, a_loop_of_a_million_needs_no_stack, .timeout = 60)
{
    unsigned rounds = 0;
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "first", nothing, NULL);
    weft_node loop =
        weft_task_with(g, weft_config(task, .name = "loop", .choose = a_million,
                                      .ctx = &rounds));
    weft_after(g, loop, first);
    weft_choose(g, loop, loop);
    cr_assert_eq(run_once(g, 2, NULL), 0);
    cr_assert_eq(rounds, TIMES(1000000, 20000));
}

/* Chosen by many at once: once for each, and never twice at a time. */
struct narrow {
    _Atomic bool inside;
    unsigned calls, wrong; /* plain: see above */
};

static int pass(weft_worker *self, void *ctx)
{
    struct narrow *n = ctx;
    n->wrong += load_relaxed(&n->inside);
    store_relaxed(&n->inside, true);
    n->calls++;
    for (volatile int i = 0; i < 50; i++)
        ;
    store_relaxed(&n->inside, false);
    return 0;
}

Test(conditions, a_task_that_many_choose_runs_once_for_each_one_at_a_time,
     .timeout = 60)
{
    enum { MANY = 200 };
    struct narrow n = { .calls = 0 };
    weft_limit *limit = NULL;
    weft_sched *s = workers(4);
    weft_graph *g = weft_graph_create();
    weft_node narrow = weft_task(g, "narrow", pass, &n);

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    weft_task_uses(g, narrow, &(struct weft_use){ limit, 1 }, 1);
    for (int i = 0; i < MANY; i++)
        weft_choose(g, weft_task(g, NULL, nothing, NULL), narrow);
    weft_plan *plan = compiled(g);
    for (unsigned i = 1; i <= TIMES(100, 10); i++) {
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(n.calls, i * MANY);
        cr_assert_eq(n.wrong, 0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}

/* ---- a loop that leaves another task behind ----------------------------- */

enum { MOST_BEHIND = 1 << 20 };

static int for_ever(weft_worker *self, unsigned *which, void *ctx)
{
    *which = 0;
    return 0;
}

static int goes_round(weft_worker *self, void *ctx)
{
    unsigned rounds = add_relaxed((_Atomic unsigned *)ctx, 1) + 1;
    return rounds > MOST_BEHIND + 1 ? -EPROTO : 0;
}

static int stays_behind(weft_worker *self, void *ctx)
{
    while (load_relaxed((_Atomic unsigned *)ctx) <= MOST_BEHIND)
        usleep(100);
    return 0;
}

Test(conditions, a_loop_that_does_not_wait_for_a_task_ends_with_a_sentence,
     .timeout = 60)
{
    _Atomic unsigned rounds = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_node start = weft_task(g, "start", nothing, NULL);
    weft_node loop =
        weft_task_with(g, weft_config(task, .name = "loop", .fn = goes_round,
                                      .ctx = &rounds, .choose = for_ever));

    weft_choose(g, start, loop);
    weft_choose(g, loop, loop);
    weft_after(g, weft_task(g, "behind", stays_behind, &rounds), loop);
    cr_assert_eq(run_once(g, 2, &why), -EOVERFLOW);
    cr_assert_eq(strcmp(why.text,
                        "task 'behind' is to execute 1048576 times more than "
                        "it has: what activates it does not wait for it"),
                 0);
    cr_assert_eq(rounds, MOST_BEHIND + 1);
}

static uint64_t next_random(uint64_t *random)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    return *random ^= *random << 17;
}

static unsigned below(uint64_t *random, unsigned n)
{
    return (unsigned)(next_random(random) >> 33) % n;
}

/* ---- the end ----------------------------------------------------------- */

static int may_fail(weft_worker *self, void *ctx)
{
    _Atomic unsigned *left = ctx;
    return sub_acq_rel(left, 1) == 1 ? -EIO : 0; /* whichever is the last */
}

/* Two loops without an end, and what they have to give back. */
Test(conditions, R24_a_failure_or_a_cancel_ends_loops_and_tokens_are_back,
     .timeout = 300)
{
    _Atomic unsigned left = 0;
    uint64_t random = 4711;
    weft_limit *limit = NULL;
    struct weft_limit_stats stats;
    weft_sched *s = workers(3);
    weft_graph *g = weft_graph_create();

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    for (int i = 0; i < 2; i++) {
        weft_node first = weft_task(g, NULL, nothing, NULL);
        weft_node loop = weft_task_with(
            g, weft_config(task, .name = "loop", .fn = may_fail, .ctx = &left,
                           .choose = for_ever, .use_count = 1,
                           .uses = &(struct weft_use){ limit, 1 }));
        weft_after(g, loop, first);
        weft_choose(g, loop, loop);
    }
    weft_plan *plan = compiled(g);
    for (int i = 0; i < TIMES(10000, 500); i++) {
        struct weft_run *run;
        bool cancels = i % 2;
        store_relaxed(&left,
                      cancels ? 0 : 1 + below(&random, 100)); /* 0: never */
        run = started(s, plan);
        if (cancels) {
            for (volatile unsigned n = below(&random, 5000); n; n--)
                ;
            weft_cancel(run);
        }
        cr_assert_eq(weft_wait(run, -1, NULL), cancels ? -ECANCELED : -EIO);
        weft_run_destroy(run);
        weft_limit_stats(limit, &stats);
        cr_assert_eq(stats.in_use, 0);
        cr_assert_eq(stats.waiting, 0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}

Test(conditions, a_deadline_ends_a_loop, .timeout = 30)
{
    struct weft_run *run;
    weft_error why;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, NULL, nothing, NULL);
    weft_node loop =
        weft_task_with(g, weft_config(task, .name = "loop", .fn = nothing,
                                      .choose = for_ever));
    weft_after(g, loop, first);
    weft_choose(g, loop, loop);
    weft_plan *plan = compiled(g);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(weft_start_with(&run, s, plan,
                                     weft_config(run, .deadline_ms = 5), NULL),
                     0);
        cr_assert_eq(weft_wait(run, -1, &why), -ETIMEDOUT);
        cr_assert_eq(
            strcmp(why.text, "the run took longer than its deadline of 5 ms"),
            0);
        weft_run_destroy(run);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* A pipeline that is run in each round of a loop. */
static int add_item(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1u);
    return 0;
}

static int ten_rounds(weft_worker *self, unsigned *which, void *ctx)
{
    *which = ++*(unsigned *)ctx % 10 ? 0 : WEFT_NO_CHOICE;
    return 0;
}

Test(conditions, a_pipeline_is_run_in_each_round, .timeout = 30)
{
    static const uint64_t numbers[20];
    _Atomic unsigned items = 0;
    unsigned rounds = 0;
    weft_sched *s = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_graph *g = weft_graph_create();

    weft_source_array(p, "numbers", numbers, 20, sizeof numbers[0]);
    weft_stage(
        p, weft_config(stage, .name = "add", .fn = add_item, .ctx = &items));
    weft_plan *inner = pipeline_plan(p);
    weft_node first = weft_task(g, NULL, nothing, NULL);
    weft_node round = weft_task_plan(g, "round", inner);
    weft_node again = weft_task_with(
        g, weft_config(task, .choose = ten_rounds, .ctx = &rounds));
    weft_choose(g, first, round);
    weft_after(g, again, round);
    weft_choose(g, again, round);
    weft_plan *plan = compiled(g);
    for (unsigned i = 1; i <= TIMES(50, 10); i++) {
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(load_relaxed(&items), i * 200);
    }
    weft_plan_destroy(plan);
    weft_plan_destroy(inner);
    weft_sched_destroy(s);
}

/* ---- mistakes ---------------------------------------------------------- */

static int fails_to_choose(weft_worker *self, unsigned *which, void *ctx)
{
    *which = 0;
    return -EPERM;
}

/* ---- counts ------------------------------------------------------------ */

enum { MANY_ROUNDS = 40 };

static int again_until(weft_worker *self, unsigned *which, void *rounds)
{
    if (add_relaxed((_Atomic unsigned *)rounds, 1) + 1 < MANY_ROUNDS)
        *which = 0;
    return 0;
}

/* A task after two that end again and again, each in its loop: it runs for
 * every two ends, whichever they are. */
Test(conditions, what_is_counted_while_a_count_is_set_anew_is_not_lost,
     .timeout = 60)
{
    _Atomic unsigned rounds[2], both;
    weft_sched *sched = workers(3);
    weft_graph *g = weft_graph_create();
    weft_node after = weft_task(g, "both", count, &both);

    for (int i = 0; i < 2; i++) {
        weft_node start = weft_task(g, "start", nothing, NULL);
        weft_node loop = weft_task_with(g, weft_config(task, .name = "again",
                                                       .choose = again_until,
                                                       .ctx = &rounds[i]));
        weft_choose(g, start, loop);
        weft_choose(g, loop, loop);
        weft_after(g, after, loop);
    }
    weft_plan *plan = compiled(g);

    for (int i = 0; i < TIMES(20000, 4000); i++) {
        for (int k = 0; k < 2; k++)
            store_relaxed(&rounds[k], 0);
        store_relaxed(&both, 0);
        cr_assert_eq(weft_run(sched, plan, NULL), 0);
        for (int k = 0; k < 2; k++)
            cr_assert_eq(rounds[k], MANY_ROUNDS);
        cr_assert_eq(both, MANY_ROUNDS);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(conditions, mistakes_are_sentences)
{
    unsigned two = 2;
    _Atomic unsigned ran = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_node target = weft_task(g, "target", count, &ran);
    weft_node fork =
        weft_task_with(g, weft_config(task, .name = "fork", .ctx = &two,
                                      .choose = choose_number));
    weft_choose(g, fork, target, target);
    cr_assert_eq(run_once(g, 1, &why), -EINVAL);
    cr_assert_eq(
        strcmp(why.text, "task 'fork' chose number 2 of its 2 choices"), 0);
    cr_assert_eq(ran, 0);

    g = weft_graph_create();
    target = weft_task(g, "target", count, &ran);
    fork = weft_task_with(
        g, weft_config(task, .name = "fork", .choose = fails_to_choose));
    weft_choose(g, fork, target);
    cr_assert_eq(run_once(g, 1, &why), -EPERM);
    cr_assert_eq(
        strcmp(why.text, "task 'fork' failed: Operation not permitted"), 0);
    cr_assert_eq(ran, 0);

    g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_node b = weft_task(g, "b", nothing, NULL);
    weft_after(g, b, a);
    weft_after(g, a, b);
    weft_choose(g, weft_task(g, "c", nothing, NULL), a);
    refused(g, -EINVAL, "cycle: a -> b -> a; only a choice may lead back");
}
