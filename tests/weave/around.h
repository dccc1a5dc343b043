/* around.h: the scheduler around futures, for tests of these alone: a few
 * places for what is ready, so that nothing orders threads but the futures. */
#ifndef WEFT_TESTS_WEAVE_AROUND_H
#define WEFT_TESTS_WEAVE_AROUND_H
#include "graph/bundle.h"
#include "graph/future.h"
#include "graph/loose.h"
#include "tests/weave/weave.h"

enum { PLACES = 4 };

struct weft_sched {
    _Atomic(struct task *) ready[PLACES];
    _Atomic int holds;
};
struct weft_worker {
    weft_sched *sched;
};

static weft_sched sched;
static weft_worker worker = { &sched };
/* What the files that are explored ask of the scheduler. */
weft_sched *weft_worker_sched(const weft_worker *self) { return self->sched; }
void wf_sched_hold(weft_sched *s) { add_relaxed(&s->holds, 1); }
void wf_sched_release(weft_sched *s)
{
    weave_assert(add_relaxed(&s->holds, -1) > 0);
}

static _Atomic int mistakes; /* that a test makes on purpose */

void wf_misuse(const char *format, ...)
{
    if (add_relaxed(&mistakes, -1) <= 0)
        weave_fail("%s", format);
}

static bool must_be_held; /* plain: as a task is made ready */

void wf_push(weft_worker *self, struct task *task)
{
    weave_assert(!must_be_held || load_relaxed(&self->sched->holds) > 0);
    for (unsigned i = 0; i < PLACES; i++) {
        struct task *none = NULL;
        if (cas_acq_rel(&self->sched->ready[i], &none, task))
            return;
    }
    weave_fail("more is ready than there are places");
}

void wf_push_list(weft_worker *self, struct task_list *list)
{
    for (struct task *task; (task = task_list_take(list));)
        wf_push(self, task);
}

void wf_inject(weft_sched *s, struct task_list *list)
{
    wf_push_list(&worker, list);
}

void wf_ready(weft_sched *s, weft_worker *self, struct task *task)
{
    wf_push(&worker, task);
}

/* Of tasks without a handle: there are none here. */
const struct future_kind wf_loose_kind;
weft_future *wf_loose_alloc(void) { weave_fail("there is a handle"); }

int wf_bundle_submit(weft_sched *s, weft_fn *fn, void *ctx)
{
    weave_fail("there is a handle");
}

/* Whether there was something to run. */
static bool run_one(void)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct task *task = swap_acquire(&sched.ready[i], NULL);
        if (!task)
            continue;
        while (task)
            task = task->run(&worker, task);
        return true;
    }
    return false;
}
#endif
