/* spin.c: looking at a word for a while before a sleep on it.
 *
 * To fall asleep and be woken takes longer than most of what is waited for, if
 * a worker is awake; and who is not asleep need not be woken.
 *
 * Where this thread has just woken a worker it does not look. That one needs
 * time itself, and it may be at home on this very core: then it would come only
 * when the thread sleeps.
 *
 * A look takes a core from a worker that may have use for it. So who looks in
 * vain looks at every second time only, then at every fourth, and so on, until
 * something came while it looked. */
#include "sched/spin.h"

#include <stdbool.h>

#include "sched/sched.h"

#ifndef LOOK_NS
#define LOOK_NS    50000 /* as workers look for work */
#define LOOK_TIMES 16    /* between two at the clock */
#endif

enum { SELDOM = 6 /* every 64th time */ };

static _Thread_local bool has_woken;
static _Thread_local unsigned in_vain; /* in a row, at most SELDOM */
static _Thread_local unsigned skips;   /* times, from now on */

void wf_spin_has_woken(void) { has_woken = true; }

void wf_spin_while(_Atomic uint32_t *word, uint32_t mask, uint32_t seen,
                   int64_t most_ns)
{
    int64_t spin = most_ns < 0 || most_ns > LOOK_NS ? LOOK_NS : most_ns;
    bool vain = has_woken;

    has_woken = false;
    if (vain || (skips && skips--))
        return;
    uint64_t end = wf_now_ns() + (uint64_t)spin;
    do
        for (int i = 0; i < LOOK_TIMES; i++) {
            if ((load_relaxed(word) & mask) != seen) {
                in_vain = 0;
                return;
            }
            cpu_pause();
        }
    while (wf_now_ns() < end);
    if (in_vain < SELDOM)
        in_vain++;
    skips = (1u << in_vain) - 1;
}
