/* waits.c: what an item waits for, and who holds it, in words. */
#include "graph/waits.h"

#include <inttypes.h>

enum { MOST_NAMED = 8 }; /* items in a list; of the others the count */

static const struct stage *stage_at(const struct look *l, unsigned i)
{
    return &l->run->plan->stages[i];
}

static const char *name_at(const struct look *l, unsigned stage)
{
    return stage_at(l, stage)->name;
}

/* A router is the stage before its fork. */
static const char *router_of(const struct look *l, const struct stage *stage)
{
    unsigned fork = stage->kind == JOIN
                        ? stage->join
                        : (unsigned)(stage - l->run->plan->stages);

    return name_at(l, fork - 1);
}

const char *wf_noun(const struct look *l, unsigned segment, bool many)
{
    const struct pipeline_plan *plan = l->run->plan;

    switch (plan->stages[plan->segments[segment].feeder].kind) {
    case GATHER:
        return many ? "batches" : "batch";
    case SCATTER:
        return many ? "pieces" : "piece";
    default:
        return many ? "items" : "item";
    }
}

void wf_put_time(struct line *line, const struct look *l, const struct seen *s)
{
    double seconds = (double)since(s->lately, l->now) * l->ns_per_tick / 1e9;

    if (s->lately)
        wf_put(line, seconds < 1 ? " for %.3f s" : " for %.1f s", seconds);
}

static void put_bytes(struct line *line, uint64_t bytes)
{
    static const char *const units[] = { "bytes", "KiB", "MiB", "GiB" };
    unsigned unit = 0;
    double value = (double)bytes;

    for (; value >= 1024 && unit < 3; unit++)
        value /= 1024;
    wf_put(line, "%.4g %s", value, units[unit]);
}

/* ---- who holds it ------------------------------------------------------ */

/* The tokens of its stage. */
static bool has_tokens(const struct seen *s)
{
    return s->place == RUNS || s->place == OUTSIDE || s->place == IS_BACK ||
           s->place == PENDS || s->place == SCATTERS ||
           (s->place == WANTS_TOKEN && !s->queued);
}

unsigned wf_put_holders(struct line *line, const struct look *l,
                        unsigned segment, wf_holds_fn *holds, const void *what)
{
    const struct segment_seen *all = &l->segments[segment];
    unsigned count = 0, n = 0;

    for (unsigned i = 0; i < all->count; i++)
        count += holds(l, &all->slots[i], what);
    if (count)
        wf_put(line, "%s ", wf_noun(l, segment, count > 1));
    for (unsigned i = 0; i < all->count && n < MOST_NAMED; i++) {
        if (!holds(l, &all->slots[i], what))
            continue;
        wf_put(line, "%s%" PRIu64, n++ ? ", " : "", all->slots[i].number);
    }
    if (count > n)
        wf_put(line, " and %u more", count - n);
    return count;
}

static bool holds_token(const struct look *l, const struct seen *s,
                        const void *stage)
{
    return has_tokens(s) && s->stage == *(const unsigned *)stage;
}

/* How many tokens of the limit. */
static unsigned holds_of(const struct look *l, const struct seen *s,
                         const weft_limit *limit)
{
    const struct stage *stage = has_tokens(s) ? stage_at(l, s->stage) : NULL;

    for (unsigned i = 0; stage && i < stage->use_count; i++)
        if (stage->uses[i].limit == limit)
            return stage->uses[i].tokens;
    return 0;
}

static bool holds_limit(const struct look *l, const struct seen *s,
                        const void *limit)
{
    return holds_of(l, s, limit) > 0;
}

