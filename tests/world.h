/* world.h: one pipeline that contains all there is, and an account of what
 * its callbacks were given.
 *
 *     made: source, pending -> split: scatter --+
 *     hand: fed from outside -------------------+-> all: merge -> try, again
 * and give: source -----------------------------+                  again
 *
 *      -> read: I/O -> call: blocking, limits -> bind: pinned
 *      -> wait: pending, bytes -> way: router, ordered inside and behind
 *      -> bunch: gather -> last: a limit -> consumer
 *
 * with epochs, a budget, retries and failures. A test says how long what takes
 * long takes: for ever means until somebody asks it to end. */
#ifndef WEFT_TESTS_WORLD_H
#define WEFT_TESTS_WORLD_H
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/ends.h"

struct thing {
    void *memory; /* from when it is filled until it is reset */
    uint64_t value;
    unsigned pieces;
    struct weft_io io;
};

struct bunch {
    void *memory;
    unsigned count;
};

/* Callbacks by what they are. */
enum call {
    IN_SOURCE,
    IN_SCATTER,
    IN_STAGE,
    IN_DESCRIPTION,
    IN_OTHER_STAGE, /* after an operation, and on threads that are no workers */
    IN_PENDING,
    IN_BYTES,
    IN_ROUTE,
    IN_GATHER,
    IN_LAST_STAGE,
    IN_RESET,
    IN_RESET_OF_BATCH,
    IN_FAILURE,
    IN_HOOK,
    IN_CANCEL,
    CALLS
};

enum { MOST_KEPT = 64, BUDGET = 64, TOLERATED = 3 };

struct world {
    bool for_ever;  /* what takes long */
    bool allocates; /* each item, so that its end is seen by a sanitizer */
    uint64_t end;   /* values of each source */
    _Atomic uint64_t made, given;
    _Atomic uint64_t filled, reset, bunches, bunches_reset, finished;
    _Atomic uint64_t failures, cancels;
    void (*visit)(struct world *w); /* NULL, or called by every callback */
    void *ctx;                      /* for visit */
    _Atomic uint64_t visits, calls[CALLS];
    weft_limit *narrow, *wide;
    weft_thread *thread;
    pthread_t completer;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    void *kept[MOST_KEPT]; /* pending items */
    int result[MOST_KEPT]; /* of each */
    unsigned keeps;
    bool over;
};

/* Results that do not come by themselves: of a stage, of a source. */
enum { STUCK = 1000, STUCK_SOURCE };

static inline void visit(struct world *w, enum call call)
{
    if (!w->visit)
        return;
    add_relaxed(&w->calls[call], 1);
    w->visit(w);
}

static inline void fill(struct world *w, struct thing *t, uint64_t value)
{
    if (w->allocates)
        t->memory = malloc(8);
    t->value = value;
    t->pieces = 0;
    add_relaxed(&w->filled, 1);
}

static inline void reset_thing(void *item, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    visit(w, IN_RESET);
    free(t->memory);
    t->memory = NULL;
    add_relaxed(&w->reset, 1);
}

static inline void reset_bunch(void *item, void *ctx)
{
    struct world *w = ctx;
    struct bunch *b = item;
    visit(w, IN_RESET_OF_BATCH);
    free(b->memory);
    *b = (struct bunch){ 0 };
    add_relaxed(&w->bunches_reset, 1);
}

static inline void finish_any(void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->finished, 1);
}

/* ---- what is pending --------------------------------------------------- */

static inline int keep(struct world *w, void *item, int result)
{
    pthread_mutex_lock(&w->lock);
    w->kept[w->keeps] = item;
    w->result[w->keeps++] = result;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return WEFT_PENDING;
}

/* Under the lock: the place of one that is to be completed, or keeps. */
static inline unsigned next_kept(const struct world *w)
{
    unsigned i = 0;
    while (i < w->keeps && w->result[i] >= STUCK)
        i++;
    return i;
}

