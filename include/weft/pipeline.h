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
 * A gather, a scatter and a merge end one segment of the pipeline and start the
 * next: the items are delivered to it, and what it makes of them are the items
 * of the next segment, in slots of their own. The identity holds in every
 * segment.
 *
 * A pipeline may be a part of another: a path of a router, an input of a merge,
 * or a row of stages. A part that has no source is drawn like any other
 * pipeline, and what it is used in keeps it: destroy it when you like. */
#ifndef WEFT_PIPELINE_H
#define WEFT_PIPELINE_H
#include "weft/io.h"
#include "weft/limit.h"
#include "weft/run.h"
#include "weft/sched.h"

typedef struct weft_pipeline weft_pipeline; /* still a drawing */

/* ---- what you write ---------------------------------------------------- */

/* A source fills the item: 0, WEFT_END, WEFT_EPOCH (the item is not filled, an
 * epoch ends here), WEFT_PENDING or a negative errno, which ends the input (of
 * a merge: all inputs) and, after the items before it, is the result of the
 * run. One call at a time. A stage transforms it: 0, WEFT_FILTER, WEFT_PENDING
 * or a negative errno. `self` is NULL on threads that are no workers: in
 * blocking and pinned stages. */
typedef int weft_stage_fn(weft_worker *self, void *item, void *ctx);

/* Says which operation the item needs: fills a struct weft_io in the item, all
 * but `done` and `ctx`, and leaves its address. 0, WEFT_FILTER (nothing is
 * done, the item is dropped) or a negative errno. */
typedef int weft_describe_fn(weft_worker *self, void *item, struct weft_io **io,
                             void *ctx);

/* Adds `item` to `batch`: 0, WEFT_FULL or a negative errno: the item failed and
 * the batch is as it was. Called for one item at a time. */
typedef int weft_gather_fn(weft_worker *self, void *batch, void *item,
                           void *ctx);

/* Fills the next piece of `item`: 0 and is called again; WEFT_END: there are no
 * more, the piece is not filled; a negative errno: the item failed, the pieces
 * before are on their way. Called for one item at a time, and not before there
 * is room for a piece. */
typedef int weft_scatter_fn(weft_worker *self, void *item, void *piece,
                            void *ctx);

/* Chooses the path: its index, or WEFT_ANY_PATH, the next one that has room. 0,
 * WEFT_FILTER or a negative errno. */
typedef int weft_route_fn(weft_worker *self, void *item, unsigned *path,
                          void *ctx);
#define WEFT_ANY_PATH UINT32_MAX

/* How many bytes the item will hold from here on, for the budget: all in all,
 * what it costs included. It has them until it leaves and has been reset, or
 * until another stage says that it holds less. What moves through a merge takes
 * along what it has above its cost, and costs what the slot there does. */
typedef uint64_t weft_bytes_fn(const void *item, void *ctx);

/* Asks that a pending attempt ends soon: its deadline has passed, or the run is
 * cancelled. Its weft_complete is waited for all the same. On any thread, once
 * per attempt and not before the stage has returned; the weft_complete may come
 * while it runs. The attempt is not over before it has returned: what it uses
 * is freed by the next stage or by `reset`, not by whoever completes. */
typedef void weft_cancel_fn(void *item, void *ctx);

/* The items of a segment. New slots are zeroed; `reset` is called once for
 * every item when it leaves, on any thread, `finish` once for every slot when
 * the run is destroyed. Both may be NULL. Into a merge, items move by their
 * bytes, and what was there takes their place: its inputs reset and finish
 * theirs as it does. */
struct weft_items {
    size_t bytes;
    unsigned slots; /* items in flight; default 64 */
    uint64_t cost;  /* of the budget, for each from the moment it is filled */
    void (*reset)(void *item, void *ctx);
    void (*finish)(void *item, void *ctx);
    void *ctx;
};

enum weft_order {
    WEFT_ANY,   /* as they come */
    WEFT_INPUT, /* in the order of the source */
};

enum weft_kind {
    WEFT_CPU,      /* on the workers */
    WEFT_IO,       /* `describe` says which operation, weft does it */
    WEFT_BLOCKING, /* calls that sleep: on helper threads, as many as tokens */
    WEFT_PINNED,   /* always on the same thread */
};

