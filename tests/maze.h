/* maze.h: a pipeline drawn by chance, and what must come of its items.
 *
 * A maze is drawn from a seed, element by element; at the same time it is
 * worked out what becomes of its items: which of a segment get through says
 * their number, so how many there are in each epoch of the next one is known,
 * in whatever order they come. */
#ifndef WEFT_TESTS_MAZE_H
#define WEFT_TESTS_MAZE_H
#include "tests/pipes.h"

enum {
    ELEMENTS = 12,
    EPOCHS = 4, /* and the rest */
    MOST = 600, /* items in a segment */
    POOL = 64,
    DEPTH = 3, /* of merges, and of parts */
    LIMITS = 2,
    COST = 10,       /* of the budget: what an item has at least */
    MOST_BYTES = 39, /* what it asks for at most */
};

enum kind { STAGE, GATHER, SCATTER, ROUTER, EMBED };

struct element {
    enum kind kind;
    char name[8];
    unsigned tokens, count, slots;
    enum weft_order order;
    enum weft_kind where;
    weft_stage_fn *fn;
    bool holes, retries, drops, bytes;
    unsigned limits; /* of how many limits it takes */
    bool any;        /* ROUTER: not all items have a path of their own */
    struct part *parts[3];
    unsigned part_count, path_slots[3];
};

struct part {
    char name[8];
    unsigned slots, cost;
    struct part *inputs[3]; /* of its merge, or none: it has a source */
    unsigned input_count;
    int turn;
    enum weft_order order;
    unsigned length[EPOCHS + 1], epochs, at; /* of its source */
    unsigned given;
    struct element *elements[ELEMENTS];
    unsigned count;
};

/* The items of a segment, epoch after epoch, and which are still good. */
struct items {
    unsigned count[EPOCHS + 1], epochs, all;
    bool good[MOST];
};

struct maze {
    uint64_t seed, random;
    unsigned left; /* elements that may still be drawn */
    struct element elements[POOL];
    struct part parts[POOL];
    unsigned element_count, part_count;
    uint64_t budget;
    weft_limit *limits[LIMITS];
};

static unsigned roll(struct maze *m, unsigned sides)
{
    m->random ^= m->random << 13;
    m->random ^= m->random >> 7;
    m->random ^= m->random << 17;
    return (unsigned)(m->random >> 20) % sides;
}

/* ---- what the elements do ---------------------------------------------- */

struct thing {
    unsigned made; /* pieces */
};

/* Of all callbacks, each with its number, in this order; NULL: they may come
 * at the same time. */
static uint64_t *maze_digest;

static void note_callback(const char *name, uint64_t number)
{
    if (!maze_digest)
        return;
    for (; *name; name++)
        number = number << 8 ^ (unsigned char)*name;
    *maze_digest = (*maze_digest ^ number) * 0x9e3779b97f4a7c15u;
}

static int fill(weft_worker *self, void *item, void *ctx)
{
    struct part *p = ctx;

    note_callback(p->name, p->given);
    while (p->given == p->length[p->at]) {
        if (p->at == p->epochs)
            return WEFT_END;
        p->at++;
        p->given = 0;
        return WEFT_EPOCH;
    }
    p->given++;
    *(struct thing *)item = (struct thing){ 0 };
    return 0;
}

/* What a stage with holes does to an item, says its number. */
static int fate(uint64_t number)
{
    return number % 7 == 3 ? WEFT_FILTER : number % 7 == 5 ? -EIO : 0;
}

static int work(weft_worker *self, void *item, void *ctx)
{
    const struct element *e = ctx;
    uint64_t number = weft_item_number(item);

    note_callback(e->name, number);
    if (e->retries && number % 3 == 1 && weft_item_attempt(item) == 1)
        return -EAGAIN;
    return e->holes ? fate(number) : 0;
}

static int work_pending(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, work(self, item, ctx));
    return WEFT_PENDING;
}

static int work_long(weft_worker *self, void *item, void *ctx)
{
    for (volatile uint64_t i = weft_item_number(item) * 31 % 97; i; i--)
        ;
    return work(self, item, ctx);
}

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    *(struct thing *)batch = (struct thing){ 0 };
    note_callback("add",
                  weft_item_number(batch) << 32 | weft_item_number(item));
    return weft_item_epoch(batch) == weft_item_epoch(item) ? 0 : -EPROTO;
}

static int cut(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct thing *t = item;

    note_callback(((const struct element *)ctx)->name, t->made);
    if (t->made == ((const struct element *)ctx)->count)
        return WEFT_END;
    t->made++;
    *(struct thing *)piece = (struct thing){ 0 };
    return 0;
}

static unsigned path_of(const struct element *e, uint64_t number)
{
    return (unsigned)(number % e->part_count);
}

