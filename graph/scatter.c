/* scatter.c: one item becomes many pieces.
 *
 * The item keeps the scatter's only token until its last piece has gone; it
 * waits for the slot of each piece with nothing that others need. Each piece
 * flows before the next one is made, and that one is made later: see feed.c. */
#include <errno.h>

#include "graph/pipeline.h"

/* The slot that the next piece goes into; NULL: the item waits for it. */
static struct slot *slot_for_piece(struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    if (sr->hand)
        return sr->hand;
    sr->parent = slot;
    put_at(slot, SCATTERS);
    struct slot *hand =
        wf_feed_take(slot->run, slot->run->plan->segments[slot->segment].into);
    if (hand)
        sr->hand = hand;
    return hand;
}

/* The piece flows; whoever made it is next, or waits for the next slot. */
static struct task *feed(weft_worker *self, struct slot *slot,
                         struct slot *piece, uint64_t now)
{
    struct stage_run *sr = stage_of(slot);

    piece->origin = slot->number;
    sr->hand = NULL;
    sr->parent = slot;
    slot->ready = now;
    put_at(slot, SCATTERS);
    struct slot *next = wf_feed_filled(piece, false, true, now);
    if (next) { /* else somebody else may already go on with the item */
        sr->hand = next;
        wf_feed_later(self, slot, segment_of(next), true);
    }
    return &piece->task;
}

struct task *wf_scatter_take(weft_worker *self, struct slot *slot, uint64_t now)
{
    const struct stage *stage = stage_of(slot)->stage;
    struct slot *piece = slot_for_piece(slot);

    if (!piece)
        return NULL;
    if (slot->outcome == MARKER) {
        stage_of(slot)->hand = NULL;
        wf_feed_filled(piece, true, false, now);
        wf_push(self, &piece->task);
        wf_flow_give_token(self, slot);
        wf_flow_finish(self, slot);
        return NULL;
    }
    if (is_cancelled(slot)) {
        slot->outcome = CANCELLED;
        wf_flow_give_token(self, slot);
        return wf_flow_on(slot, now);
    }
    put_at(slot, RUNS);
    uint64_t start = ticks_of(slot);
    int rc = stage->scatter(self, slot->item, piece->item, stage->ctx);
    uint64_t end = ticks_of(slot);
    count_time(&counts_at(slot, self)->ready_wait, slot, slot->ready, start);
    count_time(&counts_at(slot, self)->run, slot, start, end);
    if (!rc)
        return feed(self, slot, piece, end);
    if (rc > 0 && rc != WEFT_END)
        rc = weft_fail(slot->item, -EINVAL, "the scatter returned %d", rc);
    return wf_flow_leave(self, slot, rc == WEFT_END ? 0 : rc, end);
}

struct task *wf_scatter_end(weft_worker *self, struct task *task)
{
    struct stage_run *sr =
        (struct stage_run *)((char *)task - offsetof(struct stage_run, end));
    struct slot *hand = sr->hand;

    sr->hand = NULL;
    wf_limit_give(&sr->limit); /* nobody waits for it: all items have left */
    wf_feed_ended(sr->run, self,
                  sr->run->plan->segments[sr->stage->segment].into, hand);
    return NULL;
}
