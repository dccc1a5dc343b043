/* explore_played.c: a scheduler that a seed plays: one thread at a time, those
 * outside who wait for it, and the end. */
#include "tests/weave/within.h"

static void play_others_meanwhile(void) { lend_to_each_other_with(1); }
static void play_hold_late(void) { begin_late(hold, NULL, 1); }
static void play_sleep_late(void) { begin_late(sleep_late, NULL, 1); }
static void play_offload_late(void) { begin_late(offload, go_on, 1); }
static void play_wait_late(void) { begin_late(offload, go_on_and_wait, 1); }
static void play_time_late(void) { begin_late(start_timer, NULL, 1); }

/* Whose turn it is sees all that was done in those before: one plain count does
 * for two tasks, and for who calls, who has a turn too. */
static void play(void)
{
    weft_sched *sched;
    weft_future *f[2];
    int calls = 0;

    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = 2, .seed = 1), 0));
    for (unsigned i = 0; i < 2; i++)
        weave_assert(!weft_submit(sched, count, &calls, &f[i], 0));
    for (unsigned i = 0; i < 2; i++) {
        weave_assert(!weft_future_wait(f[i], -1));
        weft_future_destroy(f[i]);
    }
    weave_assert(calls == 2);
    weft_sched_destroy(sched);
}

/* What nobody waits for yet is not begun: this one looks at a plain count. */
static void look_before_waiting(void)
{
    create(1, 1);
    ready.run = count_third;
    inject(&ready);
    weave_assert(third == 0);
    wait_in_its_time(&done);
    weave_assert(third == 1);
    weft_sched_destroy(shared);
}

/* In a way of its own: then no order is promised. */
static void wait_otherwise(void)
{
    create(1, 1);
    ready.run = is_done;
    inject(&ready);
    wait_for(&done);
    weft_sched_destroy(shared);
}

static void offload_from_outside(void)
{
    create(1, 1);
    helps.run = go_on;
    ready.run = is_done;
    weave_assert(!wf_offload(shared, &helps));
    wait_in_its_time(&done);
    weft_sched_destroy(shared);
}

/* Another thread may still wait, or be about to, when the scheduler goes. */
static void wait_and_destroy(void)
{
    create(1, 1);
    ready.run = is_done;
    inject(&ready);
    say(&is_shared);
    wait_in_its_time(&done);
    weft_sched_destroy(shared);
}

static void wait_too(void)
{
    wait_for(&is_shared);
    wait_in_its_time(&done);
}

/* Each has a scheduler of its own. */
static void play_one_of_two(void)
{
    weft_sched *sched;
    weft_future *f;
    int calls = 0;

    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = 1, .seed = 1), 0));
    weave_assert(!weft_submit(sched, count, &calls, &f, 0));
    weave_assert(!weft_future_wait(f, -1) && calls == 1);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

/* Several sleep in a task, which then returns another one. */
enum { SLEEPERS = 3 };
static struct sleeper {
    struct task task, next;
} sleepers[SLEEPERS];

static struct task *count_one_more(weft_worker *self, struct task *task)
{
    if (++third == 2 * SLEEPERS)
        say(&done);
    return NULL;
}

static struct task *sleep_and_go_on(weft_worker *self, struct task *task)
{
    weave_assert(!wf_worker_sleep(self, &early, 0, -1));
    return &((struct sleeper *)task)->next;
}

static void go_on_after_sleep(void)
{
    static struct task others[SLEEPERS];

    create(1, 1);
    say(&early);
    for (unsigned i = 0; i < SLEEPERS; i++) {
        sleepers[i].task.run = sleep_and_go_on;
        sleepers[i].next.run = others[i].run = count_one_more;
        inject(&sleepers[i].task);
        inject(&others[i]);
    }
    wait_in_its_time(&done);
    weft_sched_destroy(shared);
}

enum { A_MOMENT = 1000000 /* ns */, ROUNDS = 100 };
static uint64_t began;

