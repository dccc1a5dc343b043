/* segment.h: the slots between a feeder (a source, a gather) and the next
 * gather or the end, and the account of what became of their items. */
#ifndef WEFT_GRAPH_SEGMENT_H
#define WEFT_GRAPH_SEGMENT_H
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"
#include "weft/pipeline.h"

enum outcome { GOOD, FILTERED, FAILED, CANCELLED };

/* Where in its stage an item is: what its task does when it runs next. */
enum place { AT_DOOR, HAS_TURN, HAS_TOKEN, COMPLETED, BORROWED };

/* One item in flight; the item's own memory follows. */
struct slot {
    struct task task;
    struct pipeline_run *run;
    unsigned segment, stage;
    enum place place;
    enum outcome outcome;
    int result;            /* of a pending stage */
    _Atomic uint32_t both; /* the stage returned, the completion came */
    _Atomic uint32_t refs; /* 1, and those who see to its turn: flow.c */
    uint64_t number;       /* in its segment */
    uint64_t arrived_ns;   /* at the stage */
    uint64_t ready_ns;     /* got its token, or its completion */
    char why[256];         /* what weft_fail said in this stage */
    alignas(max_align_t) char item[];
};

/* Where good items wait for the consumer, in the order that it asked for. */
struct outlet {
    struct task_list list;
    struct slot **early;      /* ordered: a ring of those before their turn */
    uint64_t mask, next;      /* ordered: whose turn it is */
    unsigned borrowed;        /* items that the consumer has */
    unsigned takers;          /* consumers that sleep, or are about to */
    _Atomic uint32_t changed; /* what they sleep on */
};

struct segment {
    alignas(64) pthread_mutex_t lock; /* of what follows, but as noted */
    struct task_list free;            /* slots */
    struct outlet out;
    bool in_hand;          /* the feeder has a slot */
    bool hungry;           /* the feeder waits for one */
    bool ended;            /* nothing more will be fed */
    struct weft_flow flow; /* but in_flight, which is counted when asked */
    _Atomic uint64_t cancel_from; /* items of this number and above; no lock */
    struct weft_items items;      /* immutable, like what follows */
    size_t stride;
    char *memory; /* of the slots */
};

/* What a change of a segment makes possible; the caller sees to it. */
struct segment_news {
    struct slot *slot; /* for the feeder, which was hungry */
    bool over;         /* the segment has ended and is empty: told once */
};

static inline struct slot *slot_of_task(struct task *task)
{
    return (struct slot *)((char *)task - offsetof(struct slot, task));
}

static inline struct slot *slot_of_item(const void *item)
{
    return (struct slot *)((uintptr_t)item - offsetof(struct slot, item));
}

/* 0 or -ENOMEM. `number` is its own; ordered: its consumer wants the order. */
int wf_segment_init(struct segment *s, const struct weft_items *items,
                    struct pipeline_run *run, unsigned number, bool ordered);
void wf_segment_finish(struct segment *s);

/* The feeder's first slot. */
struct slot *wf_segment_first(struct segment *s);

/* The feeder has filled its slot: the item gets its number. Returns the
 * feeder's next slot; or NULL: the feeder is hungry now, and may already be fed
 * again. */
struct slot *wf_segment_feed(struct segment *s, struct slot *filled);

/* The feeder has no more. `last` is the slot in its hand, `filled` or not. */
struct segment_news wf_segment_end(struct segment *s, struct slot *last,
                                   bool filled);

/* [any] The item has left. */
struct segment_news wf_segment_release(struct segment *s, struct slot *slot);

/* [any] The item is offered to the consumer, in its turn; it, or one before it,
 * may be taken and released at once. Returns the items whose turn it is and
 * that the consumer does not get, for the caller to release. */
struct task_list wf_segment_offer(struct segment *s, struct slot *slot);

/* [any] The oldest item for the consumer, or NULL when none came before the
 * deadline of wait.h. *dry: nothing will ever come any more. */
struct slot *wf_segment_take_out(struct segment *s, uint64_t deadline,
                                 bool *dry);

/* [any] Cancels items of this number and above. If those are all (number 0),
 * returns the ones that wait for the consumer, for the caller to release. */
struct task_list wf_segment_cancel(struct segment *s, uint64_t number);
bool wf_segment_cancelled(struct segment *s, uint64_t number);

/* [any] */
void wf_segment_flow(struct segment *s, struct weft_flow *out);
#endif
