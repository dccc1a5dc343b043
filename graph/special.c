/* special.c: nodes of a graph that do more than call a function.
 *
 * What such a node does is in a table of the plan, so that the others have
 * neither a byte nor an instruction more for it; its task starts in node.c
 * instead of walk.c. What it chooses from is a piece of one array, like what is
 * behind it. */
#include "graph/special.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/dagrun.h"
#include "sched/sched.h"

int wf_special_node(weft_worker *self, void *special) { return -ENOSYS; }

static int check(const struct dag_plan *p, uint32_t node, weft_error *why)
{
    const struct special *s = p->node[node].ctx;
    struct label task = wf_dag_label(p, node);

    if (s->choose && !s->choices)
        return wf_error(why, -EINVAL,
                        "task '%s' has nothing to choose from: give it choices "
                        "with weft_choices",
                        task.text);
    if (!s->choose && s->choices > 1)
        return wf_error(why, -EINVAL,
                        "task '%s' has %u choices, and no function that "
                        "chooses",
                        task.text, s->choices);
    return 0;
}

/* Lays out what each node chooses from, in the order of the drawing. */
static int sort_choices(struct dag_plan *p, const weft_graph *g)
{
    uint32_t position = 0;

    if (!g->choice_count)
        return 0;
    p->choice = malloc(g->choice_count * sizeof *p->choice);
    if (!p->choice)
        return -ENOMEM;
    for (size_t i = 0; i < g->choice_count; i++)
        p->special[g->special.of[g->choices[i].from] - 1].choices++;
    for (size_t i = 0; i < g->special_count; i++) {
        p->special[i].first_choice = position;
        position += p->special[i].choices;
        p->special[i].choices = 0;
    }
    for (size_t i = 0; i < g->choice_count; i++) {
        struct special *s = &p->special[g->special.of[g->choices[i].from] - 1];
        p->choice[s->first_choice + s->choices++] = g->choices[i].to;
    }
    return 0;
}

int wf_special_compile(struct dag_plan *p, const weft_graph *g, weft_error *why)
{
    if (!g->special_count)
        return 0;
    p->special = malloc(g->special_count * sizeof *p->special);
    if (!p->special)
        return -ENOMEM;
    memcpy(p->special, g->specials, g->special_count * sizeof *p->special);
    p->special_count = (uint32_t)g->special_count;
    for (size_t i = 0; i < g->special_count; i++)
        if (p->special[i].use.count > p->most_uses)
            p->most_uses = p->special[i].use.count;
    int rc = sort_choices(p, g);
    for (uint32_t i = 0; !rc && i < g->special.count; i++) {
        if (!g->special.of[i])
            continue;
        p->node[i].fn = wf_special_node;
        p->node[i].ctx = &p->special[g->special.of[i] - 1];
        rc = check(p, i, why);
    }
    return rc;
}
