/* explore_io.c: operations from a worker to the ring's driver, the blocking
 * threads or the poller, and back; on a ring that has one place for what moves
 * bytes, one for a poll, and one for a request to cancel. The scheduler around
 * them is a queue of what is ready. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sched/io.h"
#include "sched/iowork.h"
#include "sched/timer.h"
#include "tests/weave/kernel.h"
#include "tests/weave/weave.h"

enum { MOST = 3, BYTES = 3 };

struct weft_sched {
    struct topo *topo;
    struct io *io;
    struct timers *timers;
    pthread_mutex_t lock; /* of the next two */
    pthread_cond_t changed;
    struct task_list ready;
    _Atomic int holds;
};
struct weft_worker {
    weft_sched *sched;
};

/* Allocated, so that nobody touches it when it is over. */
struct operation {
    struct weft_io io;
    unsigned char data[BYTES];
    unsigned number;
};

static weft_sched sched;
static weft_worker worker = { &sched };
static struct operation *operations[MOST];
static int left, results[MOST]; /* plain: of the worker */
static bool may_fail;
static int file, pipes[2];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the next two */
static bool may_be_cancelled[MOST], is_cancelled[MOST];
static _Atomic int begun; /* so many operations */

/* What the files that are explored ask of the scheduler. */
weft_worker *wf_worker_here(void) { return &worker; }
weft_sched *weft_worker_sched(const weft_worker *self) { return self->sched; }
struct io *wf_io_of(const weft_sched *s) { return s->io; }
struct timers *wf_timers_of(const weft_sched *s) { return s->timers; }
unsigned wf_group_of(const weft_worker *self) { return 0; }
void wf_sched_hold(weft_sched *s) { add_relaxed(&s->holds, 1); }
void wf_sched_release(weft_sched *s) { sub_acq_rel(&s->holds, 1); }
uint64_t weft_sched_now_ns(const weft_sched *s) { return wf_now_ns(); }
struct seeded *wf_seeded_of(const weft_sched *s) { return NULL; }
void wf_misuse(const char *format, ...) { weave_fail("%s", format); }

int wf_seeded_io_start(struct seeded *s, struct weft_io *io)
{
    weave_fail("there is no seed");
    return 0;
}

int wf_error(weft_error *why, int error, const char *format, ...)
{
    return error;
}

/* Whoever does so relies on the scheduler, which must not end meanwhile; and
 * nobody else has the operation, or the look at it is a race. */
void wf_inject(weft_sched *s, struct task_list *list)
{
    weave_assert(load_relaxed(&s->holds) > 0);
    for (struct task *task = list->first; task; task = task->next)
        weave_assert(work_of(io_of_task(task))->group == 0);
    pthread_mutex_lock(&s->lock);
    task_list_join(&s->ready, list);
    pthread_cond_signal(&s->changed);
    pthread_mutex_unlock(&s->lock);
}

void wf_ready(weft_sched *s, weft_worker *self, struct task *task)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    wf_inject(s, &list);
}

static void begin(enum weft_io_way way)
{
    weave_assert(!wf_topo_load(&sched.topo, 1, 0, NULL));
    pthread_mutex_init(&sched.lock, NULL);
    pthread_cond_init(&sched.changed, NULL);
    sched.timers = wf_timers_create(&sched);
    weave_assert(!wf_io_create(&sched.io, &sched, sched.topo, way, NULL));
}

static void end(void)
{
    weave_assert(load_relaxed(&sched.holds) == 0);
    wf_io_destroy(sched.io);
    wf_timers_destroy(sched.timers);
    wf_topo_free(sched.topo);
}

/* Nobody has it any more. */
static void over(struct operation *o, int rc)
{
    unsigned i = o->number;
    bool moves = o->io.op == WEFT_IO_READ || o->io.op == WEFT_IO_WRITE;
    static const unsigned char content[BYTES] = { 1, 2, 3 };

    weave_assert(operations[i] == o);
    weave_assert(rc == 0 || (rc == -EIO && may_fail) ||
                 (rc == -ECANCELED && is_cancelled[i]));
    if (!rc && moves)
        weave_assert(o->io.result == BYTES && !memcmp(o->data, content, BYTES));
    if (!rc && o->io.op == WEFT_IO_LOAD)
        weave_assert(o->io.bytes == BYTES &&
                     !memcmp(o->io.data, content, BYTES));
    if (!rc && o->io.op == WEFT_IO_POLL)
        weave_assert(o->io.result == POLLIN);
    if (!rc && o->io.op == WEFT_IO_SLEEP)
        weave_assert(wf_now_ns() >= o->io.ns);
    if (!rc && o->io.op == WEFT_IO_OPEN)
        close((int)o->io.result);
    if (o->io.op == WEFT_IO_LOAD)
        free(o->io.data);
    operations[i] = NULL;
    results[i] = rc;
    free(o);
}

