/* test_compile.c: drawings of all shapes become plans that end. */
#include <stdlib.h>

#include "tests/runs.h"

Test(compile, empty_graph_compiles_and_ends)
{
    cr_assert_eq(run_once(weft_graph_create(), 1, NULL), 0);
}

Test(compile, edge_drawn_twice_counts_once)
{
    _Atomic unsigned ran = 0;
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", count, &ran);
    weft_node b = weft_task(g, "b", count, &ran);
    weft_node c = weft_task(g, "c", count, &ran);
    weft_after(g, b, a, a, a);
    weft_after(g, c, a, b);
    weft_after(g, c, b, a);
    cr_assert_eq(run_once(g, 2, NULL), 0);
    cr_assert_eq(ran, 3);
}

/* ---- drawn in any order ------------------------------------------------- */

enum { MANY = 500, MOST_EDGES = 3000 };

/* Some come after others, by their ranks, whichever was drawn first. */
static struct tangle {
    unsigned rank[MANY], edges;
    struct pair {
        unsigned from, to;
    } edge[MOST_EDGES];
    _Atomic unsigned ran[MANY];
    _Atomic bool wrong;
} tangle;

static int after_all_before_it(weft_worker *self, void *ctx)
{
    unsigned i = (unsigned)(uintptr_t)ctx;

    for (unsigned e = 0; e < tangle.edges; e++)
        if (tangle.edge[e].to == i &&
            !load_relaxed(&tangle.ran[tangle.edge[e].from]))
            store_relaxed(&tangle.wrong, true);
    add_relaxed(&tangle.ran[i], 1);
    return 0;
}

/* Every third edge twice, or more often. */
static weft_graph *entangle(unsigned seed, unsigned edges)
{
    weft_graph *g = weft_graph_create();
    weft_node node[MANY];

    srand(seed);
    tangle = (struct tangle){ .edges = edges };
    for (unsigned i = 0; i < MANY; i++) {
        unsigned other = (unsigned)rand() % (i + 1);
        tangle.rank[i] = tangle.rank[other];
        tangle.rank[other] = i;
        node[i] = weft_task(g, NULL, after_all_before_it, (void *)(uintptr_t)i);
    }
    for (unsigned e = 0; e < edges; e++) {
        struct pair *p = &tangle.edge[e];
        do
            *p = (struct pair){ (unsigned)rand() % MANY,
                                (unsigned)rand() % MANY };
        while (tangle.rank[p->from] >= tangle.rank[p->to]);
        if (e && e % 3 == 0)
            *p = tangle.edge[(unsigned)rand() % e];
        weft_after(g, node[p->to], node[p->from]);
    }
    return g;
}

Test(compile, tasks_drawn_in_any_order_come_after_those_before_them,
     .timeout = 60)
{
    for (unsigned seed = 1; seed <= TIMES(60, 6); seed++) {
        weft_graph *g = entangle(seed, MOST_EDGES * seed / 60);
        cr_assert_eq(run_once(g, 2, NULL), 0);
        cr_assert(!load_relaxed(&tangle.wrong));
        for (unsigned i = 0; i < MANY; i++)
            cr_assert_eq(load_relaxed(&tangle.ran[i]), 1);
    }
}

/* Every number of last tasks around the limits of the joins. */
Test(compile, end_comes_after_all_the_last_tasks, .timeout = 60)
{
    static const unsigned widths[] = { 1,    2,     31,    32,    33,   63,
                                       64,   65,    1023,  1024,  1025, 1056,
                                       1057, 32768, 32769, 100000 };
    for (unsigned i = 0; i < sizeof widths / sizeof *widths; i++) {
        _Atomic unsigned ran = 0;
        weft_graph *g = weft_graph_create();
        for (unsigned t = 0; t < widths[i]; t++)
            weft_task(g, NULL, count, &ran);
        cr_assert_eq(run_once(g, 2, NULL), 0);
        cr_assert_eq(load_relaxed(&ran), widths[i]);
    }
}

/* Each task adds one to what the one before it has left, without an atomic. */
static int increment(weft_worker *self, void *ctx)
{
    ++*(unsigned *)ctx;
    return 0;
}

Test(compile, chain_of_a_million_tasks, .timeout = 60)
{
    enum { LENGTH = TIMES(1000000, 100000) };
    unsigned sum = 0;
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, NULL, increment, &sum);
    for (unsigned i = 1; i < LENGTH; i++) {
        weft_node node = weft_task(g, NULL, increment, &sum);
        weft_after(g, node, last);
        last = node;
    }
    cr_assert_eq(run_once(g, 2, NULL), 0);
    cr_assert_eq(sum, LENGTH);
}

/* Task i is behind task (i - 1) / 2, and leaves its depth. */
struct leaf {
    struct leaf *parent;
    unsigned depth;
};

static int deepen(weft_worker *self, void *ctx)
{
    struct leaf *l = ctx;
    l->depth = l->parent ? l->parent->depth + 1 : 1;
    return 0;
}

Test(compile, tree_of_a_million_tasks, .timeout = 60)
{
    enum { SIZE = TIMES(1000000, 100000) };
    struct leaf *leaf = calloc(SIZE, sizeof *leaf);
    weft_node *node = calloc(SIZE, sizeof *node);
    weft_graph *g = weft_graph_create();
    for (unsigned i = 0; i < SIZE; i++) {
        node[i] = weft_task(g, NULL, deepen, &leaf[i]);
        if (i) {
            leaf[i].parent = &leaf[(i - 1) / 2];
            weft_after(g, node[i], node[(i - 1) / 2]);
        }
    }
    cr_assert_eq(run_once(g, 4, NULL), 0);
    for (unsigned i = 0, depth = 1, level = 1; i < SIZE; i++) {
        if (i + 1 == level * 2)
            depth++, level *= 2;
        cr_assert_eq(leaf[i].depth, depth);
    }
    free(leaf);
    free(node);
}
