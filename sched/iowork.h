/* iowork.h: an operation as a series of steps, each one system call. Inside
 * sched/ only.
 *
 * Whoever executes a step (the worker without waiting, the ring's driver, a
 * blocking thread) asks what it is, does it, and tells the result. So an
 * operation can change hands between any two steps, and none of them needs a
 * worker.
 *
 * [C] Cancelling marks the operation, and then asks wherever it may be that
 *     marks are looked for: the ring, then the blocking threads or the poller,
 *     the order in which it may change hands. It asks under the lock under
 *     which operations come in. One that is there already is looked at, or
 *     taken out, after that. One that comes later does so after the mark, and
 *     is looked at as it comes, or after its next step. No request names an
 *     operation: it may complete, and be gone, before somebody looks. */
#ifndef WEFT_SCHED_IOWORK_H
#define WEFT_SCHED_IOWORK_H
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/sched.h"
#include "sched/task.h"
#include "weft/io.h"

/* What weft keeps in struct weft_io while the operation is under way. */
struct iowork {
    union {
        struct timer timer; /* SLEEP: its task is this very one */
        struct task task;   /* of a queue, then of the completion */
    };
    int file; /* LOAD: open, or -1 */
    int rc;
    uint64_t moved;    /* bytes so far */
    uint64_t expected; /* LOAD: the size that the file said it has */
    bool opened;       /* LOAD: its first step is done */
    bool waits;        /* LOAD: the file is no longer O_NONBLOCK */
    bool buffered;     /* LOAD: though it was to be direct */
    bool told;         /* ring: the kernel has been told of the mark */
    _Atomic bool mark; /* it is to be cancelled: [C] */
    unsigned group;    /* of the worker that started it: whose ring */
    unsigned place;    /* ring: where in the table of what is under way */
};
_Static_assert(offsetof(struct timer, task) == 0, "one task for both");
_Static_assert(sizeof(struct iowork) <= sizeof((struct weft_io *)0)->weft,
               "weft_io is too small");

/* A step. `op` is never LOAD or SLEEP. */
struct iostep {
    enum weft_io_op op;
    int fd;
    const char *path, *path2;
    int flags;
    unsigned mode;
    bool buffered; /* READ, WRITE: the file surely is; else who knows */
    void *data;
    size_t bytes;
    uint64_t offset;
};

static inline struct iowork *work_of(struct weft_io *io)
{
    return (struct iowork *)(void *)io->weft;
}

static inline struct weft_io *io_of_task(struct task *task)
{
    return (struct weft_io *)((char *)task - offsetof(struct weft_io, weft) -
                              offsetof(struct iowork, task));
}

static inline bool wf_iowork_marked(struct weft_io *io)
{
    return load_relaxed(&work_of(io)->mark); /* [C]: the locks order it */
}

/* Before the first step. */
void wf_iowork_begin(struct weft_io *io);

/* The step that comes next. */
struct iostep wf_iowork_step(struct weft_io *io);

/* It has been done, with this result, as the kernel gives it: a count, a
 * descriptor, or a negative errno. True: the operation is finished, its rc is
 * in work_of(io)->rc. One that is marked has no next step. */
bool wf_iowork_did(struct weft_io *io, int64_t result);

/* Another time: what waits in a long queue holds no descriptor, if that can be
 * had again. */
void wf_iowork_put_off(struct weft_io *io);

/* Does a step with plain system calls: the result, or a negative errno. */
int64_t wf_step_blocking(const struct iostep *step);

/* Does a step if that needs no waiting; -EAGAIN: it would. */
int64_t wf_step_nowait(const struct iostep *step);
#endif
