/* look.c: where each item of a run is, and what it waits for, at a moment.
 *
 * It looks at each list under that list's lock, and at the slots of a segment
 * under the segment's; never under two of them, but for the routers, whose
 * locks are taken inside of the segment's: the numbers of an item in the paths
 * are written under those. Nothing that runs takes a segment's lock while it
 * has a router's. What an item's task alone knows is not looked at: where it
 * is, it has published in one word.
 *
 * So nobody is stopped for longer than it takes to copy, and what is seen of
 * items that move meanwhile may not fit together; of one that waits, it does.
 */
#include "graph/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct slot *slot_at(const struct segment *s, unsigned i)
{
    return (const struct slot *)(s->memory + i * s->stride);
}

static struct seen *seen_of(struct look *l, const struct slot *slot)
{
    const struct segment *s = &l->run->segments[slot->segment];
    size_t i = (size_t)((const char *)slot - s->memory) / s->stride;

    return &l->segments[slot->segment].slots[i];
}

static struct seen *seen_task(struct look *l, struct task *task)
{
    return seen_of(l, slot_of_task(task));
}

/* ---- segments ---------------------------------------------------------- */

static void lock_routers(struct look *l, unsigned segment, bool locked)
{
    const struct pipeline_plan *plan = l->run->plan;

    for (unsigned i = 0; i < plan->stage_count; i++) {
        pthread_mutex_t *lock = &l->run->stages[i].router.lock;
        if (plan->stages[i].kind != FORK || plan->stages[i].segment != segment)
            continue;
        if (locked)
            pthread_mutex_lock(lock);
        else
            pthread_mutex_unlock(lock);
    }
}

/* Under all those locks. */
static void look_at_slot(const struct segment *s, const struct slot *slot,
                         struct seen *seen)
{
    const struct outlet *o = &s->out;
    uint64_t at = load_relaxed(&slot->at);

    *seen = (struct seen){
        .place = (enum place)(at & 0xff),
        .segment = slot->segment,
        .stage = (unsigned)(at >> 32),
        .attempt = (unsigned)(at >> 8) & 0xffffff,
        .number = slot->number,
        .epoch = slot->epoch,
        .lately = load_relaxed(&slot->lately),
        .marker = slot->marker,
        .lane = NOWHERE,
        .attempted = wf_attempt_look(slot),
    };
    memcpy(seen->ticket, slot->ticket, sizeof seen->ticket);
    seen->early = o->early && o->early[slot->ticket[0] & o->mask] == slot;
}

static void look_at_segment(struct look *l, unsigned number)
{
    struct segment *s = &l->run->segments[number];
    struct segment_seen *seen = &l->segments[number];

    pthread_mutex_lock(&s->lock);
    lock_routers(l, number, true);
    for (unsigned i = 0; i < s->items.slots; i++) {
        look_at_slot(s, slot_at(s, i), &seen->slots[i]);
        seen->reserved += seen->slots[i].place == RESERVED;
    }
    lock_routers(l, number, false);
    seen->count = s->items.slots;
    seen->free = s->free.count;
    seen->hungry = s->hungry;
    seen->ended = s->ended;
    seen->reservers = s->reservers;
    seen->out_next = s->out.next;
    pthread_mutex_unlock(&s->lock);
}

/* ---- lists ------------------------------------------------------------- */

static void note_queue(struct look *l, const struct task_list *list,
                       const struct task *but, unsigned lane)
{
    for (struct task *task = list->first; task; task = task->next) {
        if (task == but)
            continue;
        seen_task(l, task)->queued = true;
        seen_task(l, task)->lane = lane;
    }
}

static void look_at_tokens(struct look *l, struct stage_run *sr)
{
    pthread_mutex_lock(&sr->limit.lock);
    note_queue(l, &sr->limit.waiting, &sr->end, NOWHERE);
    pthread_mutex_unlock(&sr->limit.lock);
}

static void look_at_router(struct look *l, struct router *r)
{
    pthread_mutex_lock(&r->lock);
    note_queue(l, &r->undecided, NULL, NOWHERE);
    for (unsigned i = 0; i < r->count; i++)
        note_queue(l, &r->paths[i].waiting, NULL, i);
    pthread_mutex_unlock(&r->lock);
}

