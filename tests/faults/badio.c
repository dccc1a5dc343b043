/* badio.c: a library for LD_PRELOAD that fails one file operation of a program,
 * or cuts all reads and writes short, in blocking calls and in io_uring alike.
 *
 *     FAULT_CALL=NAME  of these: open, read, write, fsync, rename; note, which
 *                      is a write at the end of a file: the journal's
 *     FAULT_AT=N       the N-th fails, counted from 1 over all threads
 *     FAULT_ERROR=E    with this errno
 *     FAULT_SHORT=K    each read and write moves at most K bytes
 *     FAULT_TOLD=FILE  gets a line at the end: how many there were, and how
 *                      many fsyncs of a file after one of it had failed
 *
 * A ring's entries are shortened before the kernel gets them; one that is to
 * fail becomes one that does nothing, and its result is replaced before the
 * program sees it. What hwloc opens does not count. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <hwloc.h>
#include <liburing.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { TABLE = 1024 };

static atomic_long count, again;
static char synced[PATH_MAX]; /* of which an fsync has failed; written once */
static atomic_bool has_failed;
static const char *call = "";
static long at, most;
static int error;
static _Thread_local bool excepted;

/* The driver's thread alone uses its ring. */
static _Thread_local struct io_uring *ring;
static _Thread_local unsigned looked_at; /* completions before this one */
static _Thread_local struct {
    uint64_t data;
    bool fails;
} under_way[TABLE];

static bool fails(const char *name)
{
    if (excepted || strcmp(name, call))
        return false;
    return atomic_fetch_add(&count, 1) + 1 == at;
}

/* A folder is synced for each of the files in it. */
static bool fsync_fails(int fd)
{
    char link[32], path[PATH_MAX] = "";
    struct stat of;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof path - 1);
    if (atomic_load(&has_failed) && size > 0 && !strcmp(path, synced) &&
        !fstat(fd, &of) && !S_ISDIR(of.st_mode))
        atomic_fetch_add(&again, 1);
    if (!fails("fsync"))
        return false;
    memcpy(synced, path, sizeof path);
    atomic_store(&has_failed, true);
    return true;
}

static bool fails_here(const char *name)
{
    if (!fails(name))
        return false;
    errno = error;
    return true;
}

static size_t cut(size_t bytes)
{
    return most && bytes > (size_t)most ? (size_t)most : bytes;
}

/* ---- calls ------------------------------------------------------------- */

#define OPEN(folder, path, flags)                                              \
    va_list more;                                                              \
    va_start(more, flags);                                                     \
    mode_t mode = (flags) & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;  \
    va_end(more);                                                              \
    if (fails_here("open"))                                                    \
        return -1;                                                             \
    return (int)syscall(SYS_openat, folder, path, flags, mode)

int open64(const char *path, int flags, ...) { OPEN(AT_FDCWD, path, flags); }

int openat64(int folder, const char *path, int flags, ...)
{
    OPEN(folder, path, flags);
}

ssize_t pread64(int fd, void *data, size_t bytes, off64_t offset)
{
    if (fails_here("read"))
        return -1;
    return syscall(SYS_pread64, fd, data, cut(bytes), offset);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off64_t offset)
{
    if (fails_here("write"))
        return -1;
    return syscall(SYS_pwrite64, fd, data, cut(bytes), offset);
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    struct stat of;
    if (!fstat(fd, &of) && S_ISREG(of.st_mode) && fails_here("note"))
        return -1;
    return syscall(SYS_write, fd, data, bytes);
}

ssize_t preadv64v2(int fd, const struct iovec *part, int parts, off64_t offset,
                   int flags)
{
    struct iovec one = { part->iov_base, cut(part->iov_len) };
    if (fails_here("read"))
        return -1;
    return syscall(SYS_preadv2, fd, &one, 1, offset, 0, flags);
}

ssize_t pwritev64v2(int fd, const struct iovec *part, int parts, off64_t offset,
                    int flags)
{
    struct iovec one = { part->iov_base, cut(part->iov_len) };
    if (fails_here("write"))
        return -1;
    return syscall(SYS_pwritev2, fd, &one, 1, offset, 0, flags);
}

