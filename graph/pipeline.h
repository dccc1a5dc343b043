/* pipeline.h: a compiled pipeline and one run of it. Inside graph/ only. */
#ifndef WEFT_GRAPH_PIPELINE_H
#define WEFT_GRAPH_PIPELINE_H
#include "graph/account.h"
#include "graph/budget.h"
#include "graph/claim.h"
#include "graph/counts.h"
#include "graph/hand.h"
#include "graph/limit.h"
#include "graph/merge.h"
#include "graph/plan.h"
#include "graph/router.h"
#include "graph/segment.h"
#include "graph/tally.h"
#include "graph/times.h"
#include "graph/turn.h"
#include "graph/wait.h"
#include "sched/sched.h"
#include "weft/insight.h"
#include "weft/pipeline.h"

enum { MOST_DEPTH = MOST_BRANCHES };

/* FORK and JOIN are the two ends of a router's paths; no user sees them. */
enum stage_kind {
    SOURCE,
    STAGE,
    GATHER,
    SCATTER,
    ROUTER,
    FORK,
    JOIN,
    MERGE,
    CONSUMER
};

struct stage {
    enum stage_kind kind;
    char *name;
    unsigned next;    /* or NOWHERE */
    unsigned segment; /* that it is in; a merge: that it feeds */
    unsigned depth;   /* how many routers it is inside of */
    bool ordered;
    enum weft_kind where;
    weft_stage_fn *fn;
    weft_describe_fn *describe;
    weft_gather_fn *gather;
    weft_scatter_fn *scatter;
    weft_route_fn *route;
    void *ctx;
    unsigned tokens; /* 0: one per worker */
    struct weft_use uses[WEFT_MOST_USES];
    unsigned use_count;
    weft_bytes_fn *bytes;
    struct weft_retry retry;
    unsigned deadline_ms;
    weft_cancel_fn *cancel;
    weft_thread *thread; /* WEFT_PINNED; NULL: each run makes one */
    struct weft_failures failures;
    unsigned count;     /* GATHER: items in a full batch; 0: fn says so */
    bool drop_rest;     /* GATHER */
    unsigned join;      /* FORK */
    struct lane *lanes; /* FORK: the paths; MERGE: the inputs */
    unsigned lane_count;
    bool in_turns;     /* MERGE: not as they come */
    bool fed;          /* SOURCE: from outside */
    const char *array; /* SOURCE: or NULL */
    size_t array_count, array_stride;
    const char
        *odd; /* what was drawn with a value that there is not, or NULL */
    unsigned odd_value;
};

/* A path of a router, or an input of a merge. */
struct lane {
    char *name;      /* or NULL */
    unsigned first;  /* FORK: its first stage, or the join */
    unsigned slots;  /* FORK */
    unsigned weight; /* MERGE */
};

struct segment_plan {
    struct weft_items items;
    unsigned feeder; /* the stage that fills it */
    unsigned end;    /* the gather, scatter, merge or consumer that it leads
                        to, or NOWHERE */
    unsigned into;   /* the segment that this one fills, or NOWHERE */
    unsigned lane;   /* which input of the merge it is */
};

struct pipeline_plan {
    struct weft_plan plan;
    struct weft_pipeline_config config;
    struct stage *stages;
    unsigned stage_count;
    unsigned *shown; /* the stages that users see */
    unsigned shown_count;
    struct segment_plan *segments;
    unsigned segment_count;
    unsigned last; /* the segment that ends the run */
    bool claims;   /* some stage takes tokens of named limits */
    bool budgeted;
};

struct stage_run {
    const struct stage *stage;
    struct pipeline_run *run;
    bool plain;     /* plain.c */
    uint64_t bit;   /* hand.c */
    unsigned burst; /* SOURCE: burst.c */
    struct limit limit;
    struct turn turn;      /* where the stage is ordered */
    struct weft_limit own; /* its tokens, where it takes of limits as well */
    struct weft_use uses[WEFT_MOST_USES + 1];
    weft_thread *thread; /* WEFT_PINNED */
    bool made_thread;
    struct tally tally;          /* of a policy of its own */
    _Atomic uint64_t array_next; /* SOURCE */
    _Atomic uint64_t fed;        /* SOURCE: from outside */
    struct slot *hand;      /* GATHER: the batch; SCATTER: the next piece */
    struct slot *parent;    /* SCATTER: what waits for a piece */
    _Atomic unsigned count; /* GATHER: items in the batch; others only look */
    struct task end;        /* GATHER, SCATTER: its segment is over */
    struct router router;   /* FORK */
    struct merge merge;     /* MERGE */
};

