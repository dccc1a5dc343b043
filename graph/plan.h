/* plan.h: what every plan and every run have in common, whatever was drawn.
 *
 * A kind (DAG, pipeline) embeds struct weft_plan and struct weft_run as the
 * first members of its own structs, and supplies the functions below. */
#ifndef WEFT_GRAPH_PLAN_H
#define WEFT_GRAPH_PLAN_H
#include <pthread.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "weft/run.h"

struct picture; /* graph/picture.h */

/* Turns that a run has in a row, times its priority, before others have theirs.
 */
enum { QUANTUM = 8 };

struct plan_kind {
    /* [any] Writes *out, unless NULL, before anything of the run executes. The
     * configuration is complete. */
    int (*start)(struct weft_run **out, weft_sched *sched,
                 const weft_plan *plan, const struct weft_run_config *config,
                 weft_error *why);
    void (*drain)(struct weft_run *run);          /* [any] */
    void (*cancel)(struct weft_run *run);         /* [any] */
    void (*destroy_run)(struct weft_run *run);    /* [one] it has ended */
    void (*destroy_plan)(struct weft_plan *plan); /* [one] no run uses it */

    /* [any] Draws the plan, with what the run, unless NULL, has done: 0 or
     * -ENOMEM. */
    int (*draw)(const struct picture *picture, const weft_plan *plan,
                struct weft_run *run);
};

struct weft_plan {
    const struct plan_kind *kind;
};

struct weft_run {
    const struct weft_plan *plan;
    weft_sched *sched;
    _Atomic uint32_t ended; /* 0 running, 1 ended: what waiters sleep on */
    _Atomic int error;      /* the first one, as soon as it is known */
    weft_error why;         /* read it once the run has ended */
    pthread_mutex_t lock;   /* of `decided`, and of writing error and why */
    bool decided;           /* the result stands */
    weft_end_fn *on_end;
    void *end_ctx; /* for that, and for weft_run_context */
};

/* Makes the run one that runs, also where it has run before, and holds the
 * scheduler until wf_run_end: the last thing before the first task is made
 * ready, when nothing can fail any more. */
void wf_run_init(struct weft_run *run, weft_sched *sched,
                 const struct weft_plan *plan,
                 const struct weft_run_config *config);

/* Undoes wf_run_init: something did fail. */
void wf_run_abandon(struct weft_run *run);

/* [any] The first error wins, and none does after the end: true if it was this
 * one. `error` is a negative errno. */
bool wf_run_fail(struct weft_run *run, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* [any] Once, after all else that touches the run: publishes the result, wakes
 * the waiters, releases the scheduler. A waiter may free the run at once. */
void wf_run_end(struct weft_run *run);

/* In consumer.c: the runs of the plan go on only if somebody takes from them.
 */
bool wf_plan_has_consumer(const struct weft_plan *plan);
#endif
