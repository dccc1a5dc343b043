/* chaos.c: the seeds of the pauses of the chaos build.
 *
 * Each thread has one for every file that it comes to, in the order in which it
 * does so; all follow from that of the process. So a test that has failed, run
 * again with WEFT_CHAOS_SEED as it was printed, pauses where it did, as far as
 * its threads come in the same order. What the kernel does in between no seed
 * repeats: it makes a failure likely again, not certain. Run it several times.
 *
 * Nothing here pauses, and so uses no atomics of atomic.h. */
#include "sched/chaos.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t base, given; /* 0: not known yet; how many followed */

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* Under the lock. */
static uint64_t seed(void)
{
    const char *wanted = getenv("WEFT_CHAOS_SEED");
    struct timespec now;

    if (base)
        return base;
    clock_gettime(CLOCK_MONOTONIC, &now);
    base = wanted ? strtoull(wanted, NULL, 10)
                  : mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 32 ^
                        (uint64_t)getpid() << 16) >>
                        32; /* short enough to be typed */
    base += !base;
    return base;
}

uint64_t wf_chaos_seed(void)
{
    pthread_mutex_lock(&lock);
    uint64_t found = seed();
    pthread_mutex_unlock(&lock);
    return found;
}

uint64_t wf_chaos_next_seed(void)
{
    pthread_mutex_lock(&lock);
    uint64_t next = mix(seed() + ++given * 0x9e3779b97f4a7c15u);
    pthread_mutex_unlock(&lock);
    return next ? next : 1;
}
