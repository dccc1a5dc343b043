/* test_cancel.c: weft_io_cancel, [C] in sched/iowork.h: wherever the operation
 * is, it ends, or it was over; and it is done once. */
#include <errno.h>
#include <poll.h>
#include <sched.h>

#include "sched/iowork.h"
#include "tests/calls.h"
#include "tests/times.h"

enum { MANY = TIMES(2000, 600) };

static struct call many[MANY];

static _Atomic uint32_t started;

static struct task *start_and_tell(weft_worker *self, struct task *task)
{
    start_call(self, task);
    add_release(&started, 1); /* the call may be no more */
    return NULL;
}

/* And it is left to others: it may be cancelled from now on. */
static void start_now(weft_sched *sched, struct call *c)
{
    uint32_t before = load_relaxed(&started);
    c->io.done = over;
    c->io.ctx = c;
    c->task.run = start_and_tell;
    store_relaxed(&c->times, 0);
    wf_ready(sched, NULL, &c->task);
    while (load_acquire(&started) == before) /* what weft_io_start did */
        wait_while(&started, before);
}

static int cancel(weft_sched *sched, struct call *c)
{
    weft_io_cancel(sched, &c->io);
    return wait_for(c);
}

static void make_pipe(int ends[2]) { cr_assert_eq(pipe2(ends, O_CLOEXEC), 0); }

static void close_pipe(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

static struct call poll_of(int fd)
{
    return (
        struct call){ .io = { .op = WEFT_IO_POLL, .fd = fd, .flags = POLLIN } };
}

ON_EVERY_WAY(cancel, a_sleep_is_cancelled)
{
    for (int i = 0; i < MANY; i++) {
        many[i].io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = UINT64_MAX };
        start_now(sched, &many[i]);
    }
    for (int i = MANY - 1; i >= 0; i--)
        cr_assert_eq(cancel(sched, &many[i]), -ECANCELED);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
}

ON_EVERY_WAY(cancel, a_poll_that_never_comes_is_cancelled)
{
    int ends[2];
    make_pipe(ends);
    struct call c = poll_of(ends[0]);
    for (int i = 0; i < 100; i++) {
        start_now(sched, &c);
        cr_assert_eq(cancel(sched, &c), -ECANCELED);
        cr_assert_eq(load_relaxed(&c.times), 1);
    }
    close_pipe(ends);
}

/* More than a ring has places, and all for one descriptor. */
ON_EVERY_WAY(cancel, of_many_polls_those_that_are_cancelled_end)
{
    int ends[2];
    make_pipe(ends);
    for (int i = 0; i < MANY; i++) {
        many[i] = poll_of(ends[0]);
        start_now(sched, &many[i]);
    }
    for (int i = 0; i < MANY; i++)
        if (i % 8)
            weft_io_cancel(sched, &many[i].io);
    for (int i = 0; i < MANY; i++)
        if (i % 8)
            cr_assert_eq(wait_for(&many[i]), -ECANCELED);
    for (int i = 0; i < MANY; i += 8)
        cr_assert_eq(load_relaxed(&many[i].times), 0);
    cr_assert_eq(write(ends[1], "w", 1), 1);
    for (int i = 0; i < MANY; i += 8) {
        cr_assert_eq(wait_for(&many[i]), 0);
        cr_assert_eq(many[i].io.result, POLLIN);
    }
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
    close_pipe(ends);
}

/* They are marked faster than the driver looks: it finds more of them than it
 * has requests for. */
ON_EVERY_WAY(cancel, as_many_as_are_marked_at_once_end)
{
    int ends[2];
    make_pipe(ends);
    for (int i = 0; i < MANY; i++) {
        many[i] = poll_of(ends[0]);
        start_now(sched, &many[i]);
    }
    for (int i = 0; i < MANY; i++)
        store_relaxed(&work_of(&many[i].io)->mark, true);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(cancel(sched, &many[i]), -ECANCELED);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
    close_pipe(ends);
}

ON_EVERY_WAY(cancel, what_is_over_cannot_be_cancelled)
{
    int ends[2];
    make_pipe(ends);
    struct call c[] = {
        poll_of(ends[0]),
        { .io = { .op = WEFT_IO_SLEEP, .ns = 1000 } },
        { .io = { .op = WEFT_IO_LOAD, .path = make_file("file", 1000) } },
    };
    cr_assert_eq(write(ends[1], "w", 1), 1);
    for (int i = 0; i < 300; i++) {
        start_now(sched, &c[i % 3]);
        cr_assert_eq(wait_for(&c[i % 3]), 0);
        weft_io_cancel(sched, &c[i % 3].io); /* nor is the next one */
        cr_assert_eq(load_relaxed(&c[i % 3].times), 1);
    }
    close_pipe(ends);
    free(c[2].io.data);
}

static void pause_ns(int ns)
{
    uint64_t end = wf_now_ns() + (uint64_t)ns;
    while (wf_now_ns() < end)
        cpu_pause();
}

