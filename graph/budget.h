/* budget.h: the bytes that the items of a run may hold. */
#ifndef WEFT_GRAPH_BUDGET_H
#define WEFT_GRAPH_BUDGET_H
#include <pthread.h>

#include "graph/slot.h"

/* The slots of one segment that are in use, the oldest first. */
struct ages {
    struct slot *oldest, *newest;
};

struct budget {
    pthread_mutex_t lock; /* of what follows */
    uint64_t bytes;       /* 0: no budget */
    uint64_t used, peak;
    struct ages *ages; /* one a segment */
    unsigned segments;
    struct task_list waiting;
};

/* 0 or -ENOMEM. 0 bytes: nothing is ever asked. */
int wf_budget_init(struct budget *b, uint64_t bytes, unsigned segments);
void wf_budget_finish(struct budget *b);

/* The slot is in use, and the newest in its segment. */
void wf_budget_enter(struct budget *b, struct slot *slot);

/* [any] So many bytes more for the slot. False: it waits, and its task is
 * returned by wf_budget_leave. */
bool wf_budget_ask(struct budget *b, struct slot *slot, uint64_t bytes);

/* [any] The same for a thread that does not wait: false, it has none. */
bool wf_budget_try(struct budget *b, struct slot *slot, uint64_t bytes);

/* [any] The slot does not wait for bytes any more. False: it has them already.
 */
bool wf_budget_withdraw(struct budget *b, struct slot *slot);

/* [any] What was in one slot is in the other now. */
void wf_budget_move(struct budget *b, struct slot *from, struct slot *to);

/* [any] The slot is no longer in use: gives all its bytes back. The tasks that
 * have theirs now, for the caller to make ready. */
struct task_list wf_budget_leave(struct budget *b, struct slot *slot);
#endif
