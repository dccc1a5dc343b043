/* advice.c: what was found about the speed of a run, in words. */
#include "graph/advice.h"

#include <inttypes.h>
#include <stdio.h>

/* Names are cut, so that the sentence fits. */
#define NAME "'%.32s'"

struct words {
    char text[256];
};

#define WORDS(w, ...) snprintf((w)->text, sizeof(w)->text, __VA_ARGS__)

static const struct stage *stage_at(const struct finding *f, unsigned i)
{
    return &f->run->plan->stages[i];
}

static const char *limit_name(const struct finding *f, const struct resource *r)
{
    return wf_limit_name(f->run->limits[r->index].limit);
}

/* A path has its name, or its number. */
static void name_path(const struct finding *f, const struct resource *r,
                      struct words *w)
{
    const char *name = stage_at(f, r->stage)->lanes[r->index].name;
    const char *router = stage_at(f, r->stage - 1)->name;

    if (name)
        WORDS(w, "path " NAME " of " NAME, name, router);
    else
        WORDS(w, "path %u of " NAME, r->index, router);
}

static struct words name_of(const struct finding *f, const struct resource *r)
{
    const char *stage = stage_at(f, r->stage)->name;
    struct words w = { "" };

    switch (r->kind) {
    case OF_SOURCE:
        WORDS(&w, "source " NAME, stage);
        break;
    case OF_LIMIT:
        WORDS(&w, "limit " NAME, limit_name(f, r));
        break;
    case OF_THREAD:
        WORDS(&w, "the thread of " NAME, stage);
        break;
    case OF_STAGE:
        WORDS(&w, "stage " NAME, stage);
        break;
    case OF_WORKERS:
        WORDS(&w, "%s", r->count == 1 ? "the one worker" : "the workers");
        break;
    case OF_CONSUMER:
        WORDS(&w, "the consumer");
        break;
    case OF_BUDGET:
        WORDS(&w, "the budget");
        break;
    case OF_PATH:
        name_path(f, r, &w);
        break;
    case OF_SLOTS:
        WORDS(&w, "the slots behind " NAME, stage);
        break;
    }
    return w;
}

static bool is_many(const struct resource *r)
{
    return r->kind == OF_SLOTS || (r->kind == OF_WORKERS && r->count > 1);
}

static struct words crowd(const struct finding *f)
{
    struct words w;

    WORDS(&w,
          "%.*f items at a time were ready and waited, and this run had only "
          "%.0f %% of the time",
          f->crowd < 9.95 ? f->crowd < 0.995 ? 2 : 1 : 0, f->crowd,
          100 * f->busy);
    return w;
}

/* How it is used. */
static struct words use_of(const struct finding *f, const struct resource *r)
{
    double part = r->use < 1 ? 100 * r->use : 100;
    bool fed = stage_at(f, r->stage)->fed;
    uint64_t budget = f->run->plan->config.budget_bytes;
    struct words w = { "" };

    if (f->full && r == f->best) {
        WORDS(&w, "%.0f %% of the time %s: items wait for those before them",
              part, r->kind == OF_BUDGET ? "it was gone" : "none was free");
        return w;
    }
    switch (r->kind) {
    case OF_SOURCE:
        WORDS(&w, "%s %.0f %% of the time",
              fed ? "it could have been fed" : "it was making an item", part);
        break;
    case OF_LIMIT:
        if (r->others > 0.01)
            WORDS(&w,
                  "it is shared, and %.0f %% of its time was in use, %.0f %% "
                  "by others",
                  part, 100 * r->others);
        else
            WORDS(&w, "%.0f %% of the time of its %u token%s was in use", part,
                  r->count, r->count == 1 ? "" : "s");
        break;
    case OF_THREAD:
        WORDS(&w, "it was in a callback %.0f %% of the time", part);
        break;
    case OF_STAGE:
        if (r->count == 1)
            WORDS(&w, "its one token was in use %.0f %% of the time", part);
        else
            WORDS(&w, "its %u tokens were in use %.0f %% of the time", r->count,
                  part);
        break;
    case OF_WORKERS:
        if (f->crowd > 0 && r == f->best)
            return crowd(f);
        WORDS(&w, "%.0f %% of the time was spent in callbacks, most in " NAME,
              part, stage_at(f, r->stage)->name);
        break;
    case OF_CONSUMER:
        WORDS(&w, "it did not wait for an item %.0f %% of the time", part);
        break;
    case OF_BUDGET:
        WORDS(&w, "items at work had %.0f %% of its %" PRIu64 " bytes", part,
              budget);
        if ((uint64_t)(r->bytes + 0.5) != budget) /* both as they are told */
            WORDS(&w,
                  "items at work had %.0f %% of the %.0f bytes that they can "
                  "use of its %" PRIu64,
                  part, r->bytes, budget);
        break;
    case OF_PATH:
    case OF_SLOTS:
        WORDS(&w, "items at work had %.0f %% of %s", part,
              r->count == 1 ? "the only one" : "them");
        if (r->count > 1)
            WORDS(&w, "items at work had %.0f %% of the %u", part, r->count);
        break;
    }
    return w;
}

