/* test_scan.c: every prefix of a range. */
#include <stdlib.h>

#include "tests/runs.h"

static const unsigned crews[] = { 1, 2, 3, 8 };
enum { CREWS = sizeof crews / sizeof *crews };

struct arrays {
    const uint32_t *in;
    uint64_t *out;
    _Atomic size_t folded, written;
    int rc;
};

static int fold_sum(weft_worker *self, size_t begin, size_t end, void *acc,
                    void *ctx)
{
    struct arrays *a = ctx;
    uint64_t *sum = acc;
    add_relaxed(&a->folded, end - begin);
    for (size_t i = begin; i < end; i++)
        *sum += a->in[i];
    return a->rc;
}

static int write_inclusive(weft_worker *self, size_t begin, size_t end,
                           void *acc, void *ctx)
{
    struct arrays *a = ctx;
    uint64_t *sum = acc;
    add_relaxed(&a->written, end - begin);
    for (size_t i = begin; i < end; i++)
        a->out[i] = *sum += a->in[i];
    return 0;
}

static int write_exclusive(weft_worker *self, size_t begin, size_t end,
                           void *acc, void *ctx)
{
    struct arrays *a = ctx;
    uint64_t *sum = acc;
    add_relaxed(&a->written, end - begin);
    for (size_t i = begin; i < end; i++) {
        a->out[i] = *sum;
        *sum += a->in[i];
    }
    return 0;
}

static void add_sums(void *into, const void *from, void *ctx)
{
    *(uint64_t *)into += *(const uint64_t *)from;
}

static const uint64_t zero;

/* A scan, called on a worker. */
struct job {
    struct weft_scan_config config;
    void *total;
    int rc;
};

static int scan(weft_worker *self, void *ctx)
{
    struct job *j = ctx;
    j->config.size = sizeof j->config;
    j->rc = weft_scan(self, j->total, &j->config);
    return 0;
}

static int scanned(weft_sched *s, struct weft_scan_config c, void *total)
{
    struct job job = { c, total, 0 };
    cr_assert_eq(weft_call(s, scan, &job, NULL), 0);
    return job.rc;
}

static struct weft_scan_config sums(struct arrays *a, size_t begin, size_t end,
                                    bool inclusive)
{
    return (struct weft_scan_config){ .begin = begin,
                                      .end = end,
                                      .fold = fold_sum,
                                      .write = inclusive ? write_inclusive
                                                         : write_exclusive,
                                      .combine = add_sums,
                                      .ctx = a,
                                      .identity = &zero,
                                      .bytes = sizeof zero };
}

static void check(weft_sched *s, const uint32_t *in, size_t n, bool inclusive,
                  size_t grain)
{
    struct arrays a = { .in = in, .out = calloc(n + 1, sizeof *a.out) };
    struct weft_scan_config c = sums(&a, 0, n, inclusive);
    uint64_t total = 77, sum = 0;
    c.grain = grain;
    cr_assert_eq(scanned(s, c, &total), 0);
    for (size_t i = 0; i < n; i++) {
        uint64_t before = sum;
        sum += in[i];
        cr_assert_eq(a.out[i], inclusive ? sum : before);
    }
    cr_assert_eq(total, sum);
    cr_assert_eq(a.written, n);
    cr_assert(a.folded <= n);
    cr_assert_eq(scanned(s, c, NULL), 0);
    free(a.out);
}

Test(scan, prefixes_are_as_in_a_plain_loop, .timeout = 60)
{
    const size_t sizes[] = { 0, 1, 2, 5, 100, 4097, TIMES(300000, 20000) };
    enum { MOST = 300000 };
    uint32_t *in = calloc(MOST, sizeof *in);
    for (uint32_t i = 0; i < MOST; i++)
        in[i] = i * 2654435761u;
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (size_t grain = 0; grain < 2000; grain = grain * 20 + 9) {
                check(s, in, sizes[i], true, grain);
                check(s, in, sizes[i], false, grain);
            }
        weft_sched_destroy(s);
    }
    free(in);
}

