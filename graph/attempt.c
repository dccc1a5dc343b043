/* attempt.c: one attempt at an item in a stage, on whatever thread that is.
 *
 *     WEFT_CPU       calls the stage, here
 *     WEFT_IO        asks it for an operation, starts that, and calls the stage
 *                    when it is done
 *     WEFT_BLOCKING  a helper thread calls it
 *     WEFT_PINNED    the stage's thread calls it
 *
 * Counting is a worker's: on other threads what happened is kept in the slot,
 * and counted when a worker has the item again.
 *
 *  [A] The end of an attempt. It ends when all have come that will touch the
 *      slot: the stage has RETURNED; its completion has come (COMPLETED; with
 *      the return, if that was no WEFT_PENDING); and its timer is DONE: it was
 *      cancelled, or has done its work. Each sets its bit, acq_rel, so whoever
 *      sets the last one sees what the others did, and goes on.
 *
 *      The timer is armed before the stage is called, by the thread that calls
 *      it, so whoever completes the attempt finds it armed or fired, never to
 *      be armed yet; and it is cancelled before the bit is set, while the slot
 *      cannot go on. What waits for its thread has no timer, nor any other
 *      that touches it: the deadline is the attempt's, not the queue's. A timer
 *      that fires says EXPIRED. If the stage has not returned yet, the one that
 *      returns does the timer's work; else the timer does it itself: it asks
 *      what is pending to end soon, and sets DONE. So whoever asks holds up
 *      the end of the attempt meanwhile.
 *
 *      Whoever brings the result says TAKEN first, the stage that returns one
 *      as well as the completion: so of two there is a first, and the second
 *      is a mistake of the program that changes nothing. TAKEN stays until the
 *      next attempt has been armed, which is said with release: so also who
 *      completes by mistake sees all that came before.
 *
 *      A plain attempt (plain.c) that returns its result saves the exchange: it
 *      looks whether somebody took it, and else just goes on. Who completes it
 *      by mistake at that very moment finds another number when it says so, for
 *      each attempt at a slot has its own, and ends nothing; only the result
 *      that it wrote may be taken for that of an attempt that pends then.
 *
 *      An attempt that ends after its deadline is late also if its timer could
 *      still be cancelled: EXPIRED is the clock's word, not that of the thread
 *      which the timer wakes.
 *
 *  [C] A cancelled run hurries the timers of its items. It stores the ticket,
 *      then passes the lock of the timers; who arms one passes that lock, then
 *      looks for the ticket. So one of the two hurries it. The same with the
 *      lock of the limits and who waits there. What waits for its thread looks
 *      when its turn comes, and then arms. */
#include <errno.h>
#include <inttypes.h>

#include "graph/pipeline.h"

enum { RETURNED = 1, COMPLETED = 2, DONE = 4, EXPIRED = 8 };
enum { ALL = RETURNED | COMPLETED | DONE };
enum { JUDGED = 32 };  /* its result stands */
enum { TAKEN = 64 };   /* its result has come, or comes now */
enum { NUMBER = 256 }; /* the lowest bit of the attempt's number */
#define NUMBERS ~(uint32_t)(NUMBER - 1)

#define MILLISECOND ((uint64_t)1000000)

/* A timer that only a cancel makes go off. */
#define NEVER (UINT64_MAX / 2)

static struct slot *slot_of_timer(struct task *task)
{
    return (struct slot *)((char *)task - offsetof(struct slot, timer) -
                           offsetof(struct timer, task));
}

/* What the attempt's word is when all that has come are these. */
static uint32_t only(const struct slot *slot, uint32_t bits)
{
    return (load_relaxed(&slot->ends) & NUMBERS) | bits;
}

static uint32_t next_only(const struct slot *slot, uint32_t bits)
{
    return only(slot, bits) + NUMBER;
}

/* True: the caller was the last, and goes on. */
static bool sets_last(struct slot *slot, uint32_t bits)
{
    uint32_t before = or_acq_rel(&slot->ends, bits); /* [A] */
    return ((before | bits) & ALL) == ALL;
}

/* EXPIRED: the deadline of the attempt, if it has one, has passed. */
static uint32_t is_late(const struct slot *slot)
{
    return stage_of(slot)->stage->deadline_ms &&
                   wf_timer_is_past(slot->run->run.sched, &slot->timer)
               ? EXPIRED
               : 0;
}

