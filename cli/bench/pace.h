/* pace.h: which measurement is going on, a line on a terminal. */
#ifndef WEFT_CLI_BENCH_PACE_H
#define WEFT_CLI_BENCH_PACE_H
#include <pthread.h>

#include "cli/term.h"

struct pace {
    unsigned steps, done;
    pthread_mutex_t lock; /* of the terminal: signals come on a thread */
    struct term term;
};

void pace_init(struct pace *p, unsigned steps);
void pace_finish(struct pace *p);

void pace_step(struct pace *p, const char *what);

/* [any] The line goes, for good. */
void pace_end(struct pace *p);

/* [any] The line stays where it is, and somebody else has the terminal until
 * pace_return, by the same thread. */
void pace_leave(struct pace *p);
void pace_return(struct pace *p);
#endif
