/* run.h: executing a plan, whatever it was drawn as.
 *
 * A plan is immutable; any number of runs may execute it at the same time. */
#ifndef WEFT_RUN_H
#define WEFT_RUN_H
#include <stdbool.h>

#include "weft/base.h"

typedef struct weft_plan weft_plan; /* a compiled drawing */
struct weft_run;                    /* one execution of a plan */

/* [worker, or any thread that completes or releases the last item] The run has
 * ended with this result. Nothing of weft touches the run any more, so it may
 * be destroyed here, unless somebody else does. Whoever waits may see the end
 * before this is called. */
typedef void weft_end_fn(struct weft_run *run, int result, void *ctx);

struct weft_run_config {
    size_t size;          /* set by weft_config(run, ...) */
    unsigned priority;    /* its share against other runs: twice as many, twice
                             the new items, or tasks of a graph; 1 .. 100.
                             Default: a pipeline has 1; a graph takes no turns,
                             its tasks come before all that do. What its tasks
                             run takes turns of its own, with this priority */
    unsigned deadline_ms; /* then the run is stopped, as by weft_cancel, with
                             -ETIMEDOUT; default: none */
    weft_end_fn *on_end;
    void *ctx; /* for on_end; and what callbacks get of weft_run_context and
                  weft_task_context */
    enum {
        WEFT_FAIL_FAST, /* after a failure nothing starts any more */
        WEFT_GO_ON, /* only what comes after the task that failed does not; the
                       result is the first failure all the same */
    } on_failure;   /* of a graph; a pipeline has its policies */
    bool times; /* of a graph: when each task ran is kept, for weft_run_task and
                   weft_plan_draw; not of the graphs that its tasks run */
};

/* [any] Runs the plan to its end: 0, or the error that ended it. Not from a
 * worker: that is -EDEADLK. */
int weft_run(weft_sched *sched, const weft_plan *plan, weft_error *why);

/* [any] Starts a run and returns at once. */
int weft_start(struct weft_run **out, weft_sched *sched, const weft_plan *plan,
               weft_error *why);

/* [any] The same with a configuration. *out is written before anything of the
 * run executes, so its callbacks find it. `out` may be NULL if on_end destroys
 * the run. -EINVAL: a priority over 100. */
int weft_start_with(struct weft_run **out, weft_sched *sched,
                    const weft_plan *plan, const struct weft_run_config *config,
                    weft_error *why);

/* [any] Waits for the end of a run, as often as you like: its result, or
 * -ETIMEDOUT after timeout_ms (0: at once, negative: no limit); a result may be
 * -ETIMEDOUT too, so who looks again and again lets on_end tell. Time in which
 * the process was stopped does not count, here and wherever weft waits. Not
 * from a worker (-EDEADLK), unless timeout_ms is 0: so on_end has its sentence.
 */
int weft_wait(struct weft_run *run, int timeout_ms, weft_error *why);

/* [any] No new input; what is in flight is finished. Like every call it needs a
 * run that is not being destroyed: where on_end does that, only callbacks of
 * the run itself may drain or cancel it, or who keeps on_end waiting. */
void weft_drain(struct weft_run *run);

/* [any] No new input, and nothing starts that has not started. What executes
 * now, I/O included, is waited for. The result is -ECANCELED unless the run had
 * already failed or ended. */
void weft_cancel(struct weft_run *run);

/* [one] Waits for the end, then frees. Destroy the run before its plan. Not
 * from a worker unless the run has ended. */
void weft_run_destroy(struct weft_run *run);

/* [one] Once no run uses it. */
void weft_plan_destroy(weft_plan *plan);
#endif