Test(scan, alone_it_takes_one_pass)
{
    enum { N = 1000 };
    uint32_t in[N] = { 1 };
    uint64_t out[N];
    struct arrays a = { .in = in, .out = out };
    weft_sched *s = workers(1);
    cr_assert_eq(scanned(s, sums(&a, 0, N, true), NULL), 0);
    cr_assert_eq(a.folded, 0);
    cr_assert_eq(a.written, N);
    weft_sched_destroy(s);
}

/* ---- an operator that is not commutative: the last that is not 0 -------- */

static int fold_last(weft_worker *self, size_t begin, size_t end, void *acc,
                     void *ctx)
{
    const struct arrays *a = ctx;
    for (size_t i = begin; i < end; i++)
        if (a->in[i])
            *(uint64_t *)acc = a->in[i];
    return 0;
}

static int write_last(weft_worker *self, size_t begin, size_t end, void *acc,
                      void *ctx)
{
    struct arrays *a = ctx;
    for (size_t i = begin; i < end; i++) {
        fold_last(self, i, i + 1, acc, ctx);
        a->out[i] = *(uint64_t *)acc;
    }
    return 0;
}

static void take_last(void *into, const void *from, void *ctx)
{
    if (*(const uint64_t *)from)
        *(uint64_t *)into = *(const uint64_t *)from;
}

Test(scan, order_is_kept, .timeout = 60)
{
    enum { N = 5000 };
    static uint32_t in[N];
    static uint64_t out[N];
    for (uint32_t i = 0; i < N; i++)
        in[i] = i * i % 17 == 4 ? i : 0;
    for (int c = 0; c < CREWS; c++) {
        struct arrays a = { .in = in, .out = out };
        struct weft_scan_config config = sums(&a, 0, N, true);
        weft_sched *s = workers(crews[c]);
        config.fold = fold_last;
        config.write = write_last;
        config.combine = take_last;
        for (config.grain = 0; config.grain < 100; config.grain += 33) {
            uint64_t last = 0;
            cr_assert_eq(scanned(s, config, NULL), 0);
            for (uint32_t i = 0; i < N; i++) {
                last = in[i] ? in[i] : last;
                cr_assert_eq(out[i], last);
            }
        }
        weft_sched_destroy(s);
    }
}

/* ---- errors ------------------------------------------------------------ */

Test(scan, error_of_a_part_is_its_result)
{
    uint32_t in[100] = { 1 };
    uint64_t out[100], total = 7;
    struct arrays a = { .in = in, .out = out, .rc = -EIO };
    weft_sched *s = workers(2);
    cr_assert_eq(scanned(s, sums(&a, 0, 100, true), &total), -EIO);
    cr_assert_eq(total, 7);
    cr_assert_eq(a.written, 0);
    weft_sched_destroy(s);
}

Test(scan, what_is_missing_is_refused)
{
    struct arrays a = { 0 };
    struct weft_scan_config config[5];
    weft_sched *s = workers(1);
    for (int i = 0; i < 5; i++)
        config[i] = sums(&a, 0, 10, true);
    config[0].fold = NULL;
    config[1].write = NULL;
    config[2].combine = NULL;
    config[3].identity = NULL;
    config[4].bytes = 0;
    for (int i = 0; i < 5; i++)
        cr_assert_eq(scanned(s, config[i], NULL), -EINVAL);
    weft_sched_destroy(s);
}

Test(scan, more_parts_than_memory_are_refused)
{
    struct arrays a = { 0 };
    struct weft_scan_config config = sums(&a, 0, SIZE_MAX, true);
    weft_sched *s = workers(1);
    config.grain = 1;
    cr_assert_eq(scanned(s, config, NULL), -ENOMEM);
    weft_sched_destroy(s);
}