enum weft_policy {
    WEFT_DEFAULT, /* a run: WEFT_STOP; a stage: as its run */
    WEFT_STOP,    /* the first failure ends the run, and is its error; what came
                     before that item goes on, up to one that fails later */
    WEFT_SKIP,    /* failed items are reported and left out */
    WEFT_AT_MOST, /* as WEFT_SKIP for `most` failures, then as WEFT_STOP */
    WEFT_AT_RATE, /* the same when more than `rate` of the items have failed,
                     once `sample` have been seen; a run judges the items of
                     each segment for themselves */
};

/* Which failures end a run. A stage that has a policy of its own answers for
 * its failures alone: the run does not count them. */
struct weft_failures {
    enum weft_policy policy;
    unsigned most;
    double rate; /* 0 .. 1 */
    unsigned sample;
};

/* Attempts at one item in one stage. Attempt n + 1 comes
 * first_ms * factor^(n - 1) after the failure of attempt n, at most most_ms,
 * less a random part of it, up to `jitter`. The item waits without a token.
 * Whatever the failure is, a deadline too: it is tried again. */
struct weft_retry {
    unsigned attempts; /* in all; default 1 */
    unsigned first_ms; /* default 10 */
    unsigned most_ms;  /* default 10 000 */
    double factor;     /* default 2 */
    double jitter;     /* 0 .. 1 */
};

/* What is known of an item that failed for good. The strings live for the call.
 */
struct weft_failure {
    const char *stage;
    uint64_t item;    /* its number: 0 is the first that the source gave */
    unsigned attempt; /* 1 is the first */
    int error;        /* a negative errno */
    const char *text; /* what weft_fail said, or the errno's name */
    uint64_t time_ns; /* when, since 1970 */
};

/* Called once per failed item, on a worker, before its slot is used again; for
 * several items at a time. */
typedef void weft_failure_fn(const struct weft_failure *failure, void *item,
                             void *ctx);

/* Called around every attempt of a source, a stage or a router, on the thread
 * that makes it, and so on several at a time; the end of one that was pending,
 * or took longer than its deadline, on a worker. */
struct weft_attempt {
    const char *stage;
    uint64_t item;
    unsigned attempt;
    enum { WEFT_BEGINS, WEFT_ENDS } event;
    int result; /* WEFT_ENDS: of the callback */
};
typedef void weft_hook_fn(const struct weft_attempt *attempt, void *item,
                          void *ctx);

/* ---- drawing ----------------------------------------------------------- */

struct weft_pipeline_config {
    size_t size; /* set by weft_config(pipeline, ...) */
    struct weft_items items;
    struct weft_failures failures;
    weft_failure_fn *on_failure;
    weft_hook_fn *hook;
    void *ctx;             /* for on_failure and hook */
    uint64_t budget_bytes; /* default: no limit */
    enum { WEFT_TIMES, WEFT_COUNTS_ONLY } statistics;
};

/* A budget bounds what the items of a run hold at one time, as `cost` and
 * `bytes` tell it, to budget_bytes and one item: one that asks for more than
 * there is gets it when it is the oldest of its segment, nothing that might ask
 * is ahead of it, and it is the only one. A scatter keeps its item until the
 * last piece is there, so pieces cannot wait for what it has: where it has
 * `bytes`, and they have, or what is made of them, the bound is the budget and
 * both, and one more for each such scatter behind it. If inputs of a merge take
 * turns, pieces of the one wait for what others load, whether they have `bytes`
 * or not: it is one more for each scatter before it whose items have. What one
 * item of each segment costs must be there together. What a consumer holds
 * counts: it may have to release an item before the next one comes. */

/* Of a part of another pipeline only `items` count; 0 bytes: as what it is used
 * in. `config` may be NULL. */
weft_pipeline *weft_pipeline_create(const struct weft_pipeline_config *config);
void weft_pipeline_destroy(weft_pipeline *p);

/* Draw [one]. As with graphs, mistakes are kept for weft_pipeline_compile. The
 * order of the calls is the order of the stages; a source, or a merge, comes
 * first. */
struct weft_source_config {
    size_t size; /* set by weft_config(source, ...) */
    const char *name;
    weft_stage_fn *fn;
    void *ctx;
    enum weft_kind kind;    /* not WEFT_IO */
    weft_thread *thread;    /* WEFT_PINNED: as for a stage */
    weft_cancel_fn *cancel; /* asks a pending source to complete soon */
};
void weft_source(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                 void *ctx);
void weft_source_with(weft_pipeline *p,
                      const struct weft_source_config *config);

