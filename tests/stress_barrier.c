/* stress_barrier.c: that real cores read before others see what they have
 * written, and that a heavy barrier is enough against it. No chaos here: a
 * pause empties the store buffer, and then nothing can go wrong.
 *
 * What is to be late is written after a number of lines that are in no cache:
 * it waits behind them, for a microsecond or two. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "sched/barrier.h"
#include "sched/worker.h"
#include "tests/test.h"

enum {
    ROUNDS = 5000,
    LATE = 40, /* lines */
    LINE = 64,
    COLD = 1 << 26,
    MOST_DELAY = 128,
};

static unsigned char *cold;
static uint64_t seed = 88172645463325252u;

static unsigned chance(unsigned most)
{
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return (unsigned)(seed >> 32) % most;
}

/* What this thread writes next is seen late. */
static void be_late(const unsigned lines[LATE])
{
    for (unsigned i = 0; i < LATE; i++)
        *(volatile unsigned char *)&cold[lines[i]] = 1;
}

static void choose(unsigned lines[LATE])
{
    for (unsigned i = 0; i < LATE; i++)
        lines[i] = chance(COLD / LINE) * LINE;
}

static void delay(unsigned turns)
{
    for (volatile unsigned i = 0; i < turns; i++)
        ;
}

/* The other one may have no core just now. */
static void wait_for(_Atomic unsigned *word, unsigned value)
{
    for (unsigned looks = 1; load_acquire(word) != value; looks++)
        if (looks % 4096)
            cpu_pause();
        else
            sched_yield();
}

/* Two cores, if there are two: else a thread would wait for its turn. */
static void run_on(unsigned which)
{
    static cpu_set_t all; /* of the first one that asks */
    cpu_set_t one;

    if (!CPU_COUNT(&all))
        sched_getaffinity(0, sizeof all, &all);
    CPU_ZERO(&one);
    for (unsigned cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &all) && which-- % (unsigned)CPU_COUNT(&all) == 0)
            CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
}

static alignas(64) _Atomic unsigned begun, ended; /* rounds */

static void begin(void)
{
    wf_barrier_prepare();
    cold = malloc(COLD);
    memset(cold, 1, COLD);
    store_relaxed(&begun, 0);
    store_relaxed(&ended, 0);
    run_on(0);
}

/* ---- two words ----------------------------------------------------------- */

static alignas(64) _Atomic unsigned often;
static alignas(64) _Atomic unsigned seldom;
static bool other_saw;

static void *write_seldom(void *unused)
{
    run_on(1);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        wait_for(&begun, i);
        store_relaxed(&seldom, i);
        wf_barrier_heavy();
        other_saw = load_relaxed(&often) == i;
        store_release(&ended, i);
    }
    return unused;
}

Test(barrier, one_of_both_sees_what_the_other_wrote, .timeout = 60)
{
    unsigned lines[LATE], neither = 0;
    pthread_t other;

    begin();
    if (!wf_barrier_exists())
        return;
    pthread_create(&other, NULL, write_seldom, NULL);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        choose(lines);
        store_release(&begun, i);
        delay(chance(MOST_DELAY));
        be_late(lines);
        store_release(&often, i);
        wf_barrier_light();
        bool saw = load_relaxed(&seldom) == i;
        wait_for(&ended, i);
        neither += !saw && !other_saw;
    }
    pthread_join(other, NULL);
    cr_assert_eq(neither, 0);
    free(cold);
}

/* ---- the last tasks of a deque ------------------------------------------- */

enum { TASKS = 3, MOVES = 1000 };

static struct deque deque;
static struct counted {
    struct task task;
    _Atomic unsigned taken;
} items[TASKS];

static void count(struct task *t)
{
    if (t)
        add_relaxed(&((struct counted *)t)->taken, 1);
}

static void *steal_all(void *unused)
{
    run_on(1);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        wait_for(&begun, i);
        for (unsigned n = 0; n < TASKS; n++)
            count(wf_deque_steal(&deque));
        store_release(&ended, i);
    }
    return unused;
}

