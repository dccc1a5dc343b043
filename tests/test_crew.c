/* test_crew.c: something on every worker at the same time. */
#include "cli/bench/crew.h"

#include <sched.h>
#include <stdatomic.h>

#include "tests/test.h"

enum { WORKERS = 5 };

struct seen {
    atomic_uint calls[WORKERS], inside, most;
};

static void look(unsigned worker, void *seen_)
{
    struct seen *seen = seen_;
    atomic_fetch_add(&seen->calls[worker], 1);
    atomic_fetch_add(&seen->inside, 1);
    while (atomic_load(&seen->inside) < WORKERS)
        sched_yield(); /* ends if all are in here together */
}

Test(crew, every_worker_is_called_once_and_all_of_them_are_there_together)
{
    weft_sched *sched;
    weft_error why;
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = WORKERS), &why),
        0);
    for (unsigned round = 0; round < 20; round++) {
        struct seen seen = { 0 };
        cr_assert_eq(crew_run(sched, look, &seen, &why), 0);
        for (unsigned i = 0; i < WORKERS; i++)
            cr_assert_eq(seen.calls[i], 1);
    }
    weft_sched_destroy(sched);
}

static void count(unsigned worker, void *calls)
{
    atomic_fetch_add((atomic_uint *)calls, 1 + worker);
}

Test(crew, one_worker_is_a_crew)
{
    weft_sched *sched;
    weft_error why;
    atomic_uint calls = 0;
    cr_assert_eq(
        weft_sched_create(&sched, weft_config(sched, .workers = 1), &why), 0);
    cr_assert_eq(crew_run(sched, count, &calls, &why), 0);
    cr_assert_eq(calls, 1);
    weft_sched_destroy(sched);
}
