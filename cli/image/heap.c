/* heap.c: the heap of a process that decodes one photo after the other. */
#include "cli/image/heap.h"

#include <malloc.h>

enum { LARGEST = 32 << 20 }; /* glibc takes no more */

void heap_keep(void)
{
    mallopt(M_MMAP_THRESHOLD, LARGEST);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
}
