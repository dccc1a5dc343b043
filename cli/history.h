/* history.h: the last seconds of a run: rates, and what limits it now. */
#ifndef WEFT_CLI_HISTORY_H
#define WEFT_CLI_HISTORY_H
#include <stdbool.h>

#include "cli/load.h"
#include "cli/progress.h"

enum { HISTORY_SAMPLES = 32 };

struct stage_sample {
    uint64_t done, run_ns;
    double in_use, waiting; /* added up over all samples */
};

struct history {
    size_t stages;
    uint64_t count; /* samples taken; the last ones are kept */
    double at[HISTORY_SAMPLES];
    uint64_t ended[HISTORY_SAMPLES];
    struct stage_sample *samples; /* HISTORY_SAMPLES x stages */
};

/* 0 or -ENOMEM. */
int history_init(struct history *h, size_t stages);
void history_finish(struct history *h);

void history_add(struct history *h, const struct progress *p);

/* Items per second, over what is kept. */
double history_rate(const struct history *h);
double history_stage_rate(const struct history *h, size_t stage);

/* Averages over what is kept. `loads` has room for every stage. */
void history_loads(const struct history *h, const struct progress *now,
                   struct load *loads);
#endif
