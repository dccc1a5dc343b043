/* stress_spawn.c: trees of children of every shape: whatever is taken, helped
 * with, slept for and moved about, each runs once, and its parent has what it
 * did. The engine itself pauses in the build for chaos. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

enum { MOST_CHILDREN = 7 };

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13, *seed ^= *seed >> 7, *seed ^= *seed << 17;
    return *seed;
}

/* A node of a tree. All that it does follows from its seed. */
struct node {
    uint64_t seed;
    unsigned depth;
    unsigned size; /* plain: of the tree below it, as its parent finds it */
    int rc;
    _Atomic unsigned *loose; /* tasks that ran beside */
};

static unsigned plan_children(struct node *n, uint64_t *seed,
                              struct node *child)
{
    unsigned count = 0;

    if (n->depth)
        count = (unsigned)(next_random(seed) % (MOST_CHILDREN + 1));
    for (unsigned i = 0; i < count; i++)
        child[i] = (struct node){ .seed = next_random(seed) | 1,
                                  .depth = n->depth - 1,
                                  .loose = n->loose };
    n->size = 1;
    n->rc = next_random(seed) % 97 == 0 ? -EIO : 0;
    return count;
}

/* By plain calls: what must come out. */
static void grow_alone(struct node *n, unsigned *submitted)
{
    struct node child[MOST_CHILDREN];
    uint64_t seed = n->seed;
    unsigned count = plan_children(n, &seed, child);

    for (unsigned i = 0; i < count; i++) {
        *submitted += next_random(&seed) % 16 == 0;
        grow_alone(&child[i], submitted);
        n->size += child[i].size;
        n->rc = n->rc ? n->rc : child[i].rc;
    }
}

/* Shuffles what is to be synced, for one node of four. */
static void choose_order(unsigned *order, unsigned count, uint64_t seed)
{
    for (unsigned i = 0; i < count; i++)
        order[i] = count - 1 - i;
    if (next_random(&seed) % 4)
        return;
    for (unsigned i = count; i > 1; i--) {
        unsigned j = (unsigned)(next_random(&seed) % i), k = order[j];
        order[j] = order[i - 1];
        order[i - 1] = k;
    }
}

static int grow(weft_worker *self, void *ctx)
{
    struct node *n = ctx, child[MOST_CHILDREN];
    struct weft_child children[MOST_CHILDREN] = { 0 };
    unsigned order[MOST_CHILDREN];
    uint64_t seed = n->seed;
    unsigned count_of = plan_children(n, &seed, child);

    for (unsigned i = 0; i < count_of; i++) {
        children[i] = (struct weft_child){ .fn = grow, .ctx = &child[i] };
        if (next_random(&seed) % 16 == 0)
            cr_assert_eq(weft_submit(weft_worker_sched(self), count,
                                     (void *)(uintptr_t)n->loose, NULL, NULL),
                         0);
        cr_assert_eq(weft_spawn(self, &children[i]), 0);
    }
    if (n->seed % 200 == 7)
        usleep(300); /* longer than others look for work */
    choose_order(order, count_of, seed);
    for (unsigned i = 0; i < count_of; i++)
        cr_assert_eq(weft_sync(self, &children[order[i]]), child[order[i]].rc);
    for (unsigned i = 0; i < count_of; i++) {
        n->size += child[i].size;
        n->rc = n->rc ? n->rc : child[i].rc;
    }
    return n->rc;
}

struct forest {
    weft_sched *sched;
    uint64_t seed;
    _Atomic unsigned loose;
};

static void *plant(void *ctx)
{
    struct forest *f = ctx;
    unsigned submitted = 0;
    for (int i = 0; i < TIMES(50, 15); i++) {
        struct node tree = { .seed = next_random(&f->seed) | 1,
                             .depth = 6,
                             .loose = &f->loose };
        struct node expected = tree;
        grow_alone(&expected, &submitted);
        cr_assert_eq(weft_call(f->sched, grow, &tree, NULL), expected.rc);
        cr_assert_eq(tree.size, expected.size);
    }
    while (load_relaxed(&f->loose) < submitted)
        usleep(50);
    cr_assert_eq(f->loose, submitted);
    return NULL;
}

/* Several trees at a time, on one worker and on more than there are cores. */
Test(spawn, trees_of_any_shape_grow_as_by_plain_calls, .timeout = 120)
{
    enum { THREADS = 3 };
    for (int c = 0; c < 4; c++) {
        static const unsigned crews[] = { 1, 2, 3, 8 };
        unsigned n = crews[c];
        weft_sched *s = workers(n);
        pthread_t thread[THREADS];
        struct forest forest[THREADS];
        for (unsigned i = 0; i < THREADS; i++) {
            forest[i] =
                (struct forest){ s, 88172645463325252u * (n + i) | 1, 0 };
            pthread_create(&thread[i], NULL, plant, &forest[i]);
        }
        for (unsigned i = 0; i < THREADS; i++)
            pthread_join(thread[i], NULL);
        weft_sched_destroy(s);
    }
}

/* Nothing but one child, taken or not: its end and its parent's sleep race. */
static int tick(weft_worker *self, void *ctx)
{
    unsigned *spin = ctx;
    for (volatile unsigned i = *spin; i; i--)
        ;
    *spin = 0;
    return 0;
}

static int race(weft_worker *self, void *ctx)
{
    uint64_t seed = *(uint64_t *)ctx;
    for (int i = 0; i < TIMES(8000, 2000); i++) {
        unsigned mine = (unsigned)(next_random(&seed) % 4000);
        unsigned other = (unsigned)(next_random(&seed) % 40000);
        struct weft_child child = { .fn = tick, .ctx = &other };
        cr_assert_eq(weft_spawn(self, &child), 0);
        tick(self, &mine);
        cr_assert_eq(weft_sync(self, &child), 0);
        cr_assert_eq(other, 0);
    }
    return 0;
}

Test(spawn, parent_that_sleeps_is_woken, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++) {
        uint64_t seed = 1000003 * n;
        weft_sched *s = workers(n);
        cr_assert_eq(weft_call(s, race, &seed, NULL), 0);
        weft_sched_destroy(s);
    }
}
