/* circle.c: tasks that wait for each other.
 *
 * A task that waits in a circle would wait for ever, and a hang tells nobody
 * where the mistake is. So whoever is about to sleep in a task says for which
 * futures, and looks first where the ways from them lead: from a future to all
 * that it waits for; from a task that is running to all that is slept for on
 * top of it, by itself or by children of it, wherever these run. If one of them
 * leads to a task on top of which it is about to sleep, that is a circle. From
 * what waits for one of several nothing follows, and a wait with a timeout is
 * none for ever: those are left out.
 *
 *      a sleeps for b and c        about to sleep: c, for a
 *
 *          c ---> a ---> b         found: a, b, c
 *          ^      |
 *          +------+
 *
 * Each future is looked at once, the nearest first, and no more than MOST, for
 * that is under a lock. Sleeping in a task is rare and costs a thread, so there
 * is one list of those who do, under the same lock. Of several who close a
 * circle at one time one is the last, and finds it. The list holds no
 * references: who is in it has handles of what it waits for, and leaves before
 * it lets go of them. */
#include <errno.h>
#include <pthread.h>

#include "graph/future.h"
#include "graph/pause.h"

enum { MOST = 256 }; /* as many as can sleep */

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

/* Under the lock: what the first one can only be done after; with references.
 */
static weft_future *found[MOST];
static unsigned count;

/* Takes the reference. */
static void add(weft_future *f)
{
    unsigned i = 0;

    while (i < count && found[i] != f)
        i++;
    if (i == count && count < MOST)
        found[count++] = f;
    else
        wf_future_drop(f);
}

/* Of several, those that are not done. */
static void add_all(weft_future *const futures[], size_t n)
{
    for (size_t i = 0; i < n && count < MOST; i++)
        if (!(load_relaxed(&futures[i]->state) & DONE)) {
            add_relaxed(&futures[i]->state, REF);
            add(futures[i]);
        }
}

/* What this one waits for. */
static void add_next(weft_future *f, uint32_t state)
{
    weft_future *next;

    if (f->kind && f->kind->waits_for_one)
        return;
    for (size_t at = 0; count < MOST && (next = wf_future_next(f, state, &at));)
        add(next);
    for (struct sleeper *s = sleepers; s && state & CLAIMED; s = s->next)
        if (is_in(s->frames, f))
            add_all(s->futures, s->n);
}

/* Whether this one can only be done after what is in the frames. */
static bool comes_after(weft_future *f, const struct frame *frames)
{
    bool circle = false;

    add_all(&f, 1);
    for (unsigned i = 0; i < count && !circle; i++) {
        uint32_t state = load_acquire(&found[i]->state); /* [C] in future.c */
        if (state & DONE)
            continue;
        circle = is_in(frames, found[i]);
        if (!circle)
            add_next(found[i], state);
    }
    while (count)
        wf_future_drop(found[--count]);
    return circle;
}

int wf_sleep_in_task(weft_worker *self, weft_future *const futures[], size_t n,
                     _Atomic uint32_t *word, uint32_t seen, int64_t left)
{
    struct sleeper me = { .frames = wf_frames(), .futures = futures, .n = n };
    bool circle = false;

    wf_pause(self);
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
