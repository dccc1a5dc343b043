/* prun.c: a run of a pipeline from start to destroy.
 *
 *  [E] The end. A run has parties that may still touch it: its last segment,
 *      until that is over; its deadline, until it was cancelled or has gone
 *      off; and whoever stops it, for so long. Each counts itself out, acq_rel;
 *      the last one ends the run, and has seen all that the others did. Nobody
 *      becomes a party of a run that has none.
 *
 *  [D] A source that waits for something outside is asked to end, by hurrying
 *      its timer, when the run is drained. The store of `draining` and the lock
 *      of the timers are passed by both sides: a source that arms its timer
 *      after it was to be hurried looks at `draining` and hurries it itself. In
 *      the same way a source that waits for a slot is ended at once: who drains
 *      the run finds it hungry under the segment's lock, or it finds the run
 *      drained after it became hungry there. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/pipeline.h"

enum { BLOCKING_TOKENS = 16, IO_TOKENS = 64 };

static void destroy_stage(struct stage_run *sr)
{
    wf_limit_finish(&sr->limit);
    wf_turn_finish(&sr->turn);
    if (sr->stage->kind == FORK)
        wf_router_finish(&sr->router);
    if (sr->stage->kind == MERGE)
        wf_merge_finish(&sr->merge);
    if (sr->made_thread)
        weft_thread_destroy(sr->thread);
}

static void destroy_run(struct weft_run *base)
{
    struct pipeline_run *run = (struct pipeline_run *)base;
    const struct pipeline_plan *plan = run->plan;

    for (unsigned i = 0; run->segments && i < plan->segment_count; i++)
        wf_segment_finish(&run->segments[i]);
    for (unsigned i = 0; run->stages && i < plan->stage_count; i++)
        destroy_stage(&run->stages[i]);
    wf_counts_finish(&run->counts);
    if (run->budget.shares)
        wf_budget_finish(&run->budget);
    free(run->segments);
    free(run->stages);
    free(run->claims);
    free(run->hands);
    free(run->limits);
    free(run);
}

/* On cache lines of its own. */
static void *zeroed(size_t n, size_t bytes)
{
    size_t lines = (n * bytes + 63) / 64 * 64;
    void *memory = aligned_alloc(64, lines);
    return memory ? memset(memory, 0, lines) : NULL;
}

unsigned wf_stage_tokens(const struct stage *stage, unsigned workers)
{
    if (stage->kind == SOURCE || stage->kind == GATHER ||
        stage->kind == SCATTER)
        return 1;
    if (stage->tokens)
        return stage->tokens;
    switch (stage->where) {
    case WEFT_BLOCKING:
        return BLOCKING_TOKENS;
    case WEFT_IO:
        return IO_TOKENS;
    case WEFT_PINNED:
        return 1;
    case WEFT_CPU:
        break;
    }
    return workers;
}

/* Its own tokens are one more limit among those that it takes of. */
static void init_uses(struct stage_run *sr, unsigned tokens)
{
    const struct stage *stage = sr->stage;

    if (!stage->use_count)
        return;
    wf_named_limit_init(&sr->own, stage->name, tokens);
    sr->uses[0] = (struct weft_use){ .limit = &sr->own, .tokens = 1 };
    memcpy(sr->uses + 1, stage->uses, stage->use_count * sizeof sr->uses[0]);
}

static int init_router(struct stage_run *sr)
{
    int rc = wf_router_init(&sr->router, sr->stage->lane_count);

    for (unsigned i = 0; !rc && i < sr->stage->lane_count; i++)
        sr->router.paths[i].slots = sr->stage->lanes[i].slots;
    return rc;
}

static int init_merge(struct stage_run *sr)
{
    const struct pipeline_plan *plan = sr->run->plan;
    const struct stage *stage = sr->stage;
    int rc = wf_merge_init(&sr->merge, stage->lane_count, stage->in_turns);

    for (unsigned i = 0; !rc && i < plan->segment_count; i++) {
        const struct segment_plan *from = &plan->segments[i];
        struct merge_input *input = &sr->merge.inputs[from->lane];
        if (from->into != stage->segment)
            continue;
        input->weight = stage->lanes[from->lane].weight;
        if (stage->ordered)
            rc = wf_turn_init(&input->turn, from->items.slots);
    }
    return rc;
}

static int init_stage(struct pipeline_run *run, unsigned number,
                      weft_error *why)
{
    const struct stage *stage = &run->plan->stages[number];
    struct stage_run *sr = &run->stages[number];
    unsigned tokens = wf_stage_tokens(stage, run->workers);
    int rc = 0;

    sr->end.run = stage->kind == GATHER ? wf_gather_end : wf_scatter_end;
    wf_limit_init(&sr->limit, tokens);
    sr->bit = wf_hand_bit(sr, run->workers);
    sr->burst = wf_burst_most(sr);
    init_uses(sr, tokens);
    if (stage->ordered && stage->kind != CONSUMER && stage->kind != MERGE)
        rc = wf_turn_init(&sr->turn,
                          run->plan->segments[stage->segment].items.slots);
    if (stage->kind == FORK && !rc)
        rc = init_router(sr);
    if (stage->kind == MERGE && !rc)
        rc = init_merge(sr);
    if (rc)
        return rc;
    sr->thread = stage->thread;
    if (stage->where != WEFT_PINNED || stage->thread)
        return 0;
    rc = weft_thread_create(&sr->thread, run->run.sched, stage->name, why);
    sr->made_thread = !rc;
    return rc;
}

