/* test_for.c: a loop whose ranges are divided: each index once. */
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

static const unsigned crews[] = { 1, 2, 3, 8 };
enum { CREWS = sizeof crews / sizeof *crews };

/* A loop that a test makes, and what became of it. */
struct loop {
    size_t begin, end, grain;
    weft_range_fn *fn;
    _Atomic unsigned char *seen; /* how often each index from `begin` was */
    _Atomic size_t calls, odd_sizes;
    size_t failing; /* an index */
    _Atomic size_t after;
    _Atomic unsigned gate;
    int rc;
};

static int mark(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct loop *l = ctx;
    cr_assert(l->begin <= begin && begin < end && end <= l->end);
    add_relaxed(&l->calls, 1);
    if (end - begin != l->grain)
        add_relaxed(&l->odd_sizes, 1);
    for (size_t i = begin; i < end; i++)
        add_relaxed(&l->seen[i - l->begin], 1);
    return 0;
}

static int loop_over(weft_worker *self, void *ctx)
{
    struct loop *l = ctx;
    l->rc = weft_for(self, l->begin, l->end, l->fn, l, l->grain);
    return 0;
}

static void check_each_once(weft_sched *s, struct loop *l)
{
    size_t n = l->end > l->begin ? l->end - l->begin : 0;
    l->fn = mark;
    l->seen = calloc(n + 1, sizeof *l->seen);
    cr_assert_eq(weft_call(s, loop_over, l, NULL), 0);
    cr_assert_eq(l->rc, 0);
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(l->seen[i], 1);
    free((void *)(uintptr_t)l->seen);
}

Test(loop, every_index_once, .timeout = 60)
{
    const size_t sizes[] = { 0, 1, 2, 3, 7, 64, 1000, TIMES(1000000, 50000) };
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            struct loop l = { .begin = 17, .end = 17 + sizes[i] };
            check_each_once(s, &l);
        }
        struct loop empty = { .begin = 5, .end = 3 };
        check_each_once(s, &empty);
        cr_assert_eq(empty.calls, 0);
        struct loop last = { .begin = SIZE_MAX - 1000, .end = SIZE_MAX };
        check_each_once(s, &last);
        weft_sched_destroy(s);
    }
}

Test(loop, with_a_grain_only_the_last_call_is_for_less, .timeout = 60)
{
    for (int c = 0; c < CREWS; c++) {
        weft_sched *s = workers(crews[c]);
        for (size_t grain = 1; grain < 2000; grain = grain * 3 + 1) {
            struct loop l = { .begin = 3, .end = 1003, .grain = grain };
            check_each_once(s, &l);
            cr_assert_eq(l.calls, (1000 + grain - 1) / grain);
            cr_assert_eq(l.odd_sizes, 1000 % grain != 0);
        }
        weft_sched_destroy(s);
    }
}

/* Nobody takes anything: chunks grow, and there are few of them. */
Test(loop, alone_a_worker_makes_few_calls)
{
    struct loop l = { .end = 1000000 };
    weft_sched *s = workers(1);
    check_each_once(s, &l);
    cr_assert(l.calls < 200);
    weft_sched_destroy(s);
}

/* The first chunk ends only when another worker has begun one. */
static int meet(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct loop *l = ctx;
    add_relaxed(&l->gate, 1u);
    while (load_relaxed(&l->gate) < 2)
        usleep(100);
    return 0;
}

Test(loop, idle_worker_takes_a_half, .timeout = 60)
{
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(300, 50); i++) {
        struct loop l = { .end = 2, .fn = meet };
        cr_assert_eq(weft_call(s, loop_over, &l, NULL), 0);
        cr_assert_eq(l.rc, 0);
    }
    weft_sched_destroy(s);
}

/* ---- errors ------------------------------------------------------------ */

static int fail_at(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct loop *l = ctx;
    add_relaxed(&l->calls, 1);
    return begin <= l->failing && l->failing < end ? -EIO : 0;
}

