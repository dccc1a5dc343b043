/* histogram.h: how long each of many things took, and how that adds up.
 *
 * It has one writer at a time: a worker, or who has a lock. Anyone may read. */
#ifndef WEFT_GRAPH_HISTOGRAM_H
#define WEFT_GRAPH_HISTOGRAM_H
#include "sched/atomic.h"
#include "weft/base.h"

enum { BUCKETS = 62 * 8 }; /* eight for each power of two */

struct histogram {
    _Atomic uint64_t longest;
    _Atomic uint32_t count[BUCKETS];
};

/* So long did `weight` things take, at least 1, in any unit. */
void wf_histogram_add(struct histogram *h, uint64_t time, unsigned weight);

/* What several of them have together: at first nothing. */
struct histogram_sum {
    uint64_t longest, total, count[BUCKETS];
};
void wf_histogram_add_up(struct histogram_sum *sum, const struct histogram *h);

/* Its quantiles, where a unit is so many nanoseconds. Of nothing they are 0. */
void wf_histogram_quantiles(const struct histogram_sum *sum, double ns_per_unit,
                            struct weft_latency *out);

/* Times that are added up, and their histogram. Under a lock. */
struct durations {
    uint64_t sum;
    struct histogram each;
};
void wf_durations_tell(const struct durations *d, double ns_per_unit,
                       uint64_t *sum_ns, struct weft_latency *out);
#endif
