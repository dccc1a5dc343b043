/* failure.c: what happens when an item fails: it is reported, once, and the
 * policy of the run says whether the others go on. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/pipeline.h"

int weft_fail(void *item, int error, const char *format, ...)
{
    struct slot *slot = slot_of_item(item);
    va_list args;

    va_start(args, format);
    vsnprintf(slot->why, sizeof slot->why, format, args);
    va_end(args);
    return error;
}

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

static bool goes_on(struct pipeline_run *run)
{
    const struct weft_pipeline_config *config = &run->plan->config;
    unsigned failures = add_relaxed(&run->failures, 1) + 1;

    return config->policy == WEFT_SKIP ||
           (config->policy == WEFT_AT_MOST && failures <= config->max_failures);
}

void wf_item_failed(weft_worker *self, struct slot *slot, int error)
{
    struct pipeline_run *run = slot->run;
    const struct weft_pipeline_config *config = &run->plan->config;
    struct weft_failure failure = {
        .stage = run->plan->stages[slot->stage].name,
        .item = slot->number,
        .attempt = 1,
        .error = error,
        .text = text_of(slot, error),
    };

    if (config->on_failure)
        config->on_failure(&failure, slot->item, config->ctx);
    if (goes_on(run))
        return;
    wf_run_fail(&run->run, error,
                "stage '%s' failed on item %" PRIu64 ", attempt %u: %s: %s",
                failure.stage, failure.item, failure.attempt, name_of(error),
                failure.text);
    wf_pipeline_stop(run, self, slot->segment, slot->number + 1);
}

void wf_source_failed(struct pipeline_run *run, struct slot *slot, int error)
{
    wf_run_fail(&run->run, error,
                "source '%s' failed on item %" PRIu64 ", attempt 1: %s: %s",
                run->plan->stages[0].name, slot->number, name_of(error),
                text_of(slot, error));
}
