/* pack.c: items of a burst that go through plain stages together.
 *
 * Where an item takes less than a microsecond, what a stage needs for it (its
 * token, its turn, what is counted, the lines of memory in which all that is)
 * costs more than the item. So those that a source has filled in one turn go
 * as a pack: all through one stage, then all through the next. The worker takes
 * one token for them; where the stage is ordered their numbers follow each
 * other, so that they have their turn together, and pass it on together; and
 * if they come early they wait together, a chain behind the first.
 *
 *     stage 1   0 1 2 3
 *     stage 2           0 1 2 3
 *     stage 3                   0 1 .   the worker is at 2
 *
 * Nothing is hidden from other workers. A task of the pack is ready as long as
 * that goes on; who takes it watches: a pack whose stage goes on for too long
 * is taken from its worker, but for the item which that is at. Those before it
 * are ready at the next stage, those behind it at this one.
 *
 * So do those that remain where an item does not simply succeed: it fails, is
 * filtered, pends, or its run was cancelled. It goes on by itself.
 *
 *  [S] Sharing. `at` is the item that the worker is at. The worker changes it
 *      with an exchange, who takes the pack with a compare-and-exchange from
 *      the number of an item: so one of the two is first. In its next exchange
 *      the worker finds that the pack was TAKEN, and until then it touches no
 *      item but the one it was at, which it keeps. The exchange to an item
 *      releases what was done with those before it, and taking acquires that;
 *      who takes has done nothing yet that the worker would have to acquire.
 *      What else the pack says is written while it is not at an item, and
 *      nobody takes it then.
 *
 *  [L] How long it is there. Two use the pack, its worker and who has the task;
 *      when both have left it the worker may use it again: it acquires what the
 *      other one releases as it leaves, and knows what it did itself. The task
 *      comes with a reference on the first slot ([R] in flow.c), so the run is
 *      there. The worker takes the task back if it can; it has the slot then,
 *      so its reference is not the last. Who finds the task later drops it:
 *      what it keeps until then is a slot, and only while no worker is free to
 *      find the task.
 *
 *  [T] The turn. While the pack is at an ordered stage it is the turn of its
 *      first item, so none enters that is not of the pack. The worker passes on
 *      the turn of the last, or, where the pack parts, that of the item it is
 *      at; if the pack is taken, the taker does, and the worker never. The
 *      token is given back before that: who has the turn next finds it. */
#include <sched.h>

#include "graph/plain.h"

/* What pack.at is beside the number of an item. */
enum {
    BETWEEN = MOST_BURST, /* two stages */
    ENDED,                /* there is no pack any more */
    TAKEN,                /* all others are somebody else's */
};

enum { WORKER = 1, WATCHER = 2 }; /* users: [L] */

#ifndef PACK_SLOW
#define PACK_SLOW  16000 /* ticks: for so long a pack may be at one stage */
#define PACK_LOOKS 64    /* of who watches, before it gives up its core */
#endif

static uint64_t number_of(const struct slot *slot)
{
    return slot->ticket[stage_of(slot)->stage->depth];
}

static bool follow_each_other(const struct slot *slot, const struct slot *next)
{
    return number_of(next) == number_of(slot) + 1;
}

/* Makes a chain of them, and returns its first. */
static struct slot *chain(struct slot *const of[], unsigned count)
{
    for (unsigned i = 0; i + 1 < count; i++)
        of[i]->behind = of[i + 1];
    return count ? of[0] : NULL;
}

static void push(weft_worker *self, struct slot *first)
{
    if (first)
        wf_push(self, &first->task);
}

static void pass_turn(weft_worker *self, struct stage_run *sr, uint64_t number)
{
    struct task *next =
        sr->stage->ordered ? wf_turn_pass(&sr->turn, number) : NULL;

    if (next)
        wf_push(self, next);
}

/* ---- who has the task --------------------------------------------------- */

static void forget(weft_worker *self, struct pack *pack)
{
    struct slot *first = pack->of[0];

    sub_release(&pack->users, WATCHER); /* [L] */
    wf_flow_finish(self, first);
}

/* All but the item at which its worker is. */
static struct task *take(weft_worker *self, struct pack *pack, unsigned at)
{
    struct slot *before = chain(pack->of, at);

    pass_turn(self, pack->stage, pack->number + at); /* [T] */
    push(self, chain(pack->of + at + 1, pack->count - at - 1));
    forget(self, pack);
    return before ? &before->task : NULL;
}

static bool is_slow(const struct pack *pack)
{
    return since(load_relaxed(&pack->since), wf_ticks()) > PACK_SLOW;
}

