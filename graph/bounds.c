/* bounds.c: how much of everything a run has used, and what that allows.
 *
 * Each resource has been in use for some part of the time that it had:
 *
 *     tokens of a stage     items were in the callback, or pending
 *     a thread, the workers callbacks ran there
 *     a limit               token-seconds, of all who use it
 *     a source              it was asked for an item and had not given it; one
 *                           that is fed: it could have been fed
 *     the consumer          it did not ask in vain
 *     slots, a path         by Little's law: the items in them were served, on
 *                           average so many at a time. Waits are not counted:
 *                           they would be as long with more slots, for they are
 *                           for something else in this list (or for an item
 *                           before: explain.c)
 *     the budget            the same in bytes
 *
 * So what has no time left is the bottleneck, and all others have as much time
 * left as the speed may grow until they are it: use is proportional to speed.
 * Nothing of this needs to know how many items a gather puts into one, or what
 * part of them takes which path. */
#include "graph/bounds.h"

#include <stdlib.h>

struct bounds {
    struct pipeline_run *run;
    const struct account *account;
    struct resource *found;
    unsigned count;
};

static const struct stage_account *used_by(const struct bounds *b,
                                           unsigned stage)
{
    return &b->account->stages[stage];
}

/* `busy` nanoseconds of `count` that were there, of which one more would make
 * `more`. */
static struct resource *add(struct bounds *b, enum resource_kind kind,
                            double busy, double count, double more)
{
    struct resource *r = &b->found[b->count++];
    double all = b->account->ns;

    *r = (struct resource){
        .kind = kind,
        .count = (unsigned)count,
        .use = busy / (count * all),
        .with_more = busy / (more * all),
        .with_worker = busy / (count * all),
    };
    return r;
}

static double service(const struct bounds *b, unsigned stage)
{
    const struct stage_account *s = used_by(b, stage);
    return s->run + s->pending;
}

static bool on_workers(const struct stage *stage)
{
    return stage->where < WEFT_BLOCKING && !stage->fed;
}

/* ---- who does the work ------------------------------------------------- */

static void add_source(struct bounds *b, unsigned i)
{
    bool fed = b->run->plan->stages[i].fed;
    double busy = fed ? used_by(b, i)->open : service(b, i);

    add(b, OF_SOURCE, busy, 1, 1)->stage = i;
}

/* One token for each worker follows their number, unless it was set. */
static bool follows_workers(const struct bounds *b, unsigned i, unsigned tokens)
{
    const struct stage *s = &b->run->plan->stages[i];

    return (s->kind == STAGE || s->kind == ROUTER) && !s->tokens &&
           s->where == WEFT_CPU && tokens == b->run->workers;
}

static void add_stage(struct bounds *b, unsigned i)
{
    struct stage_run *sr = &b->run->stages[i];
    const struct stage *stage = sr->stage;
    unsigned tokens = load_relaxed(&sr->limit.tokens);

    if (stage->use_count)
        tokens = wf_limit_tokens(&sr->own);
    if (!tokens || tokens == WEFT_UNLIMITED)
        return;
    bool fixed = stage->kind == GATHER || stage->kind == SCATTER;
    struct resource *r =
        add(b, OF_STAGE, service(b, i), tokens, fixed ? 1 : tokens + 1.0);
    r->stage = i;
    r->held = r->use + used_by(b, i)->ready / (tokens * b->account->ns);
    if (follows_workers(b, i, tokens))
        r->with_worker = r->with_more;
}

/* The thread of a pinned stage, once for all that share it. */
static void add_thread(struct bounds *b, unsigned first)
{
    const struct pipeline_run *run = b->run;
    const weft_thread *thread = run->stages[first].thread;
    unsigned busiest = first;
    double busy = 0;

    for (unsigned i = 0; i < run->plan->stage_count; i++) {
        if (!thread || run->stages[i].thread != thread)
            continue;
        if (i < first)
            return;
        busy += used_by(b, i)->run;
        if (used_by(b, i)->run > used_by(b, busiest)->run)
            busiest = i;
    }
    if (thread)
        add(b, OF_THREAD, busy, 1, 1)->stage = busiest;
}

static void add_workers(struct bounds *b)
{
    const struct pipeline_run *run = b->run;
    double workers = run->workers, busy = 0;
    unsigned busiest = 0;

    for (unsigned i = 0; i < run->plan->stage_count; i++) {
        double mine = used_by(b, i)->run;
        if (!on_workers(&run->plan->stages[i]))
            continue;
        busy += mine;
        if (mine > used_by(b, busiest)->run)
            busiest = i;
    }
    struct resource *r = add(b, OF_WORKERS, busy, workers, workers + 1);
    r->stage = busiest;
    r->with_worker = r->with_more;
}

