/* large.h: arrays of many megabytes.
 *
 * What a large array costs is the first touch of its pages: each of 4 KiB is a
 * fault, which takes longer than all else that is done with what lies in it. So
 * these ask for huge pages. Small ones are malloc's. */
#ifndef WEFT_GRAPH_LARGE_H
#define WEFT_GRAPH_LARGE_H
#include <stddef.h>

/* NULL: no memory. Free it with free(). */
void *wf_large_alloc(size_t bytes);

/* An array that grows from `had` bytes (0: there was none) to *bytes, which may
 * be more then; of these, `had` of the next call may leave out less than a
 * page. NULL: no memory, all is as it was. */
void *wf_large_grow(void *array, size_t had, size_t *bytes);
void wf_large_free(void *array, size_t had);
#endif
