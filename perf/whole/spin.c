/* spin.c: how fast is each core just now?
 *
 *     spin
 *
 * The same integer loop on every core that this process may use, on all at
 * once, many times over; prints the median of each core in ns, a line. Figures
 * are worth little where it changes from before to after: the machine did.
 *
 * Then, where there are two cores, `line NS`: what a cache line takes from the
 * first to the last and back. A virtual machine's cores may be near at one time
 * and far at another. */
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "perf/bench.h"

enum { STEPS = 2000000, TURNS = 25, PASSES = 100 };

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

static void stay_on(int core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(core, &set);
    if (sched_setaffinity(0, sizeof set, &set))
        must(-errno, "a core cannot be had");
}

static void *spin(void *core_)
{
    struct core *core = core_;
    volatile uint64_t used = 1;

    stay_on(core->number);
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

/* Even: the first core's turn; odd: the last one's. */
static _Alignas(64) atomic_uint turn;
enum { OVER = UINT32_MAX };

/* Long before that it is a thread's turn, unless its core has other work. */
static void yield_seldom(unsigned spins)
{
    if (spins % 4096 == 4095)
        sched_yield();
}

static void *pass_back(void *core_)
{
    stay_on(((struct core *)core_)->number);
    for (unsigned mine = 1, now;; mine += 2) {
        for (unsigned i = 0; (now = atomic_load(&turn)) != mine; i++) {
            if (now == (unsigned)OVER)
                return NULL;
            yield_seldom(i);
        }
        atomic_store(&turn, mine + 1);
    }
}

/* A round trip, on average of some. */
static double there_and_back(unsigned *mine)
{
    uint64_t begin = wall_ns();

    for (int i = 0; i < PASSES; i++) {
        atomic_store(&turn, ++*mine);
        ++*mine;
        for (unsigned k = 0; atomic_load(&turn) != *mine; k++)
            yield_seldom(k);
    }
    return (double)(wall_ns() - begin) / PASSES;
}

static double least_of(double a, double b) { return a < b ? a : b; }

/* The least of many, for a moment: it is long where the cores have other work.
 */
static void tell_line(const struct core *first, struct core *last)
{
    uint64_t end = wall_ns() + 50000000;
    double least = INFINITY;
    unsigned mine = 0;

    must(-pthread_create(&last->thread, NULL, pass_back, last), "no thread");
    stay_on(first->number);
    while (wall_ns() < end)
        least = least_of(least, there_and_back(&mine));
    atomic_store(&turn, OVER);
    pthread_join(last->thread, NULL);
    printf("line %.1f\n", least);
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
    if (count > 1)
        tell_line(&cores[0], &cores[count - 1]);
}
