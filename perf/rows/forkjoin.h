/* forkjoin.h: what does a child cost? What the contestants of the row divide,
 * how far, and what must come out of it.
 *
 * Children at every level of fib and of skynet, where nothing else is done; at
 * the first rows of the board of the queens, and down to tiles of a matrix,
 * where it is the work that takes the time. C++ reads this too. */
#ifndef WEFT_PERF_ROWS_FORKJOIN_H
#define WEFT_PERF_ROWS_FORKJOIN_H
#include "perf/rows/row.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the work, which is the same object code for all: forkjoin_work.c ---- */

enum { TILE = 64, TEN = 10, QUEENS_ROWS = 4, MOST_QUEENS = 16 };

/* c += a * b, of squares of size x size tiles. The tiles of a matrix lie one
 * after the other, row by row: one is 16 KiB, of int32_t. */
struct product {
    unsigned all, size;          /* tiles in a row: of the matrix, of these */
    unsigned row, column, inner; /* where they begin: c, c, and between */
};
void multiply_tile(const struct product *p);

/* A board with queens in its first rows: the columns and diagonals in check. */
struct board {
    unsigned queens, row, columns, left, right;
    uint64_t solutions;
};
void count_solutions(struct board *board);

/* One of the eight parts of a product: first those with the first half of what
 * is between, then those with the other, which add to the same squares. */
static inline struct product product_part(const struct product *p, unsigned i)
{
    unsigned half = p->size / 2;
    struct product part = { p->all, half, p->row + (i & 1) * half,
                            p->column + (i >> 1 & 1) * half,
                            p->inner + (i >> 2) * half };
    return part;
}

/* The boards with one queen more: how many. */
static inline unsigned next_boards(const struct board *board,
                                   struct board next[MOST_QUEENS])
{
    unsigned all = (1u << board->queens) - 1, count = 0;
    unsigned free = all & ~(board->columns | board->left | board->right);

    for (; free; free &= free - 1) {
        unsigned queen = free & -free;
        struct board b = { board->queens,
                           board->row + 1,
                           board->columns | queen,
                           (board->left | queen) << 1,
                           (board->right | queen) >> 1,
                           0 };
        next[count++] = b;
    }
    return count;
}

struct actor {
    uint64_t number, size, sum;
};

static inline struct actor actor_child(const struct actor *a, unsigned i)
{
    struct actor child = { a->number + i * (a->size / TEN), a->size / TEN, 0 };
    return child;
}

/* ---- how it is asked ---------------------------------------------------- */

struct forkjoin {
    void (*open)(const struct row *row);
    uint64_t (*fib)(uint64_t n);
    uint64_t (*skynet)(uint64_t leaves); /* the sum of their numbers */
    void (*queens)(struct board *board);
    void (*multiply)(struct product *p);
    void (*close)(void);
    uint64_t fib_of, skynet_of;
};

void forkjoin_measure(const struct row *row, const struct row_case *c,
                      const struct forkjoin *f);

#define FORKJOIN_CASES(measure)                                                \
    {                                                                          \
        { "fib", measure, 0 }, { "skynet", measure, 0 },                       \
            { "queens", measure, 0 }, { "matmul", measure, 0 },                \
    }

#ifdef __cplusplus
}
#endif
#endif
