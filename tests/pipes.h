/* pipes.h: what the tests of pipelines share: a source of numbers, items that
 * stand still until they are let go, gauges, and the account of all segments.
 */
#ifndef WEFT_TESTS_PIPES_H
#define WEFT_TESTS_PIPES_H
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/runs.h"

/* A test that waits for ever is ended by its timeout. */
#define UNTIL(condition)                                                       \
    do {                                                                       \
        while (!(condition))                                                   \
            usleep(50);                                                        \
    } while (0)

struct number {
    uint64_t value;
    uint64_t mark; /* whatever a stage leaves there */
};

/* A source. An epoch ends after every so many, the last included. */
struct numbers {
    uint64_t next, end, epoch, base;
    bool marked;
    int fails_with; /* instead of the end */
};

static inline int give(weft_worker *self, void *item, void *ctx)
{
    struct numbers *n = ctx;

    if (n->epoch && n->next && n->next % n->epoch == 0 && !n->marked) {
        n->marked = true;
        return WEFT_EPOCH;
    }
    n->marked = false;
    if (n->next == n->end)
        return n->fails_with ? n->fails_with : WEFT_END;
    *(struct number *)item = (struct number){ .value = n->base + n->next++ };
    return 0;
}

static inline uint64_t value_of(const void *item)
{
    return ((const struct number *)item)->value;
}

/* ---- drawing ----------------------------------------------------------- */

static inline struct weft_items slots_of(unsigned slots)
{
    return (struct weft_items){ .bytes = sizeof(struct number),
                                .slots = slots };
}

static inline weft_pipeline *drawing(unsigned slots)
{
    return weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(slots)));
}

/* The same, and failed items are left out. */
static inline weft_pipeline *skipping(unsigned slots)
{
    return weft_pipeline_create(
        weft_config(pipeline, .items = slots_of(slots),
                    .failures = { .policy = WEFT_SKIP }));
}

/* A part of one stage. */
static inline weft_pipeline *row_of(weft_stage_fn *fn, void *ctx)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_stage(p, weft_config(stage, .name = "stage", .fn = fn, .ctx = ctx,
                              .tokens = 64));
    return p;
}

/* It must not compile; the sentence is as expected. */
static inline void mistake(weft_pipeline *p, const char *sentence)
{
    weft_plan *plan = NULL;
    weft_error why = { "" };

    cr_assert_eq(weft_pipeline_compile(&plan, p, &why), -EINVAL);
    if (strcmp(why.text, sentence) != 0)
        fprintf(stderr, "is:        %s\nshould be: %s\n", why.text, sentence);
    cr_assert_eq(strcmp(why.text, sentence), 0);
    cr_assert_eq(plan, NULL);
    weft_pipeline_destroy(p);
}

/* ---- running ----------------------------------------------------------- */

static inline struct weft_flow flow_of(struct weft_run *run, unsigned segment)
{
    struct weft_flow f = { 0 };
    cr_assert_eq(weft_run_flow(run, segment, &f), 0);
    return f;
}

/* The account of every segment. */
static inline void balanced(struct weft_run *run)
{
    struct weft_flow f;

    for (unsigned i = 0; !weft_run_flow(run, i, &f); i++) {
        cr_assert_eq(f.fed, f.delivered + f.filtered + f.failed + f.cancelled +
                                f.in_flight);
        cr_assert(f.in_flight <= f.slots);
    }
}

static inline void ended(struct weft_run *run, int result)
{
    cr_assert_eq(weft_wait(run, -1, NULL), result);
    balanced(run);
    weft_run_destroy(run);
}

/* Takes the next one, and releases it: as weft_next. */
static inline int take(struct weft_run *run, struct number *out)
{
    void *item;
    int rc = weft_next(run, &item, -1, NULL);

    if (rc != 1)
        return rc;
    *out = *(struct number *)item;
    weft_release(item);
    return 1;
}

/* ---- stages ------------------------------------------------------------ */

static inline int pass(weft_worker *self, void *item, void *ctx) { return 0; }

/* Pending, and completed before it has returned. */
static inline int pend(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, 0);
    return WEFT_PENDING;
}

/* Takes a time of its own. */
static inline int dawdle(weft_worker *self, void *item, void *ctx)
{
    for (volatile uint64_t i = value_of(item) * 31 % 97; i; i--)
        ;
    return 0;
}

struct gauge {
    _Atomic unsigned now, most;
};

static inline void gauge_in(struct gauge *g)
{
    unsigned now = add_relaxed(&g->now, 1) + 1, most = load_relaxed(&g->most);

    while (now > most && !cas_relaxed(&g->most, &most, now))
        ;
}

static inline void gauge_out(struct gauge *g) { atomic_fetch_sub(&g->now, 1); }

/* The items that came before it was opened, pending. */
struct held {
    pthread_mutex_t lock;
    void *item[64];
    unsigned count;
    bool open;
};

#define HELD                                                                   \
    {                                                                          \
        .lock = PTHREAD_MUTEX_INITIALIZER                                      \
    }

static inline int hold(weft_worker *self, void *item, void *ctx)
{
    struct held *h = ctx;

    pthread_mutex_lock(&h->lock);
    bool open = h->open;
    if (!open)
        h->item[h->count++] = item;
    pthread_mutex_unlock(&h->lock);
    return open ? 0 : WEFT_PENDING;
}

static inline unsigned held_by(struct held *h)
{
    pthread_mutex_lock(&h->lock);
    unsigned count = h->count;
    pthread_mutex_unlock(&h->lock);
    return count;
}

/* So many of them go on, the first first. */
static inline void let_go(struct held *h, unsigned count)
{
    void *item[64];

    pthread_mutex_lock(&h->lock);
    memcpy(item, h->item, count * sizeof *item);
    h->count -= count;
    memmove(h->item, h->item + count, h->count * sizeof *item);
    pthread_mutex_unlock(&h->lock);
    for (unsigned i = 0; i < count; i++)
        weft_complete(NULL, item[i], 0);
}

/* All go on, and those that come are not held. */
static inline void open_up(struct held *h)
{
    pthread_mutex_lock(&h->lock);
    h->open = true;
    unsigned count = h->count;
    pthread_mutex_unlock(&h->lock);
    let_go(h, count);
}

/* ---- paths ------------------------------------------------------------- */

/* What one path has seen. */
struct way {
    unsigned number;
    uint64_t next; /* plain: its stage has one token */
    _Atomic uint64_t seen, wrong;
    struct gauge inside;
    struct held held;
};

static inline int note(weft_worker *self, void *item, void *ctx)
{
    struct way *w = ctx;

    ((struct number *)item)->mark = w->number;
    add_relaxed(&w->seen, 1);
    return 0;
}

/* In a stage of one token that takes the items in their order. */
static inline int in_order(weft_worker *self, void *item, void *ctx)
{
    struct way *w = ctx;

    add_relaxed(&w->seen, 1);
    if (value_of(item) < w->next)
        add_relaxed(&w->wrong, 1);
    w->next = value_of(item) + 1;
    return 0;
}

static inline weft_pipeline *in_order_row(struct way *w)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_stage(p, weft_config(stage, .name = "order", .fn = in_order, .ctx = w,
                              .tokens = 1, .order = WEFT_INPUT));
    return p;
}

#endif
