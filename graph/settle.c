/* settle.c: a future has its result, and tells whoever listens.
 *
 * Listeners are in a ring, the oldest first. What they make of a result may be
 * the result of another future, and so on down a chain of any length: such
 * futures are put in a list, and one loop works it off. So a failure is at the
 * last handle before anything else runs, with no stack and no task. What may
 * run now is put in a list too, and queued in one piece.
 *
 *  [L] Listen. A ring is under a lock, one of LOCKS, chosen by the address of
 *      the future; nobody holds two. Who listens adds LISTENED, and looks in
 *      the same step whether the future is DONE; if so it takes the listener
 *      out again, and need not wait for anyone. Who adds DONE sees LISTENED or
 *      comes before it. In the first case it takes the listeners out of the
 *      ring one by one, and keeps its reference as long.
 *
 *  A listener that is in the ring keeps the future there, then, with no
 *  reference of its own: its result has not been told yet. So who has the lock
 *  and finds a listener in a ring may use the future; else it must not be
 *  looked at. A listener that is in none was heard, or will be at once.
 *
 *  [H] Hold. What waits for a future that no worker runs, a promise, is held
 *      by nobody else: that future holds the scheduler until all is queued that
 *      comes of its result, by way of any number of others.
 *
 *  [A] Ask. While somebody asks the future to end, what it uses must stay: who
 *      would make it DONE leaves that to them, by adding HELD (promise.c). */
#include <errno.h>
#include <pthread.h>

#include "graph/future.h"

enum { LOCKS = 64 };

static pthread_mutex_t locks[LOCKS] = {
    [0 ... LOCKS - 1] = PTHREAD_MUTEX_INITIALIZER,
};

static pthread_mutex_t *lock_of(const weft_future *f)
{
    pthread_mutex_t *lock = &locks[((uintptr_t)f >> 5) * 0x9e3779b1u % LOCKS];

    pthread_mutex_lock(lock);
    return lock;
}

static void put_in(weft_future *f, struct listener *l)
{
    struct listener *first = f->listeners;

    if (!first) {
        f->listeners = l->next = l->before = l;
        return;
    }
    l->next = first;
    l->before = first->before;
    first->before->next = l;
    first->before = l;
}

static void take_out(weft_future *f, struct listener *l)
{
    if (l->next == l)
        f->listeners = NULL;
    else if (f->listeners == l)
        f->listeners = l->next;
    l->before->next = l->next;
    l->next->before = l->before;
    l->next = l->before = NULL;
}

bool wf_listen(weft_future *f, struct listener *l)
{
    if (load_acquire(&f->state) & DONE) /* [F] in future.c */
        return false;
    pthread_mutex_t *lock = lock_of(f);
    put_in(f, l);
    bool done = or_acq_rel(&f->state, LISTENED) & DONE; /* [L] */
    if (done)
        take_out(f, l);
    pthread_mutex_unlock(lock);
    return !done;
}

bool wf_unlisten(weft_future *f, struct listener *l)
{
    pthread_mutex_t *lock = lock_of(f);
    bool listens = l->next;

    if (listens)
        take_out(f, l);
    pthread_mutex_unlock(lock);
    return listens;
}

bool wf_hold_source(weft_future *f, const struct listener *l)
{
    pthread_mutex_t *lock = lock_of(f);
    bool listens = l->next;

    if (listens)
        add_relaxed(&f->state, REF);
    pthread_mutex_unlock(lock);
    return listens;
}

static void tell(struct settling *s, weft_future *f)
{
    for (;;) {
        pthread_mutex_t *lock = lock_of(f);
        struct listener *l = f->listeners;
        if (l)
            take_out(f, l);
        pthread_mutex_unlock(lock);
        if (!l)
            return;
        l->hear(l, f, s);
    }
}

static void queue_ready(struct settling *s)
{
    if (!s->ready.first)
        return;
    if (s->self && weft_worker_sched(s->self) == s->sched)
        wf_push_list(s->self, &s->ready);
    else
        wf_inject(s->sched, &s->ready);
    s->ready = (struct task_list){ 0 };
}

/* Adds DONE, and gives back the reference that was there until now, unless
 * there are listeners. The state before. */
static uint32_t publish(weft_future *f)
{
    uint32_t state = load_relaxed(&f->state), after;

    do
        if (state & ASKING)
            after = state | HELD;
        else if (state & LISTENED)
            after = state | DONE;
        else
            after = (state | DONE) - REF;
    while (!cas_acq_rel(&f->state, &state, after)); /* [F], [L], [A] */
    return state;
}

static void settle_one(struct settling *s, weft_future *f)
{
    if (load_acquire(&f->state) == ALONE) { /* [F] in future.c */
        wf_future_free(f);
        return;
    }
    weft_sched *sched = f->sched;
    uint32_t before = publish(f);

    if (before & ASKING)
        return;
    if (before & WAITED)
        wf_wake_all(&f->state); /* [K] in future.c */
    if (!(before & LISTENED)) {
        if (is_last((before | DONE) - REF))
            wf_future_free(f);
        if (before & HOLDS)
            wf_sched_release(sched);
        return;
    }
    tell(s, f);
    if (before & HOLDS) {
        f->next = s->holding;
        s->holding = f;
    } else {
        wf_future_drop(f);
    }
}

struct settling wf_settling_begin(void)
{
    return (struct settling){ .self = wf_worker_here() };
}

static void work_off(struct settling *s)
{
    weft_future *f;

    while ((f = s->through)) {
        s->through = f->next;
        settle_one(s, f);
    }
}

/* All that comes of these is queued. */
static void let_go(struct settling *s)
{
    weft_future *f;

    while ((f = s->holding)) {
        weft_sched *sched = f->sched;
        s->holding = f->next;
        wf_future_drop(f);
        wf_sched_release(sched);
    }
}

void wf_settling_end(struct settling *s)
{
    work_off(s);
    queue_ready(s);
    let_go(s);
}

void wf_settle(weft_future *f, int result)
{
    struct settling s = wf_settling_begin();

    f->result = result;
    settle_one(&s, f);
    wf_settling_end(&s);
}

struct task *wf_settle_and_go_on(weft_worker *self, weft_future *f)
{
    struct settling s = { .self = self };
    struct task *next = NULL;

    settle_one(&s, f);
    work_off(&s);
    if (self && weft_worker_sched(self) == s.sched)
        next = task_list_take(&s.ready);
    queue_ready(&s);
    let_go(&s);
    return next;
}

void wf_settling_ready(struct settling *s, weft_future *f)
{
    uint32_t state = load_relaxed(&f->state);

    do
        if (state & CLAIMED) { /* it was cancelled */
            wf_future_drop(f);
            return;
        }
    while (!cas_acq_rel(&f->state, &state, /* [C] in future.c */
                        (state | READY | QUEUED) - REF));
    if (s->sched != f->sched)
        queue_ready(s);
    s->sched = f->sched;
    task_list_add(&s->ready, &f->task);
}

void wf_settling_pass(struct settling *s, weft_future *f, weft_future *source)
{
    if (wf_future_claim(f)) {
        wf_future_blame(f, source);
        f->result = source->result;
        wf_settling_add(s, f);
    }
    wf_future_drop(f); /* not the last, which settling gives back */
}

void wf_settling_add(struct settling *s, weft_future *f)
{
    f->next = s->through;
    s->through = f;
}
