/* starts.h: the threads that are started are counted, and may be refused. The
 * linker leads pthread_create here (--wrap). */
#ifndef WEFT_TESTS_STARTS_H
#define WEFT_TESTS_STARTS_H
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "sched/atomic.h"

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*main)(void *), void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*main)(void *), void *arg);

static _Atomic unsigned started; /* since the test set it to 0 */
static _Atomic bool refuse_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                          void *(*main)(void *), void *arg)
{
    if (load_relaxed(&refuse_threads))
        return EAGAIN;
    add_relaxed(&started, 1);
    return __real_pthread_create(thread, attr, main, arg);
}
#endif