static void done(weft_worker *self, struct weft_io *io, int rc)
{
    struct operation *o = io->ctx;

    pthread_mutex_lock(&lock);
    may_be_cancelled[o->number] = false;
    pthread_mutex_unlock(&lock);
    weave_assert(load_relaxed(&sched.holds) == left);
    left--;
    over(o, rc);
}

static struct operation *start(struct weft_io io)
{
    unsigned i = (unsigned)load_relaxed(&begun);
    struct operation *o = calloc(1, sizeof *o);

    operations[i] = o;
    *o = (struct operation){ .io = io, .number = i, .data = { 1, 2, 3 } };
    if (io.op == WEFT_IO_READ)
        memset(o->data, 0, BYTES);
    o->io.ctx = o;
    if (!io.done)
        o->io.done = done;
    if (io.op != WEFT_IO_LOAD)
        o->io.data = o->data;
    o->io.bytes = BYTES;
    pthread_mutex_lock(&lock);
    int rc = weft_io_start(&worker, &o->io);
    may_be_cancelled[i] = rc == WEFT_PENDING;
    pthread_mutex_unlock(&lock);
    left += rc == WEFT_PENDING;
    if (rc != WEFT_PENDING)
        over(o, rc);
    store_release(&begun, (int)i + 1);
    return o;
}

/* A worker that has nothing else to do. */
static void complete_all(void)
{
    while (left) {
        pthread_mutex_lock(&sched.lock);
        while (!sched.ready.first)
            pthread_cond_wait(&sched.changed, &sched.lock);
        struct task *task = task_list_take(&sched.ready);
        pthread_mutex_unlock(&sched.lock);
        task->run(&worker, task);
    }
}

static void cancel(unsigned i)
{
    while (load_acquire(&begun) <= (int)i)
        weave_yield();
    pthread_mutex_lock(&lock);
    if (may_be_cancelled[i]) {
        is_cancelled[i] = true;
        weft_io_cancel(&sched, &operations[i]->io);
    }
    pthread_mutex_unlock(&lock);
}

static void cancel_first(void) { cancel(0); }
static void cancel_second(void) { cancel(1); }
static void make_ready(void) { kernel_make_ready(pipes[0]); }

static void two_of(enum weft_io_way way, enum weft_io_op op)
{
    begin(way);
    start((struct weft_io){ .op = op, .fd = file });
    start((struct weft_io){ .op = op, .fd = file });
    complete_all();
    end();
}

static void reads_by_ring(void) { two_of(WEFT_IO_RING, WEFT_IO_READ); }
static void reads_by_threads(void) { two_of(WEFT_IO_THREADS, WEFT_IO_READ); }
static void reads_at_once(void) { two_of(WEFT_IO_AUTO, WEFT_IO_READ); }

static void write_by_ring(void)
{
    begin(WEFT_IO_RING);
    start((struct weft_io){ .op = WEFT_IO_WRITE, .fd = file });
    complete_all();
    end();
    for (unsigned i = 0; i < BYTES; i++)
        weave_assert(kernel_written(file, i) == 1 ||
                     (results[0] && !kernel_written(file, i)));
}

/* Nobody knows whether a write was done: EIO, unless it was not begun. */
static void write_and_lose_the_ring(void)
{
    may_fail = true;
    write_by_ring();
}

static void load(enum weft_io_way way)
{
    begin(way);
    start((struct weft_io){ .op = WEFT_IO_LOAD, .path = "file" });
    complete_all();
    end();
}

static void load_by_ring(void) { load(WEFT_IO_RING); }
static void load_by_threads(void) { load(WEFT_IO_THREADS); }
static void load_at_once(void) { load(WEFT_IO_AUTO); }

