/* wait.h: until when a thread waits, for calls that take milliseconds. The
 * scheduler in whose time that is may be gone before. */
#ifndef WEFT_GRAPH_WAIT_H
#define WEFT_GRAPH_WAIT_H
#include "sched/sched.h"

#define NO_DEADLINE UINT64_MAX

/* When `timeout_ms` from now is over; negative: never. */
static inline uint64_t deadline_in(const weft_sched *sched, int timeout_ms)
{
    if (timeout_ms < 0)
        return NO_DEADLINE;
    return wf_now_of(sched) + (uint64_t)timeout_ms * 1000000;
}

/* What is left, as wf_wait_while takes it: negative for ever, 0 it is over. */
static inline int64_t deadline_left(const weft_sched *sched, uint64_t deadline)
{
    if (deadline == NO_DEADLINE)
        return -1;
    uint64_t now = wf_now_of(sched);
    return now < deadline ? (int64_t)(deadline - now) : 0;
}
#endif
