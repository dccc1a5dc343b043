/* layout.c: compiling a pipeline: from the tree of its parts to flat arrays.
 *
 * The elements are laid one after the other, parts inside of the element that
 * has them; each stage knows the number of the one that follows it. A router
 * becomes three: the stage that chooses, and around its paths a fork, where
 * items are let in, and a join, where they are together again. Inputs of a
 * merge come before it.
 *
 *     drawn       source   router { left: a b, right: c }   gather   d
 *     number      0        1 choose, 2 fork, 3 a, 4 b, 5 c, 6 join   7   8
 *     next        1        2        3|5      4  6    6    7        8   -
 *     segment     0                                                0   1
 *
 * Here it is also found out what does not fit together. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/check.h"

enum { DEFAULT_SLOTS = 64, MOST_PARTS = 16, MOST_NAME = 256 };

struct layout {
    struct pipeline_plan *plan;
    weft_error *why;
    unsigned room, segment_room;
};

/* Where the next stage is put. */
struct place_in_layout {
    const char *prefix; /* of names, or "" */
    const char *path;   /* of a router that it is in, or NULL */
    unsigned room;      /* in that path: items */
    unsigned last;      /* the stage before, or NOWHERE */
    unsigned lane;      /* of that, where it is a fork: the path's */
    unsigned segment;   /* or NOWHERE: no source yet */
    unsigned depth;     /* in routers */
    unsigned nested;    /* in parts */
    const struct weft_items *items; /* of the part, or of what has it */
};

static int lay(struct layout *l, const weft_pipeline *p,
               struct place_in_layout *at);

static struct stage *stage_at(struct layout *l, unsigned i)
{
    return &l->plan->stages[i];
}

static int no_memory(struct layout *l)
{
    return wf_error(l->why, -ENOMEM, "no memory for the plan");
}

/* ---- adding ------------------------------------------------------------ */

static int add_segment(struct layout *l, struct place_in_layout *at,
                       const struct weft_items *items, unsigned feeder)
{
    struct pipeline_plan *plan = l->plan;
    struct segment_plan *grown =
        realloc(plan->segments, (plan->segment_count + 1) * sizeof *grown);

    if (!grown)
        return no_memory(l);
    plan->segments = grown;
    struct segment_plan *s = &grown[plan->segment_count];
    *s = (struct segment_plan){
        .items = *items, .feeder = feeder, .end = NOWHERE, .into = NOWHERE
    };
    if (!s->items.slots)
        s->items.slots = DEFAULT_SLOTS;
    if (at->segment != NOWHERE) {
        grown[at->segment].end = feeder;
        grown[at->segment].into = plan->segment_count;
    }
    at->segment = plan->segment_count++;
    return wf_check_items(items, stage_at(l, feeder)->name,
                          plan->config.budget_bytes, l->why);
}

/* The stage behind `last` is this one. */
static void link_to(struct layout *l, unsigned last, unsigned lane,
                    unsigned stage)
{
    if (last == NOWHERE)
        return;
    if (stage_at(l, last)->kind == FORK)
        stage_at(l, last)->lanes[lane].first = stage;
    else
        stage_at(l, last)->next = stage;
}

static char *full_name(const char *prefix, const char *name)
{
    char *full = malloc(strlen(prefix) + strlen(name) + 2);

    if (full)
        sprintf(full, "%s%s%s", prefix, *prefix ? "." : "", name);
    return full;
}

static int check_name(struct layout *l, const char *drawn, const char *name)
{
    const struct pipeline_plan *plan = l->plan;

    if (!*drawn)
        return wf_error(l->why, -EINVAL, "stage %u has no name",
                        plan->stage_count);
    for (unsigned i = 0; i < plan->stage_count; i++)
        if (!strcmp(plan->stages[i].name, name))
            return wf_error(l->why, -EINVAL, "two stages are called '%s'",
                            name);
    return 0;
}

