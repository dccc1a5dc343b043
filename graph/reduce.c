/* reduce.c: a range in one accumulator.
 *
 * Ranges are divided as in for.c. The upper half has an accumulator of its own,
 * in the frame that waits for it, and is combined with that of the lower half,
 * the lower one first, when both are done: so the order is always that of the
 * indices, whoever was first.
 *
 * With a grain, a range is divided until parts have no more than that, whether
 * anybody has time for the other half or not. What is combined with what then
 * depends on the range and the grain alone. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/divide.h"
#include "weft/task.h"

struct reduction {
    const struct weft_reduce_config *config;
    _Atomic bool failed; /* nothing further begins */
};

struct part {
    struct reduction *all;
    size_t begin, end;
    void *acc;
};

/* An accumulator in a frame, unless it is large. */
struct room {
    _Alignas(max_align_t) char bytes[64];
    void *large;
};

/* The identity, or NULL: no memory. */
static void *make_acc(struct room *room, const struct weft_reduce_config *c)
{
    void *acc = room->bytes;

    room->large = NULL;
    if (c->bytes > sizeof room->bytes)
        acc = room->large = malloc(c->bytes);
    return acc ? memcpy(acc, c->identity, c->bytes) : NULL;
}

static int failed(struct reduction *all, int rc)
{
    store_relaxed(&all->failed, true);
    return rc > 0 ? -EINVAL : rc;
}

static int divide(weft_worker *self, const struct part *p, size_t begin);

static int fold(weft_worker *self, void *ctx)
{
    const struct part *p = ctx;
    const struct weft_reduce_config *c = p->all->config;
    size_t n;

    for (size_t i = p->begin; i < p->end; i += n) {
        size_t left = p->end - i;
        if (load_relaxed(&p->all->failed))
            return 0;
        if (c->grain ? left > c->grain : left > 1 && wf_may_share(self))
            return divide(self, p, i);
        n = c->grain ? left : next_chunk(i - p->begin, left);
        int rc = c->fold(self, i, i + n, p->acc, c->ctx);
        if (rc)
            return failed(p->all, rc);
    }
    return 0;
}

/* What is left of a part, from `begin`. */
static int divide(weft_worker *self, const struct part *p, size_t begin)
{
    const struct weft_reduce_config *c = p->all->config;
    size_t middle = middle_of(begin, p->end, c->grain);
    struct room room;
    struct part lower = { p->all, begin, middle, p->acc };
    struct part upper = { p->all, middle, p->end, make_acc(&room, c) };
    struct weft_child child = { .fn = fold, .ctx = &upper };

    if (!upper.acc)
        return failed(p->all, -ENOMEM);
    int rc = weft_spawn(self, &child);
    if (!rc) {
        rc = fold(self, &lower);
        int other = weft_sync(self, &child);
        rc = rc ? rc : other;
    }
    if (rc)
        failed(p->all, rc);
    else if (!load_relaxed(&p->all->failed))
        c->combine(p->acc, upper.acc, c->ctx);
    free(room.large);
    return rc;
}

int weft_reduce(weft_worker *self, void *result,
                const struct weft_reduce_config *config)
{
    struct weft_reduce_config c = { 0 };
    struct reduction all = { .config = &c };
    struct room room;

    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (!c.fold || !c.combine || !c.identity || !c.bytes)
        return -EINVAL;
    int rc = wf_may_divide(self, "weft_reduce");
    if (rc)
        return rc;
    struct part whole = { &all, c.begin, c.end, make_acc(&room, &c) };
    rc = whole.acc ? fold(self, &whole) : -ENOMEM;
    if (!rc)
        memcpy(result, whole.acc, c.bytes);
    free(room.large);
    return rc;
}
