/* spin.c: looking at a word for a while before a sleep on it.
 *
 * To fall asleep and be woken takes longer than most of what is waited for, if
 * a worker is awake; and who is not asleep need not be woken.
 *
 * Where this thread has just woken a worker it does not look. That one needs
 * time itself, and it may be at home on this very core: then it would come only
 * when the thread sleeps. */
#include "sched/spin.h"

#include <stdbool.h>

#include "sched/sched.h"

enum {
    SPIN_NS = 50000, /* as workers look for work */
    LOOKS = 16,      /* between two at the clock */
};

static _Thread_local bool has_woken;

void wf_spin_has_woken(void) { has_woken = true; }

void wf_spin_while(_Atomic uint32_t *word, uint32_t mask, uint32_t seen,
                   int64_t most_ns)
{
    int64_t spin = most_ns < 0 || most_ns > SPIN_NS ? SPIN_NS : most_ns;
    bool vain = has_woken;

    has_woken = false;
    if (vain)
        return;
    uint64_t end = wf_now_ns() + (uint64_t)spin;
    do
        for (int i = 0; i < LOOKS; i++) {
            if ((load_relaxed(word) & mask) != seen)
                return;
            cpu_pause();
        }
    while (wf_now_ns() < end);
}
