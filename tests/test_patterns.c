/* test_patterns.c: the patterns of Task Bench (Slaughter et al., SC 2020): each
 * point gets exactly its inputs.
 *
 * A point is a task in a step and a column. It puts its value into the inbox of
 * each point of the next step that it sends to, at its own place there; and
 * looks whether its own inbox has the values that it needs, and no others. Who
 * sends and who needs are said by two functions that know nothing of each
 * other. All of this is plain memory: see test_dag.c. */
#include <stdbool.h>
#include <stdlib.h>

#include "tests/runs.h"

enum { MOST_WIDTH = 32, MOST_STEPS = 24, RADIX = 5, RUNS = 4 };

static const char *const patterns[] = {
    "trivial", "no_comm",    "stencil_1d", "dom",    "tree",
    "fft",     "all_to_all", "nearest",    "spread", "random_nearest",
};
enum {
    TRIVIAL,
    NO_COMM,
    STENCIL,
    DOM,
    TREE,
    FFT,
    ALL_TO_ALL,
    NEAREST,
    SPREAD,
    RANDOM_NEAREST,
    PATTERNS
};

struct bench {
    unsigned pattern, width, steps;
    struct point {
        const struct bench *bench;
        unsigned step, column;
    } point[MOST_STEPS][MOST_WIDTH];
};

/* What one run has. 0: nothing came. */
struct board {
    uint64_t seed;
    uint64_t inbox[MOST_STEPS][MOST_WIDTH][MOST_WIDTH];
    unsigned calls[MOST_STEPS][MOST_WIDTH], wrong[MOST_STEPS][MOST_WIDTH];
};

static unsigned distance(unsigned a, unsigned b)
{
    return a < b ? b - a : a - b;
}

/* A tree has fewer columns in its first steps. */
static unsigned width_at(const struct bench *b, unsigned step)
{
    if (b->pattern != TREE || step >= 6)
        return b->width;
    unsigned width = 1u << step;
    return width < b->width ? width : b->width;
}

/* How far a butterfly of this step reaches. */
static unsigned stride(const struct bench *b, unsigned step)
{
    unsigned bits = 0;
    while (2u << bits <= b->width)
        bits++;
    return bits ? 1u << (step % bits) : 1;
}

static bool by_chance(unsigned step, unsigned from, unsigned to)
{
    uint64_t x = ((uint64_t)step << 40) ^ ((uint64_t)from << 20) ^ to;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (x >> 33) % 2;
}

/* Whether a point needs the value of the column `from` in the step before. */
static bool needs(const struct bench *b, unsigned step, unsigned column,
                  unsigned from)
{
    switch (b->pattern) {
    case TRIVIAL:
        return false;
    case NO_COMM:
        return from == column;
    case STENCIL:
        return from + 1 >= column && from <= column + 1;
    case DOM:
        return from == column || from + 1 == column;
    case TREE:
        return width_at(b, step) > width_at(b, step - 1) ? from == column / 2
                                                         : from == column;
    case FFT:
        return from == column || from + stride(b, step) == column ||
               from == column + stride(b, step);
    case ALL_TO_ALL:
        return true;
    case NEAREST:
        return from + RADIX / 2 >= column && from <= column + RADIX / 2;
    case SPREAD:
        for (unsigned k = 0; k < RADIX; k++)
            if ((column + k * b->width / RADIX + (k ? step : 0)) % b->width ==
                from)
                return true;
        return false;
    case RANDOM_NEAREST:
        return from + RADIX / 2 >= column && from <= column + RADIX / 2 &&
               by_chance(step, from, column);
    }
    return false;
}

/* The columns of the next step that a point sends to; how many. */
static unsigned sends_to(const struct bench *b, unsigned step, unsigned column,
                         unsigned *to)
{
    unsigned n = 0, next = step + 1, width = width_at(b, next);
    unsigned reach = b->pattern == STENCIL   ? 1
                     : b->pattern == NO_COMM ? 0
                                             : RADIX / 2;

    switch (b->pattern) {
    case NO_COMM:
    case STENCIL:
    case NEAREST:
    case RANDOM_NEAREST:
        for (unsigned i = 0; i < width; i++)
            if (distance(i, column) <= reach &&
                (b->pattern != RANDOM_NEAREST || by_chance(next, column, i)))
                to[n++] = i;
        break;
    case DOM:
        to[n++] = column;
        if (column + 1 < width)
            to[n++] = column + 1;
        break;
    case TREE:
        if (width == width_at(b, step)) {
            to[n++] = column;
            break;
        }
        for (unsigned i = 2 * column; i <= 2 * column + 1; i++)
            if (i < width)
                to[n++] = i;
        break;
    case FFT:
        to[n++] = column;
        if (column >= stride(b, next))
            to[n++] = column - stride(b, next);
        if (column + stride(b, next) < width)
            to[n++] = column + stride(b, next);
        break;
    case ALL_TO_ALL:
        while (n < width) {
            to[n] = n;
            n++;
        }
        break;
    case SPREAD:
        for (unsigned k = 0; k < RADIX; k++) {
            unsigned shift = (k * width / RADIX + (k ? next : 0)) % width;
            unsigned i = (column + width - shift) % width, known = 0;
            while (known < n && to[known] != i)
                known++;
            to[known] = i;
            n += known == n;
        }
        break;
    }
    return n;
}

static uint64_t value_of(const struct board *b, unsigned step, unsigned column)
{
    return b->seed * 1000003 + step * MOST_WIDTH + column + 1;
}

