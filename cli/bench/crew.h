/* crew.h: something on every worker at the same time. */
#ifndef WEFT_CLI_BENCH_CREW_H
#define WEFT_CLI_BENCH_CREW_H
#include "weft/weft.h"

typedef void crew_fn(unsigned worker, void *ctx);

/* Calls fn(i, ctx) on each worker i; none begins before all have come. 0 or a
 * negative errno. */
int crew_run(weft_sched *sched, crew_fn *fn, void *ctx, weft_error *why);
#endif