Test(loop, error_is_its_result_and_nothing_begins_after_it)
{
    weft_sched *s = workers(1);
    for (size_t i = 0; i < 100; i++) {
        struct loop l = { .end = 100, .fn = fail_at, .failing = i, .grain = 1 };
        cr_assert_eq(weft_call(s, loop_over, &l, NULL), 0);
        cr_assert_eq(l.rc, -EIO);
        cr_assert_eq(l.calls, i + 1);
    }
    weft_sched_destroy(s);
}

/* All that begins after the error has been returned is counted: what has begun
 * before, one call on each other worker, may be. */
static int fail_first(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct loop *l = ctx;
    if (begin == 0)
        return -EIO;
    add_relaxed(&l->after, 1);
    usleep(1000);
    return 0;
}

Test(loop, error_stops_the_other_workers_too, .timeout = 60)
{
    weft_sched *s = workers(3);
    for (int i = 0; i < TIMES(100, 20); i++) {
        struct loop l = { .end = 100000, .fn = fail_first, .grain = 1 };
        cr_assert_eq(weft_call(s, loop_over, &l, NULL), 0);
        cr_assert_eq(l.rc, -EIO);
        cr_assert(l.after < 1000); /* 100000 would take half a minute */
    }
    weft_sched_destroy(s);
}

/* Both halves fail, at the same time. */
static int fail_both(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    meet(self, begin, end, ctx);
    return begin ? -EBADF : -EIO;
}

Test(loop, of_two_errors_it_is_the_one_of_the_lower_index, .timeout = 60)
{
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(300, 50); i++) {
        struct loop l = { .end = 2, .fn = fail_both };
        cr_assert_eq(weft_call(s, loop_over, &l, NULL), 0);
        cr_assert_eq(l.rc, -EIO);
    }
    weft_sched_destroy(s);
}

static int return_odd(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    return WEFT_PENDING;
}

Test(loop, anything_but_0_and_an_errno_is_EINVAL)
{
    struct loop l = { .end = 2, .fn = return_odd };
    weft_sched *s = workers(1);
    cr_assert_eq(weft_call(s, loop_over, &l, NULL), 0);
    cr_assert_eq(l.rc, -EINVAL);
    weft_sched_destroy(s);
}

/* ---- nested ------------------------------------------------------------ */

enum { SIDE = 40 };
struct cube {
    _Atomic unsigned char cell[SIDE][SIDE][SIDE];
};
struct at {
    struct cube *cube;
    size_t i, j;
};

static int mark_row(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct at *at = ctx;
    for (size_t k = begin; k < end; k++)
        add_relaxed(&at->cube->cell[at->i][at->j][k], 1);
    return 0;
}

static int mark_slice(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct at at = *(struct at *)ctx;
    int rc = 0;
    for (at.j = begin; at.j < end && !rc; at.j++)
        rc = weft_for(self, 0, SIDE, mark_row, &at, 0);
    return rc;
}

static int mark_cube(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    struct at at = { .cube = ctx };
    int rc = 0;
    for (at.i = begin; at.i < end && !rc; at.i++)
        rc = weft_for(self, 0, SIDE, mark_slice, &at, 0);
    return rc;
}

static int loop_in_loops(weft_worker *self, void *ctx)
{
    return weft_for(self, 0, SIDE, mark_cube, ctx, 0);
}

Test(loop, in_a_loop_in_a_loop, .timeout = 60)
{
    for (int c = 0; c < CREWS; c++) {
        struct cube *cube = calloc(1, sizeof *cube);
        const _Atomic unsigned char *cell = &cube->cell[0][0][0];
        weft_sched *s = workers(crews[c]);
        cr_assert_eq(weft_call(s, loop_in_loops, cube, NULL), 0);
        for (int i = 0; i < SIDE * SIDE * SIDE; i++)
            cr_assert_eq(cell[i], 1);
        weft_sched_destroy(s);
        free(cube);
    }
}
