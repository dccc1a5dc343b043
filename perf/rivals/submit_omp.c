/* submit_omp.c: tasks of one thread of a team, which takes part when it waits.
 * There is no way to submit one from outside, nor from idle. */
#include <omp.h>

#include "perf/rows/submit.h"

static void open_threads(const struct row *row)
{
    omp_set_num_threads((int)row->workers);
}

static void tasks(uint64_t count)
{
#pragma omp parallel
#pragma omp single
    for (uint64_t i = 0; i < count; i++)
#pragma omp task
        count_one();
}

static void close_threads(void) {}

static void measure(const struct row *row, const struct row_case *c)
{
    submit_measure(row, c,
                   &(struct submit){ open_threads, tasks, NULL, NULL,
                                     close_threads, NULL, 1 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = {
        { "from 1 thread", measure, FROM_ONE },
    };
    struct row row = row_begin(argc, argv, "submit", OMP_BY);

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
