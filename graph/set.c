/* set.c: futures that are waited for again and again, until all of them are
 * done: each is looked at when it is added, and when it is done, and never for
 * another one's sake.
 *
 * A member is in one of two lists: those that pend, and those that are done and
 * were not told yet, the oldest first. Its listener moves it from the one to
 * the other. `news` counts the moves, and is what the owner sleeps on.
 *
 *  [N] News. The listener puts the member into the list, under the lock, and
 *      then adds to `news`; the owner reads `news` before it looks into the
 *      list, so it finds the member, or does not sleep, or is woken: it has
 *      said under the lock that it found none.
 *
 *  [R] Each listener has a reference to the set, and the owner has one; giving
 *      it back is acq_rel, so the last one frees what nobody uses any more.
 * Once the set is closed no member changes its list.
 *
 * A timeout goes by the clock of the scheduler of one that pends, the latest
 * that was added; and anew, with what was left, if that has another clock than
 * the one before: with seeds each scheduler has its own. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "graph/future.h"
#include "graph/wait.h"

struct member {
    struct listener listener;
    weft_set *set;
    weft_future *source;     /* an address, no reference: [L] in settle.c */
    const weft_sched *sched; /* its; there as long as it pends */
    struct member *next, *before; /* among those that pend */
    void *tag;
    int result;
};

struct weft_set {
    _Atomic uint32_t news; /* [N] */
    _Atomic size_t refs;   /* [R] */
    pthread_mutex_t lock;  /* of what follows */
    struct member *pending;
    struct member *first, *last; /* done */
    bool closed;
    bool waited; /* the owner may sleep */
};

static void free_members(struct member *m)
{
    while (m) {
        struct member *next = m->next;
        free(m);
        m = next;
    }
}

static void leave(weft_set *set, size_t refs)
{
    if (sub_acq_rel(&set->refs, refs) != refs) /* [R] */
        return;
    free_members(set->pending);
    free_members(set->first);
    pthread_mutex_destroy(&set->lock);
    free(set);
}

static void move(weft_set *set, struct member *m)
{
    if (m->before)
        m->before->next = m->next;
    else
        set->pending = m->next;
    if (m->next)
        m->next->before = m->before;
    m->next = NULL;
    if (set->last)
        set->last->next = m;
    else
        set->first = m;
    set->last = m;
}

static void hear(struct listener *l, weft_future *source, struct settling *s)
{
    struct member *m = (struct member *)l; /* its first member */
    weft_set *set = m->set;

    pthread_mutex_lock(&set->lock);
    m->result = source->result;
    if (!set->closed)
        move(set, m);
    bool knock = set->waited;
    set->waited = false;
    pthread_mutex_unlock(&set->lock);
    add_release(&set->news, 1); /* [N] */
    if (knock)
        wf_wake_all(&set->news);
    leave(set, 1);
}

int weft_set_create(weft_set **out, weft_error *why)
{
    weft_set *set = calloc(1, sizeof *set);

    if (!set)
        return wf_error(why, -ENOMEM, "no memory for a set of futures");
    pthread_mutex_init(&set->lock, NULL); /* cannot fail on Linux */
    atomic_init(&set->refs, 1);
    *out = set;
    return 0;
}

int weft_set_add(weft_set *set, weft_future *future, void *tag, weft_error *why)
{
    struct member *m = calloc(1, sizeof *m);

    if (!m)
        return wf_error(why, -ENOMEM, "no memory for a future in a set");
    m->listener.hear = hear;
    m->set = set;
    m->source = future;
    m->tag = tag;
    m->sched = future->sched;
    add_relaxed(&set->refs, 1);
    pthread_mutex_lock(&set->lock);
    m->next = set->pending;
    if (m->next)
        m->next->before = m;
    set->pending = m;
    pthread_mutex_unlock(&set->lock);
    if (!wf_listen(future, &m->listener))
        hear(&m->listener, future, NULL);
    return 0;
}

/* 1: one was done. 0: all were told. -EAGAIN: some pend, the latest of them on
 * this scheduler. */
static int take(weft_set *set, void **tag, int *result,
                const weft_sched **sched)
{
    pthread_mutex_lock(&set->lock);
    struct member *m = set->first;
    int rc = m ? 1 : set->pending ? -EAGAIN : 0;
    set->waited = rc == -EAGAIN;
    if (set->waited)
        *sched = set->pending->sched;
    if (m) {
        set->first = m->next;
        if (!set->first)
            set->last = NULL;
    }
    pthread_mutex_unlock(&set->lock);
    if (m) {
        *tag = m->tag;
        if (result)
            *result = m->result;
        free(m);
    }
    return rc;
}

/* What is left until then in the time of the scheduler, which may be another
 * one than before, or than the machine's. */
struct until {
    const weft_sched *clock; /* NULL: the machine's */
    struct deadline deadline;
};

static int64_t left_of(struct until *u, const weft_sched *sched)
{
    const weft_sched *clock = wf_has_clock(sched) ? sched : NULL;
    struct deadline *d = &u->deadline;

    if (d->when != NO_DEADLINE && clock != u->clock) {
        uint64_t now = wf_now_of(clock);
        *d = (struct deadline){ now + d->when - d->looked, now, now };
    }
    u->clock = clock;
    return deadline_left(clock, d);
}

int weft_set_next(weft_set *set, void **tag, int *result, int timeout_ms)
{
    weft_worker *self = wf_worker_here();
    struct until until = { .deadline = deadline_in(NULL, timeout_ms) };
    const weft_sched *sched;

    for (;;) {
        uint32_t news = load_acquire(&set->news); /* [N] */
        int rc = take(set, tag, result, &sched);
        if (rc != -EAGAIN)
            return rc;
        int64_t left = left_of(&until, sched);
        if (!left)
            return -ETIMEDOUT;
        rc = wf_wait_on(sched, self, NULL, 0, &set->news, news, left);
        if (rc)
            return rc;
    }
}

void weft_set_destroy(weft_set *set)
{
    size_t gone = 1; /* the owner */

    if (!set)
        return;
    pthread_mutex_lock(&set->lock);
    set->closed = true;
    pthread_mutex_unlock(&set->lock);
    for (struct member *m = set->pending; m; m = m->next)
        gone += wf_unlisten(m->source, &m->listener);
    leave(set, gone);
}
