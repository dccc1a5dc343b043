/* test_node.c: graph/node.c: tasks that draw and run a graph of their own when
 * they execute. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

/* A Fibonacci number by drawing: each task draws two of its kind and their sum.
 */
struct number {
    unsigned n;
    unsigned value;
    struct number *parts[2];
};

static int add_parts(weft_worker *self, void *ctx)
{
    struct number *f = ctx;
    f->value = f->parts[0]->value + f->parts[1]->value;
    free(f->parts[0]);
    free(f->parts[1]);
    return 0;
}

static int draw_parts(weft_worker *self, weft_graph *g, void *ctx)
{
    struct number *f = ctx;
    if (f->n < 2) {
        f->value = f->n;
        return 0;
    }
    weft_node sum = weft_task(g, "sum", add_parts, f);
    for (unsigned i = 0; i < 2; i++) {
        f->parts[i] = calloc(1, sizeof *f->parts[i]);
        f->parts[i]->n = f->n - 1 - i;
        weft_after(g, sum,
                   weft_task_with(g, weft_config(task, .name = "part",
                                                 .draw = draw_parts,
                                                 .ctx = f->parts[i])));
    }
    return 0;
}

Test(node, a_task_draws_what_draws_again_and_ends_after_it, .timeout = 60)
{
    for (unsigned n = 1; n <= 3; n++) {
        struct number f = { .n = TIMES(16, 10) };
        weft_graph *g = weft_graph_create();
        weft_task_with(g, weft_config(task, .name = "fibonacci",
                                      .draw = draw_parts, .ctx = &f));
        cr_assert_eq(run_once(g, n, NULL), 0);
        cr_assert_eq(f.value, TIMES(987, 55));
    }
}

/* ---- depth ------------------------------------------------------------- */

struct depth {
    unsigned left; /* plain: one after the other */
    int result;    /* of the deepest */
    unsigned after, reached;
    bool no_after; /* the end of each is the end of what it is in */
};

static int is_back(weft_worker *self, void *ctx)
{
    ((struct depth *)ctx)->after++;
    return 0;
}

static int at_the_bottom(weft_worker *self, void *ctx)
{
    struct depth *d = ctx;
    d->reached++;
    return d->result;
}

static int draw_deeper(weft_worker *self, weft_graph *g, void *ctx)
{
    struct depth *d = ctx;
    weft_node down =
        d->left-- == 1
            ? weft_task(g, "bottom", at_the_bottom, d)
            : weft_task_with(g, weft_config(task, .name = "down",
                                            .draw = draw_deeper, .ctx = d));
    if (!d->no_after)
        weft_after(g, weft_task(g, "back", is_back, d), down);
    return 0;
}

static weft_graph *deep(struct depth *d)
{
    weft_graph *g = weft_graph_create();
    weft_task_with(
        g, weft_config(task, .name = "top", .draw = draw_deeper, .ctx = d));
    return g;
}

/* On stacks of 256 KiB a frame for each would be too much. */
enum { DEPTH = TIMES(30000, 3000) };

Test(node, thirty_thousand_graphs_in_each_other_need_no_stack, .timeout = 60)
{
    pthread_attr_t small, old;
    pthread_getattr_default_np(&old);
    pthread_getattr_default_np(&small);
    /* ThreadSanitizer does not start a thread with less. */
    pthread_attr_setstacksize(&small, TIMES(256, 1024) * 1024);
    pthread_setattr_default_np(&small);

    struct depth d = { .left = DEPTH };
    cr_assert_eq(run_once(deep(&d), 1, NULL), 0);
    cr_assert_eq(d.reached, 1);
    cr_assert_eq(d.after, DEPTH);

    d = (struct depth){ .left = DEPTH, .no_after = true };
    cr_assert_eq(run_once(deep(&d), 1, NULL), 0);
    cr_assert_eq(d.reached, 1);

    d = (struct depth){ .left = DEPTH, .result = -EIO };
    cr_assert_eq(run_once(deep(&d), 2, NULL), -EIO);
    cr_assert_eq(d.after, 0);

    pthread_setattr_default_np(&old);
    pthread_attr_destroy(&small);
    pthread_attr_destroy(&old);
}

/* At the bottom is a pipeline whose item waits until it is cancelled. */
struct bottom {
    struct weft_run *run;
    const weft_plan *stuck;
    unsigned left; /* plain: one after the other */
    _Atomic bool is_there;
    _Atomic unsigned cancelled;
};

static int get_stuck(weft_worker *self, void *item, void *ctx)
{
    store_release(&((struct bottom *)ctx)->is_there, true); /* for the test */
    return WEFT_PENDING;
}

static void let_go(void *item, void *ctx)
{
    add_relaxed(&((struct bottom *)ctx)->cancelled, 1u);
    weft_complete(NULL, item, 0);
}

static int draw_to_bottom(weft_worker *self, weft_graph *g, void *ctx)
{
    struct bottom *b = ctx;
    if (b->left-- == 1)
        weft_task_plan(g, "bottom", b->stuck);
    else
        weft_task_with(g, weft_config(task, .name = "down",
                                      .draw = draw_to_bottom, .ctx = b));
    return 0;
}

static void *cancel(void *ctx)
{
    weft_cancel(((struct bottom *)ctx)->run);
    return NULL;
}