/* A worker rests now and then. */
static struct task *go_round(weft_worker *self, struct task *task)
{
    weave_assert(weft_sched_now_ns(shared) == began);
    return ++third < ROUNDS ? task : NULL;
}

static void wait_while_there_is_work(void)
{
    create(1, 1);
    began = weft_sched_now_ns(shared);
    ready.run = go_round;
    inject(&ready);
    wf_wait_while(shared, &early, 0, A_MOMENT);
    weave_assert(third == ROUNDS);
    weft_sched_destroy(shared);
}

static struct task *sleep_for_a_moment(weft_worker *self, struct task *task)
{
    uint64_t now = weft_sched_now_ns(shared);

    weave_assert(!wf_worker_sleep(self, &early, 0, A_MOMENT));
    weave_assert(weft_sched_now_ns(shared) == now + A_MOMENT);
    say(&done);
    return NULL;
}

static void wait_for_a_moment(void)
{
    create(1, 1);
    uint64_t now = weft_sched_now_ns(shared);
    wf_wait_while(shared, &early, 0, A_MOMENT);
    weave_assert(weft_sched_now_ns(shared) == now + A_MOMENT);
    ready.run = sleep_for_a_moment;
    inject(&ready);
    wait_in_its_time(&done);
    weft_sched_destroy(shared);
}

/* Of a thread: what it runs waits, and nothing else has a turn there, though
 * there is nothing else to do. */
static struct task *wait_bound(weft_worker *none, struct task *task)
{
    wf_wait_while(shared, &early, 0, A_MOMENT);
    third++;
    return NULL;
}

static struct task *come_after(weft_worker *none, struct task *task)
{
    weave_assert(third++ == 1);
    return &ready;
}

static void wait_on_a_thread(void)
{
    weft_thread *thread;

    create(1, 1);
    weave_assert(!weft_thread_create(&thread, shared, NULL, 0));
    begins.run = wait_bound;
    helps.run = come_after;
    ready.run = is_done;
    wf_thread_run(thread, &begins);
    wf_thread_run(thread, &helps);
    weft_thread_destroy(thread);
    weave_assert(third == 2);
    weft_sched_destroy(shared);
    weave_assert(load_relaxed(&done));
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "workers_take_turns", .threads = { play } },
        { .name = "who_sleeps_gives_up_its_turn",
          .threads = { play_others_meanwhile } },
        { .name = "what_helps_at_the_end_goes_on",
          .threads = { play_offload_late } },
        { .name = "what_helps_at_the_end_waits_for_a_worker",
          .threads = { play_wait_late } },
        { .name = "a_timer_that_starts_at_the_end_goes_off",
          .threads = { play_time_late } },
        { .name = "nothing_begins_before_somebody_waits",
          .threads = { look_before_waiting } },
        { .name = "nobody_is_waited_for_for_ever",
          .threads = { wait_otherwise } },
        { .name = "what_helps_comes_from_outside",
          .threads = { offload_from_outside } },
        { .name = "who_waits_outside_outlives_the_scheduler",
          .threads = { wait_and_destroy, wait_too } },
        { .name = "what_is_held_at_the_end_goes_on",
          .threads = { play_hold_late, make_ready_and_release } },
        { .name = "who_sleeps_at_the_end_goes_on",
          .threads = { play_sleep_late, wake_late } },
        { .name = "what_goes_on_after_a_sleep_is_not_lost",
          .threads = { go_on_after_sleep } },
        { .name = "time_stands_while_there_is_work",
          .threads = { wait_while_there_is_work } },
        { .name = "two_have_seeds_at_one_time",
          .threads = { play_one_of_two, play_one_of_two } },
        { .name = "time_passes_for_who_waits",
          .threads = { wait_for_a_moment } },
        { .name = "a_thread_waits_in_its_turn",
          .threads = { wait_on_a_thread } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
