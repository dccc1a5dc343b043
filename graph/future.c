/* future.c: loose tasks, and handles on their results.
 *
 * One object is the task and the state of its handle. `state` is a set of bits,
 * and says who frees it: whoever comes second of the task that is DONE and the
 * handle that was DROPPED. A task that nobody asks about is born DROPPED.
 *
 *  [F] The result. The task stores it, then adds DONE with release; who
 *      acquires DONE sees the result and all that the task did. Adding DONE
 *      and adding DROPPED are both acq_rel, so the second sees all that the
 *      first has done with the object before it frees it.
 *
 *  [K] Knock. Waking costs a system call, so a waiter sets WAITED first. If
 *      DONE is added before, the waiter sees it as it sets WAITED, or the
 *      kernel does as it compares the word; if after, the task sees WAITED and
 *      wakes, by the address alone: the object may be gone by then.
 *
 * A continuation runs in the same object: the task returns itself to the
 * worker, so a chain of any length needs no stack and no memory. weft_continue
 * knows the task by a thread-local pointer: a callback runs on one thread from
 * its start to its end, and no other callback runs on that thread meanwhile. */
#include <errno.h>
#include <stdlib.h>

#include "graph/wait.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "weft/future.h"

enum { DONE = 1, WAITED = 2, DROPPED = 4 };

struct weft_future {
    struct task task;
    weft_fn *fn;
    void *ctx;
    weft_fn *then; /* the continuation */
    void *then_ctx;
    int result;
    _Atomic uint32_t state;
};

static _Thread_local weft_future *running;

static struct task *run_loose(weft_worker *self, struct task *task)
{
    weft_future *f = (weft_future *)task; /* its first member */

    f->then = NULL;
    running = f;
    int rc = f->fn(self, f->ctx);
    running = NULL;

    if (!rc && f->then) {
        f->fn = f->then;
        f->ctx = f->then_ctx;
        return task;
    }
    f->result = rc > 0 ? -EINVAL : rc;
    uint32_t before = add_acq_rel(&f->state, DONE); /* [F] */
    if (before & DROPPED)
        free(f);
    else if (before & WAITED)
        wf_wake_all(&f->state); /* [K] */
    return NULL;
}

int weft_submit(weft_sched *sched, weft_fn *fn, void *ctx, weft_future **out,
                weft_error *why)
{
    weft_future *f = malloc(sizeof *f);

    if (!f)
        return wf_error(why, -ENOMEM, "no memory to submit a task");
    f->task.run = run_loose;
    f->fn = fn;
    f->ctx = ctx;
    store_relaxed(&f->state, out ? 0 : DROPPED);
    if (out)
        *out = f;
    wf_ready(sched, wf_worker_here(), &f->task);
    return 0;
}

void weft_continue(weft_worker *self, weft_fn *fn, void *ctx)
{
    if (!self || self != wf_worker_here()) {
        wf_misuse("weft_continue was called outside a worker: call it in a "
                  "task of weft_submit, with the worker that it was given");
        return;
    }
    if (!running)
        return;
    running->then = fn;
    running->then_ctx = ctx;
}

int weft_future_wait(weft_future *f, int timeout_ms)
{
    if (wf_worker_here())
        return -EDEADLK;

    uint64_t deadline = deadline_in(timeout_ms);
    uint32_t state = load_acquire(&f->state); /* [F] */
    while (!(state & DONE)) {
        int64_t left = deadline_left(deadline);
        if (!left)
            return -ETIMEDOUT;
        if (state & WAITED)
            wf_sleep_while(&f->state, state, left);
        else
            or_seq_cst(&f->state, WAITED); /* [K] */
        state = load_acquire(&f->state);   /* [F] */
    }
    return f->result;
}

void weft_future_destroy(weft_future *f)
{
    if (f && add_acq_rel(&f->state, DROPPED) & DONE) /* [F] */
        free(f);
}
