/* one.h: one future by itself, or two, for those who run it, complete it,
 * cancel it and give it back. */
#ifndef WEFT_TESTS_WEAVE_ONE_H
#define WEFT_TESTS_WEAVE_ONE_H
#include <errno.h>
#include <stdlib.h>

#include "tests/weave/around.h"

static weft_future *f, *pending;
static weft_future *promise, *other; /* of two futures; a handle of it */
static _Atomic bool is_shared, is_completed, is_over;
static int calls;  /* plain: of the task */
static int *asked; /* allocated: until it is done */

weft_worker *wf_worker_here(void) { return &worker; }

int wf_error(weft_error *why, int error, const char *format, ...)
{
    return error;
}

static inline void work(void)
{
    while (!load_relaxed(&is_over))
        if (!run_one())
            weave_yield();
}

static inline void complete_now(void)
{
    store_relaxed(&is_completed, true);
    weft_future_complete(pending, 0);
}

/* What is left is run and completed. */
static inline void check(void)
{
    while (run_one())
        ;
    if (pending && !load_relaxed(&is_completed))
        complete_now();
    while (run_one())
        ;
    weave_assert(load_relaxed(&sched.holds) == 0);
    weave_assert(load_relaxed(&wf_a_task.refs) == 0);
}

static inline void check_it_ran(void)
{
    check();
    weave_assert(calls == 1);
}

static inline int end(weft_worker *self, void *ctx)
{
    calls++;
    store_relaxed(&is_over, true);
    return -7;
}

static inline void submit(weft_fn *fn)
{
    weave_assert(!weft_submit(&sched, fn, NULL, &f, NULL));
}

static inline void give_back(void) { weft_future_destroy(f); }

static inline int pends_to_the_end(weft_worker *self, void *ctx)
{
    pending = weft_future_self(self);
    store_release(&is_shared, true);
    return WEFT_PENDING;
}

static inline int pends(weft_worker *self, void *ctx)
{
    int rc = pends_to_the_end(self, ctx);

    weft_continue(self, end, NULL);
    return rc;
}

static inline void complete(void)
{
    while (!load_acquire(&is_shared)) {
        if (load_relaxed(&is_over))
            return;
        weave_yield();
    }
    complete_now();
}

static inline void cancel(void)
{
    weft_future_cancel(f);
    weft_future_destroy(f);
    store_relaxed(&is_over, true);
}

/* As who waits for it does on a worker: helpwait.c. */
static inline void help(void)
{
    uint32_t state = load_acquire(&f->state);

    if (state & READY && !(state & CLAIMED) && wf_future_claim(f))
        wf_future_run_here(&worker, f);
    weft_future_destroy(f);
}

/* It is done: nobody asks any more. */
static inline void wait_and_free(void)
{
    while (!(load_acquire(&f->state) & DONE))
        weave_yield();
    weave_assert(*asked <= 1);
    free(asked);
    store_relaxed(&is_over, true);
    weft_future_destroy(f);
}

static inline void cancel_and_go(void)
{
    weft_future_cancel(f);
    weft_future_destroy(f);
}

static inline int ends_as(weft_worker *self, void *ctx)
{
    int rc = weft_end_as(self, other);

    other = NULL;
    weft_continue(self, end, NULL);
    return rc;
}

static inline void set_up_to_follow(void)
{
    weave_assert(!weft_promise(&sched, &promise, NULL));
    other = promise;
    submit(ends_as);
}

static inline void keep(void) { weft_future_complete(promise, 0); }

/* A task that never began has not taken the handle. */
static inline void check_two(void)
{
    check();
    weft_future_destroy(other);
}

static inline int hear(weft_worker *self, int result, void *ctx)
{
    weave_assert(result == 0);
    return end(self, ctx);
}
#endif
