/* test_drawspecial.c: graph/drawspecial.c: tasks with a configuration, and many
 * of them at once. */
#include <stdlib.h>

#include "tests/runs.h"

static int increment(weft_worker *self, void *ctx)
{
    ++*(unsigned *)ctx;
    return 0;
}

Test(drawspecial, a_task_with_a_config_is_one_like_any_other)
{
    weft_limit *limit = NULL;
    struct weft_limit_stats stats;
    unsigned sum = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 2), NULL),
        0);
    weft_node a = weft_task_with(
        g, weft_config(task, .name = "a", .fn = increment, .ctx = &sum,
                       .use_count = 1, .uses = &(struct weft_use){ limit, 2 }));
    weft_node b = weft_task_with(
        g, weft_config(task, .name = "b", .fn = increment, .ctx = &sum));
    weft_after(g, b, a);
    cr_assert_eq(run_once(g, 2, &why), 0);
    cr_assert_eq(sum, 2);
    weft_limit_stats(limit, &stats);
    cr_assert_eq(stats.granted, 1);
    cr_assert_eq(stats.peak, 2);
    weft_limit_destroy(limit);
}

/* What is to be done is a word for each task, and an edge to the next row. */
Test(drawspecial, bulk_calls_draw_what_single_calls_do, .timeout = 60)
{
    enum { WIDTH = 100, ROWS = TIMES(1000, 100), EDGES = 3 };
    unsigned *cell = calloc(WIDTH * ROWS, sizeof *cell);
    struct weft_edge *edges = calloc(WIDTH * (ROWS - 1), sizeof *edges);
    weft_graph *g = weft_graph_create();
    weft_node first = weft_tasks(
        g, weft_config(task, .name = "cell", .fn = increment, .ctx = cell),
        WIDTH * ROWS, sizeof *cell);
    size_t n = 0;

    for (unsigned i = WIDTH; i < WIDTH * ROWS; i++)
        edges[n++] = (struct weft_edge){ .from = weft_nth(first, i - WIDTH),
                                         .to = weft_nth(first, i) };
    weft_edges(g, edges, n);
    free(edges);
    cr_assert_eq(run_once(g, 2, NULL), 0);
    for (unsigned i = 0; i < WIDTH * ROWS; i++)
        cr_assert_eq(cell[i], 1);
    free(cell);
}

static int fails_on_the_third(weft_worker *self, void *ctx)
{
    return *(unsigned *)ctx == 3 ? -EIO : 0;
}

Test(drawspecial, tasks_of_a_bulk_call_depend_on_each_other_by_number)
{
    unsigned number[5] = { 1, 2, 3, 4, 5 };
    weft_limit *limit = NULL;
    weft_error why;
    weft_graph *g = weft_graph_create();

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    weft_node before = weft_task(g, "before", nothing, NULL);
    weft_node first = weft_tasks(
        g,
        weft_config(task, .fn = fails_on_the_third, .ctx = number,
                    .use_count = 1, .uses = &(struct weft_use){ limit, 1 }),
        5, sizeof number[0]);
    cr_assert_eq(first.id, before.id + 1);
    weft_after(g, first, weft_nth(first, 4));
    cr_assert_eq(run_once(g, 2, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "task '#4' failed: Input/output error"), 0);
    weft_limit_destroy(limit);
}

Test(drawspecial, no_tasks_and_no_edges_are_none)
{
    unsigned sum = 0;
    weft_graph *g = weft_graph_create();

    cr_assert_eq(weft_tasks(g, weft_config(task, .fn = nothing), 0, 0).id, 0);
    weft_edges(g, NULL, 0);
    weft_task(g, "only", increment, &sum);
    cr_assert_eq(run_once(g, 1, NULL), 0);
    cr_assert_eq(sum, 1);
}

static int draws(weft_worker *self, weft_graph *g, void *ctx) { return 0; }

static int chooses(weft_worker *self, unsigned *which, void *ctx) { return 0; }

Test(drawspecial, mistakes_are_sentences)
{
    weft_graph *g = weft_graph_create();
    weft_task_with(g, weft_config(task, .name = "load"));
    refused(g, -EINVAL, "task 'load' has no function to call");

    g = weft_graph_create();
    weft_task_with(g, NULL);
    refused(g, -EINVAL, "task '#1' has no function to call");

    g = weft_graph_create();
    weft_task_with(
        g, weft_config(task, .name = "load", .fn = nothing, .draw = draws));
    refused(g, -EINVAL,
            "task 'load' is to do several things: give it one of fn, plan, "
            "draw and io");

    g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_edges(g, &(struct weft_edge){ .from = a, .to = { 7 } }, 1);
    refused(g, -EINVAL,
            "a dependency names node 7, which is none of the 1 tasks of this "
            "graph");

    g = weft_graph_create();
    a = weft_task(g, "a", nothing, NULL);
    weft_choose(g, a, (weft_node){ 0 });
    refused(g, -EINVAL,
            "a choice names node 0, which is none of the 1 tasks of this "
            "graph");

    g = weft_graph_create();
    weft_task_with(g, weft_config(task, .name = "fork", .choose = chooses));
    refused(g, -EINVAL,
            "task 'fork' has nothing to choose from: give it choices with "
            "weft_choices");

    g = weft_graph_create();
    a = weft_task(g, "fork", nothing, NULL);
    weft_choose(g, a, weft_task(g, "left", nothing, NULL),
                weft_task(g, "right", nothing, NULL));
    refused(g, -EINVAL,
            "task 'fork' has 2 choices, and no function that chooses");

    g = weft_graph_create();
    a = weft_task(g, "a", nothing, NULL);
    weft_node b = weft_task(g, "b", nothing, NULL);
    weft_choose(g, a, b);
    weft_choose(g, b, a);
    refused(g, -EINVAL,
            "no task can be the first: each is after another, or is there to "
            "be chosen");
}
