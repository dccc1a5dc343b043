/* feed.c: what fills the slots: the source, and the gathers.
 *
 * A feeder has one slot of its segment in hand, and fills it. When it has, it
 * asks for the next one; where none is free it is hungry, and whoever gives a
 * slot back hands it over: wf_feed_news. So a full pipeline stops the feeder,
 * and no thread waits.
 *
 * The source's task is put at the end of the injected tasks when it gets a slot
 * that way: after all the work downstream. While slots are free, it goes under
 * the item that it has just fed: its worker takes the item first, and an idle
 * worker that steals finds the source.
 *
 * A gather fills its slot item by item, while it has its only token. The token
 * is there exactly while it has a slot, so a gather that is hungry is a stage
 * without tokens, and its items wait in the list like at any other stage. When
 * its segment is over, its rest is a task that waits for the same token. */
#include <errno.h>

#include "graph/pipeline.h"

/* The slot is filled: its first stage is the one behind its feeder. */
static void enter(struct slot *slot, unsigned feeder)
{
    slot->task.run = wf_flow_step;
    slot->stage = feeder + 1;
    slot->arrived_ns = wf_now_ns();
}

static struct task *end_source(struct pipeline_run *run, weft_worker *self,
                               int rc)
{
    if (rc < 0)
        wf_source_failed(run, run->source_slot, rc);
    wf_feed_news(run, self, 0,
                 wf_segment_end(&run->segments[0], run->source_slot, false));
    return NULL;
}

struct task *wf_feed_source(weft_worker *self, struct task *task)
{
    struct pipeline_run *run =
        (struct pipeline_run *)((char *)task -
                                offsetof(struct pipeline_run, source));
    const struct stage *source = &run->plan->stages[0];
    struct stage_counts *c = counts_of(run, self, 0);
    struct slot *slot = run->source_slot;

    if (load_relaxed(&run->draining))
        return end_source(run, self, 0);
    slot->why[0] = '\0';
    uint64_t start = wf_now_ns();
    int rc = source->fn(self, slot->item, source->ctx);
    count(&c->run_ns, wf_now_ns() - start);
    if (rc > 0 && rc != WEFT_END)
        rc = weft_fail(slot->item, -EINVAL, "the source returned %d", rc);
    if (rc)
        return end_source(run, self, rc);

    count(&c->done, 1);
    enter(slot, 0);
    struct slot *next = wf_segment_feed(&run->segments[0], slot);
    if (next) {
        run->source_slot = next;
        wf_push(self, &run->source);
    }
    return &slot->task;
}

bool wf_feed_batch(weft_worker *self, struct stage_run *sr)
{
    struct pipeline_run *run = sr->run;
    struct slot *batch = sr->batch;

    sr->count = 0;
    sr->batch = NULL;
    enter(batch, (unsigned)(sr - run->stages));
    struct slot *next = wf_segment_feed(&run->segments[batch->segment], batch);
    if (next)
        sr->batch = next;
    wf_push(self, &batch->task);
    return next;
}

struct task *wf_feed_rest(weft_worker *self, struct task *task)
{
    struct stage_run *sr =
        (struct stage_run *)((char *)task - offsetof(struct stage_run, end));
    struct pipeline_run *run = sr->run;
    struct slot *batch = sr->batch;
    unsigned number = sr->stage->segment + 1;
    struct segment *to = &run->segments[number];
    bool flush =
        sr->count && !sr->stage->drop_rest && !wf_segment_cancelled(to, 0);

    sr->batch = NULL;
    if (flush)
        enter(batch, (unsigned)(sr - run->stages));
    else if (sr->count && to->items.reset)
        to->items.reset(batch->item, to->items.ctx);
    wf_feed_news(run, self, number, wf_segment_end(to, batch, flush));
    return flush ? &batch->task : NULL;
}

static void feed_source(struct pipeline_run *run, struct slot *slot)
{
    struct task_list list = { 0 };

    run->source_slot = slot;
    task_list_add(&list, &run->source);
    wf_inject(run->run.sched, &list);
}

/* The gather that feeds a segment. */
static struct stage_run *gather_before(struct pipeline_run *run,
                                       unsigned segment)
{
    struct stage_run *sr = run->stages;

    while (sr->stage->kind != GATHER || sr->stage->segment != segment - 1)
        sr++;
    return sr;
}

static void feed_gather(struct pipeline_run *run, weft_worker *self,
                        struct stage_run *sr, struct slot *slot)
{
    sr->batch = slot;
    struct task *next = wf_limit_give(&sr->limit);
    if (!next)
        return;
    if (next != &sr->end)
        slot_of_task(next)->ready_ns = wf_now_ns();
    wf_ready(run->run.sched, self, next);
}

/* A segment is over: so is the run, or the gather that ends it, but for what it
 * still has. */
static void over(struct pipeline_run *run, weft_worker *self, unsigned segment)
{
    if (segment + 1 == run->plan->segment_count) {
        wf_run_end(&run->run);
        return;
    }
    struct stage_run *sr = gather_before(run, segment + 1);
    if (wf_limit_take(&sr->limit) || wf_limit_wait(&sr->limit, &sr->end))
        wf_ready(run->run.sched, self, &sr->end);
}

void wf_feed_news(struct pipeline_run *run, weft_worker *self, unsigned segment,
                  struct segment_news news)
{
    if (news.slot && segment == 0)
        feed_source(run, news.slot);
    else if (news.slot)
        feed_gather(run, self, gather_before(run, segment), news.slot);
    else if (news.over)
        over(run, self, segment);
}
