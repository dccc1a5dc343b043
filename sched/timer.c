/* timer.c: tasks that become ready at a time.
 *
 * One thread sleeps until the earliest of them, takes all that are due, and
 * injects them with one wake-up. (Of many thousands it takes a part at a time:
 * who starts a timer should not wait for all of them.) A timer that starts
 * wakes it only if it is earlier than what the thread sleeps for. One that is
 * cancelled never does: at worst the thread wakes once for nothing, at a time
 * that somebody asked for.
 *
 * The timers are a pairing heap, whose nodes they are themselves: nothing is
 * allocated. A timer is before all its children, which are a row that begins at
 * `child`; `prev` is the one before it in its row, or the parent of the first.
 * Starting is one comparison. What leaves has its children melded in pairs, and
 * the pairs from the last to the first: O(log n), spread over all calls. Both
 * passes are loops, for the heap may be a row of 1e5.
 *
 * A timer is armed while it is in the heap. Whoever takes it out, under the
 * lock, is the only one who has it then: the thread or wf_timer_hurry makes its
 * task ready, or wf_timer_cancel gives it back. So exactly one of "cancelled"
 * and "ran" is true, and nobody touches it after it was injected. */
#include "sched/timer.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "sched/thread.h"

enum { MOST_AT_ONCE = 1000 };

_Static_assert(sizeof(struct timer) <= 8 * sizeof(void *),
               "a timer is in every operation");

struct timers {
    weft_sched *sched;
    cpu_set_t cpus; /* of whoever made the scheduler: a worker is pinned */
    pthread_mutex_t lock; /* of what follows, and of each timer in the heap */
    pthread_cond_t changed;
    struct timer *heap; /* its first: the earliest */
    uint64_t until;     /* the thread sleeps until then; 0: it is awake */
    bool started, ends;
    pthread_t thread;
};

/* Two heaps as one; either may be NULL. */
static struct timer *meld(struct timer *a, struct timer *b)
{
    if (!a || !b)
        return a ? a : b;
    if (b->when < a->when) {
        struct timer *later = a;
        a = b;
        b = later;
    }
    b->prev = a;
    b->next = a->child;
    if (b->next)
        b->next->prev = b;
    a->child = b;
    return a;
}

static struct timer *meld_row(struct timer *row)
{
    struct timer *pairs = NULL, *all = NULL;

    while (row) {
        struct timer *one = row, *other = row->next;
        row = other ? other->next : NULL;
        one = meld(one, other);
        one->next = pairs;
        pairs = one;
    }
    while (pairs) {
        struct timer *pair = pairs;
        pairs = pair->next;
        all = meld(pair, all);
    }
    return all;
}

static void take_out(struct timers *t, struct timer *timer)
{
    struct timer *below = meld_row(timer->child);

    timer->armed = false;
    if (timer == t->heap) {
        t->heap = below;
        return;
    }
    if (timer->prev->child == timer)
        timer->prev->child = timer->next;
    else
        timer->prev->next = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    t->heap = meld(t->heap, below);
}

static struct task_list take_due(struct timers *t, uint64_t now)
{
    struct task_list due = { 0 };

    while (due.count < MOST_AT_ONCE && t->heap && t->heap->when <= now) {
        struct timer *first = t->heap;
        take_out(t, first);
        task_list_add(&due, &first->task);
    }
    return due;
}

/* Until the earliest, or something earlier. */
static void sleep_in(struct timers *t)
{
    t->until = t->heap ? t->heap->when : UINT64_MAX;
    struct timespec until = { .tv_sec = (time_t)(t->until / 1000000000),
                              .tv_nsec = (long)(t->until % 1000000000) };
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
    t->until = 0;
}

static void *serve(void *arg)
{
    struct timers *t = arg;

    pthread_setname_np(pthread_self(), "weft/timer");
    sched_setaffinity(0, sizeof t->cpus, &t->cpus);
    pthread_mutex_lock(&t->lock);
    while (!t->ends) {
        struct task_list due = take_due(t, wf_now_ns());
        if (!due.first) {
            sleep_in(t);
            continue;
        }
        pthread_mutex_unlock(&t->lock);
        wf_inject(t->sched, &due);
        pthread_mutex_lock(&t->lock);
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}

struct timers *wf_timers_create(weft_sched *sched)
{
    struct timers *t = calloc(1, sizeof *t);
    pthread_condattr_t attr;

    if (!t)
        return NULL;
    t->sched = sched;
    sched_getaffinity(0, sizeof t->cpus, &t->cpus);
    pthread_mutex_init(&t->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&t->changed, &attr);
    pthread_condattr_destroy(&attr);
    return t;
}

void wf_timers_destroy(struct timers *t)
{
    if (!t)
        return;
    if (t->started) {
        pthread_mutex_lock(&t->lock);
        t->ends = true;
        pthread_cond_signal(&t->changed);
        pthread_mutex_unlock(&t->lock);
        pthread_join(t->thread, NULL);
    }
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

int wf_timer_start(weft_sched *sched, struct timer *timer, uint64_t when)
{
    struct timers *t = wf_timers_of(sched);
    int rc = 0;

    if (when <= wf_now_ns()) {
        wf_ready(sched, NULL, &timer->task);
        return 0;
    }
    pthread_mutex_lock(&t->lock);
    if (!t->started)
        rc = wf_thread_start(&t->thread, serve, t);
    if (!rc) {
        t->started = true;
        timer->armed = true;
        timer->when = when;
        timer->child = NULL;
        t->heap = meld(t->heap, timer);
        if (when < t->until) {
            t->until = 0; /* others need not wake it as well */
            pthread_cond_signal(&t->changed);
        }
    }
    pthread_mutex_unlock(&t->lock);
    return rc;
}

bool wf_timer_cancel(weft_sched *sched, struct timer *timer)
{
    struct timers *t = wf_timers_of(sched);

    pthread_mutex_lock(&t->lock);
    bool armed = timer->armed;
    if (armed)
        take_out(t, timer);
    pthread_mutex_unlock(&t->lock);
    return armed;
}

bool wf_timer_hurry(weft_sched *sched, struct timer *timer)
{
    if (!wf_timer_cancel(sched, timer))
        return false;
    wf_ready(sched, NULL, &timer->task);
    return true;
}
