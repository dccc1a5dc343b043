/* cast.c: who has a turn under a seed, beside the workers: callbacks that wait,
 * calls of blocking stages, threads that tasks are bound to; and those outside
 * who wait for all of them.
 *
 *  [T] The turn. One thread has it, and all that no lock is said to be for is
 *      that one's. Who gives it stores `go` with release, for the next one,
 *      which acquires it. The cue is in a frame of the thread that waits, and
 *      is woken by its address alone.
 *
 *  [N] Names. Who waits for the end of a run, or for a future, does not hold
 *      the scheduler: another thread may destroy it as soon as that is there.
 *      So outside its address is but a name, by which it is looked for among
 *      those that are played, and a wait is added under the lock of that list.
 *      One that ends leaves the list first, and then plays until all who were
 *      added have gone on: what they wait for is there, or it would be held.
 *      A task may still begin what waits in its turn, such as a call: who plays
 *      finds it all the same, for that is alive as long as its threads.
 *      There may be another one at the same address later. Who finds that
 *      waits for a word that has changed, and goes on at once.
 *
 * A callback that waits keeps its frame, so its thread sleeps, and gives the
 * turn to another one, which plays on from the bottom of its stack. When what
 * it waits for is there it may be chosen like any other, and has the turn again
 * in the middle of its task; who had it is spare, until the next one waits. */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>

#include "sched/futex.h"
#include "sched/play.h"
#include "sched/thread.h"

/* Whose turn it is when this thread runs. */
static _Thread_local struct seeded *plays;

/* ---- the turn: [T] ------------------------------------------------------ */

static void give(struct cue *cue)
{
    store_release(&cue->go, 1); /* [T] */
    wf_futex_wake(&cue->go, 1);
}

static void await(struct cue *cue)
{
    while (!load_acquire(&cue->go)) /* [T] */
        wf_futex_wait(&cue->go, 0, -1);
    store_relaxed(&cue->go, 0);
}

/* Whether one more of them finds room for its handle. */
static bool has_room(struct seeded *s)
{
    if (s->other_count < s->room)
        return true;
    unsigned room = s->room ? 2 * s->room : 4;
    pthread_t *others = realloc(s->others, room * sizeof *others);
    if (!others)
        return false;
    s->others = others;
    s->room = room;
    return true;
}

/* Starts one that plays, and has the turn then. False: none can be had. */
static bool play_anew(struct seeded *s)
{
    pthread_t thread; /* it leaves its own handle: this one is out of turn */

    return has_room(s) && !wf_thread_start(&thread, wf_seeded_player, s);
}

void wf_cast_enter(struct seeded *s)
{
    plays = s;
    if (s->begun)
        s->others[s->other_count++] = pthread_self();
    s->begun = true;
}

/* Gives the turn to one that plays on from the bottom of its stack. */
static void play_on(struct seeded *s)
{
    struct cue *spare = s->spare;

    s->spare = spare->next;
    give(spare);
}

/* From one at the bottom of its stack, until it is called upon again. */
static void give_to(struct seeded *s, struct cue *cue)
{
    struct cue mine = { .next = s->spare };

    s->spare = &mine;
    give(cue);
    await(&mine);
}

/* ---- what waits --------------------------------------------------------- */

static bool is_over(const struct seeded *s, const struct wait *w)
{
    return load_relaxed(w->word) != w->seen || w->until <= wf_seeded_now(s);
}

/* Takes the one of that number out of those of the list that are over. */
static struct wait *take_over(struct seeded *s, struct wait **list,
                              unsigned number)
{
    for (struct wait **at = list; *at; at = &(*at)->next)
        if (is_over(s, *at) && !number--) {
            struct wait *w = *at;
            *at = w->next;
            return w;
        }
    return NULL;
}

static unsigned count_over(const struct seeded *s, const struct wait *w)
{
    unsigned count = 0;

    for (; w; w = w->next)
        count += is_over(s, w);
    return count;
}

static void add(struct wait **list, struct wait *w)
{
    while (*list)
        list = &(*list)->next;
    *list = w;
}

