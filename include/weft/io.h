/* io.h: reads, writes and pauses that no worker waits for.
 *
 * Fill a struct weft_io, call weft_io_start. What is at hand is done at once;
 * the rest is done by io_uring, or by blocking threads, and your `done` is
 * called on a worker. The struct, the path and the data must stay where they
 * are until then, and nothing may free them earlier: the kernel writes there.
 * Where it takes io_uring away from the process meanwhile, blocking threads go
 * on; what it had begun, and cannot be done twice (all but LOAD once it has the
 * file open, READ and POLL), ends with -EIO: nobody knows whether it was done.
 *
 *     static int fetch(weft_worker *self, void *item, void *ctx)
 *     {
 *         struct page *p = item;
 *         p->io = (struct weft_io){ .op = WEFT_IO_LOAD, .path = p->path,
 *                                   .done = fetched, .ctx = p };
 *         return weft_io_start(self, &p->io); // 0, -errno or WEFT_PENDING
 *     }
 *
 *     static void fetched(weft_worker *self, struct weft_io *io, int rc)
 *     {
 *         weft_complete(self, io->ctx, rc); // the item goes on
 *     } */
#ifndef WEFT_IO_H
#define WEFT_IO_H
#include "weft/base.h"

enum weft_io_op {
    WEFT_IO_LOAD,   /* the whole file `path` into `data`, which malloc gave and
                       which is replaced by a larger one, also where it fails.
                       `flags`: O_DIRECT, to go past the page cache where that
                       can be done */
    WEFT_IO_OPEN,   /* `path`, `flags`, `mode`; result: a descriptor. Never
                       waits for the other side of a FIFO */
    WEFT_IO_READ,   /* `bytes` at `offset`; result: bytes, short only at end */
    WEFT_IO_WRITE,  /* `bytes` at `offset`, all of them */
    WEFT_IO_FSYNC,  /* `fd` */
    WEFT_IO_RENAME, /* `path` to `path2`, both below `fd` (AT_FDCWD is fine) */
    WEFT_IO_POLL,   /* until `fd` has the poll(2) events in `flags` */
    WEFT_IO_SLEEP,  /* for `ns` nanoseconds or a little more, never less */
};

struct weft_io;

/* On a worker, once, and never from inside weft_io_start. rc: 0 or -errno;
 * after 0 see io->result. It may start the next operation in the same struct.
 */
typedef void weft_io_done(weft_worker *self, struct weft_io *io, int rc);

struct weft_io {
    enum weft_io_op op;
    int fd; /* OPEN and LOAD: the folder that `path` starts from; 0: AT_FDCWD */
    const char *path, *path2;
    int flags;
    unsigned mode;
    void *data;
    size_t bytes;    /* LOAD: out, the length of the file */
    size_t room;     /* LOAD: in and out, what `data` can hold */
    size_t limit;    /* LOAD: a larger file fails with -EFBIG; 0: no limit */
    uint64_t offset; /* READ, WRITE */
    uint64_t ns;     /* SLEEP: from the start, of weft_sched_now_ns */
    weft_io_done *done;
    void *ctx;      /* yours */
    int64_t result; /* a descriptor, or bytes moved */
    void *weft[12]; /* weft's own while the operation is under way */
};

/* [worker] 0: done, see io->result, `done` is not called. A negative errno:
 * failed, `done` is not called. WEFT_PENDING: `done` will be called.
 * Outside a worker: -EPERM.
 * LOAD reads regular files: a directory is -EISDIR, anything else -EINVAL.
 * READ and WRITE are for files that have offsets: a pipe or a socket may fail
 * with -ESPIPE. POLL it, and read what is there yourself. */
int weft_io_start(weft_worker *self, struct weft_io *io);

/* [any] Asks that an operation ends early. Its `done` is called in any case,
 * later and never from in here: with -ECANCELED if this was in time, else with
 * its result. POLL and SLEEP end at once, and so does what has not begun. What
 * is in a system call may be left to finish it: a LOAD ends then, a WRITE may
 * have written a part.
 *
 * You see to it that the operation had been started (WEFT_PENDING was returned)
 * and that it is neither started anew nor freed while this runs. A lock that
 * `done` takes as well, first of all, and that you hold around weft_io_start
 * and around this, is enough. If `done` has been called, nothing happens. */
void weft_io_cancel(weft_sched *sched, struct weft_io *io);
#endif