static struct share share_of(const struct pipeline_plan *plan, unsigned segment)
{
    const struct segment_plan *s = &plan->segments[segment];
    const struct stage *feeder = &plan->stages[s->feeder];
    struct share share = { .into = s->into, .least = s->items.cost };

    for (unsigned i = 0; i < plan->stage_count; i++)
        share.asks |=
            plan->stages[i].bytes && plan->stages[i].segment == segment;
    if (feeder->kind == MERGE && feeder->in_turns) {
        share.in_turns = true;
        share.turn = segment_of_input(plan, segment, 0);
    }
    return share;
}

static int init_segments(struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run->plan;
    size_t slots = 0;
    int rc = 0;

    /* All of them, so that destroy_run can finish all of them. */
    for (unsigned i = 0; i < plan->segment_count; i++) {
        const struct segment_plan *s = &plan->segments[i];
        bool ordered = s->end != NOWHERE &&
                       plan->stages[s->end].kind == CONSUMER &&
                       plan->stages[s->end].ordered;
        if (wf_segment_init(&run->segments[i], &s->items, run, i, ordered))
            rc = -ENOMEM;
        run->segments[i].times = run->times;
        sample_init(&run->segments[i].sample, run->times);
        if (plan->budgeted)
            run->segments[i].budget = &run->budget;
        wf_budget_share(&run->budget, i, share_of(plan, i));
        slots += s->items.slots;
    }
    if (rc || !plan->claims)
        return rc;
    run->claims = zeroed(slots, sizeof *run->claims);
    struct claim *claims = run->claims;
    for (unsigned i = 0; claims && i < plan->segment_count; i++) {
        run->segments[i].claims = claims;
        claims += plan->segments[i].items.slots;
    }
    return claims ? 0 : -ENOMEM;
}

static int init_run(struct pipeline_run *run, weft_error *why)
{
    const struct pipeline_plan *plan = run->plan;

    wf_error(why, 0, "no memory for the slots of a run");
    run->stages = zeroed(plan->stage_count, sizeof *run->stages);
    run->segments = zeroed(plan->segment_count, sizeof *run->segments);
    run->hands = zeroed(run->workers, sizeof *run->hands);
    for (unsigned i = 0; run->stages && i < plan->stage_count; i++) {
        run->stages[i].stage = &plan->stages[i];
        run->stages[i].run = run;
        run->stages[i].plain = wf_stage_is_plain(plan, &plan->stages[i]);
    }
    if (!run->stages || !run->segments || !run->hands ||
        wf_counts_init(&run->counts, run->workers, plan->stage_count) ||
        wf_budget_init(&run->budget, plan->config.budget_bytes,
                       plan->segment_count) ||
        wf_account_begin(run)) {
        free(run->segments); /* none of them is there to be finished */
        run->segments = NULL;
        return -ENOMEM;
    }
    int rc = init_segments(run);
    for (unsigned i = 0; !rc && i < plan->stage_count; i++)
        rc = init_stage(run, i, why);
    return rc;
}

/* What the gathers fill, and what the sources will. */
static void first_slots(struct pipeline_run *run, struct task_list *ready)
{
    const struct pipeline_plan *plan = run->plan;

    for (unsigned i = 0; i < plan->segment_count; i++) {
        unsigned feeder = plan->segments[i].feeder;
        const struct stage *stage = &plan->stages[feeder];
        struct slot *slot = NULL;

        if (stage->kind == GATHER || (stage->kind == SOURCE && !stage->fed))
            slot = wf_feed_take(run, i);
        if (stage->kind == GATHER) {
            run->stages[feeder].hand = slot;
        } else if (slot) {
            slot->ready = ticks_of(slot);
            task_list_add(ready, &slot->task);
        }
    }
}

/* So many parties are out. */
static void count_out(struct pipeline_run *run, unsigned parties)
{
    if (sub_acq_rel(&run->parties, parties) != parties) /* [E] */
        return;
    wf_sched_rivals(run->run.sched, -1);
    wf_run_end(&run->run);
}

/* Becomes a party; false: the run is over. */
static bool count_in(struct pipeline_run *run)
{
    unsigned parties = load_relaxed(&run->parties);

    while (parties && !cas_relaxed(&run->parties, &parties, parties + 1))
        ;
    return parties;
}

void wf_pipeline_over(struct pipeline_run *run)
{
    bool cancelled =
        run->deadline_ms && wf_timer_cancel(run->run.sched, &run->deadline);

    wf_account_end(run);
    count_out(run, cancelled ? 2 : 1);
}

