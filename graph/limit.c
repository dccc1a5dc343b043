/* limit.c: a number of tokens, and the tasks that wait for one.
 *
 * `state` is two numbers in one word: how many tokens there are, and how many
 * takers: tasks that have a token or wait for one. Taking and giving are one
 * atomic addition each while there are no more takers than tokens. Where there
 * are, they meet under the lock, with a list of those that wait. A token is
 * handed to the oldest task in the list and never becomes free in between, so
 * nobody overtakes; exactly one task is made ready for each token given, so N
 * tasks on one token cost N, not N squared.
 *
 *  [T] Whoever gets a token sees what its last holder did: the addition that
 *      gives is a release, the one that takes an acquire; where they do not
 *      meet in `state`, the lock is between them.
 *
 *  [O] A giver that finds more takers than tokens has a task to serve, but that
 *      task may not have reached the list yet. It then leaves the token as
 *      `owed`, and the next task that comes to the lock in order to wait takes
 *      it and goes on. So neither waits for the other.
 *
 *  [S] Setting the number. Count the tokens that tasks have, that givers carry
 *      to the lock, and that are owed. Then, whenever nobody holds the lock,
 *
 *          had + carried + owed = the lesser of takers and tokens
 *
 *      Taking and giving keep it so, for one word tells them both numbers: a
 *      taker that finds a token left adds one to both sides; one that does not
 *      adds nothing; a giver takes one from both sides, or carries its own.
 *      Setting changes the right side, at once and by an amount that it sees,
 *      and then the left side under the lock. More tokens are handed out as if
 *      they were given. Fewer are taken from `owed`, first from those that
 *      nobody has yet; below zero it says how many are in use beyond their
 *      number, and givers that come to the lock leave theirs until it is zero.
 *
 *      So the number holds. While `owed` is not below zero, the tasks have no
 *      more than there are tokens. While it is, the lock hands out nothing, and
 *      a taker still finds a token left only if there are fewer takers than
 *      tokens, of whom those that have one are a part. */
#include "graph/limit.h"

/* The two halves of `state`. */
static unsigned tokens_of(uint64_t state) { return (unsigned)(state >> 32); }
static unsigned takers_of(uint64_t state) { return (unsigned)state; }

static unsigned lesser(uint64_t state)
{
    unsigned tokens = tokens_of(state), takers = takers_of(state);
    return takers < tokens ? takers : tokens;
}

void wf_limit_init(struct limit *l, unsigned tokens)
{
    *l = (struct limit){ .tokens = tokens };
    atomic_init(&l->state, (uint64_t)tokens << 32);
    pthread_mutex_init(&l->lock, NULL);
}

void wf_limit_finish(struct limit *l) { pthread_mutex_destroy(&l->lock); }

static void note_peak(struct limit *l, unsigned in_use)
{
    unsigned peak = load_relaxed(&l->peak);

    while (in_use > peak && !cas_relaxed(&l->peak, &peak, in_use))
        ;
}

bool wf_limit_take(struct limit *l)
{
    uint64_t before = add_seq_cst(&l->state, 1); /* [T], [K] in hand.c */

    if (takers_of(before) >= tokens_of(before))
        return false;
    note_peak(l, takers_of(before) + 1);
    return true;
}

bool wf_limit_try(struct limit *l)
{
    uint64_t state = load_relaxed(&l->state);

    while (takers_of(state) < tokens_of(state))
        if (cas_acq_rel(&l->state, &state, state + 1)) { /* [T] */
            note_peak(l, takers_of(state) + 1);
            return true;
        }
    return false;
}

bool wf_limit_is_short(const struct limit *l)
{
    uint64_t state = load_seq_cst(&l->state); /* [K] in hand.c */
    return takers_of(state) > tokens_of(state);
}

/* Under the lock. */
static void owe(struct limit *l, int64_t more)
{
    store_relaxed(&l->owed, load_relaxed(&l->owed) + more);
}

bool wf_limit_wait(struct limit *l, struct task *task)
{
    pthread_mutex_lock(&l->lock);
    bool served = load_relaxed(&l->owed) > 0; /* [O] */
    if (served)
        owe(l, -1);
    else
        task_list_add(&l->waiting, task);
    pthread_mutex_unlock(&l->lock);
    return served;
}

/* Under the lock: a token to the oldest in the list. NULL if there is nobody
 * yet, or if the token is kept: [O] [S]. */
static struct task *hand_out(struct limit *l)
{
    if (load_relaxed(&l->owed) < 0 || !l->waiting.first) {
        owe(l, 1);
        return NULL;
    }
    return task_list_take(&l->waiting);
}

struct task *wf_limit_give(struct limit *l)
{
    uint64_t before = sub_acq_rel(&l->state, 1); /* [T] */

    if (takers_of(before) <= tokens_of(before))
        return NULL;
    pthread_mutex_lock(&l->lock);
    struct task *next = hand_out(l);
    pthread_mutex_unlock(&l->lock);
    return next;
}

struct task_list wf_limit_set(struct limit *l, unsigned tokens)
{
    struct task_list served = { 0 };

    pthread_mutex_lock(&l->lock);
    uint64_t more = (uint64_t)tokens - load_relaxed(&l->tokens);
    uint64_t before = add_seq_cst(&l->state, more << 32); /* [T] [S], [K] */
    uint64_t after = before + (more << 32);
    store_relaxed(&l->tokens, tokens);
    note_peak(l, lesser(after));
    if (lesser(after) < lesser(before))
        owe(l, (int64_t)lesser(after) - lesser(before));
    for (unsigned n = lesser(before); n < lesser(after); n++) {
        struct task *next = hand_out(l);
        if (next)
            task_list_add(&served, next);
    }
    pthread_mutex_unlock(&l->lock);
    return served;
}

unsigned wf_limit_in_use(const struct limit *l)
{
    int64_t owed = load_relaxed(&l->owed);

    return lesser(load_relaxed(&l->state)) + (owed < 0 ? (unsigned)-owed : 0);
}