/* Under the lock: who takes one out completes it. */
static inline void *take_kept(struct world *w, unsigned i)
{
    void *item = w->kept[i];
    w->kept[i] = w->kept[--w->keeps];
    w->result[i] = w->result[w->keeps];
    return item;
}

static inline void *complete_kept(void *ctx)
{
    struct world *w = ctx;

    pthread_mutex_lock(&w->lock);
    while (!w->over) {
        unsigned i = next_kept(w);
        if (i == w->keeps) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        int rc = w->result[i];
        void *item = take_kept(w, i);
        pthread_mutex_unlock(&w->lock);
        weft_complete(NULL, item, rc);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* Asked to end: it does so at once, unless its completion is on its way. */
static inline void end_kept(struct world *w, void *item)
{
    unsigned i = 0;

    visit(w, IN_CANCEL);
    add_relaxed(&w->cancels, 1);
    pthread_mutex_lock(&w->lock);
    while (i < w->keeps && w->kept[i] != item)
        i++;
    bool mine = i < w->keeps;
    int rc = mine ? w->result[i] : 0;
    if (rc >= STUCK)
        rc = rc == STUCK ? -ECANCELED : WEFT_END;
    if (mine)
        take_kept(w, i);
    pthread_mutex_unlock(&w->lock);
    if (mine)
        weft_complete(NULL, item, rc);
}

static inline void cancel_kept(void *item, void *ctx) { end_kept(ctx, item); }

/* ---- callbacks --------------------------------------------------------- */

/* An epoch ends after every so many values. */
static inline int next_value(struct world *w, _Atomic uint64_t *next,
                             struct thing *t, uint64_t epoch)
{
    uint64_t value = load_relaxed(next);

    visit(w, IN_SOURCE);
    if (value == w->end)
        return WEFT_END;
    store_relaxed(next, value + 1);
    if (value % epoch == epoch - 1)
        return WEFT_EPOCH;
    fill(w, t, value);
    return 0;
}

static inline int make(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    if (w->for_ever && load_relaxed(&w->made) == 40)
        return keep(w, item, STUCK_SOURCE);
    return keep(w, item, next_value(w, &w->made, item, 16));
}

static inline int give(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    return next_value(w, &w->given, item, 8);
}

static inline int split(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct thing *t = item;
    visit(ctx, IN_SCATTER);
    if (t->pieces == t->value % 4)
        return WEFT_END;
    t->pieces++;
    fill(ctx, piece, t->value * 4 + t->pieces);
    return 0;
}

static inline int try(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    uint64_t value = ((struct thing *)item)->value;
    visit(w, IN_STAGE);
    if (value % 16 == 5 && weft_item_attempt(item) == 1)
        return w->for_ever ? -EBUSY : -EAGAIN;
    return value % 32 == 7 ? -EIO : 0;
}

static inline int sleep_a_while(weft_worker *self, void *item,
                                struct weft_io **io, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    bool is_long = w->for_ever && t->value % 8 == 1;
    visit(w, IN_DESCRIPTION);
    t->io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                              .ns = is_long ? UINT64_MAX : 1000 };
    *io = &t->io;
    return t->value % 64 == 11 ? WEFT_FILTER : 0;
}

static inline int touch(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    visit(w, IN_OTHER_STAGE);
    if (w->allocates)
        *(volatile char *)t->memory = 1;
    return 0;
}

static inline int wait_a_while(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    bool is_long = w->for_ever && ((struct thing *)item)->value % 8 == 2;
    visit(w, IN_PENDING);
    return keep(w, item, is_long ? STUCK : 0);
}

static inline uint64_t eight(const void *item, void *ctx)
{
    visit(ctx, IN_BYTES);
    return 8;
}

static inline int choose_path(weft_worker *self, void *item, unsigned *path,
                              void *ctx)
{
    uint64_t value = ((struct thing *)item)->value;
    visit(ctx, IN_ROUTE);
    *path = value % 3 == 2 ? WEFT_ANY_PATH : (unsigned)(value % 3);
    return value % 64 == 9 ? WEFT_FILTER : 0;
}

static inline int put_in(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct world *w = ctx;
    struct bunch *b = batch;
    visit(w, IN_GATHER);
    if (!b->count++) {
        add_relaxed(&w->bunches, 1);
        if (w->allocates)
            b->memory = malloc(8);
    }
    return touch(self, item, ctx);
}

static inline int use_bunch(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    struct bunch *b = item;
    visit(w, IN_LAST_STAGE);
    if (w->allocates)
        *(volatile char *)b->memory = 1;
    return b->count <= 3 ? 0 : -EOVERFLOW;
}

static inline void count_failure(const struct weft_failure *f, void *item,
                                 void *ctx)
{
    add_relaxed(&((struct world *)ctx)->failures, 1);
    visit(ctx, IN_FAILURE);
}

static inline void see_attempt(const struct weft_attempt *a, void *item,
                               void *ctx)
{
    visit(ctx, IN_HOOK);
}

/* ---- the drawing ------------------------------------------------------- */

static inline void draw_inputs(struct world *w, weft_pipeline *p,
                               const struct weft_items *things)
{
    weft_pipeline *made = weft_pipeline_create(NULL);
    weft_pipeline *hand = weft_pipeline_create(NULL);
    weft_pipeline *given = weft_pipeline_create(NULL);
    const struct weft_path inputs[] = { { .stages = made },
                                        { .stages = hand },
                                        { .stages = given } };

    weft_source_with(made, weft_config(source, .name = "made", .fn = make,
                                       .ctx = w, .cancel = cancel_kept));
    weft_scatter(made, weft_config(scatter, .name = "split", .fn = split,
                                   .ctx = w, .items = *things));
    weft_source_fed(hand, "hand");
    weft_source(given, "given", give, w);
    weft_merge(p, weft_config(merge, .name = "all", .inputs = inputs,
                              .input_count = 3));
    weft_pipeline_destroy(made);
    weft_pipeline_destroy(hand);
    weft_pipeline_destroy(given);
}

static inline void draw_stages(struct world *w, weft_pipeline *p,
                               const struct weft_failures *failures)
{
    const struct weft_use both[] = { { .limit = w->narrow },
                                     { .limit = w->wide, .tokens = 2 } };

    weft_stage(p, weft_config(stage, .name = "try", .fn = try, .ctx = w,
                              .tokens = 2, .order = WEFT_INPUT,
                              .failures = *failures,
                              .retry = { .attempts = 3,
                                         .first_ms = w->for_ever ? 1u << 30 : 1,
                                         .most_ms = 1u << 30 }));
    weft_stage(p, weft_config(stage, .name = "read", .fn = touch, .ctx = w,
                              .kind = WEFT_IO, .describe = sleep_a_while,
                              .tokens = 3));
    weft_stage(p, weft_config(stage, .name = "call", .fn = touch, .ctx = w,
                              .kind = WEFT_BLOCKING, .tokens = 2, .uses = both,
                              .use_count = 2));
    weft_stage(p, weft_config(stage, .name = "bind", .fn = touch, .ctx = w,
                              .kind = WEFT_PINNED, .thread = w->thread));
    weft_stage(p,
               weft_config(stage, .name = "wait", .fn = wait_a_while, .ctx = w,
                           .tokens = 3, .bytes = eight, .cancel = cancel_kept));
}

static inline void draw_router(struct world *w, weft_pipeline *p)
{
    weft_pipeline *part[2] = { weft_pipeline_create(NULL),
                               weft_pipeline_create(NULL) };
    const struct weft_path paths[] = { { .name = "a", .stages = part[0] },
                                       { .name = "b", .stages = part[1] } };

    for (int i = 0; i < 2; i++)
        weft_stage(part[i], weft_config(stage, .name = "pass", .fn = touch,
                                        .ctx = w, .tokens = 2,
                                        .order = i ? WEFT_INPUT : WEFT_ANY));
    weft_router(p, weft_config(router, .name = "way", .fn = choose_path,
                               .ctx = w, .paths = paths, .path_count = 2,
                               .join = WEFT_INPUT));
    for (int i = 0; i < 2; i++)
        weft_pipeline_destroy(part[i]);
}

/* `failures` is the policy of the stage that fails. */
static inline weft_pipeline *draw_world(struct world *w, unsigned slots,
                                        const struct weft_failures *failures)
{
    const struct weft_use one[] = { { .limit = w->narrow } };
    const struct weft_items things = { .bytes = sizeof(struct thing),
                                       .slots = slots,
                                       .cost = 1,
                                       .reset = reset_thing,
                                       .finish = finish_any,
                                       .ctx = w };
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = things, .budget_bytes = BUDGET,
        .failures = { .policy = WEFT_SKIP }, .on_failure = count_failure,
        .hook = see_attempt, .ctx = w));

    draw_inputs(w, p, &things);
    draw_stages(w, p, failures);
    draw_router(w, p);
    weft_gather(p, weft_config(gather, .name = "bunch", .fn = put_in, .ctx = w,
                               .count = 3, .order = WEFT_INPUT,
                               .items = { .bytes = sizeof(struct bunch),
                                          .slots = 3,
                                          .cost = 4,
                                          .reset = reset_bunch,
                                          .finish = finish_any,
                                          .ctx = w }));
    weft_stage(p, weft_config(stage, .name = "last", .fn = use_bunch, .ctx = w,
                              .uses = one, .use_count = 1));
    weft_consumer(p, WEFT_INPUT);
    return p;
}

