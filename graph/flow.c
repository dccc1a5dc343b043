/* flow.c: how an item moves: from stage to stage, to the end of its segment.
 *
 * An item is in one place at a time, so one task per slot is all its
 * continuations; `place` says what the task does when it runs next:
 *
 *     AT_DOOR     arrives at a stage; at an ordered one, waits for its turn
 *     HAS_TURN    asks for a token, then passes the turn on
 *     HAS_TOKEN   calls the stage, which may return WEFT_PENDING
 *     COMPLETED   gives the token back, and goes to the next door
 *
 * Nobody holds a token while waiting for another: an item waits for a turn or a
 * token with nothing but its slot, and a gather's token is not given back
 * before the next batch has its slot, so an item never waits for that either.
 * Whatever the shape, the last stage can always finish what it has; so there is
 * no deadlock.
 *
 * An item that failed, or was filtered or cancelled, executes nothing any more
 * but still takes its turn at the ordered stages that follow: the items behind
 * it need not know. It keeps its slot until then, so the numbers that wait for
 * a turn are never further apart than there are slots.
 *
 *  [2] A pending stage ends when both have happened: the stage returned and
 *      the completion came. Each swaps `both`; the second one goes on, and
 *      sees what the first one did.
 *
 *  [X] Where a task was put into a list (limit, turn, outlet) or made ready,
 *      another worker may already run it: its slot is not touched after that.
 *      When the last slot is given back the run is over and may be freed. So
 *      whoever touches the run holds an item, or has something of it in hand.
 *
 *  [R] Two cases need help. An item that came early may be let through, leave
 *      and end the run while the worker on which it came still asks whose turn
 *      it is; and one that waits for a token, while the worker that queued it
 *      still passes the turn on. That worker holds a reference on the slot
 *      meanwhile; the last one to drop its reference gives the slot back. */
#include <errno.h>

#include "graph/pipeline.h"

static struct stage_run *stage_of(const struct slot *slot)
{
    return &slot->run->stages[slot->stage];
}

static struct segment *segment_of(const struct slot *slot)
{
    return &slot->run->segments[slot->segment];
}

void wf_flow_finish(weft_worker *self, struct slot *slot)
{
    struct pipeline_run *run = slot->run;
    unsigned segment = slot->segment;

    if (sub_acq_rel(&slot->refs, 1) != 1) /* [R] */
        return;
    wf_feed_news(run, self, segment,
                 wf_segment_release(&run->segments[segment], slot));
}

static void give_token(struct slot *slot, weft_worker *self, uint64_t now)
{
    struct stage_run *sr = stage_of(slot);
    struct task *next = wf_limit_give(&sr->limit);

    if (!next)
        return;
    if (next != &sr->end)
        slot_of_task(next)->ready_ns = now;
    wf_push(self, next);
}

static struct task *go_on(struct slot *slot, uint64_t now)
{
    slot->stage++;
    slot->place = AT_DOOR;
    slot->arrived_ns = now;
    return &slot->task;
}

static struct task *leave(weft_worker *self, struct slot *slot, int rc,
                          uint64_t now)
{
    struct stage_counts *c = counts_of(slot->run, self, slot->stage);

    if (rc == 0) {
        count(&c->done, 1);
    } else if (rc == WEFT_FILTER) {
        slot->outcome = FILTERED;
        count(&c->filtered, 1);
    } else {
        slot->outcome = FAILED;
        count(&c->failed, 1);
        wf_item_failed(self, slot, rc);
    }
    give_token(slot, self, now);
    return go_on(slot, now);
}

static struct task *execute_gather(weft_worker *self, struct slot *slot,
                                   uint64_t now)
{
    struct stage_run *sr = stage_of(slot);
    const struct stage *stage = sr->stage;
    struct stage_counts *c = counts_of(slot->run, self, slot->stage);

    int rc = stage->gather(self, sr->batch->item, slot->item, stage->ctx);
    uint64_t end = wf_now_ns();
    count(&c->run_ns, end - now);
    if (rc > 0 && rc != WEFT_FULL)
        rc = weft_fail(slot->item, -EINVAL, "the gather returned %d", rc);
    if (rc < 0)
        return leave(self, slot, rc, end);

    sr->count++;
    bool full = rc == WEFT_FULL || sr->count == stage->count;
    if (!full || wf_feed_batch(self, sr))
        return leave(self, slot, 0, end);
    count(&c->done, 1); /* and the token stays away */
    return go_on(slot, end);
}

static struct task *end_stage(weft_worker *self, struct slot *slot, int rc,
                              uint64_t now)
{
    if (rc > 0 && rc != WEFT_FILTER)
        rc = weft_fail(slot->item, -EINVAL, "the stage returned %d", rc);
    return leave(self, slot, rc, now);
}

