/* sched.c: a scheduler from create to destroy, and what others may ask of it.
 *
 *  [D] Destroy. Whoever needs the scheduler holds it: a run, an operation, a
 *      task on a helper, a weft_thread, a thread that makes a task ready.
 *      Giving it back is acq_rel, and destroy acquires, so it comes after all
 *      that they did. They wake it by the address alone: the scheduler may be
 *      gone by then.
 *
 *      A thread that makes a task ready holds it only where a worker may have
 *      to be woken. It finds out before it opens the door of the queue: until
 *      then the task cannot be taken, and the scheduler does not end before
 *      that; and after that it touches neither.
 *
 *      Loose tasks hold nothing: a counter of all tasks would be written by
 *      every worker all the time. They may still start what holds the
 *      scheduler when the workers have been told to end. So a worker ends only
 *      when it finds no task while nobody holds it: who took the hold is a
 *      worker that looks here later, or runs a task that is held itself. It
 *      looks after it has seen that nobody does: the last who gave it back may
 *      have left a task just before. */
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sched/barrier.h"
#include "sched/thread.h"
#include "sched/worker.h"

enum {
    DEFAULT_SPIN_US = 50,
    HELD_NS = 1000000,  /* a worker that is to end looks for work so often */
    SEEDED_WORKERS = 4, /* with a seed: on any machine */
    HELPER_IDLE_NS = 1000000000, /* longer than the pauses of a busy stage */
};

#define DESTROYING ((uint32_t)1 << 31) /* in `holds` */

uint64_t wf_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int wf_error(weft_error *why, int error, const char *format, ...)
{
    if (why) {
        va_list args;
        va_start(args, format);
        vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
    }
    return error;
}

bool wf_sched_sees_task(weft_sched *s)
{
    for (unsigned i = 0; i < s->group_count; i++)
        if (wf_inject_visible(&s->injects[i]) ||
            wf_inject_visible(&s->lasts[i]))
            return true;
    for (unsigned i = 0; i < s->worker_count; i++)
        if (wf_deque_visible(&s->workers[i]->deque) ||
            wf_inject_visible(&s->workers[i]->mail))
            return true;
    return false;
}

/* Whether a task waits anywhere: for [W] in park.c, and in deque.c. Where that
 * cannot be known, there may be one. */
static bool visible(void *ctx)
{
    weft_sched *s = ctx;
    bool alone = false;

    for (unsigned i = 0; i < s->worker_count; i++)
        alone |= wf_deque_is_alone(&s->workers[i]->deque); /* [W] */
    return wf_sched_sees_task(s) ||
           (alone && (!wf_barrier_heavy() || wf_sched_sees_task(s)));
}

/* One queue for each group; NULL: no memory. */
static struct inject *make_queues(const weft_sched *s)
{
    struct inject *queues =
        aligned_alloc(alignof(struct inject), s->group_count * sizeof *queues);

    for (unsigned i = 0; queues && i < s->group_count; i++)
        wf_inject_init(&queues[i]);
    return queues;
}

static void free_queues(const weft_sched *s, struct inject *queues)
{
    for (unsigned i = 0; queues && i < s->group_count; i++)
        wf_inject_finish(&queues[i]);
    free(queues);
}

static int make_workers(weft_sched *s)
{
    s->workers = calloc(s->worker_count, sizeof *s->workers);
    s->injects = make_queues(s);
    s->lasts = make_queues(s);
    if (!s->workers || !s->injects || !s->lasts)
        return -ENOMEM;

    for (unsigned i = 0; i < s->worker_count; i++) {
        weft_worker *w = wf_topo_alloc(s->topo, i, sizeof *w);
        if (!w)
            return -ENOMEM;
        s->workers[i] = w;
        w->sched = s;
        w->index = i;
        w->group = s->seeded ? 0 : wf_topo_group_of(s->topo, i);
        wf_claims_init(&w->claims);
        wf_inject_init(&w->mail);
        w->random = 0x9e3779b97f4a7c15u * (i + 1);
        if (s->seeded)
            w->random ^= wf_seeded_random(s->seeded) << 1; /* and not 0 */
        if (wf_victims_init(w))
            return -ENOMEM;
    }
    return wf_park_init(&s->park, s->worker_count, visible, s);
}

static int start_threads(weft_sched *s)
{
    int rc = s->seeded ? wf_seeded_start(s->seeded) : 0;

    if (s->seeded)
        return rc;
    while (!rc && s->started < s->worker_count) {
        weft_worker *w = s->workers[s->started];
        rc = wf_thread_start(&w->thread, wf_worker_main, w);
        if (!rc)
            s->started++;
    }
    return rc;
}

