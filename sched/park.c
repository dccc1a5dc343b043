/* park.c: who searches for work, who sleeps, and who is woken.
 *
 * A worker without work becomes a searcher, unless half of the workers already
 * are; a searcher that finds nothing goes to sleep in its berth. Waking costs
 * the waker microseconds, so whoever publishes a task wakes a worker only if
 * nobody searches, and the woken one counts as a searcher from that moment on.
 *
 * `state` holds both counts, searchers in its low half and sleepers in its high
 * half, and every change of either is one read-modify-write of it. `asleep`
 * says whose berths are occupied.
 *
 *  [W] No wake-up is lost. Whoever publishes a task does
 *
 *          publish the task (seq_cst), then [N] read the state (seq_cst),
 *
 *      and wakes a sleeper if there is one and no searcher. A worker that
 *      stops searching, or goes to sleep, does
 *
 *          [S] change the state (seq_cst), then, if that left no searcher,
 *          [R] look at everything that is published (seq_cst),
 *
 *      and acts as if it had just published what it sees. (Some publish with
 *      less, and [R] pays for it: [W] in deque.c.) Take a task T, and
 *      all that follows in the one order of the seq_cst operations.
 *       - [N] saw a searcher. It stops searching later than [N]; and the last
 *         of those who search then does [R] after [N], so it sees T, or T is
 *         taken.
 *       - [N] saw no searcher but a sleeper: it is woken, is a searcher, and
 *         the first case holds for whoever publishes while it is.
 *       - [N] saw neither. Then every worker's next [S] comes after [N]. It
 *         leaves no searcher, and [R] sees T; or it leaves one, whose own [S]
 *         comes later still, and the last of them does [R].
 *
 *      A worker that stops searching when nobody sleeps need not do [R]: all
 *      others are awake, and whoever falls asleep first does it.
 *
 *  [B] Whoever moved a sleeper to the searchers in the state finds a bit to
 *      take in `asleep`: a worker sets its bit before it counts itself a
 *      sleeper. It may take the bit of one that has not counted itself yet;
 *      that one finds itself woken as soon as it has, and the counts agree
 *      again.
 *
 *  [H] Hand-over: what the waker did before it set `woken`, the woken sees.
 *
 *  [C] Close. close() sets `closed`, then every `woken`; a worker clears its
 *      `woken`, then reads `closed`. All four are seq_cst: it reads true, or
 *      its `woken` is set after it was cleared.
 *
 *  [L] Call. The caller counts its call, then looks whether the bit is set; a
 *      worker sets its bit and counts itself a sleeper, then looks for calls,
 *      all seq_cst. If the caller does not see the bit, the worker sees the
 *      call before it sleeps, and does what the caller does: wakes one, this
 *      one before others, until its bit is gone. If there is the bit and nobody
 *      is counted, the worker is about to be; or it was, looked for calls, and
 *      its count served to wake one that is about to be, [B]. So the caller
 *      tries again. Who has taken the bit sets `woken` next and wakes: so a
 *      worker that is called and has seen its bit gone may wait for that on the
 *      futex, once more, and need not look on. The one who is to wake it may
 *      have no core but this one.
 *
 * The same protocol, with the counts in one word, is Go's (proc.go) and tokio's
 * (idle.rs). */
#include "sched/park.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "sched/futex.h"
#include "sched/spin.h"

#define SEARCHER ((uint64_t)1)
#define SLEEPER  ((uint64_t)1 << 32)

static unsigned searchers(uint64_t state) { return (uint32_t)state; }
static unsigned sleepers(uint64_t state) { return state >> 32; }
static unsigned words(unsigned workers) { return (workers + 63) / 64; }

int wf_park_init(struct park *p, unsigned workers, bool (*visible)(void *),
                 void *ctx)
{
    *p = (struct park){ .workers = workers, .visible = visible, .ctx = ctx };
    p->berths =
        aligned_alloc(alignof(struct berth), workers * sizeof *p->berths);
    p->asleep = calloc(words(workers), sizeof *p->asleep);
    if (!p->berths || !p->asleep)
        return -ENOMEM;
    for (unsigned i = 0; i < workers; i++)
        p->berths[i] = (struct berth){ 0 };
    return 0;
}

void wf_park_finish(struct park *p)
{
    free(p->berths);
    free(p->asleep);
}

