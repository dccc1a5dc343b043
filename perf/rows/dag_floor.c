/* dag_floor.c: the same graphs with the least that it takes. */
#include "perf/rows/dag.h"
#include "perf/rows/floor_graph.h"

static struct floor_graph graph;

static void node(uintptr_t ctx) { shape_visit((unsigned)ctx); }

static void open_threads(const struct row *row, const struct shape *largest)
{
    floor_open(row->workers, largest->nodes);
}

static void draw(const struct shape *shape) { floor_draw(&graph, shape, node); }

static void compile(void) { floor_compile(&graph); }

static void run(void) { floor_run(&graph); }

static void destroy(void) { floor_destroy(&graph); }

static void measure(const struct row *row, const struct row_case *c)
{
    dag_measure(row, c,
                &(struct graph_runner){ open_threads, draw, compile, run,
                                        destroy, floor_close, NULL, 1, false });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = DAG_CASES(measure);
    struct row row = row_begin(argc, argv, "dag", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