static struct words rate(double items_per_s)
{
    struct words w;

    WORDS(&w, items_per_s < 100 ? "%.3g" : "%.0f", items_per_s);
    return w;
}

/* What the run gives. */
static const char *noun(const struct finding *f)
{
    const struct pipeline_plan *plan = f->run->plan;

    switch (plan->stages[plan->segments[plan->last].feeder].kind) {
    case GATHER:
        return "batches";
    case SCATTER:
        return "pieces";
    default:
        return "items";
    }
}

static const char *more_of(const struct resource *r)
{
    switch (r->kind) {
    case OF_STAGE:
    case OF_LIMIT:
        return "one more token";
    case OF_WORKERS:
        return "one more worker";
    case OF_PATH:
    case OF_SLOTS:
        return "twice the slots";
    case OF_BUDGET:
        return "twice the budget";
    default:
        return NULL;
    }
}

/* What to do, and what that would give. */
static struct words remedy(const struct finding *f,
                           const struct weft_advice *advice)
{
    const char *more = more_of(f->best);
    struct words w, then = name_of(f, f->then);

    if (!more)
        WORDS(&w, "tokens, workers and slots would give nothing");
    else if (f->then == f->best && f->more < 1.01 * advice->items_per_s)
        WORDS(&w, "%s would give nothing", more);
    else if (f->more < 1.01 * advice->items_per_s)
        WORDS(&w, "%s would give nothing: %.100s %s as busy", more, then.text,
              is_many(f->then) ? "are" : "is");
    else if (f->then == f->best)
        WORDS(&w, "%s would give %.16s", more, rate(f->more).text);
    else
        WORDS(&w, "%s would give %.16s, then it is %.100s", more,
              rate(f->more).text, then.text);
    return w;
}

static const char *stage_to_name(const struct finding *f)
{
    const struct resource *r = f->best;

    if (r->kind == OF_BUDGET)
        return NULL;
    return stage_at(f, r->kind == OF_PATH ? r->stage - 1 : r->stage)->name;
}

void wf_advise(const struct finding *f, struct weft_advice *out)
{
    static const int what[] = {
        [OF_SOURCE] = WEFT_BY_SOURCE,   [OF_LIMIT] = WEFT_BY_LIMIT,
        [OF_THREAD] = WEFT_BY_STAGE,    [OF_STAGE] = WEFT_BY_STAGE,
        [OF_WORKERS] = WEFT_BY_WORKERS, [OF_CONSUMER] = WEFT_BY_CONSUMER,
        [OF_BUDGET] = WEFT_BY_BUDGET,   [OF_PATH] = WEFT_BY_SLOTS,
        [OF_SLOTS] = WEFT_BY_SLOTS,
    };
    const struct resource *r = f->best;
    const char *verb = is_many(r) ? "are" : "is";

    out->what = what[r->kind];
    out->stage = stage_to_name(f);
    out->limit = r->kind == OF_LIMIT ? limit_name(f, r) : NULL;
    out->use = r->use < 1 ? r->use : 1;
    out->others = r->others;
    wf_error(&out->sentence, 0, "%s %s the %s: %s; %s %s/s, %s",
             name_of(f, r).text, verb, f->clear ? "bottleneck" : "busiest part",
             use_of(f, r).text, rate(out->items_per_s).text, noun(f),
             remedy(f, out).text);
}