static int add_stage(struct layout *l, struct place_in_layout *at,
                     const struct stage *drawn)
{
    struct pipeline_plan *plan = l->plan;
    unsigned number = plan->stage_count;
    struct stage *grown = realloc(plan->stages, (number + 1) * sizeof *grown);
    char *name = full_name(at->prefix, drawn->name);

    if (grown)
        plan->stages = grown;
    if (!grown || !name) {
        free(name);
        free(drawn->lanes); /* they would be the stage's */
        return no_memory(l);
    }
    int rc = check_name(l, drawn->name, name);
    struct stage *stage = &grown[number];
    *stage = *drawn;
    stage->name = name;
    stage->next = stage->join = NOWHERE;
    stage->segment = at->segment;
    stage->depth = at->depth;
    plan->stage_count++;
    link_to(l, at->last, at->lane, number);
    at->last = number;
    plan->claims |= stage->use_count > 0;
    return rc;
}

/* ---- checks of the whole ----------------------------------------------- */

static int check_place(struct layout *l, const struct place_in_layout *at,
                       const struct stage *drawn)
{
    const char *name = drawn->name;
    bool begins = drawn->kind == SOURCE || drawn->kind == MERGE;
    bool changes = drawn->kind == GATHER || drawn->kind == SCATTER;
    const char *what = drawn->kind == MERGE ? "merge" : "source";

    if (at->path && (begins || changes || drawn->kind == CONSUMER))
        return wf_error(l->why, -EINVAL,
                        "'%s' cannot be in path '%s': paths are made of stages "
                        "and routers",
                        name, at->path);
    if (begins && at->last != NOWHERE)
        return wf_error(l->why, -EINVAL,
                        "%s '%s' comes after '%s': it must be first", what,
                        name, stage_at(l, at->last)->name);
    if (!begins && at->last == NOWHERE)
        return wf_error(l->why, -EINVAL, "'%s' has no source before it", name);
    if (!begins && stage_at(l, at->last)->kind == CONSUMER)
        return wf_error(l->why, -EINVAL,
                        "'%s' comes after the consumer, which is the end",
                        name);
    if (drawn->kind == CONSUMER && at->nested)
        return wf_error(l->why, -EINVAL,
                        "the consumer is in part '%s': only the whole can have "
                        "one",
                        at->prefix);
    return 0;
}

static int check_end(struct layout *l, const struct place_in_layout *at)
{
    const struct stage *last =
        at->last == NOWHERE ? NULL : stage_at(l, at->last);

    if (!last)
        return wf_error(l->why, -EINVAL, "the pipeline has no source");
    if (last->kind == GATHER || last->kind == SCATTER)
        return wf_error(l->why, -EINVAL, "nothing takes the %s of '%s'",
                        last->kind == GATHER ? "batches" : "pieces",
                        last->name);
    return 0;
}

/* ---- elements ---------------------------------------------------------- */

static int lay_part(struct layout *l, const struct drawn_part *part,
                    struct place_in_layout *at, const struct stage *owner)
{
    char prefix[MOST_NAME];

    if (part->itself)
        return wf_error(l->why, -EINVAL, "'%s' is a part of itself",
                        owner->name);
    if (!part->stages)
        return wf_error(l->why, -EINVAL, "part '%s' of '%s' has no stages",
                        part->name ? part->name : "", owner->name);
    if (++at->nested > MOST_PARTS)
        return wf_error(l->why, -EINVAL,
                        "parts are nested deeper than %d in '%s'", MOST_PARTS,
                        owner->name);
    int length = part->name
                     ? snprintf(prefix, sizeof prefix, "%s%s%s", at->prefix,
                                *at->prefix ? "." : "", part->name)
                     : snprintf(prefix, sizeof prefix, "%s", at->prefix);
    if (length >= MOST_NAME)
        return wf_error(l->why, -EINVAL, "the name '%.40s...' is too long",
                        prefix);
    const char *before = at->prefix;
    at->prefix = prefix;
    int rc = lay(l, part->stages, at);
    at->prefix = before;
    at->nested--;
    return rc;
}