/* Whoever is told that it was cancelled has nothing to close. */
static void open_by_threads(void)
{
    begin(WEFT_IO_THREADS);
    start((struct weft_io){ .op = WEFT_IO_OPEN, .path = "file" });
    complete_all();
    end();
}

static struct weft_io a_read(int fd)
{
    return (struct weft_io){ .op = WEFT_IO_READ, .fd = fd };
}

static struct weft_io a_poll(int fd)
{
    return (struct weft_io){ .op = WEFT_IO_POLL, .fd = fd, .flags = POLLIN };
}

/* Two descriptors, of which the second stays as it is: it has to be cancelled.
 * The ring has room for one. */
static void polls(enum weft_io_way way)
{
    begin(way);
    for (unsigned i = 0; i < 2; i++)
        start(a_poll(pipes[i]));
    complete_all();
    weave_assert(results[0] == 0 && results[1] == -ECANCELED);
    end();
}

static void polls_by_ring(void) { polls(WEFT_IO_RING); }
static void polls_by_poller(void) { polls(WEFT_IO_THREADS); }

static void two_by_ring(struct weft_io first, struct weft_io second)
{
    begin(WEFT_IO_RING);
    start(first);
    start(second);
    complete_all();
    end();
}

/* Both under way, and to be cancelled. */
static void poll_and_read(void)
{
    two_by_ring(a_poll(pipes[0]), a_read(file));
    weave_assert(results[0] == -ECANCELED);
}

/* Neither ends by itself, and there is a place for one request. */
static void poll_and_endless_read(void)
{
    two_by_ring(a_poll(pipes[0]), a_read(pipes[1]));
    weave_assert(results[0] == -ECANCELED && results[1] == -ECANCELED);
}

/* While the read is under way no poll gets a place. */
static void read_and_poll(void)
{
    two_by_ring(a_read(file), a_poll(pipes[0]));
    weave_assert(results[1] == -ECANCELED);
}

static void cancel_both(void)
{
    cancel(1);
    cancel(0);
}

/* One at a time: neither takes the place of what comes after. */
static void poll_then_read(void)
{
    begin(WEFT_IO_RING);
    start(a_poll(pipes[0]));
    complete_all();
    start(a_read(file));
    complete_all();
    end();
}

static void one_poll(enum weft_io_way way)
{
    begin(way);
    start(a_poll(pipes[0]));
    complete_all();
    end();
}

static void poll_by_ring(void) { one_poll(WEFT_IO_RING); }
static void poll_by_poller(void) { one_poll(WEFT_IO_THREADS); }

/* The same struct again, which nobody asks to end. */
static void start_again(weft_worker *self, struct weft_io *io, int rc)
{
    struct operation *o = io->ctx;

    pthread_mutex_lock(&lock);
    may_be_cancelled[0] = is_cancelled[0] = false;
    memset(o->data, 0, BYTES);
    io->done = done;
    rc = weft_io_start(&worker, io);
    pthread_mutex_unlock(&lock);
    weave_assert(rc == WEFT_PENDING);
}

static void one_after_the_other(void)
{
    begin(WEFT_IO_RING);
    start((struct weft_io){
        .op = WEFT_IO_READ, .fd = file, .done = start_again });
    complete_all();
    weave_assert(results[0] == 0);
    end();
}

/* For ever, unless it is cancelled; and less long. */
static void sleeps(void)
{
    begin(WEFT_IO_THREADS);
    start((struct weft_io){ .op = WEFT_IO_SLEEP, .ns = UINT64_MAX });
    start((struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 20000 });
    complete_all();
    end();
}

/* Each step may be the one in which the mark is left. A read of what never
 * comes, which the kernel has interrupted, would begin again. */
static void mark_between_steps(void)
{
    static const int64_t ends_so[] = { -EINTR, 1, -EINVAL };

    for (unsigned i = 0; i < 3; i++) {
        struct weft_io io = { .op = WEFT_IO_READ, .fd = file, .bytes = BYTES };
        wf_iowork_begin(&io);
        store_relaxed(&work_of(&io)->mark, true);
        weave_assert(wf_iowork_did(&io, ends_so[i]));
        weave_assert(work_of(&io)->rc == (i < 2 ? -ECANCELED : -EINVAL));
    }
}

static void set_up(void)
{
    file = kernel_file("file", BYTES);
    pipes[0] = kernel_pipe();
    pipes[1] = kernel_pipe();
    kernel.shorts = 1;
    kernel.interruptions = 2; /* of one wait as well */
    kernel.cached = true;
}

