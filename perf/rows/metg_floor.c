/* metg_floor.c: a stencil with the least that it takes. */
#include "perf/rows/graph_floor.h"
#include "perf/rows/metg.h"

static void measure(const struct row *row, const struct row_case *c)
{
    metg_measure(row, c, &graph_floor);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = METG_CASES(measure);
    struct row row = row_begin(argc, argv, "metg", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
