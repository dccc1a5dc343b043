/* trail.h: what a seed has to repeat: which callback was called with what, from
 * the first to the last. Callbacks write it without a lock, for under a seed
 * they come one at a time. */
#ifndef WEFT_TESTS_TRAIL_H
#define WEFT_TESTS_TRAIL_H
#include <stdbool.h>

#include "tests/runs.h"

enum { MOST_STEPS = 20000 };

struct trail {
    unsigned count;
    uint64_t step[MOST_STEPS];
};

static struct trail trail;

static inline void step(uint64_t what, uint64_t which)
{
    cr_assert(trail.count < MOST_STEPS);
    trail.step[trail.count++] = what << 32 | which;
}

static inline bool is_as(const struct trail *other)
{
    return trail.count == other->count &&
           memcmp(trail.step, other->step,
                  trail.count * sizeof trail.step[0]) == 0;
}

static inline uint64_t digest(void)
{
    uint64_t sum = trail.count;

    for (unsigned i = 0; i < trail.count; i++)
        sum = (sum ^ trail.step[i]) * 0x9e3779b97f4a7c15u;
    return sum;
}

static inline weft_sched *played(unsigned worker_count, uint64_t seed)
{
    trail.count = 0;
    return workers_by(worker_count, seed);
}
#endif
