/* live.h: what a run is doing, while it does it.
 *
 * On a terminal a block of lines, redrawn whenever live_update is called;
 * elsewhere a line every ten seconds; quiet, nothing. */
#ifndef WEFT_CLI_LIVE_H
#define WEFT_CLI_LIVE_H
#include <pthread.h>

#include "cli/history.h"
#include "cli/spec.h"
#include "cli/term.h"

struct live {
    const struct spec *spec;
    bool quiet;
    uint64_t total; /* items that the source has; set before the run */
    unsigned workers;
    struct history history;
    struct load *loads; /* scratch, one a stage */
    double next_line;   /* not on a terminal: when, in seconds of the run */
    bool told_draining;

    pthread_mutex_t lock; /* of the terminal: signals come on a thread */
    struct term term;
};

/* 0 or -ENOMEM; live_finish is due all the same. */
int live_init(struct live *l, const struct spec *spec, bool quiet);
void live_finish(struct live *l); /* the terminal is as it was */

void live_update(struct live *l, const struct progress *p, bool draining);

/* The block goes, what comes next takes its place. */
void live_erase(struct live *l);

/* [any] Leaves the terminal to somebody else: until live_return, by the same
 * thread, nothing is drawn. */
void live_leave(struct live *l);
void live_return(struct live *l);
#endif
