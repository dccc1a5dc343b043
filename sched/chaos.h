/* chaos.h: the seeds of the pauses of the chaos build. */
#ifndef WEFT_SCHED_CHAOS_H
#define WEFT_SCHED_CHAOS_H
#include <stdint.h>

/* [any] That of this process, the same at each call. */
uint64_t wf_chaos_seed(void);

/* [any] One more that follows from it, never 0: for a thread, in one file. */
uint64_t wf_chaos_next_seed(void);
#endif
