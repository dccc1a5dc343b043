/* inject.h: the queue through which tasks come in from outside the workers. */
#ifndef WEFT_SCHED_INJECT_H
#define WEFT_SCHED_INJECT_H
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"

/* First in, first out; one per NUMA node. It cannot fail: the tasks themselves
 * are the list. Who puts tasks in meets who takes some for a few instructions
 * only: inject.c. */
struct inject {
    alignas(64) _Atomic uint64_t door; /* what came, and whether it is held */
    struct task_list came;             /* by who has the door */
    alignas(64) pthread_mutex_t lock;  /* of who takes */
    struct task_list list;             /* what came before that, each task */
    size_t weight;                     /* counted as so many, about */
    _Atomic size_t count;              /* of the list, to look without */
};

void wf_inject_init(struct inject *q);
void wf_inject_finish(struct inject *q);

/* Any thread. Takes over the tasks of the list. They are published, but nobody
 * can take them until wf_inject_leave gets what this has returned: a few
 * instructions later. */
uint64_t wf_inject_enter(struct inject *q, struct task_list *list);
void wf_inject_leave(struct inject *q, uint64_t door);

/* Any thread. The last of those that came and were not fetched; one more is
 * counted. It stays as it is until wf_inject_leave, or wf_inject_leave_last,
 * which counts none. NULL: there is nothing to leave. */
struct task *wf_inject_enter_last(struct inject *q, uint64_t *door);
void wf_inject_leave_last(struct inject *q, uint64_t door);

/* Any thread. One task, before all that are there. */
void wf_inject_put_first(struct inject *q, struct task *task);

/* Any thread. Up to `most` of the oldest tasks; fewer where more was counted
 * than there are tasks; one at least. */
struct task_list wf_inject_take(struct inject *q, size_t most);

/* Any thread. Whether there was something a moment ago. */
static inline bool wf_inject_has(struct inject *q)
{
    return load_relaxed(&q->door) || load_relaxed(&q->count);
}

/* Any thread. How many there are; ordered with the parking of workers: see [W]
 * in park.c. */
size_t wf_inject_visible(struct inject *q);
#endif
