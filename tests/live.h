/* live.h: how much of what weft has allocated it has not freed yet. The linker
 * leads free() here, too. */
#ifndef WEFT_TESTS_LIVE_H
#define WEFT_TESTS_LIVE_H
#include "tests/allocs.h"

void __real_free(void *memory);
void __wrap_free(void *memory);

static _Atomic uint64_t frees;

void __wrap_free(void *memory)
{
    if (memory)
        add_relaxed(&frees, 1);
    __real_free(memory);
}

static inline uint64_t live(void)
{
    return load_relaxed(&allocations) - load_relaxed(&frees);
}
#endif
