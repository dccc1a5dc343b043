/* percentile.h: one figure for many measurements. */
#ifndef WEFT_CLI_BENCH_PERCENTILE_H
#define WEFT_CLI_BENCH_PERCENTILE_H
#include <stddef.h>

/* Both sort `values` on the way. Of none: 0. */

/* The smallest of them that `part` (0 .. 1) of them do not exceed. */
double percentile(double *values, size_t count, double part);

/* The one in the middle, or half way between the two that are. */
double median(double *values, size_t count);
#endif