/* Ended or taken: true, and what the worker goes on with. */
static bool is_over(weft_worker *self, struct pack *pack, struct task **next)
{
    unsigned at = load_relaxed(&pack->at);

    *next = NULL;
    if (at == ENDED)
        forget(self, pack);
    else if (at < BETWEEN && is_slow(pack) &&
             cas_acquire(&pack->at, &at, TAKEN)) /* [S] */
        *next = take(self, pack, at);
    else
        return false;
    return true;
}

/* While it is not slow there may be something better to do; else this is it. */
static struct task *watch(weft_worker *self, struct task *task)
{
    struct pack *pack = (struct pack *)task; /* its first member */
    struct task *next;

    for (unsigned i = 0; i < PACK_LOOKS; i++) {
        if (is_over(self, pack, &next))
            return next;
        next = wf_take_elsewhere(self);
        if (next) {
            wf_push(self, task);
            return next;
        }
        cpu_pause();
    }
    sched_yield(); /* its worker may have no core */
    return task;
}

bool wf_pack_is_quick(const struct task *task)
{
    const struct pack *pack = (const struct pack *)task;

    return task->run == watch && !is_slow(pack);
}

/* ---- its worker: into a stage ------------------------------------------- */

/* What it needs at the stage where the pack is. */
struct walk {
    weft_worker *self;
    struct pack *pack;
    struct segment *segment;
    struct stage_run *at;
    struct stage_counts *counts;
    bool times; /* are taken */
    int result; /* of the last call */
};

static bool is_early(const struct slot *first)
{
    struct stage_run *sr = stage_of(first);

    return sr->plain && sr->stage->ordered &&
           !wf_turn_is(&sr->turn, number_of(first));
}

/* The worker has a token of the stage then, and the first of them its turn. */
static bool lets_in(weft_worker *self, const struct slot *first)
{
    struct stage_run *sr = stage_of(first);

    return sr->plain && !is_early(first) &&
           (wf_hand_take(self, sr) || wf_limit_try(&sr->limit));
}

static struct pack *unused(struct hand *hand)
{
    for (unsigned i = 0; i < MOST_PACKS; i++)
        if (!load_acquire(&hand->packs[i].users)) /* [L] */
            return &hand->packs[i];
    return NULL;
}

/* All together, for they come one after the other. */
static struct task *wait_for_turn(weft_worker *self, struct slot *first)
{
    struct stage_run *sr = stage_of(first);

    put_at(first, WANTS_TURN);
    wf_flow_hold(first); /* [R] in flow.c */
    bool has = wf_turn_arrive(&sr->turn, number_of(first), &first->task);
    wf_flow_finish(self, first); /* [R] in flow.c */
    return has ? &first->task : NULL;
}

/* As many of the chain as follow each other; any others are a chain. */
static void fill(struct walk *w, struct slot *first)
{
    struct pack *pack = w->pack;
    struct slot *last, *next = first;

    pack->count = 0;
    do {
        last = next;
        next = last->behind;
        last->behind = NULL;
        last->fresh = false;
        pack->of[pack->count++] = last;
    } while (next && follow_each_other(last, next));
    push(w->self, next);
}

static void begin(struct walk *w, struct slot *first)
{
    struct pack *pack = w->pack;

    fill(w, first);
    pack->task.run = watch;
    store_relaxed(&pack->at, BETWEEN);
    store_relaxed(&pack->users, WORKER | WATCHER);
    store_relaxed(&pack->since, wf_ticks());
    wf_flow_hold(first); /* [L] */
    wf_push(w->self, &pack->task);
}

static void enter(struct walk *w, const struct slot *first)
{
    w->at = stage_of(first);
    w->counts = counts_at(first, w->self);
    w->pack->stage = w->at;
    w->pack->number = number_of(first);
}

/* ---- its worker: out of it ---------------------------------------------- */

/* False: another one has all but the item where it was. */
static bool goes_to(struct walk *w, unsigned at)
{
    return swap_release(&w->pack->at, at) != TAKEN; /* [S] */
}

static void leave(struct walk *w)
{
    sub_relaxed(&w->pack->users, WORKER); /* [L] */
}

/* False: as above. True: it has all of them, and they are no pack any more. */
static bool ends(struct walk *w)
{
    struct pack *pack = w->pack;
    bool all = goes_to(w, ENDED);

    if (all && wf_take_back(w->self, &pack->task)) {
        sub_relaxed(&pack->of[0]->refs, 1); /* [R] in flow.c */
        store_relaxed(&pack->users, 0);
    } else {
        leave(w);
    }
    return all;
}

static struct task *dropped(struct walk *w, struct slot *slot)
{
    slot->outcome = CANCELLED;
    wf_hand_give(w->self, w->at);
    return wf_flow_on(slot, ticks_of(slot));
}

