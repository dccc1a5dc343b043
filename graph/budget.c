/* budget.c: the bytes that the items of a run may hold.
 *
 * An item asks before it grows. It gets the bytes if they are there and nobody
 * has asked before it; else it waits in a list, oldest request first. A slot
 * flows from when it is filled; before that it is in its feeder's hand, where
 * it may ask for what an item costs at least.
 *
 *  [O] The first of a segment gets them though they are not there: the oldest
 *      that flows; and for a slot in hand, the only one that holds any. Were
 *      that one to wait, then for items behind it, which may themselves wait
 *      for their turn behind it, or for the batch that it is: nothing would
 *      move. It waits for nothing that a younger item of its segment holds, so
 *      it leaves in the end, and the next one is the first. While more is in
 *      use than there is, nobody else gets anything. An item that is larger
 *      than the budget waits until it is the first.
 *
 *      What an item may hold while it asks is its place in a path of a router.
 *      So where stages in the paths take bytes, items enter the paths in their
 *      order, as they do for ordered stages: no younger one keeps it out.
 *
 *  [B] But where more is in use than there is, and something flows behind its
 *      segment, the first waits as well: what flows there waits for nothing
 *      that comes after it, so it leaves. Else one item after the other could
 *      get more than there is, and take it along into the next segment, or to
 *      the consumer.
 *
 *      So what is in use is never more than the budget and one item; where
 *      several segments ask for more than they cost, one item of each.
 *
 *  [L] The least. What an item of a segment costs is foreseen: as much is kept
 *      free for each segment while it does not hold it, as far as the budget
 *      goes. So a batch does not wait for the items that wait for the batch,
 *      and nobody needs more than there is for it.
 *
 * The order of the locks: a segment, the budget. Nothing is called under it. */
#include "graph/budget.h"

#include <errno.h>
#include <stdlib.h>

/* More than any machine has, and so little that sums are right. */
#define MOST_BYTES ((uint64_t)1 << 56)

int wf_budget_init(struct budget *b, uint64_t bytes, unsigned segments)
{
    if (bytes > 16 * MOST_BYTES)
        bytes = 16 * MOST_BYTES;
    *b = (struct budget){ .bytes = bytes, .segments = segments };
    pthread_mutex_init(&b->lock, NULL);
    b->shares = calloc(segments, sizeof *b->shares);
    for (unsigned i = 0; b->shares && i < segments; i++)
        b->shares[i].into = NOWHERE;
    return b->shares ? 0 : -ENOMEM;
}

void wf_budget_finish(struct budget *b)
{
    pthread_mutex_destroy(&b->lock);
    free(b->shares);
}

void wf_budget_share(struct budget *b, unsigned segment, unsigned into,
                     uint64_t cost)
{
    b->shares[segment].into = into;
    if (cost > b->bytes - b->kept)
        return;
    b->shares[segment].least = cost; /* [L] */
    b->kept += cost;
}

/* Under the lock, like all that follows. */
static struct share *share_of(const struct budget *b, const struct slot *slot)
{
    return &b->shares[slot->segment];
}

/* Of the least of a segment, what it does not hold. */
static uint64_t kept_for(const struct share *s)
{
    return s->least > s->held ? s->least - s->held : 0;
}

/* Sets what the slot holds. */
static void hold(struct budget *b, struct slot *slot, uint64_t bytes)
{
    struct share *s = share_of(b, slot);

    b->used += bytes - slot->bytes;
    b->kept -= kept_for(s);
    s->held += bytes - slot->bytes;
    b->kept += kept_for(s);
    if (slot->flows)
        s->flowing += bytes - slot->bytes;
    slot->bytes = bytes;
    if (b->used > b->peak)
        b->peak = b->used;
}

static bool is_over(const struct budget *b)
{
    return b->used > b->bytes || b->kept > b->bytes - b->used;
}

/* So many more for the slot are there. */
static bool fits(const struct budget *b, const struct slot *slot, uint64_t more)
{
    uint64_t kept = kept_for(share_of(b, slot));

    if (is_over(b))
        return more <= kept;
    return more <= kept || more - kept <= b->bytes - b->used - b->kept;
}

static bool flows_behind(const struct budget *b, const struct slot *slot)
{
    unsigned i = share_of(b, slot)->into;

    while (i != NOWHERE && !b->shares[i].flowing)
        i = b->shares[i].into;
    return i != NOWHERE;
}

/* It gets what it asks for, there or not: [O]. */
static bool is_first(const struct budget *b, const struct slot *slot)
{
    const struct share *s = share_of(b, slot);

    return (slot->flows ? s->oldest == slot : !s->held) &&
           !(is_over(b) && flows_behind(b, slot)); /* [B] */
}

