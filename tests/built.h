/* built.h: runs whose speed is known, because they are built from knots that
 * sleep for a time, and how fast they are found to be. */
#ifndef WEFT_TESTS_BUILT_H
#define WEFT_TESTS_BUILT_H
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/runs.h"

enum { TRIES = 3, MOST_KNOTS = 4, LONG_MS = 4500 };

/* What a stage does: */
enum knot_kind {
    NONE,
    NAP,     /* waits for a timer */
    HOLD,    /* keeps a worker, and sleeps there */
    SPIN,    /* keeps a worker busy */
    BLOCK,   /* sleeps on a helper thread */
    PIN,     /* sleeps on its own thread */
    GATHER,  /* `count` into one, `slots` of them */
    SCATTER, /* one into `count` */
    PATH,    /* naps in the only path of a router, which lets in `slots` */
    LIMIT,   /* naps with a token of the limit */
};

struct knot {
    enum knot_kind kind;
    const char *name;
    unsigned ms, tokens, count, slots;
    unsigned late_ms; /* NAP: so long naps every fourth, if not 0 */
    uint64_t bytes;   /* of the budget, from there on, if not 0 */
    bool in_order;
};

struct shape {
    unsigned source_ms, consumer_ms, slots, workers;
    bool fed, in_order; /* for the consumer */
    uint64_t cost, budget;
    unsigned limit_tokens, rival_ms; /* a second run takes of the limit */
    struct knot knots[MOST_KNOTS];
};

struct bead {
    struct weft_io io;
    unsigned made; /* of a scatter */
};

/* One measurement of a shape. */
struct trial {
    const struct shape *shape;
    weft_sched *sched; /* of all whose workers do not matter */
    unsigned ms;       /* for which it is measured; default LONG_MS */
    struct weft_run *run, *rival;
    weft_limit *limit;
    struct weft_advice advice, whole;
    char stage_name[32],
        limit_name[32]; /* that they name; the plan is gone by then */
    double items_per_s;
    uint64_t delivered; /* in the time that was measured */
};

/* ---- what the stages do ------------------------------------------------ */

static inline void sleep_ms(unsigned ms)
{
    struct timespec t = { .tv_sec = ms / 1000,
                          .tv_nsec = ms % 1000 * 1000000L };
    nanosleep(&t, NULL);
}

static inline double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline int nap(weft_worker *self, void *item, struct weft_io **io,
                      void *ctx)
{
    const struct knot *k = ctx;
    struct bead *b = item;
    bool late = k->late_ms && weft_item_number(item) % 4 == 0;
    unsigned ms = late ? k->late_ms : k->ms;
    b->io =
        (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = ms * (uint64_t)1000000 };
    *io = &b->io;
    return 0;
}

static inline uint64_t bytes_from(const void *item, void *ctx)
{
    return ((const struct knot *)ctx)->bytes;
}

static inline int hold(weft_worker *self, void *item, void *ctx)
{
    sleep_ms(((const struct knot *)ctx)->ms);
    return 0;
}

static inline int spin(weft_worker *self, void *item, void *ctx)
{
    double end = now_s() + ((const struct knot *)ctx)->ms / 1e3;
    while (now_s() < end)
        ;
    return 0;
}

static inline int collect(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static inline int split(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct bead *b = item;
    if (b->made < ((const struct knot *)ctx)->count) {
        b->made++;
        return 0;
    }
    b->made = 0;
    return WEFT_END;
}

static inline void made(weft_worker *self, struct weft_io *io, int rc)
{
    weft_complete(self, io->ctx, rc);
}

/* There is always one more, after a time. */
static inline int source(weft_worker *self, void *item, void *ctx)
{
    const struct shape *s = ctx;
    struct bead *b = item;
    if (!s->source_ms)
        return 0;
    b->io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                              .ns = s->source_ms * (uint64_t)1000000,
                              .done = made,
                              .ctx = item };
    return weft_io_start(self, &b->io);
}

/* Where the others on this machine leave room. */
static inline weft_sched *loose_workers(unsigned n)
{
    weft_sched *s = NULL;
    cr_assert_eq(
        weft_sched_create(
            &s, weft_config(sched, .workers = n, .pin = WEFT_PIN_NONE), NULL),
        0);
    return s;
}

/* ---- drawing ----------------------------------------------------------- */

static inline struct weft_items beads(const struct shape *s)
{
    return (struct weft_items){ .bytes = sizeof(struct bead),
                                .slots = s->slots ? s->slots : 8,
                                .cost = s->cost };
}

static inline void draw_path(weft_pipeline *p, const struct knot *k, void *ctx)
{
    weft_pipeline *stages = weft_pipeline_create(NULL);
    weft_stage(stages,
               weft_config(stage, .name = k->name, .describe = nap, .ctx = ctx,
                           .kind = WEFT_IO, .tokens = k->tokens));
    const struct weft_path path = { .name = "only",
                                    .stages = stages,
                                    .slots = k->slots };
    weft_router(p, weft_config(router, .name = "router", .paths = &path,
                               .path_count = 1));
    weft_pipeline_destroy(stages);
}

