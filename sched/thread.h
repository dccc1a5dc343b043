/* thread.h: starting a thread of weft's own. */
#ifndef WEFT_SCHED_THREAD_H
#define WEFT_SCHED_THREAD_H
#include <pthread.h>

/* With all signals blocked: those of the process are for its other threads. 0
 * or a negative errno. */
int wf_thread_start(pthread_t *thread, void *(*main)(void *), void *arg);
#endif
