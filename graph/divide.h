/* divide.h: what all that divides a range has in common. */
#ifndef WEFT_GRAPH_DIVIDE_H
#define WEFT_GRAPH_DIVIDE_H
#include <stddef.h>

#include "sched/sched.h"

/* [worker] Whether `what`, a function of task.h, may begin here: 0, -EPERM: not
 * on this worker; -ENOBUFS: too little stack. */
int wf_may_divide(weft_worker *self, const char *what);

/* How many of the `left` indices come next, after `done` of a range: see for.c.
 */
static inline size_t next_chunk(size_t done, size_t left)
{
    size_t most = left / 8 + 1;

    return done < most ? done + 1 : most;
}

/* Where the upper half of a range begins: in the middle, or at the grain that
 * is nearest below it. There are more than `grain`, or than one. */
static inline size_t middle_of(size_t begin, size_t end, size_t grain)
{
    size_t n = end - begin;

    if (!grain)
        return begin + n / 2;
    return begin + ((n - 1) / grain + 1) / 2 * grain;
}
#endif
