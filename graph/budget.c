/* budget.c: the bytes that the items of a run may hold.
 *
 * An item asks before it grows. It gets the bytes if they are there and nobody
 * has asked before it; else it waits in a list, oldest request first. A slot
 * flows from when it is filled; before that it is in its feeder's hand, where
 * it may ask for what an item costs at least.
 *
 *  [L] The least. What an item of a segment costs is foreseen: as much is kept
 *      for each segment while it does not hold it. So a batch does not wait for
 *      the items that wait for the batch. That there is enough for one of each
 *      is checked when the pipeline is compiled.
 *
 *  [O] One item may have what is not there. It is the oldest that flows in its
 *      segment: were it to wait, then for items behind it, which may themselves
 *      wait for their turn behind it, and nothing would move. While it has
 *      that, nobody else gets any, but of the least. So what is in use is never
 *      more than the budget and one item. It leaves in the end, for
 *
 *      - it waits for nothing that a younger item of its segment has. What an
 *        item may have while it asks is its place in a path of a router: where
 *        stages in the paths take bytes, items enter the paths in their order,
 *        as they do for ordered stages.
 *      - nothing flows where it goes to, nor is on its way there; else it waits
 *        for that. A last segment that never asks may have as much as it likes.
 *      - it is the turn of its input, at each merge on its way.
 *      - nobody crosses before it into a segment on its way whose items ask,
 *        or wait for the turn of an input: these could wait for it, with all
 *        the slots there. The younger ones wait at the border.
 *
 *      It may cross into another segment with its bytes, and have more there.
 *
 *  [S] A scatter keeps its item until the last piece has gone, so the item
 *      waits for what flows behind it. From when it has crossed, there may be
 *      another one with more than there is; what is in use is at most one item
 *      more for each scatter whose items ask.
 *
 * The order of the locks: a merge, a segment, the budget. Nothing is called
 * under it. */
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
    return b->shares ? 0 : -ENOMEM;
}

void wf_budget_finish(struct budget *b)
{
    pthread_mutex_destroy(&b->lock);
    free(b->shares);
}