static int compute(weft_worker *self, void *ctx)
{
    const struct point *p = ctx;
    const struct bench *b = p->bench;
    struct board *board = weft_task_context(self);
    unsigned to[MOST_WIDTH], n = 0;

    for (unsigned from = 0; from < MOST_WIDTH; from++) {
        uint64_t *got = &board->inbox[p->step][p->column][from];
        bool needed = p->step && from < width_at(b, p->step - 1) &&
                      needs(b, p->step, p->column, from);
        uint64_t wanted = needed ? value_of(board, p->step - 1, from) : 0;
        board->wrong[p->step][p->column] += *got != wanted;
        *got = 0;
    }
    board->calls[p->step][p->column]++;
    if (p->step + 1 < b->steps)
        n = sends_to(b, p->step, p->column, to);
    for (unsigned i = 0; i < n; i++)
        board->inbox[p->step + 1][to[i]][p->column] =
            value_of(board, p->step, p->column);
    return 0;
}

/* Drawn from who sends, in bulk. */
static weft_plan *plan_of(struct bench *b)
{
    static struct weft_edge edges[MOST_STEPS * MOST_WIDTH * MOST_WIDTH];
    weft_graph *g = weft_graph_create();
    weft_node node[MOST_STEPS][MOST_WIDTH];
    unsigned to[MOST_WIDTH];
    size_t count = 0;

    for (unsigned step = 0; step < b->steps; step++) {
        for (unsigned i = 0; i < width_at(b, step); i++)
            b->point[step][i] = (struct point){ b, step, i };
        weft_node first = weft_tasks(
            g, weft_config(task, .fn = compute, .ctx = b->point[step]),
            width_at(b, step), sizeof b->point[0][0]);
        for (unsigned i = 0; i < width_at(b, step); i++)
            node[step][i] = weft_nth(first, i);
    }
    for (unsigned step = 0; step + 1 < b->steps; step++)
        for (unsigned i = 0; i < width_at(b, step); i++)
            for (unsigned n = sends_to(b, step, i, to); n; n--)
                edges[count++] =
                    (struct weft_edge){ .from = node[step][i],
                                        .to = node[step + 1][to[n - 1]] };
    weft_edges(g, edges, count);
    return compiled(g);
}

/* Some runs at a time, each with a board of its own. */
static void run_all(weft_sched *s, const struct bench *b, const weft_plan *plan)
{
    static struct board boards[RUNS];
    struct weft_run *run[RUNS];

    memset(boards, 0, sizeof boards);
    for (unsigned again = 1; again <= 3; again++) {
        for (unsigned r = 0; r < RUNS; r++) {
            boards[r].seed = again * RUNS + r;
            cr_assert_eq(weft_start_with(&run[r], s, plan,
                                         weft_config(run, .ctx = &boards[r]),
                                         NULL),
                         0);
        }
        for (unsigned r = 0; r < RUNS; r++) {
            cr_assert_eq(weft_wait(run[r], -1, NULL), 0);
            weft_run_destroy(run[r]);
            for (unsigned step = 0; step < b->steps; step++)
                for (unsigned i = 0; i < width_at(b, step); i++) {
                    cr_assert_eq(boards[r].calls[step][i], again);
                    cr_assert_eq(boards[r].wrong[step][i], 0);
                }
        }
    }
}

Test(patterns, R16_each_point_of_task_bench_gets_exactly_its_inputs,
     .timeout = 120)
{
    static const unsigned widths[] = { 1, 2, 7, 16, MOST_WIDTH };
    static struct bench b;

    for (unsigned n = 1; n <= 4; n *= 2) {
        weft_sched *s = workers(n);
        for (unsigned pattern = 0; pattern < PATTERNS; pattern++)
            for (unsigned w = 0; w < TIMES(5, 4); w++) {
                b = (struct bench){ .pattern = pattern,
                                    .width = widths[w],
                                    .steps = TIMES(MOST_STEPS, 9) };
                weft_plan *plan = plan_of(&b);
                run_all(s, &b, plan);
                weft_plan_destroy(plan);
            }
        weft_sched_destroy(s);
    }
}

/* What the test asks of the two functions: else it would show nothing. */
Test(patterns, there_are_ten_and_they_differ)
{
    unsigned edges[PATTERNS] = { 0 };
    unsigned to[MOST_WIDTH];

    cr_assert_eq(sizeof patterns / sizeof patterns[0], PATTERNS);
    for (unsigned pattern = 0; pattern < PATTERNS; pattern++) {
        struct bench b = { .pattern = pattern, .width = 16, .steps = 9 };
        for (unsigned step = 0; step + 1 < b.steps; step++)
            for (unsigned i = 0; i < width_at(&b, step); i++)
                edges[pattern] += sends_to(&b, step, i, to);
        printf("%-15s %4u edges\n", patterns[pattern], edges[pattern]);
        for (unsigned k = 0; k < pattern; k++)
            cr_assert(edges[k] != edges[pattern]);
    }
    cr_assert_eq(edges[TRIVIAL], 0);
    cr_assert_eq(edges[NO_COMM], 8 * 16);
    cr_assert_eq(edges[STENCIL], 8 * (3 * 16 - 2));
    cr_assert_eq(edges[TREE], 2 + 4 + 8 + 16 + 4 * 16);
    cr_assert_eq(edges[ALL_TO_ALL], 8 * 16 * 16);
}
