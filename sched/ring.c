/* ring.c: a driver thread that owns an io_uring.
 *
 * Workers leave operations in a list; an eventfd wakes the driver, through a
 * read that is always armed in the ring, so that it sleeps in one place only.
 * The driver takes the whole list at once, and says under its lock that it
 * sleeps next; the first to add to the list after that wakes it, and nobody
 * else does. It submits, waits, advances each operation by the step that
 * completed, and injects all that are finished with one wake-up.
 *
 * What is under way is counted, and is never more than the completion queue
 * holds, nor than a device wants at a time: a LOAD holds a descriptor, each
 * node has a ring, and a process is often allowed 1024 in all. A poll may be
 * under way for ever, and what makes it ready may come after it: so polls never
 * take all the places; more of them go to the poller.
 *
 * Cancelling leaves a mark in the operation, and the driver looks for marks in
 * all that it has, [C] in iowork.h. What waits for a place is finished. For
 * what is under way the kernel is asked to end it; the answer is of no use, as
 * the operation's own completion comes in any case. The request names it by its
 * address, where another operation may be soon: one that completes before the
 * request is executed, and is started again. But entries are executed in the
 * order in which they are placed, so the request comes before the new one, and
 * finds nothing.
 *
 * io_uring_queue_exit is no barrier, so the driver does not end before
 * the last completion was reaped: the kernel writes to no memory after that.
 *
 * Where the kernel refuses to be entered, for good (a filter of system calls
 * that came later), nothing can be reaped any more, and the ring is given up.
 * The queue tells what the kernel has not taken: that goes to the blocking
 * threads. Of the rest nobody knows whether it was done. What can be done twice
 * is, by them; all else ends with EIO. But first the kernel has to be through
 * with it, as it writes to its memory. The ring holds the one end of a pipe
 * that is left, and lets go of it when all else is over: that is the barrier.
 * Whoever forks, and does not exec, has the ring as well, and so prolongs it.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sched/ioways.h"
#include "sched/thread.h"

#ifndef RING_BUSY
#define RING_BUSY    64
#define RING_POLLS   256
#define RING_CANCELS 64
#endif

enum {
    ENTRIES = 512,
    MOST_BUSY = RING_BUSY,
    MOST_POLLS = RING_POLLS,
    MOST_UNDER_WAY = MOST_BUSY + MOST_POLLS,
    MOST_CANCELS = RING_CANCELS,
    MOST_REFUSALS = 300, /* in a row, a moment apart, for lack of memory */
    MOMENT_MS = 1,
};
_Static_assert(MOST_UNDER_WAY + MOST_CANCELS + 1 /* with the eventfd */
                   <= ENTRIES,
               "more than a queue holds");

struct ring {
    weft_sched *sched;
    struct topo *topo;
    unsigned group;
    struct blocking *instead;
    pthread_mutex_t lock; /* of what follows, up to `thread` */
    struct task_list fresh;
    int event; /* -1: no thread yet */
    int failure;
    unsigned unknown; /* operations that ended with EIO because of it */
    bool ends;
    bool cancels;    /* something that is here may be marked */
    bool asleep;     /* or about to be: has to be woken */
    unsigned inside; /* operations here, or finished since the last look */
    pthread_t thread;
    struct io_uring uring; /* of the thread, like what follows */
    int closed;            /* at its end when the kernel is through with it */
    unsigned refusals;     /* in a row */
    struct task_list backlog;
    struct weft_io *table[MOST_UNDER_WAY];
    unsigned under_way; /* of these; the read of the eventfd is not there */
    unsigned polls;     /* of these */
    unsigned asked;     /* requests to cancel one of these, under way */
    bool looks;         /* for those that are marked */
    unsigned finished;  /* to be taken from `inside` */
    uint64_t ignored;   /* what that reads */
    bool armed;
};

/* A place in the submission queue, which has room for all that may be under
 * way. */
static struct io_uring_sqe *place(struct ring *r)
{
    return io_uring_get_sqe(&r->uring);
}

