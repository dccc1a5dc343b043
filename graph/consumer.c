/* consumer.c: a thread outside takes the items that leave the pipeline.
 *
 * The items wait in their segment's outlet. The end is known as soon as no item
 * can come any more, also while the consumer still holds some: so it may look
 * ahead before it releases what it has. The error of the run is told once, to
 * one of the consumers, after all good items; and not when one of them has
 * already been told the end: that stands. */
#include <errno.h>
#include <stdio.h>

#include "graph/pipeline.h"
#include "graph/wait.h"

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

int weft_next(struct weft_run *base, void **item, int timeout_ms,
              weft_error *why)
{
    struct pipeline_run *run = (struct pipeline_run *)base;
    bool dry;

    if (base->plan->kind != &wf_pipeline_kind ||
        run->plan->stages[run->plan->stage_count - 1].kind != CONSUMER)
        return wf_error(why, -EINVAL,
                        "the plan has no consumer: end it with weft_consumer");
    if (wf_worker_here() && timeout_ms)
        return wf_error(why, -EDEADLK,
                        "a worker may not wait for an item: use timeout 0, or "
                        "a stage");

    struct slot *slot =
        wf_segment_take_out(&run->segments[run->plan->segment_count - 1],
                            deadline_in(timeout_ms), &dry);
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
    wf_flow_finish(wf_worker_here(), slot_of_item(item));
}
