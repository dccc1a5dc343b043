/* load.h: which part of a pipeline sets its speed. */
#ifndef WEFT_CLI_LOAD_H
#define WEFT_CLI_LOAD_H
#include <stddef.h>

/* A stage over some stretch of time: averages. */
struct load {
    unsigned tokens; /* 0: unlimited */
    double in_use;   /* tokens */
    double waiting;  /* items that waited for a turn or a token */
    double running;  /* workers */
};

enum limit_kind {
    LIMIT_UNKNOWN, /* the source, the disk, or a run too short to tell */
    LIMIT_TOKENS,  /* a stage has too few of them */
    LIMIT_WORKERS, /* all busy, most with this stage */
};

struct limit {
    enum limit_kind kind;
    size_t stage;
};

struct limit load_limit(const struct load *loads, size_t n, unsigned workers);
#endif