static void prepare(struct ring *r, struct weft_io *io)
{
    struct iostep s = wf_iowork_step(io);
    struct io_uring_sqe *sqe = place(r);

    switch (s.op) {
    case WEFT_IO_OPEN:
        io_uring_prep_openat(sqe, s.fd, s.path, s.flags, s.mode);
        break;
    case WEFT_IO_READ:
        io_uring_prep_read(sqe, s.fd, s.data, (unsigned)s.bytes, s.offset);
        break;
    case WEFT_IO_WRITE:
        io_uring_prep_write(sqe, s.fd, s.data, (unsigned)s.bytes, s.offset);
        break;
    case WEFT_IO_FSYNC:
        io_uring_prep_fsync(sqe, s.fd, 0);
        break;
    case WEFT_IO_RENAME:
        io_uring_prep_renameat(sqe, s.fd, s.path, s.fd, s.path2, 0);
        break;
    case WEFT_IO_POLL:
        io_uring_prep_poll_add(sqe, s.fd, (unsigned)s.flags);
        break;
    case WEFT_IO_LOAD: /* these are never a step */
    case WEFT_IO_SLEEP:
        break;
    }
    io_uring_sqe_set_data(sqe, io);
}

static void arm(struct ring *r)
{
    if (r->armed)
        return;
    struct io_uring_sqe *sqe = place(r);
    io_uring_prep_read(sqe, r->event, &r->ignored, sizeof r->ignored, 0);
    io_uring_sqe_set_data(sqe, NULL);
    r->armed = true;
}

static void finish(struct ring *r, struct weft_io *io,
                   struct task_list *finished)
{
    r->finished++;
    wf_io_completed(finished, io);
}

/* What waits for a place and is marked will not get one. */
static void cancel_backlog(struct ring *r, struct task_list *finished)
{
    struct task_list all = r->backlog;

    r->backlog = (struct task_list){ 0 };
    for (struct task *task; (task = task_list_take(&all));) {
        struct weft_io *io = io_of_task(task);
        if (wf_iowork_marked(io) && wf_iowork_did(io, -ECANCELED))
            finish(r, io, finished);
        else
            task_list_add(&r->backlog, task);
    }
}

/* Has what is under way and marked ended by the kernel. False: some are left
 * for when these requests have been answered. */
static bool cancel_under_way(struct ring *r)
{
    for (unsigned i = 0; i < r->under_way; i++) {
        struct weft_io *io = r->table[i];
        if (!wf_iowork_marked(io) || work_of(io)->told)
            continue;
        if (r->asked == MOST_CANCELS)
            return false;
        struct io_uring_sqe *sqe = place(r);
        io_uring_prep_cancel(sqe, io, 0);
        io_uring_sqe_set_data(sqe, r);
        work_of(io)->told = true;
        r->asked++;
    }
    return true;
}

/* Everything that came in; false: the end, and nothing is under way. */
static bool take_fresh(struct ring *r, struct task_list *finished)
{
    pthread_mutex_lock(&r->lock);
    task_list_join(&r->backlog, &r->fresh);
    r->asleep = true;
    r->inside -= r->finished;
    r->finished = 0;
    bool ends = r->ends;
    r->looks |= r->cancels; /* [C] */
    r->cancels = false;
    pthread_mutex_unlock(&r->lock);
    if (r->looks) {
        cancel_backlog(r, finished);
        r->looks = !cancel_under_way(r);
    }
    while (r->under_way - r->polls < MOST_BUSY) {
        struct task *task = task_list_take(&r->backlog);
        if (!task)
            break;
        struct weft_io *io = io_of_task(task);
        bool polls = io->op == WEFT_IO_POLL;
        if (polls && r->polls == MOST_POLLS) {
            r->finished++;
            wf_blocking_submit(r->instead, io);
            continue;
        }
        r->polls += polls;
        work_of(io)->place = r->under_way;
        r->table[r->under_way++] = io;
        prepare(r, io);
    }
    return !ends || r->under_way || r->asked;
}

