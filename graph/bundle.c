/* bundle.c: tasks that are submitted from outside and have no handle.
 *
 * Until a worker takes it such a task is a function and its argument only. Many
 * of them that wait lie in a bundle, one after the other: so they are brought
 * to the worker's core four in a cache line, and a million that wait take 16
 * MB.
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

enum { SEEDS = 60 }; /* some 1000 bytes */

struct seed {
    weft_fn *fn;
    void *ctx;
};

struct bundle {
    struct task task;
    weft_sched *sched;
    unsigned first, count;
    weft_future spare; /* for the one that there is no other memory for */
    struct seed seed[SEEDS];
};

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

static weft_future *make_spare(struct bundle *b)
{
    const struct seed *seed = &b->seed[b->first++];

    wf_sched_hold(b->sched); /* it may pend, and end elsewhere */
    wf_future_make_loose(&b->spare, &spare_kind, b->sched, seed->fn, seed->ctx);
    return &b->spare;
}

static struct task *unpack(weft_worker *self, struct task *task)
{
    struct bundle *b = (struct bundle *)task; /* its first member */
    struct task_list made = { 0 };

    for (; b->first < b->count; b->first++) {
        const struct seed *seed = &b->seed[b->first];
        weft_future *f = wf_future_loose(b->sched, seed->fn, seed->ctx);
        if (!f)
            break;
        task_list_add(&made, &f->task);
    }
    if (b->first < b->count)
        task_list_add(&made, &make_spare(b)->task);
    else
        free(b);
    struct task *first = task_list_take(&made);
    if (made.first)
        wf_push_list(self, &made);
    return first->run(self, first); /* one task, as is counted */
}

static bool add(struct task *last, void *seed)
{
    struct bundle *b = (struct bundle *)last;

    if (last->run != unpack || b->count == SEEDS)
        return false;
    b->seed[b->count++] = *(const struct seed *)seed;
    return true;
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
    b->first = 0;
    b->count = 1;
    b->seed[0] = seed;
    wf_ready(sched, NULL, &b->task);
    return 0;
}
