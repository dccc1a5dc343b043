/* bench.h: what the measurements of `weft bench` share, and which there are. */
#ifndef WEFT_CLI_BENCH_BENCH_H
#define WEFT_CLI_BENCH_BENCH_H
#include "cli/bench/figures.h"
#include "weft/weft.h"

struct bench {
    bool quick;
    double slice_ns; /* how long one thing is measured */
    struct machine *machine;
    weft_sched *one, *all; /* with one worker, and with all of them */
    struct figures figures;
};

/* Each fills its part of the figures: 0, or a negative errno and a sentence.
 */
int bench_speed_before(struct bench *b, weft_error *why);
int bench_speed_after(struct bench *b, weft_error *why);
int bench_spawn(struct bench *b, weft_error *why);
int bench_steal(struct bench *b, weft_error *why);
int bench_wake(struct bench *b, weft_error *why);
int bench_dag(struct bench *b, weft_error *why);
int bench_metg(struct bench *b, weft_error *why);
int bench_memory(struct bench *b, weft_error *why);
int bench_scaling(struct bench *b, weft_error *why);

/* Writes the sentence and returns `rc`. */
int bench_fail(weft_error *why, int rc, const char *what);
#endif
