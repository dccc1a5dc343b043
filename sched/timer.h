/* timer.h: the timers of one scheduler. What a timer is: sched.h. */
#ifndef WEFT_SCHED_TIMER_H
#define WEFT_SCHED_TIMER_H
#include "sched/sched.h"

struct timers; /* a heap of them, and the thread that waits for the earliest */

/* The thread starts with the first timer. NULL: no memory. */
struct timers *wf_timers_create(weft_sched *sched);
void wf_timers_destroy(struct timers *timers); /* none is armed any more */

/* Where a seed makes the time: when the next one is due, UINT64_MAX if none is
 * armed; and those that are due, which are armed no more, though perhaps not
 * all at once. */
uint64_t wf_timers_earliest(struct timers *timers);
struct task_list wf_timers_take_due(struct timers *timers, uint64_t now);

/* In sched.c. */
struct timers *wf_timers_of(const weft_sched *sched);
#endif
