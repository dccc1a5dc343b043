/* test_nomem_task.c: what divides ranges may find no memory, and says so. */
#include <stdbool.h>

#include "tests/allocs.h"
#include "tests/runs.h"

enum { N = 1000, LARGE = 1000 };

struct acc {
    uint64_t sum;
    char large[LARGE];
};

static int add_up(weft_worker *self, size_t begin, size_t end, void *acc,
                  void *ctx)
{
    for (size_t i = begin; i < end; i++)
        ((struct acc *)acc)->sum += i;
    return 0;
}

static void combine(void *into, const void *from, void *ctx)
{
    ((struct acc *)into)->sum += ((const struct acc *)from)->sum;
}

static const struct acc zero;

static int reduce(weft_worker *self, void *ctx)
{
    return weft_reduce(self, ctx,
                       weft_config(reduce, .end = N, .fold = add_up,
                                   .combine = combine, .identity = &zero,
                                   .bytes = sizeof zero, .grain = 100));
}

static int scan(weft_worker *self, void *ctx)
{
    return weft_scan(self, ctx,
                     weft_config(scan, .end = N, .fold = add_up,
                                 .write = add_up, .combine = combine,
                                 .identity = &zero, .bytes = sizeof zero,
                                 .grain = 100));
}

static int by_value(const void *a, const void *b, void *ctx)
{
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

static int sort(weft_worker *self, void *ctx)
{
    struct acc *total = ctx;
    unsigned char bytes[N];
    for (int i = 0; i < N; i++)
        bytes[i] = (unsigned char)(N - i);
    int rc = weft_sort(self, bytes, N, 1, by_value, NULL, NULL);
    cr_assert_eq(bytes[0], rc ? (unsigned char)N : 0);
    if (!rc)
        total->sum = N * (N - 1) / 2;
    return rc;
}

/* Each in turn, with the n-th allocation failing. */
struct attempt {
    weft_fn *fn;
    int n;
    struct acc total;
};

static int try(weft_worker *self, void *ctx)
{
    struct attempt *a = ctx;
    left = a->n;
    int rc = a->fn(self, &a->total);
    left = -1;
    return rc;
}

Test(nomem_task, what_divides_ranges_says_so_wherever_memory_ends)
{
    weft_fn *const fns[] = { reduce, scan, sort };
    const int least[] = { 8, 1, 1 };
    weft_sched *s = workers(1);
    for (int i = 0; i < 3; i++) {
        struct attempt a = { .fn = fns[i] };
        for (int rc; (rc = weft_call(s, try, &a, NULL)); a.n++) {
            cr_assert_eq(rc, -ENOMEM);
            cr_assert_eq(a.total.sum, 0);
        }
        cr_assert_eq(a.total.sum, N * (N - 1) / 2);
        cr_assert(a.n >= least[i]);
    }
    weft_sched_destroy(s);
}

/* A child, and all that is made of children, needs no memory. */
static int fork_a_lot(weft_worker *self, void *ctx)
{
    struct weft_child children[100];
    struct weft_group group = { 0 };
    _Atomic unsigned ran = 0;
    for (int i = 0; i < 100; i++) {
        children[i] =
            (struct weft_child){ .fn = count, .ctx = (void *)(uintptr_t)&ran };
        cr_assert_eq(weft_group_spawn(self, &group, &children[i]), 0);
    }
    cr_assert_eq(weft_group_sync(self, &group), 0);
    cr_assert_eq(ran, 100);
    return 0;
}

Test(nomem_task, children_allocate_nothing)
{
    weft_sched *s = workers(1);
    cr_assert_eq(weft_call(s, fork_a_lot, NULL, NULL), 0);
    uint64_t before = load_relaxed(&allocations);
    cr_assert_eq(weft_call(s, fork_a_lot, NULL, NULL), 0);
    cr_assert_eq(load_relaxed(&allocations), before);
    weft_sched_destroy(s);
}