/* The item does not go on with the others: the oldest first. */
static struct task *parts(struct walk *w, unsigned at, bool cancelled)
{
    struct pack *pack = w->pack;
    struct slot *slot = pack->of[at], *before = NULL;

    if (ends(w)) {
        before = chain(pack->of, at);
        pass_turn(w->self, w->at, pack->number + at); /* [T] */
        push(w->self, chain(pack->of + at + 1, pack->count - at - 1));
    }
    struct task *next = cancelled
                            ? dropped(w, slot)
                            : wf_attempt_returned(w->self, slot, w->result);
    if (before && next)
        wf_push(w->self, next);
    return before ? &before->task : next;
}

/* Another one has taken all but this. */
static struct task *alone(struct walk *w, struct slot *slot)
{
    wf_hand_give(w->self, w->at);
    leave(w);
    return &slot->task;
}

static struct task *spend(struct walk *w, struct task_list *spent)
{
    struct pack *pack = w->pack;

    ends(w);
    for (unsigned i = 0; i < pack->count; i++)
        if (!wf_flow_spend(pack->of[i], spent))
            wf_flow_finish(w->self, pack->of[i]);
    return NULL;
}

/* ---- its worker: through it --------------------------------------------- */

static void note_begin(const struct walk *w, struct slot *slot)
{
    uint64_t now = ticks_of(slot);

    note_time(w->segment, slot, now);
    if (!slot->weight)
        return;
    count_time(&w->counts->token_wait, slot, slot->arrived, slot->ready);
    count_time(&w->counts->ready_wait, slot, slot->ready, now);
    slot->began = now;
}

/* True: the item is at the next door. */
static bool call(struct walk *w, struct slot *slot)
{
    const struct stage *stage = w->at->stage;

    if (w->times)
        note_begin(w, slot);
    wf_attempt_open(slot);
    w->result = stage->fn(w->self, slot->item, stage->ctx);
    if (w->result || !wf_attempt_close(slot))
        return false;
    plain_leaves(w->counts, w->segment, slot, w->times);
    slot->stage = stage->next;
    put_at(slot, AT_DOOR);
    return true;
}

/* True: all are through the stage. Else *next is what the worker goes on with.
 */
static bool pass(struct walk *w, struct task **next)
{
    struct pack *pack = w->pack;
    unsigned i = 0;

    for (; i < pack->count && goes_to(w, i); i++) {
        struct slot *slot = pack->of[i];
        bool cancelled = wf_segment_cancelled(w->segment, slot->ticket[0]);
        plain_enters(w->counts, slot);
        if (cancelled || !call(w, slot)) {
            *next = parts(w, i, cancelled);
            return false;
        }
    }
    if (i == pack->count && goes_to(w, BETWEEN))
        return true;
    *next = alone(w, pack->of[i - 1]);
    return false;
}

/* All of them may enter the next stage at once. */
static bool goes_on(struct walk *w, const struct slot *first)
{
    uint64_t now = wf_ticks(), before = load_relaxed(&w->pack->since);

    store_relaxed(&w->pack->since, now);
    return since(before, now) < PACK_SLOW && wf_steps_left(w->self) &&
           lets_in(w->self, first);
}

/* They have been let in. */
static struct task *run(weft_worker *self, struct pack *pack,
                        struct slot *first, struct task_list *spent,
                        unsigned *items)
{
    struct walk w = { .self = self,
                      .pack = pack,
                      .segment = segment_of(first),
                      .times = first->run->times };
    struct task *next = NULL;

    begin(&w, first);
    *items += pack->count;
    wf_count_steps(self, pack->count - 1); /* as if the worker had run them */
    do {
        enter(&w, first);
        if (!pass(&w, &next))
            return next;
        wf_count_steps(self, pack->count);
        wf_hand_give(self, w.at);
        pass_turn(self, w.at, pack->number + pack->count - 1); /* [T] */
        if (first->stage == NOWHERE)
            return spend(&w, spent);
    } while (goes_on(&w, first));
    ends(&w);
    return &chain(pack->of, pack->count)->task;
}

bool wf_pack_goes(weft_worker *self, struct slot *first,
                  struct task_list *spent, unsigned *items, struct task **next)
{
    struct hand *hand = &first->run->hands[weft_worker_index(self)];
    struct pack *pack;

    if (!first->behind || !hand->quick || first->stage == NOWHERE ||
        first->outcome != GOOD || is_cancelled(first) ||
        !follow_each_other(first, first->behind) || !(pack = unused(hand)))
        return false;
    if (lets_in(self, first))
        *next = run(self, pack, first, spent, items);
    else if (is_early(first))
        *next = wait_for_turn(self, first);
    else
        return false;
    return true;
}