/* Takes one out of the list, mostly from near the front. */
static void take_out(struct budget *b, struct slot *slot)
{
    task_list_remove(&b->waiting, &slot->task);
    share_of(b, slot)->hands -= !slot->flows;
    slot->wants = 0;
}

static void serve(struct budget *b, struct slot *slot, struct task_list *ready)
{
    uint64_t bytes = slot->wants;

    take_out(b, slot);
    hold(b, slot, bytes);
    task_list_add(ready, &slot->task);
}

/* The one in hand that has waited longest, in a segment that has some. */
static struct slot *oldest_hand(const struct budget *b, unsigned segment)
{
    struct task *task = b->waiting.first;

    while (slot_of_task(task)->flows || slot_of_task(task)->segment != segment)
        task = task->next;
    return slot_of_task(task);
}

/* Something came back: those who can have theirs now. */
static void serve_all(struct budget *b, struct task_list *ready)
{
    for (unsigned i = b->segments; i-- && b->waiting.first;) {
        struct share *s = &b->shares[i];
        if (s->oldest && s->oldest->wants && is_first(b, s->oldest))
            serve(b, s->oldest, ready);
        if (s->hands && !s->held && is_first(b, oldest_hand(b, i)))
            serve(b, oldest_hand(b, i), ready);
    }
    while (b->waiting.first) {
        struct slot *slot = slot_of_task(b->waiting.first);
        if (!fits(b, slot, slot->wants - slot->bytes))
            break;
        serve(b, slot, ready);
    }
}

/* ---- what others call -------------------------------------------------- */

void wf_budget_flows(struct budget *b, struct slot *slot)
{
    pthread_mutex_lock(&b->lock);
    struct share *s = share_of(b, slot);
    slot->flows = true;
    slot->older = s->newest;
    slot->newer = NULL;
    if (s->newest)
        s->newest->newer = slot;
    else
        s->oldest = slot;
    s->newest = slot;
    s->flowing += slot->bytes;
    pthread_mutex_unlock(&b->lock);
}

/* Under the lock: it has them now, or not. */
static bool take(struct budget *b, struct slot *slot, uint64_t bytes)
{
    uint64_t more = bytes > slot->bytes ? bytes - slot->bytes : 0;
    bool has = !more || is_first(b, slot) ||
               (!b->waiting.first && fits(b, slot, more));

    if (has)
        hold(b, slot, bytes);
    return has;
}

bool wf_budget_ask(struct budget *b, struct slot *slot, uint64_t bytes,
                   struct task_list *ready)
{
    if (bytes > MOST_BYTES)
        bytes = MOST_BYTES;
    pthread_mutex_lock(&b->lock);
    bool less = bytes < slot->bytes, has = take(b, slot, bytes);
    if (!has) {
        slot->wants = bytes;
        share_of(b, slot)->hands += !slot->flows;
        task_list_add(&b->waiting, &slot->task);
    }
    if (less)
        serve_all(b, ready);
    pthread_mutex_unlock(&b->lock);
    return has;
}

bool wf_budget_try(struct budget *b, struct slot *slot, uint64_t bytes)
{
    pthread_mutex_lock(&b->lock);
    bool has = take(b, slot, bytes);
    pthread_mutex_unlock(&b->lock);
    return has;
}

bool wf_budget_withdraw(struct budget *b, struct slot *slot)
{
    pthread_mutex_lock(&b->lock);
    bool waits = slot->wants;
    if (waits)
        take_out(b, slot);
    pthread_mutex_unlock(&b->lock);
    return waits;
}

void wf_budget_move(struct budget *b, struct slot *from, struct slot *to,
                    uint64_t cost)
{
    pthread_mutex_lock(&b->lock);
    uint64_t more = from->bytes > cost ? from->bytes - cost : 0;
    hold(b, from, from->bytes - more);
    hold(b, to, to->bytes + more);
    pthread_mutex_unlock(&b->lock);
}

struct task_list wf_budget_leave(struct budget *b, struct slot *slot)
{
    struct task_list ready = { 0 };
    struct share *s = share_of(b, slot);

    pthread_mutex_lock(&b->lock);
    hold(b, slot, 0);
    if (slot->flows) {
        if (slot->older)
            slot->older->newer = slot->newer;
        else
            s->oldest = slot->newer;
        if (slot->newer)
            slot->newer->older = slot->older;
        else
            s->newest = slot->older;
    }
    slot->flows = false;
    serve_all(b, &ready);
    pthread_mutex_unlock(&b->lock);
    return ready;
}