struct pipeline_run {
    struct weft_run run;
    const struct pipeline_plan *plan;
    unsigned workers, priority;
    bool times; /* are taken */
    uint64_t start_ticks, start_ns;
    _Atomic uint64_t ns_per_tick; /* a double's bits, once it is known */
    struct stage_run *stages;
    struct segment *segments;
    struct claim *claims; /* one a slot, where the plan claims */
    struct counts counts;
    struct hand *hands;        /* one a worker */
    struct limit_mark *limits; /* all that its stages take of */
    unsigned limit_count;
    _Atomic uint64_t end_ns; /* or 0 */
    struct budget budget;
    _Atomic bool draining; /* no new input */
    struct tally tally;    /* of all segments */
    unsigned deadline_ms;
    struct timer deadline;
    _Atomic unsigned parties; /* that may still touch it: [E] in prun.c */
    bool end_told; /* to a consumer, with the error if any: under run.lock */
};

/* prun.c */
extern const struct plan_kind wf_pipeline_kind;

/* The run, or NULL: it is no pipeline's. */
static inline struct pipeline_run *pipeline_of(struct weft_run *run)
{
    return run->plan->kind == &wf_pipeline_kind ? (struct pipeline_run *)run
                                                : NULL;
}

static inline struct stage_run *stage_of(const struct slot *slot)
{
    return &slot->run->stages[slot->stage];
}

static inline struct segment *segment_of(const struct slot *slot)
{
    return &slot->run->segments[slot->segment];
}

static inline bool is_cancelled(const struct slot *slot)
{
    return wf_segment_cancelled(segment_of(slot), slot->ticket[0]);
}

static inline struct stage_counts *counts_at(const struct slot *slot,
                                             const weft_worker *self)
{
    return wf_counts_of(&slot->run->counts, weft_worker_index(self),
                        slot->stage);
}

/* The segment that comes through this input of the merge that fills `into`. */
static inline unsigned segment_of_input(const struct pipeline_plan *plan,
                                        unsigned into, unsigned input)
{
    unsigned i = 0;

    while (plan->segments[i].into != into || plan->segments[i].lane != input)
        i++;
    return i;
}

/* flow.c: what an item's task does. */
struct task *wf_flow_step(weft_worker *self, struct task *task);

/* flow.c: the item is at the door of its stage, or past the last one. */
struct task *wf_flow_door(weft_worker *self, struct slot *slot);

/* flow.c: the item goes on to the door of the next stage. */
struct task *wf_flow_on(struct slot *slot, uint64_t now);

/* flow.c: asks for the token of its stage: its task if it got one, or NULL: it
 * waits. */
struct task *wf_flow_ask(weft_worker *self, struct slot *slot);

/* flow.c: a reference on the slot: [R] there. */
void wf_flow_hold(struct slot *slot);

/* flow.c: drops one. The item has left; its slot is given back, or, if somebody
 * still passes the turn on for it, will be. */
void wf_flow_finish(weft_worker *self, struct slot *slot);

/* flow.c: the same but for the slot, which goes to those that will be given
 * back together. False: somebody still has a reference; nothing was done. */
bool wf_flow_spend(struct slot *slot, struct task_list *spent);

/* flow.c: sees to what a change of the budget makes possible; the caller, or
 * the news, have an item of the run. */
void wf_flow_budget(struct pipeline_run *run, weft_worker *self,
                    struct budget_news *news);

/* flow.c: the stage is done with the item: gives its token back, counts, and
 * lets it go on. */
struct task *wf_flow_leave(weft_worker *self, struct slot *slot, int rc,
                           uint64_t now);
void wf_flow_give_token(weft_worker *self, struct slot *slot);

/* attempt.c: calls what the stage is, on whatever thread that is. */
struct task *wf_attempt(weft_worker *self, struct slot *slot, uint64_t now);
struct task *wf_attempt_ended(weft_worker *self, struct slot *slot);

/* attempt.c: what has come of the end of an attempt; to look at. */
struct attempt_seen {
    bool completed, asked; /* to end */
};
struct attempt_seen wf_attempt_look(const struct slot *slot);

/* attempt.c: the same for who calls a stage himself, on a worker. Before; after
 * it, where it has returned its result: false, it was completed by mistake; and
 * where it was, or did not succeed: what comes of it. */
void wf_attempt_open(struct slot *slot);
bool wf_attempt_close(struct slot *slot);
struct task *wf_attempt_returned(weft_worker *self, struct slot *slot, int rc);

