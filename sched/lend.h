/* lend.h: a thread that must sleep lends its worker to another one. Inside
 * sched/ only. */
#ifndef WEFT_SCHED_LEND_H
#define WEFT_SCHED_LEND_H
#include <pthread.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/sched.h"

struct claimant;

/* Who wants to be the worker again, the oldest first. */
struct claims {
    pthread_mutex_t lock;
    struct claimant *first, *last;
};

void wf_claims_init(struct claims *c);
void wf_claims_finish(struct claims *c);

/* [worker] Somebody wants to be this worker. */
bool wf_lend_called(weft_worker *self);

/* [worker] Between two tasks, when it was called: who has claimed first is the
 * worker now. False: this thread stood in, and is not needed any more; else it
 * returns when it is the worker again. */
bool wf_lend_pass_on(weft_worker *self, bool stands_in);
#endif
