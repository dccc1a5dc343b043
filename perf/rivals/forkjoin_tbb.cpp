// forkjoin_tbb.cpp: task_group, one for each that waits.
#include <optional>
#include <tbb/global_control.h>
#include <tbb/task_group.h>

#include "perf/rows/forkjoin.h"

static std::optional<tbb::global_control> control;

static void open_threads(const row *row)
{
    control.emplace(tbb::global_control::max_allowed_parallelism, row->workers);
}

static void close_threads() { control.reset(); }

static uint64_t fib(uint64_t n)
{
    if (n < 2)
        return n;
    uint64_t half;
    tbb::task_group group;
    group.run([&half, n] { half = fib(n - 1); });
    uint64_t other = fib(n - 2);
    group.wait();
    return half + other;
}

static void run_actor(actor *a)
{
    actor child[TEN];

    a->sum = a->number;
    if (a->size == 1)
        return;
    tbb::task_group group;
    for (unsigned i = 0; i < TEN; i++) {
        child[i] = actor_child(a, i);
        group.run([it = &child[i]] { run_actor(it); });
    }
    group.wait();
    a->sum = 0;
    for (const actor &it : child)
        a->sum += it.sum;
}

static uint64_t skynet(uint64_t leaves)
{
    actor all = { 0, leaves, 0 };
    run_actor(&all);
    return all.sum;
}

static void queens(board *board)
{
    struct board next[MOST_QUEENS];

    if (board->row == QUEENS_ROWS) {
        count_solutions(board);
        return;
    }
    unsigned count = next_boards(board, next);
    tbb::task_group group;
    for (unsigned i = 0; i < count; i++)
        group.run([it = &next[i]] { queens(it); });
    group.wait();
    for (unsigned i = 0; i < count; i++)
        board->solutions += next[i].solutions;
}

static void multiply(product *p)
{
    product part[4];

    if (p->size == 1) {
        multiply_tile(p);
        return;
    }
    tbb::task_group group;
    for (unsigned i = 0; i < 8; i++) {
        part[i % 4] = product_part(p, i);
        group.run([it = &part[i % 4]] { multiply(it); });
        if (i % 4 == 3)
            group.wait();
    }
}

static void measure(const row *row, const row_case *c)
{
    forkjoin tbb = { open_threads, fib,           skynet, queens,
                     multiply,     close_threads, 31,     1000000 };
    forkjoin_measure(row, c, &tbb);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = FORKJOIN_CASES(measure);
    row row = row_begin(argc, argv, "forkjoin", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
