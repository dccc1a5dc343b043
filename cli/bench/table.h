/* table.h: the figures, for people. */
#ifndef WEFT_CLI_BENCH_TABLE_H
#define WEFT_CLI_BENCH_TABLE_H
#include <stdio.h>

#include "cli/bench/figures.h"

void table_print(const struct figures *f, FILE *out);
#endif
