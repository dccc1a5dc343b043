/* test_later.c: futures of pauses and of file operations. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/entries.h"
#include "tests/futures.h"

static weft_future *after(weft_sched *s, uint64_t ns)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_after_ns(s, ns, &f, NULL), 0);
    return f;
}

Test(later, a_pause_is_as_long_as_it_should_be, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f = NULL;
    uint64_t start = wf_now_ns();
    cr_assert_eq(wait_and_destroy(after(s, 2000000)), 0);
    cr_assert(wf_now_ns() - start >= 2000000);
    cr_assert_eq(weft_at_ns(s, start + 4000000, &f, NULL), 0);
    cr_assert_eq(wait_and_destroy(f), 0);
    cr_assert(wf_now_ns() - start >= 4000000);
    cr_assert_eq(weft_at_ns(s, start, &f, NULL), 0); /* it is past */
    cr_assert_eq(wait_and_destroy(f), 0);
    cr_assert_eq(wait_and_destroy(after(s, 0)), 0);
    weft_sched_destroy(s);
}

Test(later, a_pause_ends_when_it_is_cancelled, .timeout = 60)
{
    weft_sched *s = workers(1);
    weft_future *f = after(s, UINT64_MAX), *next = NULL;
    cr_assert_eq(weft_when_all(s, &f, 1, &next, NULL), 0);
    weft_future_cancel(f);
    cr_assert_eq(weft_future_wait(next, 0), -ECANCELED);
    cr_assert(says(next, -ECANCELED, "a pause was cancelled"));
    weft_future_destroy(next);
    weft_future_destroy(f);
    weft_sched_destroy(s); /* it does not wait for that pause */
}

Test(later, pauses_end_and_are_cancelled_at_any_moment, .timeout = 120)
{
    enum { N = 50 };
    weft_sched *s = workers(2);
    unsigned seed = 3, cut = 0, ended = 0;
    for (int round = 0; round < TIMES(200, 40); round++) {
        weft_future *f[N];
        for (int i = 0; i < N; i++) {
            seed = seed * 1664525 + 1013904223;
            f[i] = after(s, seed >> 14); /* up to a quarter of a ms */
        }
        for (int i = 0; i < N; i++) {
            if (i % 2)
                weft_future_cancel(f[i]);
            if (i % 3 == 0) {
                weft_future_destroy(f[i]);
                continue;
            }
            int rc = wait_and_destroy(f[i]);
            cr_assert(rc == 0 || (i % 2 && rc == -ECANCELED));
            ended += !rc;
            cut += rc != 0;
        }
    }
    weft_sched_destroy(s);
    cr_assert(cut > 0 && ended > 0);
}

/* ---- files ------------------------------------------------------------- */

