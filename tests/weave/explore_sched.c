/* explore_sched.c: the scheduler as a whole, by its public interface, on a
 * machine of two cores: two workers and who uses them. */
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

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_result_reaches_who_waits", .threads = { one_worker } },
        { .name = "a_result_comes_from_one_of_two",
          .threads = { two_workers } },
        { .name = "what_is_submitted_runs_before_the_end",
          .threads = { end_with_work } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
