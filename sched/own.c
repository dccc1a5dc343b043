/* own.c: what a task asks of its worker's deque, and of those of others, beside
 * pushing: for functions that wait for what they have pushed.
 *
 * What was pushed last is popped first. So a task that the worker itself pushed
 * and that nobody took is at the bottom, under what was pushed later and is
 * still there: popping finds it, or shows that another thread has it. What lay
 * above it goes back as it was. Thieves do not see that for a moment, nor does
 * a worker that looks for the last time before it sleeps: so it is announced
 * like anything that is pushed, [W] in park.c. */
#include "sched/worker.h"

inline bool wf_push_own(weft_worker *self, struct task *task)
{
    if (!wf_deque_push(&self->deque, task))
        return false;
    wf_tell_sleepers(self);
    return true;
}

/* The same where `above`, which has been popped, lies above the task. */
static __attribute__((noinline)) bool
take_from_below(weft_worker *self, struct task *above, struct task *task)
{
    struct task_list back = { .first = above, .last = above, .count = 1 };
    struct task *next;

    above->next = NULL;
    while ((next = wf_deque_pop(&self->deque)) && next != task) {
        next->next = back.first;
        back.first = next;
        back.count++;
    }
    wf_push_list(self, &back);
    return next;
}

inline bool wf_take_back(weft_worker *self, struct task *task)
{
    struct task *youngest = wf_deque_pop(&self->deque);

    if (youngest == task)
        return true;
    return youngest && take_from_below(self, youngest, task);
}

struct task *wf_take_alike(weft_worker *self,
                           struct task *(*run)(weft_worker *, struct task *))
{
    if (wf_lend_called(self) || wf_inject_has(&self->mail))
        return NULL; /* these come before anything of the deque */
    struct task *task = wf_deque_pop(&self->deque);
    if (!task || task->run == run)
        return task;
    wf_push(self, task);
    return NULL;
}

bool wf_may_share(weft_worker *self)
{
    return self->sched->worker_count > 1 && !wf_deque_visible(&self->deque);
}

struct task *wf_steal_from(weft_worker *self, weft_worker *victim)
{
    struct task *task = self == victim ? wf_deque_pop_oldest(&self->deque)
                                       : wf_steal_oldest(victim);

    if (task)
        count_one(&self->steals, 1);
    return task;
}

struct task *wf_take_elsewhere(weft_worker *self)
{
    struct task *task = wf_steal(self);

    for (unsigned i = 0; !task && i < self->sched->group_count; i++)
        task = wf_take_injected(self, i);
    return task;
}
