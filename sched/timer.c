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
 * A timeout must not pass while nothing ran: a process that was stopped, or its
 * machine suspended, would find everything late, and no clock tells that. So
 * while a timeout is armed the thread wakes every BEAT; where it comes back
 * later than LATE after that, the process did not run. All of it since the
 * thread slept is time that was not `lived`, and timeouts are in a heap of
 * their own, by the lived clock: the monotonic one less what was lost. They
 * come a BEAT too late at worst, never for time that was not lived, except that
 * less than LATE is not noticed. They are started with a duration, and not with
 * a time: what was lost between a look at the clock and the start would count.
 * Whoever asks what is past may be the first to run again, so that one looks as
 * well, under the lock. If the thread was late twice in a row, perhaps because
 * there are too many others, a BEAT counts as lived: each timeout comes at some
 * time.
 *
 * Under a seed there is no thread: seeded.c takes what is due, and all time is
 * lived.
 *
 * A timer is armed while it is in its heap. Whoever takes it out, under the
 * lock, is the only one who has it then: the thread or wf_timer_hurry makes its
 * task ready, or wf_timer_cancel gives it back. So exactly one of "cancelled"
 * and "ran" is true, and nobody touches it after it was injected. */
#include "sched/timer.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "sched/atomic.h"
#include "sched/thread.h"

enum { MOST_AT_ONCE = 1000 };

static const uint64_t BEAT = 100000000, LATE = 100000000; /* ns */

_Static_assert(sizeof(struct timer) <= 8 * sizeof(void *),
               "a timer is in every operation");

struct timers {
    weft_sched *sched;
    cpu_set_t cpus; /* of whoever made the scheduler: a worker is pinned */
    pthread_mutex_t lock; /* of what follows, and of each timer in the heap */
    pthread_cond_t changed;
    struct timer *heaps[2]; /* by [timeout]; their first: the earliest */
    uint64_t until;         /* the thread sleeps until then; 0: it is awake */
    uint64_t slept;        /* when it began to, with a timeout armed; 0: none */
    _Atomic uint64_t lost; /* ns that were not lived */
    bool was_late;
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
    struct timer **heap = &t->heaps[timer->timeout];

    timer->armed = false;
    if (timer == *heap) {
        *heap = below;
        return;
    }
    if (timer->prev->child == timer)
        timer->prev->child = timer->next;
    else
        timer->prev->next = timer->next;
    if (timer->next)
        timer->next->prev = timer->prev;
    *heap = meld(*heap, below);
}

/* What the lived clock shows now. */
static uint64_t lived(struct timers *t, uint64_t now)
{
    uint64_t lost = load_relaxed(&t->lost);

    if (!t->slept || now < t->slept + BEAT + LATE)
        return now - lost;
    lost += now - t->slept - (t->was_late ? BEAT : 0);
    store_relaxed(&t->lost, lost);
    t->was_late = true;
    t->slept = now;
    return now - lost;
}

static struct task_list take_due(struct timers *t, uint64_t now)
{
    struct task_list due = { 0 };
    uint64_t is[2] = { now, lived(t, now) };

    for (int i = 0; i < 2; i++)
        while (due.count < MOST_AT_ONCE && t->heaps[i] &&
               t->heaps[i]->when <= is[i]) {
            struct timer *first = t->heaps[i];
            take_out(t, first);
            task_list_add(&due, &first->task);
        }
    return due;
}

/* When the thread has to look again. */
static uint64_t next_look(const struct timers *t)
{
    uint64_t when = t->heaps[0] ? t->heaps[0]->when : UINT64_MAX;

    if (t->heaps[1]) {
        uint64_t timeout = t->heaps[1]->when + load_relaxed(&t->lost);
        if (timeout > t->slept + BEAT)
            timeout = t->slept + BEAT;
        if (timeout < when)
            when = timeout;
    }
    return when;
}

