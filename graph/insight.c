/* insight.c: what a run of a pipeline says of itself: flows, stages, budget. */
#include <errno.h>
#include <string.h>

#include "graph/pipeline.h"

int weft_run_flow(struct weft_run *base, unsigned segment,
                  struct weft_flow *out)
{
    struct pipeline_run *run = pipeline_of(base);

    if (!run)
        return -EINVAL;
    if (segment >= run->plan->segment_count)
        return -ERANGE;
    wf_segment_flow(&run->segments[segment], out);
    return 0;
}

/* Those who have a limit of several tokens count them there. */
static void tokens_of(struct stage_run *sr, struct weft_stage_stats *out)
{
    if (sr->stage->use_count) {
        struct weft_limit_stats own;
        weft_limit_stats(&sr->own, &own);
        out->tokens = own.tokens == WEFT_UNLIMITED ? 0 : own.tokens;
        out->running = own.in_use;
        out->peak = own.peak;
        return;
    }
    unsigned tokens = load_relaxed(&sr->limit.tokens);
    out->tokens = tokens == WEFT_UNLIMITED ? 0 : tokens;
    out->running = wf_hand_in_use(sr);
    out->peak = load_relaxed(&sr->limit.peak);
}

static void merge_stats(struct stage_run *sr, double ns,
                        struct weft_stage_stats *out)
{
    struct merge *m = &sr->merge;

    pthread_mutex_lock(&m->lock);
    out->in = m->in;
    out->done = m->done;
    wf_durations_tell(&m->waited, ns, &out->output_wait_ns, &out->latency);
    pthread_mutex_unlock(&m->lock);
    out->waiting = (unsigned)(out->in - out->done);
}

/* One that is fed from outside is counted by those who feed it. */
static void add_fed(struct stage_run *sr, struct weft_stage_stats *out)
{
    uint64_t fed = load_relaxed(&sr->fed);

    out->in += fed;
    out->done += fed;
    out->waiting = 0;
}

/* Those who fill slots wait for one. */
static uint64_t blocked(struct stage_run *sr)
{
    const struct stage *stage = sr->stage;
    unsigned segment = stage->segment;

    if (stage->kind == GATHER || stage->kind == SCATTER)
        segment = sr->run->plan->segments[segment].into;
    else if (stage->kind != SOURCE)
        return 0;
    return wf_segment_blocked(&sr->run->segments[segment]);
}

int weft_run_stage(struct weft_run *base, unsigned number,
                   struct weft_stage_stats *out)
{
    struct pipeline_run *run = pipeline_of(base);
    struct weft_sink_stats sink;

    if (!run)
        return -EINVAL;
    if (number >= run->plan->shown_count)
        return -ERANGE;
    unsigned at = run->plan->shown[number];
    struct stage_run *sr = &run->stages[at];
    double ns = wf_pipeline_ns_per_tick(run);

    *out = (struct weft_stage_stats){ .name = sr->stage->name };
    uint64_t started = wf_counts_add_up(&run->counts, at, ns, out);
    out->waiting = out->in > started ? (unsigned)(out->in - started) : 0;
    out->output_wait_ns += (uint64_t)((double)blocked(sr) * ns);
    switch (sr->stage->kind) {
    case MERGE:
        merge_stats(sr, ns, out);
        break;
    case CONSUMER:
        weft_run_sink(base, &sink);
        out->output_wait_ns = sink.ready_ns;
        out->latency = sink.ready_latency;
        break;
    case SOURCE:
        add_fed(sr, out);
        tokens_of(sr, out);
        break;
    default:
        tokens_of(sr, out);
        break;
    }
    return 0;
}

int weft_run_budget(struct weft_run *base, struct weft_budget_stats *out)
{
    struct pipeline_run *run = pipeline_of(base);

    if (!run)
        return -EINVAL;
    pthread_mutex_lock(&run->budget.lock);
    *out = (struct weft_budget_stats){
        .budget = run->budget.bytes,
        .used = run->budget.used,
        .peak = run->budget.peak,
        .waiting = (unsigned)run->budget.waiting.count,
    };
    pthread_mutex_unlock(&run->budget.lock);
    return 0;
}

int weft_set_tokens(struct weft_run *base, const char *name, unsigned tokens)
{
    struct pipeline_run *run = pipeline_of(base);
    unsigned i = 0;

    if (!run || !tokens)
        return -EINVAL;
    while (i < run->plan->stage_count &&
           strcmp(run->plan->stages[i].name, name) != 0)
        i++;
    if (i == run->plan->stage_count)
        return -ENOENT;
    struct stage_run *sr = &run->stages[i];
    if (sr->stage->kind != STAGE && sr->stage->kind != ROUTER)
        return -EINVAL;
    if (sr->stage->use_count) {
        weft_limit_set(&sr->own, tokens);
        return 0;
    }
    struct task_list ready = wf_limit_set(&sr->limit, tokens);
    for (struct task *task = ready.first; task; task = task->next)
        slot_of_task(task)->ready = ticks_of(slot_of_task(task));
    if (ready.first)
        wf_inject(run->run.sched, &ready);
    wf_hand_return(wf_worker_here(), sr);
    return 0;
}
