/* test_stack.c: however deep children go, they end, or end in an error: on the
 * usual stacks and on small ones. */
#include <pthread.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

#include "graph/stack.h"
#include "tests/runs.h"

enum {
    DEEP = 100000,
    KIB = 1024,
    LARGE = TIMES(8192, 2048), /* its own call stack has 65536 frames */
    SMALL = TIMES(64, 1024),   /* KiB; ThreadSanitizer needs most for itself */
};

/* ---- what is left of a stack ------------------------------------------- */

/* How much of the stack was left when it was found to be low, and out. */
struct left {
    char *end;
    size_t low, out;
};

__attribute__((noinline)) static void go_down(struct left *l)
{
    volatile char frame[256];
    size_t left = (size_t)((char *)__builtin_frame_address(0) - l->end);

    frame[0] = 0;
    if (wf_stack_low() && !l->low)
        l->low = left;
    if (wf_stack_out())
        l->out = left;
    else
        go_down(l);
    frame[1] = frame[0];
}

static void *measure(void *ctx)
{
    cr_assert(!wf_stack_low());
    go_down(ctx);
    return NULL;
}

static struct left on_a_stack_of(size_t bytes)
{
    struct left l = { .end = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
    pthread_t thread;
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    cr_assert_eq(pthread_attr_setstack(&attr, l.end, bytes), 0);
    cr_assert_eq(pthread_create(&thread, &attr, measure, &l), 0);
    pthread_join(thread, NULL);
    pthread_attr_destroy(&attr);
    munmap(l.end, bytes);
    return l;
}

/* Frames that were called meanwhile make a difference. */
static bool is_about(size_t left, size_t expected)
{
    return left <= expected + KIB && left + 2 * KIB >= expected;
}

Test(stack, is_low_when_an_eighth_is_left_and_out_at_half_of_that)
{
    struct left small = on_a_stack_of(1536 * KIB);
    struct left large = on_a_stack_of(8192 * KIB);

    cr_assert(is_about(small.low, 192 * KIB));
    cr_assert(is_about(small.out, 96 * KIB));
    cr_assert(is_about(large.low, 256 * KIB));
    cr_assert(is_about(large.out, 128 * KIB));
}

Test(stack, small_one_keeps_16_KiB)
{
    struct left tiny = on_a_stack_of(SMALL * KIB);
    size_t kept = SMALL / 8 > 16 ? SMALL / 8 : 16;
    cr_assert(is_about(tiny.low, kept * KIB));
    cr_assert(is_about(tiny.out, kept / 2 * KIB));
}

/* ---- deep recursion ---------------------------------------------------- */

struct level {
    unsigned n;
    void *ran; /* a counter */
};

/* The child is what goes deeper. */
static int child_recurses(weft_worker *self, void *ctx)
{
    struct level *here = ctx, below = { here->n - 1, here->ran };
    struct weft_child child = { .fn = child_recurses, .ctx = &below };

    count(self, here->ran);
    if (here->n == 1)
        return 0;
    int rc = weft_spawn(self, &child);
    if (rc)
        return rc;
    return weft_sync(self, &child);
}

/* The parent is. */
static int parent_recurses(weft_worker *self, void *ctx)
{
    struct level *here = ctx, below = { here->n - 1, here->ran };
    struct weft_child child = { .fn = count, .ctx = here->ran };

    if (!here->n)
        return 0;
    int rc = weft_spawn(self, &child);
    if (rc)
        return rc;
    rc = parent_recurses(self, &below);
    int other = weft_sync(self, &child);
    return rc ? rc : other;
}

/* One after the other, so that each has two children on every level. */
static int both_recurse(weft_worker *self, void *ctx)
{
    struct level *here = ctx, below = { here->n - 1, here->ran };
    struct weft_child leaf = { .fn = count, .ctx = here->ran };
    struct weft_child deep = { .fn = both_recurse, .ctx = &below };
    struct weft_group group = { 0 };

    if (!here->n)
        return 0;
    int rc = weft_group_spawn(self, &group, &deep);
    if (!rc)
        rc = weft_group_spawn(self, &group, &leaf);
    int other = weft_group_sync(self, &group);
    return rc ? rc : other;
}

static int loop_in_a_loop(weft_worker *self, size_t begin, size_t end,
                          void *ctx);

static int loop_recurses(weft_worker *self, void *ctx)
{
    struct level *here = ctx;
    count(self, here->ran);
    if (here->n == 1)
        return 0;
    return weft_for(self, 0, 1, loop_in_a_loop, ctx, 0);
}

static int loop_in_a_loop(weft_worker *self, size_t begin, size_t end,
                          void *ctx)
{
    struct level *above = ctx, here = { above->n - 1, above->ran };
    return loop_recurses(self, &here);
}

/* What it gives: all levels have run, or it says so. */
static int goes_deep(weft_sched *s, weft_fn *fn)
{
    _Atomic unsigned ran = 0;
    struct level top = { DEEP, &ran };
    weft_error why;
    int rc = weft_call(s, fn, &top, &why);

    cr_assert(rc == 0 || rc == -ENOBUFS);
    if (!rc)
        cr_assert_eq(ran, DEEP);
    else
        cr_assert(ran < DEEP);
    if (rc)
        cr_assert_eq(
            strcmp(why.text, "the function failed: No buffer space available"),
            0);
    return rc;
}

static void set_stack(size_t bytes)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    cr_assert_eq(pthread_attr_setstacksize(&attr, bytes), 0);
    cr_assert_eq(pthread_setattr_default_np(&attr), 0);
    pthread_attr_destroy(&attr);
}

Test(stack, children_go_on_where_there_is_stack, .timeout = 120)
{
    set_stack(LARGE * KIB);
    weft_sched *s = workers(1);
    cr_assert_eq(goes_deep(s, child_recurses), 0);
    cr_assert_eq(goes_deep(s, both_recurse), 0);
    weft_sched_destroy(s);
}

Test(stack, deep_recursion_ends_in_an_error_at_worst, .timeout = 120)
{
    for (unsigned n = 1; n <= 3; n++)
        for (size_t kib = SMALL; kib <= LARGE; kib *= 4) {
            set_stack(kib * KIB);
            weft_sched *s = workers(n);
            goes_deep(s, child_recurses);
            goes_deep(s, both_recurse);
            goes_deep(s, loop_recurses);
            goes_deep(s, parent_recurses);
            /* As well as ever. */
            _Atomic unsigned ran = 0;
            struct level shallow = { 10, &ran };
            cr_assert_eq(weft_call(s, both_recurse, &shallow, NULL), 0);
            cr_assert_eq(ran, 10);
            weft_sched_destroy(s);
            set_stack(LARGE * KIB);
        }
}

Test(stack, so_many_levels_on_a_small_stack_are_an_error, .timeout = 120)
{
    set_stack(SMALL * KIB);
    weft_sched *s = workers(2);
    cr_assert_eq(goes_deep(s, parent_recurses), -ENOBUFS);
    cr_assert_eq(goes_deep(s, loop_recurses), -ENOBUFS);
    weft_sched_destroy(s);
    set_stack(LARGE * KIB);
}
