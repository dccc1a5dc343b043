/* loose.h: memory for the tasks of weft_submit that have no handle. */
#ifndef WEFT_GRAPH_LOOSE_H
#define WEFT_GRAPH_LOOSE_H
#include "graph/future.h"

/* Not initialized; its kind must become this one. NULL: no memory. */
weft_future *wf_loose_alloc(void);
extern const struct future_kind wf_loose_kind;
#endif
