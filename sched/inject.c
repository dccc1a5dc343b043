/* inject.c: the queue through which tasks come in from outside the workers.
 *
 * The list is under the lock. `count` is written under it too, and read
 * without: a reader may come too early and find nothing, but then the thread
 * that put the task has yet to ask whether anybody sleeps: [W] in park.c. */
#include "sched/inject.h"

void wf_inject_init(struct inject *q)
{
    atomic_init(&q->count, 0);
    q->list = (struct task_list){ 0 };
    pthread_mutex_init(&q->lock, NULL); /* cannot fail on Linux */
}

void wf_inject_finish(struct inject *q) { pthread_mutex_destroy(&q->lock); }

void wf_inject_put(struct inject *q, struct task_list *list)
{
    pthread_mutex_lock(&q->lock);
    task_list_join(&q->list, list);
    store_seq_cst(&q->count, q->list.count); /* [W] */
    pthread_mutex_unlock(&q->lock);
}

void wf_inject_put_first(struct inject *q, struct task *task)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    pthread_mutex_lock(&q->lock);
    task_list_join(&list, &q->list);
    q->list = list;
    store_seq_cst(&q->count, q->list.count); /* [W] */
    pthread_mutex_unlock(&q->lock);
}

struct task_list wf_inject_take(struct inject *q, size_t most)
{
    struct task_list taken = { 0 };

    if (!wf_inject_has(q))
        return taken;
    pthread_mutex_lock(&q->lock);
    for (struct task *t; taken.count < most && (t = task_list_take(&q->list));)
        task_list_add(&taken, t);
    store_relaxed(&q->count, q->list.count);
    pthread_mutex_unlock(&q->lock);
    return taken;
}

size_t wf_inject_visible(struct inject *q)
{
    return load_seq_cst(&q->count); /* [W] */
}
