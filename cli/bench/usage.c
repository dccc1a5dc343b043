/* usage.c: who used the CPUs, from /proc/stat. */
#include "cli/bench/usage.h"

#include <inttypes.h>
#include <string.h>

#include "cli/bench/clock.h"

void usage_parse(struct usage *u, FILE *stat)
{
    char line[512];
    while (fgets(line, sizeof line, stat)) {
        unsigned cpu;
        uint64_t user, nice, system, idle, iowait, irq, softirq, steal;
        if (sscanf(line,
                   "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                   " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
                   &cpu, &user, &nice, &system, &idle, &iowait, &irq, &softirq,
                   &steal) != 9 ||
            cpu >= USAGE_CPUS)
            continue;
        u->cpus[cpu] = (struct cpu_usage){
            .busy = user + nice + system + irq + softirq,
            .stolen = steal,
            .idle = idle + iowait,
        };
    }
}

void usage_read(struct usage *u)
{
    memset(u, 0, sizeof *u);
    FILE *stat = fopen("/proc/stat", "re");
    if (stat) {
        usage_parse(u, stat);
        fclose(stat);
    }
    u->own_s = clock_ns(CLOCK_PROCESS_CPUTIME_ID) / 1e9;
}

double usage_stolen(const struct usage *from, const struct usage *to,
                    unsigned cpu)
{
    if (cpu >= USAGE_CPUS)
        return 0;
    const struct cpu_usage *a = &from->cpus[cpu], *b = &to->cpus[cpu];
    double stolen = (double)(b->stolen - a->stolen);
    double all =
        stolen + (double)(b->busy - a->busy) + (double)(b->idle - a->idle);
    return all > 0 ? stolen / all : 0;
}

double usage_others(const struct usage *from, const struct usage *to,
                    double seconds, double ticks)
{
    double busy = 0;
    for (unsigned i = 0; i < USAGE_CPUS; i++)
        busy += (double)(to->cpus[i].busy - from->cpus[i].busy);
    double cores = (busy / ticks - (to->own_s - from->own_s)) / seconds;
    return cores > 0 ? cores : 0; /* ticks are coarse */
}
