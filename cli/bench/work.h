/* work.h: work that needs a core and nothing else: neither memory nor luck. */
#ifndef WEFT_CLI_BENCH_WORK_H
#define WEFT_CLI_BENCH_WORK_H
#include <stdint.h>

/* Rounds of which each needs the result of the one before: a few cycles. */
void work_rounds(uint64_t rounds);

/* Works for so long, and tells how it went. */
struct work_pace {
    double per_ns; /* rounds */
    double best;   /* rounds a ns, in the best few microseconds */
    double share;  /* of its CPU that the thread got: 0 .. 1 */
};
struct work_pace work_for(double ns);
#endif
