/* histogram.c: how long each of many things took, and how that adds up.
 *
 * It is that of HdrHistogram in its simplest form: eight buckets for each power
 * of two, so a value is known to an eighth. When a bucket is full all of them
 * are halved: the quantiles stay. */
#include "graph/histogram.h"

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

static void halve(struct histogram *h)
{
    for (unsigned i = 0; i < BUCKETS; i++)
        store_relaxed(&h->count[i], load_relaxed(&h->count[i]) / 2);
}

void wf_histogram_add(struct histogram *h, uint64_t time, unsigned weight)
{
    _Atomic uint32_t *bucket = &h->count[bucket_of(time)];

    if (load_relaxed(bucket) > UINT32_MAX - weight)
        halve(h);
    store_relaxed(bucket, load_relaxed(bucket) + weight);
    if (time > load_relaxed(&h->longest))
        store_relaxed(&h->longest, time);
}

void wf_histogram_add_up(struct histogram_sum *sum, const struct histogram *h)
{
    uint64_t longest = load_relaxed(&h->longest);

    if (longest > sum->longest)
        sum->longest = longest;
    for (unsigned i = 0; i < BUCKETS; i++) {
        uint32_t n = load_relaxed(&h->count[i]);
        sum->count[i] += n;
        sum->total += n;
    }
}

static uint64_t quantile(const struct histogram_sum *sum, double part)
{
    uint64_t seen = 0, wanted = (uint64_t)((double)sum->total * part);

    for (unsigned i = 0; i < BUCKETS; i++) {
        seen += sum->count[i];
        if (seen > wanted)
            return most_in(i) < sum->longest ? most_in(i) : sum->longest;
    }
    return 0;
}

/* What a clock that went astray measured may be more than fits. */
static uint64_t in_ns(uint64_t units, double ns_per_unit)
{
    double ns = (double)units * ns_per_unit;

    return ns < 0x1p64 ? (uint64_t)ns : UINT64_MAX;
}

void wf_histogram_quantiles(const struct histogram_sum *sum, double ns_per_unit,
                            struct weft_latency *out)
{
    out->p50_ns = in_ns(quantile(sum, 0.5), ns_per_unit);
    out->p90_ns = in_ns(quantile(sum, 0.9), ns_per_unit);
    out->p99_ns = in_ns(quantile(sum, 0.99), ns_per_unit);
    out->max_ns = in_ns(sum->longest, ns_per_unit);
}

void wf_durations_tell(const struct durations *d, double ns_per_unit,
                       uint64_t *sum_ns, struct weft_latency *out)
{
    struct histogram_sum sum = { 0 };

    wf_histogram_add_up(&sum, &d->each);
    wf_histogram_quantiles(&sum, ns_per_unit, out);
    *sum_ns = in_ns(d->sum, ns_per_unit);
}
