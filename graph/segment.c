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
 * all, less the free ones, less those in the feeder's hand, less the markers.
 * Debug builds look after every change: R21.
 *
 * A slot that is released goes to the feeder directly if that one is hungry:
 * the feeder is woken once per slot, and never for nothing. No callback is
 * called under the lock.
 *
 *  [A] A feeder that feeds many takes as many slots, with their numbers, under
 *      the lock, and then only says, for each, that it has fed so many `ahead`:
 * the item is in the account, and no longer in the feeder's hand, from that
 * store on. Who has the lock reads it once, so both of its sides are of one
 * instant; and it has been read, acquire, by whoever sees the item leave, for
 * the item was made ready after the store. The feeder's next step under the
 * lock moves it into the account.
 *
 * The gate. At the end of a segment nothing passes before all of the epochs
 * before it has. So what has passed is a prefix of the tickets but for those of
 * one epoch, and the marker that ends it may pass when as many have passed as
 * its own ticket says: no count per epoch. Who comes too early is held. */
#include "graph/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/claim.h"
#include "graph/times.h"
#include "graph/wait.h"
#include "sched/lock.h"

static struct slot *slot_at(const struct segment *s, unsigned i)
{
    return (struct slot *)(s->memory + i * s->stride);
}

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
        struct slot *slot = slot_at(s, i);
        slot->run = run;
        slot->segment = number;
        atomic_init(&slot->ends, NO_ATTEMPT);
        vacant_add(&s->free, &slot->task);
    }
    return 0;
}

int wf_segment_init(struct segment *s, const struct weft_items *items,
                    struct pipeline_run *run, unsigned number, bool ordered)
{
    *s = (struct segment){ .items = *items };
    atomic_init(&s->cancel_from, UINT64_MAX);
    wf_lock_init(&s->lock);
    s->flow.slots = items->slots;
    int rc = wf_outlet_init(&s->out, items->slots, ordered);
    return rc ? rc : make_slots(s, run, number);
}

void wf_segment_finish(struct segment *s)
{
    const struct weft_items *items = &s->items;

    for (unsigned i = 0; s->memory && items->finish && i < items->slots; i++)
        items->finish(slot_at(s, i)->item, items->ctx);
    free(s->memory);
    wf_outlet_finish(&s->out);
    pthread_mutex_destroy(&s->lock);
}

/* Under the lock. */
static struct slot *take_free(struct segment *s)
{
    unsigned near;
    struct task *task = vacant_take(&s->free, &near);

    s->hungry = !task;
    if (!task) {
        want(s->times, &s->blocked);
        return NULL;
    }
    s->in_hand++;
    struct slot *slot = slot_of_task(task);
    slot->near = near;
    slot->number = s->flow.fed; /* if it is filled */
    slot->epoch = s->epoch;
    slot->weight = sample_next(&s->sample);
    put_at(slot, IN_HAND);
    return slot;
}

static void add_free(struct segment *s, struct slot *slot)
{
    put_at(slot, FREE);
    if (!s->unpaid)
        got(&s->blocked);
    vacant_add(&s->free, &slot->task);
}

/* Under the lock. */
static bool empty(const struct segment *s)
{
    return s->free.count == s->items.slots;
}

struct slot *wf_segment_take(struct segment *s)
{
    pthread_mutex_lock(&s->lock);
    struct slot *slot = take_free(s);
    pthread_mutex_unlock(&s->lock);
    return slot;
}

struct slot *wf_segment_nearer(struct segment *s, struct slot *slot)
{
    unsigned here = vacant_group();
    struct slot *own = slot;

    if (slot->near == here)
        return slot;
    pthread_mutex_lock(&s->lock);
    if (s->free.some >> here & 1) {
        own = slot_of_task(vacant_take_from(&s->free, here));
        own->task.run = slot->task.run;
        own->near = here;
        own->stage = slot->stage;
        own->ready = slot->ready;
        own->number = slot->number;
        own->epoch = slot->epoch;
        own->weight = slot->weight;
        put_at(own, IN_HAND);
        put_at(slot, FREE);
        vacant_add_to(&s->free, &slot->task, slot->near);
    }
    pthread_mutex_unlock(&s->lock);
    return own;
}

