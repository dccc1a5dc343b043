/* flow.c: how an item moves: from stage to stage, to the end of its segment.
 *
 * An item is in one place at a time, so one task per slot is all its
 * continuations; `place` says what the task does when it runs next. At a stage:
 *
 *     AT_DOOR      arrives; at the end of the segment, waits for its epoch
 *     WANTS_BYTES  waits for bytes of the budget, where the stage takes any
 *     WANTS_TURN   waits for its turn, where the stage is ordered
 *     AT_BORDER    waits for who has to enter the next segment before it: [O]
 *                  in budget.c
 *     WANTS_TOKEN  waits for a token, and for those of limits with it
 *     RUNS ...     an attempt: attempt.c
 *
 * Nobody holds a token while waiting for another: an item waits for a turn or a
 * token with nothing but its slot and bytes; where it needs some of limits, its
 * stage's is kept for it while it waits for all of these at once ([S] in
 * claim.c); a gather's token is not given back before the next batch has its
 * slot, so an item never waits for that either. Whatever the shape, the last
 * stage can always finish what it has; so there is no deadlock.
 *
 * An item that failed, or was filtered or cancelled, executes nothing any more
 * but still takes its turn at the ordered stages that follow: the items behind
 * it need not know. It keeps its slot until then, so the numbers that wait for
 * a turn are never further apart than there are slots.
 *
 *  [X] Where a task was put into a list (limit, turn, path, outlet) or made
 *      ready, another worker may already run it: its slot is not touched after
 *      that. When the last slot is given back the run is over and may be freed.
 *      So whoever touches the run holds an item, or has something of it in
 *      hand.
 *
 *  [R] Some need help. An item that came early may be let through, leave and
 *      end the run while the worker on which it came still asks whose turn it
 *      is; one that waits for a token, while the worker that queued it still
 *      passes the turn on, or looks whether its run was cancelled before it
 *      stood in the queue; one that was left to a merge, while its worker still
 *      moves what is there. That worker holds a reference on the slot
 *      meanwhile; the last one to drop its reference gives the slot back. */
#include <errno.h>

#include "graph/pipeline.h"

void wf_flow_hold(struct slot *slot) { add_relaxed(&slot->refs, 1); /* [R] */ }

void wf_flow_budget(struct pipeline_run *run, weft_worker *self,
                    struct budget_news *news)
{
    if (news->opened)
        wf_merge_move_all(run, self);
    for (struct task *task; (task = task_list_take(&news->ready));)
        wf_ready(run->run.sched, self, task);
    *news = (struct budget_news){ 0 };
}

void wf_flow_finish(weft_worker *self, struct slot *slot)
{
    struct pipeline_run *run = slot->run;
    unsigned segment = slot->segment;

    if (sub_acq_rel(&slot->refs, 1) != 1) /* [R] */
        return;
    wf_segment_reset(&run->segments[segment], slot);
    if (run->plan->budgeted) {
        struct budget_news opens = wf_budget_leave(&run->budget, slot);
        wf_flow_budget(run, self, &opens);
    }
    struct task_list one = { 0 };
    task_list_add(&one, &slot->task);
    wf_feed_news(run, self, segment,
                 wf_segment_release(&run->segments[segment], &one));
}

bool wf_flow_spend(struct slot *slot, struct task_list *spent)
{
    if (load_acquire(&slot->refs) != 1) /* [R] */
        return false;
    wf_segment_reset(segment_of(slot), slot);
    task_list_add(spent, &slot->task);
    return true;
}

/* Where an item of this segment is after the stage. */
static unsigned after(const struct stage *stage)
{
    bool ends =
        stage->kind == GATHER || stage->kind == SCATTER || stage->kind == MERGE;
    return ends ? NOWHERE : stage->next;
}

static struct task *at(struct slot *slot, unsigned stage)
{
    slot->stage = stage;
    put_at(slot, AT_DOOR);
    return &slot->task;
}

struct task *wf_flow_on(struct slot *slot, uint64_t now)
{
    slot->arrived = slot->entered = slot->ready = now;
    note_time(segment_of(slot), slot, now);
    return at(slot, after(stage_of(slot)->stage));
}

/* ---- tokens ------------------------------------------------------------ */

static struct claim *claim_of(const struct slot *slot)
{
    const struct segment *s = segment_of(slot);

    return &s->claims[(size_t)((const char *)slot - s->memory) / s->stride];
}

void wf_flow_give_token(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    if (sr->stage->use_count) {
        wf_claim_give(claim_of(slot));
        return;
    }
    wf_hand_give(self, sr);
}

/* The caller has a token of the stage; false: it must wait for it. */
static bool takes(weft_worker *self, struct stage_run *sr)
{
    if (wf_hand_take(self, sr) || wf_limit_take(&sr->limit))
        return true;
    wf_hand_return(self, sr);
    return false;
}

