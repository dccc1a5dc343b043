/* pinned.c: one thread with a queue, for what may be used by one thread only.
 *
 * It runs on the CPUs of the thread that made it, as any thread would. Of a
 * worker it does not inherit them, or it would sit on that worker's core: then
 * they are those of whoever made the scheduler.
 *
 * It holds the scheduler from its creation to its destruction, so what its
 * tasks return finds workers. A scheduler that is destroyed before its threads
 * waits, and if nobody else destroys them, for ever: a mistake that shows on
 * the first try, where memory that is used after it was freed may not. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sched/thread.h"
#include "sched/worker.h"

struct weft_thread {
    weft_sched *sched;
    bool on_worker; /* it was made there */
    char name[16];  /* the kernel takes no more */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more;
    struct task_list queue;
    bool ends;
    struct bound bound; /* under a seed, in the place of these */
};

static void free_thread(weft_thread *t)
{
    pthread_cond_destroy(&t->more);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

/* Under the lock, which it gives up while it waits. NULL: the end. */
static struct task *next_task(weft_thread *t)
{
    while (!t->queue.first && !t->ends)
        pthread_cond_wait(&t->more, &t->lock);
    return task_list_take(&t->queue);
}

static void *serve(void *arg)
{
    weft_thread *t = arg;
    const cpu_set_t *cpus = &t->sched->helpers.cpus;

    pthread_setname_np(pthread_self(), t->name);
    if (t->on_worker)
        sched_setaffinity(0, sizeof *cpus, cpus);
    if (t->sched->seeded) {
        wf_seeded_serve(t->sched->seeded, &t->bound);
        return NULL;
    }
    pthread_mutex_lock(&t->lock);
    for (struct task *task; (task = next_task(t));) {
        pthread_mutex_unlock(&t->lock);
        task = task->run(NULL, task);
        if (task)
            wf_ready(t->sched, NULL, task);
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

int weft_thread_create(weft_thread **out, weft_sched *sched, const char *name,
                       weft_error *why)
{
    weft_thread *t = calloc(1, sizeof *t);

    if (!name)
        name = "weft/thread";
    if (!t)
        return wf_error(why, -ENOMEM, "no memory for thread '%s'", name);
    t->sched = sched;
    t->on_worker = wf_worker_here() != NULL;
    snprintf(t->name, sizeof t->name, "%s", name);
    pthread_mutex_init(&t->lock, NULL); /* neither fails on Linux */
    pthread_cond_init(&t->more, NULL);
    int rc = wf_thread_start(&t->thread, serve, t);
    if (rc) {
        free_thread(t);
        return wf_error(why, rc, "thread '%s' could not be started: %s", name,
                        strerrordesc_np(-rc));
    }
    wf_sched_hold(sched);
    if (sched->seeded)
        wf_seeded_bind(sched->seeded, &t->bound);
    *out = t;
    return 0;
}

void weft_thread_destroy(weft_thread *t)
{
    if (!t)
        return;
    if (pthread_equal(t->thread, pthread_self())) {
        wf_misuse("weft_thread_destroy was called on the thread '%s' itself: "
                  "it would wait for its own end",
                  t->name);
        return;
    }
    if (t->sched->seeded)
        wf_seeded_unbind(t->sched->seeded, &t->bound);
    pthread_mutex_lock(&t->lock);
    t->ends = true;
    pthread_cond_signal(&t->more);
    pthread_mutex_unlock(&t->lock);
    pthread_join(t->thread, NULL);
    wf_sched_release(t->sched);
    free_thread(t);
}

void wf_thread_run(weft_thread *t, struct task *task)
{
    if (t->sched->seeded) {
        wf_seeded_run_bound(t->sched->seeded, &t->bound, task);
        return;
    }
    pthread_mutex_lock(&t->lock);
    task_list_add(&t->queue, task);
    pthread_cond_signal(&t->more);
    pthread_mutex_unlock(&t->lock);
}
