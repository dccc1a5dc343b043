/* counts.c: what the workers count for each stage, and how that adds up.
 *
 * A worker adds to counters of its own, so counting costs no atomic
 * read-modify-write; whoever asks adds up what all have counted.
 *
 *  [O] Nobody sees an item leave a stage that it has not entered. It is counted
 *      `in`, then `started`, then out (done, filtered or failed), by whichever
 *      worker has it then: each sees the counts before it, for it got the item
 *      from the one that made them. Who adds up reads out first, then
 *      `started`, then `in`; these stores are releases and the reads acquires,
 *      so what is read later has at least what was counted before.
 */
#include "graph/counts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int wf_counts_init(struct counts *c, unsigned workers, unsigned stages)
{
    size_t bytes = (size_t)workers * stages * sizeof *c->of;

    c->workers = workers;
    c->stages = stages;
    c->of = aligned_alloc(alignof(struct stage_counts), bytes);
    if (!c->of)
        return -ENOMEM;
    memset(c->of, 0, bytes);
    return 0;
}

void wf_counts_finish(struct counts *c) { free(c->of); }

static void latency_of(const struct counts *c, unsigned stage, double ns,
                       struct weft_latency *out)
{
    struct histogram_sum sum = { 0 };

    for (unsigned w = 0; w < c->workers; w++)
        wf_histogram_add_up(&sum, &wf_counts_of(c, w, stage)->latency);
    wf_histogram_quantiles(&sum, ns, out);
}

/* [O] */
static uint64_t sum_of(const struct counts *c, unsigned stage, size_t counter)
{
    uint64_t sum = 0;

    for (unsigned w = 0; w < c->workers; w++) {
        char *one = (char *)wf_counts_of(c, w, stage);
        sum += load_acquire((_Atomic uint64_t *)(one + counter)); /* [O] */
    }
    return sum;
}

void wf_counts_outcomes(const struct counts *c, unsigned stage,
                        struct weft_stage_stats *out)
{
    out->done += sum_of(c, stage, offsetof(struct stage_counts, done));
    out->filtered += sum_of(c, stage, offsetof(struct stage_counts, filtered));
    out->failed += sum_of(c, stage, offsetof(struct stage_counts, failed));
}

uint64_t wf_counts_add_up(const struct counts *c, unsigned stage,
                          double ns_per_tick, struct weft_stage_stats *out)
{
    uint64_t token = 0, ready = 0, run = 0, pending = 0, retry = 0, output = 0;

    wf_counts_outcomes(c, stage, out);
    out->bytes += sum_of(c, stage, offsetof(struct stage_counts, bytes));
    uint64_t started = sum_of(c, stage, offsetof(struct stage_counts, started));
    out->in += sum_of(c, stage, offsetof(struct stage_counts, in));

    for (unsigned w = 0; w < c->workers; w++) {
        const struct stage_counts *one = wf_counts_of(c, w, stage);
        out->retried += load_relaxed(&one->retried);
        token += load_relaxed(&one->token_wait);
        ready += load_relaxed(&one->ready_wait);
        run += load_relaxed(&one->run);
        pending += load_relaxed(&one->pending_wait);
        retry += load_relaxed(&one->retry_wait);
        output += load_relaxed(&one->output_wait);
    }
    out->token_wait_ns = (uint64_t)((double)token * ns_per_tick);
    out->ready_wait_ns = (uint64_t)((double)ready * ns_per_tick);
    out->run_ns = (uint64_t)((double)run * ns_per_tick);
    out->pending_wait_ns = (uint64_t)((double)pending * ns_per_tick);
    out->retry_wait_ns = (uint64_t)((double)retry * ns_per_tick);
    out->output_wait_ns = (uint64_t)((double)output * ns_per_tick);
    latency_of(c, stage, ns_per_tick, &out->latency);
    return started;
}
