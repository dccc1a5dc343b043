/* sched.h: what the layers above may ask of the scheduler. */
#ifndef WEFT_SCHED_SCHED_H
#define WEFT_SCHED_SCHED_H
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"
#include "weft/sched.h"

/* [worker] Makes a task, or all of a list, ready on this worker; others may
 * steal it. A list becomes visible at once, with at most one wake-up. */
void wf_push(weft_worker *self, struct task *task);
void wf_push_list(weft_worker *self, struct task_list *list);

/* [worker] The same for an array, whose first ones are stolen first. */
void wf_push_many(weft_worker *self, struct task *const tasks[], unsigned n);

/* [worker] How many continuations a task may run by itself, one after the
 * other, before it returns the next one to the worker; and that it has run so
 * many. */
unsigned wf_steps_left(const weft_worker *self);
void wf_count_steps(weft_worker *self, unsigned steps);

/* [worker] How many of the worker's own tasks a task may take and run by
 * itself, before others have their turn; and that it has taken so many. Each is
 * a step, too. */
unsigned wf_takes_left(weft_worker *self);
void wf_count_takes(weft_worker *self, unsigned takes);

/* [worker] Takes the newest of its own tasks if that begins with `run`; NULL if
 * not, or if something else comes before it: what is to run on this worker, or
 * a thread that wants to be it again. */
struct task *wf_take_alike(weft_worker *self,
                           struct task *(*run)(weft_worker *, struct task *));

/* [worker] wf_push, unless this worker has no room for more: false, and the
 * task is still yours. */
bool wf_push_own(weft_worker *self, struct task *task);

/* [worker] True: the task, which was pushed by this worker, has been taken out
 * of its deque again. False: it is not there; another thread has it. Fast if
 * nothing that was pushed later is still there, else linear in that. */
bool wf_take_back(weft_worker *self, struct task *task);

/* [worker] Whether there are others, and nothing that they could take here. */
bool wf_may_share(weft_worker *self);

/* [worker] The oldest task of another worker's deque, or NULL; the oldest of
 * any, or an injected one. */
struct task *wf_steal_from(weft_worker *self, weft_worker *victim);
struct task *wf_take_elsewhere(weft_worker *self);

/* [any] Makes a list of tasks ready from outside, first in first out, with at
 * most one wake-up. A worker uses it for what should come after its own work.
 */
void wf_inject(weft_sched *sched, struct task_list *list);

/* [any] Lets `add` put something into the last task that was injected from here
 * and that no worker can have: it says whether it did, in a few instructions.
 * Then that is published like a task. False: nothing was done. */
bool wf_inject_into(weft_sched *sched,
                    bool (*add)(struct task *last, void *ctx), void *ctx);

/* [any] Makes a task ready that is to run on this worker: before its own tasks,
 * when what it runs has ended. Who finds nothing else to do takes it, too. */
void wf_ready_at(weft_sched *sched, struct task *task, unsigned worker);

/* [any] Makes a task ready that is to run on the NUMA node of this worker, like
 * wf_inject from there. */
void wf_ready_near(weft_sched *sched, struct task *task, unsigned worker);

/* [any] A worker of the NUMA node that has this memory; of that of the calling
 * thread where it is not known. */
unsigned wf_worker_near(weft_sched *sched, const void *memory);

/* [any] Whether they are of one NUMA node. */
bool wf_are_near(weft_sched *sched, unsigned worker, unsigned other);

/* [any] Makes a task ready that begins something new, where others have begun:
 * it comes when its worker has nothing else to do, after those of its kind that
 * wait, or `first`. It is not put off for ever. `self` as in wf_ready. */
void wf_ready_last(weft_sched *sched, weft_worker *self, struct task *task,
                   bool first);

/* [worker] Whether it has anything to do before those. */
bool wf_has_other_work(weft_worker *self);

/* [worker] Whether the task that runs is the continuation of the one before,
 * which has just returned it. */
bool wf_follows(const weft_worker *self);

/* [worker] What wf_follows says, for a task that runs several, from now on. */
void wf_follow(weft_worker *self, bool follows);

/* [worker] Whether several take turns with wf_ready_last, or chance is to
 * decide and not the clock: then what begins something new begins one. */
bool wf_takes_turns(const weft_worker *self);

/* [any] So many more, or fewer, take turns with wf_ready_last. If there are
 * several, a worker looks what others have to do before it comes to those. */
void wf_sched_rivals(weft_sched *sched, int more);

/* [any] wf_push where self is a worker of this scheduler, else wf_inject: it is
 * NULL, or a worker of another one. */
void wf_ready(weft_sched *sched, weft_worker *self, struct task *task);

/* [any] Who plays the workers where there is a seed, or NULL. */
struct seeded *wf_seeded_of(const weft_sched *sched);

