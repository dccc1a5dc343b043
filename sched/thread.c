/* thread.c: starting a thread of weft's own. It inherits the mask of who starts
 * it, so that one is masked for the moment. */
#include "sched/thread.h"

#include <signal.h>

int wf_thread_start(pthread_t *thread, void *(*main)(void *), void *arg)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = -pthread_create(thread, NULL, main, arg);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}
