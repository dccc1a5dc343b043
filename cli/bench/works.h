/* works.h: the same work in three forms, to be done by any number of workers.
 */
#ifndef WEFT_CLI_BENCH_WORKS_H
#define WEFT_CLI_BENCH_WORKS_H
#include "cli/bench/figures.h"
#include "weft/weft.h"

/* In the order of work_names. */
struct works {
    uint64_t rounds;      /* of a task: ten microseconds */
    size_t tasks[WORKS];  /* of which each form consists */
    weft_plan *dag;       /* tasks of a graph in layers */
    weft_plan *pipeline;  /* items that go through stages */
    size_t items;         /* of a run of it */
    _Atomic size_t given; /* items, up to now */
};

/* Enough for so many workers. 0 or a negative errno and a sentence; in any case
 * works_finish is due. */
int works_init(struct works *w, unsigned workers, double rounds_per_ns,
               bool quick, weft_error *why);
void works_finish(struct works *w);

/* How long it takes there; or so many tasks in a plain loop. */
int works_run(struct works *w, size_t work, weft_sched *sched, double *ns,
              weft_error *why);
int works_plain(struct works *w, size_t work, weft_sched *sched, double *ns,
                weft_error *why);
#endif
