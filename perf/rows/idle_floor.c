/* idle_floor.c: threads that have worked, and wait for a semaphore. */
#include <pthread.h>
#include <semaphore.h>

#include "perf/rows/idle.h"

static sem_t ends;

static void *work(void *tasks)
{
    for (uint64_t i = (uintptr_t)tasks; i; i--)
        idle_work();
    must(sem_wait(&ends), "a semaphore");
    return NULL;
}

static void after_work(const struct row *row, const struct row_case *c)
{
    pthread_t *thread = calloc(row->workers, sizeof *thread);

    row_check(thread != NULL, "no memory");
    sem_init(&ends, 0, 0);
    for (unsigned i = 0; i < row->workers; i++)
        must(-pthread_create(&thread[i], NULL, work,
                             (void *)(uintptr_t)(IDLE_TASKS / row->workers)),
             "no thread");
    while (counted() < IDLE_TASKS / row->workers * row->workers)
        row_sleep_us(100);
    idle_look(row, c, NULL);
    for (unsigned i = 0; i < row->workers; i++)
        sem_post(&ends);
    for (unsigned i = 0; i < row->workers; i++)
        pthread_join(thread[i], NULL);
    free(thread);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = { { "after work", after_work, 0 } };
    struct row row = row_begin(argc, argv, "idle", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
