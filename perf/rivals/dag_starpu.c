/* dag_starpu.c: empty tasks with declared dependencies. */
#include "perf/rivals/graph_starpu.h"
#include "perf/rows/dag.h"

static void measure(const struct row *row, const struct row_case *c)
{
    dag_measure(row, c, &graph_starpu);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = DAG_CASES(measure);
    struct row row = row_begin(argc, argv, "dag", "starpu");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
