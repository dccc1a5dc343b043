/* want.h: for how long somebody has wanted something, under a lock of its
 * owner's. */
#ifndef WEFT_GRAPH_WANT_H
#define WEFT_GRAPH_WANT_H
#include "graph/counts.h"
#include "sched/sched.h"

/* For how long in all, and since when now. Ticks. */
struct want {
    uint64_t ticks, since;
};

/* It is wanted from now on, if times are taken. */
static inline void want(bool times, struct want *w)
{
    if (times && !w->since)
        w->since = wf_ticks();
}

/* It is there, or is wanted no more. */
static inline void got(struct want *w)
{
    if (w->since)
        w->ticks += since(w->since, wf_ticks());
    w->since = 0;
}

/* The time up to now. */
static inline uint64_t wanted(const struct want *w)
{
    return w->ticks + (w->since ? since(w->since, wf_ticks()) : 0);
}
#endif