static int choose(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    const struct element *e = ctx;
    uint64_t number = weft_item_number(item);

    note_callback(e->name, number);
    *path = e->any && number % 2 ? WEFT_ANY_PATH : path_of(e, number);
    return 0;
}

static uint64_t bytes_of(const void *item, void *ctx)
{
    static const uint64_t bytes[] = { 39, 0, 11, 39, 25, 3, 38, 0, 17, 5, 30 };
    return bytes[(weft_item_number(item) * 7 +
                  ((const struct element *)ctx)->count) %
                 11];
}

/* ---- what must come of the items --------------------------------------- */

static bool gets_through(const struct element *e, uint64_t number);

static bool gets_through_part(const struct part *p, uint64_t number)
{
    bool good = true;

    for (unsigned i = 0; good && i < p->count; i++)
        good = gets_through(p->elements[i], number);
    return good;
}

static bool gets_through(const struct element *e, uint64_t number)
{
    if (e->kind == STAGE)
        return !e->holes || !fate(number);
    if (e->kind == ROUTER && e->any)
        return true;
    return gets_through_part(
        e->parts[e->kind == ROUTER ? path_of(e, number) : 0], number);
}

static void fresh(struct items *items)
{
    items->all = 0;
    for (unsigned e = 0; e <= items->epochs; e++)
        items->all += items->count[e];
    cr_assert(items->all <= MOST);
    memset(items->good, true, sizeof items->good);
}

/* How many of each epoch are still good. */
static void survivors(const struct items *items, unsigned *count)
{
    unsigned number = 0;

    for (unsigned e = 0; e <= items->epochs; e++) {
        unsigned good = 0;
        for (unsigned i = 0; i < items->count[e]; i++)
            good += items->good[number++];
        count[e] = good;
    }
}

static void gathered(struct items *items, unsigned count, bool drops)
{
    survivors(items, items->count);
    for (unsigned e = 0; e <= items->epochs; e++)
        items->count[e] = (items->count[e] + (drops ? 0 : count - 1)) / count;
    fresh(items);
}

static void scattered(struct items *items, unsigned count)
{
    survivors(items, items->count);
    for (unsigned e = 0; e <= items->epochs; e++)
        items->count[e] *= count;
    fresh(items);
}

static void merged(struct items *items, const struct items *input)
{
    unsigned count[EPOCHS + 1];

    survivors(input, count);
    for (unsigned e = 0; e <= input->epochs; e++)
        items->count[e] += count[e];
    if (input->epochs > items->epochs)
        items->epochs = input->epochs;
    fresh(items);
}

/* ---- drawing from the seed --------------------------------------------- */

/* Where an element is. */
struct spot {
    unsigned room;    /* items that can be there: of its segment, its path */
    unsigned routers; /* that it is inside of */
    unsigned nested;  /* parts */
    bool in_path, no_holes;
};

static struct part *new_part(struct maze *m, struct spot *at);

static void grow(struct maze *m, struct part *p, struct spot *at,
                 struct items *items);

static void make_stage(struct maze *m, struct element *e, const struct spot *at)
{
    static weft_stage_fn *const fns[] = { work, work_pending, work_long };

    e->fn = fns[roll(m, 3)];
    e->order = roll(m, 3) ? WEFT_ANY : WEFT_INPUT;
    e->tokens = 1 + roll(m, 3);
    if (e->order == WEFT_INPUT && e->tokens > at->room)
        e->tokens = at->room;
    e->where = roll(m, 12) ? WEFT_CPU : WEFT_BLOCKING;
    e->holes = !at->no_holes && !roll(m, 5);
    e->retries = !e->holes && !roll(m, 20);
    e->limits = roll(m, 6) ? 0 : 1 + roll(m, LIMITS);
    e->bytes = m->budget && roll(m, 2);
}

static void make_router(struct maze *m, struct element *e,
                        const struct spot *at)
{
    e->part_count = 1 + roll(m, 3);
    e->any = !roll(m, 3);
    e->tokens = roll(m, 3);
    e->order = roll(m, 2) ? WEFT_ANY : WEFT_INPUT;
    for (unsigned i = 0; i < e->part_count; i++) {
        struct spot in = *at;
        unsigned share = at->room / e->part_count;
        e->path_slots[i] = 1 + roll(m, share ? share + 1 : 1);
        if (e->path_slots[i] < in.room)
            in.room = e->path_slots[i];
        in.in_path = true;
        in.no_holes |= e->any;
        in.routers++;
        in.nested++;
        e->parts[i] = new_part(m, &in);
        grow(m, e->parts[i], &in, NULL);
    }
}

