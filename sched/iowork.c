/* iowork.c: an operation as a series of steps.
 *
 * All but LOAD repeat one step until it is complete: the kernel may read or
 * write less than asked for. LOAD opens, sizes the buffer, reads and closes:
 *
 *     open -> is it a regular file? -> room for its size and one byte more
 *          -> read until the size is there and a read came back short, or 0
 *
 * One byte more, so that the end of an unchanged file is known from the first
 * read; and a file that has grown, or has no size (/proc), is read to its end.
 *
 * A LOAD that is to be direct is not where the file system cannot do it, nor
 * from where on the file is read beside its blocks: it has grown.
 *
 * Files are opened with O_NONBLOCK: nobody waits for the other side of a FIFO.
 * It comes off again. OPEN gives what was asked for; LOAD, which would pay a
 * system call for that, needs it off only where a ring refuses to wait. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/iowork.h"

enum { LEAST_ROOM = 4096, MOST_AT_ONCE = 1 << 30, LINE = 64, BLOCK = 4096 };

void wf_iowork_begin(struct weft_io *io)
{
    *work_of(io) = (struct iowork){ .file = -1 };
    io->result = 0;
}

static bool moves_bytes(enum weft_io_op op)
{
    return op == WEFT_IO_READ || op == WEFT_IO_WRITE;
}

/* LOAD: how its file is open. */
static int direct(struct weft_io *io)
{
    return work_of(io)->buffered ? 0 : io->flags & O_DIRECT;
}

struct iostep wf_iowork_step(struct weft_io *io)
{
    struct iowork *w = work_of(io);
    struct iostep step = {
        .op = io->op,
        .fd = io->fd,
        .path = io->path,
        .path2 = io->path2,
        .flags = io->flags,
        .mode = io->mode,
    };

    if (io->op == WEFT_IO_LOAD && !w->opened) {
        step.op = WEFT_IO_OPEN;
        step.flags = O_RDONLY | O_NOCTTY | direct(io);
    } else if (io->op == WEFT_IO_LOAD) {
        step.op = WEFT_IO_READ;
        step.fd = w->file;
        step.bytes = io->room;
        step.buffered = !direct(io);
    } else if (moves_bytes(io->op)) {
        step.bytes = io->bytes;
        step.offset = io->offset;
    }
    if (step.op == WEFT_IO_OPEN)
        step.flags |= O_CLOEXEC | O_NONBLOCK;
    if (!step.fd && (step.op == WEFT_IO_OPEN || step.op == WEFT_IO_RENAME))
        step.fd = AT_FDCWD;
    if (moves_bytes(step.op)) {
        step.data = (char *)io->data + w->moved;
        step.bytes -= w->moved;
        step.offset += w->moved;
        if (step.bytes > MOST_AT_ONCE)
            step.bytes = MOST_AT_ONCE;
    }
    return step;
}

static bool finish(struct weft_io *io, int rc)
{
    struct iowork *w = work_of(io);

    if (w->file >= 0)
        close(w->file);
    w->file = -1;
    w->rc = rc;
    if (!rc && io->op == WEFT_IO_LOAD)
        io->bytes = w->moved;
    if (!rc && (io->op == WEFT_IO_LOAD || moves_bytes(io->op)))
        io->result = (int64_t)w->moved;
    return true;
}

void wf_iowork_put_off(struct weft_io *io)
{
    struct iowork *w = work_of(io);

    if (w->file < 0 || w->moved)
        return;
    close(w->file);
    w->file = -1;
    w->opened = w->waits = false;
}

/* Room for `bytes`, in steps that double: 0 or -ENOMEM. The kernel copies as
 * fast as it can only to where a cache line begins, and a device only writes to
 * where a block does. */
static int make_room(struct weft_io *io, uint64_t bytes)
{
    size_t room = io->room < LEAST_ROOM ? LEAST_ROOM : io->room;
    size_t alignment = direct(io) ? BLOCK : LINE;
    bool fits = !direct(io) || (uintptr_t)io->data % BLOCK == 0;

    while (room < bytes && room <= SIZE_MAX / 2)
        room *= 2;
    if (room < bytes)
        return -ENOMEM;
    if (room == io->room && fits)
        return 0;
    void *grown = NULL;
    if (posix_memalign(&grown, alignment, room))
        return -ENOMEM;
    if (work_of(io)->moved)
        memcpy(grown, io->data, work_of(io)->moved);
    free(io->data);
    io->data = grown;
    io->room = room;
    return 0;
}

