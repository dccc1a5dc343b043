/* park.h: who searches for work, who sleeps, and who is woken. */
#ifndef WEFT_SCHED_PARK_H
#define WEFT_SCHED_PARK_H
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "sched/atomic.h"

/* Where one worker sleeps. */
struct berth {
    alignas(64) _Atomic uint32_t woken;
    _Atomic uint32_t calls; /* that are not answered: then it does not sleep */
};

struct park {
    alignas(64) _Atomic uint64_t state; /* searchers, sleepers: see park.c */
    alignas(64) unsigned workers;
    bool (*visible)(void *ctx); /* whether any task waits to be taken */
    void *ctx;
    struct berth *berths;     /* one per worker */
    _Atomic uint64_t *asleep; /* a bit per worker: its berth may be woken */
    _Atomic bool closed;      /* nobody sleeps any more */
    _Atomic uint64_t wakes, most_searchers;
};

/* 0 or -ENOMEM; to be finished in either case. `visible` reads with seq_cst all
 * that tasks are published in. */
int wf_park_init(struct park *p, unsigned workers, bool (*visible)(void *),
                 void *ctx);
void wf_park_finish(struct park *p);

/* [worker] May I search? At most half of the workers do at a time. */
bool wf_park_start_search(struct park *p);

/* [worker] The search found a task. */
void wf_park_end_search(struct park *p);

/* [worker] Sleeps until woken, and then is a searcher. `searching`: it was one
 * until now. */
void wf_park_sleep(struct park *p, unsigned worker, bool searching);

/* [any] After publishing a task: whether there is anybody for wf_park_notify to
 * wake. If not, it need not be called. */
bool wf_park_expects(struct park *p);

/* [any] The same in a few instructions, of those who sleep only: if not, nobody
 * need be asked. */
static inline bool wf_park_any_sleeps(struct park *p)
{
    return load_seq_cst(&p->state) >> 32; /* [W]: this is [N] */
}

/* [any] After publishing a task: wakes one worker, if any sleeps and none
 * searches, preferably `near` or one numbered close to it. */
void wf_park_notify(struct park *p, unsigned near);

/* [any] Who sleeps there is woken, and none sleeps, until so many calls were
 * answered. */
void wf_park_call(struct park *p, unsigned worker);

/* [worker] Answers one. */
void wf_park_answer(struct park *p, unsigned worker);
bool wf_park_called(struct park *p, unsigned worker);

/* [one] Wakes everyone for good. */
void wf_park_close(struct park *p);
bool wf_park_closed(struct park *p);
#endif
