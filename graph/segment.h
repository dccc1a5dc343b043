/* segment.h: the slots between a feeder (a source, a gather, a scatter, a
 * merge) and the next one or the end, and the account of what became of their
 * items. */
#ifndef WEFT_GRAPH_SEGMENT_H
#define WEFT_GRAPH_SEGMENT_H
#include <pthread.h>

#include "graph/budget.h"
#include "graph/outlet.h"
#include "graph/sampling.h"
#include "graph/tally.h"
#include "graph/vacant.h"
#include "graph/want.h"
#include "weft/insight.h"
#include "weft/pipeline.h"

struct deadline; /* wait.h */

struct segment {
    alignas(64) pthread_mutex_t lock; /* of what follows, but as noted */
    struct vacant free;               /* slots */
    struct outlet out;
    uint64_t ended_at;     /* ticks, or 0 */
    struct sample sample;  /* whose times are taken */
    struct want blocked;   /* who feeds it, for a slot or its bytes */
    int unpaid;            /* slots of who feeds that wait for their bytes */
    unsigned in_hand;      /* slots that the feeder has, or that are reserved */
    bool hungry;           /* the feeder waits for one */
    bool ended;            /* nothing more will be fed */
    unsigned markers;      /* among those in flight */
    uint64_t tickets;      /* items and markers that were fed */
    uint64_t epoch;        /* whose items are fed now */
    uint64_t passed;       /* tickets that got past the end of the segment */
    struct slot *marker;   /* that waits for all of its epoch to pass */
    struct task_list held; /* of later epochs, at the gate */
    struct slot *filling;  /* for which a source is called that can be asked
                              to end */
    unsigned reservers;    /* threads that sleep until a slot is free */
    _Atomic uint32_t freed; /* what they sleep on */
    struct weft_flow flow;  /* but in_flight, which is counted when asked */
    uint64_t turns;         /* the feeder had: its own, no lock */
    _Atomic unsigned ahead; /* [A] in segment.c */
    struct tally tally;     /* of a rate of the run; no lock */

    /* What every item looks at at every stage, on cache lines of its own. */
    alignas(64) _Atomic uint64_t
        cancel_from;         /* this ticket and above; no lock */
    _Atomic uint64_t lately; /* ticks: when some item was timed; no lock */
    _Atomic uint64_t open;   /* the epoch that may pass; no lock to look */
    struct weft_items items; /* immutable, like what follows */
    bool times;              /* are taken */
    struct budget *budget;   /* or NULL: there is none */
    struct claim *claims;    /* one a slot, or NULL: none takes of limits */
    size_t stride;
    char *memory; /* of the slots */
};

/* What a change of a segment makes possible; the caller sees to it. */
struct segment_news {
    struct slot *slot;   /* for the feeder, which was hungry */
    struct slot *marker; /* its epoch has passed */
    struct task_list
        held;  /* of the next epoch: they come to their door again */
    bool over; /* the segment has ended and is empty: told once */
};

/* 0 or -ENOMEM. `number` is its own; ordered: its consumer wants the order. */
int wf_segment_init(struct segment *s, const struct weft_items *items,
                    struct pipeline_run *run, unsigned number, bool ordered);
void wf_segment_finish(struct segment *s);

/* A slot for the feeder; or NULL: it is hungry now, and may already be fed. */
struct slot *wf_segment_take(struct segment *s);

/* [worker] The source is to be called for the slot, which may have been taken
 * on another worker: that, or one that is in the cache of this one. */
struct slot *wf_segment_nearer(struct segment *s, struct slot *slot);

/* A source that can be asked to end is called for the slot, or, NULL, has
 * returned. [any] It is asked. */
void wf_segment_filling(struct segment *s, struct slot *slot);
void wf_segment_hurry_source(struct segment *s, weft_sched *sched);

/* [any] A slot that a thread outside will fill; NULL: none came before the
 * deadline of wait.h, or *ended. */
struct slot *wf_segment_reserve(struct segment *s, weft_sched *sched,
                                struct deadline *deadline, bool *ended);

/* The feeder has filled its slot, with an item or the end of an epoch, which
 * gets its number. Returns what wf_segment_take does if another one is wanted,
 * else NULL. */
