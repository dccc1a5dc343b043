/* claim.c: limits with a name, and requests for tokens of several at once.
 *
 * A claim that cannot have all its tokens takes none and joins the queue of
 * each of its limits. A use is met when its claim is the oldest in that queue
 * and its tokens are free there; a claim is granted when all its uses are met.
 *
 *  [Q] One order. A claim joins all its queues under one lock, and leaves them
 *      all when it is granted. So any two claims that meet in several queues
 *      stand in the same order in each.
 *
 *  [D] No deadlock. Of all claims that wait, take the one that joined first: by
 *      [Q] it is the oldest in each of its queues, so what it lacks is tokens.
 *      These are held by claims that were granted: they wait for nothing here,
 *      and give back. When a limit's last token is back at the latest, the use
 *      is met, also if it asks for more than there are: it runs alone.
 *
 *  [W] No starvation. Nobody is granted at a limit in whose queue another is
 *      older. So a claim waits for no more than what had tokens, or was in the
 *      queues, when it came; however many come behind it, or how few tokens
 *      they want.
 *
 *  [M] Met stays met. While a claim is the oldest at a limit nobody else is
 *      granted there, by [W], so tokens that are free for it stay free until
 *      it is granted, or until the number is lowered: then its use is looked
 *      at again. Therefore a claim need only count its unmet uses, and only
 *      the oldest is looked at, where something has changed: tokens came back,
 *      their number was set, or who was the oldest left. That is one look for
 *      each use of what was given or granted: N claims on one token cost N,
 *      not N squared, and none that waits is woken in vain.
 *
 *  [S] A stage's own token first. It is one of what its items claim, and only
 *      they do. A claim with such a use joins no other queue before that is
 *      met; else items that could not run anyway would stand in line at a limit
 *      before those of other stages that could. When it is met the token is
 *      reserved for the claim: it is not in use, but nobody else gets it. So a
 *      claim may have something while it waits. What it waits for then are the
 *      other limits, whose holders wait for nothing, and [D] is true of those
 *      queues alone; and in its stage's queue the oldest waits for no more than
 *      what has, or gets, all it needs. [W] is true of each queue.
 *
 *  [L] One lock for all limits, not one for each. A claim that is served may
 *      bring up another at a limit that has nothing to do with the giver; with
 *      locks of their own its limits would have to be locked in their order,
 *      so the first lock be dropped meanwhile; and then that claim may be
 *      granted, run, end its run, and the limit embedded in it be gone. What
 *      is done under the lock is a few additions; what was granted is made
 *      ready after it, so nobody's task and no wake-up runs under it.
 *
 *  [X] A claim that waits belongs to the lock; one that was granted, to its
 *      task. So a claim is not touched after the lock in which it began to
 *      wait, nor after its task was made ready.
 *
 *  [C] Times. What lasts is counted by adding its end and subtracting its
 *      beginning; with the present time as the end of what still lasts, that is
 *      the sum of the durations, whatever wraps in between. The clock is read
 *      before the lock is waited for, and may be behind what others have done
 *      since: so the time under the lock never goes back, else two would have
 *      had the same token at once. */
#include "graph/claim.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sched/sched.h"

static pthread_mutex_t all_limits = PTHREAD_MUTEX_INITIALIZER; /* [L] */
static uint64_t latest; /* ns: under the lock: [C] */

static void lock(void)
{
    chaos();
    pthread_mutex_lock(&all_limits);
}

/* The time under the lock. */
static uint64_t lock_at(void)
{
    uint64_t now = wf_now_ns();

    lock();
    if (latest < now)
        latest = now;
    return latest; /* [C] */
}

static void unlock(void)
{
    pthread_mutex_unlock(&all_limits);
    chaos();
}

/* Claims that were granted under one hold of the lock. */
struct granted {
    struct claim *first, *last;
};

static void add(struct granted *granted, struct claim *c)
{
    if (granted->last)
        granted->last->next = c;
    else
        granted->first = c;
    granted->last = c;
}

static bool fits(const struct weft_limit *l, unsigned tokens)
{
    uint64_t used = (uint64_t)l->in_use + l->reserved;

    return !used || used + tokens <= l->tokens; /* [D] */
}

static bool has_own(const struct claim *c)
{
    return c->count && c->uses[0].limit->own; /* [S] */
}

static void take_tokens(struct claim *c, uint64_t now)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct weft_limit *l = c->uses[i].limit;
        l->in_use += c->uses[i].tokens;
        if (l->in_use > l->peak)
            l->peak = l->in_use;
        l->granted++;
        l->busy_ns -= c->uses[i].tokens * now; /* [C] */
        if (l->each)
            wf_histogram_add(&l->each->wait,
                             c->uses[i].waits ? now - c->uses[i].since : 0, 1);
        c->uses[i].since = now;
    }
    if (has_own(c))
        c->uses[0].limit->reserved -= c->uses[0].tokens;
}