static inline void world_init(struct world *w, weft_sched *sched)
{
    *w = (struct world){ 0 };
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    cr_assert_eq(weft_limit_create(
                     &w->narrow,
                     weft_config(limit, .name = "narrow", .tokens = 2), NULL),
                 0);
    cr_assert_eq(
        weft_limit_create(
            &w->wide, weft_config(limit, .name = "wide", .tokens = 3), NULL),
        0);
    cr_assert_eq(weft_thread_create(&w->thread, sched, "bound", NULL), 0);
    pthread_create(&w->completer, NULL, complete_kept, w);
}

static inline void world_finish(struct world *w)
{
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->completer, NULL);
    weft_thread_destroy(w->thread);
    weft_limit_destroy(w->narrow);
    weft_limit_destroy(w->wide);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
}

/* Before the next run: everything is as at the start. */
static inline void world_again(struct world *w)
{
    store_relaxed(&w->made, 0), store_relaxed(&w->given, 0);
    store_relaxed(&w->filled, 0), store_relaxed(&w->reset, 0);
    store_relaxed(&w->bunches, 0), store_relaxed(&w->bunches_reset, 0);
    store_relaxed(&w->finished, 0), store_relaxed(&w->failures, 0);
    store_relaxed(&w->cancels, 0), store_relaxed(&w->visits, 0);
}

/* A run has ended: whatever it took it gave back, and every item once. */
static inline void assert_all_is_back(struct world *w, struct weft_run *run)
{
    struct weft_limit_stats limit[2];
    struct weft_budget_stats budget;
    struct weft_flow f;

    for (unsigned i = 0; weft_run_flow(run, i, &f) == 0; i++)
        cr_assert_eq(flow_of(run, i).in_flight, 0);
    cr_assert_eq(weft_run_budget(run, &budget), 0);
    cr_assert_eq(budget.used, 0);
    cr_assert_eq(budget.waiting, 0);
    cr_assert(budget.peak <= BUDGET + 8);
    weft_limit_stats(w->narrow, &limit[0]);
    weft_limit_stats(w->wide, &limit[1]);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(limit[i].in_use, 0);
        cr_assert_eq(limit[i].waiting, 0);
        cr_assert(limit[i].peak <= limit[i].tokens);
    }
    cr_assert_eq(w->keeps, 0);
    cr_assert_eq(w->filled, w->reset);
    cr_assert_eq(w->bunches, w->bunches_reset);
}
#endif
