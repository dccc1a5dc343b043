/* test_poller.c: waiting for descriptors, on every way; sched/poller.c where
 * there is no ring. */
#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "tests/calls.h"
#include "tests/times.h"

enum { MANY = TIMES(2000, 600) };

static struct call many[MANY];

static void make_pipe(int ends[2]) { cr_assert_eq(pipe2(ends, O_CLOEXEC), 0); }

static void close_pipe(const int ends[2])
{
    close(ends[0]);
    close(ends[1]);
}

ON_EVERY_WAY(poller, other_operations_go_on_while_one_waits)
{
    int ends[2];
    make_pipe(ends);
    struct call wait = {
        .io = { .op = WEFT_IO_POLL, .fd = ends[0], .flags = POLLIN }
    };
    struct call load = { .io = { .op = WEFT_IO_LOAD } };

    load.io.path = make_file("file", 1000);
    start(sched, &wait);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(perform(sched, &load), 0);
    cr_assert_eq(load_relaxed(&wait.times), 0);
    cr_assert_eq(write(ends[1], "w", 1), 1);
    cr_assert_eq(wait_for(&wait), 0);
    cr_assert_eq(wait.io.result, POLLIN);
    cr_assert_eq(perform(sched, &wait), 0); /* it still is ready */
    close_pipe(ends);
    free(load.io.data);
}

ON_EVERY_WAY(poller, a_hang_up_is_told_unasked)
{
    int ends[2];
    make_pipe(ends);
    struct call wait = {
        .io = { .op = WEFT_IO_POLL, .fd = ends[0], .flags = POLLIN }
    };
    start(sched, &wait);
    close(ends[1]);
    cr_assert_eq(wait_for(&wait), 0);
    cr_assert_eq(wait.io.result, POLLHUP);
    close(ends[0]);
}

ON_EVERY_WAY(poller, what_is_no_descriptor_is_an_error)
{
    struct call wait = { .io = {
                             .op = WEFT_IO_POLL, .fd = 999, .flags = POLLIN } };
    cr_assert_eq(perform(sched, &wait), -EBADF);
    wait.io.fd = -1;
    cr_assert_eq(perform(sched, &wait), -EBADF);
}

ON_EVERY_WAY(poller, those_who_wait_for_one_descriptor_are_told_apart)
{
    int ends[2], rest = 0;
    char page[4096] = { 0 };
    make_pipe(ends);
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    for (ssize_t n; (n = write(ends[1], page, sizeof page)) > 0;)
        rest += (int)n;
    /* A full pipe: not to be written, and nobody reads from this end. */
    struct call writer = {
        .io = { .op = WEFT_IO_POLL, .fd = ends[1], .flags = POLLOUT }
    };
    struct call closer = { .io = { .op = WEFT_IO_POLL, .fd = ends[1] } };
    start(sched, &writer);
    start(sched, &closer);
    for (ssize_t n; rest > 0; rest -= (int)n)
        cr_assert((n = read(ends[0], page, sizeof page)) > 0);
    cr_assert_eq(wait_for(&writer), 0);
    cr_assert_eq(writer.io.result, POLLOUT);
    cr_assert_eq(load_relaxed(&closer.times), 0);
    close(ends[0]);
    cr_assert_eq(wait_for(&closer), 0);
    cr_assert_eq(closer.io.result, POLLERR);
    close(ends[1]);
}

/* More than a ring has places, and more than poll takes: what makes them ready
 * comes after all of them. */
ON_EVERY_WAY(poller, many_waits_keep_nobody_else_waiting)
{
    int ends[2];
    struct rlimit before, few;
    struct call load = { .io = { .op = WEFT_IO_LOAD } };

    make_pipe(ends);
    load.io.path = make_file("file", 1000);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ 128, before.rlim_max };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < MANY; i++) {
        many[i].io = (struct weft_io){ .op = WEFT_IO_POLL,
                                       .fd = ends[0],
                                       .flags = POLLIN };
        start(sched, &many[i]);
    }
    cr_assert_eq(perform(sched, &load), 0);
    cr_assert_eq(write(ends[1], "w", 1), 1);
    for (int i = 0; i < MANY; i++) {
        cr_assert_eq(wait_for(&many[i]), 0);
        cr_assert_eq(many[i].io.result, POLLIN);
    }
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_pipe(ends);
    free(load.io.data);
}

/* Whoever waits needs a descriptor of its own to be woken by. */
ON_EVERY_WAY_OF_THREADS(poller, no_descriptor_to_be_woken_by_is_an_error)
{
    int ends[2], extra[64], n = 0;
    struct rlimit before, few;
    make_pipe(ends);
    struct call wait = {
        .io = { .op = WEFT_IO_POLL, .fd = ends[0], .flags = POLLIN }
    };

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){ 64, before.rlim_max };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    while (n < 64 && (extra[n] = dup(2)) >= 0)
        n++;
    cr_assert_eq(perform(sched, &wait), -EMFILE);
    while (n > 0)
        close(extra[--n]);
    start(sched, &wait);
    cr_assert_eq(write(ends[1], "w", 1), 1);
    cr_assert_eq(wait_for(&wait), 0);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    close_pipe(ends);
}

/* Fewer files than are being waited for: poll as a whole fails. */
Test(poller, a_limit_that_shrinks_ends_the_waiting_with_an_error, .timeout = 60)
{
    struct rlimit before, none;
    int ends[2];
    struct call wait = { .io = { .op = WEFT_IO_POLL, .flags = POLLIN } };

    make_pipe(ends);
    wait.io.fd = ends[0];
    weft_sched *sched = make_sched(1, WEFT_IO_THREADS);
    cr_assert_eq(write(ends[1], "w", 1), 1);
    cr_assert_eq(perform(sched, &wait), 0);
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){ 0, before.rlim_max };
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    cr_assert_eq(perform(sched, &wait), -EINVAL);
    cr_assert_eq(perform(sched, &wait), -EINVAL);
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    cr_assert_eq(perform(sched, &wait), 0);
    weft_sched_destroy(sched);
    close_pipe(ends);
}
