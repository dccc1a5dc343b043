/* test_loose.c: graph/loose.c: the tasks that have no handle share blocks,
 * which are given back, by whichever thread is the last. */
#include <pthread.h>
#include <unistd.h>

#include "tests/allocs.h"
#include "tests/futures.h"

#ifdef __SANITIZE_ADDRESS__
enum { TASKS_AT_LEAST = 1 };
#else
enum { TASKS_AT_LEAST = 10 }; /* in one allocation */
#endif

enum { THREADS = 4, MANY = 5000, SHORT_LIVED = 50 };

void __real_free(void *memory);
void __wrap_free(void *memory);

static _Atomic uint64_t frees;

void __wrap_free(void *memory)
{
    if (memory)
        add_relaxed(&frees, 1);
    __real_free(memory);
}

static weft_sched *sched;
static _Atomic unsigned ran;

static uint64_t live(void)
{
    return load_relaxed(&allocations) - load_relaxed(&frees);
}

static void *submit(void *n)
{
    for (unsigned i = 0; i < *(const unsigned *)n; i++)
        cr_assert_eq(weft_submit(sched, count, &ran, NULL, NULL), 0);
    return NULL;
}

/* On threads that have ended when this returns. */
static void submit_on(unsigned threads, unsigned n)
{
    pthread_t thread[SHORT_LIVED];

    for (unsigned i = 0; i < threads; i++)
        pthread_create(&thread[i], NULL, submit, &n);
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
}

static void all_come_back(unsigned threads, unsigned n)
{
    sched = workers(2);
    uint64_t before = live();

    store_relaxed(&ran, 0);
    submit_on(threads, n);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), threads * n);
    sched = workers(2); /* what it takes itself is the same */
    cr_assert_eq(live(), before);
    weft_sched_destroy(sched);
}

Test(loose, all_blocks_come_back, .timeout = 60)
{
    all_come_back(THREADS, MANY);
}

Test(loose, a_thread_that_ends_gives_back_what_it_did_not_use, .timeout = 60)
{
    all_come_back(SHORT_LIVED, 1);
}

Test(loose, one_allocation_serves_several, .timeout = 60)
{
    sched = workers(2);
    uint64_t before = load_relaxed(&allocations);

    submit_on(1, MANY);
    weft_sched_destroy(sched);
    cr_assert(load_relaxed(&allocations) - before <= MANY / TASKS_AT_LEAST + 1);
}

/* Its block stays as long as a task of it does. */
static weft_future *pending;

static int pend(weft_worker *self, void *ctx)
{
    pending = weft_future_self(self);
    add_release(&ran, 1); /* for the test, which waits */
    return WEFT_PENDING;
}

Test(loose, one_that_pends_outlives_its_thread, .timeout = 60)
{
    sched = workers(2);
    store_relaxed(&ran, 0);
    cr_assert_eq(weft_submit(sched, pend, NULL, NULL, NULL), 0);
    while (!load_acquire(&ran)) /* what pend() did */
        usleep(100);
    submit_on(THREADS, MANY);
    weft_future_complete(pending, 0);
    weft_sched_destroy(sched);
    cr_assert_eq(load_relaxed(&ran), 1 + THREADS * MANY);
}
