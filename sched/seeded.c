/* seeded.c: a seed plays all workers, one thread at a time.
 *
 * The thread whose turn it is chooses, after each task, who does something
 * next: a worker, which goes on with its chain or takes a task as workers do; a
 * blocking call; a thread of a program's own, for what is bound to it; an
 * operation (seededio.c). Each choice is the next number of one row, which the
 * seed begins. So the same seed makes the same choices, as long as the same is
 * there to be chosen from. A worker may also rest for a while, as one that has
 * lost its core.
 *
 * Time passes only when nothing else is left to do, and then to the earliest of
 * what waits for a time. Where a descriptor is waited for, as long passes in
 * reality before that, for what comes from outside takes its time.
 *
 *  [O] Outside. Threads of the program come when they like, and what they do
 *      would be between other tasks each time. So all stand still unless some
 *      thread outside waits, here, for what they do: it stops them by not
 *      waiting, and they stop as soon as it has what it waited for. One that
 *      waits in a way of its own, on a lock or a descriptor, would wait for
 *      ever: where there is something to do and nobody has waited for it for
 *      LOOSE_NS, nobody is waited for any more, and no order is promised. But
 *      an order must not depend on how fast the machine is, or on whether
 *      somebody looks at it with a debugger. So that is counted in beats, and
 *      one that was late, because the process did not run, does not count; one
 *      after which some thread computes, a tenth: it may look for ever.
 *
 * No other choice looks at the machine's clock, but where a descriptor is
 * waited for.
 *
 * Those outside do not wake the player when they change what it looks at: it
 * looks again after a pause, for it also looks at words in the memory of
 * others, such as those that a callback waits for. */
#include "sched/play.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "sched/asleep.h"
#include "sched/futex.h"
#include "sched/thread.h"

enum {
    MOST_CHAIN = 32,  /* tasks that follow each other at once, at most */
    LOOK_SELDOM = 8,  /* at descriptors, at one choice of so many */
    REST_SELDOM = 64, /* a worker begins to rest at one choice of so many */
    MOST_REST = 64,   /* choices that it rests */
    BEATS = 30,       /* [O] */
    QUIET = 10,       /* what one counts after which all sleep */
    LEAST_PAUSE_NS = 20000,
    MOST_PAUSE_NS = 1000000,
};

#define BEGIN_NS ((uint64_t)1000000000) /* the time when it begins: not 0 */
#define LOOSE_NS ((uint64_t)3000000000) /* [O] */
#define STUCK_NS ((uint64_t)5000000000)
#define LATE_NS  ((uint64_t)100000000) /* then the process did not run */

uint64_t wf_seeded_now(const struct seeded *s) { return load_relaxed(&s->now); }

