/* failures.h: the items that failed, in the order of the source. */
#ifndef WEFT_CLI_FAILURES_H
#define WEFT_CLI_FAILURES_H
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { FAILURES_KEPT = 1000 };

struct failure {
    unsigned segment;
    uint64_t item;  /* its number there */
    unsigned stage; /* 0: the source */
    int error;
    char *path; /* as opened; NULL for a batch */
    char *text;
};

/* The first ones of the source, whatever the order in which they failed. */
struct failures {
    pthread_mutex_t lock; /* of all */
    struct failure kept[FAILURES_KEPT];
    unsigned kept_count;
    uint64_t count; /* of all, kept or not */
};

void failures_init(struct failures *f);
void failures_finish(struct failures *f);

/* [any] The strings are copied. */
void failures_add(struct failures *f, const struct failure *failure);
#endif
