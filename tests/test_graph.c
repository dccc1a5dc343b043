/* test_graph.c: drawing a graph, with or without mistakes. */
#include "tests/runs.h"

Test(graph, first_mistake_is_kept)
{
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_node never_assigned = { 0 };
    weft_after(g, a, never_assigned);
    weft_task(g, "b", NULL, NULL);
    weft_after(g, a, a);
    refused(g, -EINVAL,
            "a dependency names node 0, which is none of the 1 tasks of this "
            "graph");
}

Test(graph, task_without_a_function_is_a_mistake)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "load", NULL, NULL);
    refused(g, -EINVAL, "task 'load' has no function to call");
}

Test(graph, graph_without_memory_is_reported_by_compile)
{
    weft_node a = weft_task(NULL, "a", nothing, NULL);
    weft_after(NULL, a, a);
    refused(NULL, -ENOMEM, "no memory for a graph");
}

static int fail_eio(weft_worker *self, void *ctx) { return -EIO; }

Test(graph, names_are_copied)
{
    weft_graph *g = weft_graph_create();
    char name[] = "link";
    weft_task(g, name, fail_eio, NULL);
    memset(name, 'x', 4);
    weft_error why;
    cr_assert_eq(run_once(g, 1, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "task 'link' failed: Input/output error"), 0);
}

Test(graph, drawing_goes_on_after_compiling)
{
    _Atomic unsigned ran = 0;
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", count, &ran);
    weft_plan *small = NULL, *large = NULL;
    cr_assert_eq(weft_compile(&small, g, NULL), 0);
    weft_node b = weft_task(g, "b", count, &ran);
    weft_after(g, b, a);
    cr_assert_eq(weft_compile(&large, g, NULL), 0);
    weft_graph_destroy(g);

    weft_sched *s = workers(2);
    cr_assert_eq(weft_run(s, small, NULL), 0);
    cr_assert_eq(ran, 1);
    cr_assert_eq(weft_run(s, large, NULL), 0);
    cr_assert_eq(ran, 3);
    weft_plan_destroy(small);
    weft_plan_destroy(large);
    weft_sched_destroy(s);
}
