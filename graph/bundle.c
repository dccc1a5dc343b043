/* bundle.c: tasks that are submitted from outside and have no handle.
 *
 * Until a worker takes it such a task is a function and its argument only. Many
 * of them that wait lie in a bundle, one after the other, and the function only
 * where it is another one than before: so they are brought to the worker's core
 * eight in a cache line, and a million that wait take 11 MB.
 *
 * A bundle is a task. As long as it is the last of those that came, and nobody
 * has fetched it, more are added to it, at the door of the queue: [D] in
 * sched/inject.c. The worker that runs it makes the tasks, in memory that it
 * has in its cache, and pushes them, for others to steal: they do not wait for
 * each other. If it has no memory for one, that lies in the bundle, and the
 * rest comes when it has ended: so all come. */
#include "graph/bundle.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include "graph/loose.h"

enum { WORDS = 62 }; /* of a bundle: they have a bit each */

struct seed {
    weft_fn *fn;
    void *ctx;
};

struct bundle {
    struct task task;
    weft_sched *sched;
    weft_fn *added, *taken; /* the function of the last one that was */
    uint64_t is_fn;         /* a bit for each word that is a function */
    unsigned first, count;  /* words */
    weft_future spare;      /* for the one that there is no other memory for */
    uintptr_t word[WORDS]; /* the argument of each task; before that of one that
                              has another function than the one before, it */
};

static struct seed take(struct bundle *b)
{
    if (b->is_fn >> b->first & 1)
        b->taken = (weft_fn *)b->word[b->first++];
    return (struct seed){ b->taken, (void *)b->word[b->first++] };
}

/* True: there was room for it. */
static bool put(struct bundle *b, const struct seed *seed)
{
    bool other = seed->fn != b->added;

    if (b->count + other >= WORDS)
        return false;
    if (other) {
        b->is_fn |= (uint64_t)1 << b->count;
        b->word[b->count++] = (uintptr_t)seed->fn;
        b->added = seed->fn;
    }
    b->word[b->count++] = (uintptr_t)seed->ctx;
    return true;
}

/* The spare one has ended. */
static void go_on(weft_future *f)
{
    struct bundle *b =
        (struct bundle *)((char *)f - offsetof(struct bundle, spare));
    weft_sched *sched = b->sched;

    if (b->first == b->count)
        free(b);
    else
        wf_ready(sched, NULL, &b->task);
    wf_sched_release(sched);
}

static const struct future_kind spare_kind = { .give_back = go_on };

static weft_future *make_spare(struct bundle *b, struct seed seed)
{
    wf_sched_hold(b->sched); /* it may pend, and end elsewhere */
    wf_future_make_loose(&b->spare, &spare_kind, b->sched, seed.fn, seed.ctx);
    return &b->spare;
}

static struct task *unpack(weft_worker *self, struct task *task)
{
    struct bundle *b = (struct bundle *)task; /* its first member */
    struct task_list made = { 0 };
    bool spare = false;

    while (!spare && b->first < b->count) {
        struct seed seed = take(b);
        weft_future *f = wf_future_loose(b->sched, seed.fn, seed.ctx);
        spare = !f;
        task_list_add(&made, spare ? &make_spare(b, seed)->task : &f->task);
    }
    if (!spare)
        free(b);
    struct task *first = task_list_take(&made);
    if (made.first)
        wf_push_list(self, &made);
    return first->run(self, first); /* one task, as is counted */
}

static bool add(struct task *last, void *seed)
{
    struct bundle *b = (struct bundle *)last;

    return last->run == unpack && put(b, seed);
}

int wf_bundle_submit(weft_sched *sched, weft_fn *fn, void *ctx)
{
    struct seed seed = { fn, ctx };

    if (wf_inject_into(sched, add, &seed))
        return 0;
    struct bundle *b = malloc(sizeof *b);
    if (!b)
        return -ENOMEM;
    b->task.run = unpack;
    b->sched = sched;
    b->added = b->taken = NULL;
    b->is_fn = 0;
    b->first = b->count = 0;
    put(b, &seed);
    wf_ready(sched, NULL, &b->task);
    return 0;
}