static void add_consumer(struct bounds *b)
{
    const struct pipeline_plan *plan = b->run->plan;
    unsigned end = plan->segments[plan->last].end;

    if (end != NOWHERE)
        add(b, OF_CONSUMER, b->account->ns - b->account->starved, 1, 1)->stage =
            end;
}

/* ---- limits ------------------------------------------------------------ */

static unsigned tokens_taken(const struct stage *stage, weft_limit *limit)
{
    for (unsigned k = 0; k < stage->use_count; k++)
        if (stage->uses[k].limit == limit)
            return stage->uses[k].tokens;
    return 0;
}

/* Of so many tokens, what requests for `each` can use at one time. */
static double usable(unsigned tokens, unsigned each)
{
    return tokens < each ? each : (double)(tokens / each * each);
}

static void add_limit(struct bounds *b, unsigned index)
{
    const struct pipeline_plan *plan = b->run->plan;
    weft_limit *limit = b->run->limits[index].limit;
    double all = b->account->limits[index], mine = 0, most = -1;
    unsigned users = 0, each = 1, busiest = 0;
    unsigned tokens = wf_limit_tokens(limit);

    for (unsigned i = 0; i < plan->stage_count; i++) {
        unsigned takes = tokens_taken(&plan->stages[i], limit);
        double held = used_by(b, i)->holding * takes;
        if (!takes)
            continue;
        users++;
        mine += held;
        if (held <= most)
            continue;
        most = held;
        busiest = i;
        each = takes;
    }
    if (users > 1 || mine < 0.98 * all)
        each = 1; /* what one leaves, another may take */
    struct resource *r =
        add(b, OF_LIMIT, all, usable(tokens, each), usable(tokens + 1, each));
    r->count = tokens;
    r->stage = busiest;
    r->index = index;
    r->others = all > mine ? r->use * (all - mine) / all : 0;
}

/* ---- room -------------------------------------------------------------- */

/* Of all items that are in these stages of a segment. */
static double served_in(const struct bounds *b, unsigned segment, unsigned from,
                        unsigned to)
{
    const struct pipeline_plan *plan = b->run->plan;
    double sum = 0;

    for (unsigned i = from; i < to; i++)
        if (plan->stages[i].segment == segment && !plan->stages[i].fed)
            sum += service(b, i) + used_by(b, i)->retry;
    if (segment == plan->last)
        sum += b->account->borrowed;
    return sum;
}

/* Some stage of the segment takes items in an order that a stage before it does
 * not keep. */
static bool orders(const struct pipeline_run *run, unsigned segment)
{
    const struct pipeline_plan *plan = run->plan;
    bool mixed = false;

    for (unsigned i = 0; i < plan->stage_count; i++) {
        const struct stage *stage = &plan->stages[i];
        if (stage->segment != segment || i == plan->segments[segment].feeder)
            continue;
        if (stage->ordered && mixed)
            return true;
        mixed |=
            stage->kind == FORK || wf_stage_tokens(stage, run->workers) != 1;
    }
    return false;
}

/* Of the budget: what an item has from this stage on, or 0: as before. */
static double bytes_from(const struct bounds *b, unsigned stage)
{
    const struct stage_account *s = used_by(b, stage);

    return b->run->plan->stages[stage].bytes && s->in > 0 ? s->bytes / s->in
                                                          : 0;
}

/* The most that an item of the segment has. */
static double bytes_of(const struct bounds *b, unsigned segment)
{
    const struct pipeline_plan *plan = b->run->plan;
    double most = (double)plan->segments[segment].items.cost;

    for (unsigned i = 0; i < plan->stage_count; i++)
        if (plan->stages[i].segment == segment && bytes_from(b, i) > most)
            most = bytes_from(b, i);
    return most;
}

static void add_slots(struct bounds *b, unsigned segment)
{
    const struct pipeline_plan *plan = b->run->plan;
    const struct segment_plan *s = &plan->segments[segment];
    const struct stage *feeder = &plan->stages[s->feeder];
    double busy = served_in(b, segment, 0, plan->stage_count);

    if (feeder->kind == GATHER)
        busy += used_by(b, s->feeder)->open; /* a batch that is not full yet */
    if (feeder->kind == SCATTER)
        busy += service(b, s->feeder);
    struct resource *r =
        add(b, OF_SLOTS, busy, s->items.slots, 2.0 * s->items.slots);
    r->stage = s->feeder;
    r->index = segment;
    r->bytes = s->items.slots * bytes_of(b, segment);
    r->orders = orders(b->run, segment);
    r->full = b->account->blocked[segment] / b->account->ns;
    if (feeder->kind == SOURCE && !feeder->fed)
        r->full += service(b, s->feeder) / b->account->ns;
}