static void remove_wait(struct wait **list, struct wait *w)
{
    while (*list != w)
        list = &(*list)->next;
    *list = w->next;
}

static struct wait begin_wait(const struct seeded *s, _Atomic uint32_t *word,
                              uint32_t seen, int64_t timeout_ns)
{
    uint64_t now = wf_seeded_now(s), limit = (uint64_t)timeout_ns;
    bool ends = timeout_ns >= 0 && limit < NEVER - now;

    return (struct wait){ .word = word,
                          .seen = seen,
                          .until = ends ? now + limit : NEVER };
}

/* False: nobody can have the turn meanwhile. */
static bool sleep_in_turn(struct seeded *s, _Atomic uint32_t *word,
                          uint32_t seen, int64_t timeout_ns)
{
    struct wait me = begin_wait(s, word, seen, timeout_ns);

    add(&s->waits, &me);
    if (s->spare) {
        play_on(s);
    } else if (!play_anew(s)) {
        remove_wait(&s->waits, &me);
        return false;
    }
    await(&me.cue);
    return true;
}

int wf_seeded_sleep(struct seeded *s, _Atomic uint32_t *word, uint32_t seen,
                    int64_t timeout_ns)
{
    if (!s->spare && s->other_count >= MOST_WAITING)
        return -EAGAIN;
    return sleep_in_turn(s, word, seen, timeout_ns) ? 0 : -EAGAIN;
}

/* ---- outside: [N] ------------------------------------------------------- */

static pthread_mutex_t names = PTHREAD_MUTEX_INITIALIZER;
static struct seeded *played; /* under the lock */
static _Atomic unsigned played_count;

void wf_cast_begin(struct seeded *s)
{
    pthread_mutex_lock(&names);
    s->next = played;
    played = s;
    add_relaxed(&played_count, 1u);
    pthread_mutex_unlock(&names);
}

void wf_cast_end(struct seeded *s)
{
    struct seeded **at = &played;

    pthread_mutex_lock(&names);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    add_relaxed(&played_count, -1u);
    pthread_mutex_unlock(&names);
}

/* With the lock of the names, if there is such a one; else without it. Who has
 * the name of one that is played has it from who began that, and sees that
 * there are some. Who plays needs no list, on which that is no more at its end.
 */
static struct seeded *find(const weft_sched *sched)
{
    if (!plays && !load_relaxed(&played_count))
        return NULL;
    pthread_mutex_lock(&names);
    struct seeded *s = plays && plays->sched == sched ? plays : played;
    while (s && s->sched != sched)
        s = s->next;
    if (!s)
        pthread_mutex_unlock(&names);
    return s;
}

bool wf_played_now(const weft_sched *sched, uint64_t *now)
{
    struct seeded *s = find(sched);

    if (!s)
        return false;
    *now = wf_seeded_now(s);
    pthread_mutex_unlock(&names);
    return true;
}

bool wf_played_wait(const weft_sched *sched, _Atomic uint32_t *word,
                    uint32_t seen, int64_t timeout_ns)
{
    struct seeded *s = find(sched);

    if (!s)
        return false;
    if (plays == s) { /* it does not end before this */
        pthread_mutex_unlock(&names);
        if (!sleep_in_turn(s, word, seen, timeout_ns))
            sched_yield(); /* they wait again, and a thread may end */
        return true;
    }
    struct wait me = begin_wait(s, word, seen, timeout_ns);
    add(&s->outside, &me);
    add_relaxed(&s->waiting, 1);
    wf_futex_wake(&s->waiting, 1);
    pthread_mutex_unlock(&names);
    await(&me.cue);
    return true;
}

void wf_cast_release(struct seeded *s)
{
    struct wait *w;

    pthread_mutex_lock(&names);
    while ((w = take_over(s, &s->outside, 0))) {
        add_relaxed(&s->waiting, -1u);
        give(&w->cue); /* or what it would see as a turn: it plays not */
    }
    pthread_mutex_unlock(&names);
}

