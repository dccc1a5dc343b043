/* check.c: what is wrong with one element of a pipeline, in a sentence that
 * says what to do about it. How elements fit together is layout.c's. */
#include "graph/check.h"

#include <errno.h>
#include <inttypes.h>

#include "graph/line.h"

enum { MOST_SLOTS = 1 << 24, MOST_TOKENS = 1 << 30 };

static int check_failures(const struct weft_failures *f, const char *whose,
                          weft_error *why)
{
    if ((unsigned)f->policy > WEFT_AT_RATE)
        return wf_error(why, -EINVAL, "%s has policy %d: there is none", whose,
                        f->policy);
    if (f->policy == WEFT_AT_RATE && !(f->rate >= 0 && f->rate <= 1))
        return wf_error(why, -EINVAL,
                        "%s lets a rate of %g fail: it is from 0 to 1", whose,
                        f->rate);
    return 0;
}

int wf_check_config(const struct weft_pipeline_config *c, weft_error *why)
{
    if ((unsigned)c->statistics > WEFT_COUNTS_ONLY)
        return wf_error(why, -EINVAL,
                        "the pipeline has statistics %d: there are none",
                        c->statistics);
    return check_failures(&c->failures, "the pipeline", why);
}

int wf_check_choice(const struct stage *drawn, weft_error *why)
{
    return drawn->odd ? wf_error(why, -EINVAL, "'%s' has %s %u: there is none",
                                 drawn->name, drawn->odd, drawn->odd_value)
                      : 0;
}

int wf_check_items(const struct weft_items *items, const char *whose,
                   uint64_t budget, weft_error *why)
{
    if (items->slots > MOST_SLOTS)
        return wf_error(why, -EINVAL,
                        "'%s' has %u slots: at most %d are possible", whose,
                        items->slots, MOST_SLOTS);
    if (items->cost && !budget)
        return wf_error(why, -EINVAL,
                        "the items of '%s' cost %" PRIu64 " bytes, but the "
                        "pipeline has no budget_bytes",
                        whose, items->cost);
    if (items->cost > budget)
        return wf_error(why, -EINVAL,
                        "the budget of %" PRIu64 " bytes is below the cost of "
                        "one item of '%s', %" PRIu64 " bytes",
                        budget, whose, items->cost);
    return 0;
}

int wf_check_costs(const struct pipeline_plan *plan, weft_error *why)
{
    uint64_t budget = plan->config.budget_bytes, left = budget;
    struct line of = { 0 };
    bool enough = true;

    for (unsigned i = 0; i < plan->segment_count; i++) {
        const struct segment_plan *s = &plan->segments[i];
        if (!s->items.cost)
            continue;
        wf_put(&of, "%s'%s' (%" PRIu64 ")", of.length ? ", " : "",
               plan->stages[s->feeder].name, s->items.cost);
        enough &= s->items.cost <= left;
        left -= enough ? s->items.cost : 0;
    }
    return enough ? 0
                  : wf_error(why, -EINVAL,
                             "the budget of %" PRIu64 " bytes is below the "
                             "cost of one item of each at a time: %s",
                             budget, of.text);
}

static int check_uses(const struct stage *s, weft_error *why)
{
    if (s->use_count > WEFT_MOST_USES)
        return wf_error(why, -EINVAL,
                        "stage '%s' takes of %u limits: at most %d are "
                        "possible",
                        s->name, s->use_count, WEFT_MOST_USES);
    for (unsigned i = 0; i < s->use_count; i++) {
        weft_limit *limit = s->uses[i].limit;
        if (!limit)
            return wf_error(why, -EINVAL, "use %u of stage '%s' has no limit",
                            i, s->name);
        unsigned tokens = wf_limit_tokens(limit);
        if (s->uses[i].tokens > tokens)
            return wf_error(why, -EINVAL,
                            "stage '%s' takes %u tokens of limit '%s', which "
                            "has %u",
                            s->name, s->uses[i].tokens, wf_limit_name(limit),
                            tokens);
        for (unsigned k = 0; k < i; k++)
            if (s->uses[k].limit == limit)
                return wf_error(why, -EINVAL,
                                "stage '%s' takes of limit '%s' twice: add the "
                                "tokens up",
                                s->name, wf_limit_name(limit));
    }
    return 0;
}

