/* steal.c: how soon another worker takes what one has spawned.
 *
 * The parent spawns a child and waits, without a sync, until it runs: that can
 * only be elsewhere. The others are awake, as they have just had one. */
#include <math.h>
#include <stdatomic.h>

#include "cli/bench/bench.h"
#include "cli/bench/clock.h"
#include "cli/bench/percentile.h"

enum { MOST_ROUNDS = 4000 };
static const double give_up_ns = 20e6;

struct child {
    _Atomic double began; /* 0: not yet */
};

struct steals {
    size_t count;
    double until;
    double taken[MOST_ROUNDS], joined[MOST_ROUNDS]; /* ns */
};

static int begin(weft_worker *self, void *child_)
{
    struct child *c = child_;
    atomic_store(&c->began, now_ns());
    return 0;
}

static int one_steal(weft_worker *self, struct steals *s)
{
    struct child c = { 0 };
    struct weft_child child = { .fn = begin, .ctx = &c };
    double start = now_ns(), began;

    int rc = weft_spawn(self, &child);
    if (rc)
        return rc;
    do
        began = atomic_load(&c.began);
    while (began == 0 && now_ns() - start < give_up_ns);
    rc = weft_sync(self, &child);
    if (rc == 0 && began != 0) {
        s->taken[s->count] = began - start;
        s->joined[s->count++] = now_ns() - start;
    }
    return rc;
}

static int many_steals(weft_worker *self, void *s_)
{
    struct steals *s = s_;
    int rc = 0;
    while (rc == 0 && s->count < MOST_ROUNDS && now_ns() < s->until)
        rc = one_steal(self, s);
    return rc;
}

int bench_steal(struct bench *b, weft_error *why)
{
    static struct steals s; /* too large for a stack */
    struct figures *f = &b->figures;

    f->steal.taken = (struct latency){ NAN, NAN };
    f->steal.joined_us = NAN;
    if (f->workers == 1)
        return 0;
    s.until = now_ns() + b->slice_ns;
    int rc = weft_call(b->all, many_steals, &s, why);
    if (rc || s.count == 0)
        return rc;
    f->steal.taken.p50_us = percentile(s.taken, s.count, 0.5) / 1e3;
    f->steal.taken.p99_us = percentile(s.taken, s.count, 0.99) / 1e3;
    f->steal.joined_us = median(s.joined, s.count) / 1e3;
    return 0;
}