/* A source that waits for something outside is asked to end. */
static void end_inputs(struct pipeline_run *run, weft_worker *self)
{
    const struct pipeline_plan *plan = run->plan;

    store_relaxed(&run->draining, true); /* [D] */
    for (unsigned i = 0; i < plan->segment_count; i++) {
        struct stage_run *sr = &run->stages[plan->segments[i].feeder];
        if (sr->stage->kind != SOURCE)
            continue;
        if (sr->stage->fed) {
            wf_feed_ended(run, self, i, NULL);
            continue;
        }
        wf_segment_hurry_source(&run->segments[i], run->run.sched);
        wf_feed_news(run, self, i, wf_segment_end_hungry(&run->segments[i]));
    }
}

/* Whether what leaves segment `from` comes to segment `to`, or is there. */
static bool leads_to(const struct pipeline_plan *plan, unsigned from,
                     unsigned to)
{
    while (from != to && from != NOWHERE)
        from = plan->segments[from].into;
    return from == to;
}

void wf_pipeline_stop(struct pipeline_run *run, weft_worker *self,
                      unsigned segment, uint64_t ticket)
{
    const struct pipeline_plan *plan = run->plan;

    if (!count_in(run))
        return;
    end_inputs(run, self);
    for (unsigned i = 0; i < plan->segment_count; i++) {
        if (!leads_to(plan, i, segment))
            continue;
        struct task_list out = wf_segment_cancel(
            &run->segments[i], run->run.sched, i == segment ? ticket : 0);
        for (struct task *task; (task = task_list_take(&out));)
            wf_flow_finish(self, slot_of_task(task));
    }
    count_out(run, 1);
}

static struct task *out_of_time(weft_worker *self, struct task *task)
{
    struct pipeline_run *run =
        (struct pipeline_run *)((char *)task -
                                offsetof(struct pipeline_run, deadline) -
                                offsetof(struct timer, task));

    wf_run_fail(&run->run, -ETIMEDOUT,
                "the run took longer than its deadline of %u ms",
                run->deadline_ms);
    wf_pipeline_stop(run, self, run->plan->last, 0);
    count_out(run, 1);
    return NULL;
}

static int start(struct weft_run **out, weft_sched *sched,
                 const weft_plan *base, const struct weft_run_config *config,
                 weft_error *why)
{
    struct pipeline_run *run = zeroed(1, sizeof *run);
    struct task_list ready = { 0 };
    weft_error reason;

    if (!run)
        return wf_error(why, -ENOMEM, "no memory for a run");
    run->plan = (const struct pipeline_plan *)base;
    run->workers = weft_sched_workers(sched);
    run->priority = config->priority ? config->priority : 1;
    run->deadline_ms = config->deadline_ms;
    run->times = run->plan->config.statistics == WEFT_TIMES;
    wf_read_clocks(&run->start_ticks, &run->start_ns);
    run->run.sched = sched;
    run->run.on_end = config->on_end; /* if this fails, `finish` may ask for */
    run->run.end_ctx = config->ctx;   /* the context */
    run->deadline.task.run = out_of_time;
    atomic_init(&run->parties, run->deadline_ms ? 2 : 1);
    int rc = init_run(run, &reason);
    if (rc) {
        destroy_run(&run->run);
        return wf_error(why, rc, "%s", reason.text);
    }
    wf_run_init(&run->run, sched, base, config);
    wf_sched_rivals(sched, 1);
    first_slots(run, &ready);
    if (out)
        *out = &run->run; /* the deadline may end it at once */
    if (run->deadline_ms)
        rc = wf_timeout_start(sched, &run->deadline,
                              run->deadline_ms * (uint64_t)1000000);
    if (rc) {
        if (out)
            *out = NULL;
        wf_sched_rivals(sched, -1);
        wf_run_abandon(&run->run);
        destroy_run(&run->run);
        return wf_error(why, rc, "no thread for the deadline of a run");
    }
    for (struct task *task; (task = task_list_take(&ready));)
        wf_source_queue(NULL, slot_of_task(task), false);
    return 0;
}

static void drain(struct weft_run *base)
{
    struct pipeline_run *run = (struct pipeline_run *)base;

    if (!count_in(run))
        return;
    end_inputs(run, wf_worker_here());
    count_out(run, 1);
}

static void cancel(struct weft_run *base)
{
    struct pipeline_run *run = (struct pipeline_run *)base;

    wf_run_fail(base, -ECANCELED, "the run was cancelled");
    wf_pipeline_stop(run, wf_worker_here(), run->plan->last, 0);
}

static void destroy_plan(weft_plan *base)
{
    struct pipeline_plan *plan = (struct pipeline_plan *)base;

    for (unsigned i = 0; plan->stages && i < plan->stage_count; i++) {
        const struct stage *stage = &plan->stages[i];
        for (unsigned k = 0; stage->lanes && k < stage->lane_count; k++)
            free(stage->lanes[k].name);
        free(stage->name);
        free(stage->lanes);
    }
    free(plan->stages);
    free(plan->shown);
    free(plan->segments);
    free(plan);
}

const struct plan_kind wf_pipeline_kind = {
    .start = start,
    .drain = drain,
    .cancel = cancel,
    .destroy_run = destroy_run,
    .destroy_plan = destroy_plan,
    .draw = wf_pipeline_draw,
};
