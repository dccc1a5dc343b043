/* roots.c: how the first nodes of a run come to the workers.
 *
 * There may be a million of them. In one queue, every worker would take its
 * tasks from there, in turn. So there is a starter for each worker, a task with
 * a part of them. It makes the next few ready, and before them itself:
 *
 *     deque of its worker    oldest                      newest
 *                            starter  root 31  ...  root 2  root 1     root 0
 *                            (32 ...)                                  runs
 *
 * Who steals takes the starter first, and with it all that is left; so nothing
 * is hidden behind a root that takes long, and workers seldom meet. A starter
 * has handed out its last root before that can run, so no run ends before its
 * starters have. */
#include "graph/dagrun.h"

enum { ROOTS_AT_ONCE = 32, MOST_STARTERS = 64 };

struct starter {
    struct task task;
    struct dag_run *run;
    uint32_t next, end; /* of the roots of the plan */
};

static uint32_t most_starters(const struct dag_plan *plan)
{
    uint32_t parts = (plan->root_count - 1) / ROOTS_AT_ONCE + 1;

    return parts < MOST_STARTERS ? parts : MOST_STARTERS;
}

size_t wf_starters_size(const struct dag_plan *plan)
{
    return most_starters(plan) * sizeof(struct starter);
}

static struct task *start_next(weft_worker *self, struct task *task)
{
    struct starter *s = (struct starter *)task; /* its first member */
    struct dag_run *run = s->run;
    const uint32_t *root = wf_dag_plan_of(run)->root;
    struct task *ready[ROOTS_AT_ONCE];
    unsigned count = 0;
    uint32_t first = s->next, next = first + ROOTS_AT_ONCE;

    if (next < s->end) {
        s->next = next;
        ready[count++] = task;
    } else {
        next = s->end;
    }
    while (next > first + 1)
        ready[count++] = &run->node[root[--next]].task;
    if (count)
        wf_push_many(self, ready, count);
    return &run->node[root[first]].task;
}

struct task_list wf_starters(struct dag_run *run)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    uint64_t roots = plan->root_count;
    unsigned n = weft_sched_workers(run->run.sched);
    struct task_list ready = { 0 };

    if (n > most_starters(plan))
        n = most_starters(plan);
    for (unsigned i = 0; i < n; i++) {
        struct starter *s = &run->starters[i];
        *s = (struct starter){ .task.run = start_next,
                               .run = run,
                               .next = (uint32_t)(roots * i / n),
                               .end = (uint32_t)(roots * (i + 1) / n) };
        task_list_add(&ready, &s->task);
    }
    return ready;
}
