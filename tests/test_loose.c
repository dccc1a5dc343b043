/* test_loose.c: graph/loose.c: tasks that have no handle share blocks, which
 * are given back, by whichever thread is the last. */
#include <unistd.h>

#include "tests/futures.h"
#include "tests/live.h"

#ifdef __has_feature /* clang's, for gcc's macro */
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
enum { IN_ONE_ALLOCATION = 1 };
#else
enum { IN_ONE_ALLOCATION = 10 };
#endif

enum { FEW = 50, MANY = 5000 };

static weft_sched *sched;
static _Atomic unsigned ran, submitted_all;

/* On a worker. */
static int submit(weft_worker *self, void *n)
{
    for (unsigned i = 0; i < *(const unsigned *)n; i++)
        cr_assert_eq(weft_submit(sched, count, &ran, NULL, NULL), 0);
    add_release(&submitted_all, 1); /* for the test, which waits */
    return 0;
}

static void submit_inside(unsigned n)
{
    store_relaxed(&submitted_all, 0);
    cr_assert_eq(weft_submit(sched, submit, &n, NULL, NULL), 0);
    while (!load_acquire(&submitted_all)) /* what submit() did */
        usleep(100);
}

static void all_come_back(unsigned n)
{
    sched = workers(2);
    uint64_t before = live();

    store_relaxed(&ran, 0);
    submit_inside(n);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), n);
    sched = workers(2); /* what it takes itself is the same */
    cr_assert_eq(live(), before);
    weft_sched_destroy(sched);
}

Test(loose, all_blocks_come_back, .timeout = 60) { all_come_back(MANY); }

Test(loose, a_thread_that_ends_gives_back_what_it_did_not_use, .timeout = 60)
{
    for (unsigned n = 1; n < FEW; n++)
        all_come_back(n);
}

Test(loose, one_allocation_serves_several, .timeout = 60)
{
    sched = workers(1);
    uint64_t before = load_relaxed(&allocations);

    submit_inside(MANY);
    cr_assert(load_relaxed(&allocations) - before <=
              MANY / IN_ONE_ALLOCATION + 3); /* and who submits */
    weft_sched_destroy(sched);
}

/* Its block stays as long as a task of it does. */
static weft_future *pending;

static int pend(weft_worker *self, void *ctx)
{
    pending = weft_future_self(self);
    add_release(&ran, 1); /* for the test, which waits */
    return WEFT_PENDING;
}

Test(loose, one_that_pends_stays, .timeout = 60)
{
    sched = workers(2);
    store_relaxed(&ran, 0);
    cr_assert_eq(weft_submit(sched, pend, NULL, NULL, NULL), 0);
    while (!load_acquire(&ran)) /* what pend() did */
        usleep(100);
    submit_inside(MANY);
    weft_future_complete(pending, 0);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), 1 + MANY);
}