static void leave_table(struct ring *r, struct weft_io *io)
{
    struct weft_io *last = r->table[--r->under_way];

    r->table[work_of(io)->place] = last;
    work_of(last)->place = work_of(io)->place;
}

static void reap(struct ring *r, struct task_list *finished)
{
    struct io_uring_cqe *cqe;

    while (!io_uring_peek_cqe(&r->uring, &cqe)) {
        void *data = io_uring_cqe_get_data(cqe);
        struct weft_io *io = data;
        int result = cqe->res;
        io_uring_cqe_seen(&r->uring, cqe);
        if (!data) {
            r->armed = false;
        } else if (data == r) {
            r->asked--;
        } else if (wf_iowork_did(io, result)) {
            r->polls -= io->op == WEFT_IO_POLL;
            leave_table(r, io);
            finish(r, io, finished);
        } else {
            prepare(r, io);
        }
    }
}

/* Submits, and sleeps until something has completed. EINTR, and EBUSY where
 * completions wait: what is there is reaped. 0, or why that is over. */
static int sleep_in(struct ring *r)
{
    int rc = io_uring_submit_and_wait(&r->uring, 1);

    pthread_mutex_lock(&r->lock);
    r->asleep = false;
    pthread_mutex_unlock(&r->lock);
    if (rc != -EAGAIN)
        r->refusals = 0;
    else if (r->refusals++ < MOST_REFUSALS)
        rc = 0, poll(NULL, 0, MOMENT_MS);
    return rc < 0 && rc != -EINTR && rc != -EBUSY ? rc : 0;
}

static void tell(struct ring *r, struct task_list *finished)
{
    if (finished->first)
        wf_inject(r->sched, finished);
}

/* Until the end, or until the kernel refuses: then why. */
static int drive(struct ring *r)
{
    struct task_list finished = { 0 };
    int rc = 0;

    while (!rc && take_fresh(r, &finished)) {
        tell(r, &finished);
        arm(r);
        rc = sleep_in(r);
        reap(r, &finished);
        tell(r, &finished);
    }
    /* The armed read is still under way; it writes into r, which outlives the
     * ring: its eventfd gets a last byte, and the completion is reaped. */
    eventfd_write(r->event, 1);
    while (!rc && r->armed) {
        rc = sleep_in(r);
        reap(r, &finished);
    }
    return rc;
}

/* From the table to the backlog: what the kernel has not taken. */
static void take_back(struct ring *r)
{
    struct io_uring_sq *sq = &r->uring.sq;
    unsigned left = io_uring_sq_ready(&r->uring);

    for (unsigned i = sq->sqe_tail - left; i != sq->sqe_tail; i++) {
        struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];
        struct weft_io *io = (void *)(uintptr_t)sqe->user_data;
        if (!io || sqe->opcode == IORING_OP_ASYNC_CANCEL)
            continue;
        leave_table(r, io);
        task_list_add(&r->backlog, &work_of(io)->task);
    }
}

/* There is no ring any more: the blocking threads take over for good. */
static void hand_over(struct ring *r, int failure)
{
    pthread_mutex_lock(&r->lock);
    r->failure = failure;
    struct task_list all = r->backlog;
    task_list_join(&all, &r->fresh);
    pthread_mutex_unlock(&r->lock);
    for (struct task *task; (task = task_list_take(&all));)
        wf_blocking_submit(r->instead, io_of_task(task));
}

/* Whether the step that is under way may be done twice. */
static bool is_repeatable(struct weft_io *io)
{
    enum weft_io_op op = wf_iowork_step(io).op;

    return op == WEFT_IO_READ || op == WEFT_IO_POLL;
}

