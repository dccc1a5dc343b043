// dag_tbb.cpp: a flow graph of empty nodes, with both policies.
#include "perf/rivals/graph_tbb.hpp"
#include "perf/rows/dag.h"

static void measure(const row *row, const row_case *c)
{
    graph_runner heavy = graph_tbb<heavy_node>::runner(nullptr);
    graph_runner light = graph_tbb<light_node>::runner("tbb lightweight");

    dag_measure(row, c, &heavy);
    // A light node calls the next one: a long chain would need as much stack.
    if (c->which != CHAIN)
        dag_measure(row, c, &light);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = DAG_CASES(measure);
    row row = row_begin(argc, argv, "dag", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
