/* explain.c: what sets the speed of a run, and what more of it would give.
 *
 * bounds.c says for each resource which part of its time was in use. The one
 * with the most is the bottleneck. With more of it, its use at the same speed
 * would be less; then the speed may grow until the highest use is what it was
 * before. (Not until it is 1: what a hand-over costs is still to be paid.)
 *
 * Often two are as busy: one worker, and the one stage that it executes. What
 * would give most is named then, and of equals the first in the order of
 * enum resource_kind.
 *
 * Where nothing is busy, though items wait for a worker, the workers are: with
 * the callbacks of other runs, or, where items are tiny, with weft itself. That
 * is a fallback and no resource like others, for a burst of completions waits
 * too.
 *
 * The same where order fills the slots: items wait for one before them that
 * takes longer, no more can come, and all else has nothing to do. What waits is
 * not at work, so bounds.c does not count it; but who fills the slots never has
 * one, though nothing else is in use all the time. Of segments the one that is
 * most downstream, for what is full fills up what comes before it. How much has
 * to be idle? Where no order is kept, as much as says that nothing is busy;
 * where it is, a stage that serves in bursts may be at work most of the time,
 * and still be starved in between. A token that is held by who waits for a
 * thread is not idle. */
#include <errno.h>
#include <stdlib.h>

#include "graph/advice.h"

static const double as_busy = 0.03, busy = 0.7, crowd = 0.5, worth = 1.01;
static const double always = 0.9; /* or nearly */

/* The highest use, at the same speed, when there is more of `changed`, or
 * NOWHERE. *which gets whose. */
static double highest(const struct resource *r, unsigned n, unsigned changed,
                      unsigned *which)
{
    bool worker = changed != NOWHERE && r[changed].kind == OF_WORKERS;
    double most = 0;

    *which = 0;
    for (unsigned i = 0; i < n; i++) {
        double use = worker         ? r[i].with_worker
                     : i == changed ? r[i].with_more
                                    : r[i].use;
        if (use <= most)
            continue;
        most = use;
        *which = i;
    }
    return most;
}

/* Many times more can be said, but not be known. */
static double faster(double before, double after)
{
    return after > before / 1000 ? before / after : 1000;
}

static unsigned choose(const struct resource *r, unsigned n, double most)
{
    unsigned best = NOWHERE, ignored;
    double gain = 0;

    for (unsigned kind = OF_SOURCE; kind <= OF_SLOTS; kind++)
        for (unsigned i = 0; i < n; i++) {
            if (r[i].kind != kind || r[i].use < most - as_busy)
                continue;
            double mine = faster(most, highest(r, n, i, &ignored));
            if (best != NOWHERE && mine < gain * worth)
                continue;
            best = i;
            gain = mine;
        }
    return best;
}

/* Items wait for the workers, but nothing is busy. */
static void see_crowd(struct finding *f, const struct pipeline_run *run,
                      const struct account *a, struct resource *r, unsigned n)
{
    double waiting = 0;

    for (unsigned i = 0; i < run->plan->stage_count; i++)
        if (run->plan->stages[i].where < WEFT_BLOCKING)
            waiting += a->stages[i].ready / a->ns;
    if (waiting < crowd)
        return;
    f->crowd = waiting;
    for (unsigned i = 0; i < n; i++) {
        if (r[i].kind != OF_WORKERS)
            continue;
        f->busy = r[i].use;
        r[i].use = waiting < 1 ? waiting : 1;
        r[i].with_more = r[i].use * r[i].count / (r[i].count + 1);
        r[i].with_worker = r[i].with_more;
    }
}

/* A segment that `from` leads to is as full. */
static bool fills_up(const struct pipeline_plan *plan, const struct resource *r,
                     unsigned n, unsigned from)
{
    for (unsigned s = plan->segments[from].into; s != NOWHERE;
         s = plan->segments[s].into)
        for (unsigned i = 0; i < n; i++)
            if (r[i].kind == OF_SLOTS && r[i].index == s && r[i].full >= always)
                return true;
    return false;
}

