/* futex.h: sleeping on a word of memory and waking who sleeps there. */
#ifndef WEFT_SCHED_FUTEX_H
#define WEFT_SCHED_FUTEX_H
#include <stdint.h>

#include "sched/atomic.h"

/* Sleeps while *word == seen; may return early. Negative timeout: no limit. */
void wf_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns);

/* Wakes up to n of those who sleep on it. The word may be freed already: only
 * its address is used. */
void wf_futex_wake(_Atomic uint32_t *word, int n);
#endif