static void hook(struct slot *slot, bool ends, int result)
{
    const struct weft_pipeline_config *config = &slot->run->plan->config;
    struct weft_attempt attempt = {
        .stage = stage_of(slot)->stage->name,
        .item = slot->number,
        .attempt = slot->attempt,
        .event = ends ? WEFT_ENDS : WEFT_BEGINS,
        .result = result,
    };

    if (config->hook)
        config->hook(&attempt, slot->item, config->ctx);
}

/* ---- how it ends ------------------------------------------------------- */

/* When the next attempt is made. The random part comes from what differs
 * between items, attempts and runs. */
static uint64_t next_attempt_at(const struct slot *slot)
{
    const struct weft_retry *r = &stage_of(slot)->stage->retry;
    uint64_t now = weft_sched_now_ns(slot->run->run.sched),
             random = now ^ (slot->number << 32);
    double ms = r->first_ms, factor = r->factor;

    /* first_ms * factor^(attempt - 1), in as many steps as that has digits. */
    for (unsigned n = slot->attempt - 1; n && ms < r->most_ms; n >>= 1) {
        if (n & 1)
            ms *= factor;
        factor *= factor;
    }
    if (ms > r->most_ms)
        ms = r->most_ms;
    random = (random ^ (random >> 30)) * 0xbf58476d1ce4e5b9u;
    random = (random ^ (random >> 27)) * 0x94d049bb133111ebu;
    ms -= ms * r->jitter * ((double)(random >> 40) / (double)(1 << 24));
    return now + (uint64_t)(ms * (double)MILLISECOND);
}

static struct task *try_again(weft_worker *self, struct slot *slot)
{
    slot->attempt++;
    slot->arrived = slot->ready = ticks_of(slot);
    count_time(&counts_at(slot, self)->retry_wait, slot, slot->ended,
               slot->arrived);
    return wf_flow_ask(self, slot);
}

static struct task *backed_off(weft_worker *self, struct task *task)
{
    return try_again(self, slot_of_timer(task));
}

/* Waits for the next attempt, without its tokens. */
static struct task *back_off(weft_worker *self, struct slot *slot)
{
    weft_sched *sched = slot->run->run.sched;

    note_time(segment_of(slot), slot, slot->ended);
    count(&counts_at(slot, self)->retried, 1);
    wf_flow_give_token(self, slot);
    put_at(slot, BACKS_OFF);
    slot->timer.task.run = backed_off;
    wf_flow_hold(slot);
    int rc = wf_timer_start(sched, &slot->timer, next_attempt_at(slot));
    if (!rc && is_cancelled(slot)) /* [C] */
        wf_timer_hurry(sched, &slot->timer);
    wf_flow_finish(self, slot);
    return rc ? try_again(self, slot) : NULL;
}

/* Its result, also where it took too long. On the thread that made the attempt,
 * unless that was pending or outlived its deadline. */
static int judge(struct slot *slot, int rc)
{
    const struct stage *stage = stage_of(slot)->stage;
    bool expired = load_relaxed(&slot->ends) & EXPIRED;
    bool source = stage->kind == SOURCE;

    if (expired && !source && is_cancelled(slot))
        rc = -ECANCELED;
    else if (expired && stage->deadline_ms)
        rc = weft_fail(slot->item, -ETIMEDOUT,
                       "it took longer than its deadline of %u ms",
                       stage->deadline_ms);
    if (rc > 0 && rc != WEFT_FILTER && !source)
        rc = weft_fail(slot->item, -EINVAL, "the stage returned %d", rc);
    hook(slot, true, rc);
    return rc;
}

static struct task *end(weft_worker *self, struct slot *slot, int rc)
{
    const struct stage *stage = stage_of(slot)->stage;

    if (!(load_relaxed(&slot->ends) & JUDGED))
        rc = judge(slot, rc);
    store_relaxed(&slot->ends, only(slot, NO_ATTEMPT));
    if (stage->kind == SOURCE)
        return wf_source_filled(self, slot, rc, slot->ended);
    if (rc < 0 && slot->attempt < stage->retry.attempts) {
        if (!is_cancelled(slot))
            return back_off(self, slot);
        rc = -ECANCELED; /* it might have succeeded yet */
    }
    return wf_flow_leave(self, slot, rc, slot->ended);
}

/* After the operation. */
static int after_io(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    int rc = stage->fn ? stage->fn(self, slot->item, stage->ctx) : 0;

    if (rc == WEFT_PENDING)
        return weft_fail(slot->item, -EINVAL,
                         "after its operation it may not be pending");
    return rc;
}

