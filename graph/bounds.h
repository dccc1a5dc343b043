/* bounds.h: how much of everything a run has used, and what that allows. */
#ifndef WEFT_GRAPH_BOUNDS_H
#define WEFT_GRAPH_BOUNDS_H
#include "graph/pipeline.h"

/* In the order in which one of several that are as busy is named. */
enum resource_kind {
    OF_SOURCE,
    OF_LIMIT,
    OF_THREAD, /* of pinned stages */
    OF_STAGE,  /* its tokens */
    OF_WORKERS,
    OF_CONSUMER,
    OF_BUDGET,
    OF_PATH,  /* the items that a router lets into it */
    OF_SLOTS, /* of a segment */
};

struct resource {
    enum resource_kind kind;
    unsigned stage; /* source, stage; limit, thread, workers: who uses most of
                       it; slots: who fills them; path: the fork */
    unsigned index; /* of the limit, the segment, or the path */
    unsigned count; /* tokens, workers, slots */
    double use;     /* of all there is, over the time: 0 .. 1 */
    double others;  /* LIMIT: the part of `use` that is not this run's */
    double held;    /* STAGE: the part in which items had its tokens, also those
                       that wait for a thread with them */
    double full;    /* SLOTS: over the time, who fills them had none to fill, or
                       (a source) was filling one */
    double bytes;   /* SLOTS: of the budget, if all have an item; BUDGET: what
                       of it can be used */
    bool orders;    /* SLOTS: where items overtake, one waits for another */
    /* What `use` would be at the same speed with one more of it (twice as many
     * slots or bytes), and with one more worker. */
    double with_more, with_worker;
};

/* What the account says of each resource: an array for the caller to free, or
 * NULL: no memory. */
struct resource *wf_bounds(struct pipeline_run *run, const struct account *a,
                           unsigned *count);
#endif
