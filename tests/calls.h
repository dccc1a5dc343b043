/* calls.h: I/O from a test: one operation at a time or many, on every way.
 *
 *     ON_EVERY_WAY(iowork, a_folder_is_no_file)
 *     {
 *         struct call c = { .io = { .op = WEFT_IO_LOAD, .path = "/" } };
 *         cr_assert_eq(perform(sched, &c), -EISDIR);
 *     }
 *
 * is four tests, one of them with what seeds make of it. Each has a folder of
 * its own, and may leave neither descriptors nor threads behind. What waits in
 * its own way for another callback is ON_EVERY_WAY_OF_THREADS. */
#ifndef WEFT_TESTS_CALLS_H
#define WEFT_TESTS_CALLS_H
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/entries.h"
#include "tests/test.h"
#include "weft/io.h"

enum { SEEDS_OF_CALLS = 3 };

/* An operation and how it went. */
struct call {
    struct weft_io io;
    struct task task;
    int rc;
    _Atomic uint32_t times; /* that it has completed */
};

static char folder[64]; /* of this test */

/* Good until the fourth call after it. */
static inline char *path_of(const char *name)
{
    static char paths[4][128];
    static unsigned turn;
    char *path = paths[turn++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static inline void over(weft_worker *self, struct weft_io *io, int rc)
{
    struct call *c = io->ctx;
    c->rc = self == wf_worker_here() ? rc : -ENOTRECOVERABLE;
    add_release(&c->times, 1); /* after the result: for wait_for */
}

static inline struct task *start_call(weft_worker *self, struct task *task)
{
    struct call *c =
        (struct call *)((char *)task - offsetof(struct call, task));
    int rc = weft_io_start(self, &c->io);
    if (rc != WEFT_PENDING)
        over(self, &c->io, rc);
    return NULL;
}

static inline void start_by(weft_sched *sched, struct call *c,
                            struct task *(*run)(weft_worker *, struct task *))
{
    c->io.done = over;
    c->io.ctx = c;
    c->task.run = run;
    store_relaxed(&c->times, 0);
    wf_ready(sched, NULL, &c->task);
}

static inline void start(weft_sched *sched, struct call *c)
{
    start_by(sched, c, start_call);
}

static weft_sched *played; /* by a seed, or NULL */

/* While *word == seen, or shorter. */
static inline void wait_while(_Atomic uint32_t *word, uint32_t seen)
{
    if (played)
        wf_wait_while(played, word, seen, -1);
    else
        usleep(50);
}

static inline int wait_for(struct call *c)
{
    while (!load_acquire(&c->times)) /* the result, from over() */
        wait_while(&c->times, 0);
    return c->rc;
}

static inline int perform(weft_sched *sched, struct call *c)
{
    start(sched, c);
    return wait_for(c);
}

/* What a file of these tests holds at a place. */
static inline unsigned char byte_at(size_t at)
{
    return (unsigned char)(at * 7 + at / 251);
}

/* Written through to the disk, and not cached if the file system can forget. No
 * fsync: that takes far longer, and some tests make hundreds of files. */
static inline char *make_file(const char *name, size_t bytes)
{
    char *path = path_of(name), *data = malloc(bytes + 1);
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    for (size_t i = 0; i < bytes; i++)
        data[i] = (char)byte_at(i);
    cr_assert(write(fd, data, bytes) == (ssize_t)bytes);
    cr_assert_eq(
        sync_file_range(fd, 0, 0,
                        SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER),
        0);
    cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
    close(fd);
    free(data);
    return path;
}

static inline bool as_made(const void *data, size_t from, size_t bytes)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++)
        if (p[i] != byte_at(from + i))
            return false;
    return true;
}

static inline weft_sched *make_played(unsigned workers, enum weft_io_way way,
                                      uint64_t seed)
{
    weft_sched *sched = NULL;
    cr_assert_eq(weft_sched_create(&sched,
                                   weft_config(sched, .workers = workers,
                                               .io = way, .seed = seed),
                                   NULL),
                 0);
    return sched;
}

static inline weft_sched *make_sched(unsigned workers, enum weft_io_way way)
{
    return make_played(workers, way, 0);
}

static inline void do_body(enum weft_io_way way, uint64_t seed,
                           void (*body)(weft_sched *))
{
    char command[96];
    /* With the first thread ThreadSanitizer starts one of its own. */
    weft_sched_destroy(make_sched(1, way));
    int fds = entries_of("/proc/self/fd");
    int threads = entries_of("/proc/self/task");

    strcpy(folder, "/tmp/weft-calls-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    weft_sched *sched = make_played(2, way, seed);
    played = seed ? sched : NULL;
    body(sched);
    weft_sched_destroy(sched);
    played = NULL;
    cr_assert_eq(entries_of("/proc/self/fd"), fds);
    while (entries_of("/proc/self/task") > threads)
        usleep(1000); /* a joined thread may still be listed for a moment */
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

static inline void on_way(enum weft_io_way way, void (*body)(weft_sched *))
{
    do_body(way, 0, body);
}

static inline void by_seeds(void (*body)(weft_sched *))
{
    for (uint64_t seed = 1; seed <= SEEDS_OF_CALLS; seed++)
        do_body(WEFT_IO_AUTO, seed, body);
}

#define ON_EVERY_WAY_OF_THREADS(SUITE, NAME)                                   \
    static void NAME(weft_sched *);                                            \
    Test(SUITE, NAME##_at_once, .timeout = 60) { on_way(WEFT_IO_AUTO, NAME); } \
    Test(SUITE, NAME##_by_ring, .timeout = 60) { on_way(WEFT_IO_RING, NAME); } \
    Test(SUITE, NAME##_by_threads, .timeout = 60)                              \
    {                                                                          \
        on_way(WEFT_IO_THREADS, NAME);                                         \
    }                                                                          \
    static void NAME(weft_sched *sched)

#define ON_EVERY_WAY(SUITE, NAME)                                              \
    static void NAME(weft_sched *);                                            \
    Test(SUITE, NAME##_by_seeds, .timeout = 60) { by_seeds(NAME); }            \
    ON_EVERY_WAY_OF_THREADS(SUITE, NAME)
#endif
