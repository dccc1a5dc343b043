/* submit_starpu.c: tasks that threads outside submit, or wait for. */
#include "perf/rivals/starpu.h"
#include "perf/rows/submit.h"

static void task(void **none, void *ctx) { count_one(); }

static struct starpu_codelet codelet = { .cpu_funcs = { task } };

static void tasks(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct starpu_task *made = starpu_make(&codelet, NULL);
        made->destroy = 1;
        must(starpu_task_submit(made), "a task is not submitted");
    }
}

static void call(void)
{
    struct starpu_task *made = starpu_make(&codelet, NULL);

    made->detach = 0;
    must(starpu_task_submit(made), "a task is not submitted");
    must(starpu_task_wait(made), "a task does not end");
    starpu_task_destroy(made);
}

static void measure(const struct row *row, const struct row_case *c)
{
    submit_measure(row, c,
                   &(struct submit){ starpu_open, tasks, call, NULL,
                                     starpu_shutdown, NULL, 10 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = {
        { "from 1 thread", measure, FROM_ONE },
        { "from 4 threads", measure, FROM_FOUR },
        { "idle", measure, IDLE },
        { "awake", measure, AWAKE },
    };
    struct row row = row_begin(argc, argv, "submit", "starpu");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
