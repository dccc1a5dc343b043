/* feed.c: how the slots of a segment come to whoever fills them.
 *
 * A feeder (a source, a gather, a scatter, a merge) takes a slot, fills it, and
 * takes the next; where none is free it is hungry, and whoever gives a slot
 * back hands it over: wf_feed_news. So a full pipeline stops the feeder, and no
 * thread waits. Where each item of the segment has a fixed cost, a slot is the
 * feeder's only when the budget has that much: it must not be filled before.
 *
 * What each feeder does with its slot:
 *
 *     source    calls the source, later
 *     gather    its only token is there exactly while it has a slot, so a
 *               hungry gather is a stage without tokens
 *     scatter   goes on, later, with the item whose pieces it makes
 *     merge     moves the next item of its inputs there
 *
 * Later: when there is nothing else to do. The task goes under the item that
 * was just fed, so that this worker takes that first and an idle one finds the
 * task. If the worker then has anything else to do, the task goes to where all
 * of its kind wait; and from there comes to whoever has nothing else. Those
 * that were hungry go there at once. Until one has had its share of turns it
 * comes before the others, which may be of other runs; then after them. The
 * share is as large as the priority of the run.
 *
 * When a segment is over, so is its successor's input: a gather's rest is a
 * task that waits for the same token as its items. */
#include "graph/pipeline.h"

void wf_feed_paid(struct slot *slot)
{
    put_at(slot, IN_HAND);
    wf_segment_block(segment_of(slot), false);
}

/* The slot is the feeder's, or waits for its bytes. */
static bool has_cost(struct slot *slot)
{
    struct pipeline_run *run = slot->run;
    uint64_t cost = segment_of(slot)->items.cost;

    if (!cost)
        return true;
    slot->task.run = wf_flow_step;
    put_at(slot, WANTS_COST);
    if (!wf_budget_try(&run->budget, slot, cost)) {
        wf_segment_block(segment_of(slot), true);
        if (!wf_budget_ask(&run->budget, slot, cost, NULL))
            return false;
        wf_segment_block(segment_of(slot), false);
    }
    put_at(slot, IN_HAND);
    return true;
}

static struct stage_run *feeder_of(struct pipeline_run *run, unsigned segment)
{
    return &run->stages[run->plan->segments[segment].feeder];
}

struct slot *wf_feed_take(struct pipeline_run *run, unsigned segment)
{
    struct slot *slot = wf_segment_take(&run->segments[segment]);
    return slot && has_cost(slot) ? slot : NULL;
}

struct slot *wf_feed_filled(struct slot *slot, bool marker, bool wants_next,
                            uint64_t now)
{
    struct pipeline_run *run = slot->run;
    unsigned segment = slot->segment;
    unsigned feeder = run->plan->segments[segment].feeder;

    slot->task.run = wf_flow_step;
    slot->stage = run->plan->stages[feeder].next;
    now = ticks_at(slot, now);
    slot->arrived = slot->entered = slot->ready = now;
    note_time(segment_of(slot), slot, now);
    struct slot *next =
        wf_segment_feed(&run->segments[segment], slot, marker, wants_next);
    return next && has_cost(next) ? next : NULL;
}

/* The gather has a slot again, and so a token. */
static void feed_gather(struct stage_run *sr, weft_worker *self,
                        struct slot *slot)
{
    sr->hand = slot;
    wf_hand_give_to_limit(self, sr);
}

void wf_feed_later(weft_worker *self, struct slot *slot, struct segment *fills,
                   bool under)
{
    struct pipeline_run *run = slot->run;
    bool over = ++fills->turns % (QUANTUM * run->priority) == 0;

    slot->yields = under && !over;
    if (slot->yields)
        wf_push(self, &slot->task);
    else
        wf_ready_last(run->run.sched, self, &slot->task, !over);
}

bool wf_feed_yields(weft_worker *self, struct slot *slot)
{
    if (!slot->yields || !wf_has_other_work(self))
        return false;
    slot->yields = false;
    wf_ready_last(slot->run->run.sched, self, &slot->task, true);
    return true;
}

void wf_feed_got(struct pipeline_run *run, weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = feeder_of(run, slot->segment);

    switch (sr->stage->kind) {
    case GATHER:
        feed_gather(sr, self, slot);
        break;
    case SCATTER:
        sr->hand = slot;
        sr->parent->ready = ticks_of(sr->parent);
        wf_feed_later(self, sr->parent, &run->segments[slot->segment], false);
        break;
    case MERGE:
        wf_merge_got(sr, self, slot);
        break;
    default:
        slot->ready = ticks_of(slot);
        wf_source_queue(self, slot, false);
        break;
    }
}

/* The segment is over: so is the run, or what it leads to has no more. */
static void over(struct pipeline_run *run, weft_worker *self, unsigned segment)
{
    const struct segment_plan *plan = &run->plan->segments[segment];

    if (plan->into == NOWHERE) {
        wf_pipeline_over(run);
        return;
    }
    struct stage_run *sr = feeder_of(run, plan->into);
    if (sr->stage->kind == MERGE)
        wf_merge_input_ended(sr, self, plan->lane);
    else if (wf_limit_take(&sr->limit) || wf_limit_wait(&sr->limit, &sr->end))
        wf_ready(run->run.sched, self, &sr->end);
}

/* Without news the run is not looked at: [X] in flow.c. */
void wf_feed_news(struct pipeline_run *run, weft_worker *self, unsigned segment,
                  struct segment_news news)
{
    for (struct task *task; (task = task_list_take(&news.held));) {
        struct slot *slot = slot_of_task(task);
        put_at(slot, PAST_GATE);
        wf_ready(slot->run->run.sched, self, task);
    }
    if (news.marker) {
        put_at(news.marker, AT_DOOR);
        wf_ready(news.marker->run->run.sched, self, &news.marker->task);
    }
    if (news.slot && has_cost(news.slot))
        wf_feed_got(run, self, news.slot);
    if (news.over)
        over(run, self, segment);
}

void wf_feed_ended(struct pipeline_run *run, weft_worker *self,
                   unsigned segment, struct slot *last)
{
    if (last && run->plan->budgeted) {
        struct budget_news opens = wf_budget_leave(&run->budget, last);
        wf_flow_budget(run, self, &opens);
    }
    wf_feed_news(run, self, segment,
                 wf_segment_end(&run->segments[segment], last));
}
