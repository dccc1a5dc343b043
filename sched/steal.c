/* steal.c: taking work from other workers, the nearest first.
 *
 * The victims are sorted by distance: those that share a cache, then the same
 * NUMA node, then node by node. Inside one distance the start is random, so
 * that thieves spread. A theft across nodes takes several tasks at once: the
 * way is long, and what is stolen there tends to have its data there too. */
#include <errno.h>
#include <stdlib.h>

#include "sched/worker.h"

enum { FAR_LOOT = 8 };

uint64_t wf_random(weft_worker *self)
{
    uint64_t x = self->random;
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    return self->random = x;
}

int wf_victims_init(weft_worker *self)
{
    const struct topo *topo = self->sched->topo;
    unsigned workers = self->sched->worker_count;
    struct victims *v = &self->victims;

    v->order = calloc(workers, sizeof *v->order);
    v->levels = calloc(workers, sizeof *v->levels);
    if (!v->order || !v->levels)
        return -ENOMEM;

    for (unsigned distance = 0; v->count < workers - 1; distance++) {
        unsigned before = v->count;
        for (unsigned i = 0; i < workers; i++)
            if (i != self->index &&
                wf_topo_distance(topo, self->index, i) == distance)
                v->order[v->count++] = i;
        if (distance < 2)
            v->first_far = v->count;
        if (v->count > before)
            v->levels[v->level_count++] = v->count;
    }
    return 0;
}

void wf_victims_finish(weft_worker *self)
{
    free(self->victims.order);
    free(self->victims.levels);
}

static struct task *rob(weft_worker *self, unsigned position)
{
    struct victims *v = &self->victims;
    struct deque *deque = &self->sched->workers[v->order[position]]->deque;
    struct task *task = wf_deque_steal(deque);

    if (!task)
        return NULL;
    count_one(&self->steals, 1);
    if (position < v->first_far)
        return task;

    struct task_list loot = { 0 };
    for (struct task *t;
         loot.count < FAR_LOOT - 1 && (t = wf_deque_steal(deque));)
        task_list_add(&loot, t);
    count_one(&self->steals, loot.count);
    if (loot.first)
        wf_push_list(self, &loot);
    return task;
}

struct task *wf_steal(weft_worker *self)
{
    struct victims *v = &self->victims;
    unsigned begin = 0;

    for (unsigned level = 0; level < v->level_count; level++) {
        unsigned n = v->levels[level] - begin;
        unsigned start = (unsigned)(wf_random(self) % n);
        for (unsigned i = 0; i < n; i++) {
            struct task *task = rob(self, begin + (start + i) % n);
            if (task)
                return task;
        }
        begin += n;
    }
    return NULL;
}
