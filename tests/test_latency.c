/* test_latency.c: graph/counts.c: the histogram of latencies. That each wait is
 * part of one is in test_counts.c. */
#include "graph/counts.h"
#include "tests/test.h"

/* The quantile of values from 1 to n: exact to an eighth, and not less. */
static void is_quantile(uint64_t value, uint64_t exact)
{
    cr_assert(value >= exact);
    cr_assert(value <= exact + exact / 8 + 1);
}

/* Each value is counted by another worker. */
static struct weft_latency latency_to(uint64_t n, uint64_t step)
{
    enum { WORKERS = 3, STAGES = 2 };
    struct weft_stage_stats s = { NULL }, other = { NULL };
    struct counts c;

    cr_assert_eq(wf_counts_init(&c, WORKERS, STAGES), 0);
    for (uint64_t i = 1; i <= n; i++)
        wf_counts_latency(wf_counts_of(&c, (unsigned)(i % WORKERS), 1),
                          i * step, 1);
    wf_counts_add_up(&c, 1, 1, &s);
    wf_counts_add_up(&c, 0, 1, &other);
    cr_assert_eq(other.latency.max_ns, 0);
    cr_assert_eq(other.latency.p99_ns, 0);
    wf_counts_finish(&c);
    return s.latency;
}

Test(latency, it_is_exact_to_an_eighth)
{
    for (uint64_t step = 1; step < UINT64_MAX / 16000; step *= 7) {
        struct weft_latency l = latency_to(1000, step);
        is_quantile(l.p50_ns, 500 * step);
        is_quantile(l.p90_ns, 900 * step);
        is_quantile(l.p99_ns, 990 * step);
        cr_assert(l.max_ns >= 1000 * step - step / 1024);
        cr_assert(l.max_ns <= 1000 * step + step / 1024);
    }
    struct weft_latency one = latency_to(1, 77);
    cr_assert(one.p50_ns == 77 && one.p90_ns == 77);
    cr_assert(one.p99_ns == 77 && one.max_ns == 77);
}
