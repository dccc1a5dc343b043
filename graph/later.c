/* later.c: futures of pauses and of file operations.
 *
 * A pause is a timer, which has a reference of its own, and holds the scheduler
 * until its task has run or it was cancelled.
 *
 * An operation is a task that starts it, and pends. It is asked to end when it
 * has returned: then the operation has been started, and what it uses stays, as
 * the future is not done before the asking is over ([A] in promise.c): which is
 * what weft_io_cancel asks for. */
#include <errno.h>

#include "graph/future.h"

/* ---- pauses ------------------------------------------------------------ */

struct pause {
    weft_future f;
    struct timer timer;
};

static struct task *due(weft_worker *self, struct task *task)
{
    weft_sched *sched = weft_worker_sched(self);
    struct task *next = NULL;
    struct pause *p = (struct pause *)((char *)task - /* the timer's first */
                                       offsetof(struct pause, timer));

    if (wf_future_claim(&p->f)) {
        p->f.result = 0;
        next = wf_settle_and_go_on(self, &p->f);
    }
    wf_future_drop(&p->f);
    wf_sched_release(sched);
    return next;
}

static void stop_timer(weft_future *f)
{
    struct pause *p = (struct pause *)f; /* its first member */
    weft_sched *sched = f->sched;

    if (!wf_timer_cancel(sched, &p->timer))
        return;
    wf_future_drop(f);
    wf_sched_release(sched);
}

static const struct future_kind pause_kind = { .withdraw = stop_timer };
static struct subject a_pause = { .text = "a pause" };

int weft_at_ns(weft_sched *sched, uint64_t when_ns, weft_future **out,
               weft_error *why)
{
    /* References of its own, of the timer, and the handle. */
    struct pause *p = (struct pause *)wf_future_create(
        sched, &pause_kind, &a_pause, sizeof *p, 3 * REF);

    if (!p)
        return wf_error(why, -ENOMEM, "no memory for a pause");
    p->timer.task.run = due;
    wf_sched_hold(sched);
    int rc = wf_timer_start(sched, &p->timer, when_ns);
    if (rc) {
        wf_sched_release(sched);
        wf_future_free(&p->f);
        return wf_error(why, rc, "no thread for the timers");
    }
    *out = &p->f;
    return 0;
}

int weft_after_ns(weft_sched *sched, uint64_t ns, weft_future **out,
                  weft_error *why)
{
    uint64_t now = weft_sched_now_ns(sched);

    return weft_at_ns(sched, ns < UINT64_MAX - now ? now + ns : UINT64_MAX, out,
                      why);
}

/* ---- operations -------------------------------------------------------- */

struct operation {
    weft_future f;
    struct weft_io *io;
};

static void complete(weft_worker *self, struct weft_io *io, int rc)
{
    weft_future_complete(io->ctx, rc);
}

static int start(weft_worker *self, void *ctx)
{
    struct operation *o = ctx;

    o->io->done = complete;
    o->io->ctx = weft_future_self(self);
    return weft_io_start(self, o->io);
}

static void ask(weft_future *f)
{
    weft_io_cancel(f->sched, ((struct operation *)f)->io);
}

static const struct future_kind operation_kind = { .ask = ask };

static struct subject *subject_of(const struct weft_io *io)
{
    static const char *const nouns[] = { "load", "open",   "read", "write",
                                         "sync", "rename", "poll", "pause" };
    static struct subject an_operation = { .text = "an operation" };

    if ((unsigned)io->op > WEFT_IO_SLEEP)
        return &an_operation;
    bool has_path = io->op == WEFT_IO_LOAD || io->op == WEFT_IO_OPEN ||
                    io->op == WEFT_IO_RENAME;
    return has_path && io->path ? wf_subject(nouns[io->op], io->path)
                                : &an_operation;
}

int weft_future_io(weft_sched *sched, struct weft_io *io, weft_future **out,
                   weft_error *why)
{
    struct operation *o = (struct operation *)wf_future_create(
        sched, &operation_kind, subject_of(io), sizeof *o,
        READY | QUEUED | 2 * REF);

    if (!o)
        return wf_error(why, -ENOMEM, "no memory for an operation");
    o->io = io;
    o->f.fn = start;
    o->f.ctx = o;
    *out = &o->f;
    wf_future_submit(&o->f);
    return 0;
}
