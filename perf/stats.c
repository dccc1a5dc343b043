/* stats.c: what do the statistics cost?
 *
 *     stats [ITEMS [WORKERS]]
 *
 * Stages of a microsecond, all statistics on against all off, in turns. Each
 * pair gives a ratio, of CPU time, which other programs disturb less than the
 * time of the day; the answer is their median. Fails where three of four pairs
 * say that it is more than 2 %: R26. */
#include <stdbool.h>

#include "perf/empty_stages.h"

enum { PAIRS = 21, STAGES = 4, ALLOWED = 2 /* % */ };

/* So many steps take a microsecond. */
static uint64_t steps_of_a_microsecond(void)
{
    const uint64_t steps = 100000;
    uint64_t fastest = UINT64_MAX;
    volatile uint64_t used;

    for (int i = 0; i < 100; i++) {
        uint64_t begin = wall_ns();
        used = work(steps + (uint64_t)i);
        uint64_t took = wall_ns() - begin;
        fastest = took < fastest ? took : fastest;
    }
    return (void)used, steps * 1000 / fastest;
}

int main(int argc, char **argv)
{
    uint64_t items = argument(argc, argv, 1, 50000);
    weft_sched *sched = sched_of((unsigned)argument(argc, argv, 2, 0));
    struct job job = { .items = items,
                       .stages = STAGES,
                       .steps = steps_of_a_microsecond() };
    double ratio[PAIRS], on[PAIRS], off[PAIRS];

    for (int pair = -1; pair < PAIRS; pair++) { /* the first warms up */
        double each = (double)items * STAGES, cost[2];
        for (int i = 0; i < 2; i++) {
            job.counts_only = (i ^ pair) & 1; /* either is first in turn */
            cost[job.counts_only] = (double)cost_of(sched, &job).cpu / each;
        }
        if (pair < 0)
            continue;
        on[pair] = cost[0];
        off[pair] = cost[1];
        ratio[pair] = cost[0] / cost[1];
    }
    printf("%.1f ns of CPU per item and stage of 1 us with all statistics, "
           "%.1f with counts only\n",
           median(on, PAIRS), median(off, PAIRS));
    double middle = (median(ratio, PAIRS) - 1) * 100;
    double low = (ratio[PAIRS / 4] - 1) * 100;
    printf("statistics cost %.2f %%: half of %u pairs between %.2f and %.2f\n",
           middle, PAIRS, low, (ratio[PAIRS * 3 / 4] - 1) * 100);
    weft_sched_destroy(sched);
    return low > ALLOWED;
}
