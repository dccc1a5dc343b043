/* bundle.h: tasks that are submitted from outside and have no handle. */
#ifndef WEFT_GRAPH_BUNDLE_H
#define WEFT_GRAPH_BUNDLE_H
#include "weft/future.h"

/* [any, not a worker of this scheduler] 0 or -ENOMEM. */
int wf_bundle_submit(weft_sched *sched, weft_fn *fn, void *ctx);
#endif
