/* idle.h: does something that has nothing to do use the CPU?
 *
 * Looked at from a thread that sleeps: the CPU time of the process. C++ reads
 * this too. */
#ifndef WEFT_PERF_ROWS_IDLE_H
#define WEFT_PERF_ROWS_IDLE_H
#include "perf/rows/count.h"

enum { IDLE_TASKS = 10000, IDLE_SETTLE_US = 100000, IDLE_US = 2000000 };
static const double idle_seconds = 2;

/* What the tasks before do. */
static inline void idle_work(void)
{
    for (int i = 0; i < 1000; i++)
        __asm__ volatile("");
    count_one();
}

/* CPU seconds in two seconds, or as if it had been so long. */
static inline double idle_look(const struct row *row, const struct row_case *c,
                               const char *by)
{
    struct row_result r = { c->name, "CPU in 2 s", by, "s", 0, 0, NULL, 0 };
    uint64_t us = row_size(row, IDLE_US, IDLE_US / 20), wall, cpu;

    row_sleep_us(IDLE_SETTLE_US);
    wall = wall_ns();
    cpu = cpu_ns();
    row_sleep_us(us);
    cpu = cpu_ns() - cpu;
    wall = wall_ns() - wall;
    r.value = (double)cpu / (double)wall * idle_seconds;
    row_tell(row, r);
    return r.value;
}
#endif
