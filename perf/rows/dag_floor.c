/* dag_floor.c: the same graphs with the least that it takes. */
#include "perf/rows/dag.h"
#include "perf/rows/graph_floor.h"

static void measure(const struct row *row, const struct row_case *c)
{
    dag_measure(row, c, &graph_floor);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = DAG_CASES(measure);
    struct row row = row_begin(argc, argv, "dag", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
