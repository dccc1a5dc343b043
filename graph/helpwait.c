/* helpwait.c: waiting for a result, also on a worker.
 *
 * A worker that waits must not stop, for it may be the only one; and it must
 * not take just any task meanwhile: that one could wait for what is below it on
 * this stack. So it goes down from the future that it waits for to what that
 * one waits for, and so on, as far as it is told; and if what it comes to is
 * ready and has not started, it claims and runs that, here. Nothing can be
 * below it that does not wait for it. If there is nothing such, or the way is
 * long, or the stack is used up, the thread sleeps, and another one is the
 * worker (sched/lend.c). That may be refused, which is an error of the wait.
 *
 * A task that is running is in a frame of some thread. If that lies below on
 * this stack, or below the parent of a child that runs here, the wait would
 * never end, and is refused; circle.c does this for tasks that wait on several
 * threads. */
#include <errno.h>

#include "graph/future.h"
#include "graph/stack.h"
#include "graph/wait.h"

enum {
    MOST_STEPS = 64, /* from a future to what it waits for */
    MOST_DEPTH = 64, /* of tasks on top of each other */
};

static _Thread_local unsigned depth;

static bool has_room(void) { return depth < MOST_DEPTH && !wf_stack_half(); }

static enum help run(weft_worker *self, weft_future *f)
{
    depth++;
    wf_future_run_here(self, f);
    depth--;
    return HELPED;
}

static bool is_below(const weft_future *f)
{
    const struct frame *at = wf_frames();

    while (at && at->f != f)
        at = at->below;
    return at;
}

weft_future *wf_future_next(weft_future *f, uint32_t state, size_t *from)
{
    if (state & FOLLOWS)
        return (*from)++ ? NULL : wf_future_followed(f);
    if (!(state & CLAIMED) && f->kind && f->kind->waits_for)
        return f->kind->waits_for(f, from);
    return NULL;
}

enum help wf_help(weft_worker *self, weft_future *f)
{
    enum help help = NOTHING;
    bool sure = true, room = has_room();

    add_relaxed(&f->state, REF);
    for (unsigned steps = 0; steps < MOST_STEPS; steps++) {
        uint32_t state = load_acquire(&f->state); /* [C] in future.c */
        if (state & DONE)
            break;
        if (state & CLAIMED && is_below(f)) {
            help = sure ? OWN : NOTHING;
            break;
        }
        if (state & READY && !(state & CLAIMED)) {
            if (room && f->sched == weft_worker_sched(self) &&
                wf_future_claim(f))
                help = run(self, f);
            break;
        }
        sure = sure && !(f->kind && f->kind->waits_for_one);
        size_t first = 0;
        weft_future *next = wf_future_next(f, state, &first);
        if (!next)
            break;
        wf_future_drop(f);
        f = next;
    }
    wf_future_drop(f);
    return help;
}

int wf_wait_on(const weft_sched *sched, weft_worker *self,
               weft_future *const futures[], size_t n, _Atomic uint32_t *word,
               uint32_t seen, int64_t left)
{
    if (self)
        return wf_sleep_in_task(self, futures, n, word, seen, left);
    wf_wait_while(sched, word, seen, left);
    return 0;
}

int weft_future_wait(weft_future *f, int timeout_ms)
{
    weft_worker *self = wf_worker_here();
    struct deadline deadline = deadline_in(f->sched, timeout_ms);
    uint32_t state = load_acquire(&f->state); /* [F] in future.c */

    if (!self && !(state & DONE))
        wf_spin_while(&f->state, DONE, 0, deadline_left(f->sched, &deadline));
    while (!((state = load_acquire(&f->state)) & DONE)) { /* [F] in future.c */
        int64_t left = deadline_left(f->sched, &deadline);
        if (!left)
            return -ETIMEDOUT;
        enum help help = self ? wf_help(self, f) : NOTHING;
        if (help == OWN)
            return -EDEADLK;
        if (help == HELPED) {
            deadline_worked(f->sched, &deadline);
            continue;
        }
        if (!(state & WAITED)) {
            or_seq_cst(&f->state, WAITED); /* [K] in future.c */
            continue;
        }
        int rc = wf_wait_on(f->sched, self, &f, 1, &f->state, state, left);
        if (rc)
            return rc;
    }
    return f->result;
}
