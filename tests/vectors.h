/* vectors.h: what the tests of pipelines' semantics share: numbers go in, and
 * what comes out is compared with a list.
 *
 *     struct range r = { .end = 10 };
 *     weft_pipeline *p = draw(&r, WEFT_SKIP);
 *     add(p, "odd", drop_even, WEFT_ANY);
 *     GIVES(taken_from(p, WEFT_INPUT), 1, 3, 5, 7, 9);
 */
#ifndef WEFT_TESTS_VECTORS_H
#define WEFT_TESTS_VECTORS_H
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/runs.h"

enum { MOST_OF = 8, MOST_TAKEN = 1100 };

/* In a list of what came: a batch ends here, an epoch ends here. */
enum { BREAK = 1000000, EPOCH };

/* A number, or a batch of `count`. */
struct vec {
    uint64_t value;
    unsigned count;
    uint64_t of[MOST_OF];
};

static inline uint64_t *value_of(void *item)
{
    return &((struct vec *)item)->value;
}

/* A source: from `next` to `end`, then `error` or the end of the input. With
 * `epochs`, that often, a hundred apart. */
struct range {
    uint64_t next, end;
    int error;
    unsigned epochs, epoch;
};

static inline int count_up(weft_worker *self, void *item, void *ctx)
{
    struct range *r = ctx;
    if (r->epochs && r->epoch == r->epochs)
        return WEFT_END;
    if (r->next < r->end) {
        *(struct vec *)item = (struct vec){ r->next++ + r->epoch * 100 };
        return 0;
    }
    if (r->error || !r->epochs)
        return r->error ? r->error : WEFT_END;
    r->epoch++;
    r->next = 0;
    return WEFT_EPOCH;
}

static inline weft_pipeline *
draw_with(struct range *r, struct weft_failures failures, unsigned slots)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct vec), .slots = slots },
        .failures = failures));
    if (r)
        weft_source(p, "count", count_up, r);
    return p;
}

static inline weft_pipeline *draw(struct range *r, enum weft_policy policy)
{
    return draw_with(r, (struct weft_failures){ .policy = policy }, 0);
}

static inline void add(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                       enum weft_order order)
{
    weft_stage(p, weft_config(stage, .name = name, .fn = fn, .order = order));
}

static inline int gather_number(weft_worker *self, void *batch, void *item,
                                void *ctx)
{
    struct vec *b = batch;
    b->of[b->count++] = *value_of(item);
    return 0;
}

static inline void clear_batch(void *batch, void *ctx)
{
    memset(batch, 0, sizeof(struct vec));
}

static inline void batch_by(weft_pipeline *p, unsigned count, bool drop)
{
    weft_gather(p, weft_config(gather, .name = "batch", .fn = gather_number,
                               .count = count, .order = WEFT_INPUT,
                               .rest = drop ? WEFT_DROP : WEFT_FLUSH,
                               .items = { .bytes = sizeof(struct vec),
                                          .reset = clear_batch }));
}

/* What came out, and how it ended. */
struct taken {
    uint64_t values[MOST_TAKEN];
    unsigned count;
    int error;  /* that the consumer was told, or 0 */
    int result; /* of the run */
    weft_error why;
    struct weft_flow flow; /* of the first segment */
};

static inline void note(struct taken *t, uint64_t value)
{
    cr_assert(t->count < MOST_TAKEN);
    t->values[t->count++] = value;
}

static inline void note_item(struct taken *t, const struct vec *v)
{
    for (unsigned i = 0; i < v->count; i++)
        note(t, v->of[i]);
    note(t, v->count ? BREAK : v->value);
}

/* Takes at most so many items. What weft_next said then, if it was no item. */
static inline int take(struct weft_run *run, struct taken *t, unsigned most)
{
    void *item;
    int rc = 1;

    while (most && (rc = weft_next(run, &item, -1, &t->why)) != 0) {
        if (rc == WEFT_EPOCH) {
            note(t, EPOCH);
            continue;
        }
        if (rc != 1)
            break;
        note_item(t, item);
        weft_release(item);
        most--;
    }
    return rc;
}

