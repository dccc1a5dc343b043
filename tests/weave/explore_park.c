/* explore_park.c: a task that is published is taken, whoever falls asleep. */
#include "sched/park.h"
#include "tests/weave/weave.h"

enum { WORKERS = 2 };

static struct park park;
static _Atomic int work;
static _Atomic unsigned taken;

static bool visible(void *unused) { return load_seq_cst(&work) > 0; }

static void set_up(void)
{
    weave_assert(!wf_park_init(&park, WORKERS, visible, 0));
}

static bool take(void)
{
    int n = load_relaxed(&work);

    while (n > 0)
        if (cas_seq_cst(&work, &n, n - 1))
            return true;
    return false;
}

/* A worker until it has taken one. */
static void work_once(unsigned self)
{
    bool searching = wf_park_start_search(&park);

    while (!searching || !take()) {
        if (wf_park_closed(&park))
            return;
        wf_park_sleep(&park, self, searching);
        searching = true;
    }
    wf_park_end_search(&park);
    add_relaxed(&taken, 1);
}

static void first_worker(void) { work_once(0); }
static void second_worker(void) { work_once(1); }

static void publish_one(void)
{
    add_seq_cst(&work, 1); /* [W] in park.c */
    if (wf_park_expects(&park))
        wf_park_notify(&park, 0);
}

/* With a look at those who sleep only. */
static void publish_for_who_sleeps(void)
{
    add_seq_cst(&work, 1); /* [W] in park.c */
    if (wf_park_any_sleeps(&park))
        wf_park_notify(&park, 0);
}

static void publish_two(void)
{
    publish_one();
    publish_one();
}

/* Without a look whether anybody expects it. */
static void publish_and_notify(void)
{
    add_seq_cst(&work, 1); /* [W] in park.c */
    wf_park_notify(&park, 0);
}

/* [L]: a worker that is called does not sleep, though there is no work. */
static void sleep_until_called(void)
{
    wf_park_sleep(&park, 0, false);
    weave_assert(wf_park_called(&park, 0));
    wf_park_answer(&park, 0);
    weave_assert(!wf_park_called(&park, 0));
    wf_park_close(&park);
}

static void call_first(void) { wf_park_call(&park, 0); }

/* The other worker, which may be woken in its place, and sleeps again. */
static void sleep_until_closed(void)
{
    for (bool searching = false; !wf_park_closed(&park); searching = true)
        wf_park_sleep(&park, 1, searching);
}

/* The same where it is woken for another reason as well. */
static void sleep_until_its_call(void)
{
    bool searching = false; /* unless it is called before it sleeps */

    for (; !wf_park_called(&park, 0); searching = true)
        wf_park_sleep(&park, 0, searching);
    wf_park_answer(&park, 0);
    if (searching)
        wf_park_end_search(&park);
}

static void sleep_until_its_call_and_close(void)
{
    sleep_until_its_call();
    wf_park_close(&park);
}

/* Wakes the other one before the first, and may take what that one counts. */
static void notify_second(void) { wf_park_notify(&park, 1); }

/* [B]: two wake, each one of two, though both begin at the first. */
static _Atomic bool two_came;

static void await_two(void)
{
    while (!load_relaxed(&two_came)) {
        uint64_t state = load_relaxed(&park.state);
        if ((uint32_t)state + (state >> 32) == WORKERS)
            store_relaxed(&two_came, true);
        else
            weave_yield();
    }
}

static void notify_first_of_two(void)
{
    await_two();
    wf_park_notify(&park, 0);
}

static void call_first_of_two_and_publish(void)
{
    await_two();
    wf_park_call(&park, 0);
    publish_one();
}

/* [H] */
static int left;

static void leave_and_notify(void)
{
    left = 1;
    wf_park_notify(&park, 0);
}

static void sleep_and_find(void)
{
    wf_park_sleep(&park, 0, false);
    weave_assert(left == 1);
}

/* Somebody sleeps there already, and nobody else does anything. */
static void leave_when_it_sleeps(void)
{
    while (!wf_park_expects(&park))
        weave_yield();
    leave_and_notify();
}

static void close_all(void) { wf_park_close(&park); }

static void one_was_taken(void)
{
    weave_assert(taken == 1);
    wf_park_finish(&park);
}

static void two_were_taken(void)
{
    weave_assert(taken == 2);
    wf_park_finish(&park);
}

static void finish(void) { wf_park_finish(&park); }

static const struct weave_test tests[] = {
    { .name = "one_task_wakes_a_worker",
      .setup = set_up,
      .threads = { first_worker, publish_one },
      .check = one_was_taken,
      .interruptions = 5,
      .stale = 2,
      .most = 500000 },
    { .name = "two_tasks_wake_two_workers",
      .setup = set_up,
      .threads = { first_worker, second_worker, publish_two },
      .check = two_were_taken,
      .interruptions = 2,
      .stale = 1,
      .most = 500000 },
    { .name = "two_publishers_wake_two_workers",
      .setup = set_up,
      .threads = { first_worker, second_worker, publish_one, publish_one },
      .check = two_were_taken,
      .interruptions = 2,
      .stale = 0,
      .most = 500000 },
    { .name = "nobody_sleeps_once_it_is_closed",
      .setup = set_up,
      .threads = { first_worker, second_worker, close_all },
      .check = finish,
      .interruptions = 3,
      .stale = 1,
      .most = 500000 },
    { .name = "who_does_not_ask_before_wakes_a_worker_too",
      .setup = set_up,
      .threads = { first_worker, publish_and_notify },
      .check = one_was_taken,
      .interruptions = 5,
      .stale = 2,
      .most = 500000 },
    { .name = "who_asks_whether_any_sleeps_wakes_it",
      .setup = set_up,
      .threads = { first_worker, publish_for_who_sleeps },
      .check = one_was_taken,
      .interruptions = 5,
      .stale = 2,
      .most = 500000 },
    { .name = "who_is_called_does_not_sleep",
      .setup = set_up,
      .threads = { sleep_until_called, call_first },
      .check = finish,
      .interruptions = 5,
      .stale = 3,
      .most = 500000 },
    { .name = "nor_where_another_one_sleeps",
      .setup = set_up,
      .threads = { sleep_until_called, sleep_until_closed, call_first },
      .check = finish,
      .interruptions = 3,
      .stale = 1,
      .most = 500000 },
    { .name = "nor_where_its_count_has_served_to_wake_another_one",
      .setup = set_up,
      .threads = { sleep_until_its_call_and_close, sleep_until_closed,
                   notify_second, call_first },
      .check = finish,
      .interruptions = 2,
      .stale = 0,
      .most = 500000 },
    { .name = "two_who_wake_at_once_wake_one_each",
      .setup = set_up,
      .threads = { sleep_until_its_call, second_worker, notify_first_of_two,
                   call_first_of_two_and_publish },
      .check = one_was_taken,
      .interruptions = 1,
      .stale = 0,
      .most = 500000 },
    { .name = "who_is_woken_sees_what_its_waker_did",
      .setup = set_up,
      .threads = { sleep_and_find, leave_when_it_sleeps },
      .check = finish,
      .interruptions = 4,
      .stale = 3,
      .most = 500000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
