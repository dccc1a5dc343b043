/* router.h: who is let into which path of a router. */
#ifndef WEFT_GRAPH_ROUTER_H
#define WEFT_GRAPH_ROUTER_H
#include <pthread.h>

#include "graph/slot.h"
#include "weft/pipeline.h"

struct router_path {
    unsigned slots;  /* most items in it */
    unsigned inside; /* in use */
    uint64_t let_in; /* up to now: the tickets of the path */
    struct task_list waiting;
};

struct router {
    pthread_mutex_t lock; /* of what follows */
    struct router_path *paths;
    unsigned count;
    unsigned turn;              /* where the search for room begins */
    struct task_list undecided; /* wait for room in any path */
};

/* 0 or -ENOMEM. The paths' slots are set by the caller. */
int wf_router_init(struct router *r, unsigned paths);
void wf_router_finish(struct router *r);

/* [any] The slot goes to slot->path[depth], or to any with room, and gets its
 * ticket there. False: the path is full; the slot waits and is returned by
 * wf_router_leave, which gives it the ticket. */
bool wf_router_enter(struct router *r, struct slot *slot, unsigned depth);

/* [any] The slot has left its path: the task that is let in instead, for the
 * caller to make ready, or NULL. */
struct task *wf_router_leave(struct router *r, struct slot *slot,
                             unsigned depth);
#endif