static bool opened(struct weft_io *io, int file)
{
    struct iowork *w = work_of(io);
    struct stat st;

    w->file = file;
    w->opened = true;
    if (fstat(file, &st))
        return finish(io, -errno);
    if (!S_ISREG(st.st_mode))
        return finish(io, S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL);
    w->expected = (uint64_t)st.st_size;
    if (io->limit && w->expected > io->limit)
        return finish(io, -EFBIG);
    int rc = make_room(io, w->expected + 1);
    return rc ? finish(io, rc) : false;
}

static bool loaded(struct weft_io *io, uint64_t bytes)
{
    struct iowork *w = work_of(io);
    bool all = w->moved + bytes < io->room || bytes == 0;

    w->moved += bytes;
    if (io->limit && w->moved > io->limit)
        return finish(io, -EFBIG);
    if (bytes == 0 || (all && w->moved == w->expected && w->expected))
        return finish(io, 0);
    if (w->moved < io->room)
        return false;
    int rc = make_room(io, w->moved + 1);
    return rc ? finish(io, rc) : false;
}

/* True: the step is to be done again. */
static bool again(struct weft_io *io, int64_t result)
{
    struct iowork *w = work_of(io);

    if (result == -EAGAIN && w->file >= 0 && !w->waits) {
        fcntl(w->file, F_SETFL, direct(io));
        w->waits = true;
        return true;
    }
    if (result == -EINVAL && io->op == WEFT_IO_LOAD && direct(io)) {
        w->buffered = true;
        if (w->file >= 0)
            fcntl(w->file, F_SETFL, w->waits ? 0 : O_NONBLOCK);
        return true;
    }
    return result == -EINTR;
}

static bool advance(struct weft_io *io, int64_t result)
{
    struct iowork *w = work_of(io);

    if (again(io, result))
        return false;
    if (result == -ENXIO && io->op == WEFT_IO_LOAD)
        result = -EINVAL; /* a socket, or a device that is not there */
    if (result < 0)
        return finish(io, (int)result);
    switch (io->op) {
    case WEFT_IO_LOAD:
        return w->opened ? loaded(io, (uint64_t)result)
                         : opened(io, (int)result);
    case WEFT_IO_READ:
    case WEFT_IO_WRITE:
        w->moved += (uint64_t)result;
        if (result && w->moved < io->bytes)
            return false;
        if (io->op == WEFT_IO_WRITE && w->moved < io->bytes)
            return finish(io, -EIO); /* wrote nothing, and says no error */
        return finish(io, 0);
    case WEFT_IO_OPEN:
        if (!(io->flags & O_NONBLOCK))
            fcntl((int)result, F_SETFL, io->flags);
        io->result = result;
        return finish(io, 0);
    case WEFT_IO_POLL:
        io->result = result;
        return finish(io, 0);
    case WEFT_IO_FSYNC:
    case WEFT_IO_RENAME:
    case WEFT_IO_SLEEP: /* has no step */
        break;
    }
    return finish(io, 0);
}

bool wf_iowork_did(struct weft_io *io, int64_t result)
{
    if (advance(io, result))
        return true;
    return wf_iowork_marked(io) && finish(io, -ECANCELED);
}

int64_t wf_step_blocking(const struct iostep *s)
{
    int64_t result = -1;

    switch (s->op) {
    case WEFT_IO_OPEN:
        result = openat(s->fd, s->path, s->flags, s->mode);
        break;
    case WEFT_IO_READ:
        result = pread(s->fd, s->data, s->bytes, (off_t)s->offset);
        break;
    case WEFT_IO_WRITE:
        result = pwrite(s->fd, s->data, s->bytes, (off_t)s->offset);
        break;
    case WEFT_IO_FSYNC:
        result = fsync(s->fd);
        break;
    case WEFT_IO_RENAME:
        result = renameat(s->fd, s->path, s->fd, s->path2);
        break;
    case WEFT_IO_POLL: /* the poller's */
    case WEFT_IO_LOAD: /* these are never a step */
    case WEFT_IO_SLEEP:
        errno = EINVAL;
        break;
    }
    return result < 0 ? -errno : result;
}
