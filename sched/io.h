/* io.h: the I/O side of a scheduler: which way an operation is done. */
#ifndef WEFT_SCHED_IO_H
#define WEFT_SCHED_IO_H
#include "sched/task.h"
#include "sched/topo.h"
#include "weft/io.h"
#include "weft/sched.h"

struct io; /* the I/O side of one scheduler */

/* Decides on the way, and why; threads and rings start when first needed. */
int wf_io_create(struct io **out, weft_sched *sched, struct topo *topo,
                 enum weft_io_way way, weft_error *why);
void wf_io_destroy(struct io *io); /* nothing is under way any more */
void wf_io_explain(const struct io *io, weft_say_fn *say, void *ctx);

/* In sched.c: the I/O side of a scheduler, and the group (NUMA node) of a
 * worker. */
struct io *wf_io_of(const weft_sched *sched);
unsigned wf_group_of(const weft_worker *self);
#endif
