/* sync.c: locks and time, in place of the system's. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "sched/sched.h"
#include "tests/weave/inner.h"

enum { LOCKS = 64, TICK = 1000 /* ns */ };
#define FAR (UINT64_MAX / 2) /* ns */

static struct lock {
    pthread_mutex_t *at;
    bool held;
    unsigned holder;
    struct view view; /* of the last who had it */
} locks[LOCKS];
static unsigned count;
static uint64_t clock_ns;

void sync_begin(void) { count = 0, clock_ns = 1000000000; }

static struct lock *lock_at(pthread_mutex_t *at)
{
    for (unsigned i = 0; i < count; i++)
        if (locks[i].at == at)
            return &locks[i];
    if (count == LOCKS)
        weave_fail("too many locks");
    locks[count].at = at;
    locks[count].held = false;
    view_empty(&locks[count].view);
    return &locks[count++];
}

static void take(struct lock *l)
{
    l->held = true;
    l->holder = thread_self();
    view_join(thread_view(l->holder), &l->view);
}

static void give(struct lock *l)
{
    struct view *mine = thread_view(thread_self());

    if (!l->held || l->holder != thread_self())
        weave_fail("thread %u gives back a lock that it does not hold",
                   thread_self());
    mine->epochs[thread_self()]++;
    view_join(&l->view, mine);
    l->held = false;
    thread_changed();
    thread_wake(l->at, THREADS);
}

int pthread_mutex_init(pthread_mutex_t *at, const pthread_mutexattr_t *attr)
{
    lock_at(at);
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *at)
{
    struct lock *l = lock_at(at);

    if (l->held)
        weave_fail("a lock that is held is destroyed");
    *l = locks[--count];
    return 0;
}

int pthread_mutex_lock(pthread_mutex_t *at)
{
    thread_step();
    heap_check(at, sizeof *at, true);
    for (struct lock *l; (l = lock_at(at))->held;) {
        if (l->holder == thread_self())
            weave_fail("deadlock: thread %u takes a lock twice", l->holder);
        trace("thread %u: waits for a lock", thread_self());
        thread_sleep(at, false);
    }
    take(lock_at(at));
    trace("thread %u: takes a lock", thread_self());
    return 0;
}

int pthread_mutex_trylock(pthread_mutex_t *at)
{
    thread_step();
    if (lock_at(at)->held)
        return EBUSY;
    take(lock_at(at));
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *at)
{
    heap_check(at, sizeof *at, true);
    give(lock_at(at));
    trace("thread %u: gives back a lock", thread_self());
    return 0;
}

/* A sleep that is over has taken its time; what is far off never comes. */
bool sync_sleep(const void *on, uint64_t until)
{
    bool woken = thread_sleep(on, until < FAR);

    if (!woken && clock_ns < until)
        clock_ns = until;
    return woken;
}

uint64_t sync_in(int64_t ns)
{
    return ns < 0 || (uint64_t)ns >= FAR ? FAR : clock_ns + (uint64_t)ns;
}

static int wait_on(pthread_cond_t *on, pthread_mutex_t *at, uint64_t until)
{
    give(lock_at(at));
    trace("thread %u: waits for a signal", thread_self());
    bool woken = sync_sleep(on, until);
    pthread_mutex_lock(at);
    return woken ? 0 : ETIMEDOUT;
}

static uint64_t ns_of(const struct timespec *t)
{
    return (uint64_t)t->tv_sec * 1000000000 + (uint64_t)t->tv_nsec;
}

int pthread_cond_wait(pthread_cond_t *on, pthread_mutex_t *at)
{
    return wait_on(on, at, FAR);
}

int pthread_cond_timedwait(pthread_cond_t *on, pthread_mutex_t *at,
                           const struct timespec *until)
{
    return wait_on(on, at, ns_of(until));
}

int pthread_cond_clockwait(pthread_cond_t *on, pthread_mutex_t *at,
                           clockid_t clock, const struct timespec *until)
{
    return wait_on(on, at, ns_of(until));
}

int pthread_cond_signal(pthread_cond_t *on)
{
    thread_step();
    thread_wake(on, 1);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *on)
{
    thread_step();
    thread_wake(on, THREADS);
    return 0;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    clock_ns += TICK;
    *now = (struct timespec){ .tv_sec = (time_t)(clock_ns / 1000000000),
                              .tv_nsec = (long)(clock_ns % 1000000000) };
    return 0;
}

/* Where sched.c, which asks for the time, is not under test. */
__attribute__((weak)) uint64_t wf_now_ns(void) { return clock_ns += TICK; }

int sched_yield(void)
{
    weave_yield();
    return 0;
}

int nanosleep(const struct timespec *pause, struct timespec *left)
{
    weave_yield();
    return 0;
}
