/* floor_graph.h: the least that it takes to run a graph on several threads.
 *
 * Flat arrays, no errors, no names, no sleep. A node is a function with its
 * context, a counter of those before it that have not ended, and its successors
 * in one array of all. The counter is as it was again when the node is ready,
 * so that nothing has to be done before the next run. Nodes that are ready lie
 * on a stack that nobody else sees; who has none asks, and gets half of one. */
#ifndef WEFT_PERF_ROWS_FLOOR_GRAPH_H
#define WEFT_PERF_ROWS_FLOOR_GRAPH_H
#include <pthread.h>
#include <stdatomic.h>

#include "perf/rows/shapes.h"

typedef void floor_fn(uintptr_t ctx);

struct floor_node {
    floor_fn *fn;
    uintptr_t ctx;
    unsigned first; /* of its successors; the last ends where the next begins */
    unsigned before;
    atomic_uint left;
};

struct floor_graph {
    unsigned nodes, edges, roots;
    struct floor_node *node;
    unsigned *successor, *root;
    struct floor_edge {
        unsigned from, to;
    } * drawn;
};

enum { FLOOR_LINE = 64, FLOOR_BLOCK = 64 };
#define FLOOR_NONE UINT32_MAX

struct floor_stack {
    unsigned *node, top;
};

/* The threads, and what they share. */
static struct {
    struct floor_graph *graph;
    unsigned workers;
    bool ends;
    pthread_t *threads;
    struct floor_stack *stacks;
    pthread_barrier_t begins, ended;
    pthread_spinlock_t lock; /* of what follows */
    unsigned idle, *given;
    _Alignas(FLOOR_LINE) atomic_uint next_root;
    _Alignas(FLOOR_LINE) atomic_uint hungry; /* threads that have nothing */
    atomic_uint given_count;
    atomic_bool done;
} floor_pool;

static void *floor_memory(size_t count, size_t each)
{
    void *memory = calloc(count ? count : 1, each);
    row_check(memory != NULL, "no memory");
    return memory;
}

/* ---- drawing ------------------------------------------------------------ */

static void floor_draw(struct floor_graph *g, const struct shape *shape,
                       floor_fn *fn)
{
    unsigned before[MOST_BEFORE];

    *g = (struct floor_graph){ .nodes = shape->nodes };
    g->node = floor_memory(g->nodes + 1, sizeof *g->node);
    g->drawn = malloc((size_t)g->nodes * MOST_BEFORE * sizeof *g->drawn);
    row_check(g->drawn != NULL, "no memory");
    for (unsigned i = 0; i < g->nodes; i++) {
        unsigned n = shape_before(shape, i, before);
        struct floor_node *node = &g->node[i];
        node->fn = fn;
        node->ctx = i;
        node->before = n;
        node->left = n;
        g->roots += !n;
        for (unsigned k = 0; k < n; k++)
            g->drawn[g->edges++] = (struct floor_edge){ before[k], i };
    }
}

/* Sorts the edges by where they start, in their order. */
static void floor_compile(struct floor_graph *g)
{
    unsigned roots = 0, sum = 0;

    g->successor = floor_memory(g->edges, sizeof *g->successor);
    g->root = floor_memory(g->roots, sizeof *g->root);
    for (unsigned e = 0; e < g->edges; e++)
        g->node[g->drawn[e].from].first++;
    for (unsigned i = 0; i <= g->nodes; i++)
        g->node[i].first = sum += g->node[i].first;
    for (unsigned e = g->edges; e-- > 0;)
        g->successor[--g->node[g->drawn[e].from].first] = g->drawn[e].to;
    for (unsigned i = 0; i < g->nodes; i++)
        if (!g->node[i].before)
            g->root[roots++] = i;
    free(g->drawn);
}

static void floor_destroy(struct floor_graph *g)
{
    free(g->node);
    free(g->successor);
    free(g->root);
}

/* ---- running ------------------------------------------------------------ */

/* The last to arrive finds 1, and nobody else looks any more: it needs no
 * read-modify-write, and neither does a node with one before it. */
static inline bool floor_arrive(struct floor_node *node)
{
    if (node->before == 1)
        return true;
    if (atomic_load_explicit(&node->left, memory_order_acquire) != 1 &&
        atomic_fetch_sub_explicit(&node->left, 1, memory_order_acq_rel) != 1)
        return false;
    atomic_store_explicit(&node->left, node->before, memory_order_relaxed);
    return true;
}

/* Every other one, the oldest first: so both have as much of what is behind
 * them. */
static void floor_give(struct floor_stack *stack)
{
    pthread_spin_lock(&floor_pool.lock);
    if (!floor_pool.given_count) {
        unsigned given = 0, kept = 0;
        for (unsigned i = 0; i < stack->top; i++)
            if (i % 2)
                stack->node[kept++] = stack->node[i];
            else
                floor_pool.given[given++] = stack->node[i];
        stack->top = kept;
        floor_pool.given_count = given;
    }
    pthread_spin_unlock(&floor_pool.lock);
}

