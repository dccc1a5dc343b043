/* worker.h: one pinned thread with its deque. Inside sched/ only. */
#ifndef WEFT_SCHED_WORKER_H
#define WEFT_SCHED_WORKER_H
#include <pthread.h>

#include "sched/deque.h"
#include "sched/helpers.h"
#include "sched/inject.h"
#include "sched/io.h"
#include "sched/lend.h"
#include "sched/park.h"
#include "sched/sched.h"
#include "sched/seeded.h"
#include "sched/timer.h"
#include "sched/topo.h"

/* Whom to steal from: the other workers, nearest first. */
struct victims {
    unsigned *order;  /* worker numbers */
    unsigned *levels; /* where each distance ends in `order` */
    unsigned count, level_count;
    unsigned first_far; /* where in `order` the other NUMA nodes begin */
};

struct weft_worker {
    struct deque deque;
    alignas(64) weft_sched *sched;
    unsigned index, group;
    unsigned tick;           /* counts the tasks taken, for fairness */
    unsigned passed;         /* tasks taken while others wait to be the last */
    unsigned steps, between; /* since it looked at the clock, and at most: 0
                                before it has, and with a seed always */
    uint64_t looked;         /* at the clock: ns */
    uint64_t chain_end;      /* when its chain gives way: ns; 0: not known */
    bool follows;            /* its task, at once on another: a chain */
    uint64_t random;         /* xorshift state */
    struct victims victims;
    pthread_t thread;
    struct inject mail;                    /* what is to run here */
    struct claims claims;                  /* who wants to be this worker */
    _Atomic uint64_t tasks, steals, parks; /* written by the owner */
};

struct weft_sched {
    struct topo *topo;
    struct timers *timers;
    struct io *io;
    struct helpers helpers;
    unsigned worker_count, group_count;
    uint64_t spin_ns;
    struct seeded *seeded;   /* NULL: the workers are threads */
    weft_worker **workers;   /* each on its node */
    struct inject *injects;  /* one per group */
    struct inject *lasts;    /* one per group: what comes after all else */
    _Atomic unsigned rivals; /* who make tasks ready to be the last */
    struct park park;
    _Atomic unsigned stand_ins; /* threads that are workers for others */
    unsigned started;           /* threads that exist */
    alignas(64) _Atomic uint32_t holds; /* who needs it still: see sched.c */
};

/* In sched.c, for a worker that is to end: false if nobody holds the scheduler
 * any more, else a moment later. */
bool wf_sched_wait_while_held(weft_sched *sched);

/* In worker.c: the thread. `arg` is the weft_worker. */
void *wf_worker_main(void *arg);

/* In worker.c: this thread is the worker, until it is another one's. */
void wf_worker_stand_in(weft_worker *self);

/* In worker.c: this thread is the worker again, in the middle of a task. */
void wf_worker_is_back(weft_worker *self);

/* In worker.c, for who plays a worker: one look for its next task; and the
 * worker, or NULL, that this thread is from now on. */
struct task *wf_worker_take(weft_worker *self);
void wf_worker_play(weft_worker *self);

/* In sched.c: whether a task waits in a queue or a deque. */
bool wf_sched_sees_task(weft_sched *sched);

/* In steal.c. */
int wf_victims_init(weft_worker *self);
void wf_victims_finish(weft_worker *self);
struct task *wf_steal(weft_worker *self); /* one pass over all victims */
struct task *wf_steal_oldest(weft_worker *victim);
uint64_t wf_random(weft_worker *self);

/* In worker.c. */
void wf_wake_sleeper(weft_worker *self);

/* After a push: wf_park_notify. */
static inline void wf_tell_sleepers(weft_worker *self)
{
    if (wf_park_any_sleeps(&self->sched->park))
        wf_wake_sleeper(self);
}

/* In worker.c: the oldest of a group's injected tasks, more of them into the
 * worker's own deque. */
struct task *wf_take_injected(weft_worker *self, unsigned group);

static inline void count_one(_Atomic uint64_t *counter, uint64_t n)
{
    store_relaxed(counter, load_relaxed(counter) + n);
}
#endif