/* Counts what was not a worker's to count. */
static void count_outside(weft_worker *self, struct slot *slot, uint64_t now)
{
    struct stage_counts *c = counts_at(slot, self);
    bool elsewhere = stage_of(slot)->stage->where >= WEFT_BLOCKING;
    bool early = slot->completed < slot->ended; /* than the return, or none */
    uint64_t ready = early ? slot->ended : slot->completed;

    if (elsewhere) {
        count_time(&c->ready_wait, slot, slot->ready, slot->began);
        count_time(&c->run, slot, slot->began, slot->ended);
    }
    if (slot->completed)
        count_time(&c->pending_wait, slot, slot->ended, slot->completed);
    count_time(&c->ready_wait, slot, ready, now);
}

struct task *wf_attempt_ended(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    uint64_t now = ticks_of(slot);

    count_outside(self, slot, now);
    slot->ended = now;
    if (stage->where == WEFT_IO && stage->fn && !slot->result &&
        !(load_relaxed(&slot->ends) & EXPIRED)) {
        put_at(slot, RUNS);
        slot->result = after_io(self, slot);
        slot->ended = ticks_of(slot);
        count_time(&counts_at(slot, self)->run, slot, now, slot->ended);
    }
    return end(self, slot, slot->result);
}

/* ---- a pending one ----------------------------------------------------- */

/* Operations are completed by weft itself, and routers are never pending: the
 * stage where it is, if it is one of these. */
static const struct stage *never_pending(const struct slot *slot)
{
    const struct pipeline_plan *plan = slot->run->plan;
    uint64_t number = load_relaxed(&slot->at) >> 32;
    const struct stage *stage = &plan->stages[number];

    if (number >= plan->stage_count)
        return NULL;
    return stage->where == WEFT_IO || stage->kind == ROUTER ? stage : NULL;
}

/* Whether the caller brings the result of the attempt, which had come so far:
 * else that was a mistake. */
static bool takes(struct slot *slot, bool is_weft, uint32_t *seen)
{
    const uint32_t taken = TAKEN | COMPLETED | NO_ATTEMPT;
    const struct stage *stage = is_weft ? NULL : never_pending(slot);

    if (stage && !(load_relaxed(&slot->ends) & taken)) {
        wf_misuse("weft_complete: item %" PRIu64 " is in '%s', which is not "
                  "yours to complete",
                  slot->number, stage->name);
        return false;
    }
    *seen = load_acquire(&slot->ends); /* [A] */
    while (!(*seen & taken))
        if (cas_acq_rel(&slot->ends, seen, *seen | TAKEN)) /* [A] */
            return true;
    wf_misuse("weft_complete: item %" PRIu64 " is not pending: it was "
              "completed before, or no stage has it",
              slot->number);
    return false;
}

static void complete(struct slot *slot, int rc, uint32_t seen)
{
    weft_sched *sched = slot->run->run.sched;
    uint32_t bits = COMPLETED, before = seen | TAKEN;

    slot->result = rc;
    slot->completed = ticks_of(slot);
    if (!(seen & DONE) && wf_timer_cancel(sched, &slot->timer)) /* [A] */
        bits |= DONE | is_late(slot);
    while (!cas_acq_rel(&slot->ends, &before, before | bits)) /* [A] */
        if ((before & NUMBERS) != (seen & NUMBERS) || !(before & TAKEN))
            return; /* a mistake */
    if (((before | bits) & ALL) == ALL)
        wf_ready(sched, wf_worker_here(), &slot->task);
}

void weft_complete(weft_worker *self, void *item, int rc)
{
    struct slot *slot = slot_of_item(item);
    uint32_t seen;

    if (self && self != wf_worker_here())
        wf_misuse("weft_complete was given a worker that it was not called "
                  "on: NULL is right on any thread");
    if (takes(slot, false, &seen))
        complete(slot, rc, seen);
}

struct attempt_seen wf_attempt_look(const struct slot *slot)
{
    uint32_t ends = load_relaxed(&slot->ends);

    return (struct attempt_seen){ .completed = ends & COMPLETED,
                                  .asked = ends & EXPIRED };
}

/* Its deadline has passed, or the run is cancelled. */
static void ask_to_end(struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;

    if (slot->io)
        weft_io_cancel(slot->run->run.sched, slot->io);
    else if (stage->cancel)
        stage->cancel(slot->item, stage->ctx);
}

