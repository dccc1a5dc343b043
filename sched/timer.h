/* timer.h: the timers of one scheduler. What a timer is: sched.h. */
#ifndef WEFT_SCHED_TIMER_H
#define WEFT_SCHED_TIMER_H
#include "sched/sched.h"

struct timers; /* a heap of them, and the thread that waits for the earliest */

/* The thread starts with the first timer. NULL: no memory. */
struct timers *wf_timers_create(weft_sched *sched);
void wf_timers_destroy(struct timers *timers); /* none is armed any more */

/* In sched.c. */
struct timers *wf_timers_of(const weft_sched *sched);
#endif
