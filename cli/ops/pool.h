/* pool.h: records for the items in a stage, used again and again. */
#ifndef WEFT_CLI_OPS_POOL_H
#define WEFT_CLI_OPS_POOL_H
#include <pthread.h>
#include <stddef.h>

/* The first member of each record. */
struct pooled {
    struct pooled *next;
};

struct pool {
    pthread_mutex_t lock;
    struct pooled *free;
    size_t bytes;                 /* of a record */
    void (*finish)(void *record); /* may be NULL */
};

void pool_init(struct pool *pool, size_t bytes, void (*finish)(void *record));

/* [any] One as it was given back, or a new one of zeros; NULL: no memory. */
void *pool_take(struct pool *pool);
void pool_give(struct pool *pool, void *record);

/* All records have been given back. */
void pool_finish(struct pool *pool);
#endif