static void free_workers(weft_sched *s)
{
    for (unsigned i = 0; s->workers && i < s->worker_count; i++)
        if (s->workers[i]) {
            wf_claims_finish(&s->workers[i]->claims);
            wf_inject_finish(&s->workers[i]->mail);
            wf_victims_finish(s->workers[i]);
            wf_topo_dealloc(s->topo, s->workers[i], sizeof(weft_worker));
        }
    free_queues(s, s->injects);
    free_queues(s, s->lasts);
    free(s->workers);
    wf_park_finish(&s->park);
}

int weft_sched_create(weft_sched **out, const struct weft_sched_config *config,
                      weft_error *why)
{
    struct weft_sched_config c = { 0 };
    if (config)
        memcpy(&c, config, config->size < sizeof c ? config->size : sizeof c);

    weft_sched *s = aligned_alloc(alignof(weft_sched), sizeof *s);
    if (!s)
        return wf_error(why, -ENOMEM, "no memory for a scheduler");
    memset(s, 0, sizeof *s);
    wf_helpers_init(&s->helpers, s, HELPER_IDLE_NS);
    wf_barrier_prepare();

    if (c.seed && !c.workers)
        c.workers = SEEDED_WORKERS;
    int rc = wf_topo_load(&s->topo, c.workers, c.pin, why);
    if (rc)
        goto fail;
    s->worker_count = wf_topo_workers(s->topo);
    s->group_count = c.seed ? 1 : wf_topo_groups(s->topo);
    rc = c.seed ? wf_seeded_create(&s->seeded, s, c.seed) : 0;
    if (rc) {
        wf_error(why, rc, "no memory for what a seed plays");
        goto fail;
    }
    s->spin_ns = (c.spin_us ? c.spin_us : DEFAULT_SPIN_US) * (uint64_t)1000;

    s->timers = wf_timers_create(s);
    if (!s->timers) {
        rc = wf_error(why, -ENOMEM, "no memory for timers");
        goto fail;
    }
    rc = wf_io_create(&s->io, s, s->topo, c.io, why);
    if (rc)
        goto fail;
    rc = make_workers(s);
    if (rc) {
        wf_error(why, rc, "no memory for %u workers", s->worker_count);
        goto fail;
    }
    rc = start_threads(s);
    if (rc) {
        wf_error(why, rc, "thread %u of %u could not be started: %s",
                 s->started + 1, s->worker_count, strerror(-rc));
        goto fail;
    }
    *out = s;
    return 0;
fail:
    weft_sched_destroy(s);
    return rc;
}

void weft_sched_destroy(weft_sched *s)
{
    weft_worker *self = wf_worker_here();

    if (!s)
        return;
    if (self && self->sched == s) {
        wf_misuse("weft_sched_destroy was called on one of its workers: they "
                  "would wait for themselves");
        return;
    }
    add_relaxed(&s->holds, DESTROYING);
    for (uint32_t n; (n = load_acquire(&s->holds)) != DESTROYING;) /* [D] */
        wf_wait_while(s, &s->holds, n, -1);
    wf_seeded_destroy(s->seeded);
    if (s->started)
        wf_park_close(&s->park);
    for (unsigned i = 0; i < s->started; i++)
        pthread_join(s->workers[i]->thread, NULL);
    wf_helpers_finish(&s->helpers);
    wf_io_destroy(s->io);
    wf_timers_destroy(s->timers);
    free_workers(s);
    wf_topo_free(s->topo);
    free(s);
}

bool wf_sched_wait_while_held(weft_sched *s)
{
    uint32_t holds = load_acquire(&s->holds); /* [D] */

    if (holds == DESTROYING)
        return false;
    wf_sleep_while(&s->holds, holds, HELD_NS);
    return true;
}

void wf_wait_while(const weft_sched *s, _Atomic uint32_t *word, uint32_t seen,
                   int64_t timeout_ns)
{
    if (!wf_played_wait(s, word, seen, timeout_ns))
        wf_sleep_while(word, seen, timeout_ns);
}

bool wf_has_clock(const weft_sched *s)
{
    uint64_t now;

    return wf_played_now(s, &now);
}

uint64_t wf_now_of(const weft_sched *s)
{
    uint64_t now;

    return wf_played_now(s, &now) ? now : wf_now_ns();
}

void wf_sched_hold(weft_sched *s) { add_relaxed(&s->holds, 1); }

void wf_sched_release(weft_sched *s)
{
    if (sub_acq_rel(&s->holds, 1) == (DESTROYING | 1)) /* [D] */
        wf_wake_all(&s->holds);
}

static unsigned first_of(const weft_sched *s, unsigned group)
{
    unsigned first = 0;

    while (s->workers[first]->group != group)
        first++;
    return first;
}

/* The first worker that is near the calling thread. */
static unsigned near_here(const weft_sched *s)
{
    return s->group_count > 1 ? first_of(s, wf_topo_group_here(s->topo)) : 0;
}

