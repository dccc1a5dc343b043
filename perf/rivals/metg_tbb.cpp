// metg_tbb.cpp: a stencil as a flow graph that is run again.
#include "perf/rivals/graph_tbb.hpp"
#include "perf/rows/metg.h"

static void measure(const row *row, const row_case *c)
{
    graph_runner heavy = graph_tbb<heavy_node>::runner(nullptr);
    metg_measure(row, c, &heavy);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = METG_CASES(measure);
    row row = row_begin(argc, argv, "metg", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
