/* sampling.h: whose times are taken.
 *
 * A look at the clock may cost a fiftieth of a microsecond. Where so many items
 * leave a segment that this would be felt, one of every group is timed, and
 * counts for all of it: which one differs from group to group, so that nothing
 * that comes round regularly is always missed. Under the segment's lock. */
#ifndef WEFT_GRAPH_SAMPLING_H
#define WEFT_GRAPH_SAMPLING_H
#include "sched/sched.h"

enum { GROUP = 8, PACED = 64 };

/* So many items in less than this, ns, are too many. */
#define PACED_NS ((uint64_t)2000000)

struct sample {
    unsigned weight; /* 0: no times are taken; 1: all; GROUP: one in so many */
    uint64_t given, left; /* items */
    uint64_t paced_at;    /* ns */
};

static inline void sample_init(struct sample *s, bool times)
{
    *s = (struct sample){ .weight = times, .paced_at = wf_now_ns() };
}

/* For how many items the times of the next one count. */
static inline unsigned sample_next(struct sample *s)
{
    if (s->weight <= 1)
        return s->weight;
    uint64_t group = s->given / GROUP, place = s->given % GROUP;
    s->given++;
    uint64_t hash = group * 0x9e3779b97f4a7c15u; /* the golden ratio's */
    return hash >> 61 == place ? GROUP : 0;
}

/* PACED items have left since this was last told. */
static inline void sample_paced(struct sample *s, uint64_t now_ns)
{
    s->weight = now_ns - s->paced_at < PACED_NS ? GROUP : 1;
    s->paced_at = now_ns;
}

/* An item has left. */
static inline void sample_left(struct sample *s)
{
    if (s->weight && ++s->left % PACED == 0)
        sample_paced(s, wf_now_ns());
}
#endif
