/* failure.c: what happens when an item fails: it is reported, once, and the
 * policy of the run says whether the others go on. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "graph/pipeline.h"

static const char *name_of(int error)
{
    const char *name = strerrorname_np(-error);
    return name ? name : "unknown error";
}

static const char *text_of(const struct slot *slot, int error)
{
    const char *text = strerrordesc_np(-error);
    if (slot->why[0])
        return slot->why;
    return text ? text : "no reason was given";
}

/* Of how many items it is decided whether they fail: those that have left, or
 * those that got past this stage, where they do not wait for slow ones. */
static double seen_so_far(const struct slot *slot)
{
    const struct pipeline_run *run = slot->run;
    uint64_t past = 0;
    struct weft_flow f;

    for (unsigned i = 0; i <= slot->stage; i++) {
        struct weft_stage_stats s = { 0 };
        if (run->plan->stages[i].segment != slot->segment)
            continue;
        wf_counts_outcomes(&run->counts, i, &s);
        past += s.filtered + s.failed + (i == slot->stage ? s.done : 0);
    }
    wf_segment_flow(segment_of(slot), &f);
    uint64_t left = f.delivered + f.filtered + f.failed + 1; /* and this one */
    return (double)(left > past ? left : past);
}

static double seen_at(const struct slot *slot)
{
    struct weft_stage_stats s = { 0 };

    wf_counts_outcomes(&slot->run->counts, slot->stage, &s);
    return (double)(s.done + s.filtered + s.failed);
}

static bool is_above(const struct weft_failures *f, uint64_t failures,
                     double seen)
{
    return seen >= f->sample && (double)failures > f->rate * seen;
}

/* What counts it. The policy of a run counts all failures, but a rate is one of
 * the items of a segment. */
static _Atomic uint64_t *count_of(struct slot *slot,
                                  const struct weft_failures *f)
{
    struct stage_run *sr = stage_of(slot);

    if (f == &sr->stage->failures)
        return &sr->failures;
    return f->policy == WEFT_AT_RATE ? &segment_of(slot)->failures
                                     : &slot->run->failures;
}

/* Whether the policy that answers for it lets the others go on. */
static bool goes_on(struct slot *slot)
{
    const struct weft_failures *own = &stage_of(slot)->stage->failures;
    const struct weft_failures *f =
        own->policy ? own : &slot->run->plan->config.failures;
    uint64_t failures = add_relaxed(count_of(slot, f), 1) + 1;

    switch (f->policy) {
    case WEFT_SKIP:
        return true;
    case WEFT_AT_MOST:
        return failures <= f->most;
    case WEFT_AT_RATE:
        return !is_above(f, failures,
                         own->policy ? seen_at(slot) : seen_so_far(slot));
    default:
        return false;
    }
}

static uint64_t time_of_day(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void wf_item_failed(weft_worker *self, struct slot *slot, int error)
{
    struct pipeline_run *run = slot->run;
    const struct weft_pipeline_config *config = &run->plan->config;
    struct weft_failure failure = {
        .stage = stage_of(slot)->stage->name,
        .item = slot->number,
        .attempt = slot->attempt,
        .error = error,
        .text = text_of(slot, error),
        .time_ns = time_of_day(),
    };

    if (config->on_failure)
        config->on_failure(&failure, slot->item, config->ctx);
    if (goes_on(slot))
        return;
    wf_run_fail(&run->run, error,
                "stage '%s' failed on item %" PRIu64 ", attempt %u: %s: %s",
                failure.stage, failure.item, failure.attempt, name_of(error),
                failure.text);
    wf_pipeline_stop(run, self, slot->segment, slot->ticket[0] + 1);
}

void wf_source_failed(struct slot *slot, int error)
{
    wf_run_fail(&slot->run->run, error,
                "source '%s' failed on item %" PRIu64 ", attempt 1: %s: %s",
                stage_of(slot)->stage->name, slot->number, name_of(error),
                text_of(slot, error));
    /* The other inputs of a merge might never end. The slot is still in the
     * source's hand, so the run is there. */
    weft_drain(&slot->run->run);
}
