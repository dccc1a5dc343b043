/* large.c: arrays of many megabytes.
 *
 * One that grows is malloc's up to SMALL, then a mapping of whole huge pages.
 * It moves by its page tables, from one aligned place to another: a copy would
 * touch fresh memory again. One that does not grow has the bytes that it needs,
 * and a last huge page if that is used by half. */
#include "graph/large.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { HUGE = 2 << 20, SMALL = HUGE / 4 };

static size_t in_huge_pages(size_t bytes)
{
    return (bytes + HUGE - 1) / HUGE * HUGE;
}

void *wf_large_alloc(size_t bytes)
{
    size_t huge = (bytes + HUGE / 2) / HUGE * HUGE;
    void *array =
        huge ? aligned_alloc(HUGE, in_huge_pages(bytes)) : malloc(bytes);

    if (array && huge)
        madvise(array, huge, MADV_HUGEPAGE); /* or it has small ones */
    return array;
}

/* Aligned, of whole huge pages; or NULL. */
static char *map(size_t bytes)
{
    char *all = mmap(NULL, bytes + HUGE, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (all == MAP_FAILED)
        return NULL;
    size_t before = (HUGE - (uintptr_t)all % HUGE) % HUGE;
    if (before)
        munmap(all, before);
    munmap(all + before + bytes, HUGE - before);
    madvise(all + before, bytes, MADV_HUGEPAGE);
    return all + before;
}

void *wf_large_grow(void *array, size_t had, size_t *bytes)
{
    if (*bytes <= SMALL)
        return realloc(array, *bytes);
    size_t room = in_huge_pages(*bytes);
    char *grown = map(room);
    if (!grown)
        return NULL;
    if (had > SMALL) {
        if (mremap(array, in_huge_pages(had), room,
                   MREMAP_MAYMOVE | MREMAP_FIXED, grown) == MAP_FAILED) {
            munmap(grown, room);
            return NULL;
        }
    } else if (had) {
        memcpy(grown, array, had);
        free(array);
    }
    *bytes = room;
    return grown;
}

void wf_large_free(void *array, size_t had)
{
    if (had > SMALL)
        munmap(array, in_huge_pages(had));
    else
        free(array);
}