uint64_t wf_seeded_random(struct seeded *s)
{
    uint64_t x = s->random += 0x9e3779b97f4a7c15u;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static unsigned below(struct seeded *s, unsigned n)
{
    return (unsigned)(wf_seeded_random(s) >> 32) % n;
}

static bool rests(struct seeded *s, struct chain *c)
{
    if (!c->rest && !below(s, REST_SELDOM))
        c->rest = 1 + below(s, MOST_REST);
    return c->rest && c->rest--;
}

static void run(struct seeded *s, weft_worker *w, struct chain *c)
{
    struct task *task = c->next;

    wf_follow(w, c->follows);
    c->next = NULL;
    task = task->run(w, task);
    wf_count_steps(w, 1);
    if (task && !c->next && c->left > 1) {
        c->left--;
        c->next = task;
        c->follows = true;
    } else if (task) {
        wf_ready(s->sched, NULL, task);
    }
}

/* False: there is none for it. */
static bool take(struct seeded *s, weft_worker *w, struct chain *c)
{
    uint64_t random = w->random;

    c->next = wf_worker_take(w);
    if (!c->next) {
        w->random = random;
        return false;
    }
    c->left = 1 + below(s, MOST_CHAIN);
    c->follows = false;
    return true;
}

/* A worker takes a task, or runs what it has taken: others may come between. */
static bool step(struct seeded *s, unsigned number)
{
    struct chain *c = &s->chains[number];
    weft_worker *w = s->sched->workers[number];
    bool did = true;

    wf_worker_play(w);
    if (c->next)
        run(s, w, c);
    else
        did = take(s, w, c);
    wf_worker_play(NULL);
    return did;
}

/* ---- the choice --------------------------------------------------------- */

static struct offer look(struct seeded *s, bool everywhere)
{
    struct offer o = { .operations = wf_seededio_count(s->io, everywhere) };

    wf_cast_offers(s, &o);
    return o;
}

/* False: there was nothing to do there, or who rests is to go on resting. */
static bool act(struct seeded *s, struct offer o, unsigned number, bool rouse)
{
    unsigned workers = s->sched->worker_count;

    if (number < workers)
        return (rouse || !rests(s, &s->chains[number])) && step(s, number);
    number -= workers;
    if (number < o.waits)
        return wf_cast_resume(s, number);
    if (number < o.waits + o.calls)
        wf_cast_call(s, number - o.waits);
    else if (number < o.waits + o.calls + o.bound)
        wf_cast_run_bound(s, number - o.waits - o.calls);
    else
        return wf_seededio_perform(s);
    return true;
}

static bool choose_from(struct seeded *s, struct offer o)
{
    unsigned n =
        s->sched->worker_count + o.waits + o.calls + o.bound + o.operations;
    unsigned first = below(s, n);

    for (unsigned i = 0; i < 2 * n; i++)
        if (act(s, o, (first + i) % n, i >= n))
            return true;
    return false;
}

/* Whoever does something next; the next one, if there is nothing to do. False:
 * nothing is to be done anywhere, and nothing has changed. */
static bool choose(struct seeded *s)
{
    uint64_t before = s->random;

    if (choose_from(s, look(s, !below(s, LOOK_SELDOM))) ||
        choose_from(s, look(s, true)))
        return true;
    s->random = before; /* however often it looks */
    for (unsigned i = 0; i < s->sched->worker_count; i++)
        s->chains[i].rest = 0;
    return false;
}

/* ---- time --------------------------------------------------------------- */

static uint64_t earliest(struct seeded *s)
{
    uint64_t timer = wf_timers_earliest(s->sched->timers);
    uint64_t wait = wf_cast_earliest(s);

    return timer < wait ? timer : wait;
}

/* What is due at the same time is so in any order. */
static void make_due_ready(struct seeded *s)
{
    struct task_list due =
        wf_timers_take_due(s->sched->timers, wf_seeded_now(s));

    while (due.first) {
        struct task_list one = { 0 };
        task_list_add(&one,
                      task_list_take_nth(&due, below(s, (unsigned)due.count)));
        wf_inject(s->sched, &one);
    }
}

/* False: nothing waits for a time, or it is not over yet outside. */
static bool pass_time(struct seeded *s)
{
    uint64_t when = earliest(s), now = wf_seeded_now(s);

    if (when == NEVER || (wf_seededio_polls(s->io) && s->idle_ns < when - now))
        return false;
    if (when > now)
        store_relaxed(&s->now, when);
    make_due_ready(s);
    return true;
}

static void tell_if_stuck(const struct seeded *s)
{
    if (s->idle_ns < load_relaxed(&s->stuck_ns) || wf_seededio_polls(s->io) ||
        !load_relaxed(&s->waiting))
        return;
    wf_misuse("seed %" PRIu64 ": what is waited for never comes: nothing is "
              "ready, no timer and no operation is under way, and for %g s "
              "nothing came from outside; look for what is pending and never "
              "completed, or fed and never ended",
              s->seed, (double)load_relaxed(&s->stuck_ns) / 1e9);
}

/* There is nothing to do before something comes from outside. */
static void idle(struct seeded *s)
{
    uint64_t start = wf_now_ns();

    s->pause_ns =
        2 * s->pause_ns < MOST_PAUSE_NS ? 2 * s->pause_ns : MOST_PAUSE_NS;
    wf_seededio_idle(s->io, s->pause_ns);
    uint64_t took = wf_now_ns() - start;
    s->idle_ns += took < LATE_NS ? took : s->pause_ns;
    tell_if_stuck(s);
}

/* ---- who plays ---------------------------------------------------------- */

static bool is_left(struct seeded *s)
{
    struct offer o = look(s, false); /* true would change what is chosen */
    bool chains = false;

    for (unsigned i = 0; i < s->sched->worker_count; i++)
        chains |= s->chains[i].next != NULL;
    return chains || o.waits || o.calls || o.bound || o.operations ||
           wf_seededio_has_news(s->io) || wf_sched_sees_task(s->sched) ||
           wf_timers_earliest(s->sched->timers) != NEVER;
}

/* [O] */
static void stand_still(struct seeded *s)
{
    uint64_t beat = load_relaxed(&s->loose_ns) / BEATS, start = wf_now_ns();
    bool left = is_left(s);

    wf_futex_wait(&s->waiting, 0, (int64_t)beat);
    uint64_t took = wf_now_ns() - start;
    if (!left)
        s->stood = 0;
    else if (took >= beat && took < beat + LATE_NS)
        s->stood += wf_others_sleep() ? QUIET : 1;
    s->loose = s->stood >= BEATS * QUIET;
}

/* False: it is the end. */
static bool play(struct seeded *s)
{
    bool ends = load_acquire(&s->ends); /* [T] */

    wf_cast_release(s);
    if (!ends && !s->loose && !load_relaxed(&s->waiting)) {
        stand_still(s);
        return true;
    }
    s->stood = 0;
    if (choose(s) || pass_time(s)) {
        if (s->over) /* it was a spare one, and all of them end */
            return false;
        s->idle_ns = 0;
        s->pause_ns = LEAST_PAUSE_NS / 2;
        return true;
    }
    if (ends && !s->waits && /* nor in a callback, for what is not held here */
        load_relaxed(&s->waiting) == 1 &&    /* [N] in cast.c */
        !wf_sched_wait_while_held(s->sched)) /* [D] in sched.c */
        return choose(s);
    idle(s);
    return true;
}

void *wf_seeded_player(void *s_)
{
    struct seeded *s = s_;

    pthread_setname_np(pthread_self(), "weft/seed");
    wf_cast_enter(s);
    while (!s->over && play(s))
        ;
    if (!s->over)
        wf_cast_leave(s);
    return NULL;
}

void wf_seeded_patience(struct seeded *s, uint64_t loose_ns, uint64_t stuck_ns)
{
    store_relaxed(&s->loose_ns, loose_ns);
    store_relaxed(&s->stuck_ns, stuck_ns);
}

int wf_seeded_create(struct seeded **out, weft_sched *sched, uint64_t seed)
{
    struct seeded *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->sched = sched;
    s->seed = s->random = seed;
    atomic_init(&s->now, BEGIN_NS);
    s->pause_ns = LEAST_PAUSE_NS / 2;
    wf_seeded_patience(s, LOOSE_NS, STUCK_NS);
    pthread_mutex_init(&s->lock, NULL); /* cannot fail on Linux */
    s->chains = calloc(sched->worker_count, sizeof *s->chains);
    int rc = s->chains ? wf_seededio_create(&s->io) : -ENOMEM;
    *out = s;
    return rc;
}

int wf_seeded_start(struct seeded *s)
{
    int rc = wf_thread_start(&s->first, wf_seeded_player, s);

    s->started = !rc;
    if (!rc)
        wf_cast_begin(s);
    return rc;
}

/* Seen by who plays: [T], and that nobody is to be added outside. */
static void end(struct seeded *s)
{
    wf_cast_end(s);
    add_relaxed(&s->waiting, 1);
    store_release(&s->ends, true); /* [T] */
    wf_futex_wake(&s->waiting, 1);
    pthread_join(s->first, NULL); /* which ends when no other one is started */
    for (unsigned i = 0; i < s->other_count; i++)
        pthread_join(s->others[i], NULL);
}

void wf_seeded_destroy(struct seeded *s)
{
    if (!s)
        return;
    if (s->started)
        end(s);
    wf_seededio_destroy(s->io);
    free(s->chains);
    free(s->others);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
