/* look.h: where each item of a run is, and what it waits for, at a moment. */
#ifndef WEFT_GRAPH_LOOK_H
#define WEFT_GRAPH_LOOK_H
#include "graph/pipeline.h"

/* A limit that has fewer tokens than an item needs, or others before it. */
struct lack {
    unsigned tokens; /* 0: it lacks none */
    unsigned before; /* how many others wait before it */
};

/* What was seen of a slot. */
struct seen {
    enum place place;
    unsigned segment, stage, attempt;
    uint64_t number, epoch, lately;
    uint64_t ticket[MOST_BRANCHES + 1];
    bool marker;
    bool early;    /* in the consumer's ring */
    bool queued;   /* in the list of a token, a path, a merge or the budget */
    unsigned lane; /* the path or the input; or NOWHERE: any */
    uint64_t bytes, wants; /* of the budget */
    bool first;            /* others wait until it has crossed */
    struct attempt_seen attempted;
    struct lack lacks[WEFT_MOST_USES + 1]; /* as the uses of its stage */
};

struct segment_seen {
    struct seen *slots;
    unsigned count, free, reserved;
    bool hungry, ended;
    unsigned reservers; /* threads that wait for a slot */
    uint64_t out_next;  /* whose turn it is at the consumer */
};

struct look {
    struct pipeline_run *run;
    struct seen *slots; /* of all segments */
    struct segment_seen *segments;
    uint64_t now; /* ticks */
    double ns_per_tick;
};

/* [any] 0 or -ENOMEM; then it is to be finished. What moves meanwhile is seen
 * here or there; what does not move is seen where it is. */
int wf_look(struct look *l, struct pipeline_run *run);
void wf_look_finish(struct look *l);
#endif
