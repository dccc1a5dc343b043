/* test_limit.c: graph/limit.c alone: tokens, and who waits for them. */
#include "graph/limit.h"

#include <pthread.h>
#include <stddef.h>

#include "tests/test.h"
#include "tests/times.h"

Test(limit, tokens_are_taken_until_there_are_none)
{
    struct limit l;
    struct task task = { NULL };
    wf_limit_init(&l, 2);
    cr_assert(wf_limit_take(&l));
    cr_assert(wf_limit_take(&l));
    cr_assert(!wf_limit_take(&l));
    cr_assert(!wf_limit_wait(&l, &task));
    cr_assert_eq(wf_limit_in_use(&l), 2);
    cr_assert_eq(l.peak, 2);
    cr_assert_eq(wf_limit_give(&l), &task);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_in_use(&l), 0);
    wf_limit_finish(&l);
}

Test(limit, the_oldest_that_waits_gets_the_token)
{
    struct limit l;
    struct task task[3] = { { NULL } };
    wf_limit_init(&l, 1);
    cr_assert(wf_limit_take(&l));
    for (int i = 0; i < 3; i++) {
        cr_assert(!wf_limit_take(&l));
        cr_assert(!wf_limit_wait(&l, &task[i]));
    }
    for (int i = 0; i < 3; i++)
        cr_assert_eq(wf_limit_give(&l), &task[i]);
    cr_assert_eq(wf_limit_give(&l), NULL);
    wf_limit_finish(&l);
}

Test(limit, a_token_given_before_the_waiter_is_listed_is_not_lost)
{
    struct limit l;
    struct task task = { NULL };
    wf_limit_init(&l, 1);
    cr_assert(wf_limit_take(&l));
    cr_assert(!wf_limit_take(&l)); /* refused, and not in the list yet */
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert(wf_limit_wait(&l, &task));
    cr_assert_eq(wf_limit_in_use(&l), 1);
    cr_assert_eq(wf_limit_give(&l), NULL);
    wf_limit_finish(&l);
}

/* Threads take, count and give; one that waits is counted by who serves it, as
 * a worker would run it. `inside` is plain: with one token, two at a time are
 * also a race for ThreadSanitizer. */
enum { THREADS = 3, ROUNDS = TIMES(100000, 10000) };

static struct limit shared;
static int inside, served;

static void *contend(void *unused)
{
    struct task *tasks = unused;
    for (int i = 0; i < ROUNDS; i++) {
        bool mine = wf_limit_take(&shared) || wf_limit_wait(&shared, &tasks[i]);
        while (mine) {
            inside++;
            served++;
            mine = wf_limit_give(&shared) != NULL;
        }
    }
    return unused;
}

Test(limit, everyone_is_served_once_and_one_at_a_time, .timeout = 60)
{
    static struct task tasks[THREADS][ROUNDS];
    pthread_t th[THREADS];
    wf_limit_init(&shared, 1);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&th[i], NULL, contend, tasks[i]);
    for (int i = 0; i < THREADS; i++)
        pthread_join(th[i], NULL);
    cr_assert_eq(served, THREADS * ROUNDS);
    cr_assert_eq(inside, THREADS * ROUNDS);
    cr_assert_eq(wf_limit_in_use(&shared), 0);
    cr_assert_eq(shared.owed, 0);
    wf_limit_finish(&shared);
}
