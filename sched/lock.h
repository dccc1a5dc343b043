/* lock.h: a lock that is held for a moment only. */
#ifndef WEFT_SCHED_LOCK_H
#define WEFT_SCHED_LOCK_H
#include <pthread.h>

/* Who finds it taken looks again for a while before it sleeps, for that and the
 * way back take a hundred times as long. It cannot fail on Linux. */
static inline void wf_lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t spins;

    pthread_mutexattr_init(&spins);
    pthread_mutexattr_settype(&spins, PTHREAD_MUTEX_ADAPTIVE_NP);
    pthread_mutex_init(lock, &spins);
    pthread_mutexattr_destroy(&spins);
}
#endif
