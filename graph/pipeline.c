/* pipeline.c: drawing a pipeline.
 *
 * The drawing is a list of elements, as they were given: nothing is judged
 * here. layout.c does that, when the whole is known. Parts are shared, and
 * counted: one that is used in two places is drawn once. */
#include <stdlib.h>
#include <string.h>

#include "graph/pdrawing.h"

/* A configuration may come from a caller that knows fewer members. */
#define KNOWN(copy, config)                                                    \
    do {                                                                       \
        if (config)                                                            \
            memcpy(&(copy), config,                                            \
                   (config)->size < sizeof(copy) ? (config)->size              \
                                                 : sizeof(copy));              \
    } while (0)

weft_pipeline *weft_pipeline_create(const struct weft_pipeline_config *config)
{
    weft_pipeline *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->users = 1;
    KNOWN(p->config, config);
    return p;
}

static void free_element(struct element *e)
{
    for (unsigned i = 0; e->parts && i < e->part_count; i++) {
        free(e->parts[i].name);
        weft_pipeline_destroy(e->parts[i].stages);
    }
    free(e->parts);
    free(e->stage.name);
}

void weft_pipeline_destroy(weft_pipeline *p)
{
    if (!p || --p->users)
        return;
    for (unsigned i = 0; i < p->count; i++)
        free_element(&p->elements[i]);
    free(p->elements);
    free(p);
}

static bool contains(const weft_pipeline *whole, const weft_pipeline *part)
{
    if (!whole || whole == part)
        return whole;
    for (unsigned i = 0; i < whole->count; i++)
        for (unsigned k = 0; k < whole->elements[i].part_count; k++)
            if (contains(whole->elements[i].parts[k].stages, part))
                return true;
    return false;
}

/* Copies the parts: false, no memory. A pipeline that is a part of itself would
 * never be freed; compile tells the mistake. Only one that somebody uses, or
 * that is itself the part, may become one. */
static bool add_parts(weft_pipeline *p, struct element *e,
                      const struct weft_path *paths, unsigned count)
{
    e->parts = calloc(count ? count : 1, sizeof *e->parts);
    if (!e->parts)
        return false;
    for (; e->part_count < count; e->part_count++) {
        const struct weft_path none = { 0 };
        const struct weft_path *path = paths ? &paths[e->part_count] : &none;
        struct drawn_part *part = &e->parts[e->part_count];
        if (path->name && !(part->name = strdup(path->name)))
            return false;
        part->slots = path->slots;
        part->weight = path->weight ? path->weight : 1;
        part->itself =
            (p->users > 1 || path->stages == p) && contains(path->stages, p);
        part->stages = part->itself ? NULL : path->stages;
        if (part->stages)
            part->stages->users++;
    }
    return true;
}

static void add(weft_pipeline *p, const char *name, struct element e,
                const struct weft_path *paths, unsigned path_count)
{
    if (!p || p->no_memory)
        return;
    struct element *grown =
        realloc(p->elements, (p->count + 1) * sizeof *grown);
    if (grown)
        p->elements = grown;
    e.stage.name = strdup(name ? name : "");
    p->no_memory =
        !grown || !e.stage.name || !add_parts(p, &e, paths, path_count);
    if (p->no_memory)
        free_element(&e);
    else
        p->elements[p->count++] = e;
}

/* Compile tells it. */
static void keep_odd(struct stage *stage, const char *what, unsigned value,
                     unsigned most)
{
    if (value <= most)
        return;
    stage->odd = what;
    stage->odd_value = value;
}

static void add_source(weft_pipeline *p, const char *name, struct stage stage)
{
    stage.kind = SOURCE;
    add(p, name, (struct element){ .stage = stage }, NULL, 0);
}

void weft_source(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                 void *ctx)
{
    add_source(p, name, (struct stage){ .fn = fn, .ctx = ctx });
}

void weft_source_with(weft_pipeline *p, const struct weft_source_config *config)
{
    struct weft_source_config c = { 0 };

    KNOWN(c, config);
    add_source(p, c.name,
               (struct stage){ .fn = c.fn,
                               .ctx = c.ctx,
                               .where = c.kind,
                               .thread = c.thread,
                               .cancel = c.cancel });
}

