/* plain.c: an item's way through stages that do nothing but call a function on
 * a worker: no operation, no timer, no limits, no bytes, nobody to be told.
 *
 * What flow.c and attempt.c do for any stage, step by step, is one loop here:
 * where a stage takes less than a microsecond the engine must take less yet.
 * It begins where an item has the token of the first such stage, and leaves to
 * flow.c who has to wait, and to attempt.c what is not simply a success. */
#include "graph/pipeline.h"

bool wf_stage_is_plain(const struct pipeline_plan *plan,
                       const struct stage *stage)
{
    const struct weft_failures *failures =
        stage->failures.policy ? &stage->failures : &plan->config.failures;

    return stage->kind == STAGE && stage->where == WEFT_CPU &&
           !stage->use_count && !stage->deadline_ms && !stage->cancel &&
           !(stage->bytes && plan->budgeted) && !plan->config.hook &&
           failures->policy != WEFT_AT_RATE;
}

/* The stage has returned 0, and the item leaves it. */
static void leaves(struct stage_counts *c, struct slot *slot)
{
    uint64_t now = ticks_of(slot);

    count_past(&c->done, 1);
    if (slot->weight) {
        count_time(&c->run, slot, slot->began, now);
        wf_histogram_add(&c->latency, since(slot->entered, now), slot->weight);
    }
    slot->arrived = slot->entered = slot->ready = slot->began = now;
    note_time(segment_of(slot), slot, now);
}

/* Whether the stage that follows may be entered at once, but for a token. */
static bool is_open(const struct slot *slot, struct stage_run *sr)
{
    return sr->plain && !is_cancelled(slot) &&
           (!sr->stage->ordered ||
            wf_turn_is(&sr->turn, slot->ticket[sr->stage->depth]));
}

/* The item has come to the stage and has its turn and a token. */
static void enters(weft_worker *self, struct slot *slot, struct stage_run *sr)
{
    struct stage_counts *c = counts_at(slot, self);

    if (sr->stage->ordered) {
        struct task *next =
            wf_turn_pass(&sr->turn, slot->ticket[sr->stage->depth]);
        if (next)
            wf_push(self, next);
    }
    count(&c->in, 1);
    count_past(&c->started, 1);
    slot->attempt = 1;
    slot->told = false;
}

/* From one stage to the next: true, it may be called. */
static bool goes_on(weft_worker *self, struct slot *slot, bool may)
{
    struct stage_run *sr = stage_of(slot);
    unsigned number = sr->stage->next;
    struct stage_run *next = &sr->run->stages[number];

    slot->stage = number;
    if (!may || number == NOWHERE || !is_open(slot, next)) {
        wf_hand_give(self, sr);
        return false;
    }
    if (!wf_hand_move(self, sr, next))
        return false;
    enters(self, slot, next);
    return true;
}

struct task *wf_plain(weft_worker *self, struct slot *slot, uint64_t now)
{
    unsigned left = wf_steps_left(self), steps = 0;
    struct task *next = &slot->task;

    slot->began = now;
    note_time(segment_of(slot), slot, now);
    count_time(&counts_at(slot, self)->ready_wait, slot, slot->ready, now);
    for (;; steps++) {
        const struct stage *stage = stage_of(slot)->stage;
        wf_attempt_open(slot);
        int rc = stage->fn(self, slot->item, stage->ctx);
        if (rc || !wf_attempt_close(slot)) {
            next = wf_attempt_returned(self, slot, rc);
            break;
        }
        leaves(counts_at(slot, self), slot);
        if (!goes_on(self, slot, steps < left)) {
            put_at(slot, AT_DOOR);
            break;
        }
    }
    wf_count_steps(self, steps);
    return next;
}
