/* spin.h: looking at a word for a while before a sleep on it. Inside sched/
 * only; what others may ask for is in sched.h. */
#ifndef WEFT_SCHED_SPIN_H
#define WEFT_SCHED_SPIN_H

/* This thread has woken a worker. */
void wf_spin_has_woken(void);
#endif
