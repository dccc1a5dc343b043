/* clock.h: what time it is, in nanoseconds. */
#ifndef WEFT_CLI_BENCH_CLOCK_H
#define WEFT_CLI_BENCH_CLOCK_H
#include <time.h>

static inline double clock_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static inline double now_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
#endif
