/* nowait.c: a step done at once on the worker, if that needs no waiting.
 *
 * What is cached is read without leaving the worker: as cheap as I/O gets. A
 * kernel or a file system that cannot promise not to wait says so; that, too,
 * is -EAGAIN, and the driver takes over. A file that is open with O_DIRECT
 * makes no such promise: the kernel waits for the device there, whatever it is
 * told.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "sched/iowork.h"

/* What may create a file is refused, so there is no mode. */
static int64_t open_cached(const struct iostep *s)
{
    struct open_how how = { .flags = (unsigned)s->flags,
                            .resolve = RESOLVE_CACHED };
    return syscall(SYS_openat2, s->fd, s->path, &how, sizeof how);
}

static int64_t poll_now(const struct iostep *s)
{
    struct pollfd p = { .fd = s->fd, .events = (short)s->flags };
    int ready = poll(&p, 1, 0);

    if (ready == 0)
        errno = EAGAIN;
    if (ready > 0 && p.revents & POLLNVAL) {
        errno = EBADF;
        ready = -1;
    }
    return ready > 0 ? p.revents : -1;
}

/* One that is not open is for the call itself to tell. */
static bool is_direct(const struct iostep *s)
{
    if (s->buffered || (s->op != WEFT_IO_READ && s->op != WEFT_IO_WRITE))
        return false;
    int flags = fcntl(s->fd, F_GETFL);
    return flags >= 0 && flags & O_DIRECT;
}

int64_t wf_step_nowait(const struct iostep *s)
{
    struct iovec part = { .iov_base = s->data, .iov_len = s->bytes };
    int64_t result = -1;

    if (is_direct(s))
        return -EAGAIN;
    errno = EAGAIN;
    if (s->op == WEFT_IO_OPEN)
        result = open_cached(s);
    else if (s->op == WEFT_IO_READ)
        result = preadv2(s->fd, &part, 1, (off_t)s->offset, RWF_NOWAIT);
    else if (s->op == WEFT_IO_WRITE)
        result = pwritev2(s->fd, &part, 1, (off_t)s->offset, RWF_NOWAIT);
    else if (s->op == WEFT_IO_POLL)
        result = poll_now(s);
    /* Linux 5.9 and 5.10 say 0, as at the end, also where they would wait. */
    if (result == 0 && s->op == WEFT_IO_READ && s->bytes)
        return -EAGAIN;
    if (result >= 0)
        return result;
    /* Refused for how we asked, or for what was asked: a plain call tells. */
    if (errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ||
        errno == EINVAL || errno == EINTR)
        return -EAGAIN;
    return -errno;
}
