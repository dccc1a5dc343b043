/* explore_sched.c: the scheduler as a whole, by its public interface and that
 * of sched/, on a machine of two cores: two workers and who uses them. */
#include "sched/sched.h"
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
        { .name = "workers_with_a_seed_take_turns", .threads = { play } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
