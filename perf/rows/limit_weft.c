/* limit_weft.c: independent tasks of a graph that all use one limit. */
#include "perf/rows/limit.h"
#include "weft/weft.h"

static weft_sched *sched;
static weft_limit *limit;
static weft_plan *plan;
static weft_error why;

static int task(weft_worker *self, void *ctx)
{
    limited_task();
    return 0;
}

static void open_sched(const struct row *row)
{
    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
}

static void prepare(uint64_t tasks, unsigned tokens)
{
    weft_graph *graph = weft_graph_create();

    must(weft_limit_create(
             &limit, weft_config(limit, .name = "limit", .tokens = tokens),
             &why),
         why.text);
    weft_tasks(graph,
               weft_config(task, .fn = task,
                           .uses = &(struct weft_use){ .limit = limit },
                           .use_count = 1),
               tasks, 0);
    must(weft_compile(&plan, graph, &why), why.text);
    weft_graph_destroy(graph);
}

static void run(void) { must(weft_run(sched, plan, &why), why.text); }

static void finish(void)
{
    weft_plan_destroy(plan);
    weft_limit_destroy(limit);
}

static void close_sched(void) { weft_sched_destroy(sched); }

static void measure(const struct row *row, const struct row_case *c)
{
    limit_measure(
        row, c,
        &(struct limiter){ open_sched, prepare, run, finish, close_sched, 1 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = LIMIT_CASES(measure);
    struct row row = row_begin(argc, argv, "limit", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
