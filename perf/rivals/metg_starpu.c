/* metg_starpu.c: a stencil of tasks with declared dependencies. */
#include "perf/rivals/graph_starpu.h"
#include "perf/rows/metg.h"

static void measure(const struct row *row, const struct row_case *c)
{
    metg_measure(row, c, &graph_starpu);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = METG_CASES(measure);
    struct row row = row_begin(argc, argv, "metg", "starpu");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
