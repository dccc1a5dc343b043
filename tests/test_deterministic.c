/* test_deterministic.c: with one worker and a seed, what a run executes comes
 * in the same order each time; another seed is another order. */
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

enum { TASKS = 3000, LOOPS = 20 };

struct order {
    unsigned count, what[TASKS + LOOPS * 8];
};

struct place {
    struct order *order;
    unsigned number;
};

static int note(weft_worker *self, void *ctx)
{
    struct place *p = ctx;
    p->order->what[p->order->count++] = p->number;
    /* The clock would cut a chain here, if it were asked. */
    for (volatile int i = p->number % 97 ? 0 : 300000; i; i--)
        ;
    return 0;
}

static int note_in_loop(weft_worker *self, unsigned *which, void *ctx)
{
    struct place *p = ctx;
    note(self, ctx);
    *which = ++p->number % LOOPS ? 0 : WEFT_NO_CHOICE;
    return 0;
}

static unsigned below(uint64_t *random, unsigned n)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    *random ^= *random << 17;
    return (unsigned)(*random >> 33) % n;
}

/* Most have one before them, some several, many none: chains and fans. */
static weft_plan *tangle(struct place *places, struct order *order)
{
    uint64_t random = 12345;
    weft_graph *g = weft_graph_create();

    for (unsigned i = 0; i < TASKS; i++)
        places[i] = (struct place){ order, i };
    weft_node first = weft_tasks(
        g, weft_config(task, .fn = note, .ctx = places), TASKS, sizeof *places);
    for (unsigned i = 1; i < TASKS; i++)
        for (unsigned n = below(&random, 3); n; n--)
            weft_after(g, weft_nth(first, i),
                       weft_nth(first, i - 1 - below(&random, i < 9 ? i : 9)));
    return compiled(g);
}

static weft_plan *loops(struct place *places, struct order *order)
{
    weft_graph *g = weft_graph_create();
    for (unsigned i = 0; i < 8; i++) {
        places[i] = (struct place){ order, i * LOOPS };
        weft_node start = weft_task(g, NULL, nothing, NULL);
        weft_node loop = weft_task_with(
            g, weft_config(task, .choose = note_in_loop, .ctx = &places[i]));
        weft_after(g, loop, start);
        weft_choose(g, loop, loop);
    }
    return compiled(g);
}

/* What a new scheduler does with it: twice, the second time after a rest. */
static void run_twice(uint64_t seed, bool looping, struct order *order)
{
    static struct place places[TASKS];
    weft_sched *s = NULL;

    cr_assert_eq(weft_sched_create(
                     &s, weft_config(sched, .workers = 1, .seed = seed), NULL),
                 0);
    for (int i = 0; i < 2; i++) {
        order[i].count = 0;
        weft_plan *plan = (looping ? loops : tangle)(places, &order[i]);
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        weft_plan_destroy(plan);
        usleep(order[i].count % 3 * 200);
    }
    weft_sched_destroy(s);
}

static bool are_equal(const struct order *a, const struct order *b)
{
    return a->count == b->count &&
           memcmp(a->what, b->what, a->count * sizeof a->what[0]) == 0;
}

static void repeats(bool looping, unsigned count)
{
    static struct order once[2], again[2], other[2];

    for (uint64_t seed = 1; seed <= TIMES(20, 5); seed++) {
        run_twice(seed, looping, once);
        cr_assert_eq(once[0].count, count);
        run_twice(seed, looping, again);
        cr_assert(are_equal(&once[0], &again[0]));
        cr_assert(are_equal(&once[1], &again[1]));
        run_twice(seed + 1000, looping, other);
        cr_assert(!are_equal(&once[0], &other[0]));
    }
}

Test(deterministic, a_seed_repeats_the_order_of_a_run, .timeout = 120)
{
    repeats(false, TASKS);
}

Test(deterministic, a_seed_repeats_the_order_of_loops, .timeout = 120)
{
    repeats(true, 8 * LOOPS);
}
