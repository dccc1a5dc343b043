/* metg_weft.c: a stencil as a compiled graph that is run again. */
#include "perf/rows/graph_weft.h"
#include "perf/rows/metg.h"

static void measure(const struct row *row, const struct row_case *c)
{
    metg_measure(row, c, &graph_weft);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = METG_CASES(measure);
    struct row row = row_begin(argc, argv, "metg", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
