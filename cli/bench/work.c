/* work.c: work that needs a core and nothing else.
 *
 * The empty asm keeps the value where it is: no compiler may skip a round, or
 * do several at once. */
#include "cli/bench/work.h"

#include <math.h>

#include "cli/bench/clock.h"

void work_rounds(uint64_t rounds)
{
    uint64_t x = rounds;
    for (uint64_t i = 0; i < rounds; i++) {
        x = x * 6364136223846793005U + 1442695040888963407U;
        __asm__ volatile("" : "+r"(x));
    }
}

struct work_pace work_for(double ns)
{
    enum { AT_ONCE = 2000 }; /* some microseconds between two looks */
    double cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID), start = now_ns();
    double rounds = 0, wall = 0, shortest = INFINITY;

    while (wall < ns) {
        work_rounds(AT_ONCE);
        double next = now_ns() - start;
        shortest = fmin(shortest, next - wall);
        wall = next;
        rounds += AT_ONCE;
    }
    cpu = clock_ns(CLOCK_THREAD_CPUTIME_ID) - cpu;
    return (struct work_pace){
        .per_ns = rounds / wall,
        .best = AT_ONCE / shortest,
        .share = cpu < wall ? cpu / wall : 1,
    };
}
