// graph_tbb.hpp: a shape as a flow graph of continue_nodes.
#pragma once
#include <deque>
#include <memory>
#include <optional>
#include <tbb/flow_graph.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <vector>

#include "perf/rows/shapes.h"

namespace flow = tbb::flow;

template <class node> struct graph_tbb {
    static inline std::optional<tbb::global_control> control;
    static inline std::optional<flow::graph> graph;
    static inline std::deque<node> nodes;
    static inline std::vector<node *> roots;

    static void open(const row *row, const shape *)
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

    static graph_runner runner(const char *by)
    {
        return { open, draw, nullptr, run, destroy, close, by, 4, false };
    }
};

using heavy_node = flow::continue_node<flow::continue_msg>;
using light_node = flow::continue_node<flow::continue_msg, flow::lightweight>;