unsigned wf_worker_near(weft_sched *s, const void *memory)
{
    return s->group_count > 1
               ? first_of(s, wf_topo_group_of_memory(s->topo, memory))
               : 0;
}

bool wf_are_near(weft_sched *s, unsigned worker, unsigned other)
{
    return s->workers[worker]->group == s->workers[other]->group;
}

/* [D] */
static void leave(weft_sched *s, struct inject *q, uint64_t door, unsigned near)
{
    bool notify = wf_park_expects(&s->park);

    if (notify)
        wf_sched_hold(s); /* [D] */
    wf_inject_leave(q, door);
    if (notify) {
        wf_park_notify(&s->park, near);
        wf_sched_release(s);
    }
}

static void put(weft_sched *s, struct inject *q, struct task_list *list,
                unsigned near)
{
    leave(s, q, wf_inject_enter(q, list), near);
}

bool wf_inject_into(weft_sched *s, bool (*add)(struct task *last, void *ctx),
                    void *ctx)
{
    unsigned near = near_here(s);
    struct inject *q = &s->injects[s->workers[near]->group];
    uint64_t door;
    struct task *last = wf_inject_enter_last(q, &door);

    if (!last)
        return false;
    if (!add(last, ctx)) {
        wf_inject_leave_last(q, door);
        return false;
    }
    leave(s, q, door, near);
    return true;
}

void wf_ready_at(weft_sched *s, struct task *task, unsigned worker)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    put(s, &s->workers[worker]->mail, &list, worker);
}

void wf_ready_near(weft_sched *s, struct task *task, unsigned worker)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    put(s, &s->injects[s->workers[worker]->group], &list, worker);
}

void wf_inject(weft_sched *s, struct task_list *list)
{
    unsigned near = near_here(s);

    put(s, &s->injects[s->workers[near]->group], list, near);
}

void wf_ready_last(weft_sched *s, weft_worker *self, struct task *task,
                   bool first)
{
    struct task_list list = { 0 };
    bool here = self && self->sched == s; /* then nobody destroys it */

    if (!here)
        wf_sched_hold(s); /* [D] */
    unsigned near = here ? self->index : near_here(s);
    struct inject *q = &s->lasts[s->workers[near]->group];
    if (here && first)
        self->passed = 0; /* that is no longer what waits */
    if (first) {
        wf_inject_put_first(q, task);
    } else {
        task_list_add(&list, task);
        wf_inject_leave(q, wf_inject_enter(q, &list));
    }
    wf_park_notify(&s->park, near);
    if (!here)
        wf_sched_release(s);
}

void wf_sched_rivals(weft_sched *s, int more)
{
    add_relaxed(&s->rivals, (unsigned)more);
}

int wf_offload(weft_sched *s, struct task *task)
{
    if (s->seeded) {
        wf_seeded_call(s->seeded, task);
        return 0;
    }
    return wf_helpers_run(&s->helpers, task);
}

unsigned weft_worker_index(const weft_worker *self)
{
    if (self)
        return self->index;
    wf_misuse("weft_worker_index was called outside a worker: only the worker "
              "that a callback was given has an index");
    return UINT_MAX;
}

weft_sched *weft_worker_sched(const weft_worker *self)
{
    if (self)
        return self->sched;
    wf_misuse("weft_worker_sched was called outside a worker: only the worker "
              "that a callback was given knows its scheduler");
    return NULL;
}

unsigned weft_sched_workers(const weft_sched *s) { return s->worker_count; }
struct seeded *wf_seeded_of(const weft_sched *s) { return s->seeded; }
struct timers *wf_timers_of(const weft_sched *s) { return s->timers; }
struct io *wf_io_of(const weft_sched *s) { return s->io; }
unsigned wf_group_of(const weft_worker *self) { return self->group; }

uint64_t weft_sched_now_ns(const weft_sched *s)
{
    return s->seeded ? wf_seeded_now(s->seeded) : wf_now_ns();
}

void weft_sched_explain(const weft_sched *s, weft_say_fn *say, void *ctx)
{
    wf_topo_explain(s->topo, say, ctx);
    wf_io_explain(s->io, say, ctx);
}

void weft_sched_stats(const weft_sched *s, struct weft_sched_stats *out)
{
    *out = (struct weft_sched_stats){
        .wakes = load_relaxed(&s->park.wakes),
        .searchers = load_relaxed(&s->park.most_searchers),
    };
    for (unsigned i = 0; i < s->worker_count; i++) {
        const weft_worker *w = s->workers[i];
        out->tasks += load_relaxed(&w->tasks);
        out->steals += load_relaxed(&w->steals);
        out->parks += load_relaxed(&w->parks);
    }
}
