/* test_misuse.c: sched/misuse.c: a mistake in the program ends a debug build
 * with a sentence, and leaves a release build with what is documented. */
#include <errno.h>
#include <limits.h>

#include "sched/sched.h"
#include "tests/aborts.h"
#include "weft/future.h"
#include "weft/io.h"

static bool any_mistake(void)
{
    wf_misuse("item %d of '%s' was released twice", 7, "resize");
    return true;
}

Test(misuse, says_what_the_mistake_is_and_aborts, .timeout = 60)
{
    cr_assert(is_misuse(any_mistake, "item 7 of 'resize' was released twice"));
}

static bool long_mistake(void)
{
    wf_misuse("%2000d", 1);
    return true;
}

Test(misuse, a_sentence_without_end_is_cut, .timeout = 60)
{
    char blanks[512];
    memset(blanks, ' ', sizeof blanks - 1);
    blanks[sizeof blanks - 1] = '\0';
    cr_assert(is_misuse(long_mistake, blanks));
}

static bool index_outside(void) { return weft_worker_index(NULL) == UINT_MAX; }

Test(misuse, outside_a_worker_there_is_no_index, .timeout = 60)
{
    cr_assert(is_misuse(index_outside,
                        "weft_worker_index was called outside a worker: only "
                        "the worker that a callback was given has an index"));
}

static bool sched_outside(void) { return weft_worker_sched(NULL) == NULL; }

Test(misuse, outside_a_worker_there_is_no_scheduler, .timeout = 60)
{
    cr_assert(
        is_misuse(sched_outside,
                  "weft_worker_sched was called outside a worker: only the "
                  "worker that a callback was given knows its scheduler"));
}

static void never(weft_worker *self, struct weft_io *io, int rc) { abort(); }

static bool io_outside(void)
{
    struct weft_io io = { .op = WEFT_IO_LOAD, .path = "/", .done = never };
    return weft_io_start(NULL, &io) == -EPERM;
}

Test(misuse, outside_a_worker_no_io_starts, .timeout = 60)
{
    cr_assert(is_misuse(
        io_outside, "weft_io_start was called outside a worker: call it in a "
                    "callback, with the worker that it was given"));
}

static _Atomic unsigned went_on;

static int go_on(weft_worker *self, void *ctx)
{
    add_relaxed(&went_on, 1);
    return 0;
}

static bool continue_outside(void)
{
    weft_continue(NULL, go_on, NULL);
    return true;
}

static const char no_continue[] =
    "weft_continue was called outside a worker: call it in a task of "
    "weft_submit, with the worker that it was given";

Test(misuse, outside_a_worker_nothing_goes_on, .timeout = 60)
{
    cr_assert(is_misuse(continue_outside, no_continue));
}

static int forget_worker(weft_worker *self, void *ctx)
{
    return is_misuse(continue_outside, no_continue) ? 0 : -ENOTRECOVERABLE;
}

Test(misuse, a_task_that_forgets_its_worker_does_not_go_on, .timeout = 60)
{
    weft_sched *sched = NULL;
    weft_future *future = NULL;

    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = 1), NULL), 0);
    cr_assert_eq(weft_submit(sched, forget_worker, NULL, &future, NULL), 0);
    cr_assert_eq(weft_future_wait(future, -1), 0);
    weft_future_destroy(future);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&went_on), 0);
}

/* ---- a worker elsewhere ------------------------------------------------ */

static weft_worker *lent;

static int lend(weft_worker *self, void *ctx)
{
    lent = self;
    return 0;
}

static bool io_elsewhere(void)
{
    struct weft_io io = { .op = WEFT_IO_LOAD, .path = "/", .done = never };
    return weft_io_start(lent, &io) == -EPERM;
}

static bool continue_elsewhere(void)
{
    weft_continue(lent, go_on, NULL);
    return true;
}

static weft_sched *own;

static bool destroy_own(void)
{
    weft_sched_destroy(own);
    return true;
}

static int destroy_on_worker(weft_worker *self, void *ctx)
{
    own = weft_worker_sched(self);
    return is_misuse(destroy_own, "weft_sched_destroy was called on one of its "
                                  "workers: they would wait for themselves")
               ? 0
               : -ENOTRECOVERABLE;
}

static int result_of_task(weft_sched *sched, weft_fn *fn)
{
    weft_future *future = NULL;
    cr_assert_eq(weft_submit(sched, fn, NULL, &future, NULL), 0);
    int rc = weft_future_wait(future, -1);
    weft_future_destroy(future);
    return rc;
}

/* It is that of a callback, but this is none. */
Test(misuse, a_worker_that_was_kept_is_of_no_use, .timeout = 60)
{
    weft_sched *sched = NULL;

    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = 1), NULL), 0);
    cr_assert_eq(result_of_task(sched, lend), 0);
    cr_assert(is_misuse(io_elsewhere,
                        "weft_io_start was called outside a worker: call it in "
                        "a callback, with the worker that it was given"));
    cr_assert(is_misuse(continue_elsewhere, no_continue));
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&went_on), 0);
}

Test(misuse, a_worker_does_not_end_its_scheduler, .timeout = 60)
{
    weft_sched *sched = NULL;

    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = 1), NULL), 0);
    cr_assert_eq(result_of_task(sched, destroy_on_worker), 0);
    cr_assert_eq(result_of_task(sched, lend), 0); /* it is there as before */
    weft_sched_destroy(sched);
}

#ifndef NDEBUG /* else it waits, and may wait for itself */
static struct weft_run *too_early;

static bool destroy_too_early(void)
{
    weft_run_destroy(too_early);
    return true;
}

static int destroy_run(weft_worker *self, void *ctx)
{
    return is_misuse(destroy_too_early,
                     "weft_run_destroy was called on a worker before the run "
                     "had ended: what it waits for may need that worker")
               ? 0
               : -ENOTRECOVERABLE;
}

Test(misuse, a_task_does_not_destroy_the_run_that_it_is_in, .timeout = 60)
{
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;
    weft_graph *g = weft_graph_create();

    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = 1), NULL), 0);
    weft_task(g, "odd", destroy_run, NULL);
    cr_assert_eq(weft_compile(&plan, g, NULL), 0);
    weft_graph_destroy(g);
    cr_assert_eq(weft_start(&too_early, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(too_early, -1, NULL), 0);
    weft_run_destroy(too_early);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
#endif
