/* limit.c: a number of tokens, and the tasks that wait for one.
 *
 * Taking and giving are one atomic addition each while tokens are left. `free`
 * below zero says how many tasks wait, or are about to: these meet the givers
 * under the lock, in a list. A token is handed to the oldest task in the list
 * and never becomes free in between, so nobody overtakes; exactly one task is
 * made ready for each token given, so N tasks on one token cost N, not N
 * squared.
 *
 *  [T] Whoever gets a token sees what its last holder did: the addition that
 *      gives is a release, the one that takes an acquire; where they do not
 *      meet in `free`, the lock is between them.
 *
 *  [O] A giver that finds `free` below zero has a task to serve, but that task
 *      may not have reached the list yet. It then leaves the token as `owed`,
 *      and the next task that comes to the lock in order to wait takes it and
 *      goes on. So neither waits for the other. */
#include "graph/limit.h"

void wf_limit_init(struct limit *l, unsigned tokens)
{
    *l = (struct limit){ .tokens = tokens };
    atomic_init(&l->free, tokens);
    pthread_mutex_init(&l->lock, NULL);
}

void wf_limit_finish(struct limit *l) { pthread_mutex_destroy(&l->lock); }

static void note_peak(struct limit *l, unsigned in_use)
{
    unsigned peak = load_relaxed(&l->peak);

    while (in_use > peak && !cas_relaxed(&l->peak, &peak, in_use))
        ;
}

bool wf_limit_take(struct limit *l)
{
    int64_t free = sub_acq_rel(&l->free, 1); /* [T] */

    note_peak(l, free > 0 ? l->tokens - (unsigned)free + 1 : l->tokens);
    return free > 0;
}

bool wf_limit_wait(struct limit *l, struct task *task)
{
    pthread_mutex_lock(&l->lock);
    bool served = l->owed > 0; /* [O] */
    if (served)
        l->owed--;
    else
        task_list_add(&l->waiting, task);
    pthread_mutex_unlock(&l->lock);
    return served;
}

struct task *wf_limit_give(struct limit *l)
{
    if (add_acq_rel(&l->free, 1) >= 0) /* [T] */
        return NULL;
    pthread_mutex_lock(&l->lock);
    struct task *next = task_list_take(&l->waiting);
    if (!next)
        l->owed++; /* [O] */
    pthread_mutex_unlock(&l->lock);
    return next;
}

unsigned wf_limit_in_use(const struct limit *l)
{
    int64_t free = load_relaxed(&l->free);
    return l->tokens - (free > 0 ? (unsigned)free : 0);
}
