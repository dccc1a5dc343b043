/* allocs.h: what is allocated is counted, and may fail. The linker leads malloc
 * and its kin here (--wrap). */
#ifndef WEFT_TESTS_ALLOCS_H
#define WEFT_TESTS_ALLOCS_H
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "sched/atomic.h"

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t n, size_t bytes);
void *__real_realloc(void *old, size_t bytes);
void *__real_aligned_alloc(size_t align, size_t bytes);
int __real_posix_memalign(void **out, size_t align, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_realloc(void *old, size_t bytes);
void *__wrap_aligned_alloc(size_t align, size_t bytes);
int __wrap_posix_memalign(void **out, size_t align, size_t bytes);

/* How many allocations of this thread succeed before one fails; NONE_DO: none;
 * negative else: all of them. */
enum { NONE_DO = -2 };
static _Thread_local int left = -1;
static bool for_good; /* after the one that fails, none succeeds */

static _Atomic uint64_t allocations; /* of all threads */

static int fails(void)
{
    add_relaxed(&allocations, 1);
    if (left == 0 && for_good)
        left = NONE_DO;
    return left == NONE_DO || (left >= 0 && left-- == 0);
}

void *__wrap_malloc(size_t bytes)
{
    return fails() ? NULL : __real_malloc(bytes);
}

void *__wrap_calloc(size_t n, size_t bytes)
{
    return fails() ? NULL : __real_calloc(n, bytes);
}

void *__wrap_realloc(void *old, size_t bytes)
{
    return fails() ? NULL : __real_realloc(old, bytes);
}

void *__wrap_aligned_alloc(size_t align, size_t bytes)
{
    return fails() ? NULL : __real_aligned_alloc(align, bytes);
}

int __wrap_posix_memalign(void **out, size_t align, size_t bytes)
{
    return fails() ? ENOMEM : __real_posix_memalign(out, align, bytes);
}
#endif
