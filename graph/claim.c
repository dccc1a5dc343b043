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
 *      ready after it, so nobody's task and no wake-up runs under it. Where
 *      nobody waits, and requests come fast, they do without it: open.h.
 *
 *  [X] A claim that waits belongs to the lock; one that was granted, to its
 *      task. So a claim is not touched after the lock in which it began to
 *      wait, nor after its task was made ready.
 *
 *  [C] Times. What lasts is counted by adding its end and subtracting its
 *      beginning; with the present time as the end of what still lasts, that is
 *      the sum of the durations, whatever wraps in between. The clock is read
 *      under the lock, so it never goes back there, else two would have had the
 *      same token at once; and no more than once in each pass, so one request's
 *      end is the next one's beginning.
 *
 *  [T] Whose times are taken. Two looks at the clock cost as much as all else
 *      that a request costs. Where they come so fast that this would be felt,
 *      one of every GROUP is timed, and its times count so many times. Which
 *      one differs from group to group, so that nothing that comes round
 *      regularly is always missed. All are timed again as soon as the coarse
 *      clock, which costs next to nothing, says that it is a while since one
 *      was. */
#include "graph/claim.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "graph/open.h"
#include "sched/sched.h"

/* A group of requests in less than this is fast: [T]. */
enum { FAST_NS = 1500 * GROUP };

static pthread_mutex_t all_limits = PTHREAD_MUTEX_INITIALIZER; /* [L] */

static void lock(void)
{
    chaos();
    pthread_mutex_lock(&all_limits);
}

static void unlock(void)
{
    pthread_mutex_unlock(&all_limits);
    chaos();
}

/* What is done under one hold of the lock. */
struct pass {
    uint64_t now;               /* ns, once the clock was read: [C] */
    struct claim *first, *last; /* that were granted */
};

static uint64_t time_of(struct pass *p)
{
    if (!p->now)
        p->now = wf_now_ns();
    return p->now;
}

static void add(struct pass *p, struct claim *c)
{
    if (p->last)
        p->last->next = c;
    else
        p->first = c;
    p->last = c;
}

/* How many times the next request's times count: [T]. */
static uint8_t next_weight(struct weft_limit *l, struct pass *p)
{
    if (wf_is_timed((uint32_t)l->asked++)) {
        uint64_t now = time_of(p);
        store_relaxed(&l->is_fast, now - load_relaxed(&l->timed) < FAST_NS);
        store_relaxed(&l->timed, now);
        return load_relaxed(&l->is_fast) ? GROUP : 1;
    }
    if (load_relaxed(&l->is_fast) && wf_limit_paused(l))
        store_relaxed(&l->is_fast, false);
    return !load_relaxed(&l->is_fast);
}

static bool fits(const struct weft_limit *l, unsigned tokens)
{
    uint64_t used = (uint64_t)l->in_use + l->reserved;

    return !used || used + tokens <= load_relaxed(&l->tokens); /* [D] */
}

static bool has_own(const struct claim *c)
{
    return c->count && c->uses[0].limit->own; /* [S] */
}

static void take_tokens(struct claim *c, struct pass *p)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct claim_use *u = &c->uses[i];
        struct weft_limit *l = u->limit;
        l->in_use += u->tokens;
        if (l->in_use > load_relaxed(&l->peak))
            store_relaxed(&l->peak, l->in_use);
        l->granted++;
        if (!u->weight)
            continue;
        uint64_t now = time_of(p), timed = (uint64_t)u->weight * u->tokens;
        l->busy_ns -= timed * now; /* [C] */
        l->timed_in_use += timed;
        if (l->each)
            wf_histogram_add(&l->each->wait, u->waits ? now - u->since : 0,
                             u->weight);
        u->since = now;
    }
    if (has_own(c))
        c->uses[0].limit->reserved -= c->uses[0].tokens;
}

static void give_tokens(struct claim *c, struct pass *p)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct claim_use *u = &c->uses[i];
        struct weft_limit *l = u->limit;
        l->in_use -= u->tokens;
        if (!u->weight)
            continue;
        uint64_t now = time_of(p), timed = (uint64_t)u->weight * u->tokens;
        l->busy_ns += timed * now; /* [C] */
        l->timed_in_use -= timed;
        if (l->each)
            wf_histogram_add(&l->each->hold, now - u->since, u->weight);
    }
}

