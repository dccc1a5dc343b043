/* test_iowork.c: sched/iowork.c: each operation from its first step to its
 * last, on every way. */
#include <errno.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sched/iowork.h"
#include "tests/calls.h"
#include "tests/times.h"

enum { MANY = TIMES(2000, 600) };

static struct call many[MANY];

ON_EVERY_WAY(iowork, load_reads_the_whole_file)
{
    static const size_t sizes[] = { 1, 4095, 4096, 4097, 3 * 1048576 + 17 };
    struct call c = { .io = { .op = WEFT_IO_LOAD } };

    for (unsigned i = 0; i < 5; i++)
        for (int cached = 0; cached < 2; cached++) {
            c.io.path = cached ? path_of("file") : make_file("file", sizes[i]);
            cr_assert_eq(perform(sched, &c), 0);
            cr_assert_eq(c.io.bytes, sizes[i]);
            cr_assert_eq(c.io.result, (int64_t)sizes[i]);
            cr_assert(c.io.room >= c.io.bytes);
            cr_assert(as_made(c.io.data, 0, sizes[i]));
        }
    free(c.io.data);
}

ON_EVERY_WAY(iowork, load_of_an_empty_file_is_empty)
{
    struct call c = {
        .io = { .op = WEFT_IO_LOAD, .path = make_file("empty", 0), .bytes = 9 }
    };
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.bytes, 0);
    cr_assert_eq(c.io.result, 0);
    free(c.io.data);
}

ON_EVERY_WAY(iowork, load_uses_the_buffer_again)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD,
                              .path = make_file("large", 100000) } };
    cr_assert_eq(perform(sched, &c), 0);
    void *data = c.io.data;
    size_t room = c.io.room;
    for (size_t bytes = 100000; bytes; bytes /= 10) {
        c.io.path = make_file("file", bytes);
        cr_assert_eq(perform(sched, &c), 0);
        cr_assert_eq(c.io.bytes, bytes);
        cr_assert_eq(c.io.data, data);
        cr_assert_eq(c.io.room, room);
        cr_assert(as_made(data, 0, bytes));
    }
    free(data);
}

static void make_socket(const char *path)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(name.sun_path, sizeof name.sun_path, "%s", path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    close(fd);
}

ON_EVERY_WAY(iowork, load_refuses_what_is_no_regular_file)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD } };

    c.io.path = path_of("missing");
    cr_assert_eq(perform(sched, &c), -ENOENT);
    c.io.path = path_of(".");
    cr_assert_eq(perform(sched, &c), -EISDIR);
    c.io.path = path_of("fifo"); /* that nobody writes to: it must not wait */
    cr_assert_eq(mkfifo(c.io.path, 0600), 0);
    cr_assert_eq(perform(sched, &c), -EINVAL);
    c.io.path = path_of("socket");
    make_socket(c.io.path);
    cr_assert_eq(perform(sched, &c), -EINVAL);
    c.io.path = "/dev/zero";
    cr_assert_eq(perform(sched, &c), -EINVAL);
    cr_assert_eq(c.io.data, NULL);
    c.io.path = make_file("file", 10);
    cr_assert_eq(perform(sched, &c), 0); /* a failure leaves nothing behind */
    free(c.io.data);
}

ON_EVERY_WAY(iowork, load_keeps_to_its_limit)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD,
                              .path = make_file("file", 1000) } };
    c.io.limit = 999;
    cr_assert_eq(perform(sched, &c), -EFBIG);
    c.io.limit = 1000;
    cr_assert_eq(perform(sched, &c), 0);
    c.io.path = "/proc/self/status"; /* says that its size is 0 */
    c.io.limit = 10;
    cr_assert_eq(perform(sched, &c), -EFBIG);
    free(c.io.data);
}

ON_EVERY_WAY(iowork, load_reads_a_file_without_a_size_to_its_end)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD,
                              .path = "/proc/self/smaps" } };
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert(c.io.bytes > 4096); /* it had to grow */
    cr_assert_eq(c.io.result, (int64_t)c.io.bytes);
    cr_assert_eq(((char *)c.io.data)[c.io.bytes - 1], '\n');
    free(c.io.data);
}

