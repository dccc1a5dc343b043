/* account.c: what a run has used up to a moment, of everything it needs.
 *
 * Two of them, and their difference, say what was used in between. The account
 * of a run that has ended stays as it was at its end, though the clock and the
 * limits that it shared go on. */
#include "graph/account.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/pipeline.h"

struct weft_moment {
    struct account account;
};

static uint64_t busy_ns(weft_limit *limit)
{
    struct weft_limit_stats stats;

    weft_limit_stats(limit, &stats);
    return stats.busy_ns;
}

static void mark(struct pipeline_run *run, weft_limit *limit)
{
    for (unsigned i = 0; i < run->limit_count; i++)
        if (run->limits[i].limit == limit)
            return;
    run->limits[run->limit_count++] =
        (struct limit_mark){ .limit = limit, .began = busy_ns(limit) };
}

int wf_account_begin(struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run->plan;
    unsigned uses = 0;

    for (unsigned i = 0; i < plan->stage_count; i++)
        uses += plan->stages[i].use_count;
    if (!uses)
        return 0;
    run->limits = calloc(uses, sizeof *run->limits);
    if (!run->limits)
        return -ENOMEM;
    for (unsigned i = 0; i < plan->stage_count; i++)
        for (unsigned k = 0; k < plan->stages[i].use_count; k++)
            mark(run, plan->stages[i].uses[k].limit);
    return 0;
}

void wf_account_end(struct pipeline_run *run)
{
    for (unsigned i = 0; i < run->limit_count; i++)
        run->limits[i].ended = busy_ns(run->limits[i].limit);
    store_release(&run->end_ns, wf_now_ns()); /* for take_times */
}

/* The clock, and the limits as they were then. */
static void take_times(struct account *a, const struct pipeline_run *run)
{
    uint64_t end = load_acquire(&run->end_ns); /* and what ended with it */

    for (unsigned i = 0; i < run->limit_count; i++) {
        const struct limit_mark *m = &run->limits[i];
        a->limits[i] =
            (double)since(m->began, end ? m->ended : busy_ns(m->limit));
    }
    a->ns = (double)since(run->start_ns, end ? end : wf_now_ns());
}

static void take_stage(struct account *a, struct pipeline_run *run,
                       unsigned shown)
{
    unsigned number = run->plan->shown[shown];
    const struct stage *stage = &run->plan->stages[number];
    struct stage_account *s = &a->stages[number];
    struct weft_stage_stats stats;
    unsigned fills = stage->segment;

    weft_run_stage(&run->run, shown, &stats);
    s->run = (double)stats.run_ns;
    s->pending = (double)stats.pending_wait_ns;
    s->ready = (double)stats.ready_wait_ns;
    s->retry = (double)stats.retry_wait_ns;
    s->bytes = (double)stats.bytes;
    s->in = (double)stats.in;
    s->done = (double)stats.done;
    if (stage->use_count)
        s->holding = (double)busy_ns(&run->stages[number].own);
    if (stage->kind == GATHER)
        fills = run->plan->segments[fills].into;
    else if (!stage->fed)
        return;
    s->open = (double)wf_segment_open(&run->segments[fills], run->start_ticks) *
              wf_pipeline_ns_per_tick(run);
}

int wf_account_take(struct account *a, struct pipeline_run *run)
{
    const struct pipeline_plan *plan = run->plan;
    struct weft_flow last;
    struct weft_sink_stats sink = { 0 };

    *a = (struct account){
        .stages = calloc(plan->stage_count, sizeof *a->stages),
        .blocked = calloc(plan->segment_count, sizeof *a->blocked),
        .limits = calloc(run->limit_count + 1, sizeof *a->limits)
    };
    if (!a->stages || !a->blocked || !a->limits) {
        wf_account_finish(a);
        return -ENOMEM;
    }
    take_times(a, run);
    for (unsigned i = 0; i < plan->shown_count; i++)
        take_stage(a, run, i);
    for (unsigned i = 0; i < plan->segment_count; i++)
        a->blocked[i] = (double)wf_segment_blocked(&run->segments[i]) *
                        wf_pipeline_ns_per_tick(run);
    weft_run_flow(&run->run, plan->last, &last);
    weft_run_sink(&run->run, &sink);
    a->delivered = (double)last.delivered;
    a->starved = (double)sink.starved_ns;
    a->borrowed = (double)sink.borrowed_ns;
    return 0;
}

void wf_account_finish(struct account *a)
{
    free(a->stages);
    free(a->blocked);
    free(a->limits);
}

void wf_account_subtract(struct account *a, const struct account *then,
                         const struct pipeline_run *run)
{
    a->ns -= then->ns;
    a->delivered -= then->delivered;
    a->starved -= then->starved;
    a->borrowed -= then->borrowed;
    for (unsigned i = 0; i < run->plan->segment_count; i++)
        a->blocked[i] -= then->blocked[i];
    for (unsigned i = 0; i < run->limit_count; i++)
        a->limits[i] -= then->limits[i];
    for (unsigned i = 0; i < run->plan->stage_count; i++) {
        struct stage_account *s = &a->stages[i];
        const struct stage_account *t = &then->stages[i];
        s->run -= t->run;
        s->pending -= t->pending;
        s->ready -= t->ready;
        s->retry -= t->retry;
        s->open -= t->open;
        s->holding -= t->holding;
        s->bytes -= t->bytes;
        s->in -= t->in;
        s->done -= t->done;
    }
}

int weft_moment_create(weft_moment **out, struct weft_run *base)
{
    struct pipeline_run *run = pipeline_of(base);

    if (!run)
        return -EINVAL;
    weft_moment *moment = malloc(sizeof *moment);
    if (!moment || wf_account_take(&moment->account, run)) {
        free(moment);
        return -ENOMEM;
    }
    *out = moment;
    return 0;
}

void weft_moment_destroy(weft_moment *moment)
{
    if (moment)
        wf_account_finish(&moment->account);
    free(moment);
}

const struct account *wf_account_of(const weft_moment *moment)
{
    return &moment->account;
}