/* It is empty; then its owner is alone, if it can be. */
static void be_alone(struct deque *d)
{
    for (unsigned i = 0; i < MOVES && !wf_deque_is_alone(d); i++)
        wf_deque_pop(d);
}

Test(barrier, no_task_is_taken_by_an_owner_who_is_alone_and_by_a_thief,
     .timeout = 60)
{
    unsigned lines[LATE], twice = 0, lost = 0;
    pthread_t thief;

    begin();
    pthread_create(&thief, NULL, steal_all, NULL);
    for (unsigned i = 1; i <= ROUNDS; i++) {
        choose(lines);
        be_alone(&deque);
        cr_assert_eq(wf_deque_is_alone(&deque), wf_barrier_exists());
        for (unsigned n = 0; n < TASKS; n++) {
            store_relaxed(&items[n].taken, 0);
            wf_deque_push(&deque, &items[n].task);
        }
        store_release(&begun, i);
        delay(chance(MOST_DELAY));
        be_late(lines);
        struct task *popped[TASKS];
        for (unsigned n = 0; n < TASKS; n++)
            popped[n] = wf_deque_pop(&deque);
        for (unsigned n = 0; n < TASKS; n++)
            count(popped[n]);
        wait_for(&ended, i);
        for (unsigned n = 0; n < TASKS; n++) {
            twice += load_relaxed(&items[n].taken) > 1;
            lost += load_relaxed(&items[n].taken) < 1;
        }
    }
    pthread_join(thief, NULL);
    cr_assert_eq(twice, 0);
    cr_assert_eq(lost, 0);
    free(cold);
}

/* ---- a worker that goes to sleep ----------------------------------------- */

enum { SLEEPS = 4000, ABOUT_A_SPIN = 8192, PATIENCE_NS = 1000000000 };

/* On one of two workers; the other one has nothing to do but what comes out of
 * this one's deque, and this one does nothing else until that has run. */
struct host {
    struct task task;
    _Atomic uint32_t ended;
    unsigned forgotten;
};

static struct guest {
    struct task task;
    _Atomic unsigned ran;
} guest;

static struct task *visit(weft_worker *self, struct task *task)
{
    add_release(&guest.ran, 1);
    return NULL;
}

static bool is_taken(void)
{
    uint64_t end = wf_now_ns() + PATIENCE_NS;

    while (!load_acquire(&guest.ran))
        if (wf_now_ns() > end)
            return false;
    return true;
}

static struct task *give_away(weft_worker *self, struct task *task)
{
    struct host *host = (struct host *)task;
    unsigned lines[LATE];

    for (unsigned i = 0; i < SLEEPS && !host->forgotten; i++) {
        choose(lines);
        be_alone(&self->deque);
        guest.task.run = visit;
        store_relaxed(&guest.ran, 0);
        delay(chance(ABOUT_A_SPIN));
        be_late(lines);
        wf_push(self, &guest.task);
        host->forgotten += !is_taken();
    }
    wf_take_back(self, &guest.task);
    add_release(&host->ended, 1);
    wf_wake_all(&host->ended);
    return NULL;
}

Test(barrier, who_goes_to_sleep_sees_the_task_of_an_owner_who_is_alone,
     .timeout = 60)
{
    struct host host = { .task.run = give_away };
    struct task_list list = { 0 };
    weft_sched *sched = NULL;

    cr_assert_eq(
        weft_sched_create(&sched,
                          weft_config(sched, .workers = 2, .spin_us = 1), NULL),
        0);
    begin();
    task_list_add(&list, &host.task);
    wf_inject(sched, &list);
    while (!load_acquire(&host.ended))
        wf_sleep_while(&host.ended, 0, -1);
    weft_sched_destroy(sched);
    cr_assert_eq(host.forgotten, 0);
    free(cold);
}
