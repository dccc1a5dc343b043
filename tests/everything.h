/* everything.h: a pipeline that has one of everything, for tests of what a run
 * says of itself.
 *
 *     a -> fetch -> kind { small: s | large: l } --+
 *                                                  +-> both -> work -> batch
 *     b -> split -> piece -------------------------+        -> train ->
 * consumer
 *
 * Each thing (an item, a piece, a batch) knows since when it has been in
 * flight; so the world knows how long all of them were. */
#ifndef WEFT_TESTS_EVERYTHING_H
#define WEFT_TESTS_EVERYTHING_H
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "tests/runs.h"

struct thing {
    struct weft_io io;
    uint64_t value, born_ns;
    unsigned pieces;
};

/* What differs between tests; set before `everything`. */
struct world {
    uint64_t items;    /* of each source, in an epoch */
    unsigned epochs;   /* at least 1 */
    bool fails;        /* some items fail, some are filtered */
    uint64_t nap_ns;   /* the unit of all times */
    weft_limit *limit; /* that `work` takes of */
    uint64_t budget;   /* bytes; a thing in `fetch` has 1000 */
    enum weft_order order;
    /* the world's own */
    uint64_t next[2];
    unsigned epoch[2];
    _Atomic uint64_t born, gone, lived_ns;
};

static inline uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void birth(struct world *w, struct thing *t)
{
    t->born_ns = now_ns();
    add_relaxed(&w->born, 1);
}

static inline void death(void *item, void *ctx)
{
    struct thing *t = item;
    struct world *w = ctx;
    add_relaxed(&w->gone, 1);
    add_relaxed(&w->lived_ns, now_ns() - t->born_ns);
}

/* For `units` of the world's nap; 0 is none. */
static inline struct weft_io *nap(struct world *w, struct thing *t,
                                  unsigned units)
{
    t->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = w->nap_ns * units };
    return &t->io;
}

static inline int give(struct world *w, int source, struct thing *t)
{
    if (w->next[source] == w->items) {
        if (++w->epoch[source] == w->epochs)
            return WEFT_END;
        w->next[source] = 0;
        return WEFT_EPOCH;
    }
    t->value = w->next[source]++;
    birth(w, t);
    return 0;
}

static inline int give_a(weft_worker *self, void *item, void *w)
{
    return give(w, 0, item);
}

static inline int give_b(weft_worker *self, void *item, void *w)
{
    return give(w, 1, item);
}

static inline int nap_3(weft_worker *self, void *item, struct weft_io **io,
                        void *w)
{
    *io = nap(w, item, 3);
    return 0;
}

static inline int nap_4(weft_worker *self, void *item, struct weft_io **io,
                        void *w)
{
    *io = nap(w, item, 4);
    return 0;
}

/* Every fourth attempt fails the first time. */
static inline int fetched(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    return t->value % 4 == 1 && weft_item_attempt(item) == 1 ? -EAGAIN : 0;
}

static inline uint64_t thousand(const void *item, void *ctx) { return 1000; }

static inline int route(weft_worker *self, void *item, unsigned *path,
                        void *ctx)
{
    *path = ((struct thing *)item)->value % 3 == 0;
    return 0;
}

static inline int block(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    usleep((useconds_t)(w->nap_ns / 500));
    return 0;
}

static inline int spin(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    uint64_t value = ((struct thing *)item)->value;
    for (uint64_t end = now_ns() + w->nap_ns / 4; now_ns() < end;)
        ;
    if (!w->fails)
        return 0;
    return value % 17 == 5 ? -EIO : value % 13 == 7 ? WEFT_FILTER : 0;
}

static inline int split(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct thing *t = item, *p = piece;
    if (t->pieces == 3) {
        t->pieces = 0;
        return WEFT_END;
    }
    p->value = t->value * 3 + t->pieces++;
    birth(ctx, p);
    return 0;
}

/* The batch flows when the last one is in it. */
static inline int collect(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct thing *b = batch;
    b->born_ns = now_ns();
    return 0;
}

static inline int trained(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->born, 1);
    return block(self, item, ctx);
}

static inline struct weft_items things(struct world *w, unsigned slots)
{
    return (struct weft_items){
        .bytes = sizeof(struct thing), .slots = slots, .reset = death, .ctx = w
    };
}

static inline weft_pipeline *part_of(struct world *w, unsigned slots)
{
    return weft_pipeline_create(
        weft_config(pipeline, .items = things(w, slots)));
}

static inline weft_pipeline *input_a(struct world *w)
{
    weft_pipeline *a = part_of(w, 8);
    weft_pipeline *small = weft_pipeline_create(NULL);
    weft_pipeline *large = weft_pipeline_create(NULL);

    weft_stage(small, weft_config(stage, .name = "s", .describe = nap_3,
                                  .kind = WEFT_IO, .ctx = w));
    weft_stage(large, weft_config(stage, .name = "l", .fn = block, .ctx = w,
                                  .kind = WEFT_BLOCKING, .tokens = 2,
                                  .order = WEFT_INPUT));
    const struct weft_path paths[] = { { .name = "small", .stages = small },
                                       { .name = "large", .stages = large } };
    weft_source(a, "a", give_a, w);
    weft_stage(a, weft_config(stage, .name = "fetch", .describe = nap_4,
                              .fn = fetched, .kind = WEFT_IO, .ctx = w,
                              .tokens = 3, .bytes = w->budget ? thousand : NULL,
                              .retry = { .attempts = 3, .first_ms = 2 }));
    weft_router(a,
                weft_config(router, .name = "kind", .fn = route, .paths = paths,
                            .path_count = 2, .join = WEFT_INPUT));
    weft_pipeline_destroy(small);
    weft_pipeline_destroy(large);
    return a;
}

static inline weft_pipeline *input_b(struct world *w)
{
    weft_pipeline *b = part_of(w, 4);

    weft_source(b, "b", give_b, w);
    weft_scatter(b, weft_config(scatter, .name = "split", .fn = split, .ctx = w,
                                .items = things(w, 2)));
    weft_stage(b, weft_config(stage, .name = "piece", .describe = nap_3,
                              .kind = WEFT_IO, .ctx = w, .tokens = 2));
    return b;
}

/* The plan; `w` lives as long as its runs. */
static inline weft_plan *everything(struct world *w)
{
    weft_pipeline *a = input_a(w), *b = input_b(w);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = things(w, 6), .failures = { .policy = WEFT_SKIP },
        .budget_bytes = w->budget));
    const struct weft_path inputs[] = { { .name = "ia", .stages = a },
                                        { .name = "ib", .stages = b } };
    const struct weft_use use = { .limit = w->limit };
    weft_plan *plan = NULL;
    weft_error why;

    weft_merge(p, weft_config(merge, .name = "both", .inputs = inputs,
                              .input_count = 2, .order = w->order));
    weft_stage(p, weft_config(stage, .name = "work", .fn = spin, .ctx = w,
                              .tokens = 2, .order = w->order, .uses = &use,
                              .use_count = w->limit != NULL));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = collect,
                               .count = 4, .items = things(w, 3)));
    weft_stage(p, weft_config(stage, .name = "train", .fn = trained, .ctx = w,
                              .kind = WEFT_PINNED));
    weft_consumer(p, w->order);
    int rc = weft_pipeline_compile(&plan, p, &why);
    cr_assert_eq(rc, 0);
    weft_pipeline_destroy(a);
    weft_pipeline_destroy(b);
    weft_pipeline_destroy(p);
    return plan;
}
#endif
