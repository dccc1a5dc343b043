/* dag_weft.c: a graph of empty tasks. */
#include "perf/rows/dag.h"
#include "perf/rows/graph_weft.h"

static void measure(const struct row *row, const struct row_case *c)
{
    dag_measure(row, c, &graph_weft);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = DAG_CASES(measure);
    struct row row = row_begin(argc, argv, "dag", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
