/* blocking.c: threads that do one operation at a time each, with plain calls.
 *
 * They start as they are needed, sleep when there is nothing to do, and end
 * with the scheduler. The worker that starts one is pinned; they are not, or
 * all would crowd on its core. An operation that waits for a descriptor would
 * keep a thread for as long as it likes: those go to the poller. One that is
 * cancelled is taken out of the queue by whoever cancels it, as all threads may
 * be in long system calls; in these it is left alone. If not even
 * one thread can be started, the operation is done where it is submitted: slow,
 * and right. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "sched/ioways.h"
#include "sched/thread.h"

enum { MOST_THREADS = 32 };

struct blocking {
    weft_sched *sched;
    struct poller *poller;
    cpu_set_t cpus;       /* of whoever made the scheduler */
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more;
    struct task_list queue;
    unsigned started, idle;
    bool ends;
    pthread_t threads[MOST_THREADS];
};

static void perform(struct blocking *b, struct weft_io *io)
{
    struct task_list done = { 0 };
    struct iostep step;

    do
        step = wf_iowork_step(io);
    while (!wf_iowork_did(io, wf_step_blocking(&step)));
    wf_io_completed(&done, io);
    wf_inject(b->sched, &done);
}

static void *serve(void *arg)
{
    struct blocking *b = arg;

    pthread_setname_np(pthread_self(), "weft/io");
    sched_setaffinity(0, sizeof b->cpus, &b->cpus);
    pthread_mutex_lock(&b->lock);
    for (;;) {
        struct task *task = task_list_take(&b->queue);
        if (task) {
            pthread_mutex_unlock(&b->lock);
            perform(b, io_of_task(task));
            pthread_mutex_lock(&b->lock);
        } else if (b->ends) {
            break;
        } else {
            b->idle++;
            pthread_cond_wait(&b->more, &b->lock);
            b->idle--;
        }
    }
    pthread_mutex_unlock(&b->lock);
    return NULL;
}

struct blocking *wf_blocking_create(weft_sched *sched)
{
    struct blocking *b = calloc(1, sizeof *b);

    if (!b)
        return NULL;
    b->sched = sched;
    sched_getaffinity(0, sizeof b->cpus, &b->cpus);
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->more, NULL);
    b->poller = wf_poller_create(sched);
    if (!b->poller) {
        wf_blocking_destroy(b);
        return NULL;
    }
    return b;
}

void wf_blocking_destroy(struct blocking *b)
{
    if (!b)
        return;
    pthread_mutex_lock(&b->lock);
    b->ends = true;
    pthread_cond_broadcast(&b->more);
    pthread_mutex_unlock(&b->lock);
    for (unsigned i = 0; i < b->started; i++)
        pthread_join(b->threads[i], NULL);
    wf_poller_destroy(b->poller);
    pthread_cond_destroy(&b->more);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

void wf_blocking_submit(struct blocking *b, struct weft_io *io)
{
    if (io->op == WEFT_IO_POLL) {
        wf_poller_submit(b->poller, io);
        return;
    }
    pthread_mutex_lock(&b->lock);
    if (b->queue.count >= b->idle && b->started < MOST_THREADS)
        b->started += !wf_thread_start(&b->threads[b->started], serve, b);
    bool served = b->started > 0;
    if (served) {
        if (b->queue.count >= MOST_THREADS)
            wf_iowork_put_off(io);
        task_list_add(&b->queue, &work_of(io)->task);
        pthread_cond_signal(&b->more);
    }
    pthread_mutex_unlock(&b->lock);
    if (!served)
        perform(b, io);
}

void wf_blocking_cancel(struct blocking *b, struct weft_io *io)
{
    struct task_list done = { 0 };

    if (io->op == WEFT_IO_POLL) {
        wf_poller_cancel(b->poller);
        return;
    }
    pthread_mutex_lock(&b->lock);
    bool queued = task_list_remove(&b->queue, &work_of(io)->task); /* [C] */
    pthread_mutex_unlock(&b->lock);
    if (!queued)
        return;
    wf_iowork_did(io, -ECANCELED);
    wf_io_completed(&done, io);
    wf_inject(b->sched, &done);
}
