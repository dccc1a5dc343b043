// dag_tbb.cpp: a flow graph of continue_nodes, with both policies.
#include <deque>
#include <memory>
#include <optional>
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <vector>

#include "perf/rows/dag.h"

namespace flow = tbb::flow;

template <class node> struct contestant {
    static inline std::optional<tbb::global_control> control;
    static inline std::optional<flow::graph> graph;
    static inline std::deque<node> nodes;
    static inline std::vector<node *> roots;

    static void open(const row *row)
    {
        control.emplace(tbb::global_control::max_allowed_parallelism,
                        row->workers);
    }

    static void draw(const shape *shape)
    {
        unsigned before[MOST_BEFORE];

        graph.emplace();
        for (unsigned i = 0; i < shape->nodes; i++) {
            node &drawn = nodes.emplace_back(
                *graph, [i](flow::continue_msg) { shape_visit(i); });
            unsigned n = shape_before(shape, i, before);
            for (unsigned k = 0; k < n; k++)
                flow::make_edge(nodes[before[k]], drawn);
            if (!n)
                roots.push_back(&drawn);
        }
    }

    static void run()
    {
        for (node *root : roots)
            root->try_put(flow::continue_msg());
        graph->wait_for_all();
    }

    static void destroy()
    {
        nodes.clear();
        roots.clear();
        graph.reset();
    }

    static void close() { control.reset(); }

    static void measure(const row *row, const row_case *c, const char *by)
    {
        dag dag = { open, draw, nullptr, run, destroy, close, by, 10, false };
        dag_measure(row, c, &dag);
    }
};

static void measure(const row *row, const row_case *c)
{
    using heavy = flow::continue_node<flow::continue_msg>;
    using light = flow::continue_node<flow::continue_msg, flow::lightweight>;

    contestant<heavy>::measure(row, c, "tbb");
    // A light node calls the next one: a long chain would need as much stack.
    if (c->which != CHAIN)
        contestant<light>::measure(row, c, "tbb lightweight");
}

int main(int argc, char **argv)
{
    static const row_case cases[] = DAG_CASES(measure);
    row row = row_begin(argc, argv, "dag", "tbb");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