static int made_file(char path[], const char *text)
{
    strcpy(path, "/tmp/weft-later-XXXXXX");
    int fd = mkstemp(path);
    cr_assert(fd >= 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static weft_future *io(weft_sched *s, struct weft_io *io)
{
    weft_future *f = NULL;
    cr_assert_eq(weft_future_io(s, io, &f, NULL), 0);
    return f;
}

Test(later, a_file_is_loaded_and_what_comes_after_sees_it, .timeout = 60)
{
    static const enum weft_io_way ways[] = { WEFT_IO_AUTO, WEFT_IO_RING,
                                             WEFT_IO_THREADS };
    char path[64];
    close(made_file(path, "twelve bytes"));
    for (int i = 0; i < 3; i++) {
        weft_sched *s = NULL;
        struct weft_io load = { .op = WEFT_IO_LOAD, .path = path };
        _Atomic unsigned ran = 0;
        cr_assert_eq(
            weft_sched_create(
                &s, weft_config(sched, .workers = 1, .io = ways[i]), NULL),
            0);
        weft_future *f = then(io(s, &load), WEFT_SUCCESS, count_then, &ran);
        cr_assert_eq(wait_and_destroy(f), 0);
        cr_assert_eq(ran, 1);
        cr_assert_eq(load.bytes, 12);
        cr_assert_eq(memcmp(load.data, "twelve bytes", 12), 0);
        free(load.data);
        weft_sched_destroy(s);
    }
    unlink(path);
}

Test(later, a_failed_operation_says_which, .timeout = 60)
{
    weft_sched *s = workers(1);
    struct weft_io load = { .op = WEFT_IO_LOAD, .path = "/no/such" };
    struct weft_io sync = { .op = WEFT_IO_FSYNC, .fd = -1 };
    struct weft_io odd = { .op = (enum weft_io_op)99 };
    _Atomic unsigned ran = 0;
    weft_future *f = then(io(s, &load), WEFT_SUCCESS, count_then, &ran);
    cr_assert_eq(weft_future_wait(f, -1), -ENOENT);
    cr_assert(says(f, -ENOENT,
                   "load '/no/such' failed: No such file or "
                   "directory"));
    weft_future_destroy(f);
    f = io(s, &sync);
    cr_assert_eq(weft_future_wait(f, -1), -EBADF);
    cr_assert(says(f, -EBADF, "an operation failed: Bad file descriptor"));
    weft_future_destroy(f);
    cr_assert_eq(wait_and_destroy(io(s, &odd)), -EINVAL);
    cr_assert_eq(ran, 0);
    free(load.data);
    weft_sched_destroy(s);
}

Test(later, an_operation_ends_when_it_is_cancelled, .timeout = 120)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    for (int i = 0; i < TIMES(300, 60); i++) {
        weft_sched *s = workers(1 + i % 2);
        struct weft_io poll = { .op = WEFT_IO_POLL, .fd = ends[0], .flags = 1 };
        struct weft_io sleep = { .op = WEFT_IO_SLEEP, .ns = UINT64_MAX };
        weft_future *f = io(s, i % 3 ? &poll : &sleep);
        if (i % 2)
            weft_future_wait(f, 1);
        weft_future_cancel(f);
        cr_assert_eq(wait_and_destroy(f), -ECANCELED);
        weft_sched_destroy(s);
    }
    close(ends[0]);
    close(ends[1]);
}

static int copy_line(weft_worker *self, int result, void *ctx)
{
    struct weft_io *write = ctx;
    weft_future *f = NULL;
    cr_assert_eq(weft_future_io(weft_worker_sched(self), write, &f, NULL), 0);
    return weft_end_as(self, f);
}

/* On the only worker, which waits in a task: it helps, or lends itself. */
static int copy(weft_worker *self, void *ctx)
{
    struct weft_io *ops = ctx;
    weft_sched *s = weft_worker_sched(self);
    return wait_and_destroy(
        then(io(s, &ops[0]), WEFT_SUCCESS, copy_line, &ops[1]));
}

Test(later, a_task_waits_for_a_read_and_a_write, .timeout = 60)
{
    char from[64], to[64], data[12] = "";
    int in = made_file(from, "twelve bytes"), out = made_file(to, "");
    struct weft_io ops[2] = {
        { .op = WEFT_IO_READ, .fd = in, .data = data, .bytes = 12 },
        { .op = WEFT_IO_WRITE, .fd = out, .data = data, .bytes = 12 },
    };
    weft_sched *s = workers(1);
    cr_assert_eq(wait_and_destroy(submitted(s, copy, ops)), 0);
    cr_assert_eq(ops[1].result, 12);
    memset(data, 0, 12);
    cr_assert_eq(pread(out, data, 12, 0), 12);
    cr_assert_eq(memcmp(data, "twelve bytes", 12), 0);
    weft_sched_destroy(s);
    close(in);
    close(out);
    unlink(from);
    unlink(to);
}

/* ---- R3 ---------------------------------------------------------------- */

/* A bit of everything, none of which is waited for. */
static void cycle(unsigned i)
{
    struct weft_io sleep = { .op = WEFT_IO_SLEEP, .ns = 1000 };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1 + i % 2);
    weft_future *f[6];

    f[0] = after(s, i % 2 ? UINT64_MAX : 1000);
    f[1] = submitted(s, count, &ran);
    f[2] = io(s, &sleep);
    cr_assert_eq(weft_then(f[1],
                           weft_config(then, .name = "after", .fn = count_then,
                                       .ctx = &ran),
                           &f[3], NULL),
                 0);
    cr_assert_eq(weft_when_all(s, f, 4, &f[4], NULL), 0);
    cr_assert_eq(weft_when_any(s, f, 4, &f[5], NULL), 0);
    if (i % 2)
        weft_future_cancel(f[0]);
    if (i % 3 == 0)
        for (int k = 1; k < 6; k++)
            weft_future_cancel(f[k]);
    for (int k = 0; k < 6; k++)
        weft_future_destroy(f[k]);
    weft_sched_destroy(s);
    cr_assert(i % 3 == 0 || ran == 2);
}

static int threads_down_to(int n)
{
    for (int i = 0; i < 1000 && entries_of("/proc/self/task") > n; i++)
        usleep(1000);
    return entries_of("/proc/self/task");
}

Test(later, R3_shutdown_with_futures_leaves_nothing, .timeout = 200)
{
    cycle(0); /* ThreadSanitizer starts a thread of its own with the first */
    int fds = entries_of("/proc/self/fd");
    int threads = entries_of("/proc/self/task");
    for (unsigned i = 0; i < TIMES(2000, 200); i++)
        cycle(i);
    cr_assert(threads_down_to(threads) <= threads);
    cr_assert_eq(entries_of("/proc/self/fd"), fds);
}
