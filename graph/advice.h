/* advice.h: what was found about the speed of a run, in words. */
#ifndef WEFT_GRAPH_ADVICE_H
#define WEFT_GRAPH_ADVICE_H
#include "graph/bounds.h"

struct finding {
    const struct pipeline_run *run;
    const struct resource *best; /* the bottleneck */
    const struct resource *then; /* what is the busiest with more of it */
    bool clear;                  /* it was in use nearly all the time */
    double more;  /* items a second with more of it, and nothing else */
    bool full;    /* best: slots or bytes, and all have gone to who waits */
    double crowd; /* items that wait for a worker at a time; or 0 */
    double busy;  /* what the workers had of this run's callbacks then */
};

/* Fills in all but the figures of items per second. */
void wf_advise(const struct finding *f, struct weft_advice *out);
#endif
