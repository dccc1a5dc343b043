/* limit_starpu.c: tasks that change a piece of data, in whatever order: with
 * two tokens, every second one the same. */
#include "perf/rivals/starpu.h"
#include "perf/rows/limit.h"

static starpu_data_handle_t token[MOST_TOKENS];
static uint64_t count;
static unsigned tokens;

static void task(void **none, void *ctx) { limited_task(); }

static void prepare(uint64_t tasks, unsigned of)
{
    count = tasks;
    tokens = of;
    for (unsigned i = 0; i < tokens; i++)
        starpu_void_data_register(&token[i]);
}

static void run(void)
{
    static struct starpu_codelet codelet = {
        .cpu_funcs = { task },
        .nbuffers = 1,
        .modes = { STARPU_RW | STARPU_COMMUTE },
    };

    for (uint64_t i = 0; i < count; i++) {
        struct starpu_task *made = starpu_make(&codelet, NULL);
        made->handles[0] = token[i % tokens];
        made->destroy = 1;
        must(starpu_task_submit(made), "a task is not submitted");
    }
    must(starpu_task_wait_for_all(), "tasks do not end");
}

static void finish(void)
{
    for (unsigned i = 0; i < tokens; i++)
        starpu_data_unregister(token[i]);
}

static void measure(const struct row *row, const struct row_case *c)
{
    limit_measure(row, c,
                  &(struct limiter){ starpu_open, prepare, run, finish,
                                     starpu_shutdown, 20 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = LIMIT_CASES(measure);
    struct row row = row_begin(argc, argv, "limit", "starpu");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