int fsync(int fd)
{
    if (!fsync_fails(fd))
        return (int)syscall(SYS_fsync, fd);
    errno = error;
    return -1;
}

int renameat(int from, const char *name, int to, const char *other)
{
    return fails_here("rename")
               ? -1
               : (int)syscall(SYS_renameat2, from, name, to, other, 0);
}

int hwloc_topology_load(hwloc_topology_t topology)
{
    int (*real)(hwloc_topology_t) =
        (int (*)(hwloc_topology_t))dlsym(RTLD_NEXT, __func__);
    excepted = true;
    int rc = real(topology);
    excepted = false;
    return rc;
}

/* ---- a ring ------------------------------------------------------------ */

static const char *name_of(uint8_t op)
{
    switch (op) {
    case IORING_OP_OPENAT:
        return "open";
    case IORING_OP_READ:
        return "read";
    case IORING_OP_WRITE:
        return "write";
    case IORING_OP_RENAMEAT:
        return "rename";
    default:
        return "another";
    }
}

/* The place of what is called `data`, or a free one. */
static unsigned find(uint64_t data)
{
    unsigned i = (unsigned)(data >> 4) % TABLE;
    while (under_way[i].data && under_way[i].data != data)
        i = (i + 1) % TABLE;
    return i;
}

/* The read of the eventfd, which has no name, is left alone. */
static void before(void)
{
    for (unsigned i = ring->sq.sqe_head; i != ring->sq.sqe_tail; i++) {
        struct io_uring_sqe *s = &ring->sq.sqes[i & *ring->sq.kring_mask];
        unsigned place = find(s->user_data);
        if (!s->user_data)
            continue;
        under_way[place].data = s->user_data;
        under_way[place].fails = s->opcode == IORING_OP_FSYNC
                                     ? fsync_fails(s->fd)
                                     : fails(name_of(s->opcode));
        if (under_way[place].fails)
            s->opcode = IORING_OP_NOP;
        else if (s->opcode == IORING_OP_READ || s->opcode == IORING_OP_WRITE)
            s->len = (unsigned)cut(s->len);
    }
}

static void after(void)
{
    unsigned end = io_uring_smp_load_acquire(ring->cq.ktail);
    for (; looked_at != end; looked_at++) {
        struct io_uring_cqe *c =
            &ring->cq.cqes[looked_at & *ring->cq.kring_mask];
        if (c->user_data && under_way[find(c->user_data)].fails)
            c->res = -error;
    }
}

int io_uring_submit_and_wait(struct io_uring *r, unsigned n)
{
    int (*real)(struct io_uring *, unsigned) =
        (int (*)(struct io_uring *, unsigned))dlsym(RTLD_NEXT, __func__);
    if (r != ring) {
        ring = r;
        looked_at = 0;
    }
    before();
    int rc = real(r, n);
    after();
    return rc;
}

/* What io_uring_peek_cqe calls where it sees nothing yet. */
int __io_uring_get_cqe(struct io_uring *r, struct io_uring_cqe **cqe,
                       unsigned submit, unsigned n, sigset_t *mask)
{
    int (*real)(struct io_uring *, struct io_uring_cqe **, unsigned, unsigned,
                sigset_t *) = dlsym(RTLD_NEXT, __func__);
    int rc = real(r, cqe, submit, n, mask);
    if (r == ring)
        after();
    return rc;
}

__attribute__((constructor)) static void begin(void)
{
    const char *text;
    if ((text = getenv("FAULT_CALL")))
        call = text;
    if ((text = getenv("FAULT_AT")))
        at = atol(text);
    if ((text = getenv("FAULT_ERROR")))
        error = atoi(text);
    if ((text = getenv("FAULT_SHORT")))
        most = atol(text);
}

__attribute__((destructor)) static void end(void)
{
    const char *path = getenv("FAULT_TOLD");
    FILE *told = path ? fopen(path, "we") : NULL;
    if (!told)
        return;
    fprintf(told, "%ld %ld\n", (long)count, (long)again);
    fclose(told);
}
