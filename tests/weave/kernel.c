/* kernel.c: descriptors and the calls for them, in place of the system's.
 *
 * What a call comes to is chosen like an interleaving, within what the test
 * allows. A call orders nothing, as a futex does not: who relies on an eventfd
 * alone has a data race here. The bytes that are moved are accesses of the
 * thread that calls, so memory that is freed, or not yet there, is seen. */
#include "tests/weave/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/weave/choice.h"
#include "tests/weave/inner.h"

enum { FIRST = 100, DESCRIPTORS = 16, FILES = 4, LONGEST = 16 };

void *weave_memcpy(void *to, const void *from, size_t size); /* abi.c */

struct kernel_ways kernel;
static struct file {
    const char *name;
    size_t bytes;
    unsigned written[LONGEST];
} files[FILES];
static unsigned file_count;
static const unsigned char content[LONGEST] = { 1, 2,  3,  4,  5,  6,  7,  8,
                                                9, 10, 11, 12, 13, 14, 15, 16 };

static struct descriptor {
    enum { CLOSED, OF_FILE, OF_EVENT, OF_PIPE } kind;
    bool is_tests; /* who does not close it */
    struct file *file;
    uint64_t count; /* OF_EVENT */
    bool ready;     /* OF_PIPE */
    int flags;
} descriptors[DESCRIPTORS];

void kernel_begin(void)
{
    kernel = (struct kernel_ways){ .rings = UINT32_MAX };
    memset(descriptors, 0, sizeof descriptors);
    memset(files, 0, sizeof files);
    file_count = 0;
    uring_begin();
}

void kernel_end(void)
{
    uring_end();
    for (unsigned i = 0; i < DESCRIPTORS; i++)
        if (descriptors[i].kind != CLOSED && !descriptors[i].is_tests)
            weave_fail("a descriptor is not closed");
}

static struct descriptor *at(int fd)
{
    if (fd < FIRST || fd >= FIRST + DESCRIPTORS ||
        descriptors[fd - FIRST].kind == CLOSED)
        weave_fail("descriptor %d is not open", fd);
    return &descriptors[fd - FIRST];
}

static int add(struct descriptor d)
{
    for (int i = 0; i < DESCRIPTORS; i++)
        if (descriptors[i].kind == CLOSED) {
            descriptors[i] = d;
            return FIRST + i;
        }
    weave_fail("too many descriptors");
}

int kernel_file(const char *name, size_t bytes)
{
    struct file *file = &files[file_count++];

    file->name = name;
    file->bytes = bytes;
    return add(
        (struct descriptor){ .kind = OF_FILE, .is_tests = true, .file = file });
}

int kernel_pipe(void)
{
    return add((struct descriptor){ .kind = OF_PIPE, .is_tests = true });
}

/* The one that is written to is only registered with a ring: when that is
 * closed, and through with everything, the other one is at its end. */
int pipe2(int ends[2], int flags)
{
    for (int i = 0; i < 2; i++)
        ends[i] = add((struct descriptor){ .kind = OF_PIPE });
    return 0;
}

ssize_t read(int fd, void *data, size_t bytes)
{
    thread_step();
    uring_let_go();
    return 0;
}

unsigned kernel_written(int fd, size_t offset)
{
    return at(fd)->file->written[offset];
}

void kernel_sleep(bool timeout) { thread_sleep(&kernel, timeout); }

void kernel_happens(void)
{
    thread_changed();
    thread_wake(&kernel, THREADS);
}

void kernel_make_ready(int fd)
{
    thread_step();
    at(fd)->ready = true;
    trace("thread %u: %d becomes ready", thread_self(), fd);
    kernel_happens();
}

/* Whether one of so many happens now. */
static bool happens(unsigned *left)
{
    bool now = *left && choice_of(2);

    *left -= now;
    return now;
}

int64_t kernel_outcome(void)
{
    if (happens(&kernel.errors))
        return -EIO;
    return happens(&kernel.interruptions) ? -EINTR : 0;
}

static int64_t move_count(struct descriptor *d, void *data, bool writes)
{
    if (writes || !d->count)
        weave_fail("an eventfd is used as nobody does");
    weave_memcpy(data, &d->count, sizeof d->count);
    d->count = 0;
    return sizeof d->count;
}

int64_t kernel_move(int fd, void *data, size_t bytes, uint64_t offset,
                    bool writes)
{
    struct descriptor *d = at(fd);

    if (d->kind == OF_EVENT)
        return move_count(d, data, writes);
    if (d->kind != OF_FILE)
        weave_fail("a pipe in weave has no bytes");
    int64_t rc = kernel_outcome();
    if (rc)
        return rc;
    size_t left = offset < d->file->bytes ? d->file->bytes - offset : 0;
    if (bytes > left)
        bytes = left;
    if (bytes > 1 && happens(&kernel.shorts))
        bytes = 1;
    if (!bytes)
        return 0;
    if (!writes) {
        weave_memcpy(data, content + offset, bytes);
        return (int64_t)bytes;
    }
    unsigned char got[LONGEST];
    weave_memcpy(got, data, bytes);
    if (memcmp(got, content + offset, bytes))
        weave_fail("other bytes are written than there should be");
    for (size_t i = 0; i < bytes; i++)
        d->file->written[offset + i]++;
    return (int64_t)bytes;
}