/* Gathers and scatters begin a segment. */
static void make_segment(struct maze *m, struct element *e, struct spot *at,
                         struct items *items)
{
    e->order = roll(m, 2) ? WEFT_ANY : WEFT_INPUT;
    e->slots = at->room = 1 + roll(m, 4);
    e->count = e->kind == GATHER ? 1 + roll(m, 4) : roll(m, 4);
    if (e->kind == SCATTER && items->all * e->count > MOST)
        e->count = 1;
    e->drops = !roll(m, 3);
    if (e->kind == GATHER)
        gathered(items, e->count, e->drops);
    else
        scattered(items, e->count);
}

static enum kind next_kind(struct maze *m, const struct spot *at)
{
    static const enum kind kinds[] = { STAGE,  STAGE,  STAGE,   STAGE, ROUTER,
                                       ROUTER, GATHER, SCATTER, EMBED };
    enum kind kind = kinds[roll(m, sizeof kinds / sizeof *kinds)];
    bool changes = kind == GATHER || kind == SCATTER;

    if ((kind == ROUTER && at->routers == 4) || (at->in_path && changes) ||
        (kind == EMBED && at->nested >= 8))
        return STAGE;
    return kind;
}

static void make_element(struct maze *m, struct part *p, struct spot *at,
                         struct items *items)
{
    struct element *e = &m->elements[m->element_count++];

    snprintf(e->name, sizeof e->name, "e%u", m->element_count);
    e->kind = next_kind(m, at);
    p->elements[p->count++] = e;
    m->left--;
    switch (e->kind) {
    case STAGE:
        make_stage(m, e, at);
        break;
    case ROUTER:
        make_router(m, e, at);
        break;
    case EMBED:
        at->nested++;
        e->parts[0] = new_part(m, at);
        e->part_count = 1;
        grow(m, e->parts[0], at, items); /* counts the items itself */
        at->nested--;
        return;
    default:
        make_segment(m, e, at, items);
        return;
    }
    for (unsigned i = 0; items && i < items->all; i++)
        items->good[i] &= gets_through(e, i);
}

/* Some of the elements that are left. `items`: not in a path. */
static void grow(struct maze *m, struct part *p, struct spot *at,
                 struct items *items)
{
    unsigned count = roll(m, at->nested ? 4 : ELEMENTS + 1);

    for (unsigned i = 0; i < count && m->left; i++)
        make_element(m, p, at, items);
}

static struct part *new_part(struct maze *m, struct spot *at)
{
    struct part *p = &m->parts[m->part_count++];

    cr_assert(m->part_count < POOL);
    snprintf(p->name, sizeof p->name, "p%u", m->part_count);
    return p;
}

/* A part that begins with a source, or with a merge of such parts. */
static struct part *make_input(struct maze *m, struct spot *at, unsigned depth,
                               struct items *items)
{
    struct part *p = new_part(m, at);

    *items = (struct items){ 0 };
    p->input_count = depth < DEPTH && roll(m, 3) == 0 ? 1 + roll(m, 3) : 0;
    for (unsigned i = 0; i < p->input_count; i++) {
        struct spot in = { .nested = at->nested + 1 };
        struct items from;
        p->inputs[i] = make_input(m, &in, depth + 1, &from);
        grow(m, p->inputs[i], &in, &from);
        merged(items, &from);
    }
    p->slots = at->room = 1 + roll(m, 5);
    p->cost = m->budget && roll(m, 2) ? COST : 0;
    p->turn = (int)roll(m, 3);
    p->order = roll(m, 2) ? WEFT_ANY : WEFT_INPUT;
    if (p->input_count)
        return p;
    items->epochs = p->epochs = roll(m, EPOCHS);
    for (unsigned e = 0; e <= p->epochs; e++)
        items->count[e] = p->length[e] = roll(m, 4) ? roll(m, 12) : 0;
    fresh(items);
    return p;
}

/* ---- drawing for weft -------------------------------------------------- */

static weft_pipeline *draw(struct maze *m, struct part *p, bool begins);

static void draw_stage(struct maze *m, weft_pipeline *p, struct element *e)
{
    struct weft_use uses[LIMITS];

    for (unsigned i = 0; i < LIMITS; i++)
        uses[i] = (struct weft_use){ .limit = m->limits[i] };
    weft_stage(p,
               weft_config(
                   stage, .name = e->name, .fn = e->fn, .ctx = e,
                   .tokens = e->tokens, .order = e->order, .kind = e->where,
                   .uses = uses, .use_count = e->limits,
                   .bytes = e->bytes ? bytes_of : NULL,
                   .retry = { .attempts = e->retries ? 2 : 1, .first_ms = 1 }));
}

