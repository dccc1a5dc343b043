/* io.c: which way an operation is done, and its completion.
 *
 * A worker first tries without waiting (nowait.c). What would wait goes to the
 * driver of the worker's NUMA node (ring.c), or, where io_uring cannot be had,
 * to blocking threads (blocking.c). Either does all the steps that are left,
 * and injects the completion as a ready task; it never needs a worker in
 * between, so it goes on also when all of them are deep in long tasks. A SLEEP
 * is a timer, whose task is the completion. Under a seed the seed chooses when
 * it is done: seededio.c. */
#include "sched/io.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/ioways.h"
#include "sched/sched.h"
#include "sched/seeded.h"

struct io {
    weft_sched *sched;
    bool nowait;        /* try at once first */
    weft_error forced;  /* the way was asked for, by whom */
    weft_error refused; /* why there is no ring */
    unsigned ring_count;
    struct ring **rings; /* one per group; none: blocking threads do it */
    struct blocking *blocking;
};

static struct task *completion(weft_worker *self, struct task *task)
{
    struct weft_io *io = io_of_task(task);
    io->done(self, io, work_of(io)->rc); /* and io may be no more */
    wf_sched_release(weft_worker_sched(self));
    return NULL;
}

void wf_io_completed(struct task_list *list, struct weft_io *io)
{
    struct task *task = &work_of(io)->task;
    task->run = completion;
    task_list_add(list, task);
}

static int start_sleep(weft_sched *sched, struct weft_io *io)
{
    struct timer *timer = &work_of(io)->timer;
    uint64_t now = weft_sched_now_ns(sched);
    uint64_t when = io->ns < UINT64_MAX - now ? now + io->ns : UINT64_MAX;

    timer->task.run = completion;
    wf_sched_hold(sched); /* until `done` has been called */
    int rc = wf_timer_start(sched, timer, when);
    if (!rc)
        return WEFT_PENDING;
    wf_sched_release(sched);
    return rc;
}

int weft_io_start(weft_worker *self, struct weft_io *io)
{
    if (!self || self != wf_worker_here()) {
        wf_misuse("weft_io_start was called outside a worker: call it in a "
                  "callback, with the worker that it was given");
        return -EPERM;
    }
    struct io *owner = wf_io_of(weft_worker_sched(self));
    if ((unsigned)io->op > WEFT_IO_SLEEP)
        return -EINVAL;
    wf_iowork_begin(io);
    if (io->op == WEFT_IO_SLEEP)
        return start_sleep(owner->sched, io);
    if (wf_seeded_of(owner->sched))
        return wf_seeded_io_start(wf_seeded_of(owner->sched), io);
    while (owner->nowait) {
        struct iostep step = wf_iowork_step(io);
        int64_t result = wf_step_nowait(&step);
        if (result == -EAGAIN)
            break;
        if (wf_iowork_did(io, result))
            return work_of(io)->rc;
    }
    wf_sched_hold(owner->sched); /* until `done` has been called */
    work_of(io)->group = wf_group_of(self);
    if (owner->ring_count)
        wf_ring_submit(owner->rings[work_of(io)->group], io);
    else
        wf_blocking_submit(owner->blocking, io);
    return WEFT_PENDING;
}

void weft_io_cancel(weft_sched *sched, struct weft_io *io)
{
    struct io *owner = wf_io_of(sched);
    struct iowork *w = work_of(io);

    if (io->op == WEFT_IO_SLEEP) {
        if (wf_timer_cancel(sched, &w->timer)) {
            w->rc = -ECANCELED;
            wf_ready(sched, NULL, &w->task);
        }
        return;
    }
    store_relaxed(&w->mark, true); /* [C] in iowork.h */
    if (wf_seeded_of(sched))       /* it looks for marks where it chooses */
        return;
    if (owner->ring_count)
        wf_ring_cancel(owner->rings[w->group]);
    wf_blocking_cancel(owner->blocking, io);
}