/* A path has the stages from its first up to the next path's, or the join. */
static void add_paths(struct bounds *b, unsigned fork)
{
    const struct pipeline_plan *plan = b->run->plan;
    const struct stage *f = &plan->stages[fork];

    for (unsigned i = 0; i < f->lane_count; i++) {
        unsigned end = f->join;
        for (unsigned k = i + 1; k < f->lane_count && end == f->join; k++)
            end = f->lanes[k].first;
        double busy = 0;
        for (unsigned k = f->lanes[i].first; k < end; k++)
            busy += service(b, k) + used_by(b, k)->retry;
        struct resource *r =
            add(b, OF_PATH, busy, f->lanes[i].slots, 2.0 * f->lanes[i].slots);
        r->stage = fork;
        r->index = i;
    }
}

/* Bytes are held from where they are taken until the item has others, or to the
 * end of the segment: for as long as it is served from there on. */
static double bytes_held(const struct bounds *b, unsigned segment)
{
    const struct pipeline_plan *plan = b->run->plan;
    double has = (double)plan->segments[segment].items.cost;
    double sum = has * served_in(b, segment, 0, plan->stage_count);

    for (unsigned i = 0; i < plan->stage_count; i++) {
        double then = bytes_from(b, i);
        if (plan->stages[i].segment != segment || then == 0)
            continue;
        sum += (then - has) * served_in(b, segment, i, plan->stage_count);
        has = then;
    }
    return sum;
}

/* What each item takes where all take as much, and once; else 0. */
static double taken_by_each(const struct bounds *b)
{
    const struct pipeline_plan *plan = b->run->plan;
    unsigned times = 0;
    double each = 0;

    for (unsigned i = 0; i < plan->segment_count; i++) {
        times += plan->segments[i].items.cost > 0;
        each += bytes_of(b, i);
    }
    for (unsigned i = 0; i < plan->stage_count; i++)
        times += plan->stages[i].bytes != NULL;
    return times == 1 ? each : 0;
}

/* Of so many bytes, what items that take `each`, or nearly, can have at one
 * time. */
static double bytes_usable(double bytes, double each)
{
    if (each < 1)
        return bytes;
    double usable = (double)(uint64_t)(bytes / each + 0.05) * each;
    return usable < each ? each : usable > bytes ? bytes : usable;
}

static void add_budget(struct bounds *b)
{
    const struct pipeline_plan *plan = b->run->plan;
    double bytes = (double)plan->config.budget_bytes, busy = 0;
    double each = taken_by_each(b), usable = bytes_usable(bytes, each);

    for (unsigned i = 0; i < plan->segment_count; i++)
        busy += bytes_held(b, i);
    add(b, OF_BUDGET, busy, usable, bytes_usable(2 * bytes, each))->bytes =
        usable;
}

/* ---- all of them ------------------------------------------------------- */

static unsigned most_of(const struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run->plan;
    unsigned n = 3 + run->limit_count + plan->segment_count;

    for (unsigned i = 0; i < plan->stage_count; i++)
        n += 2 + plan->stages[i].lane_count;
    return n;
}

static void add_all_stages(struct bounds *b)
{
    const struct pipeline_plan *plan = b->run->plan;

    for (unsigned i = 0; i < plan->stage_count; i++) {
        const struct stage *stage = &plan->stages[i];
        switch (stage->kind) {
        case SOURCE:
            add_source(b, i);
            break;
        case STAGE:
        case ROUTER:
        case GATHER:
        case SCATTER:
            add_stage(b, i);
            break;
        case FORK:
            add_paths(b, i);
            break;
        default:
            break;
        }
        if (stage->where == WEFT_PINNED)
            add_thread(b, i);
    }
}

struct resource *wf_bounds(struct pipeline_run *run, const struct account *a,
                           unsigned *count)
{
    struct bounds b = { .run = run, .account = a };

    b.found = calloc(most_of(run), sizeof *b.found);
    if (!b.found)
        return NULL;
    add_all_stages(&b);
    add_workers(&b);
    add_consumer(&b);
    for (unsigned i = 0; i < run->limit_count; i++)
        add_limit(&b, i);
    for (unsigned i = 0; i < run->plan->segment_count; i++)
        add_slots(&b, i);
    if (run->plan->budgeted)
        add_budget(&b);
    *count = b.count;
    return b.found;
}
