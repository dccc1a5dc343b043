/* play.h: what a seed plays with: for seeded.c, which chooses, and cast.c and
 * seededio.c, which it chooses from. Inside sched/ only. */
#ifndef WEFT_SCHED_PLAY_H
#define WEFT_SCHED_PLAY_H
#include <pthread.h>

#include "sched/seeded.h"
#include "sched/worker.h"

#define NEVER UINT64_MAX /* a time */

enum { MOST_WAITING = 256 }; /* in callbacks on workers, as without a seed */

/* A thread that waits for *word not to be `seen`, at most until a time. */
struct wait {
    struct cue cue;
    struct wait *next;
    _Atomic uint32_t *word;
    uint32_t seen;
    uint64_t until;
};

/* Of one worker. */
struct chain {
    struct task *next; /* that it has taken, or that follows */
    bool follows;
    unsigned left; /* tasks of it, before that goes to the end */
    unsigned rest; /* choices */
};

struct seeded {
    weft_sched *sched;
    struct seeded *next; /* that is played: [N] in cast.c */
    struct seededio *io;
    uint64_t seed, random;
    _Atomic uint64_t now;
    struct chain *chains; /* one per worker */
    struct wait *waits;   /* of callbacks */
    struct cue *spare;    /* threads that would play */
    uint64_t idle_ns, pause_ns;
    _Atomic uint64_t loose_ns, stuck_ns; /* for how long it is patient */
    unsigned stood;                      /* since somebody waited: [O] */
    bool started;                        /* and so is this: there is a first */
    bool begun;                          /* the first has entered */
    bool loose, over;                    /* [O]; the end */
    pthread_t first;   /* who plays: for who creates and destroys it */
    pthread_t *others; /* started by it, and by each other */
    unsigned other_count, room;
    struct wait *outside;     /* [O]; under the lock of the names */
    _Atomic uint32_t waiting; /* so many are outside, who destroys included */
    _Atomic bool ends;
    pthread_mutex_t lock; /* of what follows */
    struct task_list calls;
    struct bound *bound;
};

/* In seeded.c: a thread that plays. */
void *wf_seeded_player(void *s);

/* ---- in cast.c: by who has the turn ------------------------------------- */

/* From one at the bottom of its stack: it ends, and the others as well. */
void wf_cast_leave(struct seeded *s);

/* This thread is one that plays, and it has the turn. */
void wf_cast_enter(struct seeded *s);

/* From now on it is found by the name of its scheduler; and no longer. */
void wf_cast_begin(struct seeded *s);
void wf_cast_end(struct seeded *s);

/* Those outside that have what they waited for go on. */
void wf_cast_release(struct seeded *s);

/* The earliest time that anyone waits for: UINT64_MAX: none. */
uint64_t wf_cast_earliest(struct seeded *s);

/* What there is, beside the workers; and one of each goes on, by its number.
 * False: it waits again, for threads outside have changed what it looks at. */
struct offer {
    unsigned waits, calls, bound, operations;
};
void wf_cast_offers(struct seeded *s, struct offer *o);
bool wf_cast_resume(struct seeded *s, unsigned number);
void wf_cast_call(struct seeded *s, unsigned number);
void wf_cast_run_bound(struct seeded *s, unsigned number);
#endif
