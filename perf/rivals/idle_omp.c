/* idle_omp.c: after a team has worked. */
#include <omp.h>

#include "perf/rows/idle.h"

static void after_work(const struct row *row, const struct row_case *c)
{
    omp_set_num_threads((int)row->workers);
#pragma omp parallel
#pragma omp single
    for (int i = 0; i < IDLE_TASKS; i++)
#pragma omp task
        idle_work();
    row_check(counted() == IDLE_TASKS, "a task did not run once");
    idle_look(row, c, NULL);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = { { "after work", after_work, 0 } };
    struct row row = row_begin(argc, argv, "idle", OMP_BY);

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