static void set_up_to_fail(void)
{
    set_up();
    kernel.errors = 1;
    may_fail = true;
}

/* The probe has one, and the driver none. */
static void set_up_without_a_ring(void)
{
    set_up();
    kernel.rings = 1;
}

/* The driver's is refused when it likes; the probe enters in another way. */
static void set_up_to_lose_the_ring(void)
{
    set_up();
    kernel.shorts = 0;
    kernel.interruptions = 1; /* with what was submitted still under way */
    kernel.refusals = true;
}

static void set_up_plainly(void)
{
    set_up();
    kernel.shorts = kernel.interruptions = 0;
}

static const struct weave_test tests[] = {
    { .name = "reads_by_the_ring_complete_once",
      .setup = set_up_to_fail,
      .threads = { reads_by_ring },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "reads_by_threads_complete_once",
      .setup = set_up_to_fail,
      .threads = { reads_by_threads },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "what_would_wait_is_handed_over",
      .setup = set_up_to_fail,
      .threads = { reads_at_once },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "threads_take_over_where_the_ring_fails",
      .setup = set_up_without_a_ring,
      .threads = { reads_by_ring },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "each_byte_is_written_once",
      .setup = set_up,
      .threads = { write_by_ring },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "reads_are_done_again_where_the_ring_is_lost",
      .setup = set_up_to_lose_the_ring,
      .threads = { reads_by_ring },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "no_byte_is_written_again_where_the_ring_is_lost",
      .setup = set_up_to_lose_the_ring,
      .threads = { write_and_lose_the_ring },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_poll_and_a_read_are_cancelled_where_the_ring_is_lost",
      .setup = set_up_to_lose_the_ring,
      .threads = { poll_and_read, cancel_both },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_file_is_loaded_by_the_ring",
      .setup = set_up_to_fail,
      .threads = { load_by_ring, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_file_is_loaded_by_threads",
      .setup = set_up_to_fail,
      .threads = { load_by_threads, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_file_is_loaded_wherever_it_would_wait",
      .setup = set_up_to_fail,
      .threads = { load_at_once, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_file_is_open_or_was_cancelled",
      .setup = set_up_to_fail,
      .threads = { open_by_threads, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 5000 },
    { .name = "a_read_under_way_or_in_the_backlog_is_cancelled",
      .setup = set_up_plainly,
      .threads = { reads_by_ring, cancel_first, cancel_second },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_read_is_cancelled_before_a_thread_has_it",
      .setup = set_up_plainly,
      .threads = { reads_by_threads, cancel_first, cancel_second },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_read_is_cancelled_where_the_ring_fails",
      .setup = set_up_without_a_ring,
      .threads = { reads_by_ring, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_poll_ends_as_ready_or_cancelled",
      .setup = set_up_plainly,
      .threads = { poll_by_ring, cancel_first, make_ready },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "so_it_does_by_the_poller",
      .setup = set_up,
      .threads = { poll_by_poller, cancel_first, make_ready },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_poll_without_a_place_goes_to_the_poller",
      .setup = set_up_plainly,
      .threads = { polls_by_ring, make_ready, cancel_second },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "the_poller_tells_two_apart",
      .setup = set_up_plainly,
      .threads = { polls_by_poller, make_ready, cancel_second },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "requests_to_cancel_wait_for_a_place",
      .setup = set_up_plainly,
      .threads = { poll_and_endless_read, cancel_both },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_poll_is_cancelled_that_waits_for_a_place",
      .setup = set_up_plainly,
      .threads = { read_and_poll, cancel_second },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_poll_gives_its_place_back",
      .setup = set_up_plainly,
      .threads = { poll_then_read, make_ready },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "what_is_marked_has_no_next_step",
      .setup = set_up_plainly,
      .threads = { mark_between_steps },
      .interruptions = 1,
      .stale = 0,
      .most = 1000 },
    { .name = "a_cancel_hits_nothing_that_comes_after",
      .setup = set_up_plainly,
      .threads = { one_after_the_other, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_short_sleep_does_not_last_as_long_as_another",
      .threads = { sleeps, cancel_first },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { .name = "a_sleep_ends_once",
      .threads = { sleeps, cancel_first, cancel_second },
      .interruptions = 1,
      .stale = 0,
      .most = 60000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
