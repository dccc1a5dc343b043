/* full.c: writes that write all, and a sync that no signal ends, for threads
 * that may wait. */
#include "cli/full.h"

#include <errno.h>
#include <unistd.h>

/* What a write has returned: was it none, for good? */
static int take(ssize_t n, size_t *written)
{
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    *written += (size_t)n;
    return 0;
}

int full_pwrite(int fd, const void *data, size_t size, off_t at)
{
    const char *bytes = data;
    int rc = 0;
    for (size_t n = 0; !rc && n < size;)
        rc = take(pwrite(fd, bytes + n, size - n, at + (off_t)n), &n);
    return rc;
}

int full_write(int fd, const void *data, size_t size)
{
    const char *bytes = data;
    int rc = 0;
    for (size_t n = 0; !rc && n < size;)
        rc = take(write(fd, bytes + n, size - n), &n);
    return rc;
}

int full_sync(int fd)
{
    int rc;
    do
        rc = fsync(fd) ? -errno : 0;
    while (rc == -EINTR);
    return rc;
}