void weft_source_array(weft_pipeline *p, const char *name, const void *array,
                       size_t count, size_t stride)
{
    static const char none;

    add_source(p, name,
               (struct stage){ .array = count ? array : &none,
                               .array_count = count,
                               .array_stride = stride });
}

void weft_source_fed(weft_pipeline *p, const char *name)
{
    add_source(p, name, (struct stage){ .fed = true });
}

void weft_stage(weft_pipeline *p, const struct weft_stage_config *config)
{
    struct weft_stage_config c = { 0 };

    KNOWN(c, config);
    struct stage stage = {
        .kind = STAGE,
        .fn = c.fn,
        .describe = c.describe,
        .ctx = c.ctx,
        .tokens = c.tokens,
        .ordered = c.order == WEFT_INPUT,
        .where = c.kind,
        .thread = c.thread,
        .use_count = c.use_count,
        .bytes = c.bytes,
        .retry = c.retry,
        .deadline_ms = c.deadline_ms,
        .cancel = c.cancel,
        .failures = c.failures,
    };
    keep_odd(&stage, "order", c.order, WEFT_INPUT);
    for (unsigned i = 0; c.uses && i < c.use_count && i < WEFT_MOST_USES; i++)
        stage.uses[i] = c.uses[i];
    add(p, c.name, (struct element){ .stage = stage }, NULL, 0);
}

void weft_gather(weft_pipeline *p, const struct weft_gather_config *config)
{
    struct weft_gather_config c = { 0 };

    KNOWN(c, config);
    struct stage stage = { .kind = GATHER,
                           .gather = c.fn,
                           .ctx = c.ctx,
                           .count = c.count,
                           .ordered = c.order == WEFT_INPUT,
                           .drop_rest = c.rest == WEFT_DROP };
    keep_odd(&stage, "order", c.order, WEFT_INPUT);
    keep_odd(&stage, "rest", c.rest, WEFT_DROP);
    add(p, c.name, (struct element){ .stage = stage, .items = c.items }, NULL,
        0);
}

void weft_scatter(weft_pipeline *p, const struct weft_scatter_config *config)
{
    struct weft_scatter_config c = { 0 };

    KNOWN(c, config);
    struct stage stage = { .kind = SCATTER,
                           .scatter = c.fn,
                           .ctx = c.ctx,
                           .ordered = c.order == WEFT_INPUT };
    keep_odd(&stage, "order", c.order, WEFT_INPUT);
    add(p, c.name, (struct element){ .stage = stage, .items = c.items }, NULL,
        0);
}

void weft_router(weft_pipeline *p, const struct weft_router_config *config)
{
    struct weft_router_config c = { 0 };

    KNOWN(c, config);
    struct stage stage = {
        .kind = ROUTER, .route = c.fn, .ctx = c.ctx, .tokens = c.tokens
    };
    keep_odd(&stage, "join", c.join, WEFT_INPUT);
    add(p, c.name,
        (struct element){ .stage = stage,
                          .joins_ordered = c.join == WEFT_INPUT },
        c.paths, c.path_count);
}

void weft_merge(weft_pipeline *p, const struct weft_merge_config *config)
{
    struct weft_merge_config c = { 0 };

    KNOWN(c, config);
    struct stage stage = { .kind = MERGE,
                           .in_turns = c.turn != WEFT_ARRIVAL,
                           .ordered = c.order == WEFT_INPUT };
    keep_odd(&stage, "turn", c.turn, WEFT_WEIGHTED);
    keep_odd(&stage, "order", c.order, WEFT_INPUT);
    struct element e = { .stage = stage };
    add(p, c.name, e, c.inputs, c.input_count);
    if (!p || p->no_memory || c.turn == WEFT_WEIGHTED)
        return;
    struct element *added = &p->elements[p->count - 1];
    for (unsigned i = 0; i < added->part_count; i++)
        added->parts[i].weight = 1;
}

void weft_embed(weft_pipeline *p, const char *name, weft_pipeline *stages)
{
    struct weft_path part = { .name = name, .stages = stages };

    add(p, name, (struct element){ .embeds = true }, &part, 1);
}

void weft_consumer(weft_pipeline *p, enum weft_order order)
{
    struct stage stage = { .kind = CONSUMER, .ordered = order == WEFT_INPUT };

    keep_odd(&stage, "order", order, WEFT_INPUT);
    add(p, "consumer", (struct element){ .stage = stage }, NULL, 0);
}
