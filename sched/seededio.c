/* seededio.c: operations under a seed.
 *
 * An operation is really done, with plain system calls, by the thread whose
 * turn it is, and as a whole. When, and so which completion comes before which,
 * is the seed's choice, and whether it is done at once, as what is cached is.
 * Of one that was cancelled the seed chooses whether that was in time.
 *
 * What waits for a descriptor cannot be chosen before the descriptor is ready,
 * which is for others to decide, and what a seed does not repeat if they do
 * not. It is looked at now and then, and when nothing else is to be done. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "sched/ioways.h"
#include "sched/play.h"

enum { MOST_POLLED = 64 }; /* in one call */

struct seededio {
    pthread_mutex_t lock;   /* of what follows */
    struct task_list ready; /* what can be done */
    struct task_list polls; /* what waits for a descriptor */
};

int wf_seededio_create(struct seededio **out)
{
    *out = calloc(1, sizeof **out);
    if (!*out)
        return -ENOMEM;
    pthread_mutex_init(&(*out)->lock, NULL); /* cannot fail on Linux */
    return 0;
}

void wf_seededio_destroy(struct seededio *io)
{
    if (!io)
        return;
    pthread_mutex_destroy(&io->lock);
    free(io);
}

static int64_t do_step(const struct iostep *step)
{
    if (step->op != WEFT_IO_POLL)
        return wf_step_blocking(step);
    return step->fd < 0 ? -EBADF : wf_step_nowait(step);
}

/* False: what it waits for is not there. */
static bool perform(struct weft_io *io)
{
    int64_t result;

    do {
        struct iostep step = wf_iowork_step(io);
        result = do_step(&step);
        if (io->op == WEFT_IO_POLL && result == -EAGAIN)
            return false;
    } while (!wf_iowork_did(io, result));
    return true;
}

/* What a worker could find cached, or ready. */
static bool may_be_at_hand(const struct weft_io *io)
{
    switch (io->op) {
    case WEFT_IO_LOAD:
        return !(io->flags & O_DIRECT);
    case WEFT_IO_READ:
    case WEFT_IO_WRITE:
        return !(fcntl(io->fd, F_GETFL) & O_DIRECT); /* -1: it tells */
    case WEFT_IO_OPEN:
    case WEFT_IO_POLL:
        return true;
    default:
        return false;
    }
}

int wf_seeded_io_start(struct seeded *s, struct weft_io *io)
{
    struct seededio *all = s->io;

    if (may_be_at_hand(io) && wf_seeded_random(s) % 2 && perform(io))
        return work_of(io)->rc;
    wf_sched_hold(s->sched); /* until `done` has been called */
    pthread_mutex_lock(&all->lock);
    task_list_add(io->op == WEFT_IO_POLL ? &all->polls : &all->ready,
                  &work_of(io)->task);
    pthread_mutex_unlock(&all->lock);
    return WEFT_PENDING;
}

/* Some of the list, from this one on, for poll: how many. */
static nfds_t to_poll(struct task *from, struct pollfd *polled)
{
    nfds_t count = 0;

    for (; from && count < MOST_POLLED; from = from->next) {
        struct weft_io *io = io_of_task(from);
        polled[count++] =
            (struct pollfd){ .fd = io->fd, .events = (short)io->flags };
    }
    return count;
}

/* Under the lock. Poll may fail as a whole: then each is asked by itself. */
static void look(struct seededio *all)
{
    struct pollfd polled[MOST_POLLED];
    struct task_list waiting = all->polls;

    all->polls = (struct task_list){ 0 };
    while (waiting.first) {
        nfds_t count = to_poll(waiting.first, polled);
        bool failed = poll(polled, count, 0) < 0;
        for (nfds_t i = 0; i < count; i++) {
            struct task *task = task_list_take(&waiting);
            struct weft_io *io = io_of_task(task);
            bool is = failed || polled[i].revents || io->fd < 0 ||
                      wf_iowork_marked(io);
            task_list_add(is ? &all->ready : &all->polls, task);
        }
    }
}

unsigned wf_seededio_count(struct seededio *io, bool looks)
{
    pthread_mutex_lock(&io->lock);
    if (looks && io->polls.first)
        look(io);
    unsigned count = (unsigned)io->ready.count;
    pthread_mutex_unlock(&io->lock);
    return count;
}

bool wf_seededio_polls(struct seededio *io)
{
    pthread_mutex_lock(&io->lock);
    bool polls = io->polls.first;
    pthread_mutex_unlock(&io->lock);
    return polls;
}

/* Some of those behind this one: the first that is not looked at, or NULL. */
static struct task *look_at(struct task *task, bool *news)
{
    struct pollfd polled[MOST_POLLED];
    nfds_t count = to_poll(task, polled);

    *news = poll(polled, count, 0) != 0;
    for (nfds_t i = 0; i < count; i++, task = task->next)
        *news |= wf_iowork_marked(io_of_task(task));
    return task;
}

bool wf_seededio_has_news(struct seededio *io)
{
    bool news = false;

    pthread_mutex_lock(&io->lock);
    for (struct task *task = io->polls.first; task && !news;)
        task = look_at(task, &news);
    pthread_mutex_unlock(&io->lock);
    return news;
}

/* NULL: there is none. */
static struct weft_io *take_any(struct seeded *s, struct seededio *all)
{
    struct task *task = NULL;

    pthread_mutex_lock(&all->lock);
    if (all->ready.first)
        task = task_list_take_nth(&all->ready,
                                  wf_seeded_random(s) % all->ready.count);
    pthread_mutex_unlock(&all->lock);
    return task ? io_of_task(task) : NULL;
}

static void put_back(struct seededio *all, struct weft_io *io)
{
    pthread_mutex_lock(&all->lock);
    task_list_add(&all->polls, &work_of(io)->task);
    pthread_mutex_unlock(&all->lock);
}

bool wf_seededio_perform(struct seeded *s)
{
    struct seededio *all = s->io;
    struct weft_io *io = take_any(s, all);
    struct task_list done = { 0 };

    if (!io)
        return false;
    bool in_time = wf_iowork_marked(io) && wf_seeded_random(s) % 2;

    if (in_time || !perform(io)) {
        if (!wf_iowork_marked(io)) {
            put_back(all, io);
            return false;
        }
        wf_iowork_did(io, -ECANCELED);
    }
    wf_io_completed(&done, io);
    wf_inject(s->sched, &done);
    return true;
}

void wf_seededio_idle(struct seededio *all, uint64_t ns)
{
    struct pollfd polled[MOST_POLLED];
    struct timespec pause = { .tv_sec = (time_t)(ns / 1000000000),
                              .tv_nsec = (long)(ns % 1000000000) };

    pthread_mutex_lock(&all->lock);
    nfds_t count = to_poll(all->polls.first, polled);
    pthread_mutex_unlock(&all->lock);
    ppoll(polled, count, &pause, NULL);
}
