// limit_tbb.cpp: a function_node that runs as many at a time as there are
// tokens, and queues the others.
#include <optional>
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>

#include "perf/rows/limit.h"

static std::optional<tbb::global_control> control;
static std::optional<tbb::flow::graph> graph;
static std::optional<tbb::flow::function_node<unsigned>> node;
static uint64_t count;

static void open_threads(const row *row)
{
    control.emplace(tbb::global_control::max_allowed_parallelism, row->workers);
}

static void close_threads() { control.reset(); }

static void prepare(uint64_t tasks, unsigned tokens)
{
    count = tasks;
    graph.emplace();
    node.emplace(*graph, tokens, [](unsigned) { limited_task(); });
}

static void run()
{
    for (uint64_t i = 0; i < count; i++)
        node->try_put(static_cast<unsigned>(i));
    graph->wait_for_all();
}

static void finish()
{
    node.reset();
    graph.reset();
}

static void measure(const row *row, const row_case *c)
{
    limiter tbb = { open_threads, prepare, run, finish, close_threads, 1 };
    limit_measure(row, c, &tbb);
}

int main(int argc, char **argv)
{
    static const row_case cases[] = LIMIT_CASES(measure);
    row row = row_begin(argc, argv, "limit", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
