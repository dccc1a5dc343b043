/* explore_reads.c: operations under a whole scheduler, which does not end while
 * one is under way. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sched/atomic.h"
#include "tests/weave/kernel.h"
#include "tests/weave/world.h"

enum { BYTES = 2 };

static int file, pipe_end;
static int times, result; /* plain: of `done`, which is called once */
static weft_sched *sched;
static weft_future *reading;
static _Atomic bool is_shared;
static struct weft_io *operation; /* allocated: freed when it is over */

static void done(weft_worker *self, struct weft_io *io, int rc)
{
    times++;
    result = rc;
    weave_assert(rc || !memcmp(io->data, (char[]){ 1, 2 }, BYTES));
    free(io->data);
    free(io);
}

static int read_file(weft_worker *self, void *ctx)
{
    operation = calloc(1, sizeof *operation);
    operation->op = WEFT_IO_READ;
    operation->fd = file;
    operation->data = malloc(BYTES);
    operation->bytes = BYTES;
    operation->done = done;
    int rc = weft_io_start(self, operation);
    if (rc != WEFT_PENDING)
        done(self, operation, rc);
    return 0;
}

static void destroy_under(enum weft_io_way way)
{
    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = 1, .spin_us = 1, .io = way), 0));
    weave_assert(!weft_submit(sched, read_file, 0, 0, 0));
    weft_sched_destroy(sched);
    weave_assert(times == 1 && (result == 0 || result == -EIO));
}

static void end_under_the_ring(void) { destroy_under(WEFT_IO_RING); }
static void end_under_threads(void) { destroy_under(WEFT_IO_THREADS); }
static void end_at_once(void) { destroy_under(WEFT_IO_AUTO); }

/* As a future: it stays where it is, and is told of a cancel. */
static void poll_for_a_future(void)
{
    struct weft_io io = { .op = WEFT_IO_POLL, .flags = 1 /* POLLIN */ };

    io.fd = pipe_end;
    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = 1, .spin_us = 1), 0));
    weave_assert(!weft_future_io(sched, &io, &reading, 0));
    store_release(&is_shared, true);
    int rc = weft_future_wait(reading, -1);
    weave_assert(rc == 0 || rc == -ECANCELED);
    while (load_acquire(&is_shared))
        weave_yield();
    weft_future_destroy(reading);
    weft_sched_destroy(sched);
}

static void cancel_it(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    weft_future_cancel(reading);
    store_release(&is_shared, false);
}

static void make_it_ready(void) { kernel_make_ready(pipe_end); }

static void set_up(void)
{
    file = kernel_file("file", BYTES);
    pipe_end = kernel_pipe();
    kernel.cached = true;
    kernel.shorts = kernel.errors = 1;
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_scheduler_does_not_end_under_a_read_of_the_ring",
          .setup = set_up,
          .threads = { end_under_the_ring } },
        { .name = "nor_under_that_of_a_thread",
          .setup = set_up,
          .threads = { end_under_threads } },
        { .name = "nor_under_one_that_is_handed_over",
          .setup = set_up,
          .threads = { end_at_once } },
        { .name = "a_future_of_an_operation_is_cancelled_or_has_its_result",
          .setup = set_up,
          .threads = { poll_for_a_future, cancel_it, make_it_ready } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