/* ---- what can be chosen ------------------------------------------------- */

void wf_seeded_call(struct seeded *s, struct task *task)
{
    wf_sched_hold(s->sched); /* until what it returns has been made ready */
    pthread_mutex_lock(&s->lock);
    task_list_add(&s->calls, task);
    pthread_mutex_unlock(&s->lock);
}

void wf_cast_call(struct seeded *s, unsigned number)
{
    pthread_mutex_lock(&s->lock);
    struct task *task = task_list_take_nth(&s->calls, number);
    pthread_mutex_unlock(&s->lock);
    task = task->run(NULL, task);
    if (task)
        wf_ready(s->sched, NULL, task);
    wf_sched_release(s->sched);
}

void wf_seeded_bind(struct seeded *s, struct bound *b)
{
    pthread_mutex_lock(&s->lock);
    b->next = s->bound;
    s->bound = b;
    pthread_mutex_unlock(&s->lock);
}

void wf_seeded_run_bound(struct seeded *s, struct bound *b, struct task *task)
{
    pthread_mutex_lock(&s->lock);
    task_list_add(&b->queue, task);
    add_relaxed(&b->count, 1);
    pthread_mutex_unlock(&s->lock);
}

void wf_seeded_unbind(struct seeded *s, struct bound *b)
{
    uint32_t count;

    while ((count = load_acquire(&b->count))) /* [T] */
        wf_played_wait(s->sched, &b->count, count, -1);
    pthread_mutex_lock(&s->lock);
    struct bound **at = &s->bound;
    while (*at != b)
        at = &(*at)->next;
    *at = b->next;
    pthread_mutex_unlock(&s->lock);
    give(&b->cue); /* without a task: it ends */
}

void wf_seeded_serve(struct seeded *s, struct bound *b)
{
    plays = s;
    for (;;) {
        await(&b->cue);
        struct task *task = b->task;
        if (!task)
            return;
        task = task->run(NULL, task);
        if (task)
            wf_ready(s->sched, NULL, task);
        b->task = NULL;
        add_release(&b->count, -1u); /* [T] */
        play_on(s); /* who gave it is spare, or one after that */
    }
}

static bool may_run(const struct bound *b)
{
    return b->queue.first && !b->task;
}

/* Under the lock. */
static unsigned count_bound(const struct seeded *s)
{
    unsigned count = 0;

    for (const struct bound *b = s->bound; b; b = b->next)
        count += may_run(b);
    return count;
}

void wf_cast_run_bound(struct seeded *s, unsigned number)
{
    pthread_mutex_lock(&s->lock);
    struct bound *b = s->bound;
    while (!may_run(b) || number--)
        b = b->next;
    b->task = task_list_take(&b->queue);
    pthread_mutex_unlock(&s->lock);
    give_to(s, &b->cue);
}

/* A word may be again what it was when it was counted. */
bool wf_cast_resume(struct seeded *s, unsigned number)
{
    struct wait *w = take_over(s, &s->waits, number);

    if (w)
        give_to(s, &w->cue);
    return w;
}

void wf_cast_offers(struct seeded *s, struct offer *o)
{
    o->waits = count_over(s, s->waits);
    pthread_mutex_lock(&s->lock);
    o->calls = (unsigned)s->calls.count;
    o->bound = count_bound(s);
    pthread_mutex_unlock(&s->lock);
}

static uint64_t earliest_of(const struct wait *w)
{
    uint64_t when = NEVER;

    for (; w; w = w->next)
        when = w->until < when ? w->until : when;
    return when;
}

uint64_t wf_cast_earliest(struct seeded *s)
{
    uint64_t inside = earliest_of(s->waits);

    pthread_mutex_lock(&names);
    uint64_t outside = earliest_of(s->outside);
    pthread_mutex_unlock(&names);
    return inside < outside ? inside : outside;
}

void wf_cast_leave(struct seeded *s)
{
    s->over = true;
    for (struct cue *spare; (spare = s->spare);) {
        s->spare = spare->next;
        give(spare);
    }
}
