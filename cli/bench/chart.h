/* chart.h: the scaling curve, as a picture. */
#ifndef WEFT_CLI_BENCH_CHART_H
#define WEFT_CLI_BENCH_CHART_H
#include <stdio.h>

#include "cli/bench/figures.h"

/* As SVG, on no background: its colours are fit for light and dark ones. */
void chart_print(const struct figures *f, FILE *out);
#endif
