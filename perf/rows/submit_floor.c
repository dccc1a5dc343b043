/* submit_floor.c: an array that tasks are put into and taken from; a thread
 * that is woken and wakes; a cache line that goes to a thread and comes back.
 *
 * glibc's semaphores are an addition each, and a futex call where the other
 * side sleeps. For an item that is taken by a thread that is awake this tells
 * how long the line takes to the other thread and back. */
#include <semaphore.h>
#include <stdatomic.h>

#include "perf/rows/submit.h"

/* ---- tasks --------------------------------------------------------------- */

typedef void task_fn(void);

static struct {
    _Alignas(64) atomic_size_t put;
    _Alignas(64) atomic_size_t taken;
    _Alignas(64) _Atomic(task_fn *) *task;
    size_t room;
    atomic_bool ends;
    unsigned workers;
    pthread_t *threads;
} queue;

static void *work(void *none)
{
    for (;;) {
        size_t i = queue.taken++;
        task_fn *task;
        if (i >= queue.room)
            return NULL;
        for (unsigned spins = 1; !(task = queue.task[i]); spins++) {
            if (queue.ends)
                return NULL;
            if (spins % 1024)
                row_pause();
            else
                sched_yield();
        }
        task();
    }
}

static void tasks(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        atomic_store_explicit(&queue.task[queue.put++], count_one,
                              memory_order_release);
}

static void open_queue(const struct row *row)
{
    queue.workers = row->workers;
    queue.room = row_size(row, SUBMIT_TASKS, SUBMIT_LEAST) * 2;
    queue.task = calloc(queue.room, sizeof *queue.task);
    queue.threads = calloc(queue.workers, sizeof *queue.threads);
    row_check(queue.task && queue.threads, "no memory");
    for (unsigned i = 0; i < queue.workers; i++)
        must(-pthread_create(&queue.threads[i], NULL, work, NULL), "no thread");
}

static void close_queue(void)
{
    queue.ends = true;
    for (unsigned i = 0; i < queue.workers; i++)
        pthread_join(queue.threads[i], NULL);
    free(queue.task);
    free(queue.threads);
}

/* ---- a thread that answers ----------------------------------------------- */

static struct {
    sem_t ask, answer;
    bool ends;
    pthread_t thread;
} sleeper;

static void *answer(void *none)
{
    for (;;) {
        must(sem_wait(&sleeper.ask), "a semaphore");
        if (sleeper.ends)
            return NULL;
        count_one();
        sem_post(&sleeper.answer);
    }
}

static void ask(void)
{
    sem_post(&sleeper.ask);
    must(sem_wait(&sleeper.answer), "a semaphore");
}

static void open_sleeper(const struct row *row)
{
    sem_init(&sleeper.ask, 0, 0);
    sem_init(&sleeper.answer, 0, 0);
    must(-pthread_create(&sleeper.thread, NULL, answer, NULL), "no thread");
}

static void close_sleeper(void)
{
    sleeper.ends = true;
    sem_post(&sleeper.ask);
    pthread_join(sleeper.thread, NULL);
}

/* ---- a line that goes to and fro ----------------------------------------- */

enum { BATCH = 64 };

static _Alignas(64) atomic_size_t line;
static atomic_bool line_ends;
static pthread_t echo_thread;

/* Long before that an answer has come, unless the core has other work. */
static void yield_seldom(unsigned spins)
{
    if (spins % 4096 == 4095)
        sched_yield();
}

/* Odd numbers are answered with the next even one. */
static void *echo(void *none)
{
    for (unsigned spins = 0; !line_ends; spins++) {
        size_t seen = atomic_load_explicit(&line, memory_order_acquire);
        if (seen % 2)
            atomic_store_explicit(&line, seen + 1, memory_order_release);
        else
            yield_seldom(spins);
    }
    return NULL;
}

static void send_line(void)
{
    size_t answer = atomic_load_explicit(&line, memory_order_relaxed) + 2;

    atomic_store_explicit(&line, answer - 1, memory_order_release);
    for (unsigned spins = 0;
         atomic_load_explicit(&line, memory_order_acquire) != answer; spins++)
        yield_seldom(spins);
}

static void call_line(void)
{
    send_line();
    count_one();
}

static void open_line(const struct row *row)
{
    must(-pthread_create(&echo_thread, NULL, echo, NULL), "no thread");
}

static void close_line(void)
{
    line_ends = true;
    pthread_join(echo_thread, NULL);
}

static void send_lines(const struct row *row, double *took, size_t count,
                       uint64_t us)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t began = wall_ns();
        for (int k = 0; k < BATCH; k++)
            send_line();
        took[i] = submit_since(began) / BATCH;
    }
}

/* ---- an item for a thread that sleeps ------------------------------------ */

static struct {
    sem_t made;
    size_t count;
    uint64_t us, *stamp;
} maker;

static void *make(void *none)
{
    for (size_t i = 0; i < maker.count; i++) {
        maker.stamp[i] = submit_stamp(maker.us);
        sem_post(&maker.made);
    }
    return NULL;
}

static void take_items(const struct row *row, double *took, size_t count,
                       uint64_t us)
{
    pthread_t thread;

    maker.count = count;
    maker.us = us;
    maker.stamp = calloc(count, sizeof *maker.stamp);
    row_check(maker.stamp != NULL, "no memory");
    sem_init(&maker.made, 0, 0);
    must(-pthread_create(&thread, NULL, make, NULL), "no thread");
    for (size_t i = 0; i < count; i++) {
        must(sem_wait(&maker.made), "a semaphore");
        took[i] = submit_since(maker.stamp[i]);
    }
    pthread_join(thread, NULL);
    free(maker.stamp);
}

static void open_nothing(const struct row *row) {}

static void close_nothing(void) {}

/* -------------------------------------------------------------------------- */

static void measure(const struct row *row, const struct row_case *c)
{
    static const struct submit floors[] = {
        [FROM_ONE] = { open_queue, tasks, NULL, NULL, close_queue, NULL, 1 },
        [FROM_FOUR] = { open_queue, tasks, NULL, NULL, close_queue, NULL, 1 },
        [IDLE] = { open_sleeper, NULL, ask, NULL, close_sleeper, NULL, 1 },
        [AWAKE] = { open_line, NULL, call_line, NULL, close_line, NULL, 1 },
        [ITEM_AWAKE] = { open_line, NULL, NULL, send_lines, close_line, NULL,
                         1 },
        [ITEM_ASLEEP] = { open_nothing, NULL, NULL, take_items, close_nothing,
                          NULL, 1 },
    };
    submit_measure(row, c, &floors[c->which]);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = SUBMIT_CASES(measure);
    struct row row = row_begin(argc, argv, "submit", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
