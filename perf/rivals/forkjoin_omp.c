/* forkjoin_omp.c: tasks, and taskwait. */
#include <omp.h>

#include "perf/rows/forkjoin.h"

static uint64_t fib(uint64_t n)
{
    uint64_t half;

    if (n < 2)
        return n;
#pragma omp task shared(half)
    half = fib(n - 1);
    uint64_t other = fib(n - 2);
#pragma omp taskwait
    return half + other;
}

static void run_actor(struct actor *a)
{
    struct actor child[TEN];

    a->sum = a->number;
    if (a->size == 1)
        return;
    for (unsigned i = 0; i < TEN; i++) {
        child[i] = actor_child(a, i);
#pragma omp task shared(child)
        run_actor(&child[i]);
    }
#pragma omp taskwait
    a->sum = 0;
    for (unsigned i = 0; i < TEN; i++)
        a->sum += child[i].sum;
}

static void run_board(struct board *board)
{
    struct board next[MOST_QUEENS];

    if (board->row == QUEENS_ROWS) {
        count_solutions(board);
        return;
    }
    unsigned count = next_boards(board, next);
    for (unsigned i = 0; i < count; i++)
#pragma omp task shared(next)
        run_board(&next[i]);
#pragma omp taskwait
    for (unsigned i = 0; i < count; i++)
        board->solutions += next[i].solutions;
}

static void run_product(const struct product *p)
{
    struct product part[4];

    if (p->size == 1) {
        multiply_tile(p);
        return;
    }
    for (unsigned i = 0; i < 8; i++) {
        part[i % 4] = product_part(p, i);
#pragma omp task shared(part)
        run_product(&part[i % 4]);
        if (i % 4 == 3) {
#pragma omp taskwait
        }
    }
}

/* ---- in a team ----------------------------------------------------------- */

static uint64_t team_fib(uint64_t n)
{
    uint64_t result = 0;
#pragma omp parallel
#pragma omp single
    result = fib(n);
    return result;
}

static uint64_t team_skynet(uint64_t leaves)
{
    struct actor all = { 0, leaves, 0 };
#pragma omp parallel
#pragma omp single
    run_actor(&all);
    return all.sum;
}

static void team_queens(struct board *board)
{
#pragma omp parallel
#pragma omp single
    run_board(board);
}

static void team_product(struct product *p)
{
#pragma omp parallel
#pragma omp single
    run_product(p);
}

static void open_threads(const struct row *row)
{
    omp_set_num_threads((int)row->workers);
}

static void close_threads(void) {}

static void measure(const struct row *row, const struct row_case *c)
{
    forkjoin_measure(row, c,
                     &(struct forkjoin){ open_threads, team_fib, team_skynet,
                                         team_queens, team_product,
                                         close_threads, 28, 1000000 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = FORKJOIN_CASES(measure);
    struct row row = row_begin(argc, argv, "forkjoin", OMP_BY);

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
