/* wake.c: submit a task and wait for it, from outside.
 *
 * From idle that is two wakes: of a worker and of who waits. Beside it, in
 * turn, a thread on the worker's CPU is woken and wakes back, with semaphores,
 * which are a futex and nothing else. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

#include "cli/bench/bench.h"
#include "cli/bench/clock.h"
#include "cli/bench/percentile.h"

enum { MOST_ROUNDS = 1000 };

/* Ten times as long as a worker looks for work before it sleeps. */
static const struct timespec until_asleep = { .tv_nsec = 500 * 1000 };

struct partner {
    sem_t go, back;
    bool over;
    pthread_t thread;
};

static void *answer(void *p_)
{
    struct partner *p = p_;
    for (;;) {
        sem_wait(&p->go);
        if (p->over)
            return NULL;
        sem_post(&p->back);
    }
}

static int partner_start(struct partner *p, int cpu)
{
    sem_init(&p->go, 0, 0);
    sem_init(&p->back, 0, 0);
    p->over = false;
    int rc = pthread_create(&p->thread, NULL, answer, p);
    if (rc)
        return -rc;
    if (cpu >= 0 && cpu < CPU_SETSIZE) {
        cpu_set_t there;
        CPU_ZERO(&there);
        CPU_SET(cpu, &there);
        pthread_setaffinity_np(p->thread, sizeof there, &there); /* or not */
    }
    return 0;
}

static void partner_stop(struct partner *p)
{
    p->over = true;
    sem_post(&p->go);
    pthread_join(p->thread, NULL);
    sem_destroy(&p->go);
    sem_destroy(&p->back);
}

static double bare_round(struct partner *p)
{
    double start = now_ns();
    sem_post(&p->go);
    while (sem_wait(&p->back) != 0)
        ; /* EINTR */
    return now_ns() - start;
}

static int where(weft_worker *self, void *cpu)
{
    *(int *)cpu = sched_getcpu();
    return 0;
}

static int weft_round(weft_sched *sched, int *cpu, double *ns, weft_error *why)
{
    weft_future *future;
    double start = now_ns();
    int rc = weft_submit(sched, where, cpu, &future, why);
    if (rc)
        return rc;
    rc = weft_future_wait(future, -1);
    *ns = now_ns() - start;
    weft_future_destroy(future);
    return rc;
}

static struct latency latency(double *ns, size_t count)
{
    return (struct latency){
        .p50_us = percentile(ns, count, 0.5) / 1e3,
        .p99_us = percentile(ns, count, 0.99) / 1e3,
    };
}

/* Both in turn, each from idle. */
static int from_idle(struct bench *b, size_t rounds, weft_error *why)
{
    static double ours[MOST_ROUNDS], bare[MOST_ROUNDS];
    struct partner partner;
    int cpu;
    int rc = weft_round(b->all, &cpu, &ours[0], why);
    if (rc)
        return rc;
    rc = partner_start(&partner, cpu);
    if (rc)
        return bench_fail(why, rc, "a thread to compare a wake with");
    for (size_t i = 0; i < rounds && rc == 0; i++) {
        nanosleep(&until_asleep, NULL);
        rc = weft_round(b->all, &cpu, &ours[i], why);
        nanosleep(&until_asleep, NULL);
        bare[i] = bare_round(&partner);
    }
    partner_stop(&partner);
    if (rc)
        return rc;
    b->figures.wake.idle = latency(ours, rounds);
    b->figures.wake.bare = latency(bare, rounds);
    return 0;
}

static int while_awake(struct bench *b, size_t rounds, weft_error *why)
{
    static double ns[MOST_ROUNDS];
    int cpu, rc = 0;
    for (size_t i = 0; i < rounds && rc == 0; i++)
        rc = weft_round(b->all, &cpu, &ns[i], why);
    if (rc == 0)
        b->figures.wake.awake = latency(ns, rounds);
    return rc;
}

int bench_wake(struct bench *b, weft_error *why)
{
    size_t rounds = b->quick ? 200 : MOST_ROUNDS;
    int rc = from_idle(b, rounds, why);
    return rc ? rc : while_awake(b, rounds, why);
}
