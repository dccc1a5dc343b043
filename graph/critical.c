/* critical.c: when the nodes of a run executed, and which of them set its time.
 *
 * Each node after the one before, of all such rows of nodes: the one whose
 * times add up to most. However many workers there are, no run is shorter that
 * takes these times. Where nodes choose, what leads back is not followed, and a
 * node has the time of all its executions.
 *
 * A node is written by the worker that has it, and its executions come one
 * after the other; the numbers are atomic for who looks meanwhile. */
#include "graph/critical.h"

#include <errno.h>
#include <stdlib.h>

#include "graph/dagrun.h"

void wf_node_begins(struct dag_run *run, uint32_t index)
{
    struct node_times *t = &run->times[index];
    uint64_t runs = load_relaxed(&t->runs);

    t->since = wf_now_ns();
    if (!runs)
        store_relaxed(&t->begin, t->since - run->began);
    store_relaxed(&t->runs, runs + 1);
}

void wf_node_ends(struct dag_run *run, uint32_t index)
{
    struct node_times *t = &run->times[index];
    uint64_t now = wf_now_ns();

    if (!t->since)
        return;
    store_relaxed(&t->end, now - run->began);
    store_relaxed(&t->spent, load_relaxed(&t->spent) + now - t->since);
    t->since = 0;
}

struct search {
    uint64_t *longest; /* up to the end of each node */
    uint32_t *from;    /* the node before it there; itself: it is the first */
    uint32_t *missing; /* nodes before it that were not looked at */
    uint32_t *queue;   /* nodes without these */
};

/* Nodes after all that is before them. */
static uint32_t search(const struct dag_run *run, struct search *s)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    uint32_t tail = 0, last = 0;

    for (uint32_t i = 0; i < plan->node_count; i++) {
        s->missing[i] = plan->node[i].before;
        s->from[i] = i;
        if (!s->missing[i])
            s->queue[tail++] = i;
    }
    for (uint32_t head = 0; head < tail; head++) {
        uint32_t i = s->queue[head];
        s->longest[i] += load_relaxed(&run->times[i].spent);
        if (s->longest[i] > s->longest[last])
            last = i;
        const uint32_t *edge = wf_dag_edges(plan, i);
        while (edge < wf_dag_edges(plan, i + 1)) {
            uint32_t to = *edge++;
            if (s->longest[i] > s->longest[to]) {
                s->longest[to] = s->longest[i];
                s->from[to] = i;
            }
            if (--s->missing[to] == 0)
                s->queue[tail++] = to;
        }
    }
    return last;
}

/* From its last node back to the first. */
static void trace(struct critical_path *path, const struct dag_plan *plan,
                  const uint32_t *from, uint32_t last)
{
    for (uint32_t i = 0; i < plan->node_count; i++)
        path->next[i] = NOT_ON_PATH;
    if (!path->ns)
        return;
    path->next[last] = last;
    path->nodes = last < plan->drawn_count;
    for (uint32_t at = last; from[at] != at; at = from[at]) {
        path->next[from[at]] = at;
        path->nodes += from[at] < plan->drawn_count;
    }
}

int wf_critical_path(struct critical_path *out, const struct dag_run *run)
{
    const struct dag_plan *plan = wf_dag_plan_of(run);
    size_t n = plan->node_count;
    struct search s = {
        .longest = calloc(n, sizeof *s.longest),
        .from = malloc(n * sizeof *s.from),
        .missing = malloc(n * sizeof *s.missing),
        .queue = malloc(n * sizeof *s.queue),
    };
    int rc = s.longest && s.from && s.missing && s.queue ? 0 : -ENOMEM;

    *out = (struct critical_path){ .next = malloc(n * sizeof *out->next) };
    if (!out->next)
        rc = -ENOMEM;
    if (!rc) {
        uint32_t at = search(run, &s);
        out->ns = s.longest[at];
        trace(out, plan, s.from, at);
    } else {
        free(out->next);
    }
    free(s.longest);
    free(s.from);
    free(s.missing);
    free(s.queue);
    return rc;
}
