/* budget.c: the bytes that the items of a run may hold.
 *
 * An item asks before it grows. It gets the bytes if they are there and nobody
 * has asked before it; else it waits in a list, oldest request first.
 *
 *  [O] The oldest item of a segment always gets them. Were it to wait, then
 *      for items behind it, which may themselves wait for their turn behind
 *      it: nothing would move. It never waits for anything that a younger item
 *      of its segment holds, so it leaves in the end, and the next one is the
 *      oldest. While it is over the budget, nobody else gets anything. So the
 *      bytes in use are never more than the budget and one item; an item that
 *      is larger than the budget waits until it is the oldest.
 *
 *      What an item may hold while it asks is its place in a path of a router.
 *      So where stages in the paths take bytes, items enter the paths in their
 *      order, as they do for ordered stages: no younger one keeps it out.
 *
 * Where several segments ask (batches of items that have asked before), each
 * has its oldest: a batch must not wait for the items that wait for the batch.
 */
#include "graph/budget.h"

#include <errno.h>
#include <stdlib.h>

int wf_budget_init(struct budget *b, uint64_t bytes, unsigned segments)
{
    *b = (struct budget){ .bytes = bytes, .segments = segments };
    pthread_mutex_init(&b->lock, NULL);
    b->ages = calloc(segments, sizeof *b->ages);
    return b->ages ? 0 : -ENOMEM;
}

void wf_budget_finish(struct budget *b)
{
    pthread_mutex_destroy(&b->lock);
    free(b->ages);
}

void wf_budget_enter(struct budget *b, struct slot *slot)
{
    pthread_mutex_lock(&b->lock);
    struct ages *a = &b->ages[slot->segment];
    slot->bytes = slot->wants = 0;
    slot->older = a->newest;
    slot->newer = NULL;
    if (a->newest)
        a->newest->newer = slot;
    else
        a->oldest = slot;
    a->newest = slot;
    pthread_mutex_unlock(&b->lock);
}

/* Under the lock. */
static void grant(struct budget *b, struct slot *slot, uint64_t bytes)
{
    slot->bytes += bytes;
    b->used += bytes;
    if (b->used > b->peak)
        b->peak = b->used;
}

/* Under the lock. */
static bool fits(const struct budget *b, uint64_t bytes)
{
    return b->used <= b->bytes && bytes <= b->bytes - b->used;
}

/* Under the lock. */
static bool is_oldest(const struct budget *b, const struct slot *slot)
{
    return b->ages[slot->segment].oldest == slot; /* [O] */
}

bool wf_budget_ask(struct budget *b, struct slot *slot, uint64_t bytes)
{
    pthread_mutex_lock(&b->lock);
    /* Who wants nothing must not wait: nobody would see that it is oldest. */
    bool has = !bytes || is_oldest(b, slot) ||
               (!b->waiting.first && fits(b, bytes));
    if (has) {
        grant(b, slot, bytes);
    } else {
        slot->wants = bytes;
        task_list_add(&b->waiting, &slot->task);
    }
    pthread_mutex_unlock(&b->lock);
    return has;
}

bool wf_budget_try(struct budget *b, struct slot *slot, uint64_t bytes)
{
    pthread_mutex_lock(&b->lock);
    bool has = is_oldest(b, slot) || (!b->waiting.first && fits(b, bytes));
    if (has)
        grant(b, slot, bytes);
    pthread_mutex_unlock(&b->lock);
    return has;
}

/* Under the lock: takes one out, mostly from near the front. */
static void take_out(struct budget *b, struct slot *slot)
{
    struct task_list before = { 0 };

    for (struct task *task;
         (task = task_list_take(&b->waiting)) != &slot->task;)
        task_list_add(&before, task);
    task_list_join(&before, &b->waiting);
    b->waiting = before;
}

/* Under the lock: those who can have theirs now. */
static void serve(struct budget *b, struct task_list *ready)
{
    for (unsigned i = 0; i < b->segments; i++) {
        struct slot *oldest = b->ages[i].oldest;
        if (!oldest || !oldest->wants)
            continue;
        take_out(b, oldest);
        grant(b, oldest, oldest->wants);
        oldest->wants = 0;
        task_list_add(ready, &oldest->task);
    }
    while (b->waiting.first) {
        struct slot *slot = slot_of_task(b->waiting.first);
        if (!fits(b, slot->wants))
            break;
        task_list_take(&b->waiting);
        grant(b, slot, slot->wants);
        slot->wants = 0;
        task_list_add(ready, &slot->task);
    }
}

bool wf_budget_withdraw(struct budget *b, struct slot *slot)
{
    pthread_mutex_lock(&b->lock);
    bool waits = slot->wants;
    if (waits)
        take_out(b, slot);
    slot->wants = 0;
    pthread_mutex_unlock(&b->lock);
    return waits;
}

void wf_budget_move(struct budget *b, struct slot *from, struct slot *to)
{
    pthread_mutex_lock(&b->lock);
    to->bytes += from->bytes;
    from->bytes = 0;
    pthread_mutex_unlock(&b->lock);
}

struct task_list wf_budget_leave(struct budget *b, struct slot *slot)
{
    struct task_list ready = { 0 };

    pthread_mutex_lock(&b->lock);
    struct ages *a = &b->ages[slot->segment];
    if (slot->older)
        slot->older->newer = slot->newer;
    else
        a->oldest = slot->newer;
    if (slot->newer)
        slot->newer->older = slot->older;
    else
        a->newest = slot->older;
    b->used -= slot->bytes;
    slot->bytes = 0;
    serve(b, &ready);
    pthread_mutex_unlock(&b->lock);
    return ready;
}
