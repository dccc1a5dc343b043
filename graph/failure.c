/* failure.c: what happens when an item fails: it is reported, once, and the
 * policy of the run says whether the others go on.
 *
 * A rate is judged at every failure from when the sample is complete, and when
 * it becomes complete; after that no item that succeeds makes it worse. */
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
    if (slot->told)
        return slot->why;
    return text ? text : "no reason was given";
}

/* Of how many items it is decided whether they fail: those that have left, or
 * those that got past this stage, where they do not wait for slow ones, or past
 * one before it that fails some: its failures count, so its good ones do. */
static double seen_so_far(const struct slot *slot)
{
    const struct pipeline_run *run = slot->run;
    uint64_t gone = 0, seen;
    struct weft_flow f;

    wf_segment_flow(segment_of(slot), &f);
    seen = f.delivered + f.filtered + f.failed + 1; /* and this one */
    for (unsigned i = 0; i <= slot->stage; i++) {
        struct weft_stage_stats s = { 0 };
        if (run->plan->stages[i].segment != slot->segment)
            continue;
        wf_counts_outcomes(&run->counts, i, &s);
        gone += s.filtered + s.failed;
        if ((s.failed || i == slot->stage) && gone + s.done > seen)
            seen = gone + s.done;
    }
    return (double)seen;
}

static double seen_at(const struct slot *slot)
{
    struct weft_stage_stats s = { 0 };

    wf_counts_outcomes(&slot->run->counts, slot->stage, &s);
    return (double)(s.done + s.filtered + s.failed);
}

static const struct weft_failures *policy_of(const struct slot *slot)
{
    const struct weft_failures *own = &stage_of(slot)->stage->failures;

    return own->policy ? own : &slot->run->plan->config.failures;
}

/* What counts it. The policy of a run counts all failures, but a rate is one of
 * the items of a segment. */
static struct tally *tally_of(const struct slot *slot)
{
    if (stage_of(slot)->stage->failures.policy)
        return &stage_of(slot)->tally;
    return policy_of(slot)->policy == WEFT_AT_RATE ? &segment_of(slot)->tally
                                                   : &slot->run->tally;
}

/* Whether an item that passes the stage may complete the sample: not where one
 * before it has failures, for there more items have been seen. */
static bool completes_sample(const struct slot *slot)
{
    const struct pipeline_run *run = slot->run;

    if (stage_of(slot)->stage->failures.policy)
        return true;
    for (unsigned i = 0; i < slot->stage; i++) {
        struct weft_stage_stats s = { 0 };
        wf_counts_outcomes(&run->counts, i, &s);
        if (s.failed && run->plan->stages[i].segment == slot->segment)
            return false;
    }
    return true;
}

/* Whether more than the rate have failed, of a sample that is complete. */
static bool is_above(const struct slot *slot, struct tally *t,
                     uint64_t failures)
{
    const struct weft_failures *f = policy_of(slot);
    double seen = stage_of(slot)->stage->failures.policy ? seen_at(slot)
                                                         : seen_so_far(slot);

    if (seen < f->sample)
        return false;
    store_relaxed(&t->sampled, true);
    return (double)failures > f->rate * seen;
}

/* Whether the policy that answers for it lets the others go on. */
static bool goes_on(const struct slot *slot, struct tally *t)
{
    const struct weft_failures *f = policy_of(slot);
    uint64_t failures = add_relaxed(&t->failures, 1) + 1;

    switch (f->policy) {
    case WEFT_SKIP:
        return true;
    case WEFT_AT_MOST:
        return failures <= f->most;
    case WEFT_AT_RATE:
        return !is_above(slot, t, failures);
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

/* The run ends with this; what came before the item goes on, and it itself. */
static void end_with(weft_worker *self, struct slot *slot, int error,
                     const weft_error *why)
{
    wf_run_fail(&slot->run->run, error, "%s", why->text);
    wf_pipeline_stop(slot->run, self, slot->segment, slot->ticket[0] + 1);
}

void wf_item_failed(weft_worker *self, struct slot *slot, int error)
{
    struct pipeline_run *run = slot->run;
    const struct weft_pipeline_config *config = &run->plan->config;
    struct tally *t = tally_of(slot);
    weft_error why;
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
    wf_error(&why, error,
             "stage '%s' failed on item %" PRIu64 ", attempt %u: %s: %s",
             failure.stage, failure.item, failure.attempt, name_of(error),
             failure.text);
    if (policy_of(slot)->policy == WEFT_AT_RATE && !load_relaxed(&t->sampled)) {
        pthread_mutex_lock(&run->run.lock);
        t->error = error;
        t->last = why;
        pthread_mutex_unlock(&run->run.lock);
    }
    if (!goes_on(slot, t))
        end_with(self, slot, error, &why);
}

void wf_item_passed(weft_worker *self, struct slot *slot)
{
    const struct weft_failures *f = policy_of(slot);

    if (f->policy != WEFT_AT_RATE)
        return;
    struct pipeline_run *run = slot->run;
    struct tally *t = tally_of(slot);
    uint64_t failures = load_relaxed(&t->failures);
    if ((double)failures <= f->rate * f->sample || load_relaxed(&t->sampled) ||
        !completes_sample(slot) || !is_above(slot, t, failures))
        return;
    pthread_mutex_lock(&run->run.lock);
    int error = t->error;
    weft_error last = t->last;
    pthread_mutex_unlock(&run->run.lock);
    end_with(self, slot, error, &last);
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