/* What was under way, now that the kernel is through with it. */
static void end_unknown(struct ring *r)
{
    struct task_list finished = { 0 };

    for (unsigned i = 0; i < r->under_way; i++) {
        struct weft_io *io = r->table[i];
        if (is_repeatable(io)) {
            wf_blocking_submit(r->instead, io);
            continue;
        }
        pthread_mutex_lock(&r->lock);
        r->unknown++; /* before anybody is told */
        pthread_mutex_unlock(&r->lock);
        wf_iowork_did(io, -EIO);
        wf_io_completed(&finished, io);
    }
    tell(r, &finished);
}

/* 0 or a negative errno. */
static int open_ring(struct ring *r)
{
    int ends[2];
    int rc = io_uring_queue_init(ENTRIES, &r->uring, wf_ring_flags());

    if (rc)
        return rc;
    rc = pipe2(ends, O_CLOEXEC) ? -errno : 0;
    if (!rc) {
        r->closed = ends[0];
        rc = io_uring_register_files(&r->uring, &ends[1], 1);
        close(ends[1]);
        if (rc)
            close(r->closed);
    }
    if (rc)
        io_uring_queue_exit(&r->uring);
    else
        io_uring_ring_dontfork(&r->uring);
    return rc;
}

/* The end of the pipe comes when the kernel writes to nothing any more. */
static void await_kernel(struct ring *r)
{
    char none;

    while (read(r->closed, &none, 1) < 0 && errno == EINTR)
        ;
}

static void *driver(void *arg)
{
    struct ring *r = arg;

    pthread_setname_np(pthread_self(), "weft/ring");
    wf_topo_bind_group(r->topo, r->group);
    int rc = open_ring(r);
    if (rc) {
        hand_over(r, rc);
        return NULL;
    }
    rc = drive(r);
    if (rc) {
        take_back(r);
        hand_over(r, rc);
    }
    io_uring_queue_exit(&r->uring);
    if (rc) {
        await_kernel(r);
        end_unknown(r);
    }
    close(r->closed);
    return NULL;
}

struct ring *wf_ring_create(weft_sched *sched, struct topo *topo,
                            unsigned group, struct blocking *instead)
{
    struct ring *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->sched = sched;
    r->topo = topo;
    r->group = group;
    r->instead = instead;
    r->event = -1;
    pthread_mutex_init(&r->lock, NULL);
    return r;
}

/* Under the lock: 0 or a negative errno. */
static int start(struct ring *r)
{
    r->event = eventfd(0, EFD_CLOEXEC);
    if (r->event < 0)
        return -errno;
    int rc = wf_thread_start(&r->thread, driver, r);
    if (rc) {
        close(r->event);
        r->event = -1;
    }
    return rc;
}

/* Under the lock. */
static void wake(struct ring *r)
{
    if (r->asleep)
        eventfd_write(r->event, 1);
    r->asleep = false;
}

void wf_ring_submit(struct ring *r, struct weft_io *io)
{
    pthread_mutex_lock(&r->lock);
    if (!r->failure && r->event < 0)
        r->failure = start(r);
    bool mine = !r->failure;
    if (mine) {
        if (++r->inside > MOST_BUSY)
            wf_iowork_put_off(io);
        task_list_add(&r->fresh, &work_of(io)->task);
        wake(r);
    }
    pthread_mutex_unlock(&r->lock);
    if (!mine)
        wf_blocking_submit(r->instead, io);
}

void wf_ring_cancel(struct ring *r)
{
    pthread_mutex_lock(&r->lock);
    r->cancels = true; /* [C] */
    if (r->event >= 0)
        wake(r);
    pthread_mutex_unlock(&r->lock);
}

int wf_ring_failure(struct ring *r, unsigned *unknown)
{
    pthread_mutex_lock(&r->lock);
    int failure = r->failure;
    *unknown += r->unknown;
    pthread_mutex_unlock(&r->lock);
    return failure;
}

void wf_ring_destroy(struct ring *r)
{
    if (r->event >= 0) {
        pthread_mutex_lock(&r->lock);
        r->ends = true;
        eventfd_write(r->event, 1);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
        close(r->event);
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}