/* Keeps the name of a path or an input, if it has one. */
static int name_lane(struct layout *l, struct lane *lane,
                     const struct drawn_part *part)
{
    if (part->name && !(lane->name = strdup(part->name)))
        return no_memory(l);
    return 0;
}

static int lay_paths(struct layout *l, const struct element *e,
                     struct place_in_layout *at, unsigned fork, unsigned *ends)
{
    unsigned slots = l->plan->segments[at->segment].items.slots;
    int rc = 0;

    for (unsigned i = 0; !rc && i < e->part_count; i++) {
        struct place_in_layout in = *at;
        struct lane *lane = &stage_at(l, fork)->lanes[i];
        unsigned share = slots / e->part_count;
        lane->slots = e->parts[i].slots ? e->parts[i].slots : share ? share : 1;
        in.last = fork;
        in.lane = i;
        in.depth++;
        in.path = e->parts[i].name ? e->parts[i].name : e->stage.name;
        if (!at->path || lane->slots < at->room)
            in.room = lane->slots;
        rc = name_lane(l, lane, &e->parts[i]);
        if (!rc)
            rc = lay_part(l, &e->parts[i], &in, &e->stage);
        ends[i] = in.last;
    }
    return rc;
}

static int bad_router(struct layout *l, const char *name, unsigned paths)
{
    if (!paths)
        return wf_error(l->why, -EINVAL, "router '%s' has no paths", name);
    return wf_error(l->why, -EINVAL,
                    "router '%s' is inside of %d others: that is as deep as "
                    "they may be",
                    name, MOST_DEPTH);
}

static int lay_router(struct layout *l, const struct element *e,
                      struct place_in_layout *at)
{
    char name[MOST_NAME];
    struct stage stage = { .kind = FORK,
                           .name = name,
                           .lane_count = e->part_count };
    unsigned *ends = calloc(e->part_count + 1, sizeof *ends);

    if (!e->part_count || at->depth == MOST_DEPTH) {
        free(ends);
        return bad_router(l, stage_at(l, at->last)->name, e->part_count);
    }
    stage_at(l, at->last)->lane_count = e->part_count; /* to check its choice */
    stage.lanes = calloc(e->part_count, sizeof *stage.lanes);
    snprintf(name, sizeof name, "%s paths", e->stage.name);
    if (!ends || !stage.lanes) {
        free(ends);
        free(stage.lanes);
        return no_memory(l);
    }
    int rc = add_stage(l, at, &stage);
    unsigned fork = at->last;
    if (!rc)
        rc = lay_paths(l, e, at, fork, ends);
    unsigned join = l->plan->stage_count;
    for (unsigned i = fork + 1; i < join; i++)
        stage_at(l, fork)->ordered |=
            stage_at(l, i)->ordered || stage_at(l, i)->bytes;
    at->last = NOWHERE;
    snprintf(name, sizeof name, "%s join", e->stage.name);
    stage = (struct stage){ .kind = JOIN,
                            .name = name,
                            .ordered = e->joins_ordered };
    if (!rc)
        rc = add_stage(l, at, &stage);
    for (unsigned i = 0; !rc && i < e->part_count; i++)
        link_to(l, ends[i], i, join);
    if (!rc) {
        stage_at(l, fork)->join = join;
        stage_at(l, join)->join = fork;
    }
    free(ends);
    return rc;
}

/* A router joins in order just before: then what follows takes the items in
 * that order, whatever it asks for itself. Else two of them that leave the join
 * one after the other would race for it. */
static bool comes_in_order(struct layout *l, unsigned last)
{
    return last != NOWHERE && stage_at(l, last)->kind == JOIN &&
           stage_at(l, last)->ordered;
}