/* It comes, or is about to come, when it is cancelled. */
ON_EVERY_WAY(cancel, a_cancelled_poll_is_done_once_and_the_next_one_is_not_hit)
{
    enum { ROUNDS = TIMES(1000, 200) };
    int ends[2];
    char byte;
    make_pipe(ends);
    struct call c = poll_of(ends[0]);
    for (int i = 0; i < ROUNDS; i++) {
        start_now(sched, &c);
        if (i % 2)
            weft_io_cancel(sched, &c.io);
        else
            cr_assert_eq(write(ends[1], "w", 1), 1);
        pause_ns(i % 64 * 500);
        if (i % 2)
            cr_assert_eq(write(ends[1], "w", 1), 1);
        else
            weft_io_cancel(sched, &c.io);
        int rc = wait_for(&c);
        cr_assert(rc == 0 || rc == -ECANCELED);
        cr_assert(rc || c.io.result == POLLIN);
        cr_assert_eq(read(ends[0], &byte, 1), 1);
        cr_assert_eq(load_relaxed(&c.times), 1);

        start_now(sched, &c);
        cr_assert_eq(load_relaxed(&c.times), 0);
        cr_assert_eq(write(ends[1], "w", 1), 1);
        cr_assert_eq(wait_for(&c), 0);
        cr_assert_eq(read(ends[0], &byte, 1), 1);
        cr_assert_eq(load_relaxed(&c.times), 1);
    }
    close_pipe(ends);
}

ON_EVERY_WAY(cancel, a_cancelled_sleep_is_done_once)
{
    for (int i = 0; i < MANY; i++) {
        many[i].io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 60000 };
        start_now(sched, &many[i]);
        pause_ns(i % 64 * 3000);
        int rc = cancel(sched, &many[i]);
        cr_assert(rc == 0 || rc == -ECANCELED);
    }
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
}

/* Some are in the middle of it; on_way sees that all files get closed. */
ON_EVERY_WAY(cancel, a_cancelled_load_is_done_once_or_loads_it_all)
{
    static char paths[MANY][128];

    for (int i = 0; i < MANY; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i % 200);
        strcpy(paths[i], i < 200 ? make_file(name, 9000) : path_of(name));
        many[i].io = (struct weft_io){ .op = WEFT_IO_LOAD, .path = paths[i] };
    }
    for (int i = 0; i < MANY; i++) {
        start_now(sched, &many[i]);
        if (i >= 16)
            weft_io_cancel(sched, &many[i - 16].io);
    }
    for (int i = 0; i < MANY; i++) {
        int rc = wait_for(&many[i]);
        cr_assert(rc == 0 || (rc == -ECANCELED && i < MANY - 16));
        cr_assert(rc || as_made(many[i].io.data, 0, 9000));
        free(many[i].io.data);
    }
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
}

/* Reads of an empty pipe (at the offset -1: where it is) take all the places of
 * the ring. Only a ring can do that: it ends early where there is none. */
Test(cancel, what_waits_for_a_place_in_the_ring_is_cancelled, .timeout = 60)
{
    enum { READS = 100 };
    static char bytes[READS];
    int ends[2];

    make_pipe(ends);
    for (int way = WEFT_IO_AUTO; way <= WEFT_IO_RING; way++) {
        weft_sched *sched = make_sched(1, (enum weft_io_way)way);
        struct call load = { .io = { .op = WEFT_IO_LOAD,
                                     .path = "/proc/self/status" } };
        for (int i = 0; i < READS; i++)
            many[i].io = (struct weft_io){ .op = WEFT_IO_READ,
                                           .fd = ends[0],
                                           .data = &bytes[i],
                                           .bytes = 1,
                                           .offset = UINT64_MAX };
        start_now(sched, &many[0]);
        cr_assert_eq(write(ends[1], "w", 1), 1);
        bool ring = wait_for(&many[0]) == 0;
        for (int i = 0; ring && i < READS; i++)
            start_now(sched, &many[i]);
        for (int i = 0; ring && i < 10; i++) {
            start_now(sched, &load);
            cr_assert_eq(cancel(sched, &load), -ECANCELED);
        }
        for (int i = READS - 1; ring && i >= 0; i--)
            cr_assert_eq(cancel(sched, &many[i]), -ECANCELED);
        cr_assert_eq(perform(sched, &load), 0); /* the places are free again */
        weft_sched_destroy(sched);
        free(load.io.data);
    }
    close_pipe(ends);
}

/* They write to one file, which the kernel lets one do at a time. */
Test(cancel, what_waits_for_a_thread_is_cancelled, .timeout = 60)
{
    enum { WRITES = 100, SIZE = 4 * 1048576 };
    char path[] = "/tmp/weft-calls-XXXXXX", *data = calloc(1, SIZE);
    int fd = mkostemp(path, O_CLOEXEC), cancelled = 0;

    unlink(path);
    weft_sched *sched = make_sched(1, WEFT_IO_THREADS);
    while (!cancelled) {
        for (int i = 0; i < WRITES; i++) {
            many[i].io = (struct weft_io){
                .op = WEFT_IO_WRITE, .fd = fd, .data = data, .bytes = SIZE
            };
            start_now(sched, &many[i]);
        }
        for (int i = WRITES - 1; i >= 0; i--)
            weft_io_cancel(sched, &many[i].io);
        for (int i = 0; i < WRITES; i++) {
            int rc = wait_for(&many[i]);
            cr_assert(rc == 0 || rc == -ECANCELED);
            cr_assert_eq(many[i].io.result, rc ? 0 : SIZE);
            cancelled += rc != 0;
        }
    }
    weft_sched_destroy(sched);
    for (int i = 0; i < WRITES; i++)
        cr_assert_eq(load_relaxed(&many[i].times), 1);
    close(fd);
    free(data);
}
