/* plain.h: what is counted of an item at a plain stage. Inside graph/ only. */
#ifndef WEFT_GRAPH_PLAIN_H
#define WEFT_GRAPH_PLAIN_H
#include "graph/pipeline.h"

/* The item has its turn and a token, and is called next. */
static inline void plain_enters(struct stage_counts *c, struct slot *slot)
{
    count(&c->in, 1);
    count_past(&c->started, 1);
    slot->attempt = 1;
    slot->told = false;
}

/* The stage has returned 0, and the item leaves it. */
static inline void plain_leaves(struct stage_counts *c, struct segment *s,
                                struct slot *slot, bool times)
{
    count_past(&c->done, 1);
    if (!times)
        return;
    uint64_t now = ticks_of(slot);
    if (slot->weight) {
        count_time(&c->run, slot, slot->began, now);
        wf_histogram_add(&c->latency, since(slot->entered, now), slot->weight);
    }
    slot->arrived = slot->entered = slot->ready = slot->began = now;
    note_time(s, slot, now);
}
#endif