/* Waits for nodes: false, there will be none. All are done when nobody has any,
 * for only who has one can make another ready. */
static bool floor_ask(struct floor_stack *stack)
{
    bool found = false;

    pthread_spin_lock(&floor_pool.lock);
    floor_pool.done =
        ++floor_pool.idle == floor_pool.workers && !floor_pool.given_count;
    pthread_spin_unlock(&floor_pool.lock);
    floor_pool.hungry++;
    for (unsigned spins = 0; !found && !floor_pool.done; spins++) {
        row_pause();
        if (spins % 1024 == 1023)
            sched_yield();
        if (!floor_pool.given_count)
            continue;
        pthread_spin_lock(&floor_pool.lock);
        unsigned count = floor_pool.given_count;
        memcpy(stack->node, floor_pool.given, count * sizeof *stack->node);
        stack->top = count;
        floor_pool.given_count = 0;
        floor_pool.idle -= found = count > 0;
        pthread_spin_unlock(&floor_pool.lock);
    }
    floor_pool.hungry--;
    return found;
}

/* A node, and then what is ready because of it; what else is, on the stack. */
static inline void floor_follow(const struct floor_graph *g,
                                struct floor_stack *stack, unsigned next)
{
    while (next != FLOOR_NONE) {
        const struct floor_node *node = &g->node[next];
        node->fn(node->ctx);
        next = FLOOR_NONE;
        for (unsigned s = node->first; s < node[1].first; s++) {
            if (!floor_arrive(&g->node[g->successor[s]]))
                continue;
            if (next == FLOOR_NONE)
                next = g->successor[s];
            else
                stack->node[stack->top++] = g->successor[s];
        }
        if (stack->top &&
            atomic_load_explicit(&floor_pool.hungry, memory_order_relaxed))
            floor_give(stack);
    }
}

static inline void floor_empty(const struct floor_graph *g,
                               struct floor_stack *stack)
{
    while (stack->top)
        floor_follow(g, stack, stack->node[--stack->top]);
}

static void floor_take_part(struct floor_stack *stack)
{
    const struct floor_graph *g = floor_pool.graph;
    unsigned from;

    while ((from = atomic_fetch_add(&floor_pool.next_root, FLOOR_BLOCK)) <
           g->roots)
        for (unsigned r = from; r < g->roots && r < from + FLOOR_BLOCK; r++) {
            floor_follow(g, stack, g->root[r]);
            floor_empty(g, stack);
        }
    while (floor_ask(stack))
        floor_empty(g, stack);
}

/* ---- threads ------------------------------------------------------------ */

static void *floor_thread(void *stack)
{
    for (;;) {
        pthread_barrier_wait(&floor_pool.begins);
        if (floor_pool.ends)
            return NULL;
        floor_take_part(stack);
        pthread_barrier_wait(&floor_pool.ended);
    }
}

/* For graphs of so many nodes at most. */
static void floor_open(unsigned workers, size_t nodes)
{
    floor_pool.workers = workers;
    floor_pool.ends = false;
    floor_pool.given = floor_memory(nodes, sizeof *floor_pool.given);
    floor_pool.threads = floor_memory(workers, sizeof *floor_pool.threads);
    floor_pool.stacks = floor_memory(workers, sizeof *floor_pool.stacks);
    pthread_spin_init(&floor_pool.lock, PTHREAD_PROCESS_PRIVATE);
    pthread_barrier_init(&floor_pool.begins, NULL, workers);
    pthread_barrier_init(&floor_pool.ended, NULL, workers);
    for (unsigned i = 0; i < workers; i++) {
        floor_pool.stacks[i].node = floor_memory(nodes, sizeof(unsigned));
        must(i ? -pthread_create(&floor_pool.threads[i], NULL, floor_thread,
                                 &floor_pool.stacks[i])
               : 0,
             "no thread");
    }
}

/* The thread that calls is the first of them. */
static void floor_run(struct floor_graph *g)
{
    floor_pool.graph = g;
    floor_pool.next_root = 0;
    floor_pool.idle = 0;
    floor_pool.done = false;
    pthread_barrier_wait(&floor_pool.begins);
    floor_take_part(&floor_pool.stacks[0]);
    pthread_barrier_wait(&floor_pool.ended);
}

static void floor_close(void)
{
    floor_pool.ends = true;
    pthread_barrier_wait(&floor_pool.begins);
    for (unsigned i = 0; i < floor_pool.workers; i++) {
        if (i)
            pthread_join(floor_pool.threads[i], NULL);
        free(floor_pool.stacks[i].node);
    }
    free(floor_pool.threads);
    free(floor_pool.stacks);
    free(floor_pool.given);
}
#endif
