/* wait.h: until when a thread waits, for calls that take milliseconds. The
 * scheduler in whose time that is may be gone before.
 *
 * A timeout must not pass while the process is stopped: see timer.c. Who waits
 * looks at the clock every BEAT; what it comes back later than LATE after that
 * was not lived, and the deadline is later by as much. */
#ifndef WEFT_GRAPH_WAIT_H
#define WEFT_GRAPH_WAIT_H
#include "sched/sched.h"

#define NO_DEADLINE UINT64_MAX

struct deadline {
    uint64_t when;
    uint64_t looked; /* last */
    uint64_t looks;  /* again */
};

/* When `timeout_ms` from now is over; negative: never. */
static inline struct deadline deadline_in(const weft_sched *sched,
                                          int timeout_ms)
{
    if (timeout_ms < 0)
        return (struct deadline){ .when = NO_DEADLINE };
    uint64_t now = wf_now_of(sched);
    return (struct deadline){ now + (uint64_t)timeout_ms * 1000000, now, now };
}

/* How long to sleep until the next look, as wf_wait_while takes it: negative
 * for ever, 0 it is over. */
static inline int64_t deadline_left(const weft_sched *sched, struct deadline *d)
{
    static const uint64_t BEAT = 100000000, LATE = 100000000; /* ns */

    if (d->when == NO_DEADLINE)
        return -1;
    bool played = wf_has_clock(sched);
    uint64_t now = wf_now_of(sched);
    if (!played && now > d->looks + LATE)
        d->when += now - d->looks;
    uint64_t left = now < d->when ? d->when - now : 0;
    left = played || left < BEAT ? left : BEAT;
    d->looked = now;
    d->looks = now + left;
    return (int64_t)left;
}

/* The thread has not slept since it looked, but worked: all of it was lived. */
static inline void deadline_worked(const weft_sched *sched, struct deadline *d)
{
    if (d->when != NO_DEADLINE)
        d->looks = wf_now_of(sched);
}
#endif
