/* explore_inject.c: tasks come in through the queue, and go out once each. */
#include "sched/inject.h"
#include "tests/weave/weave.h"

enum { TASKS = 4 };

static struct inject queue;
static struct task tasks[TASKS];
static int filled[TASKS], taken[TASKS];

static void set_up(void) { wf_inject_init(&queue); }

static void put(unsigned first, unsigned n)
{
    struct task_list list = { 0 };

    for (unsigned i = first; i < first + n; i++) {
        filled[i] = 1;
        task_list_add(&list, &tasks[i]);
    }
    wf_inject_leave(&queue, wf_inject_enter(&queue, &list));
}

static void put_two(void) { put(0, 2); }
static void put_another(void) { put(2, 1); }
static void put_two_one_by_one(void)
{
    put(0, 1);
    put(1, 1);
}

static void have(struct task_list list)
{
    for (struct task *t; (t = task_list_take(&list));) {
        unsigned i = (unsigned)(t - tasks);
        weave_assert(filled[i] == 1);
        weave_assert(++taken[i] == 1);
    }
}

static void take_one(void) { have(wf_inject_take(&queue, 1)); }

static void take_most(void)
{
    have(wf_inject_take(&queue, 2));
    have(wf_inject_take(&queue, 2));
}

/* First in, first out. */
static void take_in_order(void)
{
    take_one();
    weave_assert(!taken[1]);
    take_one();
}

/* [W]: one of the two is left, wherever it is on its way. */
static void set_up_with_two(void)
{
    set_up();
    put_two();
}

/* The same behind one that was taken, with nothing on its way any more. */
static void set_up_with_two_left(void)
{
    set_up();
    put(0, 3);
    take_one();
}

static void look(void) { weave_assert(wf_inject_visible(&queue) > 0); }

static void put_back(void)
{
    struct task_list list = wf_inject_take(&queue, 1);
    struct task *t = task_list_take(&list);

    if (t)
        wf_inject_put_first(&queue, t);
}

static void nothing_is_lost(void)
{
    for (struct task_list list; (list = wf_inject_take(&queue, TASKS)).count;)
        have(list);
    for (unsigned i = 0; i < TASKS; i++)
        weave_assert(taken[i] == filled[i]);
    weave_assert(!wf_inject_has(&queue));
    wf_inject_finish(&queue);
}

/* [W]: of who puts a task and then asks whether anybody sleeps, and who says
 * that it sleeps and then looks, one sees the other. */
static _Atomic bool sleeps, seen_asleep, seen_task;

static void put_and_ask(void)
{
    put(0, 1);
    store_relaxed(&seen_asleep, load_seq_cst(&sleeps));
}

static void put_first_and_ask(void)
{
    filled[0] = 1;
    wf_inject_put_first(&queue, &tasks[0]);
    store_relaxed(&seen_asleep, load_seq_cst(&sleeps));
}

static void sleep_and_look(void)
{
    store_seq_cst(&sleeps, true);
    store_relaxed(&seen_task, wf_inject_visible(&queue));
}

static void one_saw_the_other(void)
{
    weave_assert(seen_asleep || seen_task);
    nothing_is_lost();
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "two_put_and_one_takes",
          .setup = set_up,
          .threads = { put_two, put_another, take_most },
          .check = nothing_is_lost,
          .interruptions = 2,
          .stale = 1,
          .most = 200000 },
        { .name = "the_oldest_comes_out_first",
          .setup = set_up,
          .threads = { put_two_one_by_one, take_in_order },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 2,
          .most = 200000 },
        { .name = "two_take_different_tasks",
          .setup = set_up,
          .threads = { put_two_one_by_one, take_one, take_one },
          .check = nothing_is_lost,
          .interruptions = 2,
          .stale = 1,
          .most = 200000 },
        { .name = "what_is_put_back_comes_first",
          .setup = set_up,
          .threads = { put_two, put_back, take_one },
          .check = nothing_is_lost,
          .interruptions = 2,
          .stale = 1,
          .most = 200000 },
        { .name = "what_is_left_is_seen_while_it_moves",
          .setup = set_up_with_two,
          .threads = { take_one, look },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 3,
          .most = 200000 },
        { .name = "so_is_what_has_moved",
          .setup = set_up_with_two_left,
          .threads = { take_one, look },
          .check = nothing_is_lost,
          .interruptions = 4,
          .stale = 3,
          .most = 200000 },
        { .name = "who_puts_or_who_falls_asleep_sees_the_other",
          .setup = set_up,
          .threads = { put_and_ask, sleep_and_look },
          .check = one_saw_the_other,
          .interruptions = 4,
          .stale = 3,
          .most = 200000 },
        { .name = "so_it_is_with_what_is_put_first",
          .setup = set_up,
          .threads = { put_first_and_ask, sleep_and_look },
          .check = one_saw_the_other,
          .interruptions = 4,
          .stale = 3,
          .most = 200000 },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
