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

/* What has left a segment so far, the one that fails now included. */
static double seen_in(struct segment *s)
{
    struct weft_flow f;

    wf_segment_flow(s, &f);
    return (double)(f.delivered + f.filtered + f.failed + 1);
}

static double seen_at(const struct slot *slot)
{
    struct weft_stage_stats s = { 0 };

    wf_counts_add_up(&slot->run->counts, slot->stage, 0, &s);
    return (double)(s.done + s.filtered + s.failed);
}

/* Whether the policy lets the others go on after so many failures. */
static bool tolerates(const struct weft_failures *f, uint64_t failures,
                      double seen)
{
    switch (f->policy) {
    case WEFT_SKIP:
        return true;
    case WEFT_AT_MOST:
        return failures <= f->most;
    case WEFT_AT_RATE:
        return seen < f->sample || (double)failures <= f->rate * seen;
    default:
        return false;
    }
}

static bool goes_on(struct slot *slot)
{
    struct pipeline_run *run = slot->run;
    struct stage_run *sr = stage_of(slot);
    const struct weft_failures *own = &sr->stage->failures;

    if (own->policy)
        return tolerates(own, add_relaxed(&sr->failures, 1) + 1, seen_at(slot));
    return tolerates(&run->plan->config.failures,
                     add_relaxed(&run->failures, 1) + 1,
                     seen_in(segment_of(slot)));
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
