/* asleep.h: whether a process does nothing. Inside sched/ only. */
#ifndef WEFT_SCHED_ASLEEP_H
#define WEFT_SCHED_ASLEEP_H
#include <stdbool.h>

/* [any] Whether all other threads of the process sleep just now, or are
 * stopped: none computes, or would if it had a core, or waits for a disk. True
 * where that cannot be known. */
bool wf_others_sleep(void);
#endif
