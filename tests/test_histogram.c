/* test_histogram.c: graph/histogram.c: quantiles of what was counted. */
#include "graph/histogram.h"

#include <string.h>

#include "tests/runs.h"

static struct weft_latency told(const struct histogram *h, double ns)
{
    struct histogram_sum sum = { 0 };
    struct weft_latency l;

    wf_histogram_add_up(&sum, h);
    wf_histogram_quantiles(&sum, ns, &l);
    return l;
}

/* Not below it, and above it by an eighth at most. */
static bool is_about(uint64_t told, uint64_t true_one)
{
    return told >= true_one && told - true_one <= true_one / 8;
}

Test(histogram, of_nothing_all_is_zero)
{
    struct histogram h = { 0 };
    struct weft_latency l = told(&h, 1), zero = { 0 };

    cr_assert_eq(memcmp(&l, &zero, sizeof l), 0);
}

Test(histogram, one_value_is_all_its_quantiles)
{
    for (uint64_t value = 0; value < 5000; value++) {
        struct histogram h = { 0 };
        wf_histogram_add(&h, value, 1);
        struct weft_latency l = told(&h, 1);
        cr_assert_eq(l.p50_ns, value);
        cr_assert_eq(l.p90_ns, value);
        cr_assert_eq(l.p99_ns, value);
        cr_assert_eq(l.max_ns, value);
    }
}

/* Beside a longer one, a value is known to an eighth, however long it is. */
Test(histogram, a_value_is_known_to_an_eighth)
{
    for (unsigned power = 0; power < 63; power++)
        for (uint64_t part = 0; part < 16; part++) {
            struct histogram h = { 0 };
            uint64_t one = (uint64_t)1 << power, value = one + one / 16 * part;
            wf_histogram_add(&h, value, 3);
            wf_histogram_add(&h, UINT64_MAX, 1);
            struct histogram_sum sum = { 0 };
            wf_histogram_add_up(&sum, &h);
            struct weft_latency l;
            wf_histogram_quantiles(&sum, 1, &l);
            cr_assert_eq(sum.total, 4);
            cr_assert_eq(sum.longest, UINT64_MAX);
            cr_assert_eq(l.max_ns, UINT64_MAX);
            if (power < 53) /* what a double holds */
                cr_assert(is_about(l.p50_ns, value));
        }
}

Test(histogram, each_quantile_is_that_of_the_sorted_values)
{
    struct histogram h = { 0 };

    for (uint64_t i = 1; i <= 1000; i++) /* 7 and 1000 have no common factor */
        wf_histogram_add(&h, i * 7 % 1000 + 1, 1);
    struct weft_latency l = told(&h, 1);
    cr_assert(is_about(l.p50_ns, 501));
    cr_assert(is_about(l.p90_ns, 901));
    cr_assert(is_about(l.p99_ns, 991));
    cr_assert_eq(l.max_ns, 1000);
}

Test(histogram, a_weight_counts_for_so_many)
{
    struct histogram h = { 0 };

    for (int i = 0; i < 10; i++)
        wf_histogram_add(&h, 1000, 1);
    wf_histogram_add(&h, 5, 8);
    cr_assert(is_about(told(&h, 1).p50_ns, 1000));
    wf_histogram_add(&h, 5, 8);
    cr_assert_eq(told(&h, 1).p50_ns, 5);
    cr_assert(is_about(told(&h, 1).p90_ns, 1000));
}

Test(histogram, several_are_added_up)
{
    struct histogram slow = { 0 }, fast = { 0 };
    struct histogram_sum sum = { 0 };
    struct weft_latency l;

    wf_histogram_add(&slow, 4096, 4);
    wf_histogram_add(&fast, 2, 5);
    wf_histogram_add_up(&sum, &slow);
    wf_histogram_add_up(&sum, &fast);
    wf_histogram_quantiles(&sum, 0.5, &l);
    cr_assert_eq(sum.total, 9);
    cr_assert_eq(l.p50_ns, 1);
    cr_assert_eq(l.p90_ns, 2048);
    cr_assert_eq(l.max_ns, 2048);
}

/* Four thousand million in one bucket: the shares of the others stay. */
Test(histogram, a_full_bucket_does_not_begin_again_at_zero)
{
    struct histogram h = { 0 };

    wf_histogram_add(&h, 4096, 1u << 31);
    wf_histogram_add(&h, 2, UINT32_MAX - 8);
    for (int i = 0; i < 3; i++)
        wf_histogram_add(&h, 2, 8);
    struct weft_latency l = told(&h, 1);
    cr_assert_eq(l.p50_ns, 2);
    cr_assert_eq(l.p90_ns, 4096);
    cr_assert_eq(l.max_ns, 4096);
}

Test(histogram, durations_tell_their_sum_as_well)
{
    struct durations d = { .sum = 30 };
    struct weft_latency l;
    uint64_t sum;

    wf_histogram_add(&d.each, 10, 1);
    wf_histogram_add(&d.each, 20, 1);
    wf_durations_tell(&d, 2, &sum, &l);
    cr_assert_eq(sum, 60);
    cr_assert_eq(l.p50_ns, 40);
    cr_assert_eq(l.max_ns, 40);
}
