/* outlet.h: where good items wait for the consumer: a part of a segment. */
#ifndef WEFT_GRAPH_OUTLET_H
#define WEFT_GRAPH_OUTLET_H
#include <stdbool.h>

#include "graph/histogram.h"
#include "graph/slot.h"
#include "graph/want.h"

/* In the order that the consumer asked for. Under the segment's lock. */
struct outlet {
    struct task_list list;
    unsigned marks;           /* ends of epochs that are in it */
    struct slot **early;      /* ordered: a ring of those before their turn */
    uint64_t mask, next;      /* ordered: whose turn it is */
    unsigned borrowed;        /* items that the consumer has */
    unsigned takers;          /* consumers that sleep, or are about to */
    _Atomic uint32_t changed; /* what they sleep on */
    int event;                /* readable while there is something; or -1 */
    bool signalled;
    uint64_t taken;               /* items */
    struct want starved;          /* a consumer, for an item */
    struct durations ready, held; /* ticks */
};

/* 0 or -ENOMEM. */
int wf_outlet_init(struct outlet *o, unsigned slots, bool ordered);
void wf_outlet_finish(struct outlet *o);
#endif
