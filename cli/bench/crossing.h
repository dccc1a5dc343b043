/* crossing.h: where a curve first reaches a height. */
#ifndef WEFT_CLI_BENCH_CROSSING_H
#define WEFT_CLI_BENCH_CROSSING_H
#include <stddef.h>

/* The x at which y first is `goal`, x being positive and ascending: between two
 * points on a straight line over the logarithm of x. A curve that starts there
 * or above: its first x. NAN: it never comes so far. */
double crossing(const double *x, const double *y, size_t count, double goal);
#endif
