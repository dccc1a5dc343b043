/* task.h: the unit the scheduler moves around. It knows nothing of graphs. */
#ifndef WEFT_SCHED_TASK_H
#define WEFT_SCHED_TASK_H
#include <stdbool.h>

#include "weft/base.h"

/* Embedded in whatever is to be run. A task is in one place at a time: in one
 * deque, in one list, or running. */
struct task {
    /* Returns the task that the worker runs next without queueing it, or NULL.
     * After the return the scheduler does not touch this task again, so run()
     * may free it or make it ready anew. */
    struct task *(*run)(weft_worker *self, struct task *task);
    struct task *next; /* in a list */
};

/* A chain of tasks, oldest first. Zero is empty. */
struct task_list {
    struct task *first, *last;
    size_t count;
};

static inline void task_list_add(struct task_list *list, struct task *task)
{
    task->next = NULL;
    if (list->last)
        list->last->next = task;
    else
        list->first = task;
    list->last = task;
    list->count++;
}

static inline struct task *task_list_take(struct task_list *list)
{
    struct task *task = list->first;
    if (task) {
        list->first = task->next;
        if (!list->first)
            list->last = NULL;
        list->count--;
    }
    return task;
}

/* False: it is not in the list. */
static inline bool task_list_remove(struct task_list *list, struct task *task)
{
    struct task *before = NULL, *at = list->first;

    for (; at && at != task; at = at->next)
        before = at;
    if (!at)
        return false;
    if (before)
        before->next = task->next;
    else
        list->first = task->next;
    if (list->last == task)
        list->last = before;
    list->count--;
    return true;
}

/* There are more than `number`. */
static inline struct task *task_list_take_nth(struct task_list *list,
                                              size_t number)
{
    struct task *task = list->first;

    while (number--)
        task = task->next;
    task_list_remove(list, task);
    return task;
}

/* Moves all of `from` to the end of `to`. */
static inline void task_list_join(struct task_list *to, struct task_list *from)
{
    if (!from->first)
        return;
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last;
    to->count += from->count;
    *from = (struct task_list){ 0 };
}
#endif