/* The last segment of an input leads to the merge, which comes after it. */
static int lay_inputs(struct layout *l, const struct element *e,
                      struct place_in_layout *at, unsigned *segments,
                      unsigned *ends)
{
    int rc = 0;

    for (unsigned i = 0; !rc && i < e->part_count; i++) {
        struct place_in_layout in = *at;
        rc = lay_part(l, &e->parts[i], &in, &e->stage);
        if (!rc && in.last == NOWHERE)
            rc = wf_error(l->why, -EINVAL,
                          "input %u of merge '%s' has no source", i,
                          e->stage.name);
        segments[i] = in.segment;
        ends[i] = in.last;
    }
    return rc;
}

/* Their items change places, with whatever they have grown. */
static int check_input(struct layout *l, unsigned input,
                       const struct weft_items *from, const char *merge,
                       const struct weft_items *to)
{
    if (from->bytes != to->bytes)
        return wf_error(l->why, -EINVAL,
                        "input %u of merge '%s' gives items of %zu bytes, but "
                        "the merge makes some of %zu",
                        input, merge, from->bytes, to->bytes);
    if (from->reset != to->reset || from->finish != to->finish)
        return wf_error(l->why, -EINVAL,
                        "the items of input %u of merge '%s' are not reset and "
                        "finished as those of the merge are, but they change "
                        "places",
                        input, merge);
    if ((to->reset || to->finish) && from->ctx != to->ctx)
        return wf_error(l->why, -EINVAL,
                        "the items of input %u of merge '%s' have another "
                        "`ctx` than those of the merge, but they change places",
                        input, merge);
    return 0;
}

static int join_inputs(struct layout *l, const struct element *e,
                       struct place_in_layout *at, const unsigned *segments,
                       const unsigned *ends)
{
    struct stage stage = e->stage;

    for (unsigned i = 0; i < e->part_count; i++)
        stage.ordered |= comes_in_order(l, ends[i]);
    stage.lane_count = e->part_count;
    stage.lanes = calloc(e->part_count, sizeof *stage.lanes);
    if (!stage.lanes)
        return no_memory(l);
    int rc = add_stage(l, at, &stage);
    if (rc)
        return rc;
    unsigned merge = at->last;
    rc = add_segment(l, at, at->items, merge);
    for (unsigned i = 0; !rc && i < e->part_count; i++) {
        struct segment_plan *from = &l->plan->segments[segments[i]];
        from->end = merge;
        from->into = at->segment;
        from->lane = i;
        stage_at(l, merge)->lanes[i].weight = e->parts[i].weight;
        rc = name_lane(l, &stage_at(l, merge)->lanes[i], &e->parts[i]);
        link_to(l, ends[i], 0, merge);
        if (!rc)
            rc = check_input(l, i, &from->items, stage_at(l, merge)->name,
                             at->items);
    }
    stage_at(l, merge)->segment = at->segment;
    return rc;
}

static int lay_merge(struct layout *l, const struct element *e,
                     struct place_in_layout *at)
{
    unsigned *numbers = calloc(2 * e->part_count + 1, sizeof *numbers);

    if (!numbers)
        return no_memory(l);
    int rc = e->part_count
                 ? 0
                 : wf_error(l->why, -EINVAL, "merge '%s' has no inputs",
                            e->stage.name);
    if (!rc)
        rc = lay_inputs(l, e, at, numbers, numbers + e->part_count);
    if (!rc)
        rc = join_inputs(l, e, at, numbers, numbers + e->part_count);
    free(numbers);
    return rc;
}

static void set_defaults(struct stage *stage)
{
    struct weft_retry *r = &stage->retry;

    r->attempts = r->attempts ? r->attempts : 1;
    r->first_ms = r->first_ms ? r->first_ms : 10;
    r->most_ms = r->most_ms ? r->most_ms : 10000;
    r->factor = r->factor ? r->factor : 2;
    for (unsigned i = 0; i < stage->use_count; i++)
        if (!stage->uses[i].tokens)
            stage->uses[i].tokens = 1;
}

