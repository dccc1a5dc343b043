/* forkjoin_work.c: the work of the row that is no task, and how it is asked. */
#include "perf/rows/forkjoin.h"

enum { QUEENS = 13, MATRIX = 2048, LEAST_MATRIX = 256 };

static int32_t *a, *b, *c;

/* ---- tiles --------------------------------------------------------------- */

/* As many sums at a time as registers hold. */
static inline __attribute__((always_inline)) void
multiply_numbers(int32_t *restrict to, const int32_t *restrict left,
                 const int32_t *restrict right)
{
    enum { SUMS = 32 };

    for (int row = 0; row < TILE; row++)
        for (int column = 0; column < TILE; column += SUMS) {
            int32_t sum[SUMS];
            memcpy(sum, to + row * TILE + column, sizeof sum);
            for (int k = 0; k < TILE; k++)
                for (int i = 0; i < SUMS; i++)
                    sum[i] +=
                        left[row * TILE + k] * right[k * TILE + column + i];
            memcpy(to + row * TILE + column, sum, sizeof sum);
        }
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void
multiply_wide(int32_t *to, const int32_t *left, const int32_t *right)
{
    multiply_numbers(to, left, right);
}
#endif

static int32_t *tile(int32_t *of, unsigned all, unsigned row, unsigned column)
{
    return of + ((size_t)row * all + column) * TILE * TILE;
}

void multiply_tile(const struct product *p)
{
    int32_t *to = tile(c, p->all, p->row, p->column);
    const int32_t *left = tile(a, p->all, p->row, p->inner);
    const int32_t *right = tile(b, p->all, p->inner, p->column);

#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2")) {
        multiply_wide(to, left, right);
        return;
    }
#endif
    multiply_numbers(to, left, right);
}

static int32_t number(const int32_t *of, unsigned n, unsigned row,
                      unsigned column)
{
    size_t lies = (size_t)(row / TILE) * (n / TILE) + column / TILE;
    return of[lies * TILE * TILE + row % TILE * TILE + column % TILE];
}

/* A few numbers of each tile. */
static void check_product(unsigned n)
{
    for (unsigned row = 0; row < n; row += 61)
        for (unsigned column = row % 7; column < n; column += 59) {
            int32_t sum = 0;
            for (unsigned k = 0; k < n; k++)
                sum += number(a, n, row, k) * number(b, n, k, column);
            row_check(number(c, n, row, column) == sum, "a wrong product");
        }
}

/* ---- queens -------------------------------------------------------------- */

static uint64_t solutions(unsigned all, unsigned columns, unsigned left,
                          unsigned right)
{
    unsigned free = all & ~(columns | left | right);
    uint64_t found = columns == all;

    for (; free; free &= free - 1) {
        unsigned queen = free & -free;
        found += solutions(all, columns | queen, (left | queen) << 1,
                           (right | queen) >> 1);
    }
    return found;
}

void count_solutions(struct board *board)
{
    board->solutions = solutions((1u << board->queens) - 1, board->columns,
                                 board->left, board->right);
}

/* ---- the question -------------------------------------------------------- */

/* What fib(n) is, and how many children it has: a call with n > 1 has one. */
static uint64_t fib_of(uint64_t n, uint64_t *tasks)
{
    uint64_t this = 0, next = 1;

    for (; n; n--) {
        uint64_t sum = this + next;
        this = next;
        next = sum;
    }
    *tasks = next - 1;
    return this;
}

static double ask_fib(const struct forkjoin *f, uint64_t n)
{
    uint64_t tasks, is = fib_of(n, &tasks), began = wall_ns();
    uint64_t result = f->fib(n);
    double took = (double)(wall_ns() - began);

    row_check(result == is, "a wrong number of Fibonacci");
    return took / (double)tasks;
}

static double ask_skynet(const struct forkjoin *f, uint64_t leaves)
{
    uint64_t began = wall_ns(), sum = f->skynet(leaves);
    double took = (double)(wall_ns() - began);

    row_check(sum == leaves * (leaves - 1) / 2, "a wrong sum of the leaves");
    return took / ((double)leaves / 9 * 10);
}

static double ask_queens(const struct forkjoin *f, unsigned n)
{
    static const uint64_t right[] = {
        [8] = 92, [9] = 352, [10] = 724, [11] = 2680, [12] = 14200, [13] = 73712
    };
    struct board board = { .queens = n };
    uint64_t began = wall_ns();

    f->queens(&board);
    double took = (double)(wall_ns() - began);
    row_check(board.solutions == right[n], "a wrong number of solutions");
    return took / 1e6;
}

static double ask_product(const struct forkjoin *f, unsigned n)
{
    size_t bytes = (size_t)n * n * sizeof *a;
    struct product all = { n / TILE, n / TILE, 0, 0, 0 };

    a = malloc(bytes);
    b = malloc(bytes);
    c = malloc(bytes);
    row_check(a && b && c, "no memory for matrices");
    for (uint32_t i = 0; i < n * n; i++) {
        a[i] = (int32_t)(i * 2654435761u >> 20);
        b[i] = (int32_t)(i * 2246822519u >> 20);
        c[i] = 0;
    }
    uint64_t began = wall_ns();
    f->multiply(&all);
    double took = (double)(wall_ns() - began);
    check_product(n);
    free(a);
    free(b);
    free(c);
    return took / 1e6;
}

/* Each is begun with a small one. */
void forkjoin_measure(const struct row *row, const struct row_case *of,
                      const struct forkjoin *f)
{
    struct row_result r = { .name = of->name, .what = "task", .unit = "ns" };
    bool small = row->percent < ROW_ALL;

    f->open(row);
    if (!strcmp(of->name, "fib")) {
        r.size = f->fib_of;
        for (double part = row->percent; part < ROW_ALL; part *= 1.6)
            r.size--;
        ask_fib(f, r.size - 8);
        r.value = ask_fib(f, r.size);
    } else if (!strcmp(of->name, "skynet")) {
        r.size = f->skynet_of;
        for (double part = row->percent; part < ROW_ALL; part *= TEN)
            r.size /= TEN;
        ask_skynet(f, r.size / TEN);
        r.value = ask_skynet(f, r.size);
    } else {
        bool queens = !strcmp(of->name, "queens");
        r.what = "all of it";
        r.unit = "ms";
        r.size = queens  ? small ? QUEENS - 3 : QUEENS
                 : small ? LEAST_MATRIX
                         : MATRIX;
        queens ? ask_queens(f, QUEENS - 3) : ask_product(f, LEAST_MATRIX);
        r.value = queens ? ask_queens(f, (unsigned)r.size)
                         : ask_product(f, (unsigned)r.size);
    }
    row_tell(row, r);
    f->close();
}
