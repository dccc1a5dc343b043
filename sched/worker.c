/* worker.c: the life of a worker: take a task, run it and what follows from it,
 * search, sleep.
 *
 * A task may return its continuation, which runs next without touching the
 * deque. Such a chain is bounded in time: after CHAIN_NS the continuation goes
 * to the end of the injected tasks, behind the deque and the I/O completions.
 * A look at the clock costs more than a short step does, so where they are
 * short the worker looks rarely, whichever chains they belong to.
 *
 * The deque is last in, first out, which keeps the caches warm but may leave
 * its oldest task behind for ever. So every FAIR_TICK tasks the oldest comes
 * first: of the injected ones, or of the worker's own.
 *
 * A task counts as one that was taken whether it was there at once or had to be
 * waited for. With a seed no thread lives like this, but all workers are played
 * as they take their tasks here: seeded.c.
 *
 * What begins something new waits in a queue of its own until there is nothing
 * else, or until FAIR_TICK other tasks were taken. Where several take turns
 * there, one whose turn it still is may be in the deque of another worker; so
 * that worker's tasks come first. */
#include <stdio.h>

#include "sched/worker.h"

enum {
    CHAIN_NS = 200000,
    GLANCE_NS = 50000, /* or less between two looks at the clock: */
    MOST_STEPS = 127,  /* then they may be so many steps apart */
    FAIR_TICK = 61,    /* every so many tasks the oldest comes first */
    INJECT_BATCH = 32, /* taken from the injected tasks at a time */
};

static _Thread_local weft_worker *here
    __attribute__((tls_model("initial-exec"))); /* each child looks at it */

weft_worker *wf_worker_here(void) { return here; }

__attribute__((noinline)) void wf_wake_sleeper(weft_worker *self)
{
    wf_park_notify(&self->sched->park, self->index);
}

void wf_push(weft_worker *self, struct task *task)
{
    if (wf_deque_push(&self->deque, task)) {
        wf_tell_sleepers(self);
        return;
    }
    struct task_list list = { 0 };
    task_list_add(&list, task);
    wf_inject(self->sched, &list);
}

void wf_push_list(weft_worker *self, struct task_list *list)
{
    wf_deque_push_list(&self->deque, list);
    if (list->first)
        wf_inject(self->sched, list);
    else
        wf_tell_sleepers(self);
}

void wf_push_many(weft_worker *self, struct task *const tasks[], unsigned n)
{
    struct task_list rest = { 0 };

    for (unsigned i = wf_deque_push_many(&self->deque, tasks, n); i < n; i++)
        task_list_add(&rest, tasks[i]);
    if (rest.first)
        wf_inject(self->sched, &rest);
    else
        wf_tell_sleepers(self);
}

void wf_ready(weft_sched *sched, weft_worker *self, struct task *task)
{
    if (self && self->sched == sched) {
        wf_push(self, task);
        return;
    }
    struct task_list list = { 0 };
    task_list_add(&list, task);
    wf_inject(sched, &list);
}

/* A look at the clock: how many steps may the worker take before the next?
 * Twice as many, if that will do to notice in time; else it looks after each.
 */
static uint64_t look(weft_worker *self)
{
    uint64_t now = wf_now_ns();

    if (now - self->looked > GLANCE_NS)
        self->between = 1;
    else if (self->between < MOST_STEPS)
        self->between = 2 * self->between + 1;
    self->looked = now;
    self->steps = 0;
    return now;
}

unsigned wf_steps_left(const weft_worker *self)
{
    return self->steps >= self->between ? 0 : self->between - self->steps;
}

void wf_count_steps(weft_worker *self, unsigned steps)
{
    self->steps += steps;
    count_one(&self->tasks, steps);
}

unsigned wf_takes_left(weft_worker *self)
{
    weft_sched *sched = self->sched;
    bool others =
        wf_inject_has(&self->mail) || wf_inject_has(&sched->lasts[self->group]);

    return others ? 0 : FAIR_TICK - 1 - self->tick % FAIR_TICK;
}

void wf_count_takes(weft_worker *self, unsigned takes)
{
    self->tick += takes;
    if (takes)
        self->chain_end = 0; /* the last one began another chain */
}

static void run_chain(weft_worker *self, struct task *task)
{
    unsigned ran = 0;

    self->chain_end = 0;
    for (self->follows = false; task; self->follows = true) {
        task = task->run(self, task);
        ran++;
        if (++self->steps < self->between || !task)
            continue;
        uint64_t now = look(self);
        if (!self->chain_end) {
            self->chain_end = now + CHAIN_NS;
        } else if (now >= self->chain_end) {
            wf_ready(self->sched, NULL, task);
            break;
        }
    }
    count_one(&self->tasks, ran);
}

bool wf_follows(const weft_worker *self) { return self->follows; }

void wf_follow(weft_worker *self, bool follows) { self->follows = follows; }

bool wf_takes_turns(const weft_worker *self)
{
    return self->sched->seeded || load_relaxed(&self->sched->rivals) > 1;
}

struct task *wf_take_injected(weft_worker *self, unsigned group)
{
    struct inject *q = &self->sched->injects[group];
    size_t share = wf_inject_visible(q) / self->sched->worker_count + 1;
    if (share > INJECT_BATCH)
        share = INJECT_BATCH;
    struct task_list taken = wf_inject_take(q, share);
    struct task *task = task_list_take(&taken);