static void begin_to_wait(struct claim_use *u, uint64_t now)
{
    u->waits = true;
    u->since = now;
    u->limit->waiting++;
    u->limit->wait_ns -= now; /* [C] */
}

static void join_queue(struct claim_use *u)
{
    struct weft_limit *l = u->limit;

    if (l->last)
        l->last->next = u;
    else
        l->first = u;
    l->last = u;
}

/* Wherever it stands; most are the first. */
static void leave_queue(struct claim_use *u)
{
    struct weft_limit *l = u->limit;
    struct claim_use *before = NULL, *at = l->first;

    for (; at != u; at = at->next)
        before = at;
    if (before)
        before->next = u->next;
    else
        l->first = u->next;
    if (l->last == u)
        l->last = before;
}

/* These uses are met, or it waits for them. */
static bool ask(struct claim *c, unsigned first, unsigned end, uint64_t now)
{
    c->first = (uint8_t)first;
    c->unmet = 0;
    for (unsigned i = first; i < end; i++) {
        struct claim_use *u = &c->uses[i];
        u->met = !u->limit->first && fits(u->limit, u->tokens);
        c->unmet += !u->met;
    }
    if (!c->unmet)
        return true;
    for (unsigned i = first; i < end; i++) {
        begin_to_wait(&c->uses[i], now);
        join_queue(&c->uses[i]);
    }
    return false;
}

/* Its stage's own token is free for it: it asks for the others. */
static bool reserve(struct claim *c, uint64_t now)
{
    c->uses[0].limit->reserved += c->uses[0].tokens; /* [S] */
    if (ask(c, 1, c->count, now))
        return true;
    if (!c->uses[0].waits)
        begin_to_wait(&c->uses[0], now);
    return false;
}

static void end_to_wait(struct claim *c, uint64_t now)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct claim_use *u = &c->uses[i];
        u->limit->waiting -= u->waits;
        if (u->waits)
            u->limit->wait_ns += now; /* [C] */
    }
}

static void grant(struct claim *c, uint64_t now, struct granted *granted)
{
    end_to_wait(c, now);
    take_tokens(c, now);
    add(granted, c);
}

/* It waits for the others only, its stage's own token is kept for it. */
static bool had_own_token(const struct claim *c)
{
    return !has_own(c) || c->first > 0;
}

/* All that it waits for is met. */
static void go_on(struct claim *c, uint64_t now, struct granted *granted)
{
    bool had_own = had_own_token(c);

    for (unsigned i = c->first; i < (had_own ? c->count : 1); i++)
        leave_queue(&c->uses[i]);
    if (had_own || reserve(c, now))
        grant(c, now, granted);
}

/* Something has changed at this limit: [M]. Who goes on has left its queue, and
 * the next one there is the oldest. */
static void look(struct weft_limit *l, uint64_t now, struct granted *granted)
{
    struct claim_use *oldest;

    while ((oldest = l->first) && oldest->met != fits(l, oldest->tokens)) {
        struct claim *c = wf_claim_of(oldest);
        oldest->met = !oldest->met;
        if (!oldest->met)
            c->unmet++;
        else if (!--c->unmet)
            go_on(c, now, granted);
    }
}

static void look_at_all(const struct claim *c, uint64_t now,
                        struct granted *granted)
{
    for (unsigned i = 0; i < c->count; i++)
        look(c->uses[i].limit, now, granted);
}

/* Looks where those that were granted have left their queues; which may grant
 * more. Then gives up the lock. */
static void look_on(struct granted *granted, uint64_t now)
{
    for (struct claim *c = granted->first; c; c = c->next)
        look_at_all(c, now, granted);
    unlock();
}

static void make_ready(struct claim *c, weft_worker *self)
{
    while (c) {
        struct claim *next = c->next; /* [X] */
        wf_ready(c->sched, self, c->task);
        c = next;
    }
}

static void finish(struct granted *granted, uint64_t now)
{
    look_on(granted, now);
    if (granted->first)
        make_ready(granted->first, wf_worker_here());
}

/* No more is written than there is: wf_claim_size. */
static void begin(struct claim *c, const struct weft_use *uses, unsigned count)
{
    c->next = NULL;
    c->count = (uint8_t)count;
    c->first = c->unmet = 0;
    for (unsigned i = 0; i < count; i++) {
        unsigned tokens = uses[i].tokens ? uses[i].tokens : 1;
        c->uses[i] = (struct claim_use){ .limit = uses[i].limit,
                                         .tokens = tokens,
                                         .index = (uint8_t)i };
    }
}

bool wf_claim_take(struct claim *c, const struct weft_use *uses, unsigned count,
                   weft_sched *sched, struct task *task)
{
    uint64_t now = lock_at();

    begin(c, uses, count);
    c->task = task;
    c->sched = sched;
    bool own = has_own(c);
    bool mine = ask(c, 0, own ? 1 : count, now) && (!own || reserve(c, now));
    if (mine) /* [X] */
        take_tokens(c, now);
    unlock();
    return mine;
}