/* Adds who has tokens of a limit: this run's items, and others. */
static void put_limit_holders(struct line *line, const struct look *l,
                              const weft_limit *limit, unsigned in_use)
{
    struct line who = { "", 0 };
    unsigned tokens = 0;

    for (unsigned i = 0; i < l->run->plan->segment_count; i++) {
        const struct segment_seen *s = &l->segments[i];
        struct line here = { "", 0 };
        for (unsigned k = 0; k < s->count; k++)
            tokens += holds_of(l, &s->slots[k], limit);
        if (wf_put_holders(&here, l, i, holds_limit, limit))
            wf_put(&who, "%s%s", who.length ? ", " : "", here.text);
    }
    if (tokens < in_use)
        wf_put(&who, "%sothers", who.length ? " and " : "");
    if (who.length)
        wf_put(line, ", held by %s", who.text);
}

bool wf_is_filled(const struct look *l, const struct seen *s)
{
    if (s->place <= FILL)
        return true;
    return s->stage != NOWHERE && stage_at(l, s->stage)->kind == SOURCE &&
           s->place != BORROWED && s->place != RELEASED &&
           s->place != IN_OUTLET;
}

/* Adds the one with this ticket, at this depth of routers. */
static void put_first(struct line *line, const struct look *l,
                      const struct seen *s, unsigned depth, uint64_t ticket)
{
    const struct segment_seen *all = &l->segments[s->segment];

    for (unsigned i = 0; i < all->count; i++) {
        const struct seen *o = &all->slots[i];
        bool there = !wf_is_filled(l, o) && o->stage != NOWHERE &&
                     (!depth || stage_at(l, o->stage)->depth >= depth);
        if (!there || o->ticket[depth] != ticket)
            continue;
        if (o->marker)
            wf_put(line, ", behind the end of epoch %" PRIu64, o->epoch);
        else
            wf_put(line, ", behind %s %" PRIu64, wf_noun(l, s->segment, false),
                   o->number);
        return;
    }
}

/* ---- what it waits for ------------------------------------------------- */

static void put_attempt(struct line *line, const struct seen *s)
{
    if (s->attempt > 1)
        wf_put(line, ", attempt %u", s->attempt);
}

static void ready(struct line *line, const struct look *l, const struct seen *s)
{
    if (s->stage == NOWHERE)
        wf_put(line, "is about to leave");
    else
        wf_put(line, "is ready for '%s' and waits for a worker",
               name_at(l, s->stage));
}

static void wants_turn(struct line *line, const struct look *l,
                       const struct seen *s)
{
    const struct stage *stage = stage_at(l, s->stage);
    struct stage_run *sr = &l->run->stages[s->stage];
    unsigned lane = l->run->plan->segments[s->segment].lane;
    struct turn *turn =
        stage->kind == MERGE ? &sr->merge.inputs[lane].turn : &sr->turn;
    uint64_t next = load_relaxed(&turn->next);

    if (next >= s->ticket[stage->depth]) {
        ready(line, l, s);
        return;
    }
    if (stage->kind == JOIN)
        wf_put(line, "waits for its turn behind the paths of '%s'",
               router_of(l, stage));
    else if (stage->kind == FORK)
        wf_put(line, "waits for its turn before the paths of '%s'",
               router_of(l, stage));
    else
        wf_put(line, "waits for its turn in '%s'", stage->name);
    put_first(line, l, s, stage->depth, next);
}

void wf_put_full(struct line *line, const struct look *l, unsigned segment)
{
    unsigned slots = l->segments[segment].count;

    if (slots == 1)
        wf_put(line, "the only one is in use");
    else
        wf_put(line, "all %u are in use", slots);
}

static void put_token_holders(struct line *line, const struct look *l,
                              const struct seen *s, unsigned tokens,
                              unsigned in_use)
{
    struct line who = { "", 0 };

    wf_put(line, "%u of %u %s held", in_use, tokens,
           in_use == 1 ? "is" : "are");
    if (wf_put_holders(&who, l, s->segment, holds_token, &s->stage))
        wf_put(line, " by %s", who.text);
}

