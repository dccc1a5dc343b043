/* insight.h: what a run is doing, and why it is not faster.
 *
 * All of it may be asked at any time, from any thread, and stops nobody. */
#ifndef WEFT_INSIGHT_H
#define WEFT_INSIGHT_H
#include "weft/graph.h"
#include "weft/pipeline.h"

/* [any] What a segment holds now, exact at every instant. Segments are numbered
 * as their first stages are drawn: segment 0 starts at the (first) source, each
 * gather, scatter and merge starts the next; -ERANGE past the last. */
struct weft_flow {
    uint64_t fed, delivered, filtered, failed, cancelled, in_flight;
    unsigned slots;
};
int weft_run_flow(struct weft_run *run, unsigned segment,
                  struct weft_flow *out);

/* [any] What a stage did up to now, sources, gathers, scatters, routers, merges
 * and the consumer included, in the order of the drawing. Stage 0 is the
 * (first) source; -ERANGE past the last.
 *
 * The times of the good items that it was done with, added up. They leave no
 * gap: all of a segment's stages together have as much as its items were in
 * flight, what they were in the consumer's hands included (weft_run_sink). Only
 * the output waits of a source and a gather are their own, not their items':
 * the items behind a gather that waits for a slot wait for its token.
 *
 * While more than 32 items leave a segment in a millisecond, one in eight of
 * them is timed, and counts for eight; so the longest latency is that of those
 * that were timed. What is counted is exact. */
struct weft_stage_stats {
    const char *name;
    uint64_t in;   /* items that came to its door */
    uint64_t done; /* went on */
    uint64_t filtered, failed, retried;
    unsigned tokens;             /* 0: unlimited, or it has none */
    unsigned running;            /* tokens in use */
    unsigned waiting;            /* items that wait for a turn or a token */
    unsigned peak;               /* most tokens in use at one time, or kept by
                                    workers for their next item */
    uint64_t token_wait_ns;      /* for a turn, a token, limits or bytes */
    uint64_t ready_wait_ns;      /* for a worker, or its thread */
    uint64_t run_ns;             /* in the callback */
    uint64_t pending_wait_ns;    /* for a completion or an operation */
    uint64_t retry_wait_ns;      /* for the time of its next attempt */
    uint64_t output_wait_ns;     /* for a slot of the next segment, room in a
                                    path, its turn behind the paths, the
                                    consumer to take; a source: for a free slot,
                                    while it, or who feeds it, wants one */
    uint64_t bytes;              /* of the budget, what its items had from there
                                    on, added up */
    struct weft_latency latency; /* of the items that left, from its door to the
                                    next: a merge's until they were moved, the
                                    consumer's until they were taken. A source:
                                    from its call until the item flows;
                                    where it is fed from outside nobody is
                                    called, and it is 0 */
};
int weft_run_stage(struct weft_run *run, unsigned stage,
                   struct weft_stage_stats *out);

/* [any] The budget, in bytes. */
struct weft_budget_stats {
    uint64_t budget, used, peak;
    unsigned waiting; /* items */
};
int weft_run_budget(struct weft_run *run, struct weft_budget_stats *out);

/* [any] The consumers' side; -EINVAL where the pipeline has no consumer. */
struct weft_sink_stats {
    unsigned ready;       /* items that could be taken now */
    unsigned borrowed;    /* taken, and not released yet */
    uint64_t taken;       /* up to now */
    uint64_t ready_ns;    /* that items waited to be taken, added up */
    uint64_t borrowed_ns; /* that they were held, added up */
    uint64_t starved_ns;  /* that nothing was there when one was asked for */
    struct weft_latency ready_latency;    /* of those that were taken */
    struct weft_latency borrowed_latency; /* of those that were released */
};
int weft_run_sink(struct weft_run *run, struct weft_sink_stats *out);

/* [any] When a task of a graph ran, in a run with .times, up to now: ns since
 * the run began; all its executions together, where it has several. One that
 * was pending, or ran a plan, did so until that had ended. -EINVAL: the run is
 * a pipeline's; -ERANGE: it has no such task; -ENODATA: no times are taken. */
