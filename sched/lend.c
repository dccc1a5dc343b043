/* lend.c: a thread that must sleep lends its worker to another one.
 *
 * A task may have to wait for what another thread has, or for a timer. To help
 * with some other task meanwhile, on the same stack, could be the end: that one
 * may wait for what is below it. So the thread sleeps, and another one is the
 * worker: it has the deque, the number and the core. Nothing waits for a
 * thread, also where there is only one worker.
 *
 * A worker is one thread's at any time. Whoever is done with sleeping claims
 * it; the thread that has it passes it on to the oldest claim after the task
 * that it runs, or when it has to sleep itself. Only where nobody claims it a
 * helper thread stands in, which ends as soon as somebody does. The worker's
 * own thread never ends before the scheduler: when it has passed the worker on
 * it claims it again, and so is there for the next one who must sleep.
 *
 *  [G] Given. All that a thread did as the worker comes before it stores
 *      `given` with release, for the next one, which acquires it. `given` is in
 *      a frame of the thread that waits, and is woken by its address alone.
 *
 *  [S] Who sleeps on a word acquires it: what came before its change is seen.
 *
 * Under a seed a thread that sleeps gives up its turn, and no worker: seeded.c.
 *
 * The task of a stand-in is in a frame of the thread that sleeps. That thread
 * has its worker back only from the stand-in, or from one that had it after
 * that; by then the task is not looked at any more. */
#include "sched/lend.h"

#include <errno.h>

#include "sched/futex.h"
#include "sched/worker.h"

enum { MOST_STAND_INS = 256 };

struct claimant {
    struct claimant *next;
    _Atomic uint32_t given;
};

struct stand_in {
    struct task task;
    weft_worker *worker;
};

void wf_claims_init(struct claims *c)
{
    pthread_mutex_init(&c->lock, NULL); /* cannot fail on Linux */
}

void wf_claims_finish(struct claims *c) { pthread_mutex_destroy(&c->lock); }

bool wf_lend_called(weft_worker *self)
{
    return wf_park_called(&self->sched->park, self->index);
}

static void claim(weft_worker *self, struct claimant *me)
{
    struct claims *c = &self->claims;

    pthread_mutex_lock(&c->lock);
    if (c->last)
        c->last->next = me;
    else
        c->first = me;
    c->last = me;
    wf_park_call(&self->sched->park, self->index);
    pthread_mutex_unlock(&c->lock);
}

static void await(struct claimant *me)
{
    while (!load_acquire(&me->given)) /* [G] */
        wf_futex_wait(&me->given, 0, -1);
}

/* By the thread that is the worker: now it is the oldest claimant's. False:
 * nobody claims it. */
static bool give(weft_worker *self)
{
    struct claims *c = &self->claims;

    pthread_mutex_lock(&c->lock);
    struct claimant *to = c->first;
    if (to) {
        c->first = to->next;
        if (!c->first)
            c->last = NULL;
        wf_park_answer(&self->sched->park, self->index);
    }
    pthread_mutex_unlock(&c->lock);
    if (!to)
        return false;
    store_release(&to->given, 1); /* [G] */
    wf_futex_wake(&to->given, 1);
    return true;
}

bool wf_lend_pass_on(weft_worker *self, bool stands_in)
{
    struct claimant me = { 0 };

    if (stands_in)
        return !give(self);
    claim(self, &me); /* behind the others */
    give(self);
    await(&me);
    return true;
}

/* On a helper thread. */
static struct task *stand_in(weft_worker *none, struct task *task)
{
    weft_worker *self = ((struct stand_in *)task)->worker;
    weft_sched *sched = self->sched; /* which the helper holds */

    wf_worker_stand_in(self);
    add_relaxed(&sched->stand_ins, -1u);
    sched_setaffinity(0, sizeof sched->helpers.cpus, &sched->helpers.cpus);
    return NULL;
}

static int lend(weft_worker *self, struct stand_in *by)
{
    _Atomic unsigned *count = &self->sched->stand_ins;

    if (give(self))
        return 0;
    int rc = add_relaxed(count, 1) < MOST_STAND_INS ? 0 : -EAGAIN;
    *by = (struct stand_in){ .task.run = stand_in, .worker = self };
    if (!rc)
        rc = wf_helpers_run_at_once(&self->sched->helpers, &by->task);
    if (rc)
        add_relaxed(count, -1u);
    return rc ? -EAGAIN : 0;
}

int wf_worker_sleep(weft_worker *self, _Atomic uint32_t *word, uint32_t seen,
                    int64_t timeout_ns)
{
    uint64_t start = wf_now_ns(), slept = 0, limit = (uint64_t)timeout_ns;
    struct claimant me = { 0 };
    struct stand_in by;

    if (self->sched->seeded)
        return wf_seeded_sleep(self->sched->seeded, word, seen, timeout_ns);
    int rc = lend(self, &by);
    if (rc)
        return rc;
    while (load_acquire(word) == seen && /* [S] */
           (timeout_ns < 0 || slept < limit)) {
        wf_futex_wait(word, seen,
                      timeout_ns < 0 ? -1 : (int64_t)(limit - slept));
        slept = wf_now_ns() - start;
    }
    claim(self, &me);
    await(&me);
    wf_worker_is_back(self);
    return 0;
}