void wf_segment_filling(struct segment *s, struct slot *slot)
{
    pthread_mutex_lock(&s->lock);
    s->filling = slot;
    pthread_mutex_unlock(&s->lock);
}

void wf_segment_hurry_source(struct segment *s, weft_sched *sched)
{
    pthread_mutex_lock(&s->lock);
    if (s->filling)
        wf_timer_hurry(sched, &s->filling->timer);
    pthread_mutex_unlock(&s->lock);
}

void wf_segment_sleep(struct segment *s, weft_sched *sched,
                      _Atomic uint32_t *word, unsigned *sleepers,
                      int64_t timeout_ns)
{
    uint32_t seen = load_relaxed(word);

    ++*sleepers;
    pthread_mutex_unlock(&s->lock);
    wf_wait_while(sched, word, seen, timeout_ns);
    pthread_mutex_lock(&s->lock);
    --*sleepers;
}

struct slot *wf_segment_reserve(struct segment *s, weft_sched *sched,
                                struct deadline *deadline, bool *ended)
{
    struct slot *slot = NULL;

    pthread_mutex_lock(&s->lock);
    if (!s->free.count && !s->ended)
        want(s->times, &s->blocked);
    for (int64_t left; !s->free.count && !s->ended &&
                       (left = deadline_left(sched, deadline));)
        wf_segment_sleep(s, sched, &s->freed, &s->reservers, left);
    *ended = s->ended;
    if (!s->ended && s->free.count) {
        slot = take_free(s);
        put_at(slot, RESERVED);
        if (!s->free.count && s->reservers)
            want(s->times, &s->blocked);
    }
    pthread_mutex_unlock(&s->lock);
    return slot;
}

/* The slot is filled with the item that comes `ahead` of those accounted for.
 */
static void number(struct segment *s, struct slot *filled, unsigned ahead)
{
    filled->number = s->flow.fed + ahead;
    filled->ticket[0] = s->tickets + ahead;
    filled->epoch = s->epoch;
    filled->outcome = GOOD;
    filled->marker = filled->passed = filled->moved = false;
    atomic_init(&filled->refs, 1);
}

/* Under the lock: what was fed ahead is in the account like the others. */
static void catch_up(struct segment *s)
{
    unsigned ahead = load_relaxed(&s->ahead);

    s->flow.fed += ahead;
    s->tickets += ahead;
    s->in_hand -= ahead;
    store_relaxed(&s->ahead, 0);
}

struct task_list wf_segment_take_more(struct segment *s, struct slot *first,
                                      unsigned most)
{
    struct task_list taken = { 0 };

    pthread_mutex_lock(&s->lock);
    catch_up(s);
    number(s, first, 0);
    while (taken.count < most && s->free.count) {
        struct slot *slot = take_free(s);
        task_list_add(&taken, &slot->task);
        number(s, slot, (unsigned)taken.count);
    }
    pthread_mutex_unlock(&s->lock);
    return taken;
}

void wf_segment_feed_ahead(struct segment *s, struct slot *filled)
{
    put_at(filled, AT_DOOR);
    store_release(&s->ahead, load_relaxed(&s->ahead) + 1); /* [A] */
}

/* Under the lock. */
static void account_for(struct segment *s, struct slot *filled, bool marker)
{
    catch_up(s);
    s->in_hand--;
    number(s, filled, 0);
    s->tickets++;
    if (marker) {
        s->markers++;
        s->epoch++;
        filled->outcome = MARKER;
        filled->marker = true;
    } else {
        s->flow.fed++;
    }
    if (s->budget)
        wf_budget_flows(s->budget, filled);
    put_at(filled, AT_DOOR);
}

/* Under the lock: the account as of now, or, where the feeder feeds ahead, of
 * an instant between: [A]. */
static struct weft_flow flow_of(const struct segment *s)
{
    struct weft_flow flow = s->flow;
    unsigned ahead = load_acquire(&s->ahead); /* [A] */

