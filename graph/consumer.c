/* consumer.c: a thread outside takes the items that leave the pipeline.
 *
 * The items wait in their segment's outlet. The end is known as soon as no item
 * can come any more, also while the consumer still holds some: so it may look
 * ahead before it releases what it has. The error of the run is told once, to
 * one of the consumers, after all good items; and not when one of them has
 * already been told the end: that stands. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "graph/pipeline.h"

static int tell_end(struct pipeline_run *run, weft_error *why)
{
    struct weft_run *base = &run->run;

    pthread_mutex_lock(&base->lock);
    int error = load_relaxed(&base->error);
    if (run->end_told)
        error = 0;
    if (error)
        wf_error(why, error, "%s", base->why.text);
    run->end_told = true;
    pthread_mutex_unlock(&base->lock);
    return error;
}

/* The last segment, if a consumer takes from it; else NULL. */
static struct segment *sink_of(struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run ? run->plan : NULL;

    if (!plan || plan->segments[plan->last].end == NOWHERE)
        return NULL;
    return &run->segments[plan->last];
}

bool wf_plan_has_consumer(const struct weft_plan *base)
{
    const struct pipeline_plan *plan = (const struct pipeline_plan *)base;

    return base->kind == &wf_pipeline_kind &&
           plan->segments[plan->last].end != NOWHERE;
}

static int no_consumer(weft_error *why)
{
    return wf_error(why, -EINVAL,
                    "the plan has no consumer: end it with weft_consumer");
}

int weft_next(struct weft_run *base, void **item, int timeout_ms,
              weft_error *why)
{
    struct pipeline_run *run = pipeline_of(base);
    struct segment *sink = sink_of(run);
    weft_sched *sched = base->sched;
    bool dry;

    if (!sink)
        return no_consumer(why);
    if (wf_worker_here() && timeout_ms)
        return wf_error(why, -EDEADLK,
                        "a worker may not wait for an item: use timeout 0, or "
                        "a stage");

    struct deadline deadline = deadline_in(sched, timeout_ms);
    struct slot *slot = wf_segment_take_out(sink, sched, &deadline, &dry);
    if (slot && slot->outcome == MARKER) {
        put_at(slot, RELEASED);
        wf_flow_finish(wf_worker_here(), slot);
        return WEFT_EPOCH;
    }
    if (slot) {
        *item = slot->item;
        return 1;
    }
    if (dry)
        return tell_end(run, why);
    return wf_error(why, -ETIMEDOUT, "no item came within %d ms", timeout_ms);
}

void weft_release(void *item)
{
    struct slot *slot = slot_of_item(item);
    uint64_t borrowed = place_at(slot, BORROWED);

    /* The slot may be kept for a moment longer: who comes twice is told. */
    if (!cas_relaxed(&slot->at, &borrowed, place_at(slot, RELEASED))) {
        wf_misuse("weft_release: item %" PRIu64
                  " is not yours: it was released "
                  "before, or never taken with weft_next",
                  slot->number);
        return;
    }
    wf_flow_finish(wf_worker_here(), slot);
}

int weft_consumer_fd(struct weft_run *run, weft_error *why)
{
    struct segment *sink = sink_of(pipeline_of(run));

    if (!sink)
        return no_consumer(why);
    int fd = wf_segment_event(sink);
    return fd < 0 ? wf_error(why, fd, "no eventfd for the consumer: %s",
                             strerror(-fd))
                  : fd;
}

int weft_run_sink(struct weft_run *base, struct weft_sink_stats *out)
{
    struct pipeline_run *run = pipeline_of(base);
    struct segment *sink = sink_of(run);

    if (!sink)
        return -EINVAL;
    wf_segment_sink(sink, wf_pipeline_ns_per_tick(run), out);
    return 0;
}
