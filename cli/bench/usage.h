/* usage.h: who used the CPUs, from /proc/stat. */
#ifndef WEFT_CLI_BENCH_USAGE_H
#define WEFT_CLI_BENCH_USAGE_H
#include <stdint.h>
#include <stdio.h>

enum { USAGE_CPUS = 4096 };

/* In ticks since the machine started. */
struct usage {
    struct cpu_usage {
        uint64_t busy, stolen, idle;
    } cpus[USAGE_CPUS];
    double own_s; /* CPU seconds of this process */
};

/* Reads "cpu3 1 2 3 ..." from `stat`, in the format of /proc/stat; CPUs that it
 * does not name stay 0. */
void usage_parse(struct usage *u, FILE *stat);

/* As of now; where /proc is not there, all is 0. */
void usage_read(struct usage *u);

/* The part of this CPU's time that went to other machines: 0 .. 1. */
double usage_stolen(const struct usage *from, const struct usage *to,
                    unsigned cpu);

/* How many CPUs other programs had on average; `ticks` are a second's. */
double usage_others(const struct usage *from, const struct usage *to,
                    double seconds, double ticks);
#endif
