/* test_misuse_future.c: graph/promise.c: a future that is completed twice, or
 * by who does not have it. A debug build ends with a sentence; a release build,
 * as which this is compiled once more, goes on as if nothing had been. */
#include <pthread.h>

#include "sched/sched.h"
#include "tests/aborts.h"
#include "tests/futures.h"

static weft_future *mistaken;

static const char not_pending[] =
    "weft_future_complete: the future is not pending: it was completed before, "
    "or its task never asked for it";

static bool complete_it(void)
{
    weft_future_complete(mistaken, -EIO);
    return true;
}

Test(misuse_future, a_promise_is_kept_once, .timeout = 60)
{
    weft_sched *s = workers(1);
    mistaken = promised(s);
    weft_future_complete(mistaken, -EPROTO);
    cr_assert(is_misuse(complete_it, not_pending));
    cr_assert_eq(wait_and_destroy(mistaken), -EPROTO);
    weft_sched_destroy(s);
}

Test(misuse_future, a_task_is_not_completed_by_who_waits_for_it, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f = NULL;
    cr_assert_eq(
        weft_submit_with(s, weft_config(submit, .name = "parse", .fn = nothing),
                         &f, NULL),
        0);
    cr_assert_eq(weft_future_wait(f, -1), 0);
    mistaken = f;
    cr_assert(is_misuse(complete_it, not_pending));
    cr_assert_eq(wait_and_destroy(f), 0);
    weft_sched_destroy(s);
}

static int complete_twice(weft_worker *self, void *ctx)
{
    mistaken = weft_future_self(self);
    weft_future_complete(mistaken, -EPROTO);
    cr_assert(is_misuse(complete_it, not_pending));
    return WEFT_PENDING;
}

Test(misuse_future, a_pending_task_is_completed_once, .timeout = 60)
{
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, complete_twice, NULL)), -EPROTO);
    weft_sched_destroy(s);
}

static bool self_outside(void) { return weft_future_self(NULL) == NULL; }

Test(misuse_future, outside_a_worker_no_task_has_a_future, .timeout = 60)
{
    cr_assert(is_misuse(self_outside,
                        "weft_future_self was called outside a worker: call it "
                        "in a task, with the worker that it was given"));
}

/* What it returns is not heard: here in a process of its own, as it ends there
 * on another thread. */
static int complete_and_return(weft_worker *self, void *ctx)
{
    weft_future_complete(weft_future_self(self), -EPROTO);
    return 0;
}

static bool return_after_completion(void)
{
    weft_sched *s = workers(1);
    int rc = wait_and_destroy(submitted(s, complete_and_return, NULL));
    weft_sched_destroy(s);
    return rc == -EPROTO;
}

Test(misuse_future, who_was_completed_has_to_pend, .timeout = 60)
{
    cr_assert(is_misuse(return_after_completion,
                        "a task was completed, and then returned 0: it has to "
                        "return WEFT_PENDING"));
}

static int complete_and_end_as(weft_worker *self, void *other)
{
    weft_future_complete(weft_future_self(self), -EPROTO);
    int rc = weft_end_as(self, other);
    return rc == -EINVAL ? WEFT_PENDING : 0;
}

static bool end_after_completion(void)
{
    weft_sched *s = workers(1);
    weft_future *p = promised(s);
    int rc = wait_and_destroy(submitted(s, complete_and_end_as, p));
    weft_future_complete(p, 0);
    weft_sched_destroy(s);
    return rc == -EPROTO;
}

Test(misuse_future, who_was_completed_does_not_end_as_another, .timeout = 60)
{
    cr_assert(is_misuse(end_after_completion,
                        "weft_end_as: the task was completed before, or is "
                        "that future itself"));
}

static weft_future *own;
static _Atomic bool is_there;

static int end_as_itself(weft_worker *self, void *other)
{
    while (!load_acquire(&is_there)) /* its handle */
        ;
    return weft_end_as(self, own);
}

static bool end_as_own(void)
{
    weft_sched *s = workers(1);
    store_release(&is_there, false);
    cr_assert_eq(weft_submit(s, end_as_itself, NULL, &own, NULL), 0);
    store_release(&is_there, true); /* the handle */
    weft_sched_destroy(s);          /* it does not wait for ever */
    return true;
}

Test(misuse_future, no_task_ends_as_itself, .timeout = 60)
{
    cr_assert(is_misuse(end_as_own,
                        "weft_end_as: the task was completed before, or is "
                        "that future itself"));
}
