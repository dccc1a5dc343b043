/* full.h: writes that write all, and a sync that no signal ends, for threads
 * that may wait. */
#ifndef WEFT_CLI_FULL_H
#define WEFT_CLI_FULL_H
#include <stddef.h>
#include <sys/types.h>

/* 0 or a negative errno; then nobody knows how much of it is there. */
int full_pwrite(int fd, const void *data, size_t size, off_t at);

/* The same where the descriptor stands; with O_APPEND, at the end. */
int full_write(int fd, const void *data, size_t size);

/* 0 or a negative errno: a sync that failed must not be done again. */
int full_sync(int fd);
#endif
