/* test_direct.c: O_DIRECT: who reads past the page cache waits for the device,
 * which a worker must not; and a LOAD that cannot be direct is done all the
 * same. */
#include <errno.h>

#include "tests/calls.h"
#include "tests/times.h"

enum { BLOCK = 4096, BLOCKS = TIMES(500, 100) };

/* What weft_io_start said: perhaps after what it has started was done. */
struct answer {
    struct call call; /* its first member */
    int rc;
    _Atomic uint32_t is_there;
};

static struct task *start_and_tell(weft_worker *self, struct task *task)
{
    struct call *c =
        (struct call *)((char *)task - offsetof(struct call, task));
    struct answer *a = (struct answer *)c;
    int rc = weft_io_start(self, &c->io);

    a->rc = rc;
    store_release(&a->is_there, 1);
    if (rc != WEFT_PENDING)
        over(self, &c->io, rc);
    return NULL;
}

static int answer_to(weft_sched *sched, struct answer *a)
{
    a->call.io.done = over;
    a->call.io.ctx = &a->call;
    a->call.task.run = start_and_tell;
    store_relaxed(&a->call.times, 0);
    store_relaxed(&a->is_there, 0);
    wf_ready(sched, NULL, &a->call.task);
    cr_assert_eq(wait_for(&a->call), 0);
    while (!load_acquire(&a->is_there))
        wait_while(&a->is_there, 0);
    return a->rc;
}

/* -1: the file system cannot do it. */
static int open_direct(int flags)
{
    int fd =
        open(make_file("file", BLOCKS * BLOCK), flags | O_DIRECT | O_CLOEXEC);
    cr_assert(fd >= 0 || errno == EINVAL);
    return fd;
}

ON_EVERY_WAY(direct, no_worker_waits_for_a_direct_read_or_write)
{
    struct answer a = { 0 };
    int fd = open_direct(O_RDWR);
    char *data = aligned_alloc(BLOCK, BLOCK);

    for (unsigned i = 0; fd >= 0 && i < BLOCKS; i++) {
        a.call.io = (struct weft_io){ .op = WEFT_IO_READ,
                                      .fd = fd,
                                      .data = data,
                                      .bytes = BLOCK,
                                      .offset = i * BLOCK };
        cr_assert_eq(answer_to(sched, &a), WEFT_PENDING);
        cr_assert_eq(a.call.io.result, BLOCK);
        cr_assert(as_made(data, i * BLOCK, BLOCK));
        a.call.io.op = WEFT_IO_WRITE;
        cr_assert_eq(answer_to(sched, &a), WEFT_PENDING);
    }
    free(data);
    if (fd >= 0)
        close(fd);
}

ON_EVERY_WAY(direct, a_direct_load_reads_the_whole_file)
{
    static const size_t sizes[] = { 0, 1, 4095, 4096, 4097, 1048576 + 17 };
    struct call c = { .io = { .op = WEFT_IO_LOAD, .flags = O_DIRECT } };

    for (unsigned i = 0; i < 6; i++) {
        c.io.path = make_file("file", sizes[i]);
        cr_assert_eq(perform(sched, &c), 0);
        cr_assert_eq(c.io.bytes, sizes[i]);
        cr_assert(as_made(c.io.data, 0, sizes[i]));
    }
    free(c.io.data);
}

/* Though it is all in the page cache. */
ON_EVERY_WAY(direct, a_direct_load_is_not_done_at_once)
{
    struct answer a = { .call.io = { .op = WEFT_IO_LOAD,
                                     .path = path_of("file"),
                                     .flags = O_DIRECT } };
    int fd = open_direct(O_RDONLY);
    char *data = aligned_alloc(BLOCK, BLOCKS * BLOCK);

    if (fd >= 0) {
        int cached = open(path_of("file"), O_RDONLY | O_CLOEXEC);
        cr_assert_eq(read(cached, data, BLOCKS * BLOCK), BLOCKS * BLOCK);
        close(cached);
        cr_assert_eq(answer_to(sched, &a), WEFT_PENDING);
        cr_assert(as_made(a.call.io.data, 0, BLOCKS * BLOCK));
        close(fd);
    }
    free(a.call.io.data);
    free(data);
}

/* Also one that is larger than the file but begins beside a block. */
ON_EVERY_WAY(direct, a_buffer_that_no_device_writes_to_is_replaced)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD,
                              .path = make_file("file", 10000),
                              .flags = O_DIRECT,
                              .room = 5 * BLOCK,
                              .data = malloc(5 * BLOCK) } };

    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq((uintptr_t)c.io.data % BLOCK, 0);
    cr_assert_eq(c.io.bytes, 10000);
    cr_assert(as_made(c.io.data, 0, 10000));
    free(c.io.data);
}

/* Neither /proc nor a buffer of 5000 bytes can be read directly. */
ON_EVERY_WAY(direct, what_cannot_be_direct_is_loaded_all_the_same)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD,
                              .path = "/proc/self/smaps",
                              .flags = O_DIRECT } };

    cr_assert_eq(perform(sched, &c), 0);
    cr_assert(c.io.bytes > 0);
    cr_assert_eq(((char *)c.io.data)[c.io.bytes - 1], '\n');
    c.io.room = 5000;
    c.io.path = make_file("file", 4999);
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.bytes, 4999);
    cr_assert(as_made(c.io.data, 0, 4999));
    c.io.path = path_of(".");
    cr_assert_eq(perform(sched, &c), -EISDIR);
    free(c.io.data);
}

ON_EVERY_WAY(direct, a_buffer_begins_with_a_cache_line)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD } };

    for (size_t bytes = 10; bytes < 1 << 20; bytes *= 7) {
        c.io.path = make_file("file", bytes);
        cr_assert_eq(perform(sched, &c), 0);
        cr_assert_eq((uintptr_t)c.io.data % 64, 0);
    }
    free(c.io.data);
}
