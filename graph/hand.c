/* hand.c: tokens of plain stages that workers keep for their next item.
 *
 * Taking a token from a limit and giving it back are two atomic additions in
 * one word that all workers write: where a stage takes less than a microsecond
 * that is most of its price. But a stage that may be executed by every worker
 * at once has a token for each. So who is done with an item keeps its token,
 * and has it for the next: the limit counts it as taken all the time. What a
 * worker keeps is a bit in a word of its own, and to give the token of one
 * stage and take that of the next is one exchange there.
 *
 *  [K] Nobody waits for a token that is kept. Who finds none free has counted
 *      itself in the limit's state, then looks at what all workers keep; who
 *      keeps one says so in its word, then looks at the state. All four are
 *      seq_cst: at least one of them sees the other. Either takes the token out
 *      of the word, which succeeds once, and gives it to the limit: there it
 *      goes to the oldest that waits, or to the next that comes to wait ([O] in
 *      limit.c). In the same way no token is kept beyond their number when that
 *      is set: who sets it looks at what is kept afterwards.
 *
 *  [T] Whoever takes a token out of a word sees what its last holder did: it
 *      was put there with release, and is taken with acquire. */
#include "graph/hand.h"

#include "graph/pipeline.h"

enum { MOST_BITS = 64 };

static struct hand *hand_of(const weft_worker *self, const struct stage_run *sr)
{
    return &sr->run->hands[weft_worker_index(self)];
}

uint64_t wf_hand_bit(const struct stage_run *sr, unsigned workers)
{
    size_t number = (size_t)(sr->stage - sr->run->plan->stages);
    bool enough = load_relaxed(&sr->limit.tokens) >= workers;

    return sr->plain && enough && number < MOST_BITS ? (uint64_t)1 << number
                                                     : 0;
}

static bool take_out(struct hand *hand, uint64_t bit)
{
    uint64_t kept = load_seq_cst(&hand->kept); /* [K] */

    while (kept & bit)
        if (cas_seq_cst(&hand->kept, &kept, kept & ~bit)) /* [K] [T] */
            return true;
    return false;
}

void wf_hand_give_to_limit(weft_worker *self, struct stage_run *sr)
{
    struct task *next = wf_limit_give(&sr->limit);

    if (!next)
        return;
    if (next != &sr->end)
        slot_of_task(next)->ready = ticks_of(slot_of_task(next));
    wf_ready(sr->run->run.sched, self, next);
}

/* It was put into the word: does anybody want it now? */
static void look_after(weft_worker *self, struct stage_run *sr,
                       struct hand *hand)
{
    if (wf_limit_is_short(&sr->limit) && take_out(hand, sr->bit)) /* [K] */
        wf_hand_give_to_limit(self, sr);
}

bool wf_hand_take(weft_worker *self, struct stage_run *sr)
{
    return sr->bit && take_out(hand_of(self, sr), sr->bit);
}

bool wf_hand_move(weft_worker *self, struct stage_run *from,
                  struct stage_run *to)
{
    struct hand *hand = hand_of(self, from);
    uint64_t kept = load_relaxed(&hand->kept);

    while (from->bit & ~kept && to->bit & kept)
        if (cas_seq_cst(&hand->kept, &kept, /* [K] [T] */
                        (kept | from->bit) & ~to->bit)) {
            look_after(self, from, hand);
            return true;
        }
    wf_hand_give(self, from);
    return wf_hand_take(self, to) || wf_limit_try(&to->limit);
}

void wf_hand_give(weft_worker *self, struct stage_run *sr)
{
    struct hand *hand = hand_of(self, sr);
    uint64_t kept = load_relaxed(&hand->kept);

    while (sr->bit & ~kept && !wf_limit_is_short(&sr->limit))
        if (cas_seq_cst(&hand->kept, &kept, kept | sr->bit)) { /* [K] [T] */
            look_after(self, sr, hand);
            return;
        }
    wf_hand_give_to_limit(self, sr);
}

void wf_hand_return(weft_worker *self, struct stage_run *sr)
{
    for (unsigned i = 0; sr->bit && i < sr->run->workers; i++)
        if (take_out(&sr->run->hands[i], sr->bit))
            wf_hand_give_to_limit(self, sr);
}

unsigned wf_hand_in_use(const struct stage_run *sr)
{
    unsigned kept = 0;

    for (unsigned i = 0; sr->bit && i < sr->run->workers; i++)
        kept += (load_relaxed(&sr->run->hands[i].kept) & sr->bit) != 0;
    unsigned taken = wf_limit_in_use(&sr->limit);
    return taken > kept ? taken - kept : 0;
}