void wf_budget_share(struct budget *b, unsigned segment, struct share share)
{
    b->shares[segment] = share;
    b->kept += share.least; /* [L] */
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

/* The way of the items of a segment leads into this one. */
static bool leads_into(const struct budget *b, unsigned segment, unsigned into)
{
    do
        segment = b->shares[segment].into;
    while (segment != NOWHERE && segment != into);
    return segment != NOWHERE;
}

/* Nothing is on its way, and at each merge its turn has come. */
static bool is_way_free(const struct budget *b, unsigned segment)
{
    for (unsigned into; (into = b->shares[segment].into) != NOWHERE;) {
        const struct share *next = &b->shares[into];
        bool waited_for = next->asks || next->into != NOWHERE;
        if (next->coming || (next->oldest && waited_for))
            return false;
        if (next->in_turns && next->turn != segment)
            return false;
        segment = into;
    }
    return true;
}

/* It may have what is not there: [O]. */
static bool may_exceed(const struct budget *b, const struct slot *slot)
{
    if (b->exceeds)
        return b->exceeds == slot;
    return slot->flows && share_of(b, slot)->oldest == slot &&
           is_way_free(b, slot->segment);
}

static void set_exceeds(struct budget *b, struct slot *slot)
{
    if (b->exceeds)
        b->exceeds->exceeds = false;
    b->exceeds = slot;
    if (slot)
        slot->exceeds = true;
}

/* Takes one out of the list, mostly from near the front. */
static void take_out(struct budget *b, struct slot *slot)
{
    task_list_remove(&b->waiting, &slot->task);
    share_of(b, slot)->hands -= !slot->flows;
    slot->wants = 0;
}

static void hand_out(struct budget *b, struct slot *slot, uint64_t bytes)
{
    if (!fits(b, slot, bytes > slot->bytes ? bytes - slot->bytes : 0))
        set_exceeds(b, slot);
    hold(b, slot, bytes);
}

static void serve(struct budget *b, struct slot *slot, struct task_list *ready)
{
    uint64_t bytes = slot->wants;

    take_out(b, slot);
    hand_out(b, slot, bytes);
    task_list_add(ready, &slot->task);
}

/* It comes before those that have waited for longer: it is the oldest of its
 * segment, or asks for no more than what is kept for that: [L]. */
static bool comes_first(const struct budget *b, const struct slot *slot,
                        uint64_t more)
{
    const struct share *s = share_of(b, slot);

    return more <= kept_for(s) ||
           (slot->flows && s->oldest == slot && fits(b, slot, more)) ||
           may_exceed(b, slot);
}

/* The one in hand that has waited longest, in a segment that has some. */
static struct slot *oldest_hand(const struct budget *b, unsigned segment)
{
    struct task *task = b->waiting.first;

    while (slot_of_task(task)->flows || slot_of_task(task)->segment != segment)
        task = task->next;
    return slot_of_task(task);
}

static void serve_first(struct budget *b, struct slot *slot,
                        struct task_list *ready)
{
    if (slot->wants && comes_first(b, slot, slot->wants - slot->bytes))
        serve(b, slot, ready);
}

/* Something has changed: those who can have theirs now. */
static void serve_all(struct budget *b, struct task_list *ready)
{
    for (unsigned i = b->segments; i-- && b->waiting.first;) {
        struct share *s = &b->shares[i];
        if (s->oldest)
            serve_first(b, s->oldest, ready);
        if (s->hands)
            serve_first(b, oldest_hand(b, i), ready);
    }
    while (b->waiting.first) {
        struct slot *slot = slot_of_task(b->waiting.first);
        if (!fits(b, slot, slot->wants - slot->bytes))
            break;
        serve(b, slot, ready);
    }
}

/* Nothing has more any more than there is that others wait for. */
static void open_borders(struct budget *b, struct task_list *ready)
{
    set_exceeds(b, NULL);
    for (struct task *task; (task = task_list_take(&b->border));)
        task_list_add(ready, task);
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
    pthread_mutex_unlock(&b->lock);
}

/* Under the lock: it has them now, or not. */
static bool take(struct budget *b, struct slot *slot, uint64_t bytes)
{
    uint64_t more = bytes > slot->bytes ? bytes - slot->bytes : 0;
    bool has = !more || comes_first(b, slot, more) ||
               (!b->waiting.first && fits(b, slot, more));

    if (has)
        hand_out(b, slot, bytes);
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
    if (less && b->exceeds == slot && !is_over(b))
        open_borders(b, ready);
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

/* Its items ask, or wait for the turn of an input; or those behind it. */
static bool is_guarded(const struct budget *b, unsigned segment)
{
    while (segment != NOWHERE && !b->shares[segment].asks &&
           !b->shares[segment].in_turns)
        segment = b->shares[segment].into;
    return segment != NOWHERE;
}

/* Under the lock. */
static bool crosses(struct budget *b, struct slot *slot)
{
    unsigned into = share_of(b, slot)->into;

    if (b->exceeds && b->exceeds != slot &&
        leads_into(b, b->exceeds->segment, into))
        return false;
    slot->crosses = true;
    b->shares[into].coming++;
    return true;
}

bool wf_budget_cross(struct budget *b, struct slot *slot, bool stays,
                     struct task_list *ready)
{
    if (!is_guarded(b, share_of(b, slot)->into))
        return true;
    pthread_mutex_lock(&b->lock);
    bool has = crosses(b, slot);
    if (!has)
        task_list_add(&b->border, &slot->task);
    if (stays && b->exceeds == slot) { /* [S] */
        open_borders(b, ready);
        serve_all(b, ready);
    }
    pthread_mutex_unlock(&b->lock);
    return has;
}

bool wf_budget_try_cross(struct budget *b, struct slot *slot)
{
    if (!is_guarded(b, share_of(b, slot)->into))
        return true;
    pthread_mutex_lock(&b->lock);
    bool has = crosses(b, slot);
    pthread_mutex_unlock(&b->lock);
    return has;
}

void wf_budget_turn(struct budget *b, unsigned segment, unsigned input,
                    struct task_list *ready)
{
    pthread_mutex_lock(&b->lock);
    if (b->shares[segment].turn != input) {
        b->shares[segment].turn = input;
        serve_all(b, ready);
    }
    pthread_mutex_unlock(&b->lock);
}

void wf_budget_move(struct budget *b, struct slot *from, struct slot *to,
                    uint64_t cost)
{
    pthread_mutex_lock(&b->lock);
    uint64_t more = from->bytes > cost ? from->bytes - cost : 0;
    hold(b, from, from->bytes - more);
    hold(b, to, to->bytes + more);
    if (b->exceeds == from)
        set_exceeds(b, to);
    pthread_mutex_unlock(&b->lock);
}

struct task_list wf_budget_leave(struct budget *b, struct slot *slot)
{
    struct task_list ready = { 0 };
    struct share *s = share_of(b, slot);

    pthread_mutex_lock(&b->lock);
    hold(b, slot, 0);
    if (slot->crosses)
        b->shares[s->into].coming--;
    slot->crosses = false;
    if (b->exceeds == slot)
        open_borders(b, &ready);
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
