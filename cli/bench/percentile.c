/* percentile.c: one figure for many measurements. */
#include "cli/bench/percentile.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double percentile(double *values, size_t count, double part)
{
    if (count == 0)
        return 0;
    qsort(values, count, sizeof values[0], ascending);
    double rank = ceil(part * (double)count); /* from 1 */
    if (rank < 1)
        return values[0];
    return rank < (double)count ? values[(size_t)rank - 1] : values[count - 1];
}

double median(double *values, size_t count)
{
    double lower = percentile(values, count, 0.5);
    return count > 0 && count % 2 == 0 ? (lower + values[count / 2]) / 2
                                       : lower;
}