/* An item waits for a token of its stage first, then for all limits at once. */
static void wants_limits(struct line *line, const struct look *l,
                         const struct seen *s)
{
    struct stage_run *sr = &l->run->stages[s->stage];
    unsigned n = 0;

    wf_put(line, "waits in '%s' for ", sr->stage->name);
    for (unsigned i = 0; i <= sr->stage->use_count; i++) {
        struct weft_limit_stats stats;
        if (!s->lacks[i].tokens)
            continue;
        weft_limit_stats(sr->uses[i].limit, &stats);
        if (n++)
            wf_put(line, " and ");
        if (!i) {
            wf_put(line, "a token (");
            put_token_holders(line, l, s, stats.tokens, stats.in_use);
            unsigned reserved = wf_limit_reserved(sr->uses[i].limit);
            if (reserved)
                wf_put(line, ", %u kept for who waits for a limit", reserved);
        } else {
            unsigned wants = s->lacks[i].tokens;
            unsigned left = stats.tokens - stats.in_use;
            if (stats.in_use > stats.tokens)
                left = 0;
            wf_put(line, "%u token%s of limit '%s' (%u of %u free", wants,
                   wants == 1 ? "" : "s", stats.name, left, stats.tokens);
            put_limit_holders(line, l, sr->uses[i].limit, stats.in_use);
        }
        if (s->lacks[i].before)
            wf_put(line, ", %u before it", s->lacks[i].before);
        wf_put(line, ")");
    }
    if (!n)
        wf_put(line, "its tokens");
}

static void wants_token(struct line *line, const struct look *l,
                        const struct seen *s)
{
    const struct pipeline_plan *plan = l->run->plan;
    struct stage_run *sr = &l->run->stages[s->stage];
    unsigned into = plan->segments[s->segment].into;

    if (!s->queued) {
        ready(line, l, s);
    } else if (sr->stage->use_count) {
        wants_limits(line, l, s);
    } else if (sr->stage->kind == GATHER && l->segments[into].hungry) {
        wf_put(line, "waits for '%s', which waits for a free slot: ",
               sr->stage->name);
        wf_put_full(line, l, into);
    } else {
        wf_put(line, "waits in '%s' for a token: ", sr->stage->name);
        put_token_holders(line, l, s, load_relaxed(&sr->limit.tokens),
                          wf_hand_in_use(sr));
    }
}

static void pends(struct line *line, const struct look *l, const struct seen *s)
{
    if (s->attempted.completed) {
        ready(line, l, s);
        return;
    }
    if (stage_at(l, s->stage)->where == WEFT_IO)
        wf_put(line, "waits in '%s' for its operation", name_at(l, s->stage));
    else
        wf_put(line, "is pending in '%s'", name_at(l, s->stage));
    wf_put_time(line, l, s);
    put_attempt(line, s);
    if (s->attempted.asked)
        wf_put(line, ", and was asked to end");
}

static void scatters(struct line *line, const struct look *l,
                     const struct seen *s)
{
    unsigned into = l->run->plan->segments[s->segment].into;
    const struct segment_seen *all = &l->segments[into];
    bool pays = false;

    for (unsigned i = 0; i < all->count; i++)
        pays |= all->slots[i].place == WANTS_COST;
    if (!pays && !all->hungry) {
        ready(line, l, s);
        return;
    }
    wf_put(line, "waits in '%s' for %s its next piece", name_at(l, s->stage),
           pays ? "the bytes of" : "a free slot for");
    if (pays)
        return;
    wf_put(line, ": ");
    wf_put_full(line, l, into);
}

/* A path has its name, or its number. */
static void put_lane(struct line *line, const struct stage *stage,
                     unsigned lane)
{
    if (stage->lanes[lane].name)
        wf_put(line, "'%s'", stage->lanes[lane].name);
    else
        wf_put(line, "%u", lane);
}

static bool is_in_path(const struct seen *s, unsigned first, unsigned end)
{
    return s->place >= AT_DOOR && s->stage >= first && s->stage < end;
}

