/* limit_omp.c: tasks that depend on one another through a token: with two,
 * every second one on the same. */
#include <omp.h>

#include "perf/rows/limit.h"

static char token[MOST_TOKENS];
static uint64_t count;
static unsigned tokens;

static void open_threads(const struct row *row)
{
    omp_set_num_threads((int)row->workers);
}

static void prepare(uint64_t tasks, unsigned of)
{
    count = tasks;
    tokens = of;
}

static void run(void)
{
#pragma omp parallel
#pragma omp single
    for (uint64_t i = 0; i < count; i++)
#pragma omp task depend(inout : token[i % tokens])
        limited_task();
}

static void nothing(void) {}

static void measure(const struct row *row, const struct row_case *c)
{
    limit_measure(
        row, c,
        &(struct limiter){ open_threads, prepare, run, nothing, nothing, 5 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = LIMIT_CASES(measure);
    struct row row = row_begin(argc, argv, "limit", OMP_BY);

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