static inline void draw_knot(weft_pipeline *p, const struct trial *t,
                             const struct knot *k)
{
    static const enum weft_kind where[] = { [NAP] = WEFT_IO,
                                            [LIMIT] = WEFT_IO,
                                            [BLOCK] = WEFT_BLOCKING,
                                            [PIN] = WEFT_PINNED };
    void *ctx = (void *)(uintptr_t)k;
    const struct weft_use use = { .limit = t->limit };

    if (k->kind == GATHER)
        weft_gather(p, weft_config(gather, .name = k->name, .fn = collect,
                                   .count = k->count,
                                   .items = { .bytes = sizeof(struct bead),
                                              .slots = k->slots }));
    else if (k->kind == SCATTER)
        weft_scatter(p, weft_config(scatter, .name = k->name, .fn = split,
                                    .ctx = ctx,
                                    .items = { .bytes = sizeof(struct bead),
                                               .slots = k->slots }));
    else if (k->kind == PATH)
        draw_path(p, k, ctx);
    else
        weft_stage(
            p, weft_config(stage, .name = k->name, .ctx = ctx,
                           .tokens = k->tokens, .kind = where[k->kind],
                           .order = k->in_order ? WEFT_INPUT : WEFT_ANY,
                           .bytes = k->bytes ? bytes_from : NULL,
                           .describe = where[k->kind] == WEFT_IO ? nap : NULL,
                           .fn = where[k->kind] == WEFT_IO ? NULL
                                 : k->kind == SPIN         ? spin
                                                           : hold,
                           .uses = &use, .use_count = k->kind == LIMIT));
}

static inline weft_plan *draw(const struct trial *t)
{
    const struct shape *s = t->shape;
    weft_plan *plan = NULL;
    weft_error why;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = beads(s), .budget_bytes = s->budget));

    if (s->fed)
        weft_source_fed(p, "source");
    else
        weft_source(p, "source", source, (void *)(uintptr_t)s);
    for (unsigned i = 0; i < MOST_KNOTS && s->knots[i].kind != NONE; i++)
        draw_knot(p, t, &s->knots[i]);
    if (s->consumer_ms)
        weft_consumer(p, s->in_order ? WEFT_INPUT : WEFT_ANY);
    int rc = weft_pipeline_compile(&plan, p, &why);
    if (rc)
        printf("%s\n", why.text);
    cr_assert_eq(rc, 0);
    weft_pipeline_destroy(p);
    return plan;
}

/* ---- measuring --------------------------------------------------------- */

static inline void *consume(void *ctx)
{
    struct trial *t = ctx;
    void *item;

    while (weft_next(t->run, &item, -1, NULL) == 1) {
        sleep_ms(t->shape->consumer_ms);
        weft_release(item);
    }
    return NULL;
}

static inline void *feed(void *ctx)
{
    struct trial *t = ctx;
    void *item;

    while (weft_reserve(t->run, "source", &item, -1, NULL) == 0) {
        sleep_ms(t->shape->source_ms);
        weft_feed(item);
    }
    return NULL;
}

static uint64_t delivered(struct weft_run *run)
{
    struct weft_flow f;
    unsigned last = 0;

    while (weft_run_flow(run, last + 1, &f) == 0)
        last++;
    cr_assert_eq(weft_run_flow(run, last, &f), 0);
    return f.delivered;
}

/* From when it is warm to a while later. */
static inline void measure_while_it_runs(struct trial *t, unsigned ms)
{
    weft_moment *moment;

    while (delivered(t->run) < 4)
        sleep_ms(1);
    sleep_ms(500);
    cr_assert_eq(weft_moment_create(&moment, t->run), 0);
    uint64_t before = delivered(t->run);
    double start = now_s();
    sleep_ms(ms);
    cr_assert_eq(weft_pipeline_explain(t->run, moment, &t->advice), 0);
    t->delivered = delivered(t->run) - before;
    t->items_per_s = (double)t->delivered / (now_s() - start);
    weft_moment_destroy(moment);
}

static inline void keep_names(struct trial *t)
{
    const struct weft_advice *a = &t->advice;

    snprintf(t->stage_name, sizeof t->stage_name, "%s",
             a->stage ? a->stage : "");
    snprintf(t->limit_name, sizeof t->limit_name, "%s",
             a->limit ? a->limit : "");
}

static inline void *measure(void *ctx)
{
    struct trial *t = ctx;
    const struct shape *s = t->shape;
    struct shape other = { .slots = s->slots,
                           .knots = { { LIMIT, "rival", s->rival_ms, 4 } } };
    pthread_t consumer, feeder;
    weft_sched *sched = s->workers ? loose_workers(s->workers) : t->sched;

    if (s->limit_tokens)
        cr_assert_eq(weft_limit_create(&t->limit,
                                       weft_config(limit, .name = "gpu",
                                                   .tokens = s->limit_tokens),
                                       NULL),
                     0);
    weft_plan *plan = draw(t), *rival = NULL;
    if (s->rival_ms) {
        rival = draw(&(struct trial){ .shape = &other, .limit = t->limit });
        cr_assert_eq(weft_start(&t->rival, sched, rival, NULL), 0);
    }
    cr_assert_eq(weft_start(&t->run, sched, plan, NULL), 0);
    if (s->consumer_ms)
        pthread_create(&consumer, NULL, consume, t);
    if (s->fed)
        pthread_create(&feeder, NULL, feed, t);
    measure_while_it_runs(t, t->ms ? t->ms : LONG_MS);
    weft_cancel(t->run);
    if (s->consumer_ms)
        pthread_join(consumer, NULL);
    if (s->fed)
        pthread_join(feeder, NULL);
    cr_assert_eq(weft_wait(t->run, -1, NULL), -ECANCELED);
    cr_assert_eq(weft_pipeline_explain(t->run, NULL, &t->whole), 0);
    keep_names(t);
    if (rival)
        weft_cancel(t->rival);
    weft_run_destroy(t->rival);
    weft_run_destroy(t->run);
    weft_plan_destroy(rival);
    weft_plan_destroy(plan);
    weft_limit_destroy(t->limit);
    if (s->workers)
        weft_sched_destroy(sched);
    return NULL;
}
#endif
