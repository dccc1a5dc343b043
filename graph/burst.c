/* burst.c: several items in one turn of the source, where items are tiny.
 *
 * A source that goes from worker to worker after each item, and a slot that is
 * given back for each, cost more than the item where that takes less than a
 * microsecond. There the source fills several slots in one turn, and the worker
 * runs the items one after the other and gives their slots back together.
 *
 * Nothing is hidden from the other workers. The items of a turn are a chain
 * behind the first, whose task is ready like any other's, also while the source
 * is called for the next: it may block. Who takes the first makes the rest
 * ready before it runs it:
 *
 *     deque of who fills   [1 2 3]   the source is called for 4
 *                          [source]  runs 1, with 2 3 4 behind it
 *                          [source] [2 3 4]    while 1 runs
 *
 * So a thief finds the source, or what is left of the chain. While all is quick
 * the chain goes from stage to stage as a pack: pack.c. Slots that have been
 * passed through are given back when the worker has run its items, leaves them,
 * or sleeps in one: they are no more than MOST_BURST, and of all workers
 * together at most half of the slots.
 *
 * A worker that is alone has no need of it, and there the source is called only
 * when nothing else can go on.
 *
 * Where a worker is held up by an item, the others may be busy with items that
 * they fill themselves. So now and then one of them takes what is behind that
 * item before it has its turn.
 *
 * How many: as long as the source is quick, and if the worker's last items
 * were. Each worker looks at the clock only around what it runs in one go. */
#include "graph/pause.h"
#include "graph/pipeline.h"

/* Every so many turns what others have left comes first. */
enum { FAIR_TURN = 16 };

/* Of wf_ticks, which are a nanosecond or less. */
enum { QUICK = 4000 };

unsigned wf_burst_most(const struct stage_run *sr)
{
    const struct stage *stage = sr->stage;
    const struct pipeline_plan *plan = sr->run->plan;
    unsigned slots = plan->segments[stage->segment].items.slots;
    unsigned workers = sr->run->workers, share = slots / 2 / workers;

    if (stage->kind != SOURCE || stage->where != WEFT_CPU || stage->fed ||
        stage->deadline_ms || stage->cancel || plan->config.hook ||
        plan->budgeted || stage->next == NOWHERE || workers == 1 || !share)
        return 1;
    return share < MOST_BURST ? share : MOST_BURST;
}

static struct hand *hand_of(weft_worker *self, const struct slot *slot)
{
    return &slot->run->hands[weft_worker_index(self)];
}

/* ---- the source's turn ------------------------------------------------- */

/* A chain of items that this worker has filled. */
struct chain {
    struct slot *first, *last;
};

static void append(struct chain *chain, struct slot *slot)
{
    slot->behind = NULL;
    slot->fresh = true;
    if (chain->first)
        chain->last->behind = slot;
    else
        chain->first = slot;
    chain->last = slot;
}

/* Calls the source; meanwhile whoever likes may have what it has filled. What
 * somebody had is no chain any more, also if it is ready here again. */
static int call(weft_worker *self, struct slot *slot, struct chain *chain)
{
    const struct stage_run *sr = stage_of(slot);
    struct slot *first = chain->first;

    if (load_relaxed(&slot->run->draining))
        return WEFT_END;
    if (first)
        wf_push(self, &first->task);
    int rc = sr->stage->array ? wf_source_array(slot)
                              : sr->stage->fn(self, slot->item, sr->stage->ctx);
    if (!first)
        return rc;
    bool is_back = wf_take_back(self, &first->task);
    if (is_back && first->fresh)
        return rc;
    if (is_back)
        wf_push(self, &first->task);
    *chain = (struct chain){ 0 };
    return rc;
}

static void begin(struct slot *slot, unsigned source)
{
    slot->stage = source;
    slot->attempt = 1;
    slot->told = false;
    slot->task.run = wf_flow_step;
    slot->arrived = slot->began = ticks_of(slot);
    wf_attempt_open(slot);
}

/* The source has filled the slot, and another one is in its hand. */
static void fed(weft_worker *self, struct slot *slot, struct chain *chain)
{
    struct stage_counts *c = counts_at(slot, self);
    uint64_t now = ticks_of(slot);

    count(&c->in, 1);
    count_past(&c->done, 1);
    if (slot->weight) {
        count_time(&c->run, slot, slot->began, now);
        wf_histogram_add(&c->latency, since(slot->began, now), slot->weight);
    }
    slot->stage = stage_of(slot)->stage->next;
    slot->arrived = slot->entered = slot->ready = now;
    note_time(segment_of(slot), slot, now);
    wf_segment_feed_ahead(segment_of(slot), slot);
    append(chain, slot);
}

/* Slots that the source has not filled. */
static void give_back(weft_worker *self, struct slot *of,
                      struct task_list *rest)
{
    if (rest->first)
        wf_feed_news(of->run, self, of->segment,
                     wf_segment_return(segment_of(of), rest));
}

/* The last of the turn, like any that is filled alone; the chain goes first. */
static struct task *filled(weft_worker *self, struct slot *slot,
                           struct chain *chain)
{
    struct stage_counts *c = counts_at(slot, self);
    uint64_t now = ticks_of(slot);