/* Its stages are those up to the first of another path, or the join. */
static unsigned end_of_path(const struct stage *fork, unsigned path)
{
    for (unsigned i = path + 1; i < fork->lane_count; i++)
        if (fork->lanes[i].first != fork->join)
            return fork->lanes[i].first;
    return fork->join;
}

static void at_fork(struct line *line, const struct look *l,
                    const struct seen *s)
{
    const struct stage *fork = stage_at(l, s->stage);
    const struct segment_seen *all = &l->segments[s->segment];
    unsigned inside = 0;

    if (!s->queued) {
        ready(line, l, s);
        return;
    }
    if (s->lane == NOWHERE) {
        wf_put(line, "waits for room in any path of '%s'", router_of(l, fork));
        return;
    }
    const struct lane *lane = &fork->lanes[s->lane];
    for (unsigned i = 0; i < all->count; i++)
        inside +=
            is_in_path(&all->slots[i], lane->first, end_of_path(fork, s->lane));
    wf_put(line, "waits for room in path ");
    put_lane(line, fork, s->lane);
    wf_put(line, " of '%s': %u of %u are in it", router_of(l, fork), inside,
           lane->slots);
}

/* The input whose turn it is has nothing. */
static bool waits_for_input(struct line *line, const struct look *l,
                            const struct seen *s)
{
    struct merge *m = &l->run->stages[s->stage].merge;

    if (!m->in_turns)
        return false;
    pthread_mutex_lock(&m->lock);
    unsigned turn = m->turn;
    bool empty = !m->inputs[turn].waiting.first;
    pthread_mutex_unlock(&m->lock);
    if (turn == s->lane || !empty)
        return false;
    wf_put(line, "waits in '%s' for input ", name_at(l, s->stage));
    put_lane(line, stage_at(l, s->stage), turn);
    wf_put(line, ", whose turn it is");
    return true;
}

/* What leaves the segment comes into that one. */
static bool leads_into(const struct look *l, unsigned segment, unsigned into)
{
    do
        segment = l->run->plan->segments[segment].into;
    while (segment != NOWHERE && segment != into);
    return segment != NOWHERE;
}

/* The item that has to cross before this one is known, and named. */
static bool waits_at_border(struct line *line, const struct look *l,
                            const struct seen *s)
{
    for (unsigned i = 0; i < l->run->plan->segment_count; i++) {
        const struct segment_seen *all = &l->segments[i];
        for (unsigned k = 0; k < all->count; k++) {
            const struct seen *first = &all->slots[k];
            if (first == s || !first->first || first->place == FREE ||
                !leads_into(l, i, l->run->plan->segments[s->segment].into))
                continue;
            wf_put(line,
                   "waits before '%s' for %s %" PRIu64
                   ", which goes first: there were not enough bytes for it",
                   name_at(l, s->stage), wf_noun(l, i, false), first->number);
            return true;
        }
    }
    return false;
}

static void at_border(struct line *line, const struct look *l,
                      const struct seen *s)
{
    if (!s->queued || !waits_at_border(line, l, s))
        ready(line, l, s);
}

static void at_merge(struct line *line, const struct look *l,
                     const struct seen *s)
{
    unsigned into = stage_at(l, s->stage)->segment;

    if (s->marker) { /* what comes behind it is at the gate */
        wf_put(line, "waits in '%s' for the other inputs to end epoch %" PRIu64,
               name_at(l, s->stage), s->epoch);
    } else if (l->segments[into].hungry) {
        wf_put(line, "waits in '%s' for a free slot: ", name_at(l, s->stage));
        wf_put_full(line, l, into);
    } else if (!waits_for_input(line, l, s) && !waits_at_border(line, l, s)) {
        wf_put(line, "waits in '%s' for those before it", name_at(l, s->stage));
    }
}

static void at_gate(struct line *line, const struct look *l,
                    const struct seen *s)
{
    if (s->marker)
        wf_put(line, "waits before '%s' for the items before it",
               name_at(l, s->stage));
    else
        wf_put(line, "waits before '%s' for the end of epoch %" PRIu64,
               name_at(l, s->stage), s->epoch - 1);
}