ON_EVERY_WAY(iowork, load_starts_from_a_folder)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD, .path = "file" } };
    make_file("file", 100);
    c.io.fd = open(folder, O_DIRECTORY | O_CLOEXEC);
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert(as_made(c.io.data, 0, 100));
    close(c.io.fd);
    free(c.io.data);
}

/* With one worker: the ring of another node would start while 0 is free, and
 * take it. */
Test(iowork, a_file_may_get_descriptor_0, .timeout = 60)
{
    for (int way = WEFT_IO_AUTO; way <= WEFT_IO_THREADS; way++) {
        struct call c = { .io = { .op = WEFT_IO_LOAD, .path = "/proc/stat" } };
        weft_sched *sched = make_sched(1, (enum weft_io_way)way);
        cr_assert_eq(perform(sched, &c), 0); /* the thread has what it needs */
        int input = dup(0);
        close(0);
        cr_assert_eq(perform(sched, &c), 0);
        if (input >= 0) {
            cr_assert_eq(dup2(input, 0), 0);
            close(input);
        }
        weft_sched_destroy(sched);
        free(c.io.data);
    }
}

/* As a file gets published: written aside, flushed, and renamed. */
ON_EVERY_WAY(iowork, what_is_written_is_read_back)
{
    enum { SIZE = 1048576 + 3 };
    struct call c = { .io = { .op = WEFT_IO_OPEN } };
    char *data = malloc(SIZE);
    struct stat st;

    for (size_t i = 0; i < SIZE; i++)
        data[i] = (char)byte_at(i);
    c.io.fd = open(folder, O_DIRECTORY | O_CLOEXEC);
    int parent = c.io.fd;
    c.io.path = "new";
    c.io.flags = O_CREAT | O_EXCL | O_RDWR;
    c.io.mode = 0640;
    cr_assert_eq(perform(sched, &c), 0);
    int fd = (int)c.io.result;
    cr_assert_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
    cr_assert_eq(fstat(fd, &st), 0);
    cr_assert_eq(st.st_mode & 0137, 0);
    cr_assert_eq(perform(sched, &c), -EEXIST);

    c.io = (struct weft_io){
        .op = WEFT_IO_WRITE, .fd = fd, .data = data, .bytes = SIZE - 1000
    };
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.result, SIZE - 1000);
    c.io.offset = SIZE - 1000;
    c.io.data = data + SIZE - 1000;
    c.io.bytes = 1000;
    cr_assert_eq(perform(sched, &c), 0);
    c.io.op = WEFT_IO_FSYNC;
    cr_assert_eq(perform(sched, &c), 0);
    c.io = (struct weft_io){
        .op = WEFT_IO_RENAME, .fd = parent, .path = "new", .path2 = "file"
    };
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(perform(sched, &c), -ENOENT);
    c.io.fd = 0; /* the folder that we are in */
    c.io.path = path_of("file");
    c.io.path2 = path_of("final");
    cr_assert_eq(perform(sched, &c), 0);

    memset(data, 0, SIZE);
    c.io = (struct weft_io){
        .op = WEFT_IO_READ, .fd = fd, .data = data, .bytes = SIZE
    };
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.result, SIZE);
    cr_assert(as_made(data, 0, SIZE));
    cr_assert_eq(stat(path_of("final"), &st), 0);
    cr_assert_eq(st.st_size, SIZE);
    close(fd);
    close(parent);
    free(data);
}

ON_EVERY_WAY(iowork, read_is_short_only_at_the_end)
{
    char data[200];
    struct call c = { .io = { .op = WEFT_IO_READ, .data = data } };

    c.io.fd = open(make_file("file", 1000), O_RDONLY | O_CLOEXEC);
    c.io.bytes = sizeof data;
    c.io.offset = 900;
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.result, 100);
    cr_assert(as_made(data, 900, 100));
    c.io.offset = 1000;
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.result, 0);
    c.io.offset = 5;
    c.io.bytes = 0;
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(c.io.result, 0);
    close(c.io.fd);
    c.io.fd = 999; /* not the one just closed: a ring that starts may have it */
    c.io.bytes = 1;
    cr_assert_eq(perform(sched, &c), -EBADF);
}

