/* when.c: one future of many: all of them, or any.
 *
 * It has a listener at each. The one that decides, the first that fails or the
 * last that succeeds, or for `any` the first, claims it, and it has that
 * result. Then nothing needs to be heard any more: the other listeners are
 * taken back, or a future that lives long would collect them.
 *
 *  [W] `parties` counts the listeners that may still be called, and who makes
 *      it; acq_rel, so the last one, which gives back the reference that they
 *      share, comes after all that the others do with it.
 *
 *  [T] Take back. That needs all listeners to have been added. Who makes the
 *      future adds ADDED when it has, and who decides adds DECIDED, both
 *      acq_rel: the second of them does it.
 *
 * The futures are addresses without a reference: [L] in settle.c. */
#include <errno.h>
#include <stdlib.h>

#include "graph/future.h"

enum { ADDED = 1, DECIDED = 2 };

struct when;

struct input {
    struct listener listener;
    struct when *when;
    weft_future *source;
};

struct when {
    weft_future f;
    bool any;
    size_t n, which;
    _Atomic size_t parties; /* [W] */
    _Atomic size_t missing; /* that have not succeeded yet */
    _Atomic unsigned turn;  /* [T] */
    _Atomic size_t done;    /* so many from the first on were done when
                               somebody looked */
    struct input input[];
};

static void leave(struct when *w, size_t parties)
{
    if (sub_acq_rel(&w->parties, parties) == parties) /* [W] */
        wf_future_drop(&w->f);
}

static void take_back(struct when *w)
{
    size_t gone = 0;

    for (size_t i = 0; i < w->n; i++)
        gone += wf_unlisten(w->input[i].source, &w->input[i].listener);
    if (gone)
        leave(w, gone);
}

/* By who is a party. */
static void arrive(struct when *w, unsigned what)
{
    if (or_acq_rel(&w->turn, what) == (ADDED | DECIDED) - what) /* [T] */
        take_back(w);
}

static void hear(struct listener *l, weft_future *source, struct settling *s)
{
    struct input *input = (struct input *)l; /* its first member */
    struct when *w = input->when;
    int result = source->result;

    /* acq_rel: what the others did comes before what the last one decides. */
    bool last = sub_acq_rel(&w->missing, result ? 0 : 1) == 1 && !result;
    if ((result || w->any || last) && wf_future_claim(&w->f)) {
        w->which = (size_t)(input - w->input);
        w->f.result = result;
        if (result)
            wf_future_blame(&w->f, source);
        wf_settling_add(s, &w->f);
        if (!last)
            arrive(w, DECIDED);
    }
    leave(w, 1);
}

static void withdraw(weft_future *f)
{
    struct when *w = (struct when *)f; /* its first member */

    take_back(w);
}

/* The first that is not done. */
static weft_future *waits_for(weft_future *f, size_t *from)
{
    struct when *w = (struct when *)f;
    size_t done = load_relaxed(&w->done);

    for (size_t i = *from > done ? *from : done; i < w->n; i++) {
        struct input *input = &w->input[i];
        if (wf_hold_source(input->source, &input->listener)) {
            if (*from <= done)
                store_relaxed(&w->done, i);
            *from = i + 1;
            return input->source;
        }
    }
    return NULL;
}

static const struct future_kind all = { .withdraw = withdraw,
                                        .waits_for = waits_for };
static const struct future_kind any = { .withdraw = withdraw,
                                        .waits_for = waits_for,
                                        .waits_for_one = true };
static struct subject when_all = { .text = "weft_when_all" };
static struct subject when_any = { .text = "weft_when_any" };

static int make(weft_sched *sched, bool is_any, weft_future *const futures[],
                size_t n, weft_future **out, weft_error *why)
{
    struct when *w = NULL;

    /* References of its own, of the parties, and the handle. */
    if (n < (SIZE_MAX - sizeof *w) / sizeof w->input[0])
        w = (struct when *)wf_future_create(
            sched, is_any ? &any : &all, is_any ? &when_any : &when_all,
            sizeof *w + n * sizeof w->input[0], HOLDS | 3 * REF);
    if (!w)
        return wf_error(why, -ENOMEM, "no memory to wait for %zu futures", n);
    wf_sched_hold(sched); /* until it is done */
    w->any = is_any;
    w->n = n;
    w->which = SIZE_MAX;
    atomic_init(&w->parties, n + 1);
    atomic_init(&w->missing, n);
    for (size_t i = 0; i < n; i++)
        w->input[i] = (struct input){ { .hear = hear }, w, futures[i] };

    struct settling s = wf_settling_begin();
    for (size_t i = 0; i < n; i++)
        if (!wf_listen(futures[i], &w->input[i].listener))
            hear(&w->input[i].listener, futures[i], &s);
    if (!n && wf_future_claim(&w->f)) {
        w->f.result = 0;
        wf_settling_add(&s, &w->f);
    }
    arrive(w, ADDED);
    leave(w, 1);
    wf_settling_end(&s);
    *out = &w->f;
    return 0;
}

int weft_when_all(weft_sched *sched, weft_future *const futures[], size_t n,
                  weft_future **out, weft_error *why)
{
    return make(sched, false, futures, n, out, why);
}

int weft_when_any(weft_sched *sched, weft_future *const futures[], size_t n,
                  weft_future **out, weft_error *why)
{
    if (!n)
        return wf_error(why, -EINVAL,
                        "weft_when_any of no futures would never be done");
    return make(sched, true, futures, n, out, why);
}

size_t weft_future_which(weft_future *f)
{
    if ((f->kind != &any && f->kind != &all) ||
        !(load_acquire(&f->state) & DONE)) /* [F] in future.c */
        return SIZE_MAX;
    return ((struct when *)f)->which;
}
