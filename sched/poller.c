/* poller.c: one thread that polls for all, where there is no ring.
 *
 * The thread owns the array that it polls. Others leave their operations in a
 * list, and write to an eventfd, which is the first of the array. A descriptor
 * is there once, whoever waits for it: poll refuses an array that is longer
 * than the limit of open files. The thread starts with the first operation. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "sched/ioways.h"
#include "sched/thread.h"

struct poller {
    weft_sched *sched;
    cpu_set_t cpus; /* of whoever made the scheduler: a worker is pinned */
    int event;      /* -1: not started */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows up to `ends`, and of the start */
    struct task_list fresh;
    bool cancels; /* something that is here may be marked */
    bool ends;
    struct pollfd *polled; /* of the thread; the first is the eventfd */
    struct task_list *waiting;
    size_t count, room;
};

static void complete(struct weft_io *io, int64_t result, struct task_list *done)
{
    wf_iowork_did(io, result);
    wf_io_completed(done, io);
}

static bool make_room(struct poller *p)
{
    if (p->count < p->room)
        return true;
    size_t room = p->room ? p->room * 2 : 16;
    struct pollfd *polled = realloc(p->polled, room * sizeof *polled);
    if (polled)
        p->polled = polled;
    struct task_list *waiting = realloc(p->waiting, room * sizeof *waiting);
    if (waiting)
        p->waiting = waiting;
    if (!polled || !waiting)
        return false;
    p->room = room;
    return true;
}

static void add(struct poller *p, struct weft_io *io, struct task_list *done)
{
    size_t i = 1;

    while (i < p->count && p->polled[i].fd != io->fd)
        i++;
    int failure = wf_iowork_marked(io)             ? -ECANCELED /* [C] */
                  : io->fd < 0                     ? -EBADF
                  : i == p->count && !make_room(p) ? -ENOMEM
                                                   : 0;
    if (failure) {
        complete(io, failure, done);
        return;
    }
    if (i == p->count) {
        p->polled[i] = (struct pollfd){ .fd = io->fd };
        p->waiting[i] = (struct task_list){ 0 };
        p->count++;
    }
    p->polled[i].events |= (short)io->flags;
    task_list_add(&p->waiting[i], &work_of(io)->task);
}

/* Something happened to a descriptor, or polling failed as a whole, or some of
 * those who wait are marked: completes those whom that concerns. */
static void settle(struct poller *p, size_t i, int failure,
                   struct task_list *done)
{
    struct pollfd *polled = &p->polled[i];
    struct task_list waited = p->waiting[i];

    if (polled->revents & POLLNVAL)
        failure = -EBADF;
    polled->events = 0;
    p->waiting[i] = (struct task_list){ 0 };
    for (struct task *task; (task = task_list_take(&waited));) {
        struct weft_io *io = io_of_task(task);
        int result = failure;
        if (!result)
            result = polled->revents & (io->flags | POLLERR | POLLHUP);
        if (!result && wf_iowork_marked(io)) /* [C] */
            result = -ECANCELED;
        if (result) {
            complete(io, result, done);
        } else {
            polled->events |= (short)io->flags;
            task_list_add(&p->waiting[i], task);
        }
    }
    if (p->waiting[i].first)
        return;
    p->count--;
    p->polled[i] = p->polled[p->count];
    p->waiting[i] = p->waiting[p->count];
}

/* What is there is looked at for marks before anything is added: what was seen
 * of a descriptor is no news to who comes now. False: the end. */
static bool take_fresh(struct poller *p, struct task_list *done)
{
    eventfd_t ignored;

    eventfd_read(p->event, &ignored);
    pthread_mutex_lock(&p->lock);
    struct task_list fresh = p->fresh;
    bool ends = p->ends, cancels = p->cancels;
    p->fresh = (struct task_list){ 0 };
    p->cancels = false;
    pthread_mutex_unlock(&p->lock);
    for (size_t i = p->count - 1; cancels && i > 0; i--)
        settle(p, i, 0, done);
    for (struct task *task; (task = task_list_take(&fresh));)
        add(p, io_of_task(task), done);
    return !ends;
}

static void *serve(void *arg)
{
    struct poller *p = arg;

    pthread_setname_np(pthread_self(), "weft/poll");
    sched_setaffinity(0, sizeof p->cpus, &p->cpus);
    for (bool goes_on = true; goes_on;) {
        struct task_list done = { 0 };
        int failure = poll(p->polled, p->count, -1) < 0 ? -errno : 0;
        if (failure == -EINTR)
            continue;
        bool fresh = failure || p->polled[0].revents;
        for (size_t i = p->count - 1; i > 0; i--)
            if (failure || p->polled[i].revents)
                settle(p, i, failure, &done);
        if (done.first)
            wf_inject(p->sched, &done);
        done = (struct task_list){ 0 };
        if (fresh)
            goes_on = take_fresh(p, &done);
        if (done.first)
            wf_inject(p->sched, &done);
    }
    return NULL;
}

struct poller *wf_poller_create(weft_sched *sched)
{
    struct poller *p = calloc(1, sizeof *p);

    if (!p)
        return NULL;
    p->sched = sched;
    p->event = -1;
    sched_getaffinity(0, sizeof p->cpus, &p->cpus);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

/* Under the lock: 0 or a negative errno. */
static int start(struct poller *p)
{
    if (!make_room(p))
        return -ENOMEM;
    p->event = eventfd(0, EFD_CLOEXEC);
    if (p->event < 0)
        return -errno;
    p->polled[0] = (struct pollfd){ .fd = p->event, .events = POLLIN };
    p->count = 1;
    int rc = wf_thread_start(&p->thread, serve, p);
    if (rc) {
        close(p->event);
        p->event = -1;
        p->count = 0;
    }
    return rc;
}

void wf_poller_submit(struct poller *p, struct weft_io *io)
{
    struct task_list done = { 0 };

    pthread_mutex_lock(&p->lock);
    int rc = p->event < 0 ? start(p) : 0;
    if (!rc) {
        task_list_add(&p->fresh, &work_of(io)->task);
        eventfd_write(p->event, 1);
    }
    pthread_mutex_unlock(&p->lock);
    if (!rc)
        return;
    complete(io, rc, &done);
    wf_inject(p->sched, &done);
}

void wf_poller_cancel(struct poller *p)
{
    pthread_mutex_lock(&p->lock);
    if (p->event >= 0) {
        p->cancels = true; /* [C] */
        eventfd_write(p->event, 1);
    }
    pthread_mutex_unlock(&p->lock);
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
    free(p->waiting);
    pthread_mutex_destroy(&p->lock);
    free(p);
}
