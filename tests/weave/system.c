/* system.c: what else the code under test asks of the system: to sleep on a
 * word, and threads. They are not pinned. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "sched/barrier.h"
#include "sched/futex.h"
#include "sched/sched.h"
#include "tests/weave/inner.h"

enum { KEYS = 4 };

static void (*destructors[KEYS])(void *);
static void *values[THREADS][KEYS];
static unsigned keys;
static struct view known_once; /* by those who did things once */

/* The kernel compares with the latest value, and orders nothing. */
void wf_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    thread_step();
    heap_check(word, sizeof *word, false);
    if (load_relaxed(word) != seen)
        return;
    trace("thread %u: sleeps", thread_self());
    sync_sleep(word, sync_in(timeout_ns));
}

void wf_futex_wake(_Atomic uint32_t *word, int n)
{
    thread_step();
    trace("thread %u: wakes up to %d", thread_self(), n);
    thread_wake(word, (unsigned)n);
}

void wf_sleep_while(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    wf_futex_wait(word, seen, timeout_ns);
}

void wf_wake_all(_Atomic uint32_t *word) { wf_futex_wake(word, THREADS); }

int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                   void *(*function)(void *), void *arg)
{
    *thread = thread_start(function, arg);
    return 0;
}

int pthread_join(pthread_t thread, void **result)
{
    void *got = thread_join((unsigned)thread);

    if (result)
        *result = got;
    return 0;
}

void system_begin(void)
{
    keys = 0;
    view_empty(&known_once);
    for (unsigned i = 0; i < THREADS; i++)
        for (unsigned k = 0; k < KEYS; k++)
            values[i][k] = NULL;
}

void system_end_thread(void)
{
    for (unsigned k = 0; k < keys; k++)
        if (values[thread_self()][k] && destructors[k])
            destructors[k](values[thread_self()][k]);
}

/* Who comes later has to know what the first one did, and waits for its end. */
int pthread_once(pthread_once_t *once, void (*function)(void))
{
    enum { NOW = PTHREAD_ONCE_INIT + 1, DONE };
    struct view *mine = thread_view(thread_self());

    thread_step();
    while (*once == NOW)
        thread_sleep(once, false);
    if (*once == PTHREAD_ONCE_INIT) {
        statics_will_write(once, sizeof *once);
        *once = NOW;
        function();
        mine->epochs[thread_self()]++;
        view_join(&known_once, mine);
        *once = DONE;
        thread_changed();
        thread_wake(once, THREADS);
    }
    view_join(mine, &known_once);
    return 0;
}

int pthread_key_create(pthread_key_t *key, void (*destructor)(void *))
{
    if (keys == KEYS)
        return EAGAIN;
    destructors[keys] = destructor;
    *key = keys++;
    return 0;
}

int pthread_setspecific(pthread_key_t key, const void *value)
{
    values[thread_self()][key] = (void *)(uintptr_t)value;
    return 0;
}

void wf_barrier_prepare(void) {}
bool wf_barrier_exists(void) { return true; }

bool wf_barrier_heavy(void)
{
    weave_barrier_of_all();
    return true;
}

pthread_t pthread_self(void) { return thread_self(); }
int pthread_setname_np(pthread_t thread, const char *name) { return 0; }
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) { return 0; }

int pthread_getattr_np(pthread_t thread, pthread_attr_t *attr)
{
    size_t size;
    char *stack = thread_stack(&size);

    pthread_attr_init(attr);
    return pthread_attr_setstack(attr, stack, size);
}

int sched_getaffinity(pid_t thread, size_t size, cpu_set_t *cpus)
{
    CPU_ZERO_S(size, cpus);
    CPU_SET_S(0, size, cpus);
    return 0;
}

int sched_setaffinity(pid_t thread, size_t size, const cpu_set_t *cpus)
{
    return 0;
}
