/* progress.h: what a run has done, at one instant. */
#ifndef WEFT_CLI_PROGRESS_H
#define WEFT_CLI_PROGRESS_H
#include "weft/weft.h"

struct progress {
    double seconds; /* since the run started */
    size_t segment_count, stage_count;
    struct weft_flow *flows;
    struct weft_stage_stats *stages; /* 0 is the source; names are the run's */
};

/* 0 or -ENOMEM. */
int progress_init(struct progress *p, size_t segments, size_t stages);
void progress_finish(struct progress *p);

void progress_read(struct progress *p, struct weft_run *run);

uint64_t progress_fed(const struct progress *p);
uint64_t progress_ended(const struct progress *p);     /* left segment 0 */
uint64_t progress_in_flight(const struct progress *p); /* of all */
uint64_t progress_failed(const struct progress *p);    /* of all */
#endif
