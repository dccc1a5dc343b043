/* sched.h: the worker threads, one per core that the process may really use.
 *
 * A scheduler is made once and shared by every run, from any thread. Idle, it
 * burns no CPU. */
#ifndef WEFT_SCHED_H
#define WEFT_SCHED_H
#include "weft/base.h"

enum weft_pin { WEFT_PIN_CORE, WEFT_PIN_NUMA, WEFT_PIN_NONE };

/* How reads and writes are done. AUTO tries at once on the worker, then hands
 * over to io_uring, or to blocking threads where the ring cannot be had. The
 * environment variable WEFT_IO=auto|ring|threads decides where this is AUTO. */
enum weft_io_way { WEFT_IO_AUTO, WEFT_IO_RING, WEFT_IO_THREADS };

struct weft_sched_config {
    size_t size;      /* set by weft_config(sched, ...) */
    unsigned workers; /* default: one per core this process may use */
    unsigned spin_us; /* how long to look for work before sleeping; 50 */
    enum weft_pin pin;
    enum weft_io_way io;
    uint64_t seed; /* not 0: what follows; for tests */
};

/* WITH A SEED a program can be run again in the very same order. One thread at
 * a time plays all workers (default: 4, on any machine). After each task the
 * seed chooses which worker goes on, and whether a call of a blocking stage, a
 * task of a weft_thread or an operation comes before that. So callbacks come in
 * an order that could come without a seed too; the same seed makes the same
 * order, to the last callback, whenever the program does the same; and another
 * seed another one. Run your test with a thousand seeds, and the one that fails
 * again, with a debugger: examples/seeds.c.
 *
 *     for (uint64_t seed = 1; seed <= 1000; seed++) {
 *         weft_sched_create(&sched, weft_config(sched, .seed = seed), NULL);
 *         if (test_with(sched))
 *             printf("seed %d fails\n", (int)seed);
 *         weft_sched_destroy(sched);
 *     }
 *
 * Time is that of the seed too (weft_sched_now_ns): work takes none, and when
 * nothing else is left to do it jumps to where the next pause, deadline, retry
 * or timeout ends. An hour of pauses costs nothing. Only while a descriptor is
 * waited for (WEFT_IO_POLL) it does not jump before nothing has come for as
 * long outside. For what a thread of your own is about to do it does not wait:
 * a timeout for that is over at once, if nothing is left to do here.
 *
 * Operations are done, for real, when the seed chooses them; one that was
 * cancelled may have been in time or not.
 *
 * What a seed does not decide, and what therefore has to be the same by itself:
 *  - threads of your own. All stands still unless one of them waits in weft
 *    (weft_wait, weft_next, weft_future_wait, weft_sched_destroy, ...), so one
 *    thread that starts runs, feeds, and waits is repeated too. Several are
 *    not; nor is what waits in its own way, on a lock or a descriptor: after
 *    three seconds in which all threads sleep, or thirty in which some do not,
 *    all goes on without it, in no certain order from then on. A stop of the
 *    process, as in a debugger, does not count.
 *  - the clock of the machine, addresses, random numbers, what you read and
 *    write without weft, and what other processes do.
 *  - what happens inside of a callback: it is interrupted only where it waits
 *    in weft. One that waits for another in its own way waits for ever.
 * Times in statistics are those of the machine.
 *
 * Where somebody waits, nothing is left to do, and nothing comes from outside
 * for five seconds, a debug build of weft says that it never will, and aborts.
 */

/* [any] `config` may be NULL: all defaults. -ENOMEM, -EAGAIN (no threads). */
int weft_sched_create(weft_sched **out, const struct weft_sched_config *config,
                      weft_error *why);

/* [one] Finishes what was submitted, waits for the runs and until each
 * weft_thread is destroyed, ends the threads. Never call it from a worker: on
 * one of its own it does nothing. */
void weft_sched_destroy(weft_sched *sched);

/* [any] How many workers there are. */
unsigned weft_sched_workers(const weft_sched *sched);

/* [any] The time that pauses, deadlines and timeouts go by: ns of
 * CLOCK_MONOTONIC, or with a seed of its own clock. */
uint64_t weft_sched_now_ns(const weft_sched *sched);

/* [any] Tells what was found and decided, and why, a line at a time: how many
 * workers, where each is pinned, how I/O is done. The strings live for the
 * call. */
typedef void weft_say_fn(void *ctx, const char *what, const char *text);
void weft_sched_explain(const weft_sched *sched, weft_say_fn *say, void *ctx);

/* [any] Counts since the start, exact once the scheduler is idle. */
struct weft_sched_stats {
    uint64_t tasks;     /* executed */
    uint64_t steals;    /* tasks taken from another worker */
    uint64_t parks;     /* times that a worker went to sleep */
    uint64_t wakes;     /* times that one was woken */
    uint64_t searchers; /* most workers that searched at one time */
};
void weft_sched_stats(const weft_sched *sched, struct weft_sched_stats *out);

/* A thread of its own beside the workers: what is bound to one thread (a GPU
 * context, an SQLite connection) is used there only. */
typedef struct weft_thread weft_thread;

/* [any] `name` is what debuggers show, cut to 15 bytes; NULL: "weft/thread". It
 * runs on the CPUs of the calling thread; where that is a worker, of the thread
 * that made the scheduler. -ENOMEM, -EAGAIN (no thread). */
int weft_thread_create(weft_thread **out, weft_sched *sched, const char *name,
                       weft_error *why);

/* [one] After the runs that use it; finishes what is queued and waits for it:
 * never call it from a worker, nor from the thread itself, where it does
 * nothing. weft_sched_destroy waits for this: call this first. */
void weft_thread_destroy(weft_thread *thread);

/* [worker] 0 .. workers - 1: an index into whatever you keep per worker. While
 * you are in weft_sync, a loop of task.h, or a wait for a future, another task
 * may run with the same index. Outside a worker: UINT_MAX. */
unsigned weft_worker_index(const weft_worker *self);

/* [worker] Outside a worker: NULL. */
weft_sched *weft_worker_sched(const weft_worker *self);
#endif
