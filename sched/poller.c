/* poller.c: one thread that polls for all, where there is no ring.
 *
 * The thread owns the array that it polls. Others leave their operations in a
 * list, and write to an eventfd, which is the first of the array. The thread
 * starts with the first operation. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sched/ioways.h"

struct poller {
    weft_sched *sched;
    int event; /* -1: not started */
    pthread_t thread;
    pthread_mutex_t lock; /* of `fresh`, `ends` and the start */
    struct task_list fresh;
    bool ends;
    struct pollfd *polled; /* of the thread; the first is the eventfd */
    struct weft_io **ios;
    size_t count, room;
};

static void complete(struct poller *p, struct weft_io *io, int64_t result)
{
    struct task_list done = { 0 };

    wf_iowork_did(io, result);
    wf_io_completed(&done, io);
    wf_inject(p->sched, &done);
}

static bool make_room(struct poller *p)
{
    if (p->count < p->room)
        return true;
    size_t room = p->room ? p->room * 2 : 16;
    struct pollfd *polled = realloc(p->polled, room * sizeof *polled);
    if (polled)
        p->polled = polled;
    struct weft_io **ios = realloc(p->ios, room * sizeof *ios);
    if (ios)
        p->ios = ios;
    if (!polled || !ios)
        return false;
    p->room = room;
    return true;
}

static void add(struct poller *p, struct weft_io *io)
{
    if (!make_room(p)) {
        complete(p, io, -ENOMEM);
        return;
    }
    p->polled[p->count] =
        (struct pollfd){ .fd = io->fd, .events = (short)io->flags };
    p->ios[p->count++] = io;
}

/* False: the end. */
static bool take_fresh(struct poller *p)
{
    eventfd_t ignored;

    eventfd_read(p->event, &ignored);
    pthread_mutex_lock(&p->lock);
    struct task_list fresh = p->fresh;
    bool ends = p->ends;
    p->fresh = (struct task_list){ 0 };
    pthread_mutex_unlock(&p->lock);
    for (struct task *task; (task = task_list_take(&fresh));)
        add(p, io_of_task(task));
    return !ends;
}

static void *serve(void *arg)
{
    struct poller *p = arg;

    pthread_setname_np(pthread_self(), "weft/poll");
    for (;;) {
        if (poll(p->polled, p->count, -1) < 0)
            continue; /* EINTR */
        for (size_t i = 1; i < p->count; i++) {
            if (!p->polled[i].revents)
                continue;
            complete(p, p->ios[i], p->polled[i].revents);
            p->count--;
            p->polled[i] = p->polled[p->count];
            p->ios[i] = p->ios[p->count];
            i--;
        }
        if (p->polled[0].revents && !take_fresh(p))
            return NULL;
    }
}

struct poller *wf_poller_create(weft_sched *sched)
{
    struct poller *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->sched = sched;
    p->event = -1;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

/* Under the lock: 0 or a negative errno. */
static int start(struct poller *p)
{
    sigset_t all, old;

    if (!make_room(p))
        return -ENOMEM;
    p->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->event < 0)
        return -errno;
    p->polled[0] = (struct pollfd){ .fd = p->event, .events = POLLIN };
    p->count = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int rc = -pthread_create(&p->thread, NULL, serve, p);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (rc) {
        close(p->event);
        p->event = -1;
        p->count = 0;
    }
    return rc;
}

void wf_poller_submit(struct poller *p, struct weft_io *io)
{
    pthread_mutex_lock(&p->lock);
    int rc = p->event < 0 ? start(p) : 0;
    if (!rc) {
        task_list_add(&p->fresh, &work_of(io)->task);
        eventfd_write(p->event, 1);
    }
    pthread_mutex_unlock(&p->lock);
    if (rc)
        complete(p, io, rc);
}

void wf_poller_destroy(struct poller *p)
{
    if (!p)
        return;
    if (p->event >= 0) {
        pthread_mutex_lock(&p->lock);
        p->ends = true;
        eventfd_write(p->event, 1);
        pthread_mutex_unlock(&p->lock);
        pthread_join(p->thread, NULL);
        close(p->event);
    }
    free(p->polled);
    free(p->ios);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
