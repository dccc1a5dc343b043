/* helpers.h: threads beside the workers, as many as tasks need one at a time.
 * Inside sched/ only. */
#ifndef WEFT_SCHED_HELPERS_H
#define WEFT_SCHED_HELPERS_H
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "sched/sched.h"
#include "sched/task.h"

/* Where one helper waits; on its stack. */
struct seat {
    pthread_cond_t called;
    struct task *task; /* that it was called for */
    LIST_ENTRY(seat) link;
};

struct helpers {
    weft_sched *sched;
    cpu_set_t cpus;   /* of whoever made the scheduler: a worker is pinned */
    uint64_t idle_ns; /* an idle thread ends after that time */
    pthread_mutex_t lock; /* of what follows */
    struct task_list queue;
    LIST_HEAD(, seat) idle;      /* the last to sit down is the first */
    unsigned threads, under_way; /* [U] in helpers.c */
    bool ends;
    pthread_cond_t gone; /* the last thread is */
    bool unjoined;       /* `ended` is a thread that did, and is not joined */
    pthread_t ended;
};

/* Cannot fail: threads start when they are first needed. */
void wf_helpers_init(struct helpers *h, weft_sched *sched, uint64_t idle_ns);
void wf_helpers_finish(struct helpers *h); /* nobody offloads any more */

/* [any] As wf_offload. */
int wf_helpers_run(struct helpers *h, struct task *task);

/* [any] The same, but it does not wait for a thread that is busy: those may all
 * wait for what this task is to do. */
int wf_helpers_run_at_once(struct helpers *h, struct task *task);
#endif
