/* dag_weft.c: a graph of empty tasks, drawn node by node. */
#include "perf/rows/dag.h"
#include "weft/weft.h"

static weft_sched *sched;
static weft_graph *graph;
static weft_plan *plan;
static weft_error why;

static int node(weft_worker *self, void *ctx)
{
    shape_visit((unsigned)(uintptr_t)ctx);
    return 0;
}

static void open_sched(const struct row *row)
{
    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
}

static void draw(const struct shape *shape)
{
    weft_node before[MOST_BEFORE], first = { 0 };
    unsigned numbers[MOST_BEFORE];

    graph = weft_graph_create();
    for (unsigned i = 0; i < shape->nodes; i++) {
        weft_node drawn = weft_task(graph, NULL, node, (void *)(uintptr_t)i);
        unsigned n = shape_before(shape, i, numbers);
        if (i == 0)
            first = drawn;
        for (unsigned k = 0; k < n; k++)
            before[k] = weft_nth(first, numbers[k]);
        if (n)
            weft_depend(graph, drawn, before, n);
    }
}

static void compile(void)
{
    must(weft_compile(&plan, graph, &why), why.text);
    weft_graph_destroy(graph);
}

static void run(void) { must(weft_run(sched, plan, &why), why.text); }

static void destroy(void) { weft_plan_destroy(plan); }

static void close_sched(void) { weft_sched_destroy(sched); }

static void measure(const struct row *row, const struct row_case *c)
{
    dag_measure(row, c,
                &(struct dag){ open_sched, draw, compile, run, destroy,
                               close_sched, NULL, 1, false });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = DAG_CASES(measure);
    struct row row = row_begin(argc, argv, "dag", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