static struct task *expired(weft_worker *self, struct task *task)
{
    struct slot *slot = slot_of_timer(task);
    uint32_t before = or_acq_rel(&slot->ends, EXPIRED); /* [A] */

    if (!(before & RETURNED))
        return NULL;
    if (!(before & COMPLETED))
        ask_to_end(slot);
    return sets_last(slot, DONE) ? wf_attempt_ended(self, slot) : NULL;
}

/* The stage has returned WEFT_PENDING. True: all the others have come. */
static bool is_over(struct slot *slot)
{
    put_at(slot, PENDS);
    uint32_t before = or_acq_rel(&slot->ends, RETURNED); /* [A] */
    if (!(before & EXPIRED) || (before & DONE))
        return ((before | RETURNED) & ALL) == ALL;
    if (!(before & COMPLETED))
        ask_to_end(slot);
    return sets_last(slot, DONE);
}

/* The stage has returned its result. False: its timer is about to go off, and
 * takes over. */
static bool is_settled(struct slot *slot, int rc)
{
    slot->result = rc;
    if (load_relaxed(&slot->ends) & DONE)
        return true;
    if (wf_timer_cancel(slot->run->run.sched, &slot->timer)) {
        /* Nobody else has it. */
        store_relaxed(&slot->ends, only(slot, TAKEN | is_late(slot)));
        return true;
    }
    uint32_t before = or_acq_rel(&slot->ends, RETURNED | COMPLETED); /* [A] */
    return before & EXPIRED;
}

/* On any thread: the stage has returned. */
static struct task *returned(weft_worker *self, struct slot *slot, int rc)
{
    slot->ended = ticks_of(slot);
    note_time(segment_of(slot), slot, slot->ended);
    if (self)
        count_time(&counts_at(slot, self)->run, slot, slot->began, slot->ended);
    if (rc != WEFT_PENDING &&
        or_acq_rel(&slot->ends, TAKEN) & TAKEN) { /* [A] */
        wf_misuse("'%s' returned %d for item %" PRIu64 ", which was completed: "
                  "let it return WEFT_PENDING",
                  stage_of(slot)->stage->name, rc, slot->number);
        rc = WEFT_PENDING;
    }
    if (rc == WEFT_PENDING) {
        if (!is_over(slot))
            return NULL; /* [X] in flow.c */
        return self ? wf_attempt_ended(self, slot) : &slot->task;
    }
    if (!is_settled(slot, rc))
        return NULL;
    if (self)
        return end(self, slot, rc);
    slot->result = judge(slot, rc);
    store_relaxed(&slot->ends, only(slot, JUDGED | TAKEN));
    return &slot->task;
}

/* ---- the call ---------------------------------------------------------- */

static int route(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    unsigned *path = &slot->path[stage->depth];

    *path = WEFT_ANY_PATH;
    int rc =
        stage->route ? stage->route(self, slot->item, path, stage->ctx) : 0;
    if (rc == WEFT_PENDING)
        return weft_fail(slot->item, -EINVAL, "a router may not be pending");
    if (!rc && *path != WEFT_ANY_PATH && *path >= stage->lane_count)
        return weft_fail(slot->item, -EINVAL,
                         "there is no path %u: there are %u", *path,
                         stage->lane_count);
    return rc;
}

static void io_done(weft_worker *self, struct weft_io *io, int rc)
{
    struct slot *slot = io->ctx;
    uint32_t seen;

    if (takes(slot, true, &seen))
        complete(slot, rc, seen);
}

static int start_io(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    struct weft_io *io = NULL;
    int rc = stage->describe(self, slot->item, &io, stage->ctx);

    if (rc == WEFT_PENDING)
        return weft_fail(slot->item, -EINVAL,
                         "a description cannot be pending");
    if (rc)
        return rc;
    if (!io)
        return weft_fail(slot->item, -EINVAL, "it described no operation");
    io->done = io_done;
    io->ctx = slot;
    slot->io = io;
    rc = weft_io_start(self, io);
    return rc ? rc : after_io(self, slot);
}

