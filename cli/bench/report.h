/* report.h: the figures, for machines. */
#ifndef WEFT_CLI_BENCH_REPORT_H
#define WEFT_CLI_BENCH_REPORT_H
#include <stdio.h>

#include "cli/bench/figures.h"

/* As JSON, the unit being part of each name. */
void report_print(const struct figures *f, FILE *out);
#endif
