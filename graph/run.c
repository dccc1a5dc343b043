/* run.c: what a caller does with a run, and how a run fails and ends.
 *
 *  [E] The end. Everything that a run does comes before its wf_run_end, which
 *      stores `ended` with release. Who acquires it sees all of that, and may
 *      free the run: the ender reads the run no more, and wakes by the address
 *      of `ended` alone. It has copied what it tells on_end before.
 *
 *  The result is decided under the lock, so a cancel that comes while the run
 *  ends either is the result or has none: what weft_wait returns never changes.
 *
 *  A worker that waits is one that does not run what it waits for. This is
 *  refused always, also when it would happen to work: a mistake that shows on
 *  the first try, not under load. A worker may look, with a timeout of 0. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/plan.h"
#include "graph/wait.h"

enum { MOST_PRIORITY = 100 };

void wf_run_init(struct weft_run *run, weft_sched *sched,
                 const struct weft_plan *plan,
                 const struct weft_run_config *config)
{
    run->plan = plan;
    run->sched = sched;
    store_relaxed(&run->ended, 0);
    store_relaxed(&run->error, 0);
    run->why.text[0] = '\0';
    pthread_mutex_init(&run->lock, NULL); /* cannot fail on Linux */
    run->decided = false;
    run->on_end = config->on_end;
    run->end_ctx = config->ctx;
    wf_sched_hold(sched);
}

void wf_run_abandon(struct weft_run *run)
{
    pthread_mutex_destroy(&run->lock);
    wf_sched_release(run->sched);
}

bool wf_run_fail(struct weft_run *run, int error, const char *format, ...)
{
    pthread_mutex_lock(&run->lock);
    bool first = !run->decided && !load_relaxed(&run->error);
    if (first) {
        va_list args;
        va_start(args, format);
        vsnprintf(run->why.text, sizeof run->why.text, format, args);
        va_end(args);
        store_relaxed(&run->error, error);
    }
    pthread_mutex_unlock(&run->lock);
    return first;
}

void wf_run_end(struct weft_run *run)
{
    weft_sched *sched = run->sched;
    weft_end_fn *on_end = run->on_end;
    void *ctx = run->end_ctx;

    pthread_mutex_lock(&run->lock);
    run->decided = true;
    int error = load_relaxed(&run->error);
    pthread_mutex_unlock(&run->lock);
    store_release(&run->ended, 1); /* [E] */
    wf_wake_all(&run->ended);
    if (on_end)
        on_end(run, error, ctx);
    wf_sched_release(sched);
}

int weft_start_with(struct weft_run **out, weft_sched *sched,
                    const weft_plan *plan, const struct weft_run_config *config,
                    weft_error *why)
{
    struct weft_run_config c = { 0 };

    if (config)
        memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (c.priority > MOST_PRIORITY)
        return wf_error(why, -EINVAL, "the priority is %u: it is at most %d",
                        c.priority, MOST_PRIORITY);
    if (!out && !c.on_end)
        return wf_error(why, -EINVAL,
                        "nobody would know of the run: it has neither `out` "
                        "nor on_end");
    return plan->kind->start(out, sched, plan, &c, why);
}

int weft_start(struct weft_run **out, weft_sched *sched, const weft_plan *plan,
               weft_error *why)
{
    return weft_start_with(out, sched, plan, NULL, why);
}

int weft_wait(struct weft_run *run, int timeout_ms, weft_error *why)
{
    if (wf_worker_here() && timeout_ms)
        return wf_error(why, -EDEADLK,
                        "a worker may not wait for a run: what it waits for "
                        "may need that worker; wait on another thread, or let "
                        "on_end be called");

    struct deadline deadline = deadline_in(run->sched, timeout_ms);
    while (!load_acquire(&run->ended)) { /* [E] */
        int64_t left = deadline_left(run->sched, &deadline);
        if (!left)
            return wf_error(why, -ETIMEDOUT,
                            "the run has not ended after %d ms", timeout_ms);
        wf_wait_while(run->sched, &run->ended, 0, left);
    }
    int error = load_relaxed(&run->error);
    return error ? wf_error(why, error, "%s", run->why.text) : 0;
}

int weft_run(weft_sched *sched, const weft_plan *plan, weft_error *why)
{
    struct weft_run *run;

    if (wf_worker_here())
        return wf_error(why, -EDEADLK,
                        "a worker may not wait for a run: use weft_start, or "
                        "call weft_run on another thread");
    int rc = weft_start(&run, sched, plan, why);
    if (rc)
        return rc;
    rc = weft_wait(run, -1, why);
    weft_run_destroy(run);
    return rc;
}

void weft_drain(struct weft_run *run) { run->plan->kind->drain(run); }
void weft_cancel(struct weft_run *run) { run->plan->kind->cancel(run); }

void weft_run_destroy(struct weft_run *run)
{
    if (!run)
        return;
    if (wf_worker_here() && !load_acquire(&run->ended)) /* [E] */
        wf_misuse("weft_run_destroy was called on a worker before the run had "
                  "ended: what it waits for may need that worker");
    while (!load_acquire(&run->ended)) /* [E] */
        wf_wait_while(run->sched, &run->ended, 0, -1);
    pthread_mutex_destroy(&run->lock);
    run->plan->kind->destroy_run(run);
}

void weft_plan_destroy(weft_plan *plan)
{
    if (plan)
        plan->kind->destroy_plan(plan);
}
