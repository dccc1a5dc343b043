/* burst.h: what a callback that waits owes to the items before its own. */
#ifndef WEFT_GRAPH_BURST_H
#define WEFT_GRAPH_BURST_H
#include "weft/base.h"

/* [worker] Before this thread sleeps in a callback: gives back the slots that
 * it would else give back after that. */
void wf_burst_pause(weft_worker *self);
#endif
