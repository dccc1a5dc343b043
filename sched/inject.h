/* inject.h: the queue through which tasks come in from outside the workers. */
#ifndef WEFT_SCHED_INJECT_H
#define WEFT_SCHED_INJECT_H
#include <pthread.h>
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"

/* First in, first out; one per NUMA node. A mutex is enough: it is held for a
 * few instructions, and both sides pass it with many tasks at a time. It cannot
 * fail: the tasks themselves are the list. */
struct inject {
    alignas(64) _Atomic size_t count; /* list.count, to look without the lock */
    pthread_mutex_t lock;
    struct task_list list;
};

void wf_inject_init(struct inject *q);
void wf_inject_finish(struct inject *q);

/* Any thread. Takes over the tasks of the list. */
void wf_inject_put(struct inject *q, struct task_list *list);

/* Any thread. One task, before all that are there. */
void wf_inject_put_first(struct inject *q, struct task *task);

/* Any thread. Up to `most` of the oldest tasks. */
struct task_list wf_inject_take(struct inject *q, size_t most);

/* Any thread. Whether there was something a moment ago. */
static inline bool wf_inject_has(struct inject *q)
{
    return load_relaxed(&q->count);
}

/* Any thread. How many there are; ordered with the parking of workers: see [W]
 * in park.c. */
size_t wf_inject_visible(struct inject *q);
#endif
