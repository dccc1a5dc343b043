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
