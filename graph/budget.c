/* budget.c: the bytes that the items of a run may hold.
 *
 * An item asks before it grows. It gets the bytes if they are there and nobody
 * is before it; else it waits in a list: who was given some most often comes
 * first, then the oldest request. For those are nearer to their end; and if
 * others got what they lack, all slots would have some and none enough. A slot
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
 *      - nothing flows in the segments ahead of it, or is on its way there,
 *        that may ask, or wait for a turn or the end of an epoch; else it
 *        waits for that.
 *      - it is the turn of its input, at each merge on its way.
 *      - nobody crosses before it into a segment on its way whose items ask,
 *        or wait for the turn of an input: these could wait for it, with all
 *        the slots there. The younger ones wait at the border.
 *
 *      It may cross into another segment with its bytes, and have more there.
 *
 *  [N] Next. So that it does not wait for ever for others that keep coming, its
 *      way is kept free for an oldest one that so many have passed: nobody else
 *      crosses into it but who is on it, until that one has its bytes. That
 *      waits for nobody who waits at the border: no other has more than there
 *      is; no end of an epoch is on the way, which would wait for those of
 *      other inputs; and up to the last merge where the inputs take turns it
 *      has the turn, and nobody is before it. Who crosses there takes a turn
 *      that is another's as soon as it has left: so nobody is on its way when
 *      one is chosen, and that one's turn it stays.
 *
 *  [S] A scatter keeps its item until the last piece has gone, so the item
 *      waits for what flows behind it. From when it has crossed, one of these
 *      may have more than there is as well, and nobody else until it has left.
 *      So what is in use is one item more for each such scatter behind the
 *      other. But where inputs take turns at a merge on its way, a piece may
 *      have to wait for what comes from another input: then it is anybody who
 *      may, and one item more for each such scatter.
 *
 * The order of the locks: a merge, a segment, the budget. Nothing is called
 * under it. */
#include "graph/budget.h"

#include <errno.h>
#include <stdlib.h>

/* More than any machine has, and so little that sums are right. */
#define MOST_BYTES ((uint64_t)1 << 56)

enum { PATIENCE = 64 }; /* crossings: [N] */

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

/* Its items ask, or wait for the turn of an input; or those behind it. */
static bool is_guarded(const struct budget *b, unsigned segment)
{
    while (segment != NOWHERE && !b->shares[segment].asks &&
           !b->shares[segment].in_turns)
        segment = b->shares[segment].into;
    return segment != NOWHERE;
}

/* Nothing is on its way, and at each merge its turn has come. */
static bool is_way_free(const struct budget *b, unsigned segment)
{
    for (unsigned into; (into = b->shares[segment].into) != NOWHERE;) {
        const struct share *next = &b->shares[into];
        if (next->markers || next->coming ||
            (next->oldest && is_guarded(b, into)))
            return false;
        if (next->in_turns && next->turn != segment)
            return false;
        segment = into;
    }
    return true;
}

/* The way is kept free for another one: [N]. */
static bool is_after_next(const struct budget *b, const struct slot *slot)
{
    return b->next && b->next != slot &&
           !leads_into(b, b->next->segment, slot->segment);
}

/* Its pieces wait for nothing that has to come from elsewhere: [S]. */
static bool is_straight(const struct budget *b, unsigned segment)
{
    do
        segment = b->shares[segment].into;
    while (segment != NOWHERE && !b->shares[segment].in_turns);
    return segment == NOWHERE;
}

/* One that scatters has what was not there, and this is not of what is behind
 * it: [S]. */
static bool is_beside(const struct budget *b, unsigned segment)
{
    return b->scatters && !leads_into(b, b->scatters->segment, segment);
}

/* It may have what is not there: [O]. */
static bool may_exceed(const struct budget *b, const struct slot *slot)
{
    if (b->exceeds)
        return b->exceeds == slot;
    if (is_after_next(b, slot) || is_beside(b, slot->segment))
        return false;
    return slot->flows && share_of(b, slot)->oldest == slot &&
           is_way_free(b, slot->segment);
}

