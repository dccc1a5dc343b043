/* future.c: loose tasks, and the object behind every handle.
 *
 * One object is the task and the state of its handle. `state` is a set of bits
 * and a count of references: the handle is one, and another is there until the
 * result is. QUEUED counts as one too: whoever takes a task from a queue may be
 * late, for it may have been run or cancelled meanwhile.
 *
 *  [C] Claim. Of the worker that takes it from a queue, those who help while
 *      they wait for it, and those who cancel it, one adds CLAIMED, and it is
 *      theirs to run or to give a result. READY is added with release by who
 *      has seen all that comes before; who claims acquires it. The task of
 *      weft_submit is born ready; without a handle nobody else can claim it,
 *      and it is born claimed.
 *
 *  [F] The result. Who has it stores it, then adds DONE with release; who
 *      acquires DONE sees the result and all that the task did. Giving back a
 *      reference is acq_rel, so the last one sees all that others have done
 *      with the object before it frees it. Who has run it and finds it ALONE
 *      acquires that too, and frees it: nobody is there to be told.
 *
 *  [K] Knock. Waking costs a system call, so a waiter sets WAITED first. If
 *      DONE is added before, the waiter sees it as it sets WAITED, or the
 *      kernel does as it compares the word; if after, the task sees WAITED and
 *      wakes, by the address alone: the object may be gone by then.
 *
 *  [Q] Again. A pending task that goes on must be queued again, but its entry
 *      may still be in a queue: it was claimed past it. Then it is enough to
 *      give up the claim, with release: who takes the entry will claim it. If
 *      it is in none, whoever took it last may have looked at the entry a
 *      moment ago: so the entry is made after the same step has acquired that.
 *
 * A continuation runs in the same object: the task returns itself to the
 * worker, so a chain of any length needs no stack and no memory. weft_continue
 * knows the task by a thread-local word, which leads to a frame: here.h. There
 * are several frames where a task waits and helps: see helpwait.c. */
#include "graph/future.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/bundle.h"
#include "graph/loose.h"
#include "graph/pause.h"

_Thread_local uintptr_t wf_task_here;
_Thread_local struct pause *wf_pause_here;

const struct frame *wf_frames(void)
{
    return wf_task_here & IS_LOOSE ? wf_task_of(wf_task_here) : NULL;
}

void wf_future_free(weft_future *f)
{
    if (f->kind && f->kind->finish)
        f->kind->finish(f);
    wf_subject_drop(f->subject);
    if (f->kind && f->kind->give_back)
        f->kind->give_back(f);
    else
        free(f);
}

void wf_future_drop(weft_future *f)
{
    if (is_last(sub_acq_rel(&f->state, REF) - REF)) /* [F] */
        wf_future_free(f);
}

bool wf_future_claim(weft_future *f)
{
    uint32_t state = load_relaxed(&f->state);

    do
        if (state & CLAIMED)
            return false;
    while (!cas_acq_rel(&f->state, &state, state | CLAIMED)); /* [C] */
    return true;
}

/* Its entry was taken from a queue. Whether it is ours to run. */
static bool claim_entry(weft_future *f)
{
    uint32_t state = load_relaxed(&f->state), after;

    do
        after = (state | CLAIMED) & ~(uint32_t)QUEUED;
    while (!cas_acq_rel(&f->state, &state, after)); /* [C] */
    if (!(state & CLAIMED))
        return true;
    if (is_last(after))
        wf_future_free(f);
    return false;
}

enum outcome { ENDED, PENDS, GOES_ON };

/* One call. ENDED: the result is stored. */
static inline enum outcome call(weft_worker *self, weft_future *f)
{
    const struct frame frame = { f, wf_frames() };
    uintptr_t outer = wf_task_here;

    f->then = NULL;
    wf_task_here = (uintptr_t)&frame | IS_LOOSE;
    int rc = f->fn(self, f->ctx);
    wf_task_here = outer;

    uint32_t state = load_relaxed(&f->state);
    if (!(state & (OPEN | CANCELLED)) && !rc && f->then) {
        f->fn = f->then;
        f->ctx = f->then_ctx;
        return GOES_ON;
    }
    if (state & OPEN && rc == WEFT_PENDING)
        return PENDS;
    if (state & COMPLETED) {
        wf_misuse("a task was completed, and then returned %d: it has to "
                  "return WEFT_PENDING",
                  rc);
        return PENDS;
    }
    if (!rc && f->then) {
        f->fn = f->then;
        f->ctx = f->then_ctx;
        if (state & OPEN) /* who pends asks for itself anew */
            and_seq_cst(&f->state, ~(uint32_t)OPEN);
        if (!(state & CANCELLED))
            return GOES_ON;
        rc = -ECANCELED;
    }
    f->result = rc > 0 ? -EINVAL : rc;
    return ENDED;
}

static struct task *run_claimed(weft_worker *self, struct task *task)
{
    weft_future *f = (weft_future *)task; /* its first member */

    enum outcome outcome = call(self, f);

    if (outcome == GOES_ON) {
        task->run = run_claimed;
        return task;
    }
    if (outcome == PENDS)
        return wf_future_pends(self, f);
    return wf_settle_and_go_on(self, f);
}

static struct task *run_queued(weft_worker *self, struct task *task)
{
    return claim_entry((weft_future *)task) ? run_claimed(self, task) : NULL;
}

