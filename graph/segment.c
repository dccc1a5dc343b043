/* segment.c: the slots of a segment, and the account of what became of its
 * items.
 *
 * An item is fed, lives in its slot, leaves as exactly one outcome, and the
 * slot is free again. All that is counted changes under one lock, in the step
 * that also moves the slot, so the account balances at every instant:
 *
 *     fed = delivered + filtered + failed + cancelled + in flight
 *
 * where `in flight` is not computed from the others but is what the slots say:
 * all, less the free ones, less the one in the feeder's hand.
 *
 * A slot that is released goes to the feeder directly if that one is hungry:
 * the feeder is woken once per slot, and never for nothing. No callback is
 * called under the lock. */
#include "graph/segment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/wait.h"

static int make_slots(struct segment *s, struct pipeline_run *run,
                      unsigned number)
{
    const size_t align = 64;
    size_t bytes = sizeof(struct slot) + s->items.bytes;
    unsigned slots = s->items.slots;

    s->stride = (bytes + align - 1) / align * align;
    if (s->stride < s->items.bytes || SIZE_MAX / slots < s->stride ||
        posix_memalign((void **)&s->memory, align, slots * s->stride))
        return -ENOMEM;
    memset(s->memory, 0, slots * s->stride);
    for (unsigned i = 0; i < slots; i++) {
        struct slot *slot = (struct slot *)(s->memory + i * s->stride);
        slot->run = run;
        slot->segment = number;
        task_list_add(&s->free, &slot->task);
    }
    return 0;
}

int wf_segment_init(struct segment *s, const struct weft_items *items,
                    struct pipeline_run *run, unsigned number, bool ordered)
{
    uint64_t places = 1;

    *s = (struct segment){ .items = *items };
    atomic_init(&s->cancel_from, UINT64_MAX);
    pthread_mutex_init(&s->lock, NULL);
    s->flow.slots = items->slots;
    while (places < items->slots)
        places *= 2;
    s->out.mask = places - 1;
    if (ordered && !(s->out.early = calloc(places, sizeof *s->out.early)))
        return -ENOMEM;
    return make_slots(s, run, number);
}

void wf_segment_finish(struct segment *s)
{
    const struct weft_items *items = &s->items;

    for (unsigned i = 0; s->memory && items->finish && i < items->slots; i++) {
        struct slot *slot = (struct slot *)(s->memory + i * s->stride);
        items->finish(slot->item, items->ctx);
    }
    free(s->memory);
    free(s->out.early);
    pthread_mutex_destroy(&s->lock);
}

/* The feeder's next slot: the item in it will be the next one that is fed. */
static struct slot *take_free(struct segment *s)
{
    struct task *task = task_list_take(&s->free);

    s->in_hand = task != NULL;
    s->hungry = !task;
    if (!task)
        return NULL;
    struct slot *slot = slot_of_task(task);
    slot->number = s->flow.fed;
    return slot;
}

/* Newest first: what it has in the cache is used again. */
static void add_free(struct segment *s, struct slot *slot)
{
    struct task_list list = { 0 };

    task_list_add(&list, &slot->task);
    task_list_join(&list, &s->free);
    s->free = list;
}

struct slot *wf_segment_first(struct segment *s)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = take_free(s);
    pthread_mutex_unlock(&s->lock);
    return slot;
}

/* Under the lock. */
static void account_for(struct segment *s, struct slot *filled)
{
    s->flow.fed++;
    filled->outcome = GOOD;
    filled->place = AT_DOOR;
    atomic_init(&filled->refs, 1);
}

struct slot *wf_segment_feed(struct segment *s, struct slot *filled)
{
    pthread_mutex_lock(&s->lock);
    account_for(s, filled);
    struct slot *next = take_free(s);
    pthread_mutex_unlock(&s->lock);
    return next;
}

/* Under the lock. */
static bool empty(const struct segment *s)
{
    return s->free.count == s->items.slots;
}

/* Under the lock: the consumer will get nothing any more. */
static bool dry(const struct segment *s)
{
    return s->ended && s->free.count + s->out.borrowed == s->items.slots;
}

/* Ends the locked part. The consumers are woken after it, by the address alone:
 * the segment may be gone by then. */
static void unlock_and_wake(struct segment *s, bool changed)
{
    bool wake = changed && s->out.takers;

    if (changed)
        add_relaxed(&s->out.changed, 1);
    pthread_mutex_unlock(&s->lock);
    if (wake)
        wf_wake_all(&s->out.changed);
}

