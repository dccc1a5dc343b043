/* budget.h: the bytes that the items of a run may hold. */
#ifndef WEFT_GRAPH_BUDGET_H
#define WEFT_GRAPH_BUDGET_H
#include <pthread.h>

#include "graph/slot.h"

/* What a change makes possible; the caller sees to it: wf_flow_budget. */
struct budget_news {
    struct task_list ready; /* who have what they waited for, or try again */
    bool opened; /* merges may move what had to wait for another item */
};

/* What one segment has of it. Its slots are in a feeder's hand, or flow. */
struct share {
    struct slot *oldest, *newest; /* that flow, in the order of their tickets */
    uint64_t held;                /* by all its slots */
    unsigned hands;               /* slots in hand that wait */
    unsigned coming;              /* items that cross into it */
    unsigned markers;             /* among those that flow */
    unsigned turn;                /* in_turns: the segment whose turn it is */

    uint64_t least; /* is kept for it while it holds less */
    unsigned into;  /* the segment behind it, or NOWHERE */
    bool asks;      /* its items do, for more than they cost */
    bool in_turns;  /* a merge fills it, from one input after the other */
};

struct budget {
    pthread_mutex_t lock; /* of what follows, and of what slots have of it */
    uint64_t bytes;       /* 0: no budget */
    uint64_t used, peak;
    uint64_t kept;        /* what the segments do not hold of their least */
    struct share *shares; /* one a segment */
    unsigned segments;
    struct task_list waiting; /* for bytes */
    struct slot *exceeds;     /* has more than there was, or NULL */
    struct slot *scatters;    /* had, and has crossed; the last such, or NULL */
    struct slot *next;        /* for whom its way is kept free, or NULL */
    uint64_t crossings;       /* so far */
    struct task_list border;  /* who wait until one of these has crossed */
};

/* 0 or -ENOMEM. 0 bytes: nothing is ever asked. */
int wf_budget_init(struct budget *b, uint64_t bytes, unsigned segments);
void wf_budget_finish(struct budget *b);

/* Before anything is asked: the segment leads into another, and its items cost
 * so much; all segments have to be told. */
void wf_budget_share(struct budget *b, unsigned segment, struct share share);

/* [any] The slot flows from now on. Under the lock of its segment, in the order
 * of the tickets. */
void wf_budget_flows(struct budget *b, struct slot *slot);

/* [any] So many bytes for the slot, all in all. False: it waits for what it
 * lacks, and its task will be in one of the lists that are returned here. If it
 * has more, the rest goes back, but what an item costs at least. */
bool wf_budget_ask(struct budget *b, struct slot *slot, uint64_t bytes,
                   struct budget_news *news);

/* [any] The same for a thread that does not wait: false, it has what it had. */
bool wf_budget_try(struct budget *b, struct slot *slot, uint64_t bytes);

/* [any] The slot does not wait for bytes any more. False: it has them already,
 * or was withdrawn before. */
bool wf_budget_withdraw(struct budget *b, struct slot *slot);

/* [any] The item is about to cross into the next segment. False: it waits for
 * one that goes before it, and its task will be in one of the lists that are
 * returned here; then it asks again. If it stays until what it has become has
 * left, others may have more than there is from now on. */
bool wf_budget_cross(struct budget *b, struct slot *slot, bool stays,
                     struct budget_news *news);

/* [any] The same for who does not stay, and is in no list if it is false. */
bool wf_budget_try_cross(struct budget *b, struct slot *slot);

/* [any] The next item of this segment, which a merge fills, comes from that
 * one. */
void wf_budget_turn(struct budget *b, unsigned segment, unsigned input,
                    struct budget_news *news);

/* [any] An item moves: what it has above its cost is the other slot's, which is
 * in hand. */
void wf_budget_move(struct budget *b, struct slot *from, struct slot *to,
                    uint64_t cost);

/* [any] The slot is no longer in use: gives all its bytes back. */
struct budget_news wf_budget_leave(struct budget *b, struct slot *slot);
#endif