/* More tokens than items that can be there. */
static int check_window(struct layout *l, const struct place_in_layout *at,
                        const struct stage *stage)
{
    if (!at->path || !stage->ordered || stage->tokens <= at->room ||
        stage->tokens == WEFT_UNLIMITED)
        return 0;
    return wf_error(l->why, -EINVAL,
                    "ordered stage '%s' has %u tokens, but only %u items are "
                    "in path '%s': give the path as many slots",
                    stage->name, stage->tokens, at->room, at->path);
}

static int lay_element(struct layout *l, const struct element *e,
                       struct place_in_layout *at)
{
    if (e->embeds)
        return lay_part(l, &e->parts[0], at, &e->stage);
    int rc = check_place(l, at, &e->stage);
    if (!rc)
        rc = wf_check_choice(&e->stage, l->why);
    bool in_order = comes_in_order(l, at->last);
    if (!rc && e->stage.kind == MERGE)
        return lay_merge(l, e, at);
    if (!rc)
        rc = add_stage(l, at, &e->stage);
    if (!rc && e->stage.kind == SOURCE)
        rc = add_segment(l, at, at->items, at->last);
    if (rc)
        return rc;
    struct stage *stage = stage_at(l, at->last);
    if (e->stage.kind == SOURCE)
        stage->segment = at->segment;
    rc = wf_check_stage(stage, l->plan->segments[at->segment].items.slots,
                        l->plan->budgeted, l->why);
    if (!rc)
        rc = check_window(l, at, stage);
    if (!rc)
        set_defaults(stage);
    stage->ordered |= in_order;
    if (!rc && e->stage.kind == ROUTER)
        rc = lay_router(l, e, at);
    if (!rc && (e->stage.kind == GATHER || e->stage.kind == SCATTER))
        rc = add_segment(l, at, &e->items, at->last);
    if (!rc && e->stage.kind == CONSUMER)
        l->plan->segments[at->segment].end = at->last;
    return rc;
}

static int lay(struct layout *l, const weft_pipeline *p,
               struct place_in_layout *at)
{
    const struct weft_items *before = at->items;
    int rc = p->no_memory
                 ? wf_error(l->why, -ENOMEM, "no memory to draw the pipeline")
                 : 0;

    if (p->config.items.bytes)
        at->items = &p->config.items;
    for (unsigned i = 0; !rc && i < p->count; i++)
        rc = lay_element(l, &p->elements[i], at);
    at->items = before;
    return rc;
}

static int show(struct layout *l)
{
    struct pipeline_plan *plan = l->plan;

    plan->shown = calloc(plan->stage_count, sizeof *plan->shown);
    if (!plan->shown)
        return no_memory(l);
    for (unsigned i = 0; i < plan->stage_count; i++)
        if (plan->stages[i].kind != FORK && plan->stages[i].kind != JOIN)
            plan->shown[plan->shown_count++] = i;
    return 0;
}

int weft_pipeline_compile(weft_plan **out, const weft_pipeline *p,
                          weft_error *why)
{
    struct layout l = { .why = why };
    struct place_in_layout at = { .prefix = "",
                                  .last = NOWHERE,
                                  .segment = NOWHERE };

    if (!p)
        return wf_error(why, -ENOMEM, "no memory to draw the pipeline");
    l.plan = calloc(1, sizeof *l.plan);
    if (!l.plan)
        return no_memory(&l);
    l.plan->plan.kind = &wf_pipeline_kind;
    l.plan->config = p->config;
    l.plan->budgeted = p->config.budget_bytes > 0;
    at.items = &p->config.items;
    int rc = wf_check_config(&p->config, why);
    if (!rc)
        rc = lay(&l, p, &at);
    if (!rc)
        rc = check_end(&l, &at);
    if (!rc)
        rc = wf_check_costs(l.plan, why);
    if (!rc)
        rc = show(&l);
    if (rc) {
        wf_pipeline_kind.destroy_plan(&l.plan->plan);
        return rc;
    }
    l.plan->last = at.segment;
    *out = &l.plan->plan;
    return 0;
}