/* On any thread. On a worker it begins when that took it, or after the hook. */
static struct task *call(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;

    hook(slot, false, 0);
    if (!self || slot->run->plan->config.hook)
        slot->began = ticks_of(slot);
    note_time(segment_of(slot), slot, slot->began);
    if (self)
        count_time(&counts_at(slot, self)->ready_wait, slot, slot->ready,
                   slot->began);
    if (stage->where == WEFT_IO)
        return returned(self, slot, start_io(self, slot));
    if (stage->kind == ROUTER)
        return returned(self, slot, route(self, slot));
    if (stage->array)
        return returned(self, slot, wf_source_array(slot));
    return returned(self, slot, stage->fn(self, slot->item, stage->ctx));
}

static struct task *not_made(weft_worker *self, struct slot *slot, int rc,
                             const char *why)
{
    store_release(&slot->ends, next_only(slot, DONE)); /* [A]: no timer */
    hook(slot, false, 0);
    if (!self)
        slot->began = ticks_of(slot); /* until now it waited */
    return returned(self, slot, weft_fail(slot->item, rc, "%s", why));
}

/* Arms the timer of the attempt, if it has one: 0 or a negative errno. */
static int arm(struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    weft_sched *sched = slot->run->run.sched;

    if (!stage->deadline_ms && !stage->cancel && stage->where != WEFT_IO) {
        store_release(&slot->ends, next_only(slot, DONE)); /* [A] */
        return 0;
    }
    store_relaxed(&slot->ends,
                  next_only(slot, TAKEN)); /* until the timer is armed */
    slot->timer.task.run = expired;
    int rc = stage->deadline_ms
                 ? wf_timeout_start(sched, &slot->timer,
                                    stage->deadline_ms * MILLISECOND)
                 : wf_timer_start(sched, &slot->timer, NEVER);
    if (rc)
        return rc;
    sub_acq_rel(&slot->ends, TAKEN); /* [A] */
    if (stage->kind == SOURCE ? load_relaxed(&slot->run->draining)
                              : is_cancelled(slot)) /* [C] */
        wf_timer_hurry(sched, &slot->timer);
    return 0;
}

/* On the thread that makes the call: from now on the deadline runs. */
static struct task *begin(weft_worker *self, struct slot *slot)
{
    int rc = arm(slot);
    return rc ? not_made(self, slot, rc, "its timer cannot start")
              : call(self, slot);
}

/* What waited for its thread when the run was stopped does not begin. */
static bool begins(const struct slot *slot)
{
    return stage_of(slot)->stage->kind == SOURCE
               ? !load_relaxed(&slot->run->draining)
               : !is_cancelled(slot);
}

static struct task *not_begun(struct slot *slot)
{
    bool source = stage_of(slot)->stage->kind == SOURCE;

    return not_made(NULL, slot, source ? WEFT_END : -ECANCELED,
                    "the run was stopped");
}

static struct task *outside(weft_worker *none, struct task *task)
{
    struct slot *slot = slot_of_task(task);

    task->run = wf_flow_step;
    put_at(slot, RUNS);
    struct task *next = begins(slot) ? begin(NULL, slot) : not_begun(slot);
    if (next)
        put_at(slot, IS_BACK);
    return next;
}

static struct task *hand_over(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    put_at(slot, OUTSIDE);
    slot->handed = ticks_of(slot);
    slot->task.run = outside;
    if (sr->stage->where == WEFT_PINNED) {
        wf_thread_run(sr->thread, &slot->task);
        return NULL;
    }
    int rc = wf_offload(slot->run->run.sched, &slot->task);
    if (!rc)
        return NULL;
    slot->task.run = wf_flow_step;
    slot->began = slot->handed;
    return not_made(self, slot, rc, "no helper thread could start");
}

struct task *wf_attempt(weft_worker *self, struct slot *slot, uint64_t now)
{
    const struct stage *stage = stage_of(slot)->stage;

    put_at(slot, RUNS);
    slot->io = NULL;
    slot->completed = 0;
    slot->began = now;
    return stage->where >= WEFT_BLOCKING ? hand_over(self, slot)
                                         : begin(self, slot);
}

/* ---- a plain one ------------------------------------------------------- */

void wf_attempt_open(struct slot *slot)
{
    put_at(slot, RUNS);
    store_release(&slot->ends, next_only(slot, DONE)); /* [A] */
}

bool wf_attempt_close(struct slot *slot)
{
    if (load_relaxed(&slot->ends) & TAKEN)
        return false;
    store_relaxed(&slot->ends, only(slot, NO_ATTEMPT)); /* [A] */
    return true;
}

struct task *wf_attempt_returned(weft_worker *self, struct slot *slot, int rc)
{
    return returned(self, slot, rc);
}
