/* explore_sched.c: the scheduler as a whole, by its public interface and that
 * of sched/, on a machine of two cores: two workers and who uses them. */
#include "sched/worker.h"
#include "tests/weave/world.h"

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

static weft_sched *shared;
static _Atomic uint32_t is_shared, done;
static struct task ready;

static void say(_Atomic uint32_t *word)
{
    store_release(word, 1);
    wf_wake_all(word);
}

static void wait_for(_Atomic uint32_t *word)
{
    while (!load_acquire(word))
        wf_sleep_while(word, 0, -1);
}

static void wait_in_its_time(_Atomic uint32_t *word)
{
    while (!load_acquire(word))
        wf_wait_while(shared, word, 0, -1);
}

/* With a seed, or 0. */
static void create(unsigned n, uint64_t seed)
{
    weave_assert(!weft_sched_create(
        &shared, weft_config(sched, .workers = n, .spin_us = 1, .seed = seed),
        0));
}

static struct task *is_done(weft_worker *self, struct task *task)
{
    say(&done);
    return NULL;
}

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

static void inject(struct task *task)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    wf_inject(shared, &list);
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

static void make_ready(void)
{
    wait_for(&is_shared);
    inject(&ready);
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

static struct task once, twice;
static _Atomic uint32_t early, late; /* that these sleep on */
static int had_it;                   /* plain: of who is the worker */

static void sleep_on(weft_worker *self, _Atomic uint32_t *word)
{
    had_it++;
    weave_assert(!wf_worker_sleep(self, word, 0, -1));
    weave_assert(load_acquire(word) && wf_worker_here() == self);
    had_it++;
}

static struct task *sleep_once(weft_worker *self, struct task *task)
{
    sleep_on(self, &early);
    say(&late);
    return NULL;
}

/* The other one has to be the worker meanwhile, though nobody stands in for
 * either any more. */
static struct task *sleep_twice(weft_worker *self, struct task *task)
{
    sleep_on(self, &early);
    sleep_on(self, &late);
    say(&done);
    return NULL;
}

static void lend_to_each_other_with(uint64_t seed)
{
    create(1, seed);
    once.run = sleep_once;
    twice.run = sleep_twice;
    inject(&once);
    inject(&twice);
    say(&early);
    wait_in_its_time(&done);
    while (load_relaxed(&shared->stand_ins)) /* there may be only so many */
        weave_yield();
    weft_sched_destroy(shared);
    weave_assert(had_it == 6);
}

static void lend_to_each_other(void) { lend_to_each_other_with(0); }
static void play_others_meanwhile(void) { lend_to_each_other_with(1); }

/* ---- what begins at the end --------------------------------------------- */

static struct task begins, helps;
static struct timer timer;
static int third; /* plain */

static struct task *count_third(weft_worker *self, struct task *task)
{
    third++;
    return is_done(self, task);
}

static struct task *go_on(weft_worker *none, struct task *task)
{
    return &ready;
}

static struct task *go_on_and_wait(weft_worker *none, struct task *task)
{
    weave_assert(wf_has_clock(shared) == (wf_seeded_of(shared) != NULL));
    wf_ready(shared, NULL, &ready);
    wait_in_its_time(&done);
    return NULL;
}

static struct task *offload(weft_worker *self, struct task *task)
{
    weave_assert(!wf_offload(shared, &helps));
    return NULL;
}

static struct task *time_is_over(weft_worker *self, struct task *task)
{
    third++;
    wf_sched_release(shared);
    return NULL;
}

static struct task *start_timer(weft_worker *self, struct task *task)
{
    timer.task.run = time_is_over;
    wf_sched_hold(shared);
    weave_assert(
        !wf_timer_start(shared, &timer, weft_sched_now_ns(shared) + 1000000));
    return NULL;
}

/* A task that holds nothing begins what does, when it may be the end. */
static void begin_late(struct task *(*first)(weft_worker *, struct task *),
                       struct task *(*second)(weft_worker *, struct task *),
                       uint64_t seed)
{
    create(1, seed);
    begins.run = first;
    helps.run = second;
    ready.run = count_third;
    inject(&begins);
    weft_sched_destroy(shared);
    weave_assert(third == 1);
}

static void offload_late(void) { begin_late(offload, go_on, 0); }
static void wait_late(void) { begin_late(offload, go_on_and_wait, 0); }
static void play_offload_late(void) { begin_late(offload, go_on, 1); }
static void play_wait_late(void) { begin_late(offload, go_on_and_wait, 1); }
static void play_time_late(void) { begin_late(start_timer, NULL, 1); }
static void time_late(void) { begin_late(start_timer, NULL, 0); }

/* ---- with a seed --------------------------------------------------------- */

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

enum { A_MOMENT = 1000000 /* ns */ };

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

/* Of a thread: what it runs waits, and nothing else has a turn there. */
static struct task *wait_bound(weft_worker *none, struct task *task)
{
    wait_in_its_time(&done);
    third++;
    return NULL;
}

static struct task *come_after(weft_worker *none, struct task *task)
{
    weave_assert(third++ == 1);
    return &twice;
}

static void wait_on_a_thread(void)
{
    weft_thread *thread;

    create(1, 1);
    weave_assert(!weft_thread_create(&thread, shared, NULL, 0));
    begins.run = wait_bound;
    helps.run = come_after;
    ready.run = is_done;
    twice.run = nothing;
    wf_thread_run(thread, &begins);
    wf_thread_run(thread, &helps);
    inject(&ready);
    weft_thread_destroy(thread);
    weave_assert(third == 2);
    weft_sched_destroy(shared);
}

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
        { .name = "workers_with_a_seed_take_turns", .threads = { play } },
        { .name = "with_a_seed_who_sleeps_gives_up_its_turn",
          .threads = { play_others_meanwhile } },
        { .name = "with_a_seed_what_helps_at_the_end_goes_on",
          .threads = { play_offload_late } },
        { .name = "with_a_seed_what_helps_at_the_end_waits_for_a_worker",
          .threads = { play_wait_late } },
        { .name = "with_a_seed_a_timer_that_starts_at_the_end_goes_off",
          .threads = { play_time_late } },
        { .name = "with_a_seed_nothing_begins_before_somebody_waits",
          .threads = { look_before_waiting } },
        { .name = "with_a_seed_who_waits_outside_outlives_the_scheduler",
          .threads = { wait_and_destroy, wait_too } },
        { .name = "two_have_seeds_at_one_time",
          .threads = { play_one_of_two, play_one_of_two } },
        { .name = "with_a_seed_time_passes_for_who_waits",
          .threads = { wait_for_a_moment } },
        { .name = "with_a_seed_a_thread_waits_in_its_turn",
          .threads = { wait_on_a_thread } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
