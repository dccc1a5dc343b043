/* explore_hang.c: tests that never end, to see that weave says so: that of a
 * thread that waits for nobody, and of two that take turns for ever. It is no
 * test by itself: test_hang.py has it. */
#include "sched/atomic.h"
#include "tests/weave/weave.h"

static _Atomic bool never;

/* Takes no step: there is nothing in it that weave sees. */
static void loop(void)
{
    for (;;)
        __asm__ volatile("");
}

static void wait(void)
{
    while (!load_relaxed(&never))
        weave_yield();
}

static void end(void) {}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "it_ends", .threads = { end } },
        { .name = "takes_no_step", .threads = { loop, end } },
        { .name = "takes_steps_for_ever", .threads = { wait, end } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