/* The item has all tokens that it needs; false: it waits. */
static bool take_tokens(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    unsigned uses = sr->stage->use_count;

    put_at(slot, WANTS_TOKEN);
    if (uses) {
        uint64_t ready = slot->ready;
        slot->ready = 0;    /* whoever gives them does not know of our clock */
        wf_flow_hold(slot); /* [R] */
        bool has = wf_claim_take(claim_of(slot), sr->uses, uses + 1,
                                 slot->run->run.sched, &slot->task);
        if (has)
            slot->ready = ready;
        else if (is_cancelled(slot)) /* [C] in attempt.c */
            wf_claim_hurry(claim_of(slot));
        wf_flow_finish(self, slot);
        return has;
    }
    return takes(self, sr) || wf_limit_wait(&sr->limit, &slot->task);
}

static struct task *has_token(weft_worker *self, struct slot *slot,
                              uint64_t now)
{
    struct stage_counts *c = counts_at(slot, self);

    if (slot->outcome == GOOD) {
        if (!slot->ready)
            slot->ready = now;
        count_time(&c->token_wait, slot, slot->arrived, slot->ready);
        count_past(&c->started, slot->attempt == 1);
        if (is_cancelled(slot)) {
            slot->outcome = CANCELLED;
            wf_flow_give_token(self, slot);
            return wf_flow_on(slot, now);
        }
        slot->told = false;
    }
    switch (stage_of(slot)->stage->kind) {
    case GATHER:
        return wf_gather_take(self, slot);
    case SCATTER:
        return wf_scatter_take(self, slot, now);
    default:
        return stage_of(slot)->plain ? wf_plain(self, slot, now)
                                     : wf_attempt(self, slot, now);
    }
}

/* The time. Where the task goes on at once it is still that of what it did
 * before: a look at the clock costs more than what lies between. */
static uint64_t now_after(weft_worker *self, const struct slot *slot,
                          uint64_t before)
{
    return before && wf_follows(self) ? before : ticks_of(slot);
}

struct task *wf_flow_ask(weft_worker *self, struct slot *slot)
{
    uint64_t now = now_after(self, slot, slot->arrived);

    return take_tokens(self, slot) ? has_token(self, slot, now)
                                   : NULL; /* [X] */
}

struct task *wf_flow_leave(weft_worker *self, struct slot *slot, int rc,
                           uint64_t now)
{
    struct stage_counts *c = counts_at(slot, self);

    if (rc == 0) {
        count_past(&c->done, 1);
    } else if (rc == WEFT_FILTER) {
        slot->outcome = FILTERED;
        count_past(&c->filtered, 1);
    } else if (is_cancelled(slot) && rc == -ECANCELED) {
        slot->outcome = CANCELLED;
    } else {
        slot->outcome = FAILED;
        count_past(&c->failed, 1);
        wf_item_failed(self, slot, rc);
    }
    if (rc >= 0)
        wf_item_passed(self, slot);
    if (slot->weight)
        wf_histogram_add(&c->latency, since(slot->entered, now), slot->weight);
    wf_flow_give_token(self, slot);
    return wf_flow_on(slot, now);
}

/* ---- turns ------------------------------------------------------------- */

/* Does the stage do anything with it? Else it only takes its turn there. Of an
 * epoch that is cut short nobody is told the end: what cut it came before its
 * marker, which waits at the gate for all of it. */
static bool concerns(const struct stage *stage, const struct slot *slot)
{
    switch (stage->kind) {
    case FORK:
        return slot->outcome == GOOD;
    case JOIN:
        return false;
    case GATHER:
    case SCATTER:
    case MERGE:
        return slot->outcome == GOOD ||
               (slot->outcome == MARKER && !is_cancelled(slot));
    default:
        return slot->outcome == GOOD;
    }
}

static struct task *into_path(struct slot *slot)
{
    const struct stage *fork = stage_of(slot)->stage;

    return at(slot, fork->lanes[slot->path[fork->depth]].first);
}

/* It does not concern the stage, or is done with it. */
static struct task *pass_by(struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;

    if (stage->kind != FORK)
        return at(slot, after(stage));
    slot->path[stage->depth] = NOWHERE;
    return at(slot, stage->join);
}

/* Asks for what it needs now: its task if it has that, else NULL: it waits. No
 * callback is called here. */
static struct task *in_turn(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    if (!concerns(sr->stage, slot))
        return pass_by(slot);
    switch (sr->stage->kind) {
    case FORK:
        if (!wf_router_enter(&sr->router, slot, sr->stage->depth))
            return NULL; /* [X] */
        return into_path(slot);
    case MERGE:
        wf_merge_add(&sr->merge, slot,
                     slot->run->plan->segments[slot->segment].lane);
        return NULL; /* [R] */
    default:
        return take_tokens(self, slot) ? &slot->task : NULL; /* [X] */
    }
}