/* There is no slot, or there are no bytes for it, but nothing is busy. */
static void see_full(struct finding *f, struct resource *r, unsigned n,
                     double most)
{
    const struct pipeline_plan *plan = f->run->plan;
    struct resource *slots = NULL, *full;
    double grows; /* with more of it: so many times as much */

    for (unsigned i = 0; i < n; i++)
        if (r[i].held > most)
            most = r[i].held;
    for (unsigned i = 0; i < n && !slots; i++)
        if (r[i].kind == OF_SLOTS && r[i].full >= always &&
            most < (r[i].orders ? always : busy) &&
            !fills_up(plan, r, n, r[i].index))
            slots = &r[i];
    if (!slots)
        return;
    full = slots;
    for (unsigned i = 0; i < n; i++)
        if (r[i].kind == OF_BUDGET &&
            slots->bytes > (double)plan->config.budget_bytes)
            full = &r[i];
    f->full = true;
    grows = full->with_more > 0 ? full->use / full->with_more : 2;
    full->use = slots->full < 1 ? slots->full : 1;
    full->with_more = full->use / grows;
    full->with_worker = full->use;
}

static void predict(struct finding *f, struct weft_advice *out,
                    const struct resource *r, unsigned n, double most)
{
    unsigned best = (unsigned)(f->best - r), workers = 0, ignored, then;
    double x = out->items_per_s;
    double more = x * faster(most, highest(r, n, best, &then));

    while (r[workers].kind != OF_WORKERS)
        workers++;
    out->more_tokens = out->more_slots = out->more_bytes = x;
    out->more_workers = x * faster(most, highest(r, n, workers, &ignored));
    switch (f->best->kind) {
    case OF_STAGE:
    case OF_LIMIT:
        out->more_tokens = more;
        break;
    case OF_SLOTS:
    case OF_PATH:
        out->more_slots = more;
        break;
    case OF_BUDGET:
        out->more_bytes = more;
        break;
    default:
        break;
    }
    f->more = more;
    f->then = &r[then];
}

/* The consumer has not taken what is there. */
static bool waits_for_consumer(struct weft_run *base)
{
    struct weft_sink_stats sink;

    return weft_run_sink(base, &sink) == 0 && sink.ready + sink.borrowed > 0;
}

static void explain_nothing(struct pipeline_run *run, struct weft_advice *out)
{
    const struct pipeline_plan *plan = run->plan;

    *out = (struct weft_advice){ .what = WEFT_BY_NOTHING };
    if (!waits_for_consumer(&run->run)) {
        wf_error(&out->sentence, 0,
                 "nothing was delivered, so there is no telling: "
                 "weft_run_report says what each item waits for");
        return;
    }
    out->what = WEFT_BY_CONSUMER;
    out->stage = plan->stages[plan->segments[plan->last].end].name;
    out->use = 1;
    wf_error(&out->sentence, 0,
             "the consumer is the bottleneck: it has released nothing yet");
}

static int explain(struct pipeline_run *run, const struct account *a,
                   struct weft_advice *out)
{
    struct finding f = { .run = run };
    unsigned n, ignored;

    if (a->delivered < 1 || a->ns <= 0) {
        explain_nothing(run, out);
        return 0;
    }
    struct resource *r = wf_bounds(run, a, &n);
    if (!r)
        return -ENOMEM;
    double most = highest(r, n, NOWHERE, &ignored);
    if (most < busy) {
        see_crowd(&f, run, a, r, n);
        most = highest(r, n, NOWHERE, &ignored);
    }
    if (most < always && !f.crowd) {
        see_full(&f, r, n, most);
        most = highest(r, n, NOWHERE, &ignored);
    }
    *out = (struct weft_advice){ .items_per_s = a->delivered * 1e9 / a->ns };
    f.best = &r[choose(r, n, most)];
    f.clear = f.best->use >= busy;
    predict(&f, out, r, n, most);
    wf_advise(&f, out);
    free(r);
    return 0;
}

int weft_pipeline_explain(struct weft_run *base, const weft_moment *since,
                          struct weft_advice *out)
{
    struct pipeline_run *run = pipeline_of(base);
    struct account a;

    if (!run)
        return -EINVAL;
    if (!run->times)
        return -ENODATA;
    if (wf_account_take(&a, run))
        return -ENOMEM;
    if (since)
        wf_account_subtract(&a, wf_account_of(since), run);
    int rc = explain(run, &a, out);
    wf_account_finish(&a);
    return rc;
}
