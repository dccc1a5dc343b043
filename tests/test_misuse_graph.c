/* test_misuse_graph.c: mistakes with what a callback of a task may ask, in
 * graph/handle.c: a debug build ends with a sentence, and a release build goes
 * on. */
#include "tests/aborts.h"
#include "tests/runs.h"

static bool context_outside(void) { return weft_task_context(NULL) == NULL; }

Test(misuse_graph, outside_a_task_there_is_no_context, .timeout = 60)
{
    cr_assert(is_misuse(context_outside,
                        "weft_task_context was called outside a task of a "
                        "graph: only there is a run that has a context"));
}

static bool pending_outside(void) { return weft_task_pending(NULL) == NULL; }

static const char no_pending[] =
    "weft_task_pending was called outside the `fn` of a task of a graph: "
    "nothing else can be pending";

Test(misuse_graph, outside_a_task_nothing_is_pending, .timeout = 60)
{
    cr_assert(is_misuse(pending_outside, no_pending));
}

static int draw_and_pend(weft_worker *self, weft_graph *g, void *ctx)
{
    return is_misuse(pending_outside, no_pending) ? 0 : -ENOTRECOVERABLE;
}

Test(misuse_graph, a_task_that_draws_is_not_pending, .timeout = 60)
{
    weft_graph *g = weft_graph_create();
    weft_task_with(g, weft_config(task, .draw = draw_and_pend));
    cr_assert_eq(run_once(g, 1, NULL), 0);
}

/* Run on top of a task of a graph, which waits for it. */
static int ask_in_a_loose_task(weft_worker *self, void *ctx)
{
    bool good = is_misuse(context_outside,
                          "weft_task_context was called outside a task of a "
                          "graph: only there is a run that has a context") &&
                is_misuse(pending_outside, no_pending);
    return good ? 0 : -ENOTRECOVERABLE;
}

static int wait_for_a_loose_task(weft_worker *self, void *ctx)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_submit(weft_worker_sched(self), ask_in_a_loose_task, NULL,
                             &f, NULL),
                 0);
    int rc = weft_future_wait(f, -1);
    weft_future_destroy(f);
    return rc;
}

Test(misuse_graph, a_loose_task_has_nothing_of_the_task_that_waits_for_it,
     .timeout = 60)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "waits", wait_for_a_loose_task, NULL);
    cr_assert_eq(run_once(g, 1, NULL), 0);
}

static weft_pending *handle;

static bool complete_again(void)
{
    weft_task_complete(handle, -EIO);
    return true;
}

static const char not_pending[] =
    "weft_task_complete was called for a task that is not pending: call it "
    "once, and only if the task has returned, or will return, WEFT_PENDING";

static int complete_twice(weft_worker *self, void *ctx)
{
    handle = weft_task_pending(self);
    weft_task_complete(handle, 0);
    return is_misuse(complete_again, not_pending) ? WEFT_PENDING
                                                  : -ENOTRECOVERABLE;
}

Test(misuse_graph, a_task_is_completed_once, .timeout = 60)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "twice", complete_twice, NULL);
    cr_assert_eq(run_once(g, 1, NULL), 0);
}

/* The task after one that did not pend after all: that is over by now. */
static int take_handle(weft_worker *self, void *ctx)
{
    handle = weft_task_pending(self);
    return 0;
}

static int complete_the_other(weft_worker *self, void *ctx)
{
    return is_misuse(complete_again, not_pending) ? 0 : -ENOTRECOVERABLE;
}

Test(misuse_graph, a_task_that_is_not_pending_is_not_completed, .timeout = 60)
{
    weft_graph *g = weft_graph_create();
    weft_node a = weft_task(g, "a", take_handle, NULL);
    weft_after(g, weft_task(g, "b", complete_the_other, NULL), a);
    cr_assert_eq(run_once(g, 1, NULL), 0);
}