/* The inputs of a merge have numbers of their own. */
static struct turn *turn_of(const struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    unsigned lane = slot->run->plan->segments[slot->segment].lane;

    return sr->stage->kind == MERGE ? &sr->merge.inputs[lane].turn : &sr->turn;
}

/* It may enter the next segment through the stage it is at; else it waits, with
 * its turn if it has that. A merge asks for itself. */
static bool may_cross(weft_worker *self, struct slot *slot)
{
    enum stage_kind kind = stage_of(slot)->stage->kind;
    struct pipeline_run *run = slot->run;
    struct budget_news opens = { 0 };

    if (!run->plan->budgeted || slot->outcome != GOOD ||
        (kind != GATHER && kind != SCATTER))
        return true;
    put_at(slot, AT_BORDER);
    if (!wf_budget_cross(&run->budget, slot, kind == SCATTER, &opens))
        return false; /* [X] */
    wf_flow_budget(run, self, &opens);
    return true;
}

/* With a reference on the slot, which it drops: [R]. */
static struct task *has_turn(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    struct turn *turn = turn_of(slot);
    uint64_t number = slot->ticket[sr->stage->depth];

    if (!may_cross(self, slot)) {
        wf_flow_finish(self, slot); /* [R] */
        return NULL;
    }
    struct task *mine = in_turn(self, slot);
    struct task *next = wf_turn_pass(turn, number);
    if (next)
        wf_push(self, next);
    if (sr->stage->kind == MERGE)
        wf_merge_move(sr, self);
    wf_flow_finish(self, slot); /* [R] */
    return mine;
}

/* Its turn had come before it: nobody knows of it, so it needs no reference
 * unless it waits for a token. */
static struct task *had_turn(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    uint64_t number = slot->ticket[sr->stage->depth];

    put_at(slot, WANTS_TOKEN);
    bool has = takes(self, sr), held = !has;
    if (held) {
        wf_flow_hold(slot);
        has = wf_limit_wait(&sr->limit, &slot->task);
    }
    struct task *next = wf_turn_pass(&sr->turn, number);
    if (next)
        wf_push(self, next);
    if (held)
        wf_flow_finish(self, slot); /* [R] */
    return has ? has_token(self, slot, now_after(self, slot, slot->ready))
               : NULL;
}

static struct task *wants_turn(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    const struct stage *stage = sr->stage;

    if (stage->kind == STAGE && !stage->use_count && slot->outcome == GOOD &&
        wf_turn_is(&sr->turn, slot->ticket[stage->depth]))
        return had_turn(self, slot);
    put_at(slot, WANTS_TURN);
    wf_flow_hold(slot);
    if (wf_turn_arrive(turn_of(slot), slot->ticket[stage->depth], &slot->task))
        return has_turn(self, slot);
    wf_flow_finish(self, slot); /* [R] */
    return NULL;
}

/* ---- doors ------------------------------------------------------------- */

static struct task *to_consumer(weft_worker *self, struct slot *slot)
{
    struct pipeline_run *run = slot->run;
    unsigned segment = slot->segment;
    struct task_list refused = { 0 };

    if (slot->outcome == GOOD) {
        struct stage_counts *c = counts_at(slot, self);
        count_past(&c->started, 1);
        count_past(&c->done, 1);
    }
    wf_flow_hold(slot);
    struct segment_news news =
        wf_segment_offer(&run->segments[segment], slot, &refused);
    wf_feed_news(run, self, segment, news);
    for (struct task *task; (task = task_list_take(&refused));)
        wf_flow_finish(self, slot_of_task(task));
    wf_flow_finish(self, slot); /* [R] */
    return NULL;
}

static struct task *to_merge(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    wf_flow_hold(slot);
    struct task *mine =
        in_turn(self, slot); /* it may have been cancelled since */
    wf_merge_move(sr, self);
    wf_flow_finish(self, slot); /* [R] */
    return mine;
}

/* An item is out of its path; who waits for room there is let in. */
static void leave_path(weft_worker *self, struct slot *slot)
{
    const struct stage *join = stage_of(slot)->stage;
    unsigned depth = join->depth;

    if (slot->path[depth] == NOWHERE)
        return;
    struct router *router = &slot->run->stages[join->join].router;
    struct task *next = wf_router_leave(router, slot, depth);
    slot->path[depth] = NOWHERE;
    if (next)
        wf_push(self, next);
}

/* Here, on a worker, epochs are kept apart. */
static bool is_end(const struct stage *stage)
{
    return stage->kind == GATHER || stage->kind == SCATTER ||
           stage->kind == MERGE || stage->kind == CONSUMER;
}