static void begin_to_wait(struct claim_use *u, struct pass *p)
{
    u->waits = true;
    u->limit->waiting++;
    if (!u->weight)
        return;
    u->since = time_of(p);
    u->limit->wait_ns -= u->weight * u->since; /* [C] */
    u->limit->timed_waiting += u->weight;
}

static void end_to_wait(struct claim *c, struct pass *p)
{
    for (unsigned i = 0; i < c->count; i++) {
        struct claim_use *u = &c->uses[i];
        if (!u->waits)
            continue;
        u->limit->waiting--;
        if (!u->weight)
            continue;
        u->limit->wait_ns += u->weight * time_of(p); /* [C] */
        u->limit->timed_waiting -= u->weight;
    }
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
static bool ask(struct claim *c, unsigned first, unsigned end, struct pass *p)
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
        begin_to_wait(&c->uses[i], p);
        join_queue(&c->uses[i]);
    }
    return false;
}

/* Its stage's own token is free for it: it asks for the others. */
static bool reserve(struct claim *c, struct pass *p)
{
    c->uses[0].limit->reserved += c->uses[0].tokens; /* [S] */
    if (ask(c, 1, c->count, p))
        return true;
    if (!c->uses[0].waits)
        begin_to_wait(&c->uses[0], p);
    return false;
}

static void grant(struct claim *c, struct pass *p)
{
    end_to_wait(c, p);
    take_tokens(c, p);
    add(p, c);
}

/* It waits for the others only, its stage's own token is kept for it. */
static bool had_own_token(const struct claim *c)
{
    return !has_own(c) || c->first > 0;
}

/* All that it waits for is met. */
static void go_on(struct claim *c, struct pass *p)
{
    bool had_own = had_own_token(c);

    for (unsigned i = c->first; i < (had_own ? c->count : 1); i++)
        leave_queue(&c->uses[i]);
    if (had_own || reserve(c, p))
        grant(c, p);
}

/* Something has changed at this limit: [M]. Who goes on has left its queue, and
 * the next one there is the oldest. */
static void look(struct weft_limit *l, struct pass *p)
{
    struct claim_use *oldest;

    while ((oldest = l->first) && oldest->met != fits(l, oldest->tokens)) {
        struct claim *c = wf_claim_of(oldest);
        oldest->met = !oldest->met;
        if (!oldest->met)
            c->unmet++;
        else if (!--c->unmet)
            go_on(c, p);
    }
}

static void look_at_all(const struct claim *c, struct pass *p)
{
    for (unsigned i = 0; i < c->count; i++)
        look(c->uses[i].limit, p);
}

/* Looks where those that were granted have left their queues; which may grant
 * more. */
static void look_at_granted(struct pass *p)
{
    for (struct claim *c = p->first; c; c = c->next)
        look_at_all(c, p);
}

static void make_ready(struct claim *c, weft_worker *self)
{
    while (c) {
        struct claim *next = c->next; /* [X] */
        wf_ready(c->sched, self, c->task);
        c = next;
    }
}

/* Gives up the lock, and makes ready who was granted. */
static void finish(struct pass *p)
{
    look_at_granted(p);
    unlock();
    if (p->first)
        make_ready(p->first, wf_worker_here());
}

static unsigned wanted(const struct weft_use *use)
{
    return use->tokens ? use->tokens : 1;
}

/* No more is written than there is: wf_claim_size; and not what wf_claim_hurry
 * looks at, which is 0 of what does not wait. */
static void begin(struct claim *c, const struct weft_use *uses, unsigned count)
{
    c->next = NULL;
    c->count = (uint8_t)count;
    c->first = 0;
    for (unsigned i = 0; i < count; i++)
        c->uses[i] = (struct claim_use){ .limit = uses[i].limit,
                                         .tokens = wanted(&uses[i]),
                                         .index = (uint8_t)i };
}

static void close_all(const struct claim *c)
{
    for (unsigned i = 0; i < c->count; i++)
        wf_close(c->uses[i].limit);
}

bool wf_claim_take_alone(const struct weft_use *use)
{
    return wf_open_take(use->limit, wanted(use));
}

