/* pipeline.c: drawing a pipeline, and compiling it.
 *
 * The drawing is the list of its stages, checked as they come; the first
 * mistake is kept for the compiler to report. Compiling cuts the list into
 * segments, one after each gather, and copies it: the plan shares nothing with
 * the drawing. */
#include "graph/pipeline.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_SLOTS = 64, MOST_SLOTS = 1 << 24 };

struct weft_pipeline {
    struct weft_pipeline_config config;
    struct stage *stages;
    unsigned stage_count;
    struct weft_items *segments; /* one more than there are gathers */
    unsigned segment_count;
    int error; /* of the first mistake */
    weft_error mistake;
};

/* Only the first is kept. */
#define mistake(p, code, ...)                                                  \
    do {                                                                       \
        if (!(p)->error)                                                       \
            (p)->error = wf_error(&(p)->mistake, code, __VA_ARGS__);           \
    } while (0)

static const struct stage *last(const weft_pipeline *p)
{
    return p->stage_count ? &p->stages[p->stage_count - 1] : NULL;
}

static void add_segment(weft_pipeline *p, const struct weft_items *items,
                        const char *owner)
{
    struct weft_items *grown =
        realloc(p->segments, (p->segment_count + 1) * sizeof *grown);

    if (!grown) {
        mistake(p, -ENOMEM, "no memory to draw the pipeline");
        return;
    }
    p->segments = grown;
    grown[p->segment_count] = *items;
    if (!items->slots)
        grown[p->segment_count].slots = DEFAULT_SLOTS;
    p->segment_count++;
    if (items->slots > MOST_SLOTS)
        mistake(p, -EINVAL, "%s has %u slots: at most %d are possible", owner,
                items->slots, MOST_SLOTS);
}

weft_pipeline *weft_pipeline_create(const struct weft_pipeline_config *config)
{
    weft_pipeline *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    if (config)
        memcpy(&p->config, config,
               config->size < sizeof p->config ? config->size
                                               : sizeof p->config);
    add_segment(p, &p->config.items, "the pipeline");
    return p;
}

void weft_pipeline_destroy(weft_pipeline *p)
{
    if (!p)
        return;
    for (unsigned i = 0; i < p->stage_count; i++)
        free(p->stages[i].name);
    free(p->stages);
    free(p->segments);
    free(p);
}

static void check_place(weft_pipeline *p, const struct stage *stage)
{
    const struct stage *before = last(p);

    if (stage->kind == SOURCE && before)
        mistake(p, -EINVAL, "source '%s' comes after '%s': it must be first",
                stage->name, before->name);
    else if (stage->kind != SOURCE && !before)
        mistake(p, -EINVAL, "'%s' has no source before it", stage->name);
    else if (before && before->kind == CONSUMER)
        mistake(p, -EINVAL, "'%s' comes after the consumer, which is the end",
                stage->name);
    for (unsigned i = 0; i < p->stage_count; i++)
        if (!strcmp(p->stages[i].name, stage->name))
            mistake(p, -EINVAL, "two stages are called '%s'", stage->name);
    if (stage->kind == GATHER ? !stage->gather
                              : stage->kind != CONSUMER && !stage->fn)
        mistake(p, -EINVAL, "'%s' has no function", stage->name);
}

static void add(weft_pipeline *p, const char *name, struct stage stage)
{
    if (!p || p->error)
        return;
    struct stage *grown =
        realloc(p->stages, (p->stage_count + 1) * sizeof *grown);
    if (grown)
        p->stages = grown;
    stage.name = strdup(name ? name : "");
    stage.segment = p->segment_count - 1;
    if (!grown || !stage.name)
        mistake(p, -ENOMEM, "no memory to draw stage '%s'", name ? name : "");
    else if (!*stage.name)
        mistake(p, -EINVAL, "stage %u has no name", p->stage_count);
    else
        check_place(p, &stage);
    if (p->error)
        free(stage.name);
    else
        p->stages[p->stage_count++] = stage;
}

void weft_source(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                 void *ctx)
{
    add(p, name, (struct stage){ .kind = SOURCE, .fn = fn, .ctx = ctx });
}

void weft_stage(weft_pipeline *p, const struct weft_stage_config *config)
{
    struct weft_stage_config c = { 0 };

    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    add(p, c.name,
        (struct stage){ .kind = STAGE,
                        .fn = c.fn,
                        .ctx = c.ctx,
                        .tokens = c.tokens,
                        .ordered = c.order == WEFT_INPUT });
}

void weft_gather(weft_pipeline *p, const struct weft_gather_config *config)
{
    struct weft_gather_config c = { 0 };

    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    add(p, c.name,
        (struct stage){ .kind = GATHER,
                        .gather = c.fn,
                        .ctx = c.ctx,
                        .tokens = 1,
                        .count = c.count,
                        .ordered = c.order == WEFT_INPUT,
                        .drop_rest = c.rest == WEFT_DROP });
    if (p && !p->error)
        add_segment(p, &c.items, c.name);
}

void weft_consumer(weft_pipeline *p, enum weft_order order)
{
    add(p, "consumer",
        (struct stage){ .kind = CONSUMER, .ordered = order == WEFT_INPUT });
}

static int copy(struct pipeline_plan *plan, const weft_pipeline *p)
{
    plan->config = p->config;
    plan->stages = calloc(p->stage_count, sizeof *plan->stages);
    plan->segments = calloc(p->segment_count, sizeof *plan->segments);
    if (!plan->stages || !plan->segments)
        return -ENOMEM;
    memcpy(plan->segments, p->segments,
           p->segment_count * sizeof *plan->segments);
    plan->segment_count = p->segment_count;
    for (; plan->stage_count < p->stage_count; plan->stage_count++) {
        struct stage *stage = &plan->stages[plan->stage_count];
        *stage = p->stages[plan->stage_count];
        stage->name = strdup(stage->name);
        if (!stage->name)
            return -ENOMEM;
    }
    return 0;
}

int weft_pipeline_compile(weft_plan **out, const weft_pipeline *p,
                          weft_error *why)
{
    if (!p)
        return wf_error(why, -ENOMEM, "no memory to draw the pipeline");
    if (p->error)
        return wf_error(why, p->error, "%s", p->mistake.text);
    if (!p->stage_count)
        return wf_error(why, -EINVAL, "the pipeline has no source");
    if (last(p)->kind == GATHER)
        return wf_error(why, -EINVAL, "nothing takes the batches of '%s'",
                        last(p)->name);

    struct pipeline_plan *plan = calloc(1, sizeof *plan);
    if (!plan || copy(plan, p)) {
        if (plan)
            wf_pipeline_kind.destroy_plan(&plan->plan);
        return wf_error(why, -ENOMEM, "no memory for the plan");
    }
    plan->plan.kind = &wf_pipeline_kind;
    *out = &plan->plan;
    return 0;
}
