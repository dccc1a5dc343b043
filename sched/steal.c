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

/* A seed plays the same on any machine. */
static unsigned distance_to(const weft_worker *self, unsigned other)
{
    const weft_sched *s = self->sched;

    return s->seeded ? 0 : wf_topo_distance(s->topo, self->index, other);
}

int wf_victims_init(weft_worker *self)
{
    unsigned workers = self->sched->worker_count;
    struct victims *v = &self->victims;

    v->order = calloc(workers, sizeof *v->order);
    v->levels = calloc(workers, sizeof *v->levels);
    if (!v->order || !v->levels)
        return -ENOMEM;

    for (unsigned distance = 0; v->count < workers - 1; distance++) {
        unsigned before = v->count;
        for (unsigned i = 0; i < workers; i++)
            if (i != self->index && distance_to(self, i) == distance)
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

struct task *wf_steal_oldest(weft_worker *victim)
{
    /* Who plays all workers is the owner of each deque. */
    return victim->sched->seeded ? wf_deque_pop_oldest(&victim->deque)
                                 : wf_deque_steal(&victim->deque);
}

static struct task *rob(weft_worker *self, unsigned position)
{
    struct victims *v = &self->victims;
    weft_worker *victim = self->sched->workers[v->order[position]];
    struct task *task = wf_steal_oldest(victim);

    if (!task)
        return NULL;
    count_one(&self->steals, 1);
    if (position < v->first_far)
        return task;

    struct task_list loot = { 0 };
    for (struct task *t;
         loot.count < FAR_LOOT - 1 && (t = wf_steal_oldest(victim));)
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