Test(node, a_cancel_reaches_the_deepest_of_them_on_a_small_stack, .timeout = 60)
{
    static const uint64_t number[1];
    struct bottom b = { .left = DEPTH };
    pthread_attr_t attributes;
    pthread_t thread;
    weft_sched *s = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_graph *g = weft_graph_create();

    weft_source_array(p, "one", number, 1, sizeof number[0]);
    weft_stage(p, weft_config(stage, .name = "wait", .fn = get_stuck, .ctx = &b,
                              .cancel = let_go));
    weft_plan *stuck = pipeline_plan(p);
    b.stuck = stuck;
    weft_task_with(
        g, weft_config(task, .name = "top", .draw = draw_to_bottom, .ctx = &b));
    weft_plan *plan = compiled(g);
    b.run = started(s, plan);
    while (!load_acquire(&b.is_there)) /* get_stuck's */
        usleep(100);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, (size_t)256 << 10);
    cr_assert_eq(pthread_create(&thread, &attributes, cancel, &b), 0);
    pthread_join(thread, NULL);
    cr_assert_eq(weft_wait(b.run, -1, NULL), -ECANCELED);
    cr_assert_eq(b.cancelled, 1);
    weft_run_destroy(b.run);
    pthread_attr_destroy(&attributes);
    weft_plan_destroy(plan);
    weft_plan_destroy(stuck);
    weft_sched_destroy(s);
}

/* It would wait for what is fed until the run is drained. */
static int draw_fed(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_task_plan(g, "fed", ctx);
    return 0;
}

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

Test(node, a_drain_reaches_what_a_task_has_drawn, .timeout = 60)
{
    weft_sched *s = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) }));
    weft_graph *g = weft_graph_create();

    weft_source_fed(p, "nobody");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    weft_plan *fed = pipeline_plan(p);
    weft_task_with(
        g, weft_config(task, .name = "outer", .draw = draw_fed, .ctx = fed));
    weft_plan *plan = compiled(g);
    for (int i = 0; i < TIMES(500, 50); i++) {
        struct weft_run *run = started(s, plan);
        if (i % 2)
            usleep(100);
        weft_drain(run);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_run_destroy(run);
    }
    weft_plan_destroy(plan);
    weft_plan_destroy(fed);
    weft_sched_destroy(s);
}

/* ---- failures ---------------------------------------------------------- */

static int fails(weft_worker *self, void *ctx) { return -ENOENT; }

static int draw_inner_failure(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_node a = weft_task(g, "inner", fails, NULL);
    weft_after(g, weft_task(g, "behind", count, ctx), a);
    return 0;
}

static int draw_cycle(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_node b = weft_task(g, "b", nothing, NULL);
    weft_after(g, b, a);
    weft_after(g, a, b);
    return 0;
}

static int does_not_draw(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_task(g, "never", count, ctx);
    return -EACCES;
}

static void fails_as(weft_draw_fn *draw, int error, const char *sentence)
{
    _Atomic unsigned ran = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_node outer = weft_task_with(
        g, weft_config(task, .name = "outer", .draw = draw, .ctx = &ran));
    weft_after(g, weft_task(g, "after", count, &ran), outer);
    cr_assert_eq(run_once(g, 2, &why), error);
    cr_assert_eq(strcmp(why.text, sentence), 0);
    cr_assert_eq(ran, 0);
}

Test(node, a_failure_names_the_outer_and_the_inner_task)
{
    fails_as(draw_inner_failure, -ENOENT,
             "task 'outer' failed: task 'inner' failed: No such file or "
             "directory");
    fails_as(draw_cycle, -EINVAL, "task 'outer' failed: cycle: a -> b -> a");
    fails_as(does_not_draw, -EACCES, "task 'outer' failed: Permission denied");
}

Test(node, a_drawing_that_is_empty_ends)
{
    struct number f = { .n = 0 };
    weft_graph *g = weft_graph_create();
    weft_task_with(
        g, weft_config(task, .name = "none", .draw = draw_parts, .ctx = &f));
    cr_assert_eq(run_once(g, 1, NULL), 0);
}

/* ---- cancelled at any moment ------------------------------------------- */

struct tree {
    unsigned depth;
    _Atomic unsigned drawn, leaves;
};

static int draw_tree(weft_worker *self, weft_graph *g, void *ctx);

static weft_node tree_node(weft_graph *g, struct tree *below)
{
    return weft_task_with(
        g, weft_config(task, .name = "tree", .draw = draw_tree, .ctx = below));
}

static int draw_tree(weft_worker *self, weft_graph *g, void *ctx)
{
    struct tree *t = ctx; /* of this level; the next is behind it */
    add_relaxed(&t->drawn, 1u);
    for (int i = 0; i < 3; i++)
        if (t->depth)
            tree_node(g, t + 1);
        else
            weft_task(g, "leaf", count, &t->leaves);
    return 0;
}

Test(node, R24_a_cancel_at_any_moment_ends_graphs_that_draw_graphs,
     .timeout = 120)
{
    enum { LEVELS = 4 };
    static struct tree level[LEVELS];
    unsigned cancelled = 0, whole = 0;
    uint64_t random = 99;
    weft_sched *s = workers(3);
    weft_graph *g = weft_graph_create();

    tree_node(g, level);
    weft_plan *plan = compiled(g);
    for (int i = 0; i < TIMES(3000, 200); i++) {
        for (unsigned k = 0; k < LEVELS; k++)
            level[k] = (struct tree){ .depth = LEVELS - 1 - k };
        struct weft_run *run = started(s, plan);
        random = random * 6364136223846793005u + 1442695040888963407u;
        if (i % 4)
            for (volatile unsigned n = (random >> 33) % 100000; n; n--)
                ;
        else
            cr_assert_eq(weft_wait(run, -1, NULL), 0);
        weft_cancel(run);
        int rc = weft_wait(run, -1, NULL);
        weft_run_destroy(run);
        cr_assert(rc == 0 || rc == -ECANCELED);
        if (rc == 0)
            cr_assert_eq(level[LEVELS - 1].leaves, 81);
        cancelled += rc != 0;
        whole += rc == 0;
    }
    cr_assert(cancelled && whole);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}
