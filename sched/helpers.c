/* helpers.c: threads beside the workers, for calls that sleep.
 *
 *  [U] Under way. A task is under way from wf_offload until its run() returns.
 *      A thread is started only if there are fewer of them than tasks under
 *      way: so there never are more than tasks were at one time. And as long
 *      as threads can be started every task has one, and waits for the end of
 *      no other: tasks may wait for each other. The count goes down before
 *      that is made ready which the task returned: it may offload the next
 *      task, which then finds this thread, that is about to look for it.
 *
 *  [I] Idle. A task is handed to the thread that sat down last. Those that sat
 *      down before are not disturbed, so their time runs out although a few
 *      tasks keep coming. A thread sits down only if the queue is empty, and a
 *      task is queued only if nobody sits: no task is overtaken.
 *
 *  [J] Joining. A thread that ends is joined by the next one that ends, and the
 *      last by wf_helpers_finish. It leaves its handle and gives up the lock
 *      for the last time before anybody waits for it, and those that are
 *      waited for have ended before those that wait: there is no circle. So at
 *      most one ended thread is left unjoined however long the scheduler
 *      lives, and none outlives it.
 *
 * A task holds the scheduler until what it returned has been made ready, so
 * all threads are idle when the scheduler comes to its end. */
#include "sched/helpers.h"

#include "sched/thread.h"

void wf_helpers_init(struct helpers *h, weft_sched *sched, uint64_t idle_ns)
{
    *h = (struct helpers){ .sched = sched, .idle_ns = idle_ns };
    sched_getaffinity(0, sizeof h->cpus, &h->cpus);
    pthread_mutex_init(&h->lock, NULL); /* neither fails on Linux */
    pthread_cond_init(&h->gone, NULL);
    LIST_INIT(&h->idle);
}

/* Under the lock, which it gives up while it waits. NULL: the thread ends. */
static struct task *next_task(struct helpers *h, struct seat *seat)
{
    uint64_t end = wf_now_ns() + h->idle_ns;
    struct timespec limit = { .tv_sec = (time_t)(end / 1000000000),
                              .tv_nsec = (long)(end % 1000000000) };

    seat->task = task_list_take(&h->queue);
    if (seat->task)
        return seat->task;
    LIST_INSERT_HEAD(&h->idle, seat, link); /* [I] */
    for (int late = 0; !seat->task && !h->ends && !late;)
        late = pthread_cond_clockwait(&seat->called, &h->lock, CLOCK_MONOTONIC,
                                      &limit);
    if (!seat->task) /* else it was removed by who called */
        LIST_REMOVE(seat, link);
    return seat->task;
}

/* The last that a thread does; it has the lock. */
static void leave(struct helpers *h)
{
    bool unjoined = h->unjoined;
    pthread_t before = h->ended;

    h->unjoined = true;
    h->ended = pthread_self();
    h->threads--;
    if (!h->threads)
        pthread_cond_signal(&h->gone);
    pthread_mutex_unlock(&h->lock);
    if (unjoined)
        pthread_join(before, NULL); /* [J] */
}

static void *serve(void *arg)
{
    struct helpers *h = arg;
    struct seat seat = { .called = PTHREAD_COND_INITIALIZER };

    pthread_setname_np(pthread_self(), "weft/helper");
    sched_setaffinity(0, sizeof h->cpus, &h->cpus);
    pthread_mutex_lock(&h->lock);
    for (struct task *task; (task = next_task(h, &seat));) {
        pthread_mutex_unlock(&h->lock);
        task = task->run(NULL, task);
        pthread_mutex_lock(&h->lock);
        h->under_way--; /* [U] */
        pthread_mutex_unlock(&h->lock);
        if (task)
            wf_ready(h->sched, NULL, task);
        wf_sched_release(h->sched);
        pthread_mutex_lock(&h->lock);
    }
    leave(h);
    pthread_cond_destroy(&seat.called);
    return NULL;
}

void wf_helpers_finish(struct helpers *h)
{
    struct seat *seat;

    pthread_mutex_lock(&h->lock);
    h->ends = true;
    LIST_FOREACH(seat, &h->idle, link)
    pthread_cond_signal(&seat->called);
    while (h->threads)
        pthread_cond_wait(&h->gone, &h->lock);
    pthread_mutex_unlock(&h->lock);
    if (h->unjoined)
        pthread_join(h->ended, NULL); /* [J] */
    pthread_cond_destroy(&h->gone);
    pthread_mutex_destroy(&h->lock);
}

/* Under the lock: a thread for each task, or else why there is not. Those that
 * could not be started for earlier tasks are made up for. */
static int start_threads(struct helpers *h)
{
    int rc = 0;

    while (!rc && h->threads < h->under_way) { /* [U] */
        pthread_t thread; /* it leaves its own handle when it ends */
        rc = wf_thread_start(&thread, serve, h);
        if (!rc)
            h->threads++;
    }
    return rc;
}

static int run(struct helpers *h, struct task *task, bool may_wait)
{
    wf_sched_hold(h->sched); /* until what it returns has been made ready */
    pthread_mutex_lock(&h->lock);
    h->under_way++;
    int rc = start_threads(h);
    struct seat *seat = LIST_FIRST(&h->idle);
    bool served = seat || !rc || (may_wait && h->threads);
    if (seat) { /* [I] */
        LIST_REMOVE(seat, link);
        seat->task = task;
        pthread_cond_signal(&seat->called);
    } else if (served) {
        task_list_add(&h->queue, task);
    } else {
        h->under_way--;
    }
    pthread_mutex_unlock(&h->lock);
    if (served)
        return 0;
    wf_sched_release(h->sched);
    return rc;
}

int wf_helpers_run(struct helpers *h, struct task *task)
{
    return run(h, task, true);
}

int wf_helpers_run_at_once(struct helpers *h, struct task *task)
{
    return run(h, task, false);
}
