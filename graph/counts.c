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
 *
 * The histogram of latencies is that of HdrHistogram in its simplest form:
 * eight buckets for each power of two, so a value is known to an eighth. */
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

static unsigned bucket_of(uint64_t value)
{
    if (value < 8)
        return (unsigned)value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value); /* 3 and more */
    return (power - 2) * 8 + (unsigned)(value >> (power - 3) & 7);
}

/* The largest value that is in it. */
static uint64_t most_in(unsigned bucket)
{
    if (bucket < 8)
        return bucket;
    unsigned power = bucket / 8 + 2;
    uint64_t first = (uint64_t)(8 + bucket % 8) << (power - 3);
    return first + ((uint64_t)1 << (power - 3)) - 1;
}

void wf_counts_latency(struct stage_counts *c, uint64_t ticks, unsigned weight)
{
    _Atomic uint32_t *bucket = &c->latency[bucket_of(ticks)];

    store_relaxed(bucket, load_relaxed(bucket) + weight);
    if (ticks > load_relaxed(&c->longest))
        store_relaxed(&c->longest, ticks);
}

static uint64_t quantile(const uint64_t *latency, uint64_t total, double part)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)total * part);

    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += latency[i];
        if (latency[i] && seen > wanted)
            return most_in(i);
    }
    return 0;
}

static void latency_of(const struct counts *c, unsigned stage, double ns,
                       struct weft_latency *out)
{
    uint64_t latency[BUCKETS] = { 0 }, total = 0, longest = 0;

    for (unsigned w = 0; w < c->workers; w++) {
        const struct stage_counts *one = wf_counts_of(c, w, stage);
        uint64_t most = load_relaxed(&one->longest);
        longest = most > longest ? most : longest;
        for (unsigned i = 0; i < BUCKETS; i++) {
            uint32_t n = load_relaxed(&one->latency[i]);
            latency[i] += n;
            total += n;
        }
    }
    const double part[] = { 0.5, 0.9, 0.99 };
    uint64_t *of[] = { &out->p50_ns, &out->p90_ns, &out->p99_ns };
    for (unsigned i = 0; i < 3; i++) {
        uint64_t ticks = quantile(latency, total, part[i]);
        *of[i] = (uint64_t)((double)(ticks < longest ? ticks : longest) * ns);
    }
    out->max_ns = (uint64_t)((double)longest * ns);
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
