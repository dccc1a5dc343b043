/* future.h: loose tasks, and handles on results that are not there yet. */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H
#include "weft/graph.h"

typedef struct weft_future weft_future;

/* [any] Queues fn(worker, ctx) and returns at once. With `out` you get a handle
 * on its result, to be destroyed; NULL: nobody asks. -ENOMEM. */
int weft_submit(weft_sched *sched, weft_fn *fn, void *ctx, weft_future **out,
                weft_error *why);

/* [worker] The running task, when it returns 0, goes on as fn(worker, ctx), and
 * its future waits for that. An unbounded chain needs no stack. At most one
 * continuation a task; a second call replaces the first. For the tasks of
 * weft_submit: it does nothing in those of a graph or a pipeline, nor outside a
 * worker. */
void weft_continue(weft_worker *self, weft_fn *fn, void *ctx);

/* [any] The result of the task: 0 or a negative errno; -ETIMEDOUT after
 * timeout_ms (negative: no limit). Not from a worker: -EDEADLK. */
int weft_future_wait(weft_future *future, int timeout_ms);

/* [one] Any time: a task that has not run yet runs all the same. */
void weft_future_destroy(weft_future *future);
#endif
