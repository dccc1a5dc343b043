/* test_spin.c: sched/spin.c: who waits looks for a while, and for which bits.
 */
#include <pthread.h>
#include <unistd.h>

#include "sched/sched.h"
#include "sched/spin.h"
#include "tests/test.h"

enum { LIMIT_NS = 20000, TRIES = 100 };

static _Atomic uint32_t word;

static uint64_t look(int64_t most_ns)
{
    uint64_t began = wf_now_ns();

    wf_spin_while(&word, 2, 0, most_ns);
    return wf_now_ns() - began;
}

/* However often this thread has looked in vain before. */
static bool looks_at_last(void)
{
    for (int i = 0; i < TRIES; i++)
        if (look(LIMIT_NS) >= LIMIT_NS)
            return true;
    return false;
}

Test(spin, it_ends_though_nothing_comes)
{
    store_relaxed(&word, 1); /* which it does not look for */
    cr_assert(looks_at_last());
}

/* A thread may lose its core for a while, but not each time. */
Test(spin, who_looks_in_vain_looks_seldom)
{
    unsigned looks = 0;

    store_relaxed(&word, 0);
    for (int i = 0; i < 10 * TRIES; i++)
        looks += look(LIMIT_NS) >= LIMIT_NS;
    cr_assert(looks > 0);
    cr_assert(looks < TRIES * 3);
}

static void *change(void *unused)
{
    usleep(1000);
    store_relaxed(&word, 2);
    return NULL;
}

Test(spin, it_sees_what_another_thread_does, .timeout = 10)
{
    pthread_t thread;

    store_relaxed(&word, 0);
    pthread_create(&thread, NULL, change, NULL);
    while (!(load_relaxed(&word) & 2))
        wf_spin_while(&word, 2, 0, -1);
    pthread_join(thread, NULL);
}

Test(spin, who_has_woken_a_worker_does_not_look_once)
{
    uint64_t least = UINT64_MAX;

    store_relaxed(&word, 0);
    for (int i = 0; i < TRIES; i++) {
        wf_spin_has_woken();
        uint64_t took = look(-1);
        least = took < least ? took : least;
    }
    cr_assert(least < LIMIT_NS);
    cr_assert(looks_at_last());
}
