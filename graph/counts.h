/* counts.h: what the workers count for each stage, each worker for itself, and
 * how that adds up. Times are in ticks until somebody asks. */
#ifndef WEFT_GRAPH_COUNTS_H
#define WEFT_GRAPH_COUNTS_H
#include <stdalign.h>
#include <stdbool.h>

#include "graph/histogram.h"
#include "sched/atomic.h"
#include "weft/insight.h"

struct stage_counts {
    alignas(64) _Atomic uint64_t in;
    _Atomic uint64_t started, done, filtered, failed, retried;
    _Atomic uint64_t token_wait, ready_wait, run, pending_wait;
    _Atomic uint64_t retry_wait, output_wait;
    _Atomic uint64_t bytes; /* of the budget */
    struct histogram latency;
};

struct counts {
    struct stage_counts *of; /* [worker][stage] */
    unsigned workers, stages;
};

int wf_counts_init(struct counts *c, unsigned workers, unsigned stages);
void wf_counts_finish(struct counts *c);

static inline struct stage_counts *wf_counts_of(const struct counts *c,
                                                unsigned worker, unsigned stage)
{
    return &c->of[worker * c->stages + stage];
}

/* Written by one worker, read by any thread. */
static inline void count(_Atomic uint64_t *counter, uint64_t n)
{
    store_relaxed(counter, load_relaxed(counter) + n);
}

/* The same for what tells that an item has gone on: [O] in counts.c. */
static inline void count_past(_Atomic uint64_t *counter, uint64_t n)
{
    store_release(counter, load_relaxed(counter) + n); /* [O] */
}

/* Clocks of two cores may differ by a little. */
static inline uint64_t since(uint64_t from, uint64_t to)
{
    return to > from ? to - from : 0;
}

/* All workers' counts of what has left a stage. */
void wf_counts_outcomes(const struct counts *c, unsigned stage,
                        struct weft_stage_stats *out);

/* All workers' counts of a stage, times in nanoseconds. Returns how many items
 * have started: at most as many as came in, and at least as many as are past
 * it. */
uint64_t wf_counts_add_up(const struct counts *c, unsigned stage,
                          double ns_per_tick, struct weft_stage_stats *out);
#endif
