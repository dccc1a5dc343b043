/* pool.c: records for the items in a stage, used again and again.
 *
 * There are never more than the stage has tokens; the one used last, whose
 * memory is warm, is the next to be used. */
#include "cli/ops/pool.h"

#include <stdlib.h>

void pool_init(struct pool *pool, size_t bytes, void (*finish)(void *record))
{
    *pool = (struct pool){ .bytes = bytes, .finish = finish };
    pthread_mutex_init(&pool->lock, NULL);
}

void *pool_take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct pooled *record = pool->free;
    if (record)
        pool->free = record->next;
    pthread_mutex_unlock(&pool->lock);
    return record ? record : calloc(1, pool->bytes);
}

void pool_give(struct pool *pool, void *record_)
{
    struct pooled *record = record_;
    pthread_mutex_lock(&pool->lock);
    record->next = pool->free;
    pool->free = record;
    pthread_mutex_unlock(&pool->lock);
}

void pool_finish(struct pool *pool)
{
    for (struct pooled *record = pool->free, *next; record; record = next) {
        next = record->next;
        if (pool->finish)
            pool->finish(record);
        free(record);
    }
    pthread_mutex_destroy(&pool->lock);
}
