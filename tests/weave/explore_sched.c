/* explore_sched.c: the scheduler as a whole, by its public interface and that
 * of sched/, on a machine of two cores: two workers and who uses them. */
#include "tests/weave/within.h"

/* The result is seen, and nothing is left over: no memory, no thread. */
static void submit_and_wait(unsigned n)
{
    weft_sched *sched = workers(n);
    weft_future *f;
    int calls = 0;

    weave_assert(!weft_submit(sched, count, &calls, &f, 0));
    weave_assert(!weft_future_wait(f, -1));
    weave_assert(calls == 1);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

static void one_worker(void) { submit_and_wait(1); }
static void two_workers(void) { submit_and_wait(2); }

/* What was submitted without a handle runs before the scheduler ends. */
static void end_with_work(void)
{
    weft_sched *sched = workers(2);
    int calls[2] = { 0 };

    weave_assert(!weft_submit(sched, count, &calls[0], 0, 0));
    weave_assert(!weft_submit(sched, count, &calls[1], 0, 0));
    weft_sched_destroy(sched);
    weave_assert(calls[0] == 1 && calls[1] == 1);
}

/* A task whose worker does nothing until another worker has helped. */
static struct {
    struct task task, first, second;
    _Atomic uint32_t helped, over;
} host;

static struct task *nothing(weft_worker *self, struct task *task)
{
    return NULL;
}

static struct task *help(weft_worker *self, struct task *task)
{
    store_release(&host.helped, 1);
    wf_wake_all(&host.helped);
    return NULL;
}

/* After a move of bottom that nobody has asked about, the owner is alone. It
 * sleeps with its worker: nobody stands in for it, and takes the second. */
static struct task *push_alone(weft_worker *self, struct task *task)
{
    wf_push(self, &host.first);
    wf_take_back(self, &host.first);
    wf_push(self, &host.second);
    while (!load_acquire(&host.helped))
        wf_sleep_while(&host.helped, 0, -1);
    store_release(&host.over, 1);
    wf_wake_all(&host.over);
    return NULL;
}

static void push_and_wait(void)
{
    weft_sched *sched = workers(2);
    struct task_list list = { 0 };

    host.task.run = push_alone;
    host.first.run = nothing;
    host.second.run = help;
    task_list_add(&list, &host.task);
    wf_inject(sched, &list);
    while (!load_acquire(&host.over))
        wf_sleep_while(&host.over, 0, -1);
    weft_sched_destroy(sched);
}

/* ---- who sleeps is woken ------------------------------------------------ */

/* Workers soon sleep, but a thread that waits for nothing is faster. This one
 * is about to. */
static void wait_until_one_parks(void)
{
    struct weft_sched_stats are;

    do {
        weave_yield();
        weft_sched_stats(shared, &are);
    } while (!are.parks);
}

static void wait_until_one_sleeps(void)
{
    while (!wf_park_any_sleeps(&shared->park))
        weave_yield();
}

/* It is destroyed as soon as the task has run: who made that ready may not be
 * through yet. */
static void begin_and_end(void)
{
    shared = workers(1);
    ready.run = is_done;
    wait_until_one_parks();
    say(&is_shared);
    wait_for(&done);
    weft_sched_destroy(shared);
}

static void make_last(void)
{
    wait_for(&is_shared);
    wf_ready_last(shared, NULL, &ready, false);
}

static struct task *busy(weft_worker *self, struct task *task)
{
    say(&is_shared);
    wait_for(&host.over);
    return NULL;
}

/* One sleeps, and another takes the task before anybody is woken. */
static void begin_two_and_end(void)
{
    shared = workers(2);
    host.task.run = busy;
    ready.run = is_done;
    inject(&host.task);
    wait_for(&done);
    weft_sched_destroy(shared);
}

static void make_ready_as_one_sleeps(void)
{
    wait_for(&is_shared);
    wait_until_one_sleeps();
    say(&host.over);
    inject(&ready);
}

/* Only the other worker can take what one that is busy was sent. */
static struct task *wait_on_worker(weft_worker *self, struct task *task)
{
    store_release(&host.over, 1 + weft_worker_index(self));
    wf_wake_all(&host.over);
    wait_for(&done);
    return NULL;
}

static void send_to_who_is_busy(void)
{
    shared = workers(2);
    host.task.run = wait_on_worker;
    ready.run = is_done;
    inject(&host.task);
    wait_for(&host.over);
    wait_until_one_parks();
    wf_ready_at(shared, &ready, load_acquire(&host.over) - 1);
    wait_for(&done);
    weft_sched_destroy(shared);
}

/* ---- who sleeps lends its worker ----------------------------------------- */

static void lend_to_each_other(void) { lend_to_each_other_with(0); }

/* ---- what begins at the end --------------------------------------------- */

static void hold_late(void) { begin_late(hold, NULL, 0); }
static void offload_late(void) { begin_late(offload, go_on, 0); }
static void wait_late(void) { begin_late(offload, go_on_and_wait, 0); }
static void time_late(void) { begin_late(start_timer, NULL, 0); }

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_result_reaches_who_waits", .threads = { one_worker } },
        { .name = "a_result_comes_from_one_of_two",
          .threads = { two_workers } },
        { .name = "what_is_submitted_runs_before_the_end",
          .threads = { end_with_work } },
        { .name = "what_is_pushed_alone_is_seen_by_who_falls_asleep",
          .threads = { push_and_wait } },
        { .name = "what_comes_from_outside_wakes_who_sleeps",
          .threads = { begin_and_end, make_ready } },
        { .name = "what_comes_from_outside_is_taken_before_one_is_woken",
          .threads = { begin_two_and_end, make_ready_as_one_sleeps } },
        { .name = "what_comes_last_wakes_who_sleeps",
          .threads = { begin_and_end, make_last } },
        { .name = "what_is_for_one_that_is_busy_wakes_another",
          .threads = { send_to_who_is_busy } },
        { .name = "those_who_sleep_on_a_worker_have_it_one_after_the_other",
          .threads = { lend_to_each_other } },
        { .name = "what_helps_at_the_end_goes_on",
          .threads = { offload_late } },
        { .name = "what_helps_at_the_end_waits_for_a_worker",
          .threads = { wait_late } },
        { .name = "a_timer_that_starts_at_the_end_goes_off",
          .threads = { time_late } },
        { .name = "what_is_held_at_the_end_goes_on",
          .threads = { hold_late, make_ready_and_release } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
