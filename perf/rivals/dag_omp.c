/* dag_omp.c: empty tasks with depend clauses. */
#include "perf/rivals/graph_omp.h"
#include "perf/rows/dag.h"

static void measure(const struct row *row, const struct row_case *c)
{
    dag_measure(row, c, &graph_omp);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = DAG_CASES(measure);
    struct row row = row_begin(argc, argv, "dag", OMP_BY);

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
