/* pipeline.h: items flow from a source through stages to a sink.
 *
 * An item lives in a slot: memory that the run recycles, so what an item has
 * grown (buffers) is there for the next one that lives in it. A stage borrows
 * the item for the length of a call, or until it is completed. A stage runs at
 * most `tokens` items at a time; an item that finds none waits in a list, and
 * no thread waits with it.
 *
 * Every item that was fed ends as exactly one of delivered, filtered, failed or
 * cancelled, at every instant:
 *
 *     fed = delivered + filtered + failed + cancelled + in flight
 *
 * A gather ends one segment of the pipeline and starts the next: its items are
 * delivered to it, and its batches are the items of the next segment, in slots
 * of their own. The identity holds in every segment. */
#ifndef WEFT_PIPELINE_H
#define WEFT_PIPELINE_H
#include "weft/run.h"

typedef struct weft_pipeline weft_pipeline; /* still a drawing */

/* A source fills the item: 0, WEFT_END or a negative errno, which ends the
 * input and, after the items before it, is the result of the run. Called by one
 * worker at a time. A stage transforms it: 0, WEFT_FILTER, WEFT_PENDING or a
 * negative errno. */
typedef int weft_stage_fn(weft_worker *self, void *item, void *ctx);

/* Adds `item` to `batch`: 0, WEFT_FULL or a negative errno: the item failed and
 * the batch is as it was. Called for one item at a time. */
typedef int weft_gather_fn(weft_worker *self, void *batch, void *item,
                           void *ctx);

/* The items of a segment. New slots are zeroed; `reset` is called once for
 * every item when it leaves, `finish` once for every slot when the run is
 * destroyed. Both may be NULL. */
struct weft_items {
    size_t bytes;
    unsigned slots; /* items in flight; default 64 */
    void (*reset)(void *item, void *ctx);
    void (*finish)(void *item, void *ctx);
    void *ctx;
};

enum weft_order {
    WEFT_ANY,   /* as they come */
    WEFT_INPUT, /* in the order of the source */
};

enum weft_policy {
    WEFT_STOP, /* the first failure ends the run; what came before it, goes on
                */
    WEFT_SKIP, /* failed items are reported and left out */
    WEFT_AT_MOST, /* as WEFT_SKIP, and as WEFT_STOP after max_failures */
};

/* What is known of an item that failed. The strings live for the call. */
struct weft_failure {
    const char *stage;
    uint64_t item;    /* its number: 0 is the first that the source gave */
    unsigned attempt; /* 1 is the first */
    int error;        /* a negative errno */
    const char
        *text; /* what the stage said with weft_fail, or the errno's name */
};

/* Called once per failed item, on a worker, before its slot is used again. */
typedef void weft_failure_fn(const struct weft_failure *failure, void *item,
                             void *ctx);

struct weft_pipeline_config {
    size_t size; /* set by weft_config(pipeline, ...) */
    struct weft_items items;
    enum weft_policy policy;
    unsigned max_failures; /* WEFT_AT_MOST */
    weft_failure_fn *on_failure;
    void *ctx; /* for on_failure */
};

struct weft_stage_config {
    size_t size; /* set by weft_config(stage, ...) */
    const char *name;
    weft_stage_fn *fn;
    void *ctx;
    unsigned tokens;       /* default: one per worker */
    enum weft_order order; /* WEFT_INPUT: items enter in order */
};

struct weft_gather_config {
    size_t size; /* set by weft_config(gather, ...) */
    const char *name;
    weft_gather_fn *fn;
    void *ctx;
    unsigned count; /* a batch is full with so many; 0: when fn says so */
    enum weft_order order;
    enum { WEFT_FLUSH, WEFT_DROP } rest; /* of a batch that is not full */
    struct weft_items items;             /* the batches */
};

/* Draw [one]. As with graphs, mistakes are kept for weft_pipeline_compile. The
 * order of the calls is the order of the stages; the source comes first. */
weft_pipeline *weft_pipeline_create(const struct weft_pipeline_config *config);
void weft_source(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                 void *ctx);
void weft_stage(weft_pipeline *p, const struct weft_stage_config *config);
void weft_gather(weft_pipeline *p, const struct weft_gather_config *config);
void weft_consumer(weft_pipeline *p, enum weft_order order);
void weft_pipeline_destroy(weft_pipeline *p);

/* [one] -EINVAL with the mistake as a sentence, -ENOMEM. */
int weft_pipeline_compile(weft_plan **out, const weft_pipeline *p,
                          weft_error *why);

/* [any] Ends a stage that returned WEFT_PENDING: the item goes on, or fails, as
 * if the stage had returned `rc` (0, WEFT_FILTER or a negative errno). Exactly
 * once per item and stage; it may come before the stage has returned. `self` is
 * the worker that you are on, NULL anywhere else. */
void weft_complete(weft_worker *self, void *item, int rc);

/* [any] Says why, for the failure report, and returns `error`:
 *     return weft_fail(item, -EINVAL, "%s is not a JPEG", path); */
int weft_fail(void *item, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* [worker] The item's number in its segment: 0 is the first. */
uint64_t weft_item_number(const void *item);

/* [any] Takes an item from a run whose pipeline ends in weft_consumer:
 *   1            *item is yours until weft_release
 *   0            the end, now and for ever
 *   -ETIMEDOUT   nothing within timeout_ms (negative: no limit); none is lost
 *   other        the error that ended the run, once, after the good items */
int weft_next(struct weft_run *run, void **item, int timeout_ms,
              weft_error *why);
void weft_release(void *item); /* [any] delivered; its slot is free again */

/* [any] What a segment holds now, exact at every instant. Segment 0 starts at
 * the source, each gather starts the next; -ERANGE past the last. */
struct weft_flow {
    uint64_t fed, delivered, filtered, failed, cancelled, in_flight;
    unsigned slots;
};
int weft_run_flow(struct weft_run *run, unsigned segment,
                  struct weft_flow *out);

/* [any] What a stage did up to now; a gather is a stage too. Stage 0 is the
 * source; -ERANGE past the last. The times of all its items, added up. */
struct weft_stage_stats {
    const char *name;
    uint64_t done, filtered, failed;
    unsigned tokens;          /* 0: unlimited */
    unsigned running;         /* tokens in use */
    unsigned waiting;         /* items that wait for a turn or a token */
    unsigned peak;            /* most tokens in use at one time */
    uint64_t token_wait_ns;   /* for a turn or a token */
    uint64_t ready_wait_ns;   /* for a worker */
    uint64_t run_ns;          /* in the callback */
    uint64_t pending_wait_ns; /* for a completion */
};
int weft_run_stage(struct weft_run *run, unsigned stage,
                   struct weft_stage_stats *out);
#endif
