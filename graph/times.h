/* times.h: the times of an item, as far as they are taken: sampling.h. */
#ifndef WEFT_GRAPH_TIMES_H
#define WEFT_GRAPH_TIMES_H
#include "graph/counts.h"
#include "graph/segment.h"

/* The time, if the item is timed; else 0. */
static inline uint64_t ticks_of(const struct slot *slot)
{
    return slot->weight ? wf_ticks() : 0;
}

/* The same where it is known, but for another item. */
static inline uint64_t ticks_at(const struct slot *slot, uint64_t now)
{
    return slot->weight && now ? now : ticks_of(slot);
}

/* How long that is, for all the items for which this one counts. */
static inline uint64_t time_of(const struct slot *slot, uint64_t from,
                               uint64_t to)
{
    return slot->weight * since(from, to);
}

static inline void count_time(_Atomic uint64_t *counter,
                              const struct slot *slot, uint64_t from,
                              uint64_t to)
{
    count(counter, time_of(slot, from, to));
}

/* The same with how long each was. `to` is 0 where that is not known. */
static inline void count_duration(struct durations *d, const struct slot *slot,
                                  uint64_t from, uint64_t to)
{
    if (!slot->weight || !to)
        return;
    d->sum += time_of(slot, from, to);
    wf_histogram_add(&d->each, since(from, to), slot->weight);
}

/* The item came where it is. One that is not timed asks those that are. */
static inline void note_time(struct segment *s, struct slot *slot, uint64_t now)
{
    if (now)
        store_relaxed(&s->lately, now);
    store_relaxed(&slot->lately, now ? now : load_relaxed(&s->lately));
}
#endif
