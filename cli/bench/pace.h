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
void pace_finish(struct pace *p); /* the line goes */

void pace_step(struct pace *p, const char *what);

/* [any] The line goes, and is drawn again at the next step. */
void pace_erase(struct pace *p);

/* [any] The line stays where it is, and somebody else has the terminal. */
void pace_leave(struct pace *p);
#endif
