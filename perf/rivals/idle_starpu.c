/* idle_starpu.c: after its workers have worked. */
#include "perf/rivals/starpu.h"
#include "perf/rows/idle.h"

static void task(void **none, void *ctx) { idle_work(); }

static void after_work(const struct row *row, const struct row_case *c)
{
    static struct starpu_codelet codelet = { .cpu_funcs = { task } };

    starpu_open(row);
    for (int i = 0; i < IDLE_TASKS; i++) {
        struct starpu_task *made = starpu_make(&codelet, NULL);
        made->destroy = 1;
        must(starpu_task_submit(made), "a task is not submitted");
    }
    must(starpu_task_wait_for_all(), "tasks do not end");
    row_check(counted() == IDLE_TASKS, "a task did not run once");
    idle_look(row, c, NULL);
    starpu_shutdown();
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = { { "after work", after_work, 0 } };
    struct row row = row_begin(argc, argv, "idle", "starpu");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