struct slot *wf_segment_feed(struct segment *s, struct slot *filled,
                             bool marker, bool wants_next);

/* The feeder, which has the slot `first`, takes up to so many more, if they are
 * there. It fills and feeds them in this order. */
struct task_list wf_segment_take_more(struct segment *s, struct slot *first,
                                      unsigned most);

/* The feeder has filled a slot with an item, and has another one in its hand,
 * which it will feed, return or end with in one of the other ways. */
void wf_segment_feed_ahead(struct segment *s, struct slot *filled);

/* The feeder gives back slots that it has not filled. */
struct segment_news wf_segment_return(struct segment *s,
                                      struct task_list *slots);

/* The feeder has no more. `last` is the slot in its hand, not filled, or NULL.
 */
struct segment_news wf_segment_end(struct segment *s, struct slot *last);

/* [any] Nothing more will be fed but what is reserved. */
bool wf_segment_ended(struct segment *s);

/* [any] The same for a feeder that would only end with the slot that it is
 * hungry for; nothing, if it is not. */
struct segment_news wf_segment_end_hungry(struct segment *s);

/* [any] False: the slot is of an epoch that has to wait for the one before it,
 * or ends one that has not passed: it is kept, and news will tell. */
bool wf_segment_pass_gate(struct segment *s, struct slot *slot);

/* [any] The item leaves: its `reset` is called, before what it held is anybody
 * else's. */
void wf_segment_reset(struct segment *s, struct slot *slot);

/* [any] The items, or markers, have left. */
struct segment_news wf_segment_release(struct segment *s,
                                       struct task_list *slots);

/* [any] The item is offered to the consumer, in its turn; it, or one before it,
 * may be taken and released at once. `refused` gets the items whose turn it is
 * and that the consumer does not get, for the caller to release. */
struct segment_news wf_segment_offer(struct segment *s, struct slot *slot,
                                     struct task_list *refused);

/* [any] The oldest item for the consumer, or NULL when none came before the
 * deadline of wait.h. *dry: nothing will ever come any more. */
struct slot *wf_segment_take_out(struct segment *s, weft_sched *sched,
                                 struct deadline *deadline, bool *dry);

/* [any] Cancels items of this ticket and above: their timers go off, and they
 * wait for tokens of limits no longer. If those
 * are all (ticket 0), returns the ones that wait for the consumer, for the
 * caller to release. */
struct task_list wf_segment_cancel(struct segment *s, weft_sched *sched,
                                   uint64_t ticket);
bool wf_segment_cancelled(struct segment *s, uint64_t ticket);

/* [any] */
void wf_segment_flow(struct segment *s, struct weft_flow *out);
void wf_segment_sink(struct segment *s, double ns_per_tick,
                     struct weft_sink_stats *out);

/* [any] Who feeds waits for the bytes of a slot, or has them. For how long it
 * has waited, for them or for a slot: ticks. */
void wf_segment_block(struct segment *s, bool blocked);
uint64_t wf_segment_blocked(struct segment *s);

/* [any] For how long, since the tick `start`, it could be fed: neither ended
 * nor blocked. */
uint64_t wf_segment_open(struct segment *s, uint64_t start);

/* [any] The consumer's descriptor, or a negative errno. */
int wf_segment_event(struct segment *s);

/* ---- for outlet.c and segment.c ------------------------------------------ */

/* Under the lock: what was fed is what has left and what is in flight. */
bool wf_segment_balances(const struct segment *s);

/* Under the lock: the consumer will get nothing any more. Of a run that was
 * cancelled it gets nothing, whatever is still under way. */
bool wf_segment_dry(const struct segment *s);

/* Ends the locked part: `changed` is what the consumers see, `freed` is a slot.
 * Those who sleep are woken after it, by the address alone: the segment may be
 * gone by then. */
void wf_segment_unlock(struct segment *s, bool changed, bool freed);

/* Under the lock, which it leaves for the time of the sleep on the word. */
void wf_segment_sleep(struct segment *s, weft_sched *sched,
                      _Atomic uint32_t *word, unsigned *sleepers,
                      int64_t timeout_ns);

/* Under the lock: the slot gets past the gate. */
void wf_segment_pass(struct segment *s, struct slot *slot,
                     struct segment_news *news);
#endif
