/* scan.c: all prefixes of a range, in two passes over parts of it.
 *
 *      parts          [  a  ][  b  ][  c  ][  d  ]
 *      fold           a      b      c                 in parallel
 *      before         1      a      ab     abc        here, one after the other
 *      write          a      ab     abc    abcd       in parallel
 *
 * `write` folds too, so what the last part ends with is the total, and a range
 * in one part needs one pass. The accumulators do not share cache lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/divide.h"
#include "weft/task.h"

enum {
    PARTS_EACH = 4, /* for each worker: they are not equally fast */
    LINE = 64,
};

struct scan {
    const struct weft_scan_config *config;
    size_t grain, parts;
    size_t stride; /* from one accumulator to the next */
    char *accs;
};

static size_t begin_of(const struct scan *s, size_t part)
{
    return s->config->begin + part * s->grain;
}

static size_t end_of(const struct scan *s, size_t part)
{
    return part + 1 == s->parts ? s->config->end : begin_of(s, part + 1);
}

static void *acc_of(const struct scan *s, size_t part)
{
    return s->accs + part * s->stride;
}

static int each(weft_worker *self, const struct scan *s, weft_fold_fn *fn,
                size_t part, size_t end)
{
    int rc = 0;

    for (; part < end && !rc; part++)
        rc = fn(self, begin_of(s, part), end_of(s, part), acc_of(s, part),
                s->config->ctx);
    return rc;
}

static int fold(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    const struct scan *s = ctx;
    return each(self, s, s->config->fold, begin, end);
}

static int write(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    const struct scan *s = ctx;
    return each(self, s, s->config->write, begin, end);
}

/* What was folded of each part becomes what is before it. */
static void add_up(const struct scan *s, char *before, char *next)
{
    const struct weft_scan_config *c = s->config;

    memcpy(before, c->identity, c->bytes);
    for (size_t i = 0; i < s->parts; i++) {
        memcpy(next, before, c->bytes);
        c->combine(next, acc_of(s, i), c->ctx);
        memcpy(acc_of(s, i), before, c->bytes);
        char *free_now = before;
        before = next;
        next = free_now;
    }
}

static void divide(struct scan *s, unsigned workers)
{
    size_t n = s->config->end - s->config->begin;
    size_t parts = workers > 1 ? (size_t)workers * PARTS_EACH : 1;

    s->grain = s->config->grain ? s->config->grain : (n - 1) / parts + 1;
    s->parts = (n - 1) / s->grain + 1;
    s->stride = (s->config->bytes + LINE - 1) / LINE * LINE;
}

static int scan(weft_worker *self, struct scan *s, void *total)
{
    size_t bytes = s->config->bytes, rooms;
    int rc = 0;

    /* Two more for adding up. */
    if (__builtin_add_overflow(s->parts, 2, &rooms) ||
        __builtin_mul_overflow(rooms, s->stride, &rooms))
        return -ENOMEM;
    s->accs = aligned_alloc(LINE, rooms);
    if (!s->accs)
        return -ENOMEM;
    for (size_t i = 0; i < s->parts; i++)
        memcpy(acc_of(s, i), s->config->identity, bytes);
    if (s->parts > 1)
        rc = weft_for(self, 0, s->parts - 1, fold, s, 1);
    if (!rc) {
        add_up(s, acc_of(s, s->parts), acc_of(s, s->parts + 1));
        rc = weft_for(self, 0, s->parts, write, s, 1);
    }
    if (!rc && total)
        memcpy(total, acc_of(s, s->parts - 1), bytes);
    free(s->accs);
    return rc;
}

int weft_scan(weft_worker *self, void *total,
              const struct weft_scan_config *config)
{
    struct weft_scan_config c = { 0 };
    struct scan s = { .config = &c };

    memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);
    if (!c.fold || !c.write || !c.combine || !c.identity || !c.bytes)
        return -EINVAL;
    int rc = wf_may_divide(self, "weft_scan");
    if (rc)
        return rc;
    if (c.begin >= c.end) {
        if (total)
            memcpy(total, c.identity, c.bytes);
        return 0;
    }
    divide(&s, weft_sched_workers(weft_worker_sched(self)));
    return scan(self, &s, total);
}
