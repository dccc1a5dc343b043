/* limit.h: a number of tokens, and the tasks that wait for one. */
#ifndef WEFT_GRAPH_LIMIT_H
#define WEFT_GRAPH_LIMIT_H
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"

struct limit {
    alignas(64) _Atomic int64_t free; /* tokens left; below 0: who waits */
    unsigned tokens;
    _Atomic unsigned peak; /* most tokens in use at one time */
    pthread_mutex_t lock;
    struct task_list waiting;
    unsigned owed; /* tokens for tasks that wait but are not in the list yet */
};

void wf_limit_init(struct limit *l, unsigned tokens);
void wf_limit_finish(struct limit *l);

/* [any] True: the caller has a token. False: it must call wf_limit_wait. */
bool wf_limit_take(struct limit *l);

/* [any] After a refusal. True: the caller has a token after all. False: `task`
 * waits, and whoever gives a token back to it makes it ready; it may already
 * run elsewhere. */
bool wf_limit_wait(struct limit *l, struct task *task);

/* [any] Gives a token back. Returns the task that has it now, the oldest that
 * waited, for the caller to make ready; or NULL. */
struct task *wf_limit_give(struct limit *l);

unsigned wf_limit_in_use(const struct limit *l);
#endif
