/* loose.c: memory for the tasks of weft_submit that have no handle.
 *
 * They are made and end in about the same order, on a worker, or one makes them
 * and another frees them, which is what malloc does worst. So a thread takes a
 * block of them, and gives them out one after the other.
 *
 *  [B] Block. It has a reference for each task that was given out, or that the
 *      thread may still give out. Giving one back is acq_rel, so the last one
 *      sees all that others have done with the block before it frees it.
 *
 * A task that pends for long keeps its block. AddressSanitizer sees who uses a
 * task too late only if each has memory of its own. */
#include "graph/loose.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

#if defined __SANITIZE_ADDRESS__
#define TASKS 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define TASKS 1
#endif
#endif
#ifndef TASKS
#define TASKS 10 /* some 1000 bytes, which malloc likes */
#endif

struct loose {
    weft_future f;
    struct block *block;
};

struct block {
    _Atomic unsigned refs;
    struct loose task[TASKS];
};

static _Thread_local struct {
    struct block *block;
    unsigned left; /* to give out */
} mine;

static pthread_key_t key;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int no_key;

static void drop(struct block *block, unsigned refs)
{
    if (sub_acq_rel(&block->refs, refs) == refs) /* [B] */
        free(block);
}

static void leave(void *any)
{
    if (mine.left)
        drop(mine.block, mine.left);
    mine.left = 0;
}

static void make_key(void) { no_key = pthread_key_create(&key, leave); }

/* A block of which so many may be given out; NULL: no memory. */
static struct block *new_block(unsigned tasks)
{
    struct block *block = malloc(sizeof *block);

    if (block)
        store_relaxed(&block->refs, tasks);
    return block;
}

/* Whether leave() will be called. */
static bool has_key(void)
{
    pthread_once(&once, make_key);
    return !no_key && !pthread_setspecific(key, &mine);
}

static void give_back(weft_future *f)
{
    drop(((struct loose *)f)->block, 1); /* f is its first member */
}

const struct future_kind wf_loose_kind = { .give_back = give_back };

weft_future *wf_loose_alloc(void)
{
    struct block *block = mine.left ? mine.block : NULL;
    unsigned number = 0;

    if (!block && has_key()) {
        block = mine.block = new_block(TASKS);
        mine.left = block ? TASKS : 0;
    } else if (!block) {
        block = new_block(1);
    }
    if (!block)
        return NULL;
    if (mine.left)
        number = TASKS - mine.left--;
    struct loose *l = &block->task[number];
    l->block = block;
    return &l->f;
}
