/* spin.c: how fast is each core just now?
 *
 *     spin
 *
 * The same integer loop on every core that this process may use, on all at
 * once, many times over; prints the median of each core in ns, a line. Figures
 * are worth little where it changes from before to after: the machine did. */
#include <pthread.h>
#include <sched.h>

#include "perf/bench.h"

enum { STEPS = 2000000, TURNS = 25 };

struct core {
    pthread_t thread;
    int number;
    uint64_t ns[TURNS];
};

/* Each step waits for the one before. */
static uint64_t steps(uint64_t x)
{
    for (int i = 0; i < STEPS; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

static void *spin(void *core_)
{
    struct core *core = core_;
    volatile uint64_t used = 1;
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core->number, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        must(-errno, "a core cannot be had");
    for (int i = 0; i < TURNS; i++) {
        uint64_t begin = wall_ns();
        used = steps(used);
        core->ns[i] = wall_ns() - begin;
    }
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    static struct core cores[CPU_SETSIZE];
    int count = 0;
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set))
        must(-errno, "the cores are not known");
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            cores[count++].number = i;
    for (int i = 0; i < count; i++)
        must(-pthread_create(&cores[i].thread, NULL, spin, &cores[i]),
             "no thread");
    for (int i = 0; i < count; i++) {
        pthread_join(cores[i].thread, NULL);
        qsort(cores[i].ns, TURNS, sizeof *cores[i].ns, by_value);
        printf("%" PRIu64 "\n", cores[i].ns[TURNS / 2]);
    }
}
