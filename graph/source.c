/* source.c: a source fills the slots of its segment, one after the other.
 *
 * What a source does with a slot is an attempt like any stage's: on a worker,
 * on a thread of its own, or pending. When it is over, the item flows, and the
 * source goes on with the next slot: later, see feed.c. */
#include <errno.h>
#include <string.h>

#include "graph/pipeline.h"

static struct task *end(weft_worker *self, struct slot *slot)
{
    wf_feed_ended(slot->run, self, slot->segment, slot);
    return NULL;
}

int wf_source_array(struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    const struct stage *stage = sr->stage;
    size_t bytes = segment_of(slot)->items.bytes;
    uint64_t i = load_relaxed(&sr->array_next);

    if (i == stage->array_count)
        return WEFT_END;
    store_relaxed(&sr->array_next, i + 1);
    memcpy(slot->item, stage->array + i * stage->array_stride,
           bytes < stage->array_stride ? bytes : stage->array_stride);
    return 0;
}

struct task *wf_source_fill(weft_worker *self, struct slot *slot)
{
    if (wf_feed_yields(self, slot))
        return NULL;
    if (load_relaxed(&slot->run->draining))
        return end(self, slot);
    struct task *older = wf_burst_older(self, slot);
    if (older) {
        wf_source_queue(self, slot, true);
        wf_push(self, older);
        return NULL;
    }
    if (wf_burst_may_fill(self, slot))
        return wf_burst_fill(self, slot);
    if (stage_of(slot)->burst > 1) /* else slots are few */
        slot = wf_segment_nearer(segment_of(slot), slot);
    uint64_t now = ticks_of(slot);
    if (stage_of(slot)->stage->cancel)
        wf_segment_filling(segment_of(slot), slot);
    slot->attempt = 1;
    slot->told = false;
    slot->arrived = now;
    return wf_attempt(self, slot, now);
}

void wf_source_queue(weft_worker *self, struct slot *slot, bool under)
{
    slot->task.run = wf_flow_step;
    slot->stage = slot->run->plan->segments[slot->segment].feeder;
    put_at(slot, FILL);
    wf_feed_later(self, slot, segment_of(slot), under);
}

struct task *wf_source_filled(weft_worker *self, struct slot *slot, int rc,
                              uint64_t now)
{
    struct stage_counts *c = counts_at(slot, self);

    if (stage_of(slot)->stage->cancel)
        wf_segment_filling(segment_of(slot), NULL);
    if (rc > 0 && rc != WEFT_END && rc != WEFT_EPOCH)
        rc = weft_fail(slot->item, -EINVAL, "the source returned %d", rc);
    if (rc < 0)
        wf_source_failed(slot, rc);
    if (rc < 0 || rc == WEFT_END)
        return end(self, slot);

    count(&c->in, rc == 0);
    count_past(&c->done, rc == 0);
    if (rc == 0 && slot->weight)
        wf_histogram_add(&c->latency, since(slot->began, now), slot->weight);
    struct slot *next = wf_feed_filled(slot, rc == WEFT_EPOCH, true, now);
    if (next) {
        next->ready = ticks_at(next, now);
        wf_source_queue(self, next, true);
    } else if (load_relaxed(&slot->run->draining)) { /* [D] in prun.c */
        wf_feed_news(slot->run, self, slot->segment,
                     wf_segment_end_hungry(segment_of(slot)));
    }
    return &slot->task;
}