static void draw_router(struct maze *m, weft_pipeline *p, struct element *e)
{
    struct weft_path paths[3];

    for (unsigned i = 0; i < e->part_count; i++)
        paths[i] = (struct weft_path){ .name = e->parts[i]->name,
                                       .slots = e->path_slots[i],
                                       .stages = draw(m, e->parts[i], false) };
    weft_router(p, weft_config(router, .name = e->name, .fn = choose, .ctx = e,
                               .tokens = e->tokens, .paths = paths,
                               .path_count = e->part_count, .join = e->order));
    for (unsigned i = 0; i < e->part_count; i++)
        weft_pipeline_destroy(paths[i].stages);
}

static void draw_element(struct maze *m, weft_pipeline *p, struct element *e)
{
    struct weft_items items = { .bytes = sizeof(struct thing),
                                .slots = e->slots };
    weft_pipeline *part;

    switch (e->kind) {
    case STAGE:
        draw_stage(m, p, e);
        break;
    case ROUTER:
        draw_router(m, p, e);
        break;
    case GATHER:
        if (e->drops)
            weft_gather(p, weft_config(gather, .name = e->name, .fn = add,
                                       .count = e->count, .order = e->order,
                                       .rest = WEFT_DROP, .items = items));
        else
            weft_gather(p, weft_config(gather, .name = e->name, .fn = add,
                                       .count = e->count, .order = e->order,
                                       .items = items));
        break;
    case SCATTER:
        weft_scatter(p,
                     weft_config(scatter, .name = e->name, .fn = cut, .ctx = e,
                                 .order = e->order, .items = items));
        break;
    case EMBED:
        part = draw(m, e->parts[0], false);
        weft_embed(p, e->parts[0]->name, part);
        weft_pipeline_destroy(part);
        break;
    }
}

static void draw_beginning(struct maze *m, weft_pipeline *p, struct part *part)
{
    struct weft_path inputs[3];
    struct weft_merge_config c = { .size = sizeof c,
                                   .name = "merge",
                                   .inputs = inputs,
                                   .input_count = part->input_count,
                                   .order = part->order };

    if (!part->input_count) {
        weft_source(p, "source", fill, part);
        return;
    }
    c.turn = part->turn;
    for (unsigned i = 0; i < part->input_count; i++)
        inputs[i] =
            (struct weft_path){ .name = part->inputs[i]->name,
                                .weight = i + 1,
                                .stages = draw(m, part->inputs[i], true) };
    weft_merge(p, &c);
    for (unsigned i = 0; i < part->input_count; i++)
        weft_pipeline_destroy(inputs[i].stages);
}

static weft_pipeline *draw(struct maze *m, struct part *part, bool begins)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .bytes = sizeof(struct thing),
                   .slots = part->slots,
                   .cost = part->cost },
        .failures = { .policy = WEFT_SKIP }, .budget_bytes = m->budget));

    if (begins)
        draw_beginning(m, p, part);
    for (unsigned i = 0; i < part->count; i++)
        draw_element(m, p, part->elements[i]);
    return p;
}

/* ---- the whole --------------------------------------------------------- */

/* How it is to be run. */
struct visit {
    unsigned workers; /* 1 .. 3 */
    enum weft_order order;
    unsigned most; /* items, then it is stopped; 0: to its end */
    bool drains;   /* it is stopped by that */
};

static weft_plan *make_maze(struct maze *m, uint64_t seed, struct items *items,
                            struct visit *v)
{
    struct spot at = { 0 };

    *m = (struct maze){ .seed = seed,
                        .random = (seed + 1) * 0x9e3779b97f4a7c15u,
                        .left = ELEMENTS };
    for (unsigned i = 0; i < LIMITS; i++)
        cr_assert_eq(weft_limit_create(&m->limits[i],
                                       weft_config(limit, .name = "limit",
                                                   .tokens = 1 + roll(m, 3)),
                                       NULL),
                     0);
    m->budget = roll(m, 3) ? 0 : 20 + roll(m, 100); /* and what items cost */
    struct part *whole = make_input(m, &at, 0, items);
    grow(m, whole, &at, items);
    v->workers = 1 + roll(m, 3);
    v->order = roll(m, 2) ? WEFT_ANY : WEFT_INPUT;
    v->most = roll(m, 4) ? 0 : 1 + roll(m, 20);
    v->drains = roll(m, 2);
    for (unsigned i = 0; m->budget && i < m->part_count; i++)
        m->budget += m->parts[i].cost;
    weft_pipeline *p = draw(m, whole, true);
    weft_consumer(p, v->order);
    return pipeline_plan(p);
}

static void finish_maze(struct maze *m, weft_plan *plan)
{
    weft_plan_destroy(plan);
    for (unsigned i = 0; i < LIMITS; i++)
        weft_limit_destroy(m->limits[i]);
}
#endif