bool wf_claim_take(struct claim *c, const struct weft_use *uses, unsigned count,
                   weft_sched *sched, struct task *task)
{
    struct pass p = { 0 };

    begin(c, uses, count);
    c->task = task;
    c->sched = sched;
    lock();
    close_all(c);
    for (unsigned i = 0; i < count; i++)
        c->uses[i].weight = next_weight(c->uses[i].limit, &p);
    bool own = has_own(c);
    bool mine = ask(c, 0, own ? 1 : count, &p) && (!own || reserve(c, &p));
    if (mine) /* [X] */
        take_tokens(c, &p);
    if (count == 1)
        wf_open(uses[0].limit);
    unlock();
    return mine;
}

/* It waits for nothing any more, and gets nothing. */
static void give_up(struct claim *c, struct pass *p)
{
    bool had_own = had_own_token(c);

    for (unsigned i = c->first; i < (had_own ? c->count : 1); i++)
        leave_queue(&c->uses[i]);
    if (had_own && has_own(c))
        c->uses[0].limit->reserved -= c->uses[0].tokens; /* [S] */
    end_to_wait(c, p);
}

void wf_claim_hurry(struct claim *c)
{
    struct pass p = { 0 };

    lock();
    if (c->unmet) { /* it waits */
        give_up(c, &p);
        look_at_all(c, &p); /* who stood behind it */
        c->count = c->unmet = 0;
        add(&p, c);
    }
    finish(&p);
}

static void give(struct claim *c, struct pass *p)
{
    bool alone = c->count == 1;

    if (alone && !c->uses[0].weight &&
        wf_open_give(c->uses[0].limit, c->uses[0].tokens))
        return;
    lock();
    close_all(c);
    give_tokens(c, p);
    look_at_all(c, p);
    look_at_granted(p);
    if (alone)
        wf_open(c->uses[0].limit);
    unlock();
}

void wf_claim_give(struct claim *c)
{
    struct pass p = { 0 };

    give(c, &p);
    if (p.first)
        make_ready(p.first, wf_worker_here());
}

struct task *wf_claim_pass_on(weft_worker *self, struct claim *c)
{
    struct pass p = { 0 };
    struct task *next = NULL;

    give(c, &p);
    struct claim *first = p.first;
    if (first && self && first->sched == weft_worker_sched(self)) {
        next = first->task;
        first = first->next; /* [X] */
    }
    make_ready(first, self);
    return next;
}

struct task *wf_claim_give_alone(weft_worker *self, const struct weft_use *use)
{
    struct claim c;

    if (wf_open_give(use->limit, wanted(use)))
        return NULL;
    begin(&c, use, 1);
    return wf_claim_pass_on(self, &c);
}

unsigned wf_limit_tokens(weft_limit *l) { return load_relaxed(&l->tokens); }

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
    *l = (struct weft_limit){
        .name = name, .tokens = tokens, .own = true, .open = LIMIT_CLOSED
    };
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
                                       .open = LIMIT_CLOSED,
                                       .each = &made->each };
    *out = &made->limit;
    return 0;
}

void weft_limit_destroy(weft_limit *l) { free(l); }

const char *wf_limit_name(const weft_limit *l) { return l->name; }

void weft_limit_set(weft_limit *l, unsigned tokens)
{
    struct pass p = { 0 };

    lock();
    wf_close(l);
    l->asked +=
        GROUP; /* [A] in open.h; and nobody's place in a group changes */
    store_relaxed(&l->tokens, tokens ? tokens : 1);
    look(l, &p);
    finish(&p);
}

void weft_limit_stats(weft_limit *l, struct weft_limit_stats *out)
{
    lock();
    wf_close(l);
    uint64_t now = wf_now_ns();
    *out = (struct weft_limit_stats){
        .name = l->name,
        .tokens = load_relaxed(&l->tokens),
        .in_use = l->in_use,
        .waiting = l->waiting,
        .peak = load_relaxed(&l->peak),
        .granted = l->granted,
        .wait_ns = l->wait_ns + l->timed_waiting * now,
        .busy_ns = l->busy_ns + l->timed_in_use * now,
    };
    struct histogram_sum wait = { 0 }, hold = { 0 };
    if (l->each) {
        wf_histogram_add_up(&wait, &l->each->wait);
        wf_histogram_add_up(&hold, &l->each->hold);
    }
    wf_open(l);
    unlock();
    wf_histogram_quantiles(&wait, 1, &out->wait_latency);
    wf_histogram_quantiles(&hold, 1, &out->hold_latency);
}
