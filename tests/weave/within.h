/* within.h: a scheduler as sched/ knows it, with a seed or without: its own
 * tasks, how they sleep, and what they begin when it may be the end. */
#ifndef WEFT_TESTS_WEAVE_WITHIN_H
#define WEFT_TESTS_WEAVE_WITHIN_H
#include "sched/play.h"
#include "tests/weave/world.h"

static weft_sched *shared;
static _Atomic uint32_t is_shared, done;
static struct task ready;

static inline void say(_Atomic uint32_t *word)
{
    store_release(word, 1);
    wf_wake_all(word);
}

static inline void wait_for(_Atomic uint32_t *word)
{
    while (!load_acquire(word))
        wf_sleep_while(word, 0, -1);
}

static inline void wait_in_its_time(_Atomic uint32_t *word)
{
    while (!load_acquire(word))
        wf_wait_while(shared, word, 0, -1);
}

/* With a seed, or 0. */
static inline void create(unsigned n, uint64_t seed)
{
    weave_assert(!weft_sched_create(
        &shared, weft_config(sched, .workers = n, .spin_us = 1, .seed = seed),
        0));
}

static inline struct task *is_done(weft_worker *self, struct task *task)
{
    say(&done);
    return NULL;
}

static inline void inject(struct task *task)
{
    struct task_list list = { 0 };

    task_list_add(&list, task);
    wf_inject(shared, &list);
}

static inline void make_ready(void)
{
    wait_for(&is_shared);
    inject(&ready);
}

/* ---- who sleeps on a worker ---------------------------------------------- */

static struct task once, twice;
static _Atomic uint32_t early, late; /* that these sleep on */
static int had_it;                   /* plain: of who is the worker */

static inline void sleep_on(weft_worker *self, _Atomic uint32_t *word)
{
    had_it++;
    weave_assert(!wf_worker_sleep(self, word, 0, -1));
    weave_assert(load_acquire(word) && wf_worker_here() == self);
    had_it++;
}

static inline struct task *sleep_once(weft_worker *self, struct task *task)
{
    sleep_on(self, &early);
    say(&late);
    return NULL;
}

/* The other one has to be the worker meanwhile, though nobody stands in for
 * either any more. */
static inline struct task *sleep_twice(weft_worker *self, struct task *task)
{
    sleep_on(self, &early);
    sleep_on(self, &late);
    say(&done);
    return NULL;
}

static inline void lend_to_each_other_with(uint64_t seed)
{
    create(1, seed);
    once.run = sleep_once;
    twice.run = sleep_twice;
    inject(&once);
    inject(&twice);
    say(&early);
    wait_in_its_time(&done);
    while (load_relaxed(&shared->stand_ins)) /* there may be only so many */
        weave_yield();
    weave_assert(!seed || shared->seeded->other_count <= 2); /* of 2 asleep */
    weft_sched_destroy(shared);
    weave_assert(had_it == 6);
}

/* ---- what begins at the end --------------------------------------------- */

static struct task begins, helps;
static struct timer timer;
static int third; /* plain */

static inline struct task *count_third(weft_worker *self, struct task *task)
{
    third++;
    return is_done(self, task);
}

static inline struct task *go_on(weft_worker *none, struct task *task)
{
    weave_assert(!wf_worker_here());
    return &ready;
}

static inline struct task *go_on_and_wait(weft_worker *none, struct task *task)
{
    weave_assert(wf_has_clock(shared) == (wf_seeded_of(shared) != NULL));
    wf_ready(shared, NULL, &ready);
    wait_in_its_time(&done);
    return NULL;
}

static inline struct task *offload(weft_worker *self, struct task *task)
{
    weave_assert(!wf_offload(shared, &helps));
    return NULL;
}

static inline struct task *time_is_over(weft_worker *self, struct task *task)
{
    third++;
    wf_sched_release(shared);
    return NULL;
}

static inline struct task *start_timer(weft_worker *self, struct task *task)
{
    timer.task.run = time_is_over;
    wf_sched_hold(shared);
    weave_assert(
        !wf_timer_start(shared, &timer, weft_sched_now_ns(shared) + 1000000));
    return NULL;
}

/* A task that holds nothing begins what does, when it may be the end. */
static inline void
begin_late(struct task *(*first)(weft_worker *, struct task *),
           struct task *(*second)(weft_worker *, struct task *), uint64_t seed)
{
    create(1, seed);
    begins.run = first;
    helps.run = second;
    ready.run = count_third;
    inject(&begins);
    weft_sched_destroy(shared);
    weave_assert(third == 1);
}

static inline struct task *hold(weft_worker *self, struct task *task)
{
    wf_sched_hold(shared);
    say(&is_shared);
    return NULL;
}

static inline void make_ready_and_release(void)
{
    make_ready();
    wf_sched_release(shared);
}

static inline struct task *sleep_late(weft_worker *self, struct task *task)
{
    say(&is_shared);
    sleep_on(self, &early);
    third++;
    return NULL;
}

static inline void wake_late(void)
{
    wait_for(&is_shared);
    say(&early);
}

#endif
