/* explore_deque.c: the deque, under every interleaving of a few operations. */
#include "sched/deque.h"
#include "tests/weave/weave.h"

enum { TASKS = 3 };

static struct deque deque;
static struct task tasks[TASKS];
static int filled[TASKS], taken[TASKS];

static void have(struct task *t)
{
    if (!t)
        return;
    weave_assert(filled[t - tasks] == 1); /* plain: [P] orders it */
    weave_assert(++taken[t - tasks] == 1);
}

static void push(unsigned i)
{
    filled[i] = 1;
    weave_assert(wf_deque_push(&deque, &tasks[i]));
}

static void steal_one(void) { have(wf_deque_steal(&deque)); }

static void steal_two(void)
{
    steal_one();
    steal_one();
}

static void push_two_pop_two(void)
{
    push(0);
    push(1);
    have(wf_deque_pop(&deque));
    have(wf_deque_pop(&deque));
}

static void pop_and_push_two_pop_two(void)
{
    have(wf_deque_pop(&deque)); /* after a move that nobody asked for: */
    weave_assert(wf_deque_is_alone(&deque));
    push_two_pop_two();
}

static void push_and_pop_thrice(void)
{
    for (unsigned i = 0; i < TASKS; i++) {
        push(i);
        have(wf_deque_pop(&deque));
    }
}

static void push_list_pop_one(void)
{
    struct task_list list = { 0 };

    for (unsigned i = 0; i < TASKS; i++) {
        filled[i] = 1;
        task_list_add(&list, &tasks[i]);
    }
    wf_deque_push_list(&deque, &list);
    have(wf_deque_pop(&deque));
    have(wf_deque_pop(&deque));
}

/* The owner, when all is quiet, finds what is left. */
static void nothing_is_lost(void)
{
    for (struct task *t; (t = wf_deque_pop(&deque));)
        have(t);
    for (unsigned i = 0; i < TASKS; i++)
        weave_assert(taken[i] == filled[i]);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "the_last_task_is_taken_once",
          .threads = { push_two_pop_two, steal_two },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 2,
          .most = 1000000 },
        { .name = "so_it_is_by_an_owner_who_was_alone",
          .threads = { pop_and_push_two_pop_two, steal_two },
          .check = nothing_is_lost,
          .interruptions = 3,
          .stale = 2,
          .most = 1000000 },
        { .name = "two_thieves_take_different_tasks",
          .threads = { push_two_pop_two, steal_one, steal_one },
          .check = nothing_is_lost,
          .interruptions = 3,
          .stale = 1,
          .most = 1000000 },
        { .name = "an_emptied_deque_fills_again",
          .threads = { push_and_pop_thrice, steal_two },
          .check = nothing_is_lost,
          .interruptions = 3,
          .stale = 1,
          .most = 1000000 },
        { .name = "a_list_appears_at_once",
          .threads = { push_list_pop_one, steal_two },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 2,
          .most = 1000000 },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