/* `count` elements, `stride` bytes apart, each copied into an item: as many
 * bytes as both have, the others are as they were in the slot. The array is
 * borrowed until the runs have ended. */
void weft_source_array(weft_pipeline *p, const char *name, const void *array,
                       size_t count, size_t stride);

/* Fed from outside with weft_reserve and weft_feed. */
void weft_source_fed(weft_pipeline *p, const char *name);

struct weft_stage_config {
    size_t size; /* set by weft_config(stage, ...) */
    const char *name;
    weft_stage_fn *fn; /* WEFT_IO: may be NULL; called after the operation, if
                          that succeeded, and may not be pending */
    void *ctx;
    unsigned tokens;       /* default: one per worker, also if it is pending;
                              blocking 16, I/O 64, pinned 1. WEFT_UNLIMITED: as
                              many as come */
    enum weft_order order; /* WEFT_INPUT: items enter in order */
    enum weft_kind kind;
    weft_describe_fn *describe;  /* WEFT_IO */
    weft_thread *thread;         /* WEFT_PINNED; default: one of its own */
    const struct weft_use *uses; /* what it takes of which limits: all or none
                                  */
    unsigned use_count;
    weft_bytes_fn *bytes; /* what the item takes of the budget, from here on */
    struct weft_retry retry;
    unsigned deadline_ms; /* of an attempt, from its call: it then fails with
                             -ETIMEDOUT, though a call is not interrupted;
                             default: none */
    weft_cancel_fn *cancel;
    struct weft_failures failures;
};
void weft_stage(weft_pipeline *p, const struct weft_stage_config *config);

struct weft_gather_config {
    size_t size; /* set by weft_config(gather, ...) */
    const char *name;
    weft_gather_fn *fn;
    void *ctx;
    unsigned count; /* a batch is full with so many; 0: when fn says so */
    enum weft_order order;
    enum {
        WEFT_FLUSH,
        WEFT_DROP
    } rest;                  /* of a batch that is not full, at the
                                end and at the end of an epoch */
    struct weft_items items; /* the batches */
};
void weft_gather(weft_pipeline *p, const struct weft_gather_config *config);

struct weft_scatter_config {
    size_t size; /* set by weft_config(scatter, ...) */
    const char *name;
    weft_scatter_fn *fn;
    void *ctx;
    enum weft_order order;
    struct weft_items items; /* the pieces */
};
void weft_scatter(weft_pipeline *p, const struct weft_scatter_config *config);

/* A path of a router, or an input of a merge. */
struct weft_path {
    const char *name; /* the stages in it are called `name.stage` */
    weft_pipeline *stages;
    unsigned slots;  /* a router's: most items in it; default: its share */
    unsigned weight; /* WEFT_WEIGHTED; default 1 */
};

/* Sends each item down one path; behind the paths they are together again. An
 * item for a path that is full waits before it, in its slot: so a path that
 * stands still holds up the others when all slots are sent there. Paths are
 * made of stages and routers; a gather, a scatter or a merge comes before or
 * behind them. */
struct weft_router_config {
    size_t size; /* set by weft_config(router, ...) */
    const char *name;
    weft_route_fn *fn; /* NULL: WEFT_ANY_PATH */
    void *ctx;
    unsigned tokens;
    const struct weft_path *paths;
    unsigned path_count;
    enum weft_order join; /* how they leave it: WEFT_INPUT is kept by the next
                             stage, a merge or the consumer, whatever its own
                             order */
};
void weft_router(weft_pipeline *p, const struct weft_router_config *config);

/* Several sources in one: each input is a pipeline with a source (or a merge)
 * of its own, and with slots of its own. An epoch ends when all inputs have
 * ended it; in turn, the next one begins with the first input. */
struct weft_merge_config {
    size_t size; /* set by weft_config(merge, ...) */
    const char *name;
    const struct weft_path *inputs;
    unsigned input_count;
    enum {
        WEFT_ARRIVAL,     /* as they come */
        WEFT_ROUND_ROBIN, /* one of each in turn; waits for the slow ones */
        WEFT_WEIGHTED,    /* `weight` of each in turn */
    } turn;
    enum weft_order order; /* of the items of one input */
};
void weft_merge(weft_pipeline *p, const struct weft_merge_config *config);

/* The stages of a part, called `name.stage`. */
void weft_embed(weft_pipeline *p, const char *name, weft_pipeline *stages);