int64_t kernel_open(const char *name)
{
    int64_t rc = kernel_outcome();

    if (rc)
        return rc;
    for (unsigned i = 0; i < file_count; i++)
        if (!strcmp(files[i].name, name))
            return add(
                (struct descriptor){ .kind = OF_FILE, .file = &files[i] });
    return -ENOENT;
}

short kernel_events(int fd, short wanted)
{
    struct descriptor *d = at(fd);
    bool ready =
        d->kind == OF_FILE || (d->kind == OF_EVENT ? d->count : d->ready);

    return ready ? (short)(wanted & POLLIN) : 0;
}

/* As a call gives it. */
static int64_t given(int64_t result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

/* Others may have turns while a call is under way. */
static int64_t after(int64_t result)
{
    thread_step();
    trace("thread %u: a call gives %lld", thread_self(), (long long)result);
    return given(result);
}

static bool must_wait(void) { return !kernel.cached || !choice_of(2); }

int openat(int folder, const char *name, int flags, ...)
{
    thread_step();
    return (int)after(kernel_open(name));
}

ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
    thread_step();
    return after(kernel_move(fd, data, bytes, (uint64_t)offset, false));
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    thread_step();
    return after(kernel_move(fd, (void *)(uintptr_t)data, bytes,
                             (uint64_t)offset, true));
}

ssize_t preadv2(int fd, const struct iovec *part, int parts, off_t offset,
                int flags)
{
    if (must_wait())
        return given(-EAGAIN);
    return pread(fd, part->iov_base, part->iov_len, offset);
}

ssize_t pwritev2(int fd, const struct iovec *part, int parts, off_t offset,
                 int flags)
{
    if (must_wait())
        return given(-EAGAIN);
    return pwrite(fd, part->iov_base, part->iov_len, offset);
}

long syscall(long number, ...)
{
    va_list args;

    if (number != SYS_openat2)
        weave_fail("a system call that weave does not know: %ld", number);
    va_start(args, number);
    int folder = va_arg(args, int);
    const char *name = va_arg(args, const char *);
    va_end(args);
    return must_wait() ? given(-EAGAIN) : openat(folder, name, 0);
}

int fsync(int fd)
{
    thread_step();
    return (int)after(kernel_outcome());
}

int renameat(int folder, const char *from, int folder2, const char *to)
{
    thread_step();
    return (int)after(kernel_outcome());
}

int fstat(int fd, struct stat *out)
{
    *out = (struct stat){ .st_mode = S_IFREG,
                          .st_size = (off_t)at(fd)->file->bytes };
    return 0;
}

int fcntl(int fd, int what, ...)
{
    va_list args;

    va_start(args, what);
    if (what == F_SETFL)
        at(fd)->flags = va_arg(args, int);
    va_end(args);
    return what == F_SETFL ? 0 : at(fd)->flags;
}

int close(int fd)
{
    if (at(fd)->is_tests)
        weave_fail("descriptor %d is the test's, and closed", fd);
    at(fd)->kind = CLOSED;
    return 0;
}

int eventfd(unsigned count, int flags)
{
    return add((struct descriptor){ .kind = OF_EVENT, .count = count });
}

int eventfd_write(int fd, eventfd_t more)
{
    thread_step();
    at(fd)->count += more;
    trace("thread %u: writes to an eventfd", thread_self());
    kernel_happens();
    return 0;
}

int eventfd_read(int fd, eventfd_t *count)
{
    thread_step();
    while (!at(fd)->count)
        kernel_sleep(false);
    *count = at(fd)->count;
    at(fd)->count = 0;
    return 0;
}

static int ready_of(struct pollfd *fds, nfds_t n)
{
    int ready = 0;

    for (nfds_t i = 0; i < n; i++) {
        fds[i].revents = kernel_events(fds[i].fd, fds[i].events);
        ready += fds[i].revents != 0;
    }
    return ready;
}

int poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    int ready;

    thread_step();
    if (timeout_ms && happens(&kernel.interruptions))
        return (int)given(-EINTR);
    while (!(ready = ready_of(fds, n)) && timeout_ms)
        kernel_sleep(timeout_ms > 0);
    return ready;
}

/* One look, and another when the time is over or something has happened. */
int ppoll(struct pollfd *fds, nfds_t n, const struct timespec *most,
          const sigset_t *mask)
{
    thread_step();
    if (!ready_of(fds, n))
        sync_sleep(&kernel, sync_in(most->tv_sec * 1000000000 + most->tv_nsec));
    return ready_of(fds, n);
}
