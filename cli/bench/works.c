/* works.c: the same work in three forms, to be done by any number of workers.
 *
 * A task is ten microseconds of work. As children, spawned by halves; as a
 * graph in layers, each task after four of the layer before that lie far apart,
 * so that what one worker has done is soon needed by all; and as a pipeline of
 * four stages. Each has so many tasks that the last ones, at which not all can
 * be busy, do not count for much. */
#include "cli/bench/works.h"

#include <stdlib.h>

#include "cli/bench/clock.h"
#include "cli/bench/work.h"

enum { FORK_JOIN, DAG, PIPELINE, STAGES = 4, PREDECESSORS = 4 };
static const double task_ns = 10e3;

struct half {
    const struct works *works;
    size_t tasks;
};

static int halves(weft_worker *self, void *half_)
{
    const struct half *h = half_;
    if (h->tasks == 1) {
        work_rounds(h->works->rounds);
        return 0;
    }
    struct half a = { h->works, h->tasks / 2 };
    struct half b = { h->works, h->tasks - a.tasks };
    struct weft_child child = { .fn = halves, .ctx = &a };
    int spawned = weft_spawn(self, &child);
    int rc = halves(self, &b);
    int synced = spawned ? spawned : weft_sync(self, &child);
    return rc ? rc : synced;
}

static int task(weft_worker *self, void *works)
{
    work_rounds(((const struct works *)works)->rounds);
    return 0;
}

static int draw_dag(struct works *w, size_t width, weft_error *why)
{
    weft_graph *g = weft_graph_create();
    size_t count = w->tasks[DAG];
    weft_node first =
        weft_tasks(g, weft_config(task, .fn = task, .ctx = w), count, 0);

    for (size_t i = width; i < count; i++) {
        weft_node before[PREDECESSORS];
        size_t layer = i / width * width;
        for (size_t k = 0; k < PREDECESSORS; k++)
            before[k] = weft_nth(
                first, layer - width + (i + k * width / PREDECESSORS) % width);
        weft_depend(g, weft_nth(first, i), before, PREDECESSORS);
    }
    int rc = weft_compile(&w->dag, g, why);
    weft_graph_destroy(g);
    return rc;
}

struct number {
    size_t number;
};

static int give(weft_worker *self, void *item, void *works)
{
    struct works *w = works;
    if (w->given == w->items)
        return WEFT_END;
    ((struct number *)item)->number = w->given++;
    return 0;
}

static int stage(weft_worker *self, void *item, void *works)
{
    return task(self, works);
}

static int draw_pipeline(struct works *w, unsigned workers, weft_error *why)
{
    static const char *const names[STAGES] = { "one", "two", "three", "four" };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct number),
                                         .slots = 8 * workers }));
    weft_source(p, "numbers", give, w);
    for (size_t i = 0; i < STAGES; i++)
        weft_stage(p,
                   weft_config(stage, .name = names[i], .fn = stage, .ctx = w));
    int rc = weft_pipeline_compile(&w->pipeline, p, why);
    weft_pipeline_destroy(p);
    return rc;
}

int works_init(struct works *w, unsigned workers, double rounds_per_ns,
               bool quick, weft_error *why)
{
    size_t least = quick ? 1024 : 8192, width = 8 * (size_t)workers;
    size_t tasks = (quick ? 64 : 128) * (size_t)workers;

    tasks = tasks < least ? least : tasks;
    *w = (struct works){
        .rounds = (uint64_t)(task_ns * rounds_per_ns),
        .items = tasks / STAGES,
        .tasks = { tasks, tasks / width * width, tasks / STAGES * STAGES },
    };
    int rc = draw_dag(w, width, why);
    return rc ? rc : draw_pipeline(w, workers, why);
}

void works_finish(struct works *w)
{
    weft_plan_destroy(w->dag);
    weft_plan_destroy(w->pipeline);
}

int works_run(struct works *w, size_t work, weft_sched *sched, double *ns,
              weft_error *why)
{
    double start = now_ns();
    struct half all = { w, w->tasks[FORK_JOIN] };
    int rc;

    w->given = 0;
    if (work == FORK_JOIN)
        rc = weft_call(sched, halves, &all, why);
    else
        rc = weft_run(sched, work == DAG ? w->dag : w->pipeline, why);
    *ns = now_ns() - start;
    return rc;
}

static int loop(weft_worker *self, void *half)
{
    const struct half *h = half;
    for (size_t i = 0; i < h->tasks; i++)
        work_rounds(h->works->rounds);
    return 0;
}

int works_plain(struct works *w, size_t work, weft_sched *sched, double *ns,
                weft_error *why)
{
    struct half all = { w, w->tasks[work] };
    double start = now_ns();
    int rc = weft_call(sched, loop, &all, why);
    *ns = now_ns() - start;
    return rc;
}
