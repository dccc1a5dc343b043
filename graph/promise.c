/* promise.c: futures that anyone may complete: of pending tasks, of tasks that
 * end as another future does, and of nobody.
 *
 *  [P] Pending. A task that returns WEFT_PENDING adds RETURNED, and who
 *      completes it stores the result and adds GIVEN, both acq_rel: the second
 *      of them sees what the first has done, and goes on; the first does not
 *      touch the object any more. COMPLETED comes before the result is stored,
 *      so that of two who complete one is told that it is a mistake.
 *
 *  [A] Ask. A cancel adds CANCELLED once, and with it ASKING if the task is to
 *      be asked and nobody has completed it. While it asks, nobody makes the
 *      future done: who would, adds HELD instead, and the asker does it when
 *      it takes ASKING away. So the task's data is there as long as it asks. A
 *      task that may be asked only when it has returned is asked by whichever
 *      comes second of RETURNED and CANCELLED.
 *
 *  [O] As another. The task adds FOLLOWS when `ctx` says whom, and a cancel
 * adds CANCELLED: the second of these two cancels the other one. Where it
 *      follows is under the lock of `follows`.
 *
 * A promise is not claimed as long as it has no result: whoever completes it
 * claims it, unless a cancel has. It has one reference more, of who must
 * complete it in any case. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "graph/future.h"

static const struct future_kind promise = { 0 };
static struct subject a_promise = { .text = "a promise" };

static weft_future *running(void)
{
    return wf_frames() ? wf_frames()->f : NULL;
}

weft_future *weft_future_self(weft_worker *self)
{
    weft_future *f = running();

    if (!self || self != wf_worker_here()) {
        wf_misuse("weft_future_self was called outside a worker: call it in a "
                  "task, with the worker that it was given");
        return NULL;
    }
    if (f)
        or_acq_rel(&f->state, OPEN); /* [P] */
    return f;
}

bool weft_is_cancelled(weft_worker *self)
{
    weft_future *f = running();

    return self && f && load_relaxed(&f->state) & CANCELLED;
}

void wf_future_ask(weft_future *f)
{
    f->kind->ask(f);
    if (and_seq_cst(&f->state, ~(uint32_t)ASKING) & HELD) /* [A] */
        wf_settle(f, f->result);
}

struct task *wf_future_pends(weft_worker *self, weft_future *f)
{
    bool late = f->kind && f->kind->ask && !f->kind->asks_early;
    uint32_t state = load_relaxed(&f->state), after;

    wf_sched_hold(f->sched); /* until it is done, or goes on */
    do {
        after = state | RETURNED | HOLDS;
        if (late && state & CANCELLED && !(state & COMPLETED))
            after |= ASKING;
    } while (!cas_acq_rel(&f->state, &state, after)); /* [P], [A] */
    if (state & GIVEN)
        return wf_future_goes_on(f) ? NULL : wf_settle_and_go_on(self, f);
    if (after & ~state & ASKING)
        wf_future_ask(f);
    return NULL;
}

/* ---- completing -------------------------------------------------------- */

static void keep_promise(weft_future *f, int rc)
{
    if (wf_future_claim(f))
        wf_settle(f, rc);
    wf_future_drop(f); /* of who completes */
}

void weft_future_complete(weft_future *f, int rc)
{
    uint32_t state = load_relaxed(&f->state);

    do
        if (!(state & OPEN) || state & COMPLETED) {
            wf_misuse("weft_future_complete: the future is not pending: it was "
                      "completed before, or its task never asked for it");
            return;
        }
    while (!cas_acq_rel(&f->state, &state, state | COMPLETED)); /* [P] */
    rc = rc > 0 ? -EINVAL : rc;
    if (f->kind == &promise) {
        keep_promise(f, rc);
        return;
    }
    f->result = rc;
    if (or_acq_rel(&f->state, GIVEN) & RETURNED && /* [P] */
        !wf_future_goes_on(f))
        wf_settle(f, f->result);
}

int weft_promise(weft_sched *sched, weft_future **out, weft_error *why)
{
    weft_future *f = wf_future_create(sched, &promise, &a_promise, sizeof *f,
                                      OPEN | HOLDS | 3 * REF);

    if (!f)
        return wf_error(why, -ENOMEM, "no memory for a promise");
    wf_sched_hold(sched); /* until it is done */
    *out = f;
    return 0;
}

/* ---- as another future ------------------------------------------------- */

struct follow {
    struct listener listener;
    weft_future *f, *other; /* and the handle of `other` */
};

static pthread_mutex_t follows = PTHREAD_MUTEX_INITIALIZER;

static void hear(struct listener *l, weft_future *other, struct settling *s)
{
    struct follow *follow = (struct follow *)l; /* its first member */
    weft_future *f = follow->f;

    pthread_mutex_lock(&follows);
    and_seq_cst(&f->state, ~(uint32_t)FOLLOWS); /* [O] */
    pthread_mutex_unlock(&follows);
    free(follow);
    f->result = other->result;
    if (f->result)
        wf_future_blame(f, other);
    if (or_acq_rel(&f->state, GIVEN) & RETURNED && /* [P] */
        !wf_future_goes_on(f))
        wf_settling_add(s, f);
    wf_future_drop(other); /* the handle */
}

int weft_end_as(weft_worker *self, weft_future *other)
{
    bool is_child = wf_task_here & MAY_NOT_ASK;
    weft_future *f = is_child ? NULL : weft_future_self(self);
    struct follow *follow = f ? malloc(sizeof *follow) : NULL;

    if (!follow) {
        weft_future_destroy(other);
        return f ? -ENOMEM : -EPERM;
    }
    if (other == f || load_relaxed(&f->state) & COMPLETED) {
        wf_misuse("weft_end_as: the task was completed before, or is that "
                  "future itself");
        weft_future_destroy(other);
        free(follow);
        return -EINVAL;
    }
    *follow = (struct follow){ { .hear = hear }, f, other };
    f->ctx = follow;
    uint32_t before = or_acq_rel(&f->state, COMPLETED | FOLLOWS); /* [O] */
    if (before & CANCELLED)
        weft_future_cancel(other);
    if (!wf_listen(other, &follow->listener)) {
        struct settling s = wf_settling_begin();
        hear(&follow->listener, other, &s);
        wf_settling_end(&s);
    }
    return WEFT_PENDING;
}

weft_future *wf_future_followed(weft_future *f)
{
    weft_future *other = NULL;

    pthread_mutex_lock(&follows);
    if (load_acquire(&f->state) & FOLLOWS) { /* [O] */
        other = ((struct follow *)f->ctx)->other;
        add_relaxed(&other->state, REF);
    }
    pthread_mutex_unlock(&follows);
    return other;
}
