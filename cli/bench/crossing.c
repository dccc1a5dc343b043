/* crossing.c: where a curve first reaches a height. */
#include "cli/bench/crossing.h"

#include <math.h>

double crossing(const double *x, const double *y, size_t count, double goal)
{
    for (size_t i = 0; i < count; i++) {
        if (y[i] < goal)
            continue;
        if (i == 0)
            return x[0];
        double part = (goal - y[i - 1]) / (y[i] - y[i - 1]);
        return x[i - 1] * pow(x[i] / x[i - 1], part);
    }
    return NAN;
}