bool wf_park_start_search(struct park *p)
{
    uint64_t state = load_relaxed(&p->state);

    do {
        unsigned now = searchers(state);
        if (now && 2 * (now + 1) > p->workers)
            return false;
        if (now + 1 > load_relaxed(&p->most_searchers))
            store_relaxed(&p->most_searchers, now + 1);
    } while (!cas_seq_cst(&p->state, &state, state + SEARCHER)); /* [W] */
    return true;
}

static void wake(struct park *p, unsigned worker)
{
    store_seq_cst(&p->berths[worker].woken, 1); /* [H] [C] */
    wf_futex_wake(&p->berths[worker].woken, 1);
}

/* Takes the bit of one sleeper, the closest at or after `near`: [B]. */
static unsigned take_sleeper(struct park *p, unsigned near)
{
    for (unsigned i = near / 64, low = near % 64;; i++, low = 0) {
        _Atomic uint64_t *word = &p->asleep[i % words(p->workers)];
        uint64_t bits = load_relaxed(word);
        if (bits >> low << low)
            bits = bits >> low << low;
        if (!bits)
            continue;
        unsigned bit = (unsigned)__builtin_ctzll(bits);
        uint64_t mask = (uint64_t)1 << bit;
        if (and_seq_cst(word, ~mask) & mask) /* [B] */
            return (unsigned)(word - p->asleep) * 64 + bit;
    }
}

bool wf_park_expects(struct park *p)
{
    uint64_t state = load_seq_cst(&p->state); /* [W]: this is [N] */

    return !searchers(state) && sleepers(state);
}

void wf_park_notify(struct park *p, unsigned near)
{
    uint64_t state = load_seq_cst(&p->state); /* [W]: this is [N] */

    do {
        if (searchers(state) || !sleepers(state))
            return;
    } while (!cas_seq_cst(&p->state, &state, /* [W] */
                          state + SEARCHER - SLEEPER));
    add_relaxed(&p->wakes, 1);
    wake(p, take_sleeper(p, near));
    wf_spin_has_woken();
}

void wf_park_end_search(struct park *p)
{
    uint64_t before = sub_seq_cst(&p->state, SEARCHER); /* [W]: this is [S] */

    if (searchers(before) == 1 && sleepers(before) && /* [W] */
        p->visible(p->ctx))                           /* [R] */
        wf_park_notify(p, 0);
}

/* Wakes one that sleeps, this one before others; false: none is counted. */
static bool wake_one(struct park *p, unsigned worker)
{
    uint64_t state = load_seq_cst(&p->state); /* [W] */

    do {
        if (!sleepers(state))
            return false;
    } while (!cas_seq_cst(&p->state, &state, /* [W] */
                          state + SEARCHER - SLEEPER));
    wake(p, take_sleeper(p, worker));
    return true;
}

/* Until somebody has taken its bit, and so is about to wake it. */
static void rouse(struct park *p, unsigned worker)
{
    uint64_t mask = (uint64_t)1 << worker % 64;

    while ((load_seq_cst(&p->asleep[worker / 64]) & mask) && /* [L] */
           !wake_one(p, worker))
        cpu_pause();
}

void wf_park_call(struct park *p, unsigned worker)
{
    add_seq_cst(&p->berths[worker].calls, 1); /* [L] */
    rouse(p, worker);
}

void wf_park_answer(struct park *p, unsigned worker)
{
    sub_seq_cst(&p->berths[worker].calls, 1); /* [L] */
}

bool wf_park_called(struct park *p, unsigned worker)
{
    return load_relaxed(&p->berths[worker].calls);
}

void wf_park_sleep(struct park *p, unsigned worker, bool searching)
{
    struct berth *berth = &p->berths[worker];
    uint64_t change = SLEEPER - (searching ? SEARCHER : 0);

    store_seq_cst(&berth->woken, 0);                                 /* [C] */
    or_seq_cst(&p->asleep[worker / 64], (uint64_t)1 << worker % 64); /* [B] */
    uint64_t after = add_seq_cst(&p->state, change) + change; /* [W]: [S] */

    if (!searchers(after) && p->visible(p->ctx)) /* [R] */
        wf_park_notify(p, worker);
    while (!wf_park_closed(p) && !load_acquire(&berth->woken)) { /* [H] */
        if (load_seq_cst(&berth->calls))                         /* [L] */
            rouse(p, worker);
        wf_futex_wait(&berth->woken, 0, -1);
    }
}

bool wf_park_closed(struct park *p)
{
    return load_seq_cst(&p->closed); /* [C] */
}

void wf_park_close(struct park *p)
{
    store_seq_cst(&p->closed, true); /* [C] */
    for (unsigned i = 0; i < p->workers; i++)
        wake(p, i);
}
