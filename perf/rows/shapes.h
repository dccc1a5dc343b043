/* shapes.h: the graphs of the rows, edge for edge the same for all contestants.
 *
 * Nodes are numbered so that each comes after those that it depends on. C++
 * reads this too. */
#ifndef WEFT_PERF_ROWS_SHAPES_H
#define WEFT_PERF_ROWS_SHAPES_H
#include <stdbool.h>
#include <stdlib.h>

#include "perf/rows/row.h"

enum shape_kind { CHAIN, TREE, WAVEFRONT, LAYERS, INDEPENDENT, STENCIL };

enum { LAYER = 256, MOST_BEFORE = 4 };

struct shape {
    enum shape_kind kind;
    unsigned nodes;
    unsigned width; /* of a wavefront, a layer or a stencil */
};

/* Of about so many nodes. */
static inline struct shape shape_of(enum shape_kind kind, uint64_t nodes)
{
    struct shape shape = { kind, (unsigned)nodes, LAYER };

    if (kind == WAVEFRONT) {
        for (shape.width = 1; (uint64_t)shape.width * shape.width < nodes;)
            shape.width++;
        shape.nodes = shape.width * shape.width;
    } else if (kind == LAYERS) {
        shape.nodes = (unsigned)(nodes / 1000) * LAYER;
    }
    return shape;
}

/* A number that looks random, and is the same everywhere. */
static inline unsigned shape_random(unsigned i)
{
    uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
    return (unsigned)((x ^ x >> 31) * 0xbf58476d1ce4e5b9u >> 40);
}

/* The nodes that node i comes after: how many. */
static inline unsigned shape_before(const struct shape *shape, unsigned i,
                                    unsigned before[MOST_BEFORE])
{
    unsigned n = 0, width = shape->width;

    switch (shape->kind) {
    case CHAIN:
        if (i)
            before[n++] = i - 1;
        break;
    case TREE:
        if (i)
            before[n++] = (i - 1) / 2;
        break;
    case WAVEFRONT:
        if (i % width)
            before[n++] = i - 1;
        if (i >= width)
            before[n++] = i - width;
        break;
    case LAYERS: /* one of each quarter, so that no two are the same */
        for (; i >= LAYER && n < MOST_BEFORE; n++)
            before[n] =
                i - i % LAYER - LAYER + n * (LAYER / MOST_BEFORE) +
                shape_random(i * MOST_BEFORE + n) % (LAYER / MOST_BEFORE);
        break;
    case STENCIL:
        if (i < width)
            break;
        if (i % width)
            before[n++] = i - width - 1;
        before[n++] = i - width;
        if (i % width + 1 < width)
            before[n++] = i - width + 1;
        break;
    case INDEPENDENT:
        break;
    }
    return n;
}

/* ---- what a node does --------------------------------------------------- */

/* Nothing, but for one question: unless this is set. */
static struct {
    bool anything;
    uint64_t steps; /* of work */
    /* Were they all executed, each after those before it? An execution adds 1.
     */
    unsigned char *ran;
    struct shape shape;
    bool wrong; /* is only ever set */
} shape_node;

/* Each step waits for the one before. */
static inline uint64_t shape_work(uint64_t steps)
{
    uint64_t x = steps;

    for (uint64_t i = 0; i < steps; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        __asm__ volatile("" : "+r"(x));
    }
    return x;
}

static inline void shape_check(unsigned i)
{
    unsigned before[MOST_BEFORE];
    unsigned n = shape_before(&shape_node.shape, i, before);

    for (unsigned k = 0; k < n; k++)
        if (__atomic_load_n(&shape_node.ran[before[k]], __ATOMIC_RELAXED) != 1)
            __atomic_store_n(&shape_node.wrong, true, __ATOMIC_RELAXED);
    __atomic_fetch_add(&shape_node.ran[i], 1, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) void shape_do(unsigned i)
{
    if (shape_node.ran)
        shape_check(i);
    shape_work(shape_node.steps);
}

static inline void shape_visit(unsigned i)
{
    if (__builtin_expect(shape_node.anything, 0))
        shape_do(i);
}

static inline void shape_set_steps(uint64_t steps)
{
    shape_node.anything = steps > 0;
    shape_node.steps = steps;
}

/* One run that is looked at closely. */
static inline void shape_check_run(const struct shape *shape, void (*run)(void))
{
    shape_node.shape = *shape;
    shape_node.ran = (unsigned char *)calloc(shape->nodes, 1);
    row_check(shape_node.ran != NULL, "no memory for a check");
    shape_node.anything = true;
    run();
    for (unsigned i = 0; i < shape->nodes; i++)
        row_check(shape_node.ran[i] == 1, "a node did not execute once");
    row_check(!shape_node.wrong,
              "a node executed before one that it comes after");
    free(shape_node.ran);
    shape_node.ran = NULL;
    shape_node.anything = false;
}

/* ---- how contestants run them ------------------------------------------- */

/* Where there is no such phase there is no function. */
struct graph_runner {
    void (*open)(const struct row *row, const struct shape *largest);
    void (*draw)(const struct shape *shape);
    void (*compile)(void);
    void (*run)(void);
    void (*destroy)(void);
    void (*close)(void);
    const char *by;    /* NULL: who the program is */
    unsigned smaller;  /* by how much: where it takes too long */
    bool draws_in_run; /* there is nothing to run again: all is done anew */
};
#endif