/* The way that was asked for: by the configuration, else by the environment. */
static int choose(struct io *io, enum weft_io_way *way, weft_error *why)
{
    static const char *const names[] = { "auto", "ring", "threads" };
    const char *name = getenv("WEFT_IO");

    if ((unsigned)*way > WEFT_IO_THREADS)
        return wf_error(why, -EINVAL, "io is %d: it is no enum weft_io_way",
                        *way);
    if (*way != WEFT_IO_AUTO) {
        wf_error(&io->forced, 0, "asked for by the program");
        return 0;
    }
    if (!name || !*name)
        return 0;
    for (unsigned i = 0; i < 3; i++)
        if (!strcmp(name, names[i])) {
            *way = (enum weft_io_way)i;
            if (i)
                wf_error(&io->forced, 0, "WEFT_IO=%s", name);
            return 0;
        }
    return wf_error(why, -EINVAL,
                    "WEFT_IO is '%s': it may be auto, ring or threads", name);
}

static int make_rings(struct io *io, struct topo *topo)
{
    unsigned groups = wf_topo_groups(topo);

    io->rings = calloc(groups, sizeof *io->rings);
    if (!io->rings)
        return -ENOMEM;
    for (; io->ring_count < groups; io->ring_count++) {
        struct ring *ring =
            wf_ring_create(io->sched, topo, io->ring_count, io->blocking);
        if (!ring)
            return -ENOMEM;
        io->rings[io->ring_count] = ring;
    }
    return 0;
}

int wf_io_create(struct io **out, weft_sched *sched, struct topo *topo,
                 enum weft_io_way way, weft_error *why)
{
    struct io *io = calloc(1, sizeof *io);

    if (!io)
        return wf_error(why, -ENOMEM, "no memory for I/O");
    io->sched = sched;
    int rc = choose(io, &way, why);
    if (rc) {
        wf_io_destroy(io);
        return rc;
    }
    io->nowait = way == WEFT_IO_AUTO;
    io->blocking = wf_blocking_create(sched);
    rc = io->blocking ? 0 : -ENOMEM;
    if (!rc && way != WEFT_IO_THREADS && !wf_seeded_of(sched) &&
        !wf_ring_probe(&io->refused))
        rc = make_rings(io, topo);
    if (rc) {
        wf_io_destroy(io);
        return wf_error(why, rc, "no memory for I/O");
    }
    *out = io;
    return 0;
}

void wf_io_destroy(struct io *io)
{
    if (!io)
        return;
    for (unsigned i = 0; i < io->ring_count; i++)
        wf_ring_destroy(io->rings[i]);
    free(io->rings);
    wf_blocking_destroy(io->blocking);
    free(io);
}

static void explain_loss(int failure, unsigned unknown, weft_say_fn *say,
                         void *ctx)
{
    char text[256];
    int n = snprintf(text, sizeof text, "given up: io_uring failed: %s",
                     strerrordesc_np(-failure));

    if (unknown)
        snprintf(text + n, sizeof text - (size_t)n,
                 "; %u operation%s under way ended with EIO: whether done or "
                 "not is not known",
                 unknown, unknown == 1 ? "" : "s");
    say(ctx, "ring", text);
}

void wf_io_explain(const struct io *io, weft_say_fn *say, void *ctx)
{
    char text[800];
    const char *first = io->nowait ? "at once on the worker if it need not "
                                     "wait, else "
                                   : "";
    unsigned unknown = 0;
    int failed = 0;

    for (unsigned i = 0; i < io->ring_count; i++) {
        int failure = wf_ring_failure(io->rings[i], &unknown);
        failed = failed ? failed : failure;
    }
    if (wf_seeded_of(io->sched))
        snprintf(text, sizeof text, "when the seed says so, with plain calls");
    else if (io->ring_count && !failed)
        snprintf(text, sizeof text, "%sio_uring, one driver per NUMA node (%s)",
                 first, wf_ring_flavour());
    else if (failed)
        snprintf(text, sizeof text, "%sblocking threads: io_uring failed: %s",
                 first, strerrordesc_np(-failed));
    else if (io->refused.text[0])
        snprintf(text, sizeof text, "%sblocking threads: %s", first,
                 io->refused.text);
    else
        snprintf(text, sizeof text, "%sblocking threads", first);
    if (io->forced.text[0]) {
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "; %s", io->forced.text);
    }
    say(ctx, "I/O", text);
    if (failed)
        explain_loss(failed, unknown, say, ctx);
}