struct segment_news wf_segment_end(struct segment *s, struct slot *last,
                                   bool filled)
{
    struct segment_news news = { 0 };

    pthread_mutex_lock(&s->lock);
    if (filled)
        account_for(s, last);
    else
        add_free(s, last);
    s->ended = true;
    s->in_hand = false;
    news.over = empty(s);
    unlock_and_wake(s, dry(s));
    return news;
}

struct segment_news wf_segment_release(struct segment *s, struct slot *slot)
{
    struct segment_news news = { 0 };

    if (s->items.reset)
        s->items.reset(slot->item, s->items.ctx);

    pthread_mutex_lock(&s->lock);
    switch (slot->outcome) {
    case GOOD:
        s->flow.delivered++;
        break;
    case FILTERED:
        s->flow.filtered++;
        break;
    case FAILED:
        s->flow.failed++;
        break;
    case CANCELLED:
        s->flow.cancelled++;
        break;
    }
    if (slot->place == BORROWED)
        s->out.borrowed--;
    add_free(s, slot);
    if (s->hungry)
        news.slot = take_free(s);
    else
        news.over = s->ended && empty(s);
    unlock_and_wake(s, dry(s));
    return news;
}

/* Under the lock. */
static void let_out(struct segment *s, struct slot *slot,
                    struct task_list *refused)
{
    if (slot->outcome == GOOD && wf_segment_cancelled(s, 0))
        slot->outcome = CANCELLED;
    task_list_add(slot->outcome == GOOD ? &s->out.list : refused, &slot->task);
}

struct task_list wf_segment_offer(struct segment *s, struct slot *slot)
{
    struct task_list refused = { 0 };
    struct outlet *o = &s->out;

    pthread_mutex_lock(&s->lock);
    if (!o->early) {
        let_out(s, slot, &refused);
    } else {
        o->early[slot->number & o->mask] = slot;
        for (struct slot *next; (next = o->early[o->next & o->mask]);) {
            o->early[o->next++ & o->mask] = NULL;
            let_out(s, next, &refused);
        }
    }
    unlock_and_wake(s, o->list.first);
    return refused;
}

/* Under the lock, which it leaves for the time of the sleep. */
static void sleep_for_change(struct segment *s, int64_t timeout_ns)
{
    uint32_t seen = load_relaxed(&s->out.changed);

    s->out.takers++;
    pthread_mutex_unlock(&s->lock);
    wf_sleep_while(&s->out.changed, seen, timeout_ns);
    pthread_mutex_lock(&s->lock);
    s->out.takers--;
}

struct slot *wf_segment_take_out(struct segment *s, uint64_t deadline,
                                 bool *is_dry)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&s->lock);
    for (int64_t left;
         !s->out.list.first && !dry(s) && (left = deadline_left(deadline));)
        sleep_for_change(s, left);
    struct task *task = task_list_take(&s->out.list);
    if (task) {
        slot = slot_of_task(task);
        slot->place = BORROWED;
        s->out.borrowed++;
    }
    *is_dry = dry(s);
    /* Who takes the last item tells those who wait for another one. */
    unlock_and_wake(s, *is_dry);
    return slot;
}

struct task_list wf_segment_cancel(struct segment *s, uint64_t number)
{
    struct task_list out = { 0 };
    uint64_t from = load_relaxed(&s->cancel_from);

    while (number < from && !cas_relaxed(&s->cancel_from, &from, number))
        ;
    if (number > 0)
        return out;
    /* Under the lock: whoever offers an item after this sees the number. */
    pthread_mutex_lock(&s->lock);
    task_list_join(&out, &s->out.list);
    for (struct task *task = out.first; task; task = task->next)
        slot_of_task(task)->outcome = CANCELLED;
    pthread_mutex_unlock(&s->lock);
    return out;
}

bool wf_segment_cancelled(struct segment *s, uint64_t number)
{
    return number >= load_relaxed(&s->cancel_from);
}

void wf_segment_flow(struct segment *s, struct weft_flow *out)
{
    pthread_mutex_lock(&s->lock);
    *out = s->flow;
    out->in_flight = s->items.slots - s->free.count - (s->in_hand ? 1 : 0);
    pthread_mutex_unlock(&s->lock);
}
