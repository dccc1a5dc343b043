/* barrier.h: two threads that each write one word and then read the other's,
 * where one of them does so all the time, and the other seldom.
 *
 *      often   X = 1, light barrier, read Y
 *      seldom  Y = 1, heavy barrier, read X
 *
 * At least one of them sees what the other wrote: barrier.c says why. The light
 * one costs no instruction, the heavy one microseconds, and it interrupts every
 * core that runs a thread of this process. */
#ifndef WEFT_SCHED_BARRIER_H
#define WEFT_SCHED_BARRIER_H
#include <stdbool.h>

/* [any] Asks the kernel whether it has such a thing, the first time. */
void wf_barrier_prepare(void);

/* [any] Whether it has, and has been asked. */
bool wf_barrier_exists(void);

static inline void wf_barrier_light(void) { __asm__ volatile("" ::: "memory"); }

/* [any] False: it could not be had, this time or ever. */
bool wf_barrier_heavy(void);
#endif