/* plain.c */
bool wf_stage_is_plain(const struct pipeline_plan *plan,
                       const struct stage *stage);

/* plain.c: the item has the token of a plain stage: calls that, and the plain
 * ones that follow. */
struct task *wf_plain(weft_worker *self, struct slot *slot, uint64_t now);

/* burst.c: so many items a source fills in one turn, at most. */
unsigned wf_burst_most(const struct stage_run *sr);

/* burst.c: the source's turn: whether it may fill more than the slot; if so,
 * fills them. */
bool wf_burst_may_fill(weft_worker *self, const struct slot *slot);

/* burst.c: something that is to come before the source's turn, or NULL. */
struct task *wf_burst_older(weft_worker *self, const struct slot *slot);

struct task *wf_burst_fill(weft_worker *self, struct slot *slot);

/* burst.c: an item at a door, and those that were fed right after it. */
struct task *wf_burst_run(weft_worker *self, struct slot *slot);

/* source.c: a slot that the source is to fill, and what became of it. */
struct task *wf_source_fill(weft_worker *self, struct slot *slot);
/* source.c: the slot is to be filled, later: as wf_feed_later. */
void wf_source_queue(weft_worker *self, struct slot *slot, bool under);

struct task *wf_source_filled(weft_worker *self, struct slot *slot, int rc,
                              uint64_t now);
int wf_source_array(struct slot *slot);

/* gather.c, scatter.c: an item, or the end of an epoch, that has the token. */
struct task *wf_gather_take(weft_worker *self, struct slot *slot);
struct task *wf_scatter_take(weft_worker *self, struct slot *slot,
                             uint64_t now);
struct task *wf_gather_end(weft_worker *self, struct task *task);
struct task *wf_scatter_end(weft_worker *self, struct task *task);

/* feed.c: the slot that the feeder of a segment is to fill next, or NULL: it is
 * hungry, and wf_feed_got will be called. */
struct slot *wf_feed_take(struct pipeline_run *run, unsigned segment);

/* feed.c: the slot has its bytes of the budget, and so its feeder has it. */
void wf_feed_paid(struct slot *slot);

/* feed.c: the slot is filled with an item, or with the end of an epoch: its
 * first stage is the one behind its feeder. Returns the feeder's next slot, as
 * wf_feed_take does, if it wants one. */
struct slot *wf_feed_filled(struct slot *slot, bool marker, bool wants_next,
                            uint64_t now);

/* feed.c: the feeder, which was hungry, has a slot. */
void wf_feed_got(struct pipeline_run *run, weft_worker *self,
                 struct slot *slot);

/* feed.c: the slot's task is to fill a slot of the segment in its turn: `under`
 * what this worker does now, else when there is nothing else. */
void wf_feed_later(weft_worker *self, struct slot *slot, struct segment *fills,
                   bool under);

/* feed.c: its turn has come, but it leaves the worker to what has begun, if
 * there is anything: true, and its task comes again. */
bool wf_feed_yields(weft_worker *self, struct slot *slot);

/* feed.c: the feeder has no more. `last` is the slot in its hand, or NULL. */
void wf_feed_ended(struct pipeline_run *run, weft_worker *self,
                   unsigned segment, struct slot *last);

/* feed.c: sees to what a segment's change makes possible. The run may be over
 * and gone afterwards. */
void wf_feed_news(struct pipeline_run *run, weft_worker *self, unsigned segment,
                  struct segment_news news);

/* prun.c: no new input; of `segment`, nothing with this ticket and above starts
 * any more, and of the segments before it nothing at all. */
void wf_pipeline_stop(struct pipeline_run *run, weft_worker *self,
                      unsigned segment, uint64_t ticket);
void wf_pipeline_over(struct pipeline_run *run);

/* prun.c: how many tokens it has at the start of a run. */
unsigned wf_stage_tokens(const struct stage *stage, unsigned workers);

/* portrait.c */
int wf_pipeline_draw(const struct picture *picture, const weft_plan *plan,
                     struct weft_run *run);

/* clock.c: both clocks at one moment, and how long a tick is. */
void wf_read_clocks(uint64_t *ticks, uint64_t *ns);
double wf_pipeline_ns_per_tick(struct pipeline_run *run);

/* failure.c: an item, or the source, has failed for good; an item has not, in
 * this stage. */
void wf_item_failed(weft_worker *self, struct slot *slot, int error);
void wf_source_failed(struct slot *slot, int error);
void wf_item_passed(weft_worker *self, struct slot *slot);
#endif
