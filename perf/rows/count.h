/* count.h: have all tasks run? Each adds 1 to what is its thread's alone, so
 * that counting costs next to nothing. C++ reads this too. */
#ifndef WEFT_PERF_ROWS_COUNT_H
#define WEFT_PERF_ROWS_COUNT_H
#include "perf/rows/row.h"

enum { MOST_THREADS = 256 };

static struct counter {
    uint64_t count;
    char apart[56];
} counters[MOST_THREADS];
static unsigned counting_threads;
static __thread struct counter *counter_mine;

static inline void count_one(void)
{
    if (!counter_mine) {
        unsigned i =
            __atomic_fetch_add(&counting_threads, 1u, __ATOMIC_RELAXED);
        row_check(i < MOST_THREADS, "too many threads");
        counter_mine = &counters[i];
    }
    __atomic_store_n(&counter_mine->count, counter_mine->count + 1,
                     __ATOMIC_RELEASE);
}

static inline uint64_t counted(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < MOST_THREADS; i++)
        sum += __atomic_load_n(&counters[i].count, __ATOMIC_ACQUIRE);
    return sum;
}
#endif