void wf_future_run_here(weft_worker *self, weft_future *f)
{
    struct task *next = NULL;
    enum outcome outcome;

    while ((outcome = call(self, f)) == GOES_ON)
        ;
    if (outcome == PENDS)
        next = wf_future_pends(self, f);
    else
        wf_settle(f, f->result);
    if (next)
        wf_push(self, next);
}

bool wf_future_goes_on(weft_future *f)
{
    weft_sched *sched = f->sched;
    uint32_t state = load_relaxed(&f->state), after;

    if (f->result || !f->then)
        return false;
    f->fn = f->then;
    f->ctx = f->then_ctx;
    do {
        if (state & CANCELLED) {
            f->result = -ECANCELED;
            return false;
        }
        after = (state & ~(uint32_t)(CLAIMED | OPEN | COMPLETED | GIVEN |
                                     RETURNED | HOLDS)) |
                QUEUED;
    } while (!cas_acq_rel(&f->state, &state, after)); /* [Q] */
    if (!(state & QUEUED)) {
        f->task.run = run_queued; /* [Q] */
        wf_ready(sched, wf_worker_here(), &f->task);
    }
    wf_sched_release(sched);
    return true;
}

static inline void init(weft_future *f, weft_sched *sched,
                        const struct future_kind *kind, struct subject *subject,
                        uint32_t state)
{
    f->task.run = run_queued;
    f->sched = sched;
    f->kind = kind;
    f->subject = subject;
    f->listeners = NULL;
    store_relaxed(&f->state, state);
}

weft_future *wf_future_create(weft_sched *sched, const struct future_kind *kind,
                              struct subject *subject, size_t bytes,
                              uint32_t state)
{
    weft_future *f = subject ? malloc(bytes) : NULL;

    if (!f) {
        wf_subject_drop(subject);
        return NULL;
    }
    if (bytes > sizeof *f)
        memset(f + 1, 0, bytes - sizeof *f);
    init(f, sched, kind, subject, state);
    return f;
}

void wf_future_make_loose(weft_future *f, const struct future_kind *kind,
                          weft_sched *sched, weft_fn *fn, void *ctx)
{
    init(f, sched, kind, &wf_a_task, ALONE);
    f->task.run = run_claimed; /* [C] */
    f->fn = fn;
    f->ctx = ctx;
}

weft_future *wf_future_loose(weft_sched *sched, weft_fn *fn, void *ctx)
{
    weft_future *f = wf_loose_alloc();

    if (f)
        wf_future_make_loose(f, &wf_loose_kind, sched, fn, ctx);
    return f;
}

void wf_future_submit(weft_future *f)
{
    wf_ready(f->sched, wf_worker_here(), &f->task);
}

/* ---- weft_submit ------------------------------------------------------- */

struct named {
    weft_future f;
    weft_ask_fn *cancel;
    void *cancel_ctx;
};

static void ask_named(weft_future *f)
{
    struct named *n = (struct named *)f; /* its first member */

    if (n->cancel)
        n->cancel(n->cancel_ctx);
}

static const struct future_kind named = { .ask = ask_named,
                                          .asks_early = true };

static const char no_memory[] = "no memory to submit a task";

static int submit(weft_future *f, weft_fn *fn, void *ctx, weft_future **out,
                  weft_error *why)
{
    if (!f)
        return wf_error(why, -ENOMEM, no_memory);
    if (!out)
        f->task.run = run_claimed; /* [C] */
    f->fn = fn;
    f->ctx = ctx;
    if (out)
        *out = f;
    wf_future_submit(f);
    return 0;
}

static uint32_t born(weft_future **out)
{
    return out ? READY | QUEUED | 2 * REF : ALONE;
}

int weft_submit(weft_sched *sched, weft_fn *fn, void *ctx, weft_future **out,
                weft_error *why)
{
    weft_worker *self = wf_worker_here();
    bool inside = self && weft_worker_sched(self) == sched;
    weft_future *f;

    if (out || inside) {
        f = out ? wf_future_create(sched, NULL, &wf_a_task, sizeof *f,
                                   born(out))
                : wf_future_loose(sched, fn, ctx);
        return submit(f, fn, ctx, out, why);
    }
    int rc = wf_bundle_submit(sched, fn, ctx);
    return rc ? wf_error(why, rc, no_memory) : 0;
}

int weft_submit_with(weft_sched *sched, const struct weft_submit_config *config,
                     weft_future **out, weft_error *why)
{
    struct weft_submit_config c = { 0 };

    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (!c.fn)
        return wf_error(why, -EINVAL, "task '%.200s' has no function",
                        c.name ? c.name : "");
    struct named *n = (struct named *)wf_future_create(
        sched, &named, wf_subject("task", c.name), sizeof *n, born(out));
    if (n) {
        n->cancel = c.cancel;
        n->cancel_ctx = c.ctx;
    }
    return submit((weft_future *)n, c.fn, c.ctx, out, why);
}

void weft_continue(weft_worker *self, weft_fn *fn, void *ctx)
{
    if (!self || self != wf_worker_here()) {
        wf_misuse("weft_continue was called outside a worker: call it in a "
                  "task of weft_submit, with the worker that it was given");
        return;
    }
    if (!(wf_task_here & IS_LOOSE))
        return;
    if (wf_task_here & MAY_NOT_ASK) {
        wf_misuse("weft_continue was called in a child: only the function of "
                  "the task itself may go on");
        return;
    }
    weft_future *f = wf_frames()->f;
    f->then = fn;
    f->then_ctx = ctx;
}

void weft_future_destroy(weft_future *f)
{
    if (f)
        wf_future_drop(f);
}
