/* plain.c: an item's way through stages that do nothing but call a function on
 * a worker: no operation, no timer, no limits, no bytes, nobody to be told.
 *
 * What flow.c and attempt.c do for any stage, step by step, is one loop here:
 * where a stage takes less than a microsecond the engine must take less yet.
 * It begins where an item has the token of the first such stage, and leaves to
 * flow.c who has to wait, and to attempt.c what is not simply a success. */
#include "graph/plain.h"

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

/* An item's way, and what its worker needs at each stage. */
struct way {
    weft_worker *self;
    struct slot *slot;
    struct segment *segment;
    struct stage_run *at;
    struct stage_counts *counts; /* there */
    bool times;                  /* are taken */
};

/* Whether the stage may be entered at once, but for a token. */
static bool is_open(const struct way *way, struct stage_run *sr)
{
    const uint64_t *ticket = way->slot->ticket;

    return sr->plain && !wf_segment_cancelled(way->segment, ticket[0]) &&
           (!sr->stage->ordered ||
            wf_turn_is(&sr->turn, ticket[sr->stage->depth]));
}

/* The item has come to the stage and has its turn and a token. */
static void enters(const struct way *way)
{
    const struct stage *stage = way->at->stage;
    struct slot *slot = way->slot;

    if (stage->ordered) {
        struct task *next =
            wf_turn_pass(&way->at->turn, slot->ticket[stage->depth]);
        if (next)
            wf_push(way->self, next);
    }
    plain_enters(way->counts, slot);
}

/* From one stage to the next: true, it may be called. */
static bool goes_on(struct way *way, bool may)
{
    struct stage_run *from = way->at;
    unsigned number = from->stage->next;
    ptrdiff_t behind = (ptrdiff_t)number - way->slot->stage;

    way->slot->stage = number;
    if (!may || number == NOWHERE || !is_open(way, from + behind)) {
        wf_hand_give(way->self, from);
        return false;
    }
    way->at += behind;
    way->counts += behind;
    if (!wf_hand_move(way->self, from, way->at))
        return false;
    enters(way);
    return true;
}

struct task *wf_plain(weft_worker *self, struct slot *slot, uint64_t now)
{
    unsigned left = wf_steps_left(self), steps = 0;
    struct task *next = &slot->task;
    struct way way = {
        .self = self,
        .slot = slot,
        .segment = segment_of(slot),
        .at = stage_of(slot),
        .counts = counts_at(slot, self),
        .times = slot->run->times,
    };

    slot->began = now;
    note_time(way.segment, slot, now);
    count_time(&way.counts->ready_wait, slot, slot->ready, now);
    for (;; steps++) {
        const struct stage *stage = way.at->stage;
        wf_attempt_open(slot);
        int rc = stage->fn(self, slot->item, stage->ctx);
        if (rc || !wf_attempt_close(slot)) {
            next = wf_attempt_returned(self, slot, rc);
            break;
        }
        plain_leaves(way.counts, way.segment, slot, way.times);
        if (!goes_on(&way, steps < left)) {
            put_at(slot, AT_DOOR);
            break;
        }
    }
    wf_count_steps(self, steps);
    return next;
}
