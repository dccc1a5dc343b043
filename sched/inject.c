/* inject.c: the queue through which tasks come in from outside the workers.
 *
 * There are two lists. Who puts tasks in adds them to `came`, which is behind a
 * door that is held for a few instructions; who takes some has the lock of
 * `list`, and fetches all that came, in one piece, when that is empty. So those
 * who put do not wait while cold tasks are walked through.
 *
 *  [D] Door. Its lowest bit says that somebody holds it, the others how many
 *      tasks have come. One step takes it and adds to the count; opening it is
 *      a store with release, for the next one, which acquires it: nobody else
 *      writes it meanwhile.
 *
 *  [W] A task is published, for [W] in park.c, when it is counted at the door.
 *      A reader may come too early and find nothing behind it, but then who
 *      put the task has yet to ask whether anybody sleeps. Who fetches stores
 *      the count of `list` before that at the door becomes 0, with release: so
 *      who looks at the door first, and then at the list, misses nothing. */
#include "sched/inject.h"

#include <time.h>

#include "sched/lock.h"

enum {
    HELD = 1,
    ONE = 2,     /* task */
    AHEAD = 512, /* bytes */
    LOOKS = 200,
    PAUSE_NS = 50000, /* who holds it has lost its core */
};

void wf_inject_init(struct inject *q)
{
    atomic_init(&q->door, 0);
    atomic_init(&q->count, 0);
    q->list = q->came = (struct task_list){ 0 };
    q->weight = 1;
    wf_lock_init(&q->lock);
}

void wf_inject_finish(struct inject *q) { pthread_mutex_destroy(&q->lock); }

/* As it was found, and so many tasks more: to be opened with. */
static uint64_t hold_door(struct inject *q, size_t more)
{
    const struct timespec pause = { .tv_nsec = PAUSE_NS };
    uint64_t door = load_relaxed(&q->door);

    for (unsigned looks = 1;; looks++) {
        uint64_t after = door + more * ONE;
        if (!(door & HELD) &&
            cas_seq_cst(&q->door, &door, after | HELD)) /* [D], [W] */
            return after;
        if (looks % LOOKS)
            cpu_pause();
        else
            nanosleep(&pause, NULL);
        door = load_relaxed(&q->door);
    }
}

uint64_t wf_inject_enter(struct inject *q, struct task_list *list)
{
    uint64_t door = hold_door(q, list->count);

    task_list_join(&q->came, list);
    return door;
}

void wf_inject_leave(struct inject *q, uint64_t door)
{
    store_release(&q->door, door); /* [D], [W] */
}

struct task *wf_inject_enter_last(struct inject *q, uint64_t *door)
{
    if (!load_relaxed(&q->door))
        return NULL;
    *door = hold_door(q, 1);
    struct task *last = q->came.last;
    if (!last)
        wf_inject_leave_last(q, *door);
    return last;
}

void wf_inject_leave_last(struct inject *q, uint64_t door)
{
    wf_inject_leave(q, door - ONE);
}

void wf_inject_put_first(struct inject *q, struct task *task)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    pthread_mutex_lock(&q->lock);
    task_list_join(&list, &q->list);
    q->list = list;
    store_seq_cst(&q->count, q->list.count * q->weight); /* [W] */
    pthread_mutex_unlock(&q->lock);
}

/* Under the lock: all that came. */
static void fetch(struct inject *q)
{
    uint64_t counted = hold_door(q, 0) / ONE;

    if (q->came.count)
        q->weight = counted / q->came.count;
    store_relaxed(&q->count, counted); /* [W] */
    task_list_join(&q->list, &q->came);
    wf_inject_leave(q, 0);
}

/* The first ones, at most so many. They came from another core, and those that
 * came one after the other often lie one after the other. */
static struct task_list cut(struct task_list *list, size_t most)
{
    struct task_list taken = *list;
    struct task *last = list->first;

    if (list->count <= most) {
        *list = (struct task_list){ 0 };
        return taken;
    }
    for (size_t i = 1; i < most; i++) {
        __builtin_prefetch((char *)last + AHEAD);
        last = last->next;
    }
    taken.count = most;
    taken.last = last;
    list->first = last->next;
    list->count -= most;
    last->next = NULL;
    return taken;
}

struct task_list wf_inject_take(struct inject *q, size_t most)
{
    struct task_list taken = { 0 };

    if (!wf_inject_has(q))
        return taken;
    pthread_mutex_lock(&q->lock);
    if (!q->list.first)
        fetch(q);
    taken = cut(&q->list, most > q->weight ? most / q->weight : 1);
    store_relaxed(&q->count, q->list.count * q->weight);
    pthread_mutex_unlock(&q->lock);
    return taken;
}

size_t wf_inject_visible(struct inject *q)
{
    size_t came = load_seq_cst(&q->door) / ONE; /* [W] */

    return came + load_seq_cst(&q->count); /* [W] */
}