    flow.fed += ahead;
    flow.in_flight =
        s->items.slots - s->free.count - (s->in_hand - ahead) - s->markers;
    return flow;
}

bool wf_segment_balances(const struct segment *s)
{
    const struct weft_flow f = flow_of(s);

    return f.fed ==
           f.delivered + f.filtered + f.failed + f.cancelled + f.in_flight;
}

struct slot *wf_segment_feed(struct segment *s, struct slot *filled,
                             bool marker, bool wants_next)
{
    pthread_mutex_lock(&s->lock);
    account_for(s, filled, marker);
    struct slot *next = wants_next ? take_free(s) : NULL;
    assert(wf_segment_balances(s));
    pthread_mutex_unlock(&s->lock);
    return next;
}

/* Under the lock: a slot has become free. */
static void tell(struct segment *s, struct segment_news *news)
{
    if (s->hungry && !s->ended)
        news->slot = take_free(s);
    else
        news->over = s->ended && empty(s);
}

struct segment_news wf_segment_return(struct segment *s,
                                      struct task_list *slots)
{
    struct segment_news news = { 0 };

    pthread_mutex_lock(&s->lock);
    for (struct task *task; (task = task_list_take(slots)); s->in_hand--)
        add_free(s, slot_of_task(task));
    tell(s, &news);
    wf_segment_unlock(s, wf_segment_dry(s), true);
    return news;
}

/* Under the lock: the threads outside that wait for bytes do not get them any
 * more: [P] in supply.c. One that is told may be gone before it is woken. */
static void turn_away(struct segment *s)
{
    for (unsigned i = 0; i < s->items.slots; i++) {
        struct slot *slot = slot_at(s, i);
        if (place_of(slot) != WANTS_COST ||
            !wf_budget_withdraw(s->budget, slot))
            continue;
        store_release(&slot->refs, TOO_LATE); /* [P] */
        wf_wake_all(&slot->refs);
    }
}

/* Under the lock, which it leaves. */
static struct segment_news end_and_unlock(struct segment *s, struct slot *last)
{
    struct segment_news news = { 0 };

    catch_up(s);
    if (last) {
        add_free(s, last);
        s->in_hand--;
    }
    if (s->budget && !s->ended)
        turn_away(s);
    news.over = !s->ended && empty(s);
    s->ended = true;
    s->hungry = false;
    if (s->times && !s->ended_at)
        s->ended_at = wf_ticks();
    got(&s->blocked);
    wf_segment_unlock(s, wf_segment_dry(s), true);
    return news;
}

bool wf_segment_ended(struct segment *s)
{
    pthread_mutex_lock(&s->lock);
    bool ended = s->ended;
    pthread_mutex_unlock(&s->lock);
    return ended;
}

struct segment_news wf_segment_end(struct segment *s, struct slot *last)
{
    pthread_mutex_lock(&s->lock);
    return end_and_unlock(s, last);
}

struct segment_news wf_segment_end_hungry(struct segment *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->hungry)
        return end_and_unlock(s, NULL);
    pthread_mutex_unlock(&s->lock);
    return (struct segment_news){ 0 };
}

void wf_segment_pass(struct segment *s, struct slot *slot,
                     struct segment_news *news)
{
    if (slot->passed)
        return;
    slot->passed = true;
    s->passed++;
    if (slot->outcome == MARKER) {
        store_relaxed(&s->open, slot->epoch + 1);
        news->held = s->held;
        s->held = (struct task_list){ 0 };
    }
    if (s->marker && s->passed == s->marker->ticket[0]) {
        news->marker = s->marker;
        s->marker = NULL;
    }
}

bool wf_segment_pass_gate(struct segment *s, struct slot *slot)
{
    bool marker = slot->outcome == MARKER;

    if (!marker && load_relaxed(&s->open) == slot->epoch)
        return true;
    pthread_mutex_lock(&s->lock);
    bool passes = load_relaxed(&s->open) == slot->epoch &&
                  (!marker || s->passed == slot->ticket[0]);
    if (!passes) {
        put_at(slot, AT_GATE);
        if (marker && load_relaxed(&s->open) == slot->epoch)
            s->marker = slot;
        else
            task_list_add(&s->held, &slot->task);
    }
    pthread_mutex_unlock(&s->lock);
    return passes;
}