    count_time(&c->run, slot, slot->began, now);
    struct task *task = wf_source_filled(self, slot, 0, now);
    append(chain, slot);
    return chain->first == slot ? task : &chain->first->task;
}

struct task *wf_burst_fill(weft_worker *self, struct slot *slot)
{
    unsigned source = slot->stage;
    uint64_t end = wf_ticks() + QUICK;
    struct task_list hand =
        wf_segment_take_more(segment_of(slot), slot, stage_of(slot)->burst - 1);
    struct chain chain = { 0 };

    for (;;) {
        begin(slot, source);
        int rc = call(self, slot, &chain);
        if (rc || !wf_attempt_close(slot)) {
            give_back(self, slot, &hand);
            if (chain.first)
                wf_push(self, &chain.first->task);
            return wf_attempt_returned(self, slot, rc);
        }
        if (!hand.first || wf_ticks() > end)
            break;
        fed(self, slot, &chain);
        wf_count_steps(self, 1);
        slot = slot_of_task(task_list_take(&hand));
    }
    give_back(self, slot, &hand);
    return filled(self, slot, &chain);
}

bool wf_burst_may_fill(weft_worker *self, const struct slot *slot)
{
    return stage_of(slot)->burst > 1 && hand_of(self, slot)->quick &&
           !wf_takes_turns(self);
}

struct task *wf_burst_older(weft_worker *self, const struct slot *slot)
{
    if (stage_of(slot)->burst == 1 || ++hand_of(self, slot)->turns % FAIR_TURN)
        return NULL;
    struct task *older = wf_take_elsewhere(self);
    if (!older || !wf_pack_is_quick(older))
        return older;
    wf_push(self, older);
    return NULL;
}

/* ---- the items --------------------------------------------------------- */

/* As far as it goes at once: what the worker goes on with, or NULL: it waits,
 * or is past the last stage, and spent. */
static struct task *run_one(weft_worker *self, struct slot *slot,
                            struct task_list *spent)
{
    if (slot->stage == NOWHERE && wf_flow_spend(slot, spent))
        return NULL;
    for (;; wf_follow(self, true)) {
        struct task *next = wf_flow_door(self, slot);
        if (next != &slot->task || place_of(slot) != AT_DOOR ||
            !wf_steps_left(self))
            return next;
        wf_count_steps(self, 1); /* as if the worker had run it */
        if (slot->stage == NOWHERE && wf_flow_spend(slot, spent))
            return NULL;
    }
}

/* Slots that this thread has not given back yet. */
struct spent {
    struct pause pause; /* gives them back */
    struct task_list slots;
};

/* While a slot is spent, or an item runs, the run is there. */
static void give_spent(weft_worker *self, struct task_list *spent,
                       uint64_t ticks, unsigned items)
{
    struct slot *slot = slot_of_task(spent->first);
    struct pipeline_run *run = slot->run;
    unsigned segment = slot->segment;

    hand_of(self, slot)->quick = ticks < (uint64_t)QUICK * items;
    wf_feed_news(run, self, segment,
                 wf_segment_release(&run->segments[segment], spent));
}

static void give_back_early(weft_worker *self, struct pause *pause)
{
    struct spent *spent = (struct spent *)pause; /* its first member */

    if (spent->slots.first)
        give_spent(self, &spent->slots, QUICK, 1);
}

static bool may_burst(const struct slot *slot)
{
    const struct pipeline_run *run = slot->run;

    return run->stages[run->plan->segments[slot->segment].feeder].burst > 1;
}

/* What was behind an item, made ready while that runs, is to run here now.
 * Another worker may have had it, and made it ready here: then it is where that
 * left it. */
static bool is_next(weft_worker *self, struct slot *rest, struct task **next)
{
    if (!rest || !wf_take_back(self, &rest->task))
        return false;
    if (place_of(rest) == AT_DOOR)
        return true;
    *next = &rest->task;
    return false;
}

struct task *wf_burst_run(weft_worker *self, struct slot *slot)
{
    if ((slot->stage == NOWHERE && !slot->behind) || !may_burst(slot))
        return wf_flow_door(self, slot);
    struct spent spent = { .pause = { give_back_early } };
    struct pause *outer = wf_pause_here;
    uint64_t start = wf_ticks();
    unsigned items = 0;
    struct task *next;

    wf_pause_here = &spent.pause;
    for (struct slot *rest;; slot = rest) {
        slot->fresh = false;
        if (wf_pack_goes(self, slot, &spent.slots, &items, &next))
            break;
        rest = slot->behind;
        slot->behind = NULL;
        if (rest)
            wf_push(self, &rest->task);
        if (rest || items)
            wf_follow(self, false);
        wf_count_steps(self, items++ > 0);
        next = run_one(self, slot, &spent.slots);
        if (next || !is_next(self, rest, &next))
            break;
    }
    wf_pause_here = outer;
    if (spent.slots.first)
        give_spent(self, &spent.slots, wf_ticks() - start, items);
    return next;
}
