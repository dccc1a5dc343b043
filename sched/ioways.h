/* ioways.h: the two ways for what cannot be done at once: a ring with its
 * driver thread, and blocking threads. Inside sched/ only. */
#ifndef WEFT_SCHED_IOWAYS_H
#define WEFT_SCHED_IOWAYS_H
#include "sched/iowork.h"
#include "sched/sched.h"
#include "sched/topo.h"

struct ring;     /* one driver thread and its ring */
struct blocking; /* threads that do one operation at a time each */
struct poller;

/* Can a ring be had, and does it work? 0, or a negative errno with the reason.
 * It is tried once a process. */
int wf_ring_probe(weft_error *why);
unsigned wf_ring_flags(void); /* to set up the best one with */
const char *wf_ring_flavour(void);

/* The thread starts with the first operation. If it cannot have its ring after
 * all, or loses it, the operations go to `instead`. NULL: no memory. */
struct ring *wf_ring_create(weft_sched *sched, struct topo *topo,
                            unsigned group, struct blocking *instead);
void wf_ring_destroy(struct ring *ring); /* after the last completion */
void wf_ring_submit(struct ring *ring, struct weft_io *io);
void wf_ring_cancel(struct ring *ring); /* what is marked: [C] in iowork.h */

/* 0, or why it has no ring, or none any more. How many operations ended with
 * EIO because of that, as nobody knows whether they were done, is added. */
int wf_ring_failure(struct ring *ring, unsigned *unknown);

/* Threads start as they are needed. NULL: no memory. */
struct blocking *wf_blocking_create(weft_sched *sched);
void wf_blocking_destroy(struct blocking *blocking);
void wf_blocking_submit(struct blocking *blocking, struct weft_io *io);
void wf_blocking_cancel(struct blocking *blocking, struct weft_io *io);

/* One thread that polls for all: an operation that waits for a descriptor takes
 * none of the blocking threads. NULL: no memory. */
struct poller *wf_poller_create(weft_sched *sched);
void wf_poller_destroy(struct poller *poller);
void wf_poller_submit(struct poller *poller, struct weft_io *io);
void wf_poller_cancel(struct poller *poller); /* what is marked */

/* In io.c: the operation is finished; a worker will call its `done`. The list
 * takes it, for one wf_inject. */
void wf_io_completed(struct task_list *list, struct weft_io *io);
#endif
