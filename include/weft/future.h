/* future.h: loose tasks, and handles on results that are not there yet.
 *
 * A future gets one result, once: 0 or a negative errno. It is the result of a
 * task, or of others that came before it, of a pause, of a read, or a promise
 * that anyone keeps. Nobody needs to wait for it on a thread: what comes after
 * it is named with weft_then, and runs when it may.
 *
 *     weft_submit_with(
 *         sched, weft_config(submit, .name = "fetch", .fn = fetch), &fetched,
 *         &why);
 *     weft_then(fetched, weft_config(then, .fn = show), &shown, &why);
 *     if (weft_future_wait(shown, -1)) {
 *         weft_future_why(shown, &why);
 *         puts(why.text); // "task 'fetch' failed: Input/output error"
 *     }
 *
 * A handle is yours until you destroy it, which you may do at any time: what
 * runs, or comes after it, goes on all the same. A call that takes a handle
 * borrows it for the call; `out` may be NULL where that is said. A scheduler
 * must be there as long as anything is added to one of its futures, or one is
 * cancelled. */
#ifndef WEFT_FUTURE_H
#define WEFT_FUTURE_H
#include <stdbool.h>

#include "weft/graph.h"
#include "weft/io.h"

typedef struct weft_future weft_future;

/* ---- tasks ------------------------------------------------------------- */

/* [any] Queues fn(worker, ctx) and returns at once. With `out` you get a handle
 * on its result, to be destroyed; NULL: nobody asks. -ENOMEM. */
int weft_submit(weft_sched *sched, weft_fn *fn, void *ctx, weft_future **out,
                weft_error *why);

/* Asks a task that has started, or is pending, to end soon. On any thread, at
 * most once. Its future is not done before this has returned. */
typedef void weft_ask_fn(void *ctx);

struct weft_submit_config {
    size_t size;      /* set by weft_config(submit, ...) */
    const char *name; /* told where it fails; may be NULL */
    weft_fn *fn;
    void *ctx;
    weft_ask_fn *cancel; /* gets `ctx`; for weft_future_cancel; may be NULL */
};

/* [any] The same with a name. -EINVAL: there is no function. */
int weft_submit_with(weft_sched *sched, const struct weft_submit_config *config,
                     weft_future **out, weft_error *why);

/* [worker] The running task, when it returns 0, goes on as fn(worker, ctx), and
 * its future waits for that; when it returns WEFT_PENDING, once it has been
 * completed with 0. An unbounded chain needs no stack. At most one continuation
 * a task; a second call replaces the first. For tasks of this header: it does
 * nothing in those of a graph or a pipeline; nor outside a worker, or in a
 * child (task.h), which is misuse. */
void weft_continue(weft_worker *self, weft_fn *fn, void *ctx);

/* [worker] The future of the running task, which then may return WEFT_PENDING:
 * no worker waits for it, and its result comes with weft_future_complete. It is
 * no handle of yours: forget it when you have completed it, or if the task
 * returns anything else. A task that returns WEFT_PENDING without having asked
 * for it fails with -EINVAL. NULL where no task of this header runs. In a child
 * (task.h): that of the task, which may return WEFT_PENDING then; the child may
 * not. */
weft_future *weft_future_self(weft_worker *self);

/* [any] Ends a pending task, or keeps a promise: rc is 0 or a negative errno.
 * Exactly once; it may come before the task has returned. */
void weft_future_complete(weft_future *future, int rc);

/* [worker] The running task ends as this future does, which it takes from you:
 *     return weft_end_as(self, future);
 * WEFT_PENDING; or -ENOMEM, or -EPERM where no task of this header runs and in
 * a child, or -EINVAL if it was completed before: the future is destroyed in
 * any case. A cancel of the task reaches the future. */
int weft_end_as(weft_worker *self, weft_future *future);

/* [worker] Whether the running task, one of this header, was cancelled, and
 * should end soon. */
bool weft_is_cancelled(weft_worker *self);

/* [any] A future without a task: whoever has it completes it, once, in any
 * case: the scheduler waits for that. Its handle may be destroyed before.
 * Cancelled, it has -ECANCELED at once, and its completion, which must still
 * come, changes nothing. -ENOMEM. */
int weft_promise(weft_sched *sched, weft_future **out, weft_error *why);

/* ---- results ----------------------------------------------------------- */

/* [any] The result, as soon as it is there; -ETIMEDOUT after timeout_ms (0: at
 * once, negative: no limit).
 *
 * On a worker it first runs what the future waits for, if that has not started,
 * on this stack and to its end; never anything else. Where there is nothing
 * such, or the stack is used up, this thread sleeps and another one is the
 * worker meanwhile: it has the same index. So no wait stops a worker. -EDEADLK:
 * it would wait for the task that waits, directly or by way of others: of what
 * has to be done before this future, the nearest 256 are looked at; all of a
 * weft_when_all have to, though a failure would end that before. A circle where
 * one of several will do (weft_when_any, weft_wait_any, a weft_set) is not
 * seen, and may never end. -EAGAIN: too many tasks wait like this (256
 * threads), or no thread was to be had; use weft_then. Both may be results too:
 * weft_future_why tells. */
