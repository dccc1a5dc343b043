/* barrier.c: the kernel's membarrier.
 *
 * A thread that writes X and then reads Y may do both in the other order, as
 * far as others can see: the write waits in the store buffer of its core. So
 * both threads of barrier.h could read what was there before. A seq_cst store
 * on both sides forbids that, and is an xchg for each.
 *
 * membarrier makes every core that runs a thread of the process pass a full
 * barrier before it returns; a thread that does not run passes one when it is
 * switched. So for the thread with the light side there is an instant, between
 * two of its instructions, at which all that it wrote is seen by whoever
 * called, and all that the caller wrote before is seen by what it reads from
 * then on. If X was written before this instant, the caller sees it; if not,
 * neither was Y read, and it reads what the caller wrote. The light side only
 * has to keep the compiler from changing the order.
 *
 * It orders X and Y, and nothing else: what is handed over by them needs a
 * release and an acquire, as ever, and these are all that ThreadSanitizer sees.
 * It knows of no reordered stores, and so neither needs the barrier nor misses
 * it: that is for the stress tests.
 *
 * An old kernel has none, a sandbox may forbid it, also later on; and it may
 * fail for lack of memory. */
#include "sched/barrier.h"

#include <linux/membarrier.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched/atomic.h"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static _Atomic bool exists;

static bool membarrier(int command)
{
    return !syscall(SYS_membarrier, command, 0, 0);
}

static void ask(void)
{
    store_relaxed(&exists,
                  membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) &&
                      membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED));
}

void wf_barrier_prepare(void) { pthread_once(&once, ask); }

bool wf_barrier_exists(void) { return load_relaxed(&exists); }

bool wf_barrier_heavy(void)
{
    bool done = membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);

    if (!done)
        store_relaxed(&exists, false);
    return done;
}
