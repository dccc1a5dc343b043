/* figures.h: what `weft bench` measures.
 *
 * A figure that could not be had is NAN: JSON has null for it. */
#ifndef WEFT_CLI_BENCH_FIGURES_H
#define WEFT_CLI_BENCH_FIGURES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct latency {
    double p50_us, p99_us;
};

/* What the scheduler told of itself. */
struct decision {
    char what[24];
    char *text; /* malloc'ed */
};

struct worker_figures {
    unsigned cpu;         /* where it was when it was looked at */
    unsigned core, node;  /* of that CPU; UINT_MAX: not known */
    double before, after; /* rounds of work a ns, all workers at it */
    double best;          /* the same, in the best few microseconds */
    double share;         /* of its CPU that it got meanwhile: 0 .. 1 */
    double stolen;        /* of its CPU, by the hypervisor: 0 .. 1 */
};

enum {
    DAG_SHAPES = 4,
    METG_WIDTHS = 2,
    WORKS = 3,
    MOST_POINTS = 16, /* 1, 2, 4 .. 1024 and what is asked for */
    CACHE_LEVELS = 4,
};

struct dag_figures {
    const char *shape;
    size_t nodes;
    double one_ns, all_ns; /* a node, with one worker and with all */
};

struct metg_figures {
    unsigned width, steps;
    double at_50_ns, at_90_ns; /* of the shortest task; NAN: none did */
};

/* From the cores of one node to the memory of another. */
struct memory_figures {
    unsigned cores_of, memory_of; /* as the system counts them */
    double read_gb_s, copy_gb_s, latency_ns;
};

struct point {
    unsigned workers;
    double speedup[WORKS]; /* against a plain loop on one worker */
};

struct figures {
    const char *build; /* why this weft is slower than it could be, or NULL */
    double seconds;    /* that all of it took */

    unsigned workers;
    struct decision *decisions;
    size_t decision_count;
    uint64_t cache_bytes[CACHE_LEVELS]; /* of L1d, L2 ..; 0: none */

    struct worker_figures *each;
    double alone;        /* the best of one worker, the others idle */
    double others_cores; /* cores that other programs had, on average */

    struct {
        double call_ns, one_ns, all_ns;
    } spawn;
    struct {
        struct latency taken; /* from the spawn until it runs elsewhere */
        double joined_us;     /* and until the parent goes on; the median */
    } steal;
    struct {
        struct latency idle, bare, awake;
    } wake;
    struct dag_figures dag[DAG_SHAPES];
    struct metg_figures metg[METG_WIDTHS];

    uint64_t memory_bytes; /* of a buffer */
    bool memory_bound;     /* to its node; one node alone needs no binding */
    struct memory_figures *memory;
    size_t memory_count;

    struct point points[MOST_POINTS];
    size_t point_count;
};

/* What the works of a scaling curve are called. */
extern const char *const work_names[WORKS];

/* What was told under this name, or "". */
const char *figures_decision(const struct figures *f, const char *what);

void figures_finish(struct figures *f);
#endif
