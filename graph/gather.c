/* gather.c: many items become one batch.
 *
 * The batch is the slot in the gather's hand; who has the gather's only token
 * has the batch. A full batch flows, and the next slot is taken; while there is
 * none, the token stays away. */
#include <errno.h>

#include "graph/pipeline.h"

/* The batch flows on, as a batch or as the end of an epoch. False: there is no
 * slot for the next one yet; the token is given back when there is. */
static bool feed(weft_worker *self, struct stage_run *sr, bool marker)
{
    struct slot *batch = sr->hand;

    store_relaxed(&sr->count, 0);
    sr->hand = NULL;
    struct slot *next = wf_feed_filled(batch, marker, true, ticks_of(batch));
    if (next)
        sr->hand = next;
    wf_push(self, &batch->task);
    return next;
}

static void drop(struct stage_run *sr)
{
    const struct weft_items *items = &segment_of(sr->hand)->items;

    if (load_relaxed(&sr->count) && items->reset)
        items->reset(sr->hand->item, items->ctx);
    store_relaxed(&sr->count, 0);
}

static bool has_rest(const struct stage_run *sr)
{
    return load_relaxed(&sr->count) && !sr->stage->drop_rest &&
           !wf_segment_cancelled(segment_of(sr->hand), 0);
}

/* The rest first; then the marker asks again, and finds none. */
static struct task *take_marker(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    bool rest = has_rest(sr);

    if (!rest)
        drop(sr);
    if (feed(self, sr, !rest))
        wf_flow_give_token(self, slot);
    if (rest)
        return wf_flow_ask(self, slot);
    wf_flow_finish(self, slot);
    return NULL;
}

struct task *wf_gather_take(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    const struct stage *stage = sr->stage;
    struct stage_counts *c = counts_at(slot, self);

    if (slot->outcome == MARKER)
        return take_marker(self, slot);
    put_at(slot, RUNS);
    uint64_t start = ticks_of(slot);
    count_time(&c->ready_wait, slot, slot->ready, start);
    int rc = stage->gather(self, sr->hand->item, slot->item, stage->ctx);
    uint64_t end = ticks_of(slot);
    count_time(&c->run, slot, start, end);
    if (rc > 0 && rc != WEFT_FULL)
        rc = weft_fail(slot->item, -EINVAL, "the gather returned %d", rc);
    if (rc < 0)
        return wf_flow_leave(self, slot, rc, end);

    unsigned items = load_relaxed(&sr->count) + 1;
    store_relaxed(&sr->count, items);
    if (items == 1)
        sr->hand->origin = slot->number;
    bool full = rc == WEFT_FULL || items == stage->count;
    if (!full || feed(self, sr, false))
        return wf_flow_leave(self, slot, 0, end);
    count_past(&c->done, 1); /* and the token stays away */
    wf_item_passed(self, slot);
    if (slot->weight)
        wf_histogram_add(&c->latency, since(slot->entered, end), slot->weight);
    return wf_flow_on(slot, end);
}

/* Its items are all there: the rest flows or is dropped, and no more comes. */
struct task *wf_gather_end(weft_worker *self, struct task *task)
{
    struct stage_run *sr =
        (struct stage_run *)((char *)task - offsetof(struct stage_run, end));
    struct pipeline_run *run = sr->run;
    struct slot *batch = sr->hand;
    unsigned segment = batch->segment;
    bool rest = has_rest(sr);

    if (!rest)
        drop(sr);
    sr->hand = NULL;
    wf_limit_give(&sr->limit); /* nobody waits for it: all items have left */
    if (rest)
        wf_feed_filled(batch, false, false, ticks_of(batch));
    wf_feed_ended(run, self, segment, rest ? NULL : batch);
    return rest ? &batch->task : NULL;
}