static void set_exceeds(struct budget *b, struct slot *slot)
{
    if (b->exceeds)
        b->exceeds->exceeds = false;
    b->exceeds = slot;
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
    slot->grants++;
}

/* Nobody keeps others out at the borders any more that did. */
static void open_borders(struct budget *b, struct budget_news *news)
{
    task_list_join(&news->ready, &b->border);
    news->opened = true;
}

static void serve(struct budget *b, struct slot *slot, struct budget_news *news)
{
    uint64_t bytes = slot->wants;

    take_out(b, slot);
    hand_out(b, slot, bytes);
    task_list_add(&news->ready, &slot->task);
    if (b->next == slot) {
        b->next = NULL;
        open_borders(b, news);
    }
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

/* So many more are there, and nobody who waits is before it. */
static bool is_first(const struct budget *b, const struct slot *slot,
                     uint64_t more)
{
    struct task *first = b->waiting.first;

    return fits(b, slot, more) &&
           (!first || slot->grants > slot_of_task(first)->grants);
}

/* Most have not been given any yet, and stand at the end. */
static void stand_in_line(struct budget *b, struct slot *slot)
{
    struct task_list behind = b->waiting;

    if (behind.first && slot_of_task(behind.last)->grants >= slot->grants) {
        task_list_add(&b->waiting, &slot->task);
        return;
    }
    b->waiting = (struct task_list){ 0 };
    while (behind.first && slot_of_task(behind.first)->grants >= slot->grants)
        task_list_add(&b->waiting, task_list_take(&behind));
    task_list_add(&b->waiting, &slot->task);
    task_list_join(&b->waiting, &behind);
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
                        struct budget_news *news)
{
    if (slot->wants && comes_first(b, slot, slot->wants - slot->bytes))
        serve(b, slot, news);
}

/* Those who can have theirs now: the oldest ones, and the first that asked. */
static void serve_once(struct budget *b, struct budget_news *news)
{
    for (unsigned i = b->segments; i-- && b->waiting.first;) {
        struct share *s = &b->shares[i];
        if (s->oldest)
            serve_first(b, s->oldest, news);
        if (s->hands)
            serve_first(b, oldest_hand(b, i), news);
    }
    while (b->waiting.first) {
        struct slot *slot = slot_of_task(b->waiting.first);
        if (!fits(b, slot, slot->wants - slot->bytes))
            break;
        serve(b, slot, news);
    }
}

/* Something has changed. Once a way is not kept free any more, those may have
 * theirs that were passed over for it: [N]. */
static void serve_all(struct budget *b, struct budget_news *news)
{
    const struct slot *next = b->next;

    serve_once(b, news);
    if (b->next != next)
        serve_once(b, news);
}

/* The one that has more than there was does not count as that any more. */
static void stop_exceeding(struct budget *b, struct budget_news *news)
{
    b->exceeds->exceeds = false;
    b->exceeds = NULL;
    open_borders(b, news);
}

/* The one that has more than there was has crossed, and stays: [S]. */
static void let_scatter(struct budget *b, struct slot *slot,
                        struct budget_news *news)
{
    stop_exceeding(b, news);
    if (is_straight(b, slot->segment)) {
        slot->outer = b->scatters;
        b->scatters = slot;
    }
    serve_all(b, news);
}

/* It does not, or not any more. */
static void end_scattering(struct budget *b, const struct slot *slot)
{
    for (struct slot **s = &b->scatters; *s; s = &(*s)->outer)
        if (*s == slot) {
            *s = slot->outer;
            return;
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
    s->markers += slot->marker;
    pthread_mutex_unlock(&b->lock);
}

/* Under the lock: it has them now, or not. */
static bool take(struct budget *b, struct slot *slot, uint64_t bytes)
{
    uint64_t more = bytes > slot->bytes ? bytes - slot->bytes : 0;
    bool has = !more || comes_first(b, slot, more) || is_first(b, slot, more);

    if (has)
        hand_out(b, slot, bytes);
    return has;
}

bool wf_budget_ask(struct budget *b, struct slot *slot, uint64_t bytes,
                   struct budget_news *news)
{
    if (bytes > MOST_BYTES)
        bytes = MOST_BYTES;
    if (bytes < share_of(b, slot)->least)
        bytes = share_of(b, slot)->least;
    pthread_mutex_lock(&b->lock);
    bool less = bytes < slot->bytes, has = take(b, slot, bytes);
    if (!has) {
        slot->wants = bytes;
        slot->waits_since = b->crossings;
        share_of(b, slot)->hands += !slot->flows;
        stand_in_line(b, slot);
    }
    if (less && b->exceeds == slot && !is_over(b))
        stop_exceeding(b, news);
    if (less)
        serve_all(b, news);
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

/* The way may be kept free for the items of the segment: [N]. */
static bool can_be_next(const struct budget *b, unsigned segment)
{
    bool empty = true;

    if (b->exceeds || is_beside(b, segment))
        return false;
    for (unsigned into; (into = b->shares[segment].into) != NOWHERE;) {
        const struct share *next = &b->shares[into];
        if (next->markers || (next->in_turns && (next->turn != segment ||
                                                 next->coming || !empty)))
            return false;
        empty &= !next->oldest && !next->coming;
        segment = into;
    }
    return true;
}

/* One has crossed, and is no more on its way: is there an item that waited for
 * long enough? */
static void choose_next(struct budget *b)
{
    for (unsigned i = 0; i < b->segments && !b->next; i++) {
        struct slot *oldest = b->shares[i].oldest;
        if (oldest && oldest->wants &&
            b->crossings - oldest->waits_since > PATIENCE && can_be_next(b, i))
            b->next = oldest;
    }
}

/* Under the lock. */
static bool crosses(struct budget *b, struct slot *slot)
{
    unsigned into = share_of(b, slot)->into;

    if (b->exceeds && b->exceeds != slot &&
        leads_into(b, b->exceeds->segment, into))
        return false;
    if (is_after_next(b, slot) && leads_into(b, b->next->segment, into))
        return false;
    slot->crosses = true;
    b->shares[into].coming++;
    b->crossings++;
    return true;
}

bool wf_budget_cross(struct budget *b, struct slot *slot, bool stays,
                     struct budget_news *news)
{
    if (!is_guarded(b, share_of(b, slot)->into))
        return true;
    pthread_mutex_lock(&b->lock);
    bool has = crosses(b, slot);
    if (!has)
        task_list_add(&b->border, &slot->task);
    if (stays && b->exceeds == slot)
        let_scatter(b, slot, news);
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
                    struct budget_news *news)
{
    pthread_mutex_lock(&b->lock);
    if (b->shares[segment].turn != input) {
        b->shares[segment].turn = input;
        serve_all(b, news);
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
    to->grants = from->grants;
    if (b->exceeds == from)
        set_exceeds(b, to);
    pthread_mutex_unlock(&b->lock);
}

struct budget_news wf_budget_leave(struct budget *b, struct slot *slot)
{
    struct budget_news news = { 0 };
    struct share *s = share_of(b, slot);

    pthread_mutex_lock(&b->lock);
    hold(b, slot, 0);
    bool has_crossed = slot->crosses;
    if (has_crossed)
        b->shares[s->into].coming--;
    slot->crosses = false;
    if (b->exceeds == slot)
        stop_exceeding(b, &news);
    end_scattering(b, slot);
    slot->grants = 0;
    if (slot->flows) {
        s->markers -= slot->marker;
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
    serve_all(b, &news);
    if (has_crossed)
        choose_next(b);
    pthread_mutex_unlock(&b->lock);
    return news;
}
