/* open.h: a limit that nobody waits for, whose tokens come and go without the
 * lock of claim.c.
 *
 * While a limit is open, how many of its tokens are in use and how many
 * requests there were are in one word, and a request for its tokens alone is
 * one compare-and-swap there; so is giving back. Under the lock a limit is
 * closed before anything of it is read or written: its numbers are then in
 * their own fields, and who finds it closed goes to the lock.
 *
 *  [O] Nothing changes the word of a limit that is closed but opening it, which
 *      is done under the lock, when nobody is in its queue. So under the lock
 *      the numbers stand still, and who is granted at an open limit overtakes
 *      nobody.
 *
 *  [A] The word is never the same again once the number of tokens, or the most
 *      that were in use, has changed: the number of requests has, too. So who
 *      has compared with these and then swaps has not missed a change; and who
 *      acquires the word before that does not see older ones.
 *
 *  [H] Whoever gets a token sees what its last holder did: giving releases the
 *      word and taking acquires it; so do opening and closing, where one of the
 *      two is done under the lock.
 *
 *  [P] Short waits. Only where requests come fast ([T] in claim.c) is a limit
 *      open: what has its tokens gives them back in a moment. It is cheaper to
 *      look a few times more than to queue up, for then each token goes through
 *      the lock, and the cache lines from core to core with it. Nobody who
 *      looks has asked yet, so it has no place in the queue to lose. */
#ifndef WEFT_GRAPH_OPEN_H
#define WEFT_GRAPH_OPEN_H
#include "graph/claim.h"

/* A power of two: of so many requests one is timed: [T] in claim.c. */
enum { GROUP = 32 };

/* Whether this one stands for its group. */
static inline bool wf_is_timed(uint32_t request)
{
    uint64_t hash =
        request / GROUP * 0x9e3779b97f4a7c15u; /* the golden ratio */
    return hash >> 59 == request % GROUP;
}

/* Whether it is a while since one was timed; costs next to nothing. */
bool wf_limit_paused(const struct weft_limit *l);

/* [any] True: a request that is not timed has so many tokens. False: ask under
 * the lock. */
bool wf_open_take(struct weft_limit *l, unsigned tokens);

/* [any] True: what is not timed has given its tokens back. False: do so under
 * the lock. */
bool wf_open_give(struct weft_limit *l, unsigned tokens);

/* Under the lock. Opens the limit if it may be. */
void wf_open(struct weft_limit *l);
void wf_close(struct weft_limit *l);
#endif