/* It waits for nothing any more, and gets nothing. */
static void give_up(struct claim *c, uint64_t now)
{
    bool had_own = had_own_token(c);

    for (unsigned i = c->first; i < (had_own ? c->count : 1); i++)
        leave_queue(&c->uses[i]);
    if (had_own && has_own(c))
        c->uses[0].limit->reserved -= c->uses[0].tokens; /* [S] */
    end_to_wait(c, now);
}

void wf_claim_hurry(struct claim *c)
{
    uint64_t now = lock_at();
    struct granted granted = { NULL };

    if (c->unmet) { /* it waits */
        give_up(c, now);
        look_at_all(c, now, &granted); /* who stood behind it */
        c->count = c->unmet = 0;
        add(&granted, c);
    }
    finish(&granted, now);
}

static void give(struct claim *c, struct granted *granted)
{
    uint64_t now = lock_at();

    for (unsigned i = 0; i < c->count; i++) {
        struct weft_limit *l = c->uses[i].limit;
        l->in_use -= c->uses[i].tokens;
        l->busy_ns += c->uses[i].tokens * now; /* [C] */
        if (l->each)
            wf_histogram_add(&l->each->hold, now - c->uses[i].since, 1);
    }
    look_at_all(c, now, granted);
    look_on(granted, now);
}

void wf_claim_give(struct claim *c)
{
    struct granted granted = { NULL };

    give(c, &granted);
    if (granted.first)
        make_ready(granted.first, wf_worker_here());
}

struct task *wf_claim_pass_on(weft_worker *self, struct claim *c)
{
    struct granted granted = { NULL };
    struct task *next = NULL;

    give(c, &granted);
    struct claim *first = granted.first;
    if (first && first->sched == weft_worker_sched(self)) {
        next = first->task;
        first = first->next; /* [X] */
    }
    make_ready(first, self);
    return next;
}

unsigned wf_limit_tokens(weft_limit *l)
{
    lock();
    unsigned tokens = l->tokens;
    unlock();
    return tokens;
}

void wf_limit_look(weft_limit *l, wf_claim_fn *visit, void *ctx)
{
    lock();
    for (const struct claim_use *u = l->first; u; u = u->next)
        visit(ctx, u);
    unlock();
}

unsigned wf_limit_reserved(weft_limit *l)
{
    lock();
    unsigned reserved = l->reserved;
    unlock();
    return reserved;
}

void wf_named_limit_init(struct weft_limit *l, const char *name,
                         unsigned tokens)
{
    *l = (struct weft_limit){ .name = name, .tokens = tokens, .own = true };
}

int weft_limit_create(weft_limit **out, const struct weft_limit_config *config,
                      weft_error *why)
{
    struct weft_limit_config c = { 0 };
    if (config)
        memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);

    if (!c.name || !*c.name)
        return wf_error(why, -EINVAL, "a limit has no name");
    if (!c.tokens)
        return wf_error(why, -EINVAL,
                        "limit %s has no tokens: at least 1 is needed", c.name);

    struct { /* in one piece: weft_limit_destroy frees it */
        struct weft_limit limit;
        struct limit_latencies each;
        char name[];
    } *made = calloc(1, sizeof *made + strlen(c.name) + 1);
    if (!made)
        return wf_error(why, -ENOMEM, "no memory for limit %s", c.name);
    made->limit = (struct weft_limit){ .name = strcpy(made->name, c.name),
                                       .tokens = c.tokens,
                                       .each = &made->each };
    *out = &made->limit;
    return 0;
}

void weft_limit_destroy(weft_limit *l) { free(l); }

const char *wf_limit_name(const weft_limit *l) { return l->name; }

void weft_limit_set(weft_limit *l, unsigned tokens)
{
    uint64_t now = lock_at();
    struct granted granted = { NULL };

    l->tokens = tokens ? tokens : 1;
    look(l, now, &granted);
    finish(&granted, now);
}

void weft_limit_stats(weft_limit *l, struct weft_limit_stats *out)
{
    uint64_t now = lock_at();

    *out = (struct weft_limit_stats){
        .name = l->name,
        .tokens = l->tokens,
        .in_use = l->in_use,
        .waiting = l->waiting,
        .peak = l->peak,
        .granted = l->granted,
        .wait_ns = l->wait_ns + l->waiting * now,
        .busy_ns = l->busy_ns + l->in_use * now,
    };
    struct histogram_sum wait = { 0 }, hold = { 0 };
    if (l->each) {
        wf_histogram_add_up(&wait, &l->each->wait);
        wf_histogram_add_up(&hold, &l->each->hold);
    }
    unlock();
    wf_histogram_quantiles(&wait, 1, &out->wait_latency);
    wf_histogram_quantiles(&hold, 1, &out->hold_latency);
}
