/* pipeline.h: a compiled pipeline and one run of it. Inside graph/ only. */
#ifndef WEFT_GRAPH_PIPELINE_H
#define WEFT_GRAPH_PIPELINE_H
#include "graph/limit.h"
#include "graph/plan.h"
#include "graph/segment.h"
#include "graph/turn.h"
#include "sched/sched.h"
#include "weft/pipeline.h"

enum stage_kind { SOURCE, STAGE, GATHER, CONSUMER };

struct stage {
    enum stage_kind kind;
    char *name;
    weft_stage_fn *fn;      /* SOURCE, STAGE */
    weft_gather_fn *gather; /* GATHER */
    void *ctx;
    unsigned tokens; /* 0: one per worker */
    unsigned count;  /* GATHER: items in a full batch; 0: fn says so */
    bool ordered, drop_rest;
    unsigned segment; /* that it is in; a gather is the last of its segment */
};

struct pipeline_plan {
    struct weft_plan plan;
    struct weft_pipeline_config config;
    struct stage *stages; /* the source is number 0 */
    unsigned stage_count;
    struct weft_items *segments;
    unsigned segment_count;
};

/* What the workers count, each for itself. */
struct stage_counts {
    alignas(64) _Atomic uint64_t arrived;
    _Atomic uint64_t started, done, filtered, failed;
    _Atomic uint64_t token_wait_ns, ready_wait_ns, run_ns, pending_wait_ns;
};

struct stage_run {
    const struct stage *stage;
    struct limit limit;
    struct turn turn;   /* where the stage is ordered */
    struct slot *batch; /* GATHER: being filled. Who has the token, has it */
    unsigned count;     /* items in it */
    struct task end;    /* GATHER: its segment is over */
    struct pipeline_run *run;
};

struct pipeline_run {
    struct weft_run run;
    const struct pipeline_plan *plan;
    unsigned workers;
    struct stage_run *stages;
    struct segment *segments;
    struct stage_counts *counts; /* [worker][stage] */
    struct task source;
    struct slot *source_slot; /* that the source will fill */
    _Atomic bool draining;    /* no new input */
    _Atomic unsigned failures;
    bool end_told; /* to a consumer, with the error if any: under run.lock */
};

/* prun.c */
extern const struct plan_kind wf_pipeline_kind;

/* flow.c: what an item's task does. */
struct task *wf_flow_step(weft_worker *self, struct task *task);

/* flow.c: the item has left; its slot is given back, or, if somebody still
 * passes the turn on for it, will be. */
void wf_flow_finish(weft_worker *self, struct slot *slot);

/* feed.c: the source's task, and that of a gather whose segment is over. */
struct task *wf_feed_source(weft_worker *self, struct task *task);
struct task *wf_feed_rest(weft_worker *self, struct task *task);

/* feed.c: sees to what a segment's change makes possible. The run may be over
 * and gone afterwards. */
void wf_feed_news(struct pipeline_run *run, weft_worker *self, unsigned segment,
                  struct segment_news news);

/* feed.c: the batch of this gather is full: it flows on, and the next one
 * begins. False: there is no slot for the next one yet; the gather's token is
 * given back when there is. */
bool wf_feed_batch(weft_worker *self, struct stage_run *sr);

/* prun.c: no new input; of `segment`, nothing of `number` and above starts any
 * more, and of the segments before it nothing at all. */
void wf_pipeline_stop(struct pipeline_run *run, weft_worker *self,
                      unsigned segment, uint64_t number);

/* failure.c: an item, or the source, has failed. */
void wf_item_failed(weft_worker *self, struct slot *slot, int error);
void wf_source_failed(struct pipeline_run *run, struct slot *slot, int error);

static inline struct stage_counts *
counts_of(struct pipeline_run *run, const weft_worker *self, unsigned stage)
{
    return &run->counts[weft_worker_index(self) * run->plan->stage_count +
                        stage];
}

/* Written by one worker, read by any thread. */
static inline void count(_Atomic uint64_t *counter, uint64_t n)
{
    store_relaxed(counter, load_relaxed(counter) + n);
}
#endif
