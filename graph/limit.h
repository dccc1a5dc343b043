/* limit.h: a number of tokens, and the tasks that wait for one. */
#ifndef WEFT_GRAPH_LIMIT_H
#define WEFT_GRAPH_LIMIT_H
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"

struct limit {
    /* The number of tokens above, below how many tasks have one or wait. */
    alignas(64) _Atomic uint64_t state;
    _Atomic unsigned tokens; /* as last set */
    _Atomic unsigned peak;   /* most tokens in use at one time */
    pthread_mutex_t lock;
    struct task_list waiting;
    /* Above 0: tokens for tasks that wait but are not in the list yet; below 0:
     * tokens that are kept when they are given back. */
    _Atomic int64_t owed;
};

/* `tokens` is at least 1; with WEFT_UNLIMITED nobody waits. */
void wf_limit_init(struct limit *l, unsigned tokens);
void wf_limit_finish(struct limit *l);

/* [any] True: the caller has a token. False: it must call wf_limit_wait. */
bool wf_limit_take(struct limit *l);

/* [any] The same, but with False nothing has happened. */
bool wf_limit_try(struct limit *l);

/* [any] After a refusal. True: the caller has a token after all. False: `task`
 * waits, and whoever gives a token back to it makes it ready; it may already
 * run elsewhere. */
bool wf_limit_wait(struct limit *l, struct task *task);

/* [any] Whether more tasks have a token, or want one, than there are. Ordered
 * with taking: [K] in hand.c. */
bool wf_limit_is_short(const struct limit *l);

/* [any] Gives a token back. Returns the task that has it now, the oldest that
 * waited, for the caller to make ready; or NULL. */
struct task *wf_limit_give(struct limit *l);

/* [any] From now on there are so many tokens (at least 1). More: tasks that
 * wait get them; they are returned for the caller to make ready. Fewer: what is
 * in use goes on, and tokens that are given back are kept until the number is
 * right. */
struct task_list wf_limit_set(struct limit *l, unsigned tokens);

/* [any] A token on its way from one task to the next is in use. Exact, but for
 * what a wf_limit_set on another thread is about to change. */
unsigned wf_limit_in_use(const struct limit *l);
#endif
