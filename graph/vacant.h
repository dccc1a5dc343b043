/* vacant.h: slots that hold no item, under the lock of their segment.
 *
 * Who takes one gets that which was given back last by the same worker: its
 * memory is in that core's cache. Only where there is none does it get one of
 * others; the workers share GROUPS lists, so that one word tells which have
 * any. One that was taken for a source goes back to its list if the source is
 * called on another worker, which has its own. */
#ifndef WEFT_GRAPH_VACANT_H
#define WEFT_GRAPH_VACANT_H
#include "sched/sched.h"

enum { GROUPS = 64 };

struct vacant {
    unsigned count;
    uint64_t some; /* a bit for each list that is not empty */
    struct task *newest[GROUPS];
};

static inline unsigned vacant_group(void)
{
    weft_worker *self = wf_worker_here();
    return self ? weft_worker_index(self) % GROUPS : 0;
}

static inline void vacant_add_to(struct vacant *v, struct task *slot,
                                 unsigned group)
{
    slot->next = v->newest[group];
    v->newest[group] = slot;
    v->some |= (uint64_t)1 << group;
    v->count++;
}

static inline void vacant_add(struct vacant *v, struct task *slot)
{
    vacant_add_to(v, slot, vacant_group());
}

/* The group has some. */
static inline struct task *vacant_take_from(struct vacant *v, unsigned group)
{
    struct task *slot = v->newest[group];
    v->newest[group] = slot->next;
    if (!slot->next)
        v->some &= ~((uint64_t)1 << group);
    v->count--;
    return slot;
}

/* NULL: there is none. Else it was in the list of that group. */
static inline struct task *vacant_take(struct vacant *v, unsigned *group)
{
    *group = vacant_group();
    if (!v->some)
        return NULL;
    if (!(v->some >> *group & 1))
        *group = (unsigned)__builtin_ctzll(v->some);
    return vacant_take_from(v, *group);
}
#endif