ON_EVERY_WAY(iowork, a_full_disk_is_an_error)
{
    char data[100] = { 0 };
    struct call c = { .io = { .op = WEFT_IO_WRITE, .data = data } };

    c.io.fd = open("/dev/full", O_WRONLY | O_CLOEXEC);
    c.io.bytes = sizeof data;
    cr_assert_eq(perform(sched, &c), -ENOSPC);
    close(c.io.fd);
}

/* With every descriptor used up: what could not be opened is an error, and what
 * a ring needs for itself may fail as well; then threads do it. */
ON_EVERY_WAY(iowork, too_many_open_files_is_an_error)
{
    struct call c = { .io = { .op = WEFT_IO_LOAD } };
    struct rlimit before, few;
    int extra[64], n = 0;

    c.io.path = make_file("file", 100);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ 64, before.rlim_max };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < 64 && (extra[n] = dup(2)) >= 0)
        n++;
    int first = perform(sched, &c);
    while (n > 0)
        close(extra[--n]);
    int second = perform(sched, &c);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(first, -EMFILE);
    cr_assert_eq(second, 0);
    cr_assert(as_made(c.io.data, 0, 100));
    free(c.io.data);
}

/* Or a worker, or one of the few threads, would wait for whoever comes. */
ON_EVERY_WAY(iowork, a_fifo_is_opened_without_the_other_side)
{
    struct call c = { .io = { .op = WEFT_IO_OPEN, .path = path_of("fifo") } };

    cr_assert_eq(mkfifo(c.io.path, 0600), 0);
    c.io.flags = O_WRONLY;
    cr_assert_eq(perform(sched, &c), -ENXIO);
    c.io.flags = O_RDONLY;
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert_eq(fcntl((int)c.io.result, F_GETFL) & O_NONBLOCK, 0);
    close((int)c.io.result);
    c.io.flags = O_RDONLY | O_NONBLOCK;
    cr_assert_eq(perform(sched, &c), 0);
    cr_assert(fcntl((int)c.io.result, F_GETFL) & O_NONBLOCK);
    close((int)c.io.result);
}

ON_EVERY_WAY(iowork, a_sleep_lasts_at_least_so_long)
{
    struct call c = { .io = { .op = WEFT_IO_SLEEP, .result = 1 } };

    for (c.io.ns = 0; c.io.ns < 10000000; c.io.ns = c.io.ns * 4 + 1000) {
        uint64_t before = weft_sched_now_ns(sched);
        cr_assert_eq(perform(sched, &c), 0);
        cr_assert(weft_sched_now_ns(sched) - before >= c.io.ns);
        cr_assert_eq(c.io.result, 0);
    }
}

ON_EVERY_WAY(iowork, many_sleep_at_once)
{
    for (int i = 0; i < MANY; i++) {
        many[i].io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                                       .ns = (uint64_t)(i * 7919 % 20000000) };
        start(sched, &many[i]);
    }
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(wait_for(&many[i]), 0);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
}

ON_EVERY_WAY(iowork, what_is_no_operation_is_an_error)
{
    struct call c = { .io = { .op = (enum weft_io_op)99 } };
    cr_assert_eq(perform(sched, &c), -EINVAL);
}

Test(iowork, a_load_that_is_cancelled_between_its_steps_closes_its_file)
{
    struct weft_io io = { .op = WEFT_IO_LOAD, .path = "/proc/self/status" };

    wf_iowork_begin(&io);
    struct iostep step = wf_iowork_step(&io);
    int64_t fd = wf_step_blocking(&step);
    cr_assert(fd >= 0);
    store_relaxed(&work_of(&io)->mark, true);
    cr_assert(wf_iowork_did(&io, fd));
    cr_assert_eq(work_of(&io)->rc, -ECANCELED);
    cr_assert_eq(fcntl((int)fd, F_GETFD), -1);
    free(io.data);
}