static void look_at_merge(struct look *l, struct merge *m)
{
    pthread_mutex_lock(&m->lock);
    for (unsigned i = 0; i < m->count; i++)
        note_queue(l, &m->inputs[i].waiting, NULL, i);
    pthread_mutex_unlock(&m->lock);
}

/* Under the budget's lock. */
static void note_bytes(struct look *l, const struct slot *slot)
{
    struct seen *seen = seen_of(l, slot);

    seen->bytes = slot->bytes;
    seen->wants = slot->wants > slot->bytes ? slot->wants - slot->bytes : 0;
    seen->first = slot->exceeds || slot == slot->run->budget.next;
}

static void look_at_budget(struct look *l)
{
    struct budget *b = &l->run->budget;

    pthread_mutex_lock(&b->lock);
    note_queue(l, &b->waiting, NULL, NOWHERE);
    note_queue(l, &b->border, NULL, NOWHERE);
    for (unsigned i = 0; i < b->segments; i++)
        for (struct slot *s = b->shares[i].oldest; s; s = s->newer)
            note_bytes(l, s);
    for (struct task *task = b->waiting.first; task; task = task->next)
        note_bytes(l, slot_of_task(task));
    pthread_mutex_unlock(&b->lock);
}

/* ---- limits ------------------------------------------------------------ */

/* The queue of one limit, as seen from one stage. */
struct queue {
    struct look *look;
    unsigned stage, use; /* which of the stage's limits this is */
    unsigned before;
};

static void note_claim(void *ctx, const struct claim_use *waiting)
{
    struct queue *q = ctx;
    const struct pipeline_run *run = q->look->run;
    unsigned before = q->before++;

    for (unsigned i = 0, first = 0; i < run->plan->segment_count; i++) {
        const struct segment_seen *s = &q->look->segments[i];
        const char *mine = (const char *)(run->claims + first);
        size_t slot = (size_t)((const char *)waiting - mine) /
                      sizeof(struct claim); /* far beyond, if it is before */
        first += s->count;
        if (slot >= s->count)
            continue;
        struct seen *seen = &s->slots[slot];
        if (seen->stage != q->stage || seen->place != WANTS_TOKEN)
            return;
        seen->queued = true;
        if (!waiting->met)
            seen->lacks[q->use] = (struct lack){ waiting->tokens, before };
    }
}

static void look_at_limits(struct look *l, unsigned stage)
{
    struct stage_run *sr = &l->run->stages[stage];

    for (unsigned i = 0; i <= sr->stage->use_count; i++) {
        struct queue q = { .look = l, .stage = stage, .use = i };
        wf_limit_look(sr->uses[i].limit, note_claim, &q);
    }
}

/* ---- all --------------------------------------------------------------- */

static void look_at_stage(struct look *l, unsigned i)
{
    struct stage_run *sr = &l->run->stages[i];

    if (sr->stage->use_count)
        look_at_limits(l, i);
    else
        look_at_tokens(l, sr);
    if (sr->stage->kind == FORK)
        look_at_router(l, &sr->router);
    if (sr->stage->kind == MERGE)
        look_at_merge(l, &sr->merge);
}

int wf_look(struct look *l, struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run->plan;
    size_t slots = 0;

    for (unsigned i = 0; i < plan->segment_count; i++)
        slots += plan->segments[i].items.slots;
    *l = (struct look){
        .run = run,
        .slots = calloc(slots, sizeof *l->slots),
        .segments = calloc(plan->segment_count, sizeof *l->segments),
        .ns_per_tick = wf_pipeline_ns_per_tick(run),
    };
    if (!l->slots || !l->segments) {
        wf_look_finish(l);
        return -ENOMEM;
    }
    struct seen *next = l->slots;
    for (unsigned i = 0; i < plan->segment_count; i++) {
        l->segments[i].slots = next;
        l->segments[i].count = plan->segments[i].items.slots;
        next += l->segments[i].count;
    }
    for (unsigned i = 0; i < plan->segment_count; i++)
        look_at_segment(l, i);
    for (unsigned i = 0; i < plan->stage_count; i++)
        look_at_stage(l, i);
    look_at_budget(l);
    l->now = wf_ticks();
    return 0;
}

void wf_look_finish(struct look *l)
{
    free(l->slots);
    free(l->segments);
}
