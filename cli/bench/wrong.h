/* wrong.h: what looks wrong in the figures, in sentences. */
#ifndef WEFT_CLI_BENCH_WRONG_H
#define WEFT_CLI_BENCH_WRONG_H
#include "cli/bench/figures.h"

/* Calls say(ctx, sentence) for each thing, what concerns all figures first. */
typedef void wrong_fn(void *ctx, const char *sentence);
void wrong_find(const struct figures *f, wrong_fn *say, void *ctx);
#endif
