// idle_tbb.cpp: after a task_group has worked.
#include <tbb/global_control.h>
#include <tbb/task_group.h>

#include "perf/rows/idle.h"

static void after_work(const row *row, const row_case *c)
{
    tbb::global_control control(tbb::global_control::max_allowed_parallelism,
                                row->workers);
    tbb::task_group group;

    for (int i = 0; i < IDLE_TASKS; i++)
        group.run([] { idle_work(); });
    group.wait();
    row_check(counted() == IDLE_TASKS, "a task did not run once");
    idle_look(row, c, nullptr);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = { { "after work", after_work, 0 } };
    row row = row_begin(argc, argv, "idle", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
