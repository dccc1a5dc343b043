/* bench.h: what the benchmarks share: clocks, memory, arguments. */
#ifndef WEFT_PERF_BENCH_H
#define WEFT_PERF_BENCH_H
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline uint64_t wall_ns(void) { return clock_ns(CLOCK_MONOTONIC); }

/* Of all threads of this process. */
static inline uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* The most memory that this process ever had, in KiB. */
static inline long peak_kib(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_maxrss;
}

/* The number in argv[i], or what it is by default. */
static inline uint64_t argument(int argc, char **argv, int i, uint64_t fallback)
{
    return i < argc ? strtoull(argv[i], NULL, 10) : fallback;
}

/* A benchmark has nobody to report to. */
static inline void must(int rc, const char *sentence)
{
    if (rc) {
        fprintf(stderr, "%s (%s)\n", sentence, strerror(-rc));
        exit(1);
    }
}
#endif