/* Under the lock. */
static void settle(struct segment *s, const struct slot *slot)
{
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
    case MARKER:
        s->markers--;
        break;
    }
}

void wf_segment_reset(struct segment *s, struct slot *slot)
{
    if (s->items.reset && slot->outcome != MARKER && !slot->moved)
        s->items.reset(slot->item, s->items.ctx);
}

/* Under the lock. */
static void release(struct segment *s, struct slot *slot,
                    struct segment_news *news)
{
    settle(s, slot);
    wf_segment_pass(s, slot, news);
    if (place_of(slot) == RELEASED) {
        s->out.borrowed--;
        count_duration(&s->out.held, slot, slot->arrived,
                       slot->arrived ? ticks_of(slot) : 0);
    }
    sample_left(&s->sample);
    add_free(s, slot);
}

struct segment_news wf_segment_release(struct segment *s,
                                       struct task_list *slots)
{
    struct segment_news news = { 0 };

    pthread_mutex_lock(&s->lock);
    for (struct task *task; (task = task_list_take(slots));)
        release(s, slot_of_task(task), &news);
    tell(s, &news);
    wf_segment_unlock(s, wf_segment_dry(s), true);
    return news;
}

/* Under the lock: what the slot waits for outside of its run comes now. */
static void hurry(struct segment *s, weft_sched *sched, unsigned i)
{
    wf_timer_hurry(sched, &slot_at(s, i)->timer);
    if (s->claims)
        wf_claim_hurry(&s->claims[i]);
}

struct task_list wf_segment_cancel(struct segment *s, weft_sched *sched,
                                   uint64_t ticket)
{
    struct task_list out = { 0 };
    uint64_t from = load_relaxed(&s->cancel_from);

    while (ticket < from && !cas_relaxed(&s->cancel_from, &from, ticket))
        ;
    pthread_mutex_lock(&s->lock);
    for (unsigned i = 0; i < s->items.slots; i++) {
        struct slot *slot = slot_at(s, i);
        if (place_of(slot) != FREE &&
            (ticket == 0 || slot->ticket[0] >= ticket))
            hurry(s, sched, i);
    }
    /* Whoever offers an item after this sees the ticket: it has the lock. */
    if (ticket == 0) {
        task_list_join(&out, &s->out.list);
        s->out.marks = 0;
        for (struct task *task = out.first; task; task = task->next)
            if (slot_of_task(task)->outcome == GOOD)
                slot_of_task(task)->outcome = CANCELLED;
    }
    wf_segment_unlock(s, wf_segment_dry(s), false);
    return out;
}

bool wf_segment_cancelled(struct segment *s, uint64_t ticket)
{
    return ticket >= load_relaxed(&s->cancel_from);
}

void wf_segment_flow(struct segment *s, struct weft_flow *out)
{
    pthread_mutex_lock(&s->lock);
    *out = flow_of(s);
    pthread_mutex_unlock(&s->lock);
}

void wf_segment_block(struct segment *s, bool blocked)
{
    pthread_mutex_lock(&s->lock);
    s->unpaid += blocked ? 1 : -1;
    if (s->unpaid)
        want(s->times, &s->blocked);
    else
        got(&s->blocked);
    pthread_mutex_unlock(&s->lock);
}

uint64_t wf_segment_blocked(struct segment *s)
{
    pthread_mutex_lock(&s->lock);
    uint64_t ticks = wanted(&s->blocked);
    pthread_mutex_unlock(&s->lock);
    return ticks;
}

uint64_t wf_segment_open(struct segment *s, uint64_t start)
{
    pthread_mutex_lock(&s->lock);
    uint64_t end = s->ended_at ? s->ended_at : wf_ticks();
    uint64_t open = since(wanted(&s->blocked), since(start, end));
    pthread_mutex_unlock(&s->lock);
    return open;
}
