/* explore_deque.c: the deque, under every interleaving of a few operations. */
#include "sched/barrier.h"
#include "sched/deque.h"
#include "tests/weave/weave.h"

enum { TASKS = 3, FULL = DEQUE_SLOTS };

static struct deque deque;
static struct task tasks[FULL + 1];
static int filled[FULL + 1], taken[FULL + 1];

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

static void push_list_of(unsigned n)
{
    struct task_list list = { 0 };

    for (unsigned i = 0; i < n; i++) {
        filled[i] = 1;
        task_list_add(&list, &tasks[i]);
    }
    wf_deque_push_list(&deque, &list);
}

static void push_list(void) { push_list_of(TASKS); }

/* As if a thief had just asked. */
static void share(void) { store_relaxed(&deque.mood, ASKED); }

/* Its owner shares, and then is alone again. */
static void set_up_shared(void)
{
    share();
    push_list();
}

static void fill(void)
{
    share();
    push_list_of(FULL);
}

/* Into the place of one that was stolen, or not at all. */
static void push_one_more(void)
{
    filled[FULL] = 1;
    if (!wf_deque_push(&deque, &tasks[FULL]))
        filled[FULL] = 0;
}

static void pop_two(void)
{
    have(wf_deque_pop(&deque));
    have(wf_deque_pop(&deque));
}

static void push_list_pop_two(void)
{
    push_list();
    pop_two();
}

/* Alone until it is asked. */
static void push_list_pop_three(void)
{
    push_list_pop_two();
    have(wf_deque_pop(&deque));
}

/* [W]: of who pushes a task and then asks whether anybody sleeps, and who says
 * that it sleeps and then looks, one sees the other. */
static _Atomic bool sleeps, seen_asleep, seen_task;

static void push_and_ask(void)
{
    push(0);
    store_relaxed(&seen_asleep, load_seq_cst(&sleeps));
}

/* Alone since the first of them, which it takes back. */
static void push_two_and_ask(void)
{
    push(0);
    have(wf_deque_pop(&deque));
    push(1);
    store_relaxed(&seen_asleep, load_seq_cst(&sleeps));
}

/* As a worker does before it sleeps: visible() in sched.c. */
static void sleep_and_look(void)
{
    store_seq_cst(&sleeps, true);
    if (wf_deque_is_alone(&deque))
        wf_barrier_heavy();
    store_relaxed(&seen_task, wf_deque_visible(&deque));
}

/* The owner, when all is quiet, finds what is left. */
static void nothing_is_lost(void)
{
    for (struct task *t; (t = wf_deque_pop(&deque));)
        have(t);
    for (unsigned i = 0; i <= FULL; i++)
        weave_assert(taken[i] == filled[i]);
}

static void one_saw_the_other(void)
{
    weave_assert(seen_asleep || seen_task);
    nothing_is_lost();
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
          .threads = { push_list_pop_two, steal_two },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 2,
          .most = 1000000 },
        { .name = "nor_is_one_taken_twice_when_its_owner_is_alone_again",
          .setup = set_up_shared,
          .threads = { pop_two, steal_one, steal_one },
          .check = nothing_is_lost,
          .interruptions = 2,
          .stale = 4,
          .most = 1000000 },
        { .name = "nor_when_it_shares_again",
          .threads = { push_list_pop_three, steal_two },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 3,
          .most = 1000000 },
        { .name = "a_place_is_filled_again_when_its_task_was_taken",
          .setup = fill,
          .threads = { push_one_more, steal_one },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 3,
          .most = 1000000 },
        { .name = "who_pushes_or_who_falls_asleep_sees_the_other",
          .setup = share,
          .threads = { push_and_ask, sleep_and_look },
          .check = one_saw_the_other,
          .interruptions = 4,
          .stale = 3,
          .most = 1000000 },
        { .name = "so_it_is_with_one_who_is_alone",
          .threads = { push_two_and_ask, sleep_and_look },
          .check = one_saw_the_other,
          .interruptions = 4,
          .stale = 3,
          .most = 1000000 },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
