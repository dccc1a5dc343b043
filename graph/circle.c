/* circle.c: tasks that wait for each other.
 *
 * A task that waits in a circle would wait for ever, and a hang tells nobody
 * where the mistake is. So whoever is about to sleep in a task says for which
 * futures, and looks first where its way ends: from the future to what that one
 * waits for; from a task that is running to what is slept for on top of it, by
 * itself or by a child of it, wherever that runs. If it comes to a task on top
 * of which it is about to sleep, that is a circle.
 *
 * A wait with a timeout is none for ever, and is left out.
 *
 * Sleeping in a task is rare and costs a thread, so there is one list of those
 * who do, under one lock. Of several who close a circle at one time one is the
 * last, and finds it. The list holds no references: who is in it has handles of
 * what it waits for, and leaves before it lets go of them. */
#include <errno.h>
#include <pthread.h>

#include "graph/future.h"

enum { MOST_STEPS = 256 }; /* as many as can sleep */

struct sleeper {
    struct sleeper *next, **link;
    const struct frame *frames;
    weft_future *const *futures;
    size_t n;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct sleeper *sleepers;

static bool is_in(const struct frame *at, const weft_future *f)
{
    while (at && at->f != f)
        at = at->below;
    return at;
}

static weft_future *hold(weft_future *f)
{
    if (f)
        add_relaxed(&f->state, REF);
    return f;
}

/* The first that is not done of what is slept for on top of this task. */
static weft_future *slept_for(const weft_future *f)
{
    struct sleeper *s = sleepers;

    while (s && !is_in(s->frames, f))
        s = s->next;
    for (size_t i = 0; s && i < s->n; i++)
        if (!(load_acquire(&s->futures[i]->state) & DONE)) /* [F] in future.c */
            return hold(s->futures[i]);
    return NULL;
}

/* Whether this one can only be done after what is in the frames. */
static bool comes_after(weft_future *f, const struct frame *frames)
{
    bool circle = false;

    hold(f);
    for (int steps = 0; f && !circle && steps < MOST_STEPS; steps++) {
        uint32_t state = load_acquire(&f->state); /* [C] in future.c */
        weft_future *next = NULL;
        circle = !(state & DONE) && is_in(frames, f);
        if (!circle && !(state & DONE) &&
            !(f->kind && f->kind->waits_for_one)) {
            next = wf_future_next(f, state);
            if (!next)
                next = slept_for(f);
        }
        wf_future_drop(f);
        f = next;
    }
    if (f)
        wf_future_drop(f);
    return circle;
}

int wf_sleep_in_task(weft_worker *self, weft_future *const futures[], size_t n,
                     _Atomic uint32_t *word, uint32_t seen, int64_t left)
{
    struct sleeper me = { .frames = wf_frames(), .futures = futures, .n = n };
    bool circle = false;

    if (left >= 0 || !me.frames) /* it ends; or nobody waits for this thread */
        return wf_worker_sleep(self, word, seen, left);
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n && !circle; i++)
        circle = comes_after(futures[i], me.frames);
    if (!circle) {
        me.link = &sleepers;
        me.next = sleepers;
        if (me.next)
            me.next->link = &me.next;
        sleepers = &me;
    }
    pthread_mutex_unlock(&lock);
    if (circle)
        return -EDEADLK;
    int rc = wf_worker_sleep(self, word, seen, left);
    pthread_mutex_lock(&lock);
    *me.link = me.next;
    if (me.next)
        me.next->link = me.link;
    pthread_mutex_unlock(&lock);
    return rc;
}
