/* here.h: which task a callback is part of. Inside graph/ only.
 *
 * A callback stays on its thread from its start to its end, so its task is in a
 * thread-local word: the address of a node, or of the frame of a loose task,
 * and bits. Nodes lie at the bottom of a stack. A loose task may lie on top of
 * one that waits for it; it then hides what is below, and puts that back.
 *
 * A child has the word of the thread that spawned it, whoever runs it: what it
 * leads to is there until the child has been synced. */
#ifndef WEFT_GRAPH_HERE_H
#define WEFT_GRAPH_HERE_H
#include <stdint.h>

enum {
    ASKED = 1,       /* a node that has asked for its handle */
    MAY_NOT_ASK = 2, /* it has no say in how the task ends: a child, or not the
                        `fn` of a node */
    IS_LOOSE = 4,    /* a struct frame, of future.h; else a struct run_node */
};

/* In future.c; 0: it is part of none. */
extern _Thread_local uintptr_t wf_task_here
    __attribute__((tls_model("initial-exec"))); /* each node writes it */

static inline void *wf_task_of(uintptr_t here)
{
    return (void *)(here & ~(uintptr_t)(ASKED | MAY_NOT_ASK | IS_LOOSE));
}
#endif
