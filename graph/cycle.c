/* cycle.c: says where the cycle is, as a path of names.
 *
 * Every node that is left after the topological pass has one that is left
 * before it. So walk backwards: after as many steps as there are nodes, we have
 * gone round a cycle at least once, and are on it. The path is told forwards
 * and starts at the task of the cycle that was drawn first.
 *
 * A choice is no edge here: a loop through one is what it is for. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "graph/dag.h"
#include "graph/drawing.h"
#include "sched/sched.h"

enum {
    WHOLE = 8,    /* longer cycles are told by their first and last tasks */
    FIRST = 4,    /* so many of the first */
    LAST = 3,     /* and so many of the last */
    LENGTH = 200, /* of a sentence; else its names are cut */
    SHORT = 20,   /* to so many bytes */
};

struct sentence {
    size_t length;
    char text[2048]; /* more than WHOLE + 1 labels */
};

static void add(struct sentence *s, const struct dag_plan *plan, uint32_t node,
                const char *arrow, size_t most)
{
    struct label label = wf_label(wf_dag_name(plan, node), node);

    if (strlen(label.text) > most)
        memcpy(label.text + most - 3, "...", 4);
    s->length +=
        (size_t)snprintf(s->text + s->length, sizeof s->text - s->length,
                         "%s%s", arrow, label.text);
}

/* The cycle from `start` along next[]. */
static struct sentence tell(const struct dag_plan *plan, const uint32_t *next,
                            uint32_t start, uint32_t steps, size_t most)
{
    struct sentence s = { 0 };
    uint32_t node = start;

    if (steps > WHOLE)
        s.length =
            (size_t)snprintf(s.text, sizeof s.text, "cycle of %u tasks", steps);
    else
        s.length = (size_t)snprintf(s.text, sizeof s.text, "cycle");
    for (uint32_t i = 0; i < steps; i++, node = next[node]) {
        if (steps <= WHOLE || i < FIRST || i >= steps - LAST)
            add(&s, plan, node, i ? " -> " : ": ", most);
        else if (i == FIRST)
            s.length += (size_t)snprintf(s.text + s.length,
                                         sizeof s.text - s.length, " -> ...");
    }
    add(&s, plan, start, " -> ", most);
    return s;
}

int wf_cycle_error(const struct dag_plan *plan, uint32_t count, uint32_t *left,
                   uint32_t *scratch, weft_error *why)
{
    uint32_t *before = scratch, *next = left;
    uint32_t node = 0;

    for (uint32_t from = 0; from < count; from++) {
        if (!left[from])
            continue;
        node = from;
        const uint32_t *end = wf_dag_edges(plan, from + 1);
        for (const uint32_t *to = wf_dag_edges(plan, from); to < end; to++)
            before[*to] = from;
    }
    for (uint32_t i = 0; i < count; i++)
        node = before[node];

    uint32_t at = node, start = node, steps = 0;
    do {
        next[before[at]] = at;
        at = before[at];
        if (at < start)
            start = at;
        steps++;
    } while (at != node);

    struct sentence s = tell(plan, next, start, steps, sizeof s.text);
    if (s.length > LENGTH)
        s = tell(plan, next, start, steps, SHORT);
    return wf_error(why, -EINVAL, "%s%s", s.text,
                    plan->conditional ? "; only a choice may lead back" : "");
}
