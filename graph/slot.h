/* slot.h: one item in flight, and all that its task needs to know. */
#ifndef WEFT_GRAPH_SLOT_H
#define WEFT_GRAPH_SLOT_H
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/sched.h"
#include "weft/io.h"

enum { MOST_BRANCHES = 4 }; /* routers inside of routers */
enum { NO_ATTEMPT = 16 };   /* in slot.ends: attempt.c */
#define NOWHERE UINT32_MAX  /* a stage, segment or path that there is not */

/* An item that is no longer GOOD executes nothing, but takes its turns. A
 * MARKER is no item: an epoch ends where it is. */
enum outcome { GOOD, FILTERED, FAILED, CANCELLED, MARKER };

/* What a thread outside sleeps on while its slot has no bytes: supply.c. */
enum payment { UNPAID, PAID, TOO_LATE };

/* Where an item is: what its task does when it runs next. */
enum place {
    FREE,
    IN_HAND,     /* its feeder has it */
    WANTS_COST,  /* in hand, or about to be reserved: waits for its bytes of
                    the budget */
    RESERVED,    /* a thread outside fills it */
    FILL,        /* its source is to fill it */
    AT_DOOR,     /* of a stage */
    WANTS_BYTES, /* waits for bytes of the budget */
    HAS_BYTES,
    WANTS_TURN,  /* waits for, and then has, its turn */
    WANTS_TOKEN, /* waits for, and then has, its token */
    RUNS,        /* in a callback */
    OUTSIDE,     /* waits for a thread that is no worker */
    IS_BACK,     /* from it */
    PENDS,       /* for its completion or its operation */
    BACKS_OFF,   /* until the next attempt */
    SCATTERS,    /* waits for the slot of a piece */
    AT_FORK,     /* waits to be let into a path */
    HAS_PATH,
    AT_BORDER,  /* of the next segment: waits for one that goes before it */
    AT_MERGE,   /* waits to be moved into the merge's segment */
    AT_GATE,    /* waits for the end of the epoch before its own */
    PAST_GATE,  /* that one has passed */
    ENDS_EPOCH, /* a marker whose epoch has passed */
    IN_OUTLET,  /* waits for the consumer */
    BORROWED,   /* the consumer has it */
    RELEASED,   /* no more: it leaves, now or when [R] in flow.c lets it */
};

struct slot {
    struct task task;
    struct pipeline_run *run;
    unsigned segment, stage;
    _Atomic uint64_t at;     /* its place, attempt and stage: put_at */
    _Atomic uint64_t lately; /* when it came there, or so: ticks */
    enum outcome outcome;
    int result;            /* of the attempt */
    unsigned attempt;      /* 1 is the first */
    unsigned near;         /* whose cache has it: vacant.h */
    unsigned weight;       /* its times count for so many items: sampling.h */
    bool passed;           /* the end of its segment */
    bool yields;           /* its task, to what has begun: feed.c */
    bool moved;            /* what was in it is elsewhere now */
    bool marker;           /* its outcome is, or will be: MARKER */
    bool told;             /* why this attempt fails: `why` */
    bool fresh;            /* fed, and not run yet: burst.c */
    _Atomic uint32_t ends; /* of the attempt: attempt.c */
    _Atomic uint32_t refs; /* 1, and those who see to its turn: flow.c */
    uint64_t number;       /* in its segment, of the items */
    uint64_t epoch, origin;
    uint64_t ticket[MOST_BRANCHES + 1]; /* its turn: in the segment, in the path
                                           of a router, in one inside that */
    unsigned path[MOST_BRANCHES];       /* that it is in, or NOWHERE */
    uint64_t arrived;   /* at the stage, or at its door again: ticks */
    uint64_t entered;   /* the stage: ticks */
    uint64_t ready;     /* has all that it waited for, but a worker: ticks */
    uint64_t handed;    /* to another thread: ticks */
    uint64_t began;     /* the callback was called: ticks */
    uint64_t ended;     /* it has returned: ticks */
    uint64_t completed; /* a pending attempt: ticks, or 0 */
    struct slot
        *behind; /* fed right after it, and nobody else knows: burst.c */
    struct timer timer;
    struct weft_io *io;         /* that is under way */
    struct slot *older, *newer; /* in the budget's order of those that flow */
    struct slot *outer;         /* that scatters, as it does, before it */
    uint64_t bytes, wants;      /* of the budget: has, and waits for, in all */
    unsigned grants;            /* how often it was given some */
    bool flows;                 /* it is in that order */
    uint64_t waits_since;       /* crossings before it had to wait: budget.c */
    bool exceeds;               /* it has more than there was */
    bool crosses;               /* into the next segment */
    char why[256];              /* what weft_fail said, if it did */
    alignas(max_align_t) char item[];
};

static inline struct slot *slot_of_task(struct task *task)
{
    return (struct slot *)((char *)task - offsetof(struct slot, task));
}

static inline struct slot *slot_of_item(const void *item)
{
    return (struct slot *)((uintptr_t)item - offsetof(struct slot, item));
}

/* Where it is, at which stage and in which attempt, in one word: others look at
 * it at any time. Only who has the slot changes it. */
static inline enum place place_of(const struct slot *slot)
{
    return (enum place)(load_relaxed(&slot->at) & 0xff);
}

static inline uint64_t place_at(const struct slot *slot, enum place place)
{
    return (uint64_t)slot->stage << 32 |
           (uint64_t)(slot->attempt & 0xffffff) << 8 | (uint64_t)place;
}

static inline void put_at(struct slot *slot, enum place place)
{
    store_relaxed(&slot->at, place_at(slot, place));
}
#endif