static int check_function(const struct stage *s, weft_error *why)
{
    if ((unsigned)s->where > WEFT_PINNED)
        return wf_error(why, -EINVAL, "'%s' has kind %d: there is none",
                        s->name, s->where);
    if (s->where == WEFT_IO && s->kind == SOURCE)
        return wf_error(why, -EINVAL,
                        "source '%s' cannot be of kind WEFT_IO: let it be "
                        "pending",
                        s->name);
    if (s->where == WEFT_IO && !s->describe)
        return wf_error(why, -EINVAL,
                        "I/O stage '%s' has no `describe` to say which "
                        "operation",
                        s->name);
    if (s->describe && s->where != WEFT_IO)
        return wf_error(why, -EINVAL,
                        "stage '%s' describes an operation: its kind has to be "
                        "WEFT_IO",
                        s->name);
    if (s->thread && s->where != WEFT_PINNED)
        return wf_error(why, -EINVAL,
                        "'%s' has a thread: its kind has to be WEFT_PINNED",
                        s->name);
    if (s->kind == SOURCE && s->array_count && !s->array)
        return wf_error(why, -EINVAL, "source '%s' has no array", s->name);
    if (s->kind == SOURCE && s->array && !s->array_stride && s->array_count)
        return wf_error(why, -EINVAL,
                        "the elements of source '%s' are 0 bytes "
                        "apart",
                        s->name);
    bool has = s->fn || s->describe || s->gather || s->scatter || s->array ||
               s->fed || s->kind > SCATTER;
    return has ? 0 : wf_error(why, -EINVAL, "'%s' has no function", s->name);
}

static int check_retry(const struct stage *s, weft_error *why)
{
    const struct weft_retry *r = &s->retry;

    if (!(r->jitter >= 0 && r->jitter <= 1))
        return wf_error(why, -EINVAL,
                        "stage '%s' has a jitter of %g: it is from 0 to 1",
                        s->name, r->jitter);
    if (r->factor && !(r->factor >= 1))
        return wf_error(why, -EINVAL,
                        "stage '%s' has a back-off factor of %g: it is at "
                        "least 1",
                        s->name, r->factor);
    if (r->most_ms && r->first_ms > r->most_ms)
        return wf_error(why, -EINVAL,
                        "stage '%s' backs off for %u ms first, but for %u at "
                        "most",
                        s->name, r->first_ms, r->most_ms);
    return 0;
}

int wf_check_stage(const struct stage *s, unsigned slots, bool budgeted,
                   weft_error *why)
{
    int rc = check_function(s, why);

    if (!rc && s->kind == STAGE)
        rc = check_uses(s, why);
    if (!rc && s->kind == STAGE)
        rc = check_failures(&s->failures, s->name, why);
    if (!rc)
        rc = check_retry(s, why);
    if (rc)
        return rc;
    if (s->tokens > MOST_TOKENS && s->tokens != WEFT_UNLIMITED)
        return wf_error(why, -EINVAL,
                        "stage '%s' has %u tokens: at most %d are possible, or "
                        "WEFT_UNLIMITED",
                        s->name, s->tokens, MOST_TOKENS);
    if (s->ordered && s->tokens > slots && s->tokens != WEFT_UNLIMITED)
        return wf_error(why, -EINVAL,
                        "ordered stage '%s' has %u tokens, but only %u items "
                        "are in flight: give the pipeline as many slots",
                        s->name, s->tokens, slots);
    if (s->bytes && !budgeted)
        return wf_error(why, -EINVAL,
                        "stage '%s' takes of the budget, but the pipeline has "
                        "no budget_bytes",
                        s->name);
    return 0;
}
