/* test_sort.c: sorted as by qsort, stable, and with no more comparisons than a
 * merge sort needs. */
#include <stdlib.h>

#include "tests/runs.h"

static const unsigned crews[] = { 1, 2, 3, 8 };
enum { CREWS = sizeof crews / sizeof *crews };

/* An element that knows where it was. */
struct element {
    uint32_t key, was;
};

static int by_key(const void *a, const void *b, void *ctx)
{
    const struct element *x = a, *y = b;
    if (ctx)
        add_relaxed((_Atomic size_t *)ctx, 1);
    return (x->key > y->key) - (x->key < y->key);
}

/* The stable order, by a sort that is not ours and not stable. */
static int by_key_and_place(const void *a, const void *b)
{
    const struct element *x = a, *y = b;
    int order = by_key(a, b, NULL);
    return order ? order : (x->was > y->was) - (x->was < y->was);
}

/* A sort, called on a worker. */
struct job {
    void *base, *scratch;
    size_t count, size;
    weft_compare_fn *compare;
    void *ctx;
    int rc;
};

static int sort(weft_worker *self, void *ctx)
{
    struct job *j = ctx;
    j->rc = weft_sort(self, j->base, j->count, j->size, j->compare, j->ctx,
                      j->scratch);
    return 0;
}

static int sorted(weft_sched *s, struct job job)
{
    cr_assert_eq(weft_call(s, sort, &job, NULL), 0);
    return job.rc;
}

/* ---- patterns ---------------------------------------------------------- */

static uint32_t mixed(uint32_t i)
{
    i ^= i >> 16, i *= 0x7feb352du, i ^= i >> 15, i *= 0x846ca68bu;
    return i ^ i >> 16;
}

enum pattern {
    MIXED, /* all different */
    FEW,   /* of seven */
    EQUAL,
    RISING,
    FALLING,
    STEPS,     /* falling, in steps of equal ones */
    ORGAN,     /* rising, then falling */
    SAW,       /* rising, again and again */
    NEARLY,    /* rising, but for some */
    TWO_RUNS,  /* the upper half before the lower */
    LAST_IS_0, /* rising, but for the last */
    PATTERNS
};

static uint32_t key(enum pattern p, uint32_t i, uint32_t n)
{
    switch (p) {
    case FEW:
        return mixed(i) % 7;
    case EQUAL:
        return 42;
    case RISING:
        return i;
    case FALLING:
        return n - i;
    case STEPS:
        return (n - i) / 10;
    case ORGAN:
        return i < n / 2 ? i : n - i;
    case SAW:
        return i % 100;
    case NEARLY:
        return mixed(i) % 50 ? i : mixed(i);
    case TWO_RUNS:
        return i < n / 2 ? i + n : i;
    case LAST_IS_0:
        return i + 1 == n ? 0 : i + 1;
    default:
        return mixed(i);
    }
}

static unsigned log2_up(size_t n)
{
    unsigned bits = 0;
    while (((size_t)1 << bits) < n)
        bits++;
    return bits;
}

static void check_pattern(weft_sched *s, enum pattern p, uint32_t n,
                          struct element *scratch)
{
    struct element *e = calloc(n + 1, sizeof *e);
    struct element *expected = calloc(n + 1, sizeof *e);
    _Atomic size_t compared = 0;

    for (uint32_t i = 0; i < n; i++)
        e[i] = expected[i] = (struct element){ key(p, i, n), i };
    e[n].key = 12345; /* not ours */
    qsort(expected, n, sizeof *e, by_key_and_place);
    cr_assert_eq(sorted(s, (struct job){ e, scratch, n, sizeof *e, by_key,
                                         (void *)(uintptr_t)&compared, 0 }),
                 0);
    cr_assert_eq(memcmp(e, expected, n * sizeof *e), 0);
    cr_assert_eq(e[n].key, 12345);
    /* Insertion of 16 takes up to 120, instead of 64; places are looked for. */
    cr_assert(compared <= (size_t)n * (log2_up(n) + 5));
    free(expected);
    free(e);
}

Test(sort, any_pattern_of_any_size_comes_out_as_from_a_stable_sort,
     .timeout = 120)
{
    const uint32_t sizes[] = { 0,    1,    2,    3,
                               15,   16,   17,   33,
                               100,  1000, 2048, 2049,
                               4096, 4097, 9999, TIMES(200000, 20000) };
    struct element *scratch = calloc(200000, sizeof *scratch);
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
            for (enum pattern p = 0; p < PATTERNS; p++)
                check_pattern(s, p, sizes[i], p % 2 ? scratch : NULL);
        weft_sched_destroy(s);
    }
    free(scratch);
}

Test(sort, every_small_array_is_sorted, .timeout = 60)
{
    weft_sched *s = workers(2);
    for (uint32_t n = 0; n < 70; n++)
        for (enum pattern p = 0; p < PATTERNS; p++)
            check_pattern(s, p, n, NULL);
    weft_sched_destroy(s);
}

Test(sort, what_is_sorted_already_takes_one_comparison_an_element)
{
    enum { N = 100000 };
    struct element *e = calloc(N, sizeof *e);
    _Atomic size_t compared = 0;
    weft_sched *s = workers(1);
    for (uint32_t i = 0; i < N; i++)
        e[i] = (struct element){ i, i };
    cr_assert_eq(sorted(s, (struct job){ e, NULL, N, sizeof *e, by_key,
                                         (void *)(uintptr_t)&compared, 0 }),
                 0);
    cr_assert(compared < N + N / 10);
    weft_sched_destroy(s);
    free(e);
}

/* ---- elements of any size ---------------------------------------------- */

static int by_first_bytes(const void *a, const void *b, void *ctx)
{
    size_t size = *(size_t *)ctx;
    return memcmp(a, b, size < 2 ? size : 2);
}

Test(sort, elements_may_have_any_size, .timeout = 60)
{
    enum { N = 5000 };
    weft_sched *s = workers(3);
    for (size_t size = 1; size <= 40; size++) {
        unsigned char *bytes = malloc(N * size);
        uint64_t sum = 0, after = 0;
        for (uint32_t i = 0; i < N * size; i++)
            sum += bytes[i] = (unsigned char)mixed(i);
        cr_assert_eq(sorted(s, (struct job){ bytes, NULL, N, size,
                                             by_first_bytes, &size, 0 }),
                     0);
        for (size_t i = 1; i < N; i++)
            cr_assert(by_first_bytes(bytes + (i - 1) * size, bytes + i * size,
                                     &size) <= 0);
        for (size_t i = 0; i < N * size; i++)
            after += bytes[i];
        cr_assert_eq(sum, after);
        free(bytes);
    }
    weft_sched_destroy(s);
}

Test(sort, what_cannot_be_is_refused)
{
    struct element e[2] = { { 2, 0 }, { 1, 1 } };
    weft_sched *s = workers(1);
    cr_assert_eq(sorted(s, (struct job){ e, NULL, 2, 0, by_key, NULL, 0 }),
                 -EINVAL);
    cr_assert_eq(
        sorted(s, (struct job){ e, NULL, SIZE_MAX / 2, 8, by_key, NULL, 0 }),
        -ENOMEM);
    cr_assert_eq(e[0].key, 2);
    weft_sched_destroy(s);
}
