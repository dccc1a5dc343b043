/* map.c: a graph in the terms of picture.h, with the times of a run, and what
 * may be asked of one task of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "graph/critical.h"
#include "graph/dagrun.h"
#include "graph/line.h"
#include "graph/map.h"
#include "weft/insight.h"

struct map {
    const struct picture *picture;
    const struct dag_plan *plan;
    struct dag_run *run; /* or NULL: one that has times */
    struct critical_path path;
};

static void put_time(struct line *line, uint64_t ns)
{
    if (ns < 10000)
        wf_put(line, "%" PRIu64 " ns", ns);
    else if (ns < 10000000)
        wf_put(line, "%.1f us", (double)ns / 1e3);
    else
        wf_put(line, "%.1f ms", (double)ns / 1e6);
}

static void put_also(struct line *line, const char *what)
{
    wf_put(line, "%s%s", line->length ? ", " : "", what);
}

/* What the task is, where it does more than call a function. */
static void put_kind(struct line *line, const struct map *m, uint32_t i)
{
    const struct dag_node *node = &m->plan->node[i];
    const struct special *s = node->fn == wf_special_node ? node->ctx : NULL;

    if (s && s->plan)
        put_also(line, "runs a plan");
    if (s && s->draw)
        put_also(line, "draws a graph");
    if (s && s->io)
        put_also(line, "I/O");
    if (s && s->choose)
        put_also(line, "chooses");
    for (unsigned k = 0; s && k < s->use.count; k++) {
        const struct weft_use *use = &s->use.uses[k];
        wf_put(line, "%stakes %u of '%s'", line->length ? ", " : "",
               use->tokens ? use->tokens : 1, wf_limit_name(use->limit));
    }
    if (m->plan->priority && m->plan->priority[i])
        wf_put(line, "%spriority %d", line->length ? ", " : "",
               m->plan->priority[i]);
}

static void put_run(struct line *line, const struct map *m, uint32_t i)
{
    const struct node_times *t = &m->run->times[i];
    uint64_t runs = load_relaxed(&t->runs), end = load_relaxed(&t->end);

    if (line->length)
        wf_put(line, "\n");
    if (!runs) {
        wf_put(line, "did not run");
        return;
    }
    if (!end) {
        wf_put(line, "runs");
        return;
    }
    if (runs > 1)
        wf_put(line, "%" PRIu64 " times, ", runs);
    put_time(line, load_relaxed(&t->spent));
    wf_put(line, ", from ");
    put_time(line, load_relaxed(&t->begin));
    wf_put(line, " to ");
    put_time(line, end);
}

static void draw_node(const struct map *m, uint32_t i)
{
    const struct dag_node *node = &m->plan->node[i];
    const struct special *s = node->fn == wf_special_node ? node->ctx : NULL;
    struct label label = wf_dag_label(m->plan, i);
    struct line more = { "", 0 };

    put_kind(&more, m, i);
    if (m->run)
        put_run(&more, m, i);
    wf_picture_node(m->picture, i,
                    s && s->choose              ? CHOOSES
                    : s && (s->plan || s->draw) ? MAKES_MANY
                                                : DOES,
                    label.text, more.text,
                    m->run && m->path.next[i] != NOT_ON_PATH);
}

static void draw_edges(const struct map *m, uint32_t i)
{
    const struct dag_node *node = &m->plan->node[i];

    const uint32_t *edge = wf_dag_edges(m->plan, i);
    while (edge < wf_dag_edges(m->plan, i + 1)) {
        uint32_t to = *edge++;
        bool marked = m->run && m->path.next[i] == to;
        if (to < m->plan->drawn_count)
            wf_picture_edge_as(m->picture, i, to, "", marked ? MARKED : PLAIN);
    }
    const struct special *s = node->fn == wf_special_node ? node->ctx : NULL;
    for (uint32_t k = 0; s && k < s->choices; k++) {
        struct line label = { "", 0 };
        if (s->choose)
            wf_put(&label, "%u", k);
        wf_picture_edge_as(m->picture, i, m->plan->choice[s->first_choice + k],
                           label.text, MAY_BE);
    }
}

/* How long it took up to now, or to its end. */
static uint64_t length_of(const struct dag_run *run)
{
    uint64_t last = 0;

    for (uint32_t i = 0; i < wf_dag_plan_of(run)->drawn_count; i++) {
        uint64_t end = load_relaxed(&run->times[i].end);
        last = end > last ? end : last;
    }
    return last;
}

int wf_graph_draw(const struct picture *picture, const weft_plan *plan,
                  struct weft_run *base)
{
    struct dag_run *run = (struct dag_run *)base;
    struct map m = { .picture = picture,
                     .plan = (const struct dag_plan *)plan,
                     .run = run && run->times ? run : NULL };
    struct line title = { "", 0 };
    int rc = m.run ? wf_critical_path(&m.path, run) : 0;

    if (rc)
        return rc;
    if (m.run) {
        wf_put(&title, "the tasks took ");
        put_time(&title, length_of(run));
        wf_put(&title, "; the critical path is marked: %u of them, ",
               m.path.nodes);
        put_time(&title, m.path.ns);
    } else if (run) {
        wf_put(&title, "no times were taken: ask for them with .times");
    }
    wf_picture_begin(picture, run ? title.text : NULL);
    for (uint32_t i = 0; i < m.plan->drawn_count; i++)
        draw_node(&m, i);
    for (uint32_t i = 0; i < m.plan->drawn_count; i++)
        draw_edges(&m, i);
    wf_picture_end(picture);
    free(m.path.next);
    return 0;
}

int weft_run_task(struct weft_run *base, weft_node node,
                  struct weft_task_stats *out)
{
    struct dag_run *run = (struct dag_run *)base;

    if (base->plan->kind->draw != wf_graph_draw)
        return -EINVAL;
    const struct dag_plan *plan = wf_dag_plan_of(run);
    if (node.id < 1 || node.id > plan->drawn_count)
        return -ERANGE;
    if (!run->times)
        return -ENODATA;
    uint32_t i = node.id - 1;
    const struct node_times *t = &run->times[i];
    *out = (struct weft_task_stats){ .name = wf_dag_name(plan, i),
                                     .runs = load_relaxed(&t->runs),
                                     .begin_ns = load_relaxed(&t->begin),
                                     .end_ns = load_relaxed(&t->end),
                                     .spent_ns = load_relaxed(&t->spent) };
    return 0;
}
