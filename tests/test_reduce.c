/* test_reduce.c: a range in one accumulator, always in order. */
#include <stdlib.h>

#include "tests/runs.h"

static const unsigned crews[] = { 1, 2, 3, 8 };
enum { CREWS = sizeof crews / sizeof *crews };

/* A run of indices. Only neighbours can be put together, so whatever is taken
 * twice, not at all or in another order is seen. */
struct span {
    size_t begin, end;
    bool broken;
};

static void put(struct span *s, size_t begin, size_t end)
{
    if (s->begin == s->end)
        s->begin = s->end = begin;
    s->broken |= s->end != begin;
    s->end = end;
}

static int fold_span(weft_worker *self, size_t begin, size_t end, void *acc,
                     void *ctx)
{
    if (ctx)
        count(self, ctx);
    put(acc, begin, end);
    return 0;
}

static void combine_spans(void *into, const void *from, void *ctx)
{
    const struct span *f = from;
    struct span *s = into;
    s->broken |= f->broken;
    if (f->begin < f->end)
        put(s, f->begin, f->end);
}

/* A reduction, called on a worker. */
struct job {
    struct weft_reduce_config config;
    void *result;
    int rc;
};

static int reduce(weft_worker *self, void *ctx)
{
    struct job *j = ctx;
    j->config.size = sizeof j->config;
    j->rc = weft_reduce(self, j->result, &j->config);
    return 0;
}

static int reduced(weft_sched *s, struct weft_reduce_config c, void *result)
{
    struct job job = { c, result, 0 };
    cr_assert_eq(weft_call(s, reduce, &job, NULL), 0);
    return job.rc;
}

static const struct span no_span = { 0 };

static struct weft_reduce_config spans(size_t n, size_t grain)
{
    return (struct weft_reduce_config){ .end = n,
                                        .fold = fold_span,
                                        .combine = combine_spans,
                                        .identity = &no_span,
                                        .bytes = sizeof no_span,
                                        .grain = grain };
}

Test(reduce, every_index_once_and_in_order, .timeout = 60)
{
    const size_t sizes[] = { 0, 1, 2, 3, 10, 1000, TIMES(1000000, 20000) };
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t grain = 0; grain <= 1000; grain = grain * 10 + 7) {
                struct span all = { 7, 7, true };
                cr_assert_eq(reduced(s, spans(sizes[i], grain), &all), 0);
                cr_assert(!all.broken);
                cr_assert_eq(all.begin, 0);
                cr_assert_eq(all.end, sizes[i]);
            }
        weft_sched_destroy(s);
    }
}

Test(reduce, with_a_grain_there_are_as_many_folds_as_parts)
{
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (size_t grain = 1; grain < 2000; grain = grain * 3 + 1) {
            _Atomic unsigned folds = 0;
            struct weft_reduce_config config = spans(1000, grain);
            struct span all;
            config.ctx = (void *)(uintptr_t)&folds;
            cr_assert_eq(reduced(s, config, &all), 0);
            cr_assert_eq(folds, (1000 + grain - 1) / grain);
        }
        weft_sched_destroy(s);
    }
}

/* ---- floats, which are not associative --------------------------------- */

static int add_floats(weft_worker *self, size_t begin, size_t end, void *acc,
                      void *ctx)
{
    const float *x = ctx;
    float *sum = acc;
    for (size_t i = begin; i < end; i++)
        *sum += x[i];
    return 0;
}

static void add_two(void *into, const void *from, void *ctx)
{
    *(float *)into += *(const float *)from;
}

Test(reduce, with_a_grain_the_sum_of_floats_is_the_same_for_any_crew,
     .timeout = 60)
{
    enum { N = 100000 };
    static const float zero = 0;
    float *x = calloc(N, sizeof *x), first = 0;
    for (int i = 0; i < N; i++)
        x[i] = 1.0f / (float)(i % 1000 + 1) * (i % 3 ? 1 : -1000);
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (int again = 0; again < TIMES(50, 5); again++) {
            float sum;
            struct weft_reduce_config config = { .end = N,
                                                 .fold = add_floats,
                                                 .combine = add_two,
                                                 .ctx = x,
                                                 .identity = &zero,
                                                 .bytes = sizeof zero,
                                                 .grain = 333 };
            cr_assert_eq(reduced(s, config, &sum), 0);
            if (c == 0 && again == 0)
                first = sum;
            cr_assert_eq(memcmp(&sum, &first, sizeof sum), 0);
        }
        weft_sched_destroy(s);
    }
    free(x);
}

/* ---- large accumulators, errors ---------------------------------------- */

enum { BUCKETS = 1000 };

static int fill_histogram(weft_worker *self, size_t begin, size_t end,
                          void *acc, void *ctx)
{
    unsigned *bucket = acc;
    for (size_t i = begin; i < end; i++)
        bucket[i * i % BUCKETS]++;
    return 0;
}

static void add_histograms(void *into, const void *from, void *ctx)
{
    const unsigned *f = from;
    unsigned *bucket = into;
    for (int i = 0; i < BUCKETS; i++)
        bucket[i] += f[i];
}

Test(reduce, accumulator_may_be_large, .timeout = 60)
{
    enum { N = TIMES(500000, 50000) };
    static const unsigned empty[BUCKETS];
    unsigned expected[BUCKETS] = { 0 };
    fill_histogram(NULL, 0, N, expected, NULL);
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (size_t grain = 0; grain <= 5000; grain += 5000) {
            unsigned found[BUCKETS];
            struct weft_reduce_config config = { .end = N,
                                                 .fold = fill_histogram,
                                                 .combine = add_histograms,
                                                 .identity = empty,
                                                 .bytes = sizeof empty,
                                                 .grain = grain };
            cr_assert_eq(reduced(s, config, found), 0);
            cr_assert_eq(memcmp(found, expected, sizeof found), 0);
        }
        weft_sched_destroy(s);
    }
}

static int fail_at_500(weft_worker *self, size_t begin, size_t end, void *acc,
                       void *ctx)
{
    put(acc, begin, end);
    return begin <= 500 && 500 < end ? -EIO : 0;
}

Test(reduce, error_is_the_result_and_nothing_is_written)
{
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (size_t grain = 0; grain < 3; grain++) {
            struct weft_reduce_config config = spans(1000, grain);
            struct span all = { 7, 8, true };
            config.fold = fail_at_500;
            cr_assert_eq(reduced(s, config, &all), -EIO);
            cr_assert_eq(all.begin, 7);
        }
        weft_sched_destroy(s);
    }
}

Test(reduce, what_is_missing_is_refused)
{
    struct weft_reduce_config config[4];
    struct span all;
    weft_sched *s = workers(1);
    for (int i = 0; i < 4; i++)
        config[i] = spans(10, 0);
    config[0].fold = NULL;
    config[1].combine = NULL;
    config[2].identity = NULL;
    config[3].bytes = 0;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(reduced(s, config[i], &all), -EINVAL);
    weft_sched_destroy(s);
}
