/* test_shapes.c: R16, no shape of a pipeline deadlocks, by running all of them.
 *
 * A shape is a row of elements, fed by a source or by a merge of two:
 *
 *     0 .. 5     a stage with 1, 2 or 3 tokens, any order or input order
 *     6 .. 8     a gather of 1, 2 or 3
 *     9 .. 12    a scatter into 0, 1, 2 or 3 pieces
 *     13, 14     a router of two paths with a stage each, that joins in any
 *                order or in input order
 *
 * and is written as a number whose digits these are. Every second element ends
 * pending, and one of the paths. The consumer wants the input order and looks
 * ahead: it holds what it can while it waits for the next item. How many items
 * come out follows from the digits. */
#include <stdlib.h>

#include "tests/pipes.h"

enum { KINDS = 15, MOST = 4, ITEMS = 5, PATIENCE_MS = 60000 };

struct shape {
    unsigned elements, digits, slots;
    bool merged;
};

/* What flows: how many pieces were made of it. */
struct item {
    unsigned made;
};

static unsigned digit(const struct shape *s, unsigned element)
{
    unsigned digits = s->digits;

    for (; element; element--)
        digits /= KINDS;
    return digits % KINDS;
}

/* ---- elements ---------------------------------------------------------- */

struct source {
    unsigned next, end;
};

static int fill(weft_worker *self, void *item, void *ctx)
{
    struct source *s = ctx;

    if (s->next == s->end)
        return WEFT_END;
    s->next++;
    *(struct item *)item = (struct item){ 0 };
    return 0;
}

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    *(struct item *)batch = (struct item){ 0 };
    return 0;
}

static const unsigned counts[] = { 0, 1, 2, 3 };

static int cut(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct item *from = item;

    if (from->made == *(const unsigned *)ctx)
        return WEFT_END;
    from->made++;
    *(struct item *)piece = (struct item){ 0 };
    return 0;
}

static int by_number(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    *path = weft_item_number(item) % 2;
    return 0;
}

static weft_pipeline *part(unsigned slots)
{
    return weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct item), .slots = slots }));
}

static void draw_router(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                        enum weft_order join)
{
    struct weft_path paths[2] = { { .name = "a" }, { .name = "b" } };
    weft_stage_fn *const fns[] = { fn, fn == pend ? pass : pend };

    for (int i = 0; i < 2; i++) {
        paths[i].stages = weft_pipeline_create(NULL);
        weft_stage(paths[i].stages,
                   weft_config(stage, .name = name, .fn = fns[i], .tokens = 1));
    }
    weft_router(p, weft_config(router, .name = name, .fn = by_number,
                               .paths = paths, .path_count = 2, .join = join));
    for (int i = 0; i < 2; i++)
        weft_pipeline_destroy(paths[i].stages);
}

static const char *const names[MOST] = { "1", "2", "3", "4" };

static void draw_element(weft_pipeline *p, const struct shape *s, unsigned i)
{
    struct weft_items items = { .bytes = sizeof(struct item),
                                .slots = s->slots };
    unsigned d = digit(s, i);
    weft_stage_fn *fn = i % 2 ? pend : pass;

    if (d < 6)
        weft_stage(p, weft_config(stage, .name = names[i], .fn = fn,
                                  .tokens = d % 3 + 1,
                                  .order = d / 3 ? WEFT_INPUT : WEFT_ANY));
    else if (d < 9)
        weft_gather(p, weft_config(gather, .name = names[i], .fn = add,
                                   .count = d - 5, .items = items));
    else if (d < 13)
        weft_scatter(p, weft_config(scatter, .name = names[i], .fn = cut,
                                    .ctx = (void *)(uintptr_t)&counts[d - 9],
                                    .items = items));
    else
        draw_router(p, names[i], fn, d == 13 ? WEFT_ANY : WEFT_INPUT);
}

static weft_pipeline *draw(const struct shape *s, struct source *sources)
{
    weft_pipeline *p = part(s->slots);
    struct weft_path inputs[2] = { { .name = "x" }, { .name = "y" } };

    if (!s->merged) {
        weft_source(p, "source", fill, &sources[0]);
    } else {
        for (int i = 0; i < 2; i++) {
            inputs[i].stages = part(s->slots);
            weft_source(inputs[i].stages, "source", fill, &sources[i]);
        }
        weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                                  .input_count = 2));
        for (int i = 0; i < 2; i++)
            weft_pipeline_destroy(inputs[i].stages);
    }
    for (unsigned i = 0; i < s->elements; i++)
        draw_element(p, s, i);
    weft_consumer(p, WEFT_INPUT);
    return p;
}

/* ---- what must come of it ---------------------------------------------- */