static bool has_bytes(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    struct pipeline_run *run = slot->run;
    struct budget_news opens = { 0 };

    if (slot->outcome != GOOD || !stage->bytes || !run->plan->budgeted)
        return true;
    uint64_t bytes = stage->bytes(slot->item, stage->ctx);
    count(&counts_at(slot, self)->bytes, bytes);
    put_at(slot, WANTS_BYTES);
    bool has = wf_budget_ask(&run->budget, slot, bytes, &opens); /* [X] */
    if (has)
        wf_flow_budget(run, self, &opens);
    return has;
}

/* It has come to a stage, with its bytes. */
static struct task *enter(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;

    if (stage->ordered)
        return wants_turn(self, slot);
    if (stage->kind == MERGE && concerns(stage, slot))
        return to_merge(self, slot);
    if (stage->kind == FORK || !concerns(stage, slot))
        return in_turn(self, slot);
    return may_cross(self, slot) ? wf_flow_ask(self, slot) : NULL; /* [X] */
}

/* It may have waited for a worker to take it out of the last stage. */
static void count_end(weft_worker *self, const struct slot *slot)
{
    const struct pipeline_run *run = slot->run;
    const struct pipeline_plan *plan = run->plan;
    unsigned last = plan->segments[slot->segment].end;

    if (last == NOWHERE)
        last = plan->stage_count - 1;
    if (plan->stages[last].kind == JOIN) /* the router is before its fork */
        last = plan->stages[last].join - 1;
    if (slot->outcome == GOOD && !wf_follows(self))
        count_time(&wf_counts_of(&run->counts, weft_worker_index(self), last)
                        ->ready_wait,
                   slot, slot->arrived, ticks_of(slot));
}

struct task *wf_flow_door(weft_worker *self, struct slot *slot)
{
    if (slot->stage == NOWHERE) {
        count_end(self, slot);
        wf_flow_finish(self, slot);
        return NULL;
    }
    const struct stage *stage = stage_of(slot)->stage;
    if (is_end(stage) && !wf_segment_pass_gate(segment_of(slot), slot))
        return NULL; /* [X] */
    slot->attempt = 1;
    if (slot->outcome == GOOD)
        count(&counts_at(slot, self)->in, 1);
    if (stage->kind == CONSUMER)
        return to_consumer(self, slot);
    if (stage->kind == JOIN)
        leave_path(self, slot);
    return has_bytes(self, slot) ? enter(self, slot) : NULL; /* [X] */
}

/* What it waited for without a token it has now; at the two ends of a router's
 * paths that was the router's output. */
static void has_waited(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;
    uint64_t now = ticks_of(slot);
    unsigned fork = stage->kind == JOIN ? stage->join : slot->stage;

    slot->ready = now;
    if (stage->kind != FORK && stage->kind != JOIN)
        return;
    if (slot->outcome == GOOD) /* the router is the stage before its fork */
        count_time(
            &wf_counts_of(&slot->run->counts, weft_worker_index(self), fork - 1)
                 ->output_wait,
            slot, slot->arrived, now);
    slot->arrived = slot->entered = now;
}

/* It may try again, with its turn if it is ordered there. */
static struct task *at_border(weft_worker *self, struct slot *slot)
{
    has_waited(self, slot);
    if (!stage_of(slot)->stage->ordered)
        return enter(self, slot);
    wf_flow_hold(slot);
    return has_turn(self, slot);
}

struct task *wf_flow_step(weft_worker *self, struct task *task)
{
    struct slot *slot = slot_of_task(task);

    switch (place_of(slot)) {
    case WANTS_COST:
        wf_feed_paid(slot);
        wf_feed_got(slot->run, self, slot);
        return NULL;
    case FILL:
        return wf_source_fill(self, slot);
    case PAST_GATE:
        has_waited(self, slot);
        return wf_flow_door(self, slot);
    case AT_DOOR:
        return wf_burst_run(self, slot);
    case WANTS_BYTES:
        has_waited(self, slot);
        return enter(self, slot);
    case WANTS_TURN:
        for (struct slot *one = slot; one; one = one->behind)
            has_waited(self, one);
        if (slot->behind) {
            put_at(slot, AT_DOOR);
            return wf_burst_run(self, slot);
        }
        wf_flow_hold(slot);
        return has_turn(self, slot);
    case AT_BORDER:
        return at_border(self, slot);
    case WANTS_TOKEN:
        return has_token(self, slot, now_after(self, slot, slot->ready));
    case SCATTERS:
        if (wf_feed_yields(self, slot))
            return NULL; /* [X] */
        return wf_scatter_take(self, slot, ticks_of(slot));
    case HAS_PATH:
        has_waited(self, slot);
        return into_path(slot);
    case PENDS:
    case IS_BACK:
        return wf_attempt_ended(self, slot);
    default: /* nothing queues it there */
        return NULL;
    }
}
