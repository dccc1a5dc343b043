/* progress.c: what a run has done, at one instant. */
#include "cli/progress.h"

#include <errno.h>
#include <stdlib.h>

int progress_init(struct progress *p, size_t segments, size_t stages)
{
    *p = (struct progress){ .segment_count = segments, .stage_count = stages };
    p->flows = calloc(segments, sizeof p->flows[0]);
    p->stages = calloc(stages, sizeof p->stages[0]);
    if (p->flows && p->stages)
        return 0;
    progress_finish(p);
    return -ENOMEM;
}

void progress_finish(struct progress *p)
{
    free(p->flows);
    free(p->stages);
    *p = (struct progress){ 0 };
}

void progress_read(struct progress *p, struct weft_run *run)
{
    for (size_t i = 0; i < p->segment_count; i++)
        weft_run_flow(run, (unsigned)i, &p->flows[i]);
    for (size_t i = 0; i < p->stage_count; i++)
        weft_run_stage(run, (unsigned)i, &p->stages[i]);
}

uint64_t progress_fed(const struct progress *p) { return p->flows[0].fed; }

uint64_t progress_ended(const struct progress *p)
{
    return p->flows[0].fed - p->flows[0].in_flight;
}

uint64_t progress_in_flight(const struct progress *p)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->segment_count; i++)
        sum += p->flows[i].in_flight;
    return sum;
}

uint64_t progress_failed(const struct progress *p)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < p->segment_count; i++)
        sum += p->flows[i].failed;
    return sum;
}