static uint64_t items_out(const struct shape *s)
{
    uint64_t items = ITEMS;

    for (unsigned i = 0; i < s->elements; i++) {
        unsigned d = digit(s, i);
        if (d >= 6 && d < 9)
            items = (items + d - 6) / (d - 5);
        if (d >= 9 && d < 13)
            items *= d - 9;
    }
    return items;
}

/* An ordered stage with more tokens than slots does not compile; the first. */
static bool is_refused(const struct shape *s, char *sentence, size_t bytes)
{
    for (unsigned i = 0; i < s->elements; i++) {
        unsigned d = digit(s, i), tokens = d % 3 + 1;
        if (d < 3 || d >= 6 || tokens <= s->slots)
            continue;
        snprintf(sentence, bytes,
                 "ordered stage '%s' has %u tokens, but only %u items are in "
                 "flight: give the pipeline as many slots",
                 names[i], tokens, s->slots);
        return true;
    }
    return false;
}

/* ---- running ----------------------------------------------------------- */

static bool fails(const struct shape *s, const char *what, uint64_t at)
{
    printf("shape %u of %u elements, %u slots, %s: %s at item %lu\n", s->digits,
           s->elements, s->slots, s->merged ? "merged" : "one source", what,
           (unsigned long)at);
    fflush(stdout);
    return false;
}

/* Takes all items, and holds as many as it may without being in its own way. */
static bool consume(const struct shape *s, struct weft_run *run)
{
    uint64_t expected = items_out(s);
    void *before = NULL, *item;

    for (uint64_t i = 0; i <= expected; i++) {
        if (before && s->slots == 1) {
            int rc = weft_next(run, &item, 0, NULL);
            if (rc != -ETIMEDOUT && (rc || i < expected))
                return fails(s, "an item without a slot", i);
            weft_release(before);
            before = NULL;
        }
        int rc = weft_next(run, &item, PATIENCE_MS, NULL);
        if (rc != (i < expected))
            return fails(s, rc == -ETIMEDOUT ? "no progress" : "surprise", i);
        if (before)
            weft_release(before);
        before = item;
        if (rc && weft_item_number(item) != i)
            return fails(s, "another item", i);
    }
    return true;
}

static void run_on(const struct shape *s, weft_sched *sched,
                   const weft_plan *plan, struct source *sources)
{
    struct weft_flow f;
    unsigned last = 0;
    struct weft_run *run = NULL;

    sources[0] = (struct source){ .end = s->merged ? 3 : ITEMS };
    sources[1] = (struct source){ .end = ITEMS - 3 };
    run = started(sched, plan);
    cr_assert(consume(s, run));
    cr_assert_eq(weft_wait(run, PATIENCE_MS, NULL), 0);
    balanced(run);
    for (; !weft_run_flow(run, last, &f); last++)
        cr_assert_eq(f.delivered, f.fed);
    cr_assert_eq(flow_of(run, last - 1).delivered, items_out(s));
    weft_run_destroy(run);
}

struct tally {
    weft_sched *sched[2]; /* of one and of two workers */
    unsigned runs, refused;
};

static void try_shape(struct tally *t, const struct shape *s)
{
    struct source sources[2];
    char sentence[256];
    weft_pipeline *p = draw(s, sources);

    if (is_refused(s, sentence, sizeof sentence)) {
        mistake(p, sentence);
        t->refused++;
        return;
    }
    weft_plan *plan = pipeline_plan(p);
    for (int i = 0; i < 2; i++, t->runs++)
        run_on(s, t->sched[i], plan, sources);
    weft_plan_destroy(plan);
}

/* Every how many of the shapes of so many elements. The steps have no common
 * factor with the number of kinds, so all kinds occur in all places. */
static unsigned step(unsigned elements)
{
    static const unsigned steps[][MOST + 1] = { { 1, 1, 1, 1, 37 },
                                                { 1, 1, 1, 7, 211 } };
    return is_long() ? 1 : steps[TIMES(0, 1)][elements];
}

Test(shapes, R16_no_shape_up_to_four_elements_deadlocks, .timeout = 7200)
{
    struct tally t = { .sched = { workers(1), workers(2) } };
    unsigned count = 1;

    for (unsigned elements = 0; elements <= MOST; elements++, count *= KINDS)
        for (unsigned i = 0; i < count; i += step(elements))
            for (unsigned slots = 1; slots <= 2; slots++)
                for (int merged = 0; merged < 2; merged++)
                    try_shape(&t,
                              &(struct shape){ elements, i, slots, merged });
    printf("%u runs of pipelines; %u pipelines were refused\n", t.runs,
           t.refused);
    weft_sched_destroy(t.sched[0]);
    weft_sched_destroy(t.sched[1]);
}