/* Until the earliest, or something earlier. */
static void sleep_in(struct timers *t)
{
    t->slept = t->heaps[1] ? wf_now_ns() : 0;
    t->until = next_look(t);
    struct timespec until = { .tv_sec = (time_t)(t->until / 1000000000),
                              .tv_nsec = (long)(t->until % 1000000000) };
    uint64_t wakes = t->until;
    pthread_cond_timedwait(&t->changed, &t->lock, &until);
    t->until = 0;
    if (!t->slept)
        return;
    uint64_t now = wf_now_ns();
    lived(t, now);
    t->slept = now; /* and it runs */
    if (now < wakes || now - wakes < LATE)
        t->was_late = false;
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

/* Under the lock: 0, or a negative errno: there is no thread. */
static int start_thread(struct timers *t)
{
    int rc = 0;

    if (!t->started && !wf_seeded_of(t->sched)) {
        rc = wf_thread_start(&t->thread, serve, t);
        t->started = !rc;
    }
    return rc;
}

/* Under the lock. The thread wakes if it would look too late. */
static void put_in(struct timers *t, struct timer *timer, uint64_t when)
{
    timer->when = when;
    timer->armed = true;
    timer->child = NULL;
    t->heaps[timer->timeout] = meld(t->heaps[timer->timeout], timer);
    if (next_look(t) < t->until) {
        t->until = 0; /* others need not wake it as well */
        pthread_cond_signal(&t->changed);
    }
}

uint64_t wf_timers_earliest(struct timers *t)
{
    pthread_mutex_lock(&t->lock);
    uint64_t when = UINT64_MAX;
    for (int i = 0; i < 2; i++)
        if (t->heaps[i] && t->heaps[i]->when < when)
            when = t->heaps[i]->when;
    pthread_mutex_unlock(&t->lock);
    return when;
}

struct task_list wf_timers_take_due(struct timers *t, uint64_t now)
{
    pthread_mutex_lock(&t->lock);
    struct task_list due = take_due(t, now);
    pthread_mutex_unlock(&t->lock);
    return due;
}

int wf_timer_start(weft_sched *sched, struct timer *timer, uint64_t when)
{
    struct timers *t = wf_timers_of(sched);

    timer->timeout = false;
    if (when <= weft_sched_now_ns(sched)) {
        wf_ready(sched, NULL, &timer->task);
        return 0;
    }
    pthread_mutex_lock(&t->lock);
    int rc = start_thread(t);
    if (!rc)
        put_in(t, timer, when);
    pthread_mutex_unlock(&t->lock);
    return rc;
}

/* Under the lock: what others lose cannot come between a look at the clock and
 * what is made of it. */
static void put_in_after(struct timers *t, struct timer *timer, uint64_t ns)
{
    uint64_t now = weft_sched_now_ns(t->sched);

    if (!t->slept && !wf_seeded_of(t->sched))
        t->slept = now;
    now = lived(t, now);
    put_in(t, timer, ns < UINT64_MAX - now ? now + ns : UINT64_MAX);
}

int wf_timeout_start(weft_sched *sched, struct timer *timer, uint64_t ns)
{
    struct timers *t = wf_timers_of(sched);

    timer->timeout = true;
    pthread_mutex_lock(&t->lock);
    int rc = start_thread(t);
    if (!rc)
        put_in_after(t, timer, ns);
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

bool wf_timer_is_past(weft_sched *sched, const struct timer *timer)
{
    struct timers *t = wf_timers_of(sched);
    uint64_t now = weft_sched_now_ns(sched);

    if (now - load_relaxed(&t->lost) <= timer->when)
        return false;
    pthread_mutex_lock(&t->lock);
    now = lived(t, now);
    pthread_mutex_unlock(&t->lock);
    return now > timer->when;
}

bool wf_timer_hurry(weft_sched *sched, struct timer *timer)
{
    if (!wf_timer_cancel(sched, timer))
        return false;
    wf_ready(sched, NULL, &timer->task);
    return true;
}