static struct task *execute_stage(weft_worker *self, struct slot *slot,
                                  uint64_t now)
{
    const struct stage *stage = stage_of(slot)->stage;
    struct stage_counts *c = counts_of(slot->run, self, slot->stage);

    store_relaxed(&slot->both, 0);
    slot->place = COMPLETED;
    int rc = stage->fn(self, slot->item, stage->ctx);
    uint64_t end = wf_now_ns();
    count(&c->run_ns, end - now);
    if (rc == WEFT_PENDING) {
        slot->arrived_ns = end;
        if (!swap_acq_rel(&slot->both, 1)) /* [2] */
            return NULL;                   /* [X] */
        rc = slot->result;
    }
    return end_stage(self, slot, rc, end);
}

void weft_complete(weft_worker *self, void *item, int rc)
{
    struct slot *slot = slot_of_item(item);
    weft_sched *sched = slot->run->run.sched;

    slot->result = rc;
    slot->ready_ns = wf_now_ns();
    if (swap_acq_rel(&slot->both, 1)) /* [2] */
        wf_ready(sched, self, &slot->task);
}

uint64_t weft_item_number(const void *item)
{
    return slot_of_item(item)->number;
}

static struct task *completed(weft_worker *self, struct slot *slot)
{
    struct stage_counts *c = counts_of(slot->run, self, slot->stage);
    uint64_t now = wf_now_ns();

    count(&c->pending_wait_ns, slot->ready_ns - slot->arrived_ns);
    count(&c->ready_wait_ns, now - slot->ready_ns);
    return end_stage(self, slot, slot->result, now);
}

static struct task *has_token(weft_worker *self, struct slot *slot)
{
    struct stage_counts *c = counts_of(slot->run, self, slot->stage);
    uint64_t now = wf_now_ns();

    count(&c->started, 1);
    count(&c->token_wait_ns, slot->ready_ns - slot->arrived_ns);
    count(&c->ready_wait_ns, now - slot->ready_ns);
    if (wf_segment_cancelled(segment_of(slot), slot->number)) {
        slot->outcome = CANCELLED;
        give_token(slot, self, now);
        return go_on(slot, now);
    }
    slot->why[0] = '\0';
    if (stage_of(slot)->stage->kind == GATHER)
        return execute_gather(self, slot, now);
    return execute_stage(self, slot, now);
}

/* Asks for a token: the item's task if it got one, NULL if the item waits. */
static struct task *ask_for_token(struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    slot->place = HAS_TOKEN;
    if (!wf_limit_take(&sr->limit) && !wf_limit_wait(&sr->limit, &slot->task))
        return NULL; /* [X] */
    slot->ready_ns = sr->stage->ordered ? wf_now_ns() : slot->arrived_ns;
    return &slot->task;
}

/* With a reference on the slot, which it drops: [R]. */
static struct task *has_turn(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    uint64_t number = slot->number;
    struct task *mine;

    mine = slot->outcome == GOOD ? ask_for_token(slot)
                                 : go_on(slot, slot->arrived_ns);
    struct task *next = wf_turn_pass(&sr->turn, number);
    if (next)
        wf_push(self, next);
    wf_flow_finish(self, slot); /* [R] */
    return mine;
}

static struct task *to_consumer(weft_worker *self, struct slot *slot)
{
    struct stage_counts *c = counts_of(slot->run, self, slot->stage);

    if (slot->outcome == GOOD) {
        count(&c->started, 1);
        count(&c->done, 1);
    }
    struct task_list refused = wf_segment_offer(segment_of(slot), slot);
    for (struct task *task; (task = task_list_take(&refused));) /* [X] */
        wf_flow_finish(self, slot_of_task(task));
    return NULL;
}

static struct task *at_door(weft_worker *self, struct slot *slot)
{
    const struct pipeline_plan *plan = slot->run->plan;

    for (;; slot->stage++) {
        if (slot->stage == plan->stage_count ||
            plan->stages[slot->stage].segment != slot->segment) {
            wf_flow_finish(self, slot);
            return NULL;
        }
        struct stage_run *sr = stage_of(slot);
        if (slot->outcome == GOOD)
            count(&counts_of(slot->run, self, slot->stage)->arrived, 1);
        if (sr->stage->kind == CONSUMER)
            return to_consumer(self, slot);
        if (sr->stage->ordered) {
            slot->place = HAS_TURN;
            add_relaxed(&slot->refs, 1); /* [R] */
            if (wf_turn_arrive(&sr->turn, slot->number, &slot->task))
                return has_turn(self, slot);
            wf_flow_finish(self, slot); /* [R] */
            return NULL;
        }
        if (slot->outcome == GOOD)
            return ask_for_token(slot);
    }
}

struct task *wf_flow_step(weft_worker *self, struct task *task)
{
    struct slot *slot = slot_of_task(task);

    switch (slot->place) {
    case AT_DOOR:
        return at_door(self, slot);
    case HAS_TURN:
        add_relaxed(&slot->refs, 1); /* [R] */
        return has_turn(self, slot);
    case HAS_TOKEN:
        return has_token(self, slot);
    case COMPLETED:
        return completed(self, slot);
    case BORROWED:
        break; /* the consumer has it: nothing queues it */
    }
    return NULL;
}