/* Takes all there is. An error is told once; the end is for ever. */
static inline struct taken take_rest(struct weft_run *run)
{
    struct taken t = { .count = 0 };
    void *item;

    t.error = take(run, &t, UINT32_MAX);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
    t.result = weft_wait(run, -1, &t.why);
    cr_assert_eq(weft_run_flow(run, 0, &t.flow), 0);
    cr_assert_eq(t.flow.fed, t.flow.delivered + t.flow.filtered +
                                 t.flow.failed + t.flow.cancelled);
    return t;
}

static inline struct taken taken_on(unsigned worker_count, weft_pipeline *p,
                                    enum weft_order order)
{
    weft_sched *sched = workers(worker_count);
    struct weft_run *run;

    weft_consumer(p, order);
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    struct taken t = take_rest(run);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return t;
}

static inline struct taken taken_from(weft_pipeline *p, enum weft_order order)
{
    return taken_on(3, p, order);
}

static inline bool is_list(const struct taken *t, const uint64_t *list,
                           size_t count)
{
    if (t->count == count && !memcmp(t->values, list, count * sizeof list[0]))
        return true;
    for (unsigned i = 0; i < t->count; i++)
        fprintf(stderr, "%s%" PRIu64, i ? ", " : "came: ", t->values[i]);
    fprintf(stderr, "\n%s\n", t->why.text);
    return false;
}

static inline int compare_values(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static inline struct taken sorted(struct taken t)
{
    qsort(t.values, t.count, sizeof t.values[0], compare_values);
    return t;
}

/* All went well, and this came out. */
#define GIVES(TAKEN, ...)                                                      \
    do {                                                                       \
        struct taken got_ = (TAKEN);                                           \
        LISTS(got_, __VA_ARGS__);                                              \
        cr_assert_eq(got_.error, 0);                                           \
        cr_assert_eq(got_.result, 0);                                          \
    } while (0)

/* However it ended. */
#define LISTS(TAKEN, ...)                                                      \
    do {                                                                       \
        const uint64_t want_[] = { __VA_ARGS__ };                              \
        cr_assert(is_list(&(TAKEN), want_, sizeof want_ / sizeof want_[0]));   \
    } while (0)

static inline void gives_nothing(struct taken t)
{
    cr_assert_eq(t.count, 0);
    cr_assert_eq(t.error, 0);
    cr_assert_eq(t.result, 0);
}

/* The run failed with this sentence, and the consumer was told so. */
static inline void ends_with(const struct taken *t, int error,
                             const char *sentence)
{
    if (strcmp(t->why.text, sentence) != 0)
        fprintf(stderr, "%s\n", t->why.text);
    cr_assert_eq(t->error, error);
    cr_assert_eq(t->result, error);
    cr_assert_eq(strcmp(t->why.text, sentence), 0);
}

/* What must not compile; the sentence is as expected. */
static inline void is_refused(weft_pipeline *p, const char *sentence)
{
    weft_plan *plan = NULL;
    weft_error why = { "" };
    int rc = weft_pipeline_compile(&plan, p, &why);

    if (strcmp(why.text, sentence) != 0)
        fprintf(stderr, "%s\n", why.text);
    cr_assert_eq(rc, -EINVAL);
    cr_assert_eq(strcmp(why.text, sentence), 0);
    weft_pipeline_destroy(p);
}

/* ---- stages ------------------------------------------------------------ */

static inline int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static inline int twice(weft_worker *self, void *item, void *ctx)
{
    *value_of(item) *= 2;
    return 0;
}

static inline int one_more(weft_worker *self, void *item, void *ctx)
{
    *value_of(item) += 1;
    return 0;
}

static inline int odd_fails(weft_worker *self, void *item, void *ctx)
{
    return *value_of(item) % 2 ? -EINVAL : 0;
}
#endif
