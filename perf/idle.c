/* idle.c: does a scheduler that has nothing to do use the CPU?
 *
 *     idle [MILLISECONDS [WORKERS]]
 *
 * Gives every worker work, lets them go to sleep, and then looks at the CPU
 * time of the process while this thread sleeps too. Fails above 1 %: one
 * spinning worker is 100 %, one that looks around every millisecond several. */
#include "perf/bench.h"
#include "weft/weft.h"

enum { TASKS = 10000, SETTLE_MS = 50 };

static int work(weft_worker *self, void *ctx)
{
    for (volatile int i = 0; i < 1000; i++)
        ;
    return 0;
}

static void sleep_ms(uint64_t ms)
{
    struct timespec time = { .tv_sec = (time_t)(ms / 1000),
                             .tv_nsec = (long)(ms % 1000) * 1000000 };
    while (nanosleep(&time, &time) && errno == EINTR)
        ;
}

static void keep_busy(weft_sched *sched)
{
    weft_error why = { "" };
    weft_graph *g = weft_graph_create();
    weft_plan *plan;

    for (int i = 0; i < TASKS; i++)
        weft_task(g, "work", work, NULL);
    must(weft_compile(&plan, g, &why), why.text);
    weft_graph_destroy(g);
    must(weft_run(sched, plan, &why), why.text);
    weft_plan_destroy(plan);
}

int main(int argc, char **argv)
{
    uint64_t ms = argument(argc, argv, 1, 2000);
    unsigned workers = (unsigned)argument(argc, argv, 2, 0);
    struct weft_sched_stats before, after;
    weft_error why = { "" };
    weft_sched *sched;

    must(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), &why),
        why.text);
    keep_busy(sched);
    sleep_ms(SETTLE_MS);
    weft_sched_stats(sched, &before);
    uint64_t cpu = cpu_ns();
    sleep_ms(ms);
    cpu = cpu_ns() - cpu;
    weft_sched_stats(sched, &after);

    double percent = (double)cpu / (double)ms / 1e4;
    printf("%u workers idle for %" PRIu64 " ms: %.3f ms CPU (%.3f %%), "
           "%" PRIu64 " wake-ups\n",
           weft_sched_workers(sched), ms, (double)cpu / 1e6, percent,
           after.wakes - before.wakes);
    weft_sched_destroy(sched);
    return percent > 1;
}