void wf_put_budget(struct line *line, const struct look *l,
                   const struct seen *s)
{
    const struct seen *most = NULL;
    struct weft_budget_stats b;

    weft_run_budget(&l->run->run, &b);
    put_bytes(line, s->wants);
    wf_put(line, " of the budget: ");
    put_bytes(line, b.used);
    wf_put(line, " of ");
    put_bytes(line, b.budget);
    wf_put(line, " are used");
    for (unsigned i = 0; i < l->run->plan->segment_count; i++) {
        const struct segment_seen *all = &l->segments[i];
        for (unsigned k = 0; k < all->count; k++)
            if (all->slots[k].bytes && all->slots[k].place != FREE &&
                (!most || all->slots[k].bytes > most->bytes))
                most = &all->slots[k];
    }
    if (!most)
        return;
    wf_put(line, ", %s %" PRIu64 " has ", wf_noun(l, most->segment, false),
           most->number);
    put_bytes(line, most->bytes);
}

static void wants_bytes(struct line *line, const struct look *l,
                        const struct seen *s)
{
    if (!s->queued) {
        ready(line, l, s);
        return;
    }
    wf_put(line, "waits before '%s' for ", name_at(l, s->stage));
    wf_put_budget(line, l, s);
}

static void at_door(struct line *line, const struct look *l,
                    const struct seen *s)
{
    if (!s->early) {
        ready(line, l, s);
        return;
    }
    wf_put(line, "waits for its turn to be taken");
    put_first(line, l, s, 0, l->segments[s->segment].out_next);
}

static void runs(struct line *line, const struct look *l, const struct seen *s)
{
    wf_put(line, "runs in '%s'", name_at(l, s->stage));
    wf_put_time(line, l, s);
    put_attempt(line, s);
}

static void outside(struct line *line, const struct look *l,
                    const struct seen *s)
{
    bool pinned = stage_at(l, s->stage)->where == WEFT_PINNED;

    wf_put(line, "waits for %s '%s'",
           pinned ? "the thread of" : "a helper thread for",
           name_at(l, s->stage));
}

static void backs_off(struct line *line, const struct look *l,
                      const struct seen *s)
{
    wf_put(line, "waits in '%s' for the time of attempt %u",
           name_at(l, s->stage), s->attempt + 1);
    wf_put_time(line, l, s);
}

static void in_outlet(struct line *line, const struct look *l,
                      const struct seen *s)
{
    wf_put(line, "waits for the consumer to take it");
    wf_put_time(line, l, s);
}

static void leaves(struct line *line, const struct look *l,
                   const struct seen *s)
{
    wf_put(line, "was released, and leaves");
}

/* ---- all of them ------------------------------------------------------- */

typedef void tell_fn(struct line *line, const struct look *l,
                     const struct seen *s);

static tell_fn *const tells[] = {
    [AT_DOOR] = at_door,
    [PAST_GATE] = ready,
    [WANTS_BYTES] = wants_bytes,
    [HAS_BYTES] = ready,
    [WANTS_TURN] = wants_turn,
    [WANTS_TOKEN] = wants_token,
    [RUNS] = runs,
    [OUTSIDE] = outside,
    [IS_BACK] = ready,
    [PENDS] = pends,
    [BACKS_OFF] = backs_off,
    [SCATTERS] = scatters,
    [AT_FORK] = at_fork,
    [HAS_PATH] = ready,
    [AT_MERGE] = at_merge,
    [AT_BORDER] = at_border,
    [AT_GATE] = at_gate,
    [ENDS_EPOCH] = ready,
    [IN_OUTLET] = in_outlet,
    [RELEASED] = leaves,
};

void wf_put_wait(struct line *line, const struct look *l, const struct seen *s)
{
    tells[s->place](line, l, s);
}