int weft_future_wait(weft_future *future, int timeout_ms);

/* [any] The result of a future that is done, and a sentence: "task 'parse'
 * failed: Input/output error". Where what came after was not called it tells
 * of what has failed. -EINPROGRESS: there is no result yet. */
int weft_future_why(weft_future *future, weft_error *why);

/* [any] Waits until one of n futures is done, at most timeout_ms: how many are,
 * 0 after the timeout; which of them is in done[i], if that is not NULL. It
 * looks at each of them a few times: where they are many, use a weft_set.
 * -ENOMEM; on a worker as weft_future_wait. */
int weft_wait_any(weft_future *const futures[], size_t n, bool done[],
                  int timeout_ms);

/* [any] Waits until all of n futures are done: 0, or the result and sentence of
 * the first in this order that failed. -ETIMEDOUT; -ENOMEM; on a worker as
 * weft_future_wait. */
int weft_wait_all(weft_future *const futures[], size_t n, int timeout_ms,
                  weft_error *why);

/* Futures that are waited for again and again: what one costs does not depend
 * on how many there are. */
typedef struct weft_set weft_set;

/* [any] -ENOMEM. */
int weft_set_create(weft_set **out, weft_error *why);

/* [any] From now on the set tells of this future, once, by `tag`. The handle
 * may be destroyed. -ENOMEM. */
int weft_set_add(weft_set *set, weft_future *future, void *tag,
                 weft_error *why);

/* [any] The next one that is done: 1, its tag, and its result if you want it.
 * 0: all that were added have been told. -ETIMEDOUT, in the time of the
 * scheduler of the latest that pends: that is another only with a seed. On a
 * worker as weft_future_wait, but it never helps. */
int weft_set_next(weft_set *set, void **tag, int *result, int timeout_ms);

/* [one] Any time; the futures go on. */
void weft_set_destroy(weft_set *set);

/* [one] Any time: a task that has not run yet runs all the same. */
void weft_future_destroy(weft_future *future);

/* ---- what comes after -------------------------------------------------- */

/* A task that comes after a future with this result. As a weft_fn. */
typedef int weft_then_fn(weft_worker *self, int result, void *ctx);

enum weft_on {
    WEFT_SUCCESS, /* where the future before fails this is not called, and has
                     its result, error and sentence, at once */
    WEFT_ERROR,   /* where it succeeds this is not called, and succeeds */
    WEFT_ALWAYS,
};

struct weft_then_config {
    size_t size; /* set by weft_config(then, ...) */
    const char *name;
    weft_then_fn *fn;
    void *ctx;
    enum weft_on on;
    weft_ask_fn *cancel; /* gets `ctx` */
};

/* [any] When the future is done, calls fn on a worker of its scheduler: once,
 * also if it is done already. `out`, which may be NULL, is what fn returns, or
 * what passes. -EINVAL, -ENOMEM. */
int weft_then(weft_future *future, const struct weft_then_config *config,
              weft_future **out, weft_error *why);

/* [any] Succeeds when all of them have; fails as soon as one does, as that one,
 * and the others go on. Of none: has succeeded. -ENOMEM. */
int weft_when_all(weft_sched *sched, weft_future *const futures[], size_t n,
                  weft_future **out, weft_error *why);

/* [any] Ends as the one that ends first, whether it fails or not. Of none:
 * -EINVAL. -ENOMEM. */
int weft_when_any(weft_sched *sched, weft_future *const futures[], size_t n,
                  weft_future **out, weft_error *why);

/* [any] Which one decided a future of weft_when_any or weft_when_all that is
 * done: its number among them, or SIZE_MAX: none did, or it is no such future.
 */
size_t weft_future_which(weft_future *future);

/* [any] What has not started never starts: its result is -ECANCELED, and so is
 * that of what comes after it on success. A pause and an operation end early. A
 * task that has started, or is pending, is asked to end, with the `cancel` of
 * its config and weft_is_cancelled; it has no continuation any more, and its
 * result is what it makes of it. What is done is as it was. */
void weft_future_cancel(weft_future *future);

/* ---- time and files ---------------------------------------------------- */

/* [any] Succeeds after so many nanoseconds, or a little more; or at a time of
 * weft_sched_now_ns. The scheduler waits for it, unless it is cancelled.
 * -ENOMEM, -EAGAIN (no thread for the timers). */
int weft_after_ns(weft_sched *sched, uint64_t ns, weft_future **out,
                  weft_error *why);
int weft_at_ns(weft_sched *sched, uint64_t when_ns, weft_future **out,
               weft_error *why);

/* [any] Performs an operation: see io.h. It, and what it points to, must stay
 * where they are until the future is done, whose result is 0 or the error; then
 * see io->result. `done` and `ctx` are weft's here. -ENOMEM. */
int weft_future_io(weft_sched *sched, struct weft_io *io, weft_future **out,
                   weft_error *why);
#endif
