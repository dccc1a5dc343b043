/* futex.c: sleeping on a word of memory and waking who sleeps there.
 *
 * The kernel compares the word and goes to sleep in one step, so a change of
 * the word before the wake-up is never missed. It orders nothing else: who
 * waits reads the word again with the order that it needs. */
#include "sched/futex.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "sched/sched.h"

void wf_futex_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    struct timespec limit = { .tv_sec = timeout_ns / 1000000000,
                              .tv_nsec = timeout_ns % 1000000000 };
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, seen,
            timeout_ns < 0 ? NULL : &limit, NULL, 0);
}

void wf_futex_wake(_Atomic uint32_t *word, int n)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, n, NULL, NULL, 0);
}

void wf_sleep_while(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns)
{
    wf_futex_wait(word, seen, timeout_ns);
}

void wf_wake_all(_Atomic uint32_t *word) { wf_futex_wake(word, INT_MAX); }
