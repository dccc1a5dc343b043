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

Test(limit, a_try_in_vain_changes_nothing)
{
    struct limit l;
    wf_limit_init(&l, 1);
    cr_assert(wf_limit_try(&l));
    cr_assert(!wf_limit_try(&l));
    cr_assert_eq(wf_limit_in_use(&l), 1);
    cr_assert_eq(l.peak, 1);
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

/* So many tasks have asked and wait. */
static void wait_in_line(struct limit *l, struct task *tasks, int n)
{
    for (int i = 0; i < n; i++) {
        cr_assert(!wf_limit_take(l));
        cr_assert(!wf_limit_wait(l, &tasks[i]));
    }
}

static void take_all(struct limit *l, unsigned n)
{
    while (n--)
        cr_assert(wf_limit_take(l));
}

Test(limit, more_tokens_go_to_the_oldest_and_the_rest_are_free)
{
    struct limit l;
    struct task task[3] = { { NULL } };
    wf_limit_init(&l, 1);
    take_all(&l, 1);
    wait_in_line(&l, task, 3);

    struct task_list served = wf_limit_set(&l, 3);
    cr_assert_eq(served.count, 2);
    cr_assert_eq(task_list_take(&served), &task[0]);
    cr_assert_eq(task_list_take(&served), &task[1]);
    cr_assert_eq(wf_limit_in_use(&l), 3);
    served = wf_limit_set(&l, 5);
    cr_assert_eq(served.count, 1);
    cr_assert_eq(task_list_take(&served), &task[2]);
    cr_assert_eq(wf_limit_in_use(&l), 4);
    cr_assert_eq(l.peak, 4);
    take_all(&l, 1);
    cr_assert(!wf_limit_take(&l));
    wf_limit_finish(&l);
}

Test(limit, fewer_tokens_are_kept_until_their_number_is_right)
{
    struct limit l;
    struct task task[2] = { { NULL } };
    wf_limit_init(&l, 3);
    take_all(&l, 3);
    wait_in_line(&l, task, 2);

    cr_assert_eq(wf_limit_set(&l, 1).count, 0);
    cr_assert_eq(wf_limit_in_use(&l), 3);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_in_use(&l), 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(wf_limit_give(&l), &task[i]);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_in_use(&l), 0);
    cr_assert_eq(l.peak, 3);
    take_all(&l, 1);
    cr_assert(!wf_limit_take(&l));
    wf_limit_finish(&l);
}

Test(limit, free_tokens_go_before_those_in_use)
{
    struct limit l;
    wf_limit_init(&l, 4);
    take_all(&l, 2);
    cr_assert_eq(wf_limit_set(&l, 2).count, 0);
    cr_assert_eq(wf_limit_in_use(&l), 2);
    cr_assert_eq(wf_limit_give(&l), NULL);
    take_all(&l, 1); /* it was not kept */
    cr_assert_eq(wf_limit_set(&l, 1).count, 0);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_in_use(&l), 1);
    cr_assert(!wf_limit_take(&l)); /* it was */
    wf_limit_finish(&l);
}

Test(limit, raised_while_tokens_are_kept_it_serves_only_what_is_left)
{
    struct limit l;
    struct task task[2] = { { NULL } };
    wf_limit_init(&l, 4);
    take_all(&l, 4);
    wait_in_line(&l, task, 2);
    cr_assert_eq(wf_limit_set(&l, 1).count, 0);
    cr_assert_eq(wf_limit_set(&l, 3).count, 0);
    cr_assert_eq(wf_limit_in_use(&l), 4);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_give(&l), &task[0]);

    struct task_list served = wf_limit_set(&l, 9);
    cr_assert_eq(served.count, 1);
    cr_assert_eq(served.first, &task[1]);
    cr_assert_eq(wf_limit_in_use(&l), 4);
    wf_limit_finish(&l);
}

/* The token was given to a task that had not reached the list; it then was one
 * too many. */
Test(limit, a_token_that_is_owed_can_be_withdrawn)
{
    struct limit l;
    struct task task = { NULL };
    wf_limit_init(&l, 2);
    take_all(&l, 2);
    cr_assert(!wf_limit_take(&l));
    cr_assert_eq(wf_limit_give(&l), NULL); /* owed */
    cr_assert_eq(wf_limit_set(&l, 1).count, 0);
    cr_assert(!wf_limit_wait(&l, &task));
    cr_assert_eq(wf_limit_in_use(&l), 1);
    cr_assert_eq(wf_limit_give(&l), &task);
    wf_limit_finish(&l);
}

Test(limit, a_token_set_before_the_waiter_is_listed_is_not_lost)
{
    struct limit l;
    struct task task = { NULL };
    wf_limit_init(&l, 1);
    take_all(&l, 1);
    cr_assert(!wf_limit_take(&l)); /* refused, and not in the list yet */
    cr_assert_eq(wf_limit_set(&l, 2).count, 0);
    cr_assert(wf_limit_wait(&l, &task));
    cr_assert_eq(wf_limit_in_use(&l), 2);
    wf_limit_finish(&l);
}

Test(limit, unlimited_refuses_nobody_and_counts_all_the_same)
{
    enum { MANY = 1000 };
    struct limit l;
    struct task task[2] = { { NULL } };
    wf_limit_init(&l, WEFT_UNLIMITED);
    cr_assert_eq(l.tokens, WEFT_UNLIMITED);
    take_all(&l, MANY);
    cr_assert_eq(wf_limit_in_use(&l), MANY);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_in_use(&l), 0);
    cr_assert_eq(l.peak, MANY);

    take_all(&l, 2);
    cr_assert_eq(wf_limit_set(&l, 1).count, 0);
    cr_assert_eq(wf_limit_in_use(&l), 2);
    wait_in_line(&l, task, 2);
    cr_assert_eq(wf_limit_give(&l), NULL);
    cr_assert_eq(wf_limit_set(&l, WEFT_UNLIMITED).count, 2);
    cr_assert_eq(wf_limit_in_use(&l), 3);
    take_all(&l, MANY);
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
