/* test_cycle.c: where the cycle is, as a sentence. */
#include <stdio.h>

#include "tests/runs.h"

Test(cycle, cycle_is_told_as_a_path_of_names)
{
    weft_graph *g = weft_graph_create();
    weft_node parse = weft_task(g, "parse", nothing, NULL);
    weft_node link = weft_task(g, "link", nothing, NULL);
    weft_after(g, link, parse);
    weft_after(g, parse, link);
    refused(g, -EINVAL, "cycle: parse -> link -> parse");
}

Test(cycle, task_after_itself_is_a_cycle)
{
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_after(g, a, a);
    refused(g, -EINVAL, "cycle: a -> a");
}

Test(cycle, cycle_leaves_out_what_is_before_and_behind_it)
{
    weft_graph *g = weft_graph_create();
    weft_node before = weft_task(g, "before", nothing, NULL);
    weft_node behind = weft_task(g, "behind", nothing, NULL);
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_node b = weft_task(g, "b", nothing, NULL);
    weft_node c = weft_task(g, "c", nothing, NULL);
    weft_after(g, a, before, c);
    weft_after(g, b, a);
    weft_after(g, c, b);
    weft_after(g, behind, c);
    refused(g, -EINVAL, "cycle: a -> b -> c -> a");
}

/* More tasks without a successor than one join of weft's own has before it. */
Test(cycle, cycle_leaves_out_many_last_tasks_behind_it)
{
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", nothing, NULL);
    weft_node b = weft_task(g, "b", nothing, NULL);
    weft_after(g, b, a);
    weft_after(g, a, b, b);
    for (unsigned i = 0; i < 100; i++)
        weft_after(g, weft_task(g, NULL, nothing, NULL), b);
    refused(g, -EINVAL, "cycle: a -> b -> a");
}

Test(cycle, tasks_drawn_last_first_are_no_cycle)
{
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, "last", nothing, NULL);
    for (unsigned i = 0; i < 100; i++) {
        weft_node before = weft_task(g, NULL, nothing, NULL);
        weft_after(g, last, before);
        last = before;
    }
    cr_assert_eq(run_once(g, 2, NULL), 0);
}

Test(cycle, unnamed_tasks_have_a_number_in_a_cycle)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "first", nothing, NULL);
    weft_node second = weft_task(g, NULL, nothing, NULL);
    weft_node third = weft_task(g, "", nothing, NULL);
    weft_after(g, third, second);
    weft_after(g, second, third);
    refused(g, -EINVAL, "cycle: #2 -> #3 -> #2");
}

static weft_graph *ring(unsigned length, const char *format)
{
    weft_graph *g = weft_graph_create();
    weft_node first = { 0 }, last = { 0 };
    for (unsigned i = 0; i < length; i++) {
        char name[300];
        snprintf(name, sizeof name, format, i);
        weft_node node = weft_task(g, name, nothing, NULL);
        if (i)
            weft_after(g, node, last);
        else
            first = node;
        last = node;
    }
    weft_after(g, first, last);
    return g;
}

Test(cycle, long_cycle_is_told_by_its_ends)
{
    refused(ring(8, "t%u"), -EINVAL,
            "cycle: t0 -> t1 -> t2 -> t3 -> t4 -> t5 -> t6 -> t7 -> t0");
    refused(ring(1000, "t%u"), -EINVAL,
            "cycle of 1000 tasks: t0 -> t1 -> t2 -> t3 -> ... -> t997 -> t998 "
            "-> t999 -> t0");
}

Test(cycle, long_names_in_a_cycle_are_cut)
{
    char format[220] = "";
    while (strlen(format) < 200)
        strcat(format, "x");
    refused(ring(1, format), -EINVAL,
            "cycle: xxxxxxxxxxxxxxxxx... -> xxxxxxxxxxxxxxxxx...");
}

Test(cycle, cycle_of_a_million_tasks_is_found, .timeout = 60)
{
    refused(ring(TIMES(1000000, 100000), ""), -EINVAL,
            TIMES("cycle of 1000000 tasks: #1 -> #2 -> #3 -> #4 -> ... -> "
                  "#999998 -> #999999 -> #1000000 -> #1",
                  "cycle of 100000 tasks: #1 -> #2 -> #3 -> #4 -> ... -> "
                  "#99998 -> #99999 -> #100000 -> #1"));
}