    if (taken.first)
        wf_push_list(self, &taken);
    return task;
}

/* The next of those that come after all else. */
static struct task *take_last(weft_worker *self, unsigned group)
{
    struct inject *q = &self->sched->lasts[group];

    self->passed = 0;
    return wf_inject_take(q, 1).first;
}

bool wf_has_other_work(weft_worker *self)
{
    return wf_deque_visible(&self->deque) || wf_inject_visible(&self->mail) ||
           wf_inject_visible(&self->sched->injects[self->group]);
}

static struct task *take_own(weft_worker *self)
{
    struct task *task = NULL;
    bool last = wf_inject_has(&self->sched->lasts[self->group]);

    if (last && ++self->passed >= FAIR_TICK)
        task = take_last(self, self->group);
    if (!task && ++self->tick % FAIR_TICK == 0) {
        task = wf_take_injected(self, self->group);
        if (!task)
            task = wf_deque_pop_oldest(&self->deque);
    }
    if (!task && wf_inject_has(&self->mail))
        task = wf_inject_take(&self->mail, 1).first;
    if (!task)
        task = wf_deque_pop(&self->deque);
    if (!task)
        task = wf_take_injected(self, self->group);
    if (!task && last && load_relaxed(&self->sched->rivals) > 1)
        task = wf_steal(self);
    if (!task && last)
        task = take_last(self, self->group);
    return task;
}

/* One look at everything, the nearest first; what is to run elsewhere last. */
static struct task *look_around(weft_worker *self)
{
    unsigned groups = self->sched->group_count;
    struct task *task = wf_inject_take(&self->mail, 1).first;

    if (!task)
        task = wf_take_injected(self, self->group);
    if (!task)
        task = wf_steal(self);
    for (unsigned i = 1; !task && i < groups; i++)
        task = wf_take_injected(self, (self->group + i) % groups);
    for (unsigned i = 0; !task && i < groups; i++)
        task = take_last(self, (self->group + i) % groups);
    for (unsigned i = 0; !task && i < self->sched->worker_count; i++)
        task = wf_inject_take(&self->sched->workers[i]->mail, 1).first;
    return task;
}

struct task *wf_worker_take(weft_worker *self)
{
    struct task *task = take_own(self);

    if (!task) {
        self->tick--; /* nothing was taken */
        task = look_around(self);
        self->tick += task != NULL;
    }
    return task;
}

void wf_worker_play(weft_worker *self) { here = self; }

/* Looks for as long as the scheduler's spin time; the caller is a searcher. */
static struct task *search(weft_worker *self)
{
    struct task *task = look_around(self);

    if (task || !self->sched->spin_ns)
        return task;
    uint64_t end = wf_now_ns() + self->sched->spin_ns;
    do {
        for (int i = 0; i < 16; i++)
            cpu_pause();
        task = look_around(self);
    } while (!task && wf_now_ns() < end && !wf_lend_called(self) &&
             !wf_park_closed(&self->sched->park));
    return task;
}

/* The same when the scheduler ends, and nobody sleeps any more: [D] in sched.c.
 */
static struct task *find_last(weft_worker *self)
{
    struct task *task;

    do
        task = look_around(self);
    while (!task && !wf_lend_called(self) &&
           wf_sched_wait_while_held(self->sched));
    return task ? task : look_around(self);
}

/* The next task, however long it takes; NULL: the worker was called, or the
 * scheduler ends. */
static struct task *find_task(weft_worker *self)
{
    struct park *park = &self->sched->park;
    bool searching = wf_park_start_search(park);

    wf_deque_share(&self->deque); /* [W]: nobody pays for one that sleeps */
    for (;;) {
        if (wf_park_closed(park))
            return find_last(self);
        if (wf_lend_called(self)) {
            if (searching)
                wf_park_end_search(park);
            return NULL;
        }
        if (searching) {
            struct task *task = search(self);
            if (task) {
                wf_park_end_search(park);
                return task;
            }
        }
        count_one(&self->parks, 1);
        wf_park_sleep(park, self->index, searching);
        searching = true;
    }
}

/* Until the scheduler ends, or, if it stands in, another thread is the worker.
 */
static void work(weft_worker *self, bool stands_in)
{
    for (;;) {
        if (wf_lend_called(self) && !wf_lend_pass_on(self, stands_in))
            return;
        struct task *task = take_own(self);
        if (!task) {
            self->tick--; /* nothing was taken */
            task = find_task(self);
            self->tick += task != NULL;
        }
        if (task)
            run_chain(self, task);
        else if (!wf_lend_called(self))
            return;
    }
}

static void become(weft_worker *self)
{
    char name[16];

    here = self;
    snprintf(name, sizeof name, "weft/%u", self->index);
    pthread_setname_np(pthread_self(), name);
    wf_topo_bind_worker(self->sched->topo, self->index);
}

void *wf_worker_main(void *arg)
{
    become(arg);
    work(arg, false);
    return NULL;
}

void wf_worker_stand_in(weft_worker *self)
{
    become(self);
    work(self, true);
    here = NULL;
}

void wf_worker_is_back(weft_worker *self)
{
    self->follows = false;
    self->steps = self->between; /* it looks at the clock next */
}
