/* dag.h: what does a node of a graph cost? How the row asks all contestants.
 * C++ reads this too. */
#ifndef WEFT_PERF_ROWS_DAG_H
#define WEFT_PERF_ROWS_DAG_H
#include <sys/mman.h>

#include "perf/rows/shapes.h"

enum { DAG_NODES = 1000000, DAG_LEAST = 2000, DAG_AGAIN = 5 };

static inline double dag_phase(void (*phase)(void))
{
    uint64_t began = wall_ns();
    phase();
    return (double)(wall_ns() - began);
}

/* The host of a virtual machine takes back memory that nobody uses, and to get
 * it again costs more than all that is measured here, for whoever comes first:
 * some 6 us for 4 KiB. So there is as much as the largest contestant needs. */
static inline void dag_warm_memory(uint64_t nodes)
{
    enum { BYTES = 256, PAGE = 4096 }; /* of a node; of memory */
    size_t size = (nodes * BYTES + PAGE - 1) / PAGE * PAGE;
    char *memory = (char *)mmap(NULL, size, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == (char *)MAP_FAILED)
        return;
    madvise(memory, size, MADV_HUGEPAGE);
    for (size_t i = 0; i < size; i += PAGE)
        ((volatile char *)memory)[i] = 1;
    munmap(memory, size);
}

static inline void dag_measure(const struct row *row, const struct row_case *c,
                               const struct graph_runner *dag)
{
    uint64_t all = row_size(row, DAG_NODES / dag->smaller, DAG_LEAST);
    struct shape shape = shape_of((enum shape_kind)c->which, all);
    struct shape small = shape_of((enum shape_kind)c->which, DAG_LEAST);
    struct row_result r = { c->name, NULL,        dag->by, "ns/node",
                            0,       shape.nodes, NULL,    0 };
    double nodes = shape.nodes, again[DAG_AGAIN];

    dag_warm_memory(all);
    dag->open(row, &shape);
    dag->draw(&small); /* warm-up */
    if (dag->compile)
        dag->compile();
    dag->run();
    dag->destroy();
    double empty = row_resident();
    uint64_t began = wall_ns();
    dag->draw(&shape);
    r.what = "draw";
    r.value = (double)(wall_ns() - began) / nodes;
    if (!dag->draws_in_run)
        row_tell(row, r);
    if (dag->compile) {
        r.what = "compile";
        r.value = dag_phase(dag->compile) / nodes;
        row_tell(row, r);
    }
    r.what = "first run";
    r.value = dag_phase(dag->run) / nodes;
    row_tell(row, r);
    double bytes = (row_resident() - empty) / nodes;
    for (int i = 0; i < DAG_AGAIN; i++)
        again[i] = dag_phase(dag->run) / nodes;
    r.what = "run again";
    r.value = row_median(again, DAG_AGAIN);
    row_tell(row, r);
    shape_check_run(&shape, dag->run);
    r.what = "destroy";
    r.value = dag_phase(dag->destroy) / nodes;
    if (!dag->draws_in_run) {
        row_tell(row, r);
        r.what = "memory";
        r.unit = "bytes/node";
        r.value = bytes;
        row_tell(row, r);
    }
    dag->close();
}

#define DAG_CASES(measure)                                                     \
    {                                                                          \
        { "chain", measure, CHAIN }, { "tree", measure, TREE },                \
            { "wavefront", measure, WAVEFRONT },                               \
            { "layers", measure, LAYERS },                                     \
            { "independent", measure, INDEPENDENT },                           \
    }
#endif