struct weft_task_stats {
    const char *name;  /* "": none; lives as long as the plan */
    uint64_t runs;     /* 0: not called, or not yet */
    uint64_t begin_ns; /* of the first */
    uint64_t end_ns;   /* of the last that has ended */
    uint64_t spent_ns;
};
int weft_run_task(struct weft_run *run, weft_node node,
                  struct weft_task_stats *out);

/* ---- why it is not faster ---------------------------------------------- */

/* [any] What a run has used up to now, to be compared with later. It does not
 * hold the run, and is of use no longer than that. -ENOMEM; -EINVAL: the run is
 * no pipeline's. */
typedef struct weft_moment weft_moment;
int weft_moment_create(weft_moment **out, struct weft_run *run);
void weft_moment_destroy(weft_moment *moment);

/* What sets the speed of a run: what was in use (almost) all of the time. And
 * how many items a second there would be with a little more: one more token of
 * that stage or limit; one more worker, on a core of its own; twice the slots
 * where they are short; twice the budget. Where that would change nothing it is
 * items_per_s.
 *
 * All else is taken to stay as it was: how long callbacks and operations take,
 * what others use of a limit, and that the speed does not vary. What is changed
 * in a run (weft_set_tokens, weft_limit_set) counts as if it had always been
 * so: take a moment after the change. */
struct weft_advice {
    enum {
        WEFT_BY_NOTHING, /* nothing was delivered: there is no telling */
        WEFT_BY_SOURCE,  /* it, or who feeds it, gives no more */
        WEFT_BY_STAGE,   /* all its tokens are in use, or its one thread */
        WEFT_BY_WORKERS, /* all are busy */
        WEFT_BY_LIMIT,
        WEFT_BY_CONSUMER, /* it takes no more */
        WEFT_BY_SLOTS,    /* of a segment, or a path: full of items at work, or
                             that wait for their turn */
        WEFT_BY_BUDGET,   /* the same */
    } what;
    const char *stage; /* that it is; of a limit or the workers: that uses most;
                          of slots: that fills them, or the router. Lives as
                          long as the plan, like the next one */
    const char *limit; /* its name, or NULL */
    double use;        /* of it, over the time: 0 .. 1 */
    double others;     /* a limit: the part of the time that others used */
    double items_per_s;
    double more_tokens, more_workers, more_slots, more_bytes;
    weft_error sentence; /* all of this */
};

/* [any] Of the time since that moment (NULL: the start of the run), up to now
 * or to its end. -EINVAL: the run is no pipeline's; -ENODATA: its statistics
 * are WEFT_COUNTS_ONLY; -ENOMEM. */
int weft_pipeline_explain(struct weft_run *run, const weft_moment *since,
                          struct weft_advice *out);

/* ---- why it does not go on --------------------------------------------- */

/* [any] What each item in flight waits for, and who holds it, as of now; what
 * fills the slots, and what the consumer holds. For each a call: `what` is
 * "item 17" or "source 'files'", `text` goes on: "waits in 'decode' for a
 * token: 2 of 2 are held by items 12, 15". No lock is held meanwhile. Exact for
 * what stands still; what moves may be seen on its way. -EINVAL: the run is no
 * pipeline's; -ENOMEM. */
int weft_run_report(struct weft_run *run, weft_say_fn *say, void *ctx);

/* ---- what it looks like ------------------------------------------------ */

enum weft_picture {
    WEFT_DOT,     /* for Graphviz: dot -Tsvg */
    WEFT_MERMAID, /* a flowchart, as many pages show it */
};

/* [any] A plan as text for programs that draw; with a run of it, unless NULL,
 * what that has done, and its bottleneck marked: of a graph, if the run takes
 * times, its critical path: of all tasks of which each is after the one before,
 * those that took longest. Free *out with free(). -EINVAL: no such format, or
 * the run is one of another plan; -ENOMEM. */
int weft_plan_draw(char **out, const weft_plan *plan, struct weft_run *run,
                   enum weft_picture format, weft_error *why);
#endif
