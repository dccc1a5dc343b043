/* test_turn.c: graph/turn.c alone: who comes early waits, nobody is lost. */
#include "graph/turn.h"

#include <pthread.h>
#include <sched.h>
#include <stddef.h>

#include "tests/test.h"
#include "tests/times.h"

Test(turn, who_comes_in_turn_passes)
{
    struct turn t;
    struct task task[3] = { { NULL } };
    cr_assert_eq(wf_turn_init(&t, 3), 0);
    for (uint64_t i = 0; i < 3; i++) {
        cr_assert(wf_turn_arrive(&t, i, &task[i]));
        cr_assert_eq(wf_turn_pass(&t, i), NULL);
    }
    wf_turn_finish(&t);
}

Test(turn, who_comes_early_is_returned_when_its_turn_has_come)
{
    struct turn t;
    struct task task[3] = { { NULL } };
    cr_assert_eq(wf_turn_init(&t, 3), 0);
    cr_assert(!wf_turn_arrive(&t, 2, &task[2]));
    cr_assert(!wf_turn_arrive(&t, 1, &task[1]));
    cr_assert(wf_turn_arrive(&t, 0, &task[0]));
    cr_assert_eq(wf_turn_pass(&t, 0), &task[1]);
    cr_assert_eq(wf_turn_pass(&t, 1), &task[2]);
    cr_assert_eq(wf_turn_pass(&t, 2), NULL);
    wf_turn_finish(&t);
}

/* The one that passes is delayed between its two steps: the others go round the
 * ring meanwhile, and one waits in the place that it looks at. Its second step
 * is what wf_turn_pass does for a turn that has long gone on. */
Test(turn, a_late_passer_takes_nobody_elses_task)
{
    struct turn t;
    struct task task[6] = { { NULL } };
    cr_assert_eq(wf_turn_init(&t, 4), 0);
    for (uint64_t i = 0; i < 2; i++) {
        cr_assert(wf_turn_arrive(&t, i, &task[i]));
        cr_assert_eq(wf_turn_pass(&t, i), NULL);
    }
    cr_assert(!wf_turn_arrive(&t, 5, &task[5])); /* in the place of 1 */
    store_relaxed(&t.next, 0);                   /* 0 has yet to pass */
    cr_assert_eq(wf_turn_pass(&t, 0), NULL);
    wf_turn_finish(&t);
}

/* Two threads, one with the even and one with the odd numbers. Whoever has the
 * turn writes `next`, which is plain: the turn orders it. */
enum { NUMBERS = TIMES(200000, 20000) };

static struct turn shared;
static uint64_t next;
static struct task tasks[NUMBERS];
static _Atomic uint64_t out_of_order, through;

static void go(uint64_t number)
{
    for (struct task *task = &tasks[number]; task;) {
        number = (uint64_t)(task - tasks);
        if (next++ != number)
            add_relaxed(&out_of_order, 1);
        add_relaxed(&through, 1);
        task = wf_turn_pass(&shared, number);
    }
}

static void *walk(void *first)
{
    for (uint64_t i = *(uint64_t *)first; i < NUMBERS; i += 2) {
        if (wf_turn_arrive(&shared, i, &tasks[i]))
            go(i);
        /* Not more than the window ahead. */
        while (i >= load_relaxed(&through) + 6)
            sched_yield();
    }
    return NULL;
}

Test(turn, everyone_passes_once_and_in_order, .timeout = 60)
{
    uint64_t first[2] = { 0, 1 };
    pthread_t th[2];
    cr_assert_eq(wf_turn_init(&shared, 16), 0);
    for (int i = 0; i < 2; i++)
        pthread_create(&th[i], NULL, walk, &first[i]);
    for (int i = 0; i < 2; i++)
        pthread_join(th[i], NULL);
    cr_assert_eq(through, NUMBERS);
    cr_assert_eq(out_of_order, 0);
    wf_turn_finish(&shared);
}
