/* claim.h: limits with a name, and requests for tokens of several at once. */
#ifndef WEFT_GRAPH_CLAIM_H
#define WEFT_GRAPH_CLAIM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph/histogram.h"
#include "sched/task.h"
#include "weft/limit.h"

/* A limit that a claim uses, and the claim's place in its queue. */
struct claim_use {
    struct weft_limit *limit;
    struct claim_use *next; /* behind it in the queue */
    uint64_t since; /* when it began to wait here, then when it was granted */
    unsigned tokens;
    uint8_t index;  /* among those of its claim */
    bool met;       /* it is the oldest here, and its tokens are free */
    bool waits;     /* is counted as waiting */
    uint8_t weight; /* how many times its times count: [T] in claim.c */
};

/* A task's request for tokens of several limits: all, or none. Embedded in what
 * owns the tokens, and zeroed before its first use. The uses are the stage's
 * own, first, where it has one, and those of the user. */
struct claim {
    struct task *task;
    weft_sched *sched;
    struct claim *next; /* of those that were granted together */
    uint8_t count;
    uint8_t first; /* of the uses that it waits for now: [S] in claim.c */
    uint8_t unmet; /* of these */
    struct claim_use uses[WEFT_MOST_USES + 1]; /* or fewer: wf_claim_size */
};

/* The memory that a claim needs, if it has no more than so many uses. With one,
 * as most have, it is a cache line, and a million of them touch a quarter of
 * the pages. */
static inline size_t wf_claim_size(unsigned uses)
{
    return offsetof(struct claim, uses) + uses * sizeof(struct claim_use);
}

static inline struct claim *wf_claim_of(struct claim_use *use)
{
    char *first = (char *)(use - use->index);
    return (struct claim *)(void *)(first - offsetof(struct claim, uses));
}

struct limit_latencies {
    struct histogram wait, hold; /* of each request: ns */
};

/* May be embedded; it needs no finish. What is not atomic but the name is read
 * and written under one lock in claim.c. */
struct weft_limit {
    _Atomic uint64_t open; /* requests above, tokens in use below: open.h */
    _Atomic uint64_t
        timed; /* when one was, for its group: [T] in claim.c, ns */
    _Atomic unsigned tokens, peak;
    _Atomic bool is_fast; /* requests come so fast that most are not timed */
    bool own; /* of a stage, and in its claims the first: [S] in claim.c */
    const char *name;
    unsigned in_use, waiting;  /* in_use: unless it is open, as the next two */
    uint64_t granted, asked;   /* requests */
    unsigned reserved;         /* own: for claims that wait for other limits */
    uint64_t wait_ns, busy_ns; /* ends less beginnings: [C] in claim.c */
    uint64_t timed_waiting, timed_in_use; /* those times their weights */
    struct limit_latencies *each;         /* own: NULL, its stage has them */
    struct claim_use *first, *last;       /* the queue, oldest first */
};

/* So many in use, in `open`: it is not open. */
#define LIMIT_CLOSED UINT32_MAX

/* A stage's own. The name is borrowed; `tokens` is at least 1. */
void wf_named_limit_init(struct weft_limit *l, const char *name,
                         unsigned tokens);

/* [any] */
const char *wf_limit_name(const weft_limit *l);
unsigned wf_limit_tokens(weft_limit *l); /* that there are now */

/* [any] True: who needs these tokens alone has them, without a claim, and gives
 * them back with wf_claim_give_alone. False: ask with wf_claim_take; it may
 * have had to wait. */
bool wf_claim_take_alone(const struct weft_use *use);

/* [any] Each use names another limit. True: the claim has all its tokens.
 * False: it waits and has none; `task` is made ready on `sched` when it has
 * all, or when wf_claim_hurry is called, and may already run. */
bool wf_claim_take(struct claim *c, const struct weft_use *uses, unsigned count,
                   weft_sched *sched, struct task *task);

/* [any] If the claim waits, its task is made ready with no tokens at all, and
 * wf_claim_give then gives none back. The claim is not freed meanwhile. */
void wf_claim_hurry(struct claim *c);

/* [any] Visits the claims that wait there, oldest first, under the lock: it may
 * only look. */
typedef void wf_claim_fn(void *ctx, const struct claim_use *waiting);
void wf_limit_look(weft_limit *l, wf_claim_fn *visit, void *ctx);

/* [any] Tokens of a stage that are kept for claims: [S] in claim.c. */
unsigned wf_limit_reserved(weft_limit *l);

/* [any] Gives all of them back, and makes ready who has all of theirs now. */
void wf_claim_give(struct claim *c);

/* [worker] The same, but the first of these is for the caller to run next, if
 * it is of this scheduler: where there is one token, nobody else can do
 * anything before that has run. Else NULL. */
struct task *wf_claim_pass_on(weft_worker *self, struct claim *c);

/* [any] The same, of what was taken with wf_claim_take_alone. `self` is the
 * caller, or NULL: it is no worker. */
struct task *wf_claim_give_alone(weft_worker *self, const struct weft_use *use);
#endif