/* The end: threads outside take the items with weft_next. While they take none
 * the run stands still; who has enough cancels it. */
void weft_consumer(weft_pipeline *p, enum weft_order order);

/* [one] -EINVAL with the mistake as a sentence, -ENOMEM. */
int weft_pipeline_compile(weft_plan **out, const weft_pipeline *p,
                          weft_error *why);

/* ---- in a stage -------------------------------------------------------- */

/* [any] Ends a stage that returned WEFT_PENDING: the item goes on, or fails, as
 * if the stage had returned `rc` (0, WEFT_FILTER or a negative errno; a source:
 * what it may return). Exactly once per attempt; it may come before the stage
 * has returned, which then has to return WEFT_PENDING: what else it returns is
 * not heard. `self` is the worker that you are on; NULL anywhere else, and
 * where you do not know it. */
void weft_complete(weft_worker *self, void *item, int rc);

/* [any] Says why, for the failure report, and returns `error`:
 *     return weft_fail(item, -EINVAL, "%s is not a JPEG", path); */
int weft_fail(void *item, int error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* [any] While you have the item: the `ctx` of its run, from weft_run_config:
 * what several runs of one plan do not share. NULL: it was given none. In a
 * pipeline that a task of a graph runs, that of the graph's run. */
void *weft_run_context(const void *item);

/* [any] While you have the item: its number in its segment, 0 is the first; the
 * number of epochs that ended before it; where it comes from: for a piece, the
 * number of the item that it was scattered from, for a merged item its number
 * in its input, for a batch that of its first item; the attempt, 1 is the
 * first. */
uint64_t weft_item_number(const void *item);
uint64_t weft_item_epoch(const void *item);
uint64_t weft_item_origin(const void *item);
unsigned weft_item_attempt(const void *item);

/* ---- feeding and taking while it runs ---------------------------------- */

/* What you have fed, given back, completed or released is not yours any more:
 * forget its address. To do it twice is a mistake, as is to do it with an item
 * that you never had. It is seen, and in a release build has no effect, unless
 * the same memory is just as far with another item: then that one is meant.
 *
 * A thread that waits here returns when the run is stopped or ends. Destroy the
 * run when they all have. */

/* [any] An item to be filled, for the source of this name (NULL: the only one
 * that is fed): 0 and *item is yours until weft_feed or weft_unreserve;
 * -ETIMEDOUT: no slot was free, or no bytes of the budget, within timeout_ms
 * (0: at once, negative: no limit); -EPIPE: the input has ended; -ECANCELED:
 * the run was stopped; -EINVAL: it has no such source. Not from a worker
 * (-EDEADLK), unless timeout_ms is 0. */
int weft_reserve(struct weft_run *run, const char *source, void **item,
                 int timeout_ms, weft_error *why);
void weft_feed(void *item);      /* [any] it flows */
void weft_unreserve(void *item); /* [any] it was not filled after all */

/* [any] Marks the end of an epoch, after all that was fed before: as
 * weft_reserve. Ends the input: no more is fed, what is reserved may be. */
int weft_feed_epoch(struct weft_run *run, const char *source, int timeout_ms,
                    weft_error *why);
int weft_feed_end(struct weft_run *run, const char *source, weft_error *why);

/* [any] Takes an item from a run whose pipeline ends in weft_consumer:
 *   1            *item is yours until weft_release
 *   WEFT_EPOCH   an epoch ended; no item
 *   0            the end, now and for ever
 *   -ETIMEDOUT   nothing within timeout_ms (negative: no limit); none is lost
 *   other        the error that ended the run, once, after the good items
 * The error of a run may be -ETIMEDOUT as well: who asks with a limit lets
 * weft_wait tell the result, after the end. */
int weft_next(struct weft_run *run, void **item, int timeout_ms,
              weft_error *why);
void weft_release(void *item); /* [any] delivered; its slot is free again */

/* [any] A descriptor that is readable while weft_next has something to say, for
 * poll, epoll and io_uring. It belongs to the run: neither read nor close it. A
 * negative errno if there is none to be had. */
int weft_consumer_fd(struct weft_run *run, weft_error *why);

/* [any] From now on the stage has so many tokens, at least 1. -ENOENT: the run
 * has no such stage; -EINVAL: its tokens are not yours to change. */
int weft_set_tokens(struct weft_run *run, const char *stage, unsigned tokens);
#endif
