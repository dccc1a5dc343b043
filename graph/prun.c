/* prun.c: a run of a pipeline from start to destroy, and what it counts. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/pipeline.h"

static void destroy_run(struct weft_run *base)
{
    struct pipeline_run *run = (struct pipeline_run *)base;
    const struct pipeline_plan *plan = run->plan;

    for (unsigned i = 0; run->segments && i < plan->segment_count; i++)
        wf_segment_finish(&run->segments[i]);
    for (unsigned i = 0; run->stages && i < plan->stage_count; i++) {
        wf_limit_finish(&run->stages[i].limit);
        wf_turn_finish(&run->stages[i].turn);
    }
    free(run->segments);
    free(run->stages);
    free(run->counts);
    free(run);
}

/* On cache lines of its own. */
static void *zeroed(size_t n, size_t bytes)
{
    size_t lines = (n * bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, lines);
    return memory ? memset(memory, 0, lines) : NULL;
}

static int init_stage(struct pipeline_run *run, unsigned number)
{
    const struct stage *stage = &run->plan->stages[number];
    struct stage_run *sr = &run->stages[number];
    unsigned tokens = stage->kind == SOURCE ? 1
                      : stage->tokens       ? stage->tokens
                                            : run->workers;

    sr->stage = stage;
    sr->run = run;
    sr->end.run = wf_feed_rest;
    wf_limit_init(&sr->limit, tokens);
    if (!stage->ordered || stage->kind == CONSUMER)
        return 0;
    return wf_turn_init(&sr->turn, run->plan->segments[stage->segment].slots);
}

static int init_run(struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run->plan;
    const struct stage *last = &plan->stages[plan->stage_count - 1];
    int rc = 0;

    run->stages = zeroed(plan->stage_count, sizeof *run->stages);
    run->counts =
        zeroed((size_t)plan->stage_count * run->workers, sizeof *run->counts);
    run->segments = zeroed(plan->segment_count, sizeof *run->segments);
    if (!run->stages || !run->counts || !run->segments)
        return -ENOMEM;

    /* All of them, so that destroy_run can finish all of them. */
    for (unsigned i = 0; i < plan->segment_count; i++) {
        bool ordered = i + 1 == plan->segment_count && last->kind == CONSUMER &&
                       last->ordered;
        if (wf_segment_init(&run->segments[i], &plan->segments[i], run, i,
                            ordered))
            rc = -ENOMEM;
    }
    for (unsigned i = 0; i < plan->stage_count; i++)
        if (init_stage(run, i))
            rc = -ENOMEM;
    if (rc)
        return rc;

    run->source.run = wf_feed_source;
    run->source_slot = wf_segment_first(&run->segments[0]);
    for (unsigned i = 0; i < plan->stage_count; i++)
        if (plan->stages[i].kind == GATHER)
            run->stages[i].batch =
                wf_segment_first(&run->segments[plan->stages[i].segment + 1]);
    return 0;
}

static int start(struct weft_run **out, weft_sched *sched,
                 const weft_plan *base, weft_error *why)
{
    struct pipeline_run *run = zeroed(1, sizeof *run);

    if (!run)
        return wf_error(why, -ENOMEM, "no memory for a run");
    run->plan = (const struct pipeline_plan *)base;
    run->workers = weft_sched_workers(sched);
    int rc = init_run(run);
    if (rc) {
        destroy_run(&run->run);
        return wf_error(why, rc, "no memory for the slots of a run");
    }
    wf_run_init(&run->run, sched, base);
    *out = &run->run;
    wf_ready(sched, NULL, &run->source);
    return 0;
}

void wf_pipeline_stop(struct pipeline_run *run, weft_worker *self,
                      unsigned segment, uint64_t number)
{
    store_relaxed(&run->draining, true);
    for (unsigned i = 0; i <= segment; i++) {
        struct task_list out =
            wf_segment_cancel(&run->segments[i], i < segment ? 0 : number);
        for (struct task *task; (task = task_list_take(&out));)
            wf_flow_finish(self, slot_of_task(task));
    }
}

static void drain(struct weft_run *base)
{
    store_relaxed(&((struct pipeline_run *)base)->draining, true);
}

static void cancel(struct weft_run *base)
{
    struct pipeline_run *run = (struct pipeline_run *)base;

    wf_run_fail(base, -ECANCELED, "the run was cancelled");
    wf_pipeline_stop(run, wf_worker_here(), run->plan->segment_count - 1, 0);
}

static void destroy_plan(weft_plan *base)
{
    struct pipeline_plan *plan = (struct pipeline_plan *)base;

    for (unsigned i = 0; plan->stages && i < plan->stage_count; i++)
        free(plan->stages[i].name);
    free(plan->stages);
    free(plan->segments);
    free(plan);
}

const struct plan_kind wf_pipeline_kind = {
    .start = start,
    .drain = drain,
    .cancel = cancel,
    .destroy_run = destroy_run,
    .destroy_plan = destroy_plan,
};

int weft_run_flow(struct weft_run *base, unsigned segment,
                  struct weft_flow *out)
{
    struct pipeline_run *run = (struct pipeline_run *)base;

    if (base->plan->kind != &wf_pipeline_kind)
        return -EINVAL;
    if (segment >= run->plan->segment_count)
        return -ERANGE;
    wf_segment_flow(&run->segments[segment], out);
    return 0;
}

int weft_run_stage(struct weft_run *base, unsigned number,
                   struct weft_stage_stats *out)
{
    struct pipeline_run *run = (struct pipeline_run *)base;
    uint64_t arrived = 0, started = 0;

    if (base->plan->kind != &wf_pipeline_kind)
        return -EINVAL;
    if (number >= run->plan->stage_count)
        return -ERANGE;
    const struct stage_run *sr = &run->stages[number];
    *out = (struct weft_stage_stats){
        .name = sr->stage->name,
        .tokens = sr->limit.tokens,
        .running = wf_limit_in_use(&sr->limit),
        .peak = load_relaxed(&sr->limit.peak),
    };
    for (unsigned w = 0; w < run->workers; w++) {
        const struct stage_counts *c =
            &run->counts[w * run->plan->stage_count + number];
        arrived += load_relaxed(&c->arrived);
        started += load_relaxed(&c->started);
        out->done += load_relaxed(&c->done);
        out->filtered += load_relaxed(&c->filtered);
        out->failed += load_relaxed(&c->failed);
        out->token_wait_ns += load_relaxed(&c->token_wait_ns);
        out->ready_wait_ns += load_relaxed(&c->ready_wait_ns);
        out->run_ns += load_relaxed(&c->run_ns);
        out->pending_wait_ns += load_relaxed(&c->pending_wait_ns);
    }
    out->waiting = arrived > started ? (unsigned)(arrived - started) : 0;
    return 0;
}