/* [any] The worker that this thread is, or NULL. */
weft_worker *wf_worker_here(void);

/* [any] Runs the task on a helper thread, outside of the workers:
 * task->run(NULL, task). What it returns is made ready on the workers. A thread
 * is started if none is idle: there are never more than tasks were under way at
 * one time. If none can be started the task waits for one that there is. 0, or
 * a negative errno if there is none at all: the task is then still yours. */
int wf_offload(weft_sched *sched, struct task *task);

/* [any] The thread runs the task after those before it: task->run(NULL, task).
 * What it returns is made ready on the workers. */
void wf_thread_run(weft_thread *thread, struct task *task);

/* [worker] This thread sleeps while *word == seen, at most timeout_ns
 * (negative: no limit); meanwhile another thread is the worker, so nothing
 * waits for this one. 0: it is the worker again. -EAGAIN: no thread could be
 * had, or too many sleep like this already; nothing was done. */
int wf_worker_sleep(weft_worker *self, _Atomic uint32_t *word, uint32_t seen,
                    int64_t timeout_ns);

/* [any] A run holds the scheduler from its start to its end: weft_sched_destroy
 * waits until nobody does. */
void wf_sched_hold(weft_sched *sched);
void wf_sched_release(weft_sched *sched);

/* [any, not a worker] Looks at *word while its bits of the mask are `seen`, for
 * as long as is worth while before a sleep, at most so long (negative: no
 * limit). It orders nothing. */
void wf_spin_while(_Atomic uint32_t *word, uint32_t mask, uint32_t seen,
                   int64_t most_ns);

/* [any, not a worker] Sleeps while *word == seen, at most timeout_ns (negative:
 * no limit); it may also return early. wf_wake_all wakes all who sleep on it.
 */
void wf_sleep_while(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_ns);
void wf_wake_all(_Atomic uint32_t *word);

/* [any, not a worker] The same for what happens on the scheduler's workers, and
 * in its time. The scheduler may be gone as soon as *word has changed; NULL: it
 * is no scheduler's. */
void wf_wait_while(const weft_sched *sched, _Atomic uint32_t *word,
                   uint32_t seen, int64_t timeout_ns);

/* [any] Whether there is such a scheduler that has a clock of its own. */
bool wf_has_clock(const weft_sched *sched);

/* [any] The time of the same: weft_sched_now_ns, or wf_now_ns if it is gone. */
uint64_t wf_now_of(const weft_sched *sched);

/* Nanoseconds of the monotonic clock, for statistics: what is waited for goes
 * by weft_sched_now_ns. */
uint64_t wf_now_ns(void);

/* The processor's own clock, for statistics: less than half the price. How long
 * a tick is, wf_now_ns says. Two cores may disagree by a little. */
static inline uint64_t wf_ticks(void)
{
#if defined __x86_64__ && !defined WEFT_WEAVE /* its clock is its own */
    return __builtin_ia32_rdtsc();
#else
    return wf_now_ns();
#endif
}

/* A task that becomes ready at a time. Embedded, and zeroed before its first
 * use; it stays where it is from its start until its task runs, or until it was
 * cancelled. Whoever starts one holds the scheduler until then. */
struct timer {
    struct task task; /* task.run is yours */
    uint64_t when;    /* this and what follows is timer.c's */
    struct timer *child, *next, *prev;
    bool armed;
    bool timeout;
};

/* [any] Not while it is armed or its task is still to run; from the task itself
 * is fine. A time that is past: ready at once. 0, or a negative errno: the
 * thread that waits cannot be started. */
int wf_timer_start(weft_sched *sched, struct timer *timer, uint64_t when);

/* [any] The same for a timeout: so many ns from now on. Time that the process
 * did not run, because it was stopped, does not count. */
int wf_timeout_start(weft_sched *sched, struct timer *timer, uint64_t ns);

/* [any] True: it was armed, and its task will not run. False: it was not: never
 * started, or cancelled, or its task was made ready before. It may come at any
 * moment for a timer that is not freed meanwhile. */
bool wf_timer_cancel(weft_sched *sched, struct timer *timer);

/* [any] The same, but if it was armed its time has come now. */
bool wf_timer_hurry(weft_sched *sched, struct timer *timer);

/* [any] Whether the time of a timeout that was started has passed: its task may
 * be still to come. */
bool wf_timer_is_past(weft_sched *sched, const struct timer *timer);

/* Writes the sentence, if anyone wants it, and returns `error`. */
int wf_error(weft_error *why, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* [any] The program has made a mistake that no return value would mend. A debug
 * build prints "weft: ", the sentence, and aborts. A release build (NDEBUG)
 * returns: the caller then does what its header says. */
void wf_misuse(const char *format, ...) __attribute__((format(printf, 1, 2)));
#endif
