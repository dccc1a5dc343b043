/* heap.h: what malloc does with the memory that codecs give back. */
#ifndef WEFT_CLI_IMAGE_HEAP_H
#define WEFT_CLI_IMAGE_HEAP_H

/* From now on the process keeps what it frees, for the next photo. By default
 * malloc returns large blocks to the system, and each photo pays for the page
 * faults of fresh ones. What malloc cannot do is left as it is. */
void heap_keep(void);
#endif
