/* child.h: what weft keeps in a child between spawn and sync. */
#ifndef WEFT_GRAPH_CHILD_H
#define WEFT_GRAPH_CHILD_H
#include "graph/here.h"
#include "sched/sched.h"
#include "weft/task.h"

/* Where a child is, as far as its parent knows. */
enum place {
    NOT_SPAWNED,
    PUSHED,  /* in the deque, unless somebody took it */
    KEPT,    /* the deque was full: it runs at sync */
    REFUSED, /* it will not run */
};

struct child {
    struct task task;
    struct child *parent; /* the child that has spawned it, or NULL */
    uintptr_t here;       /* of who has spawned it: here.h */
    _Atomic(weft_worker *) thief;
    _Atomic uint32_t state; /* ENDED, WAITED: see spawn.c */
    int result;
    enum place place;
};
_Static_assert(sizeof(struct child) <= sizeof((struct weft_child *)0)->weft,
               "weft_child is too small");

static inline struct child *state_of(struct weft_child *child)
{
    return (struct child *)(void *)child->weft;
}

/* [any, not a worker] Has the child run on a worker of this scheduler, and
 * waits for it. */
int wf_child_call(weft_sched *sched, struct weft_child *child);
#endif
