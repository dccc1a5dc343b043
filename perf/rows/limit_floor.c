/* limit_floor.c: as many threads as there are tokens take tasks from an array,
 * with one addition each. */
#include <pthread.h>
#include <stdatomic.h>

#include "perf/rows/limit.h"

typedef void task_fn(void);

static struct {
    task_fn **task;
    size_t count;
    unsigned workers, threads;
    _Alignas(64) atomic_size_t taken;
} queue;

static void *work(void *none)
{
    for (size_t i; (i = queue.taken++) < queue.count;)
        queue.task[i]();
    return NULL;
}

static void open_queue(const struct row *row) { queue.workers = row->workers; }

static void prepare(uint64_t tasks, unsigned tokens)
{
    queue.task = malloc(tasks * sizeof *queue.task);
    row_check(queue.task != NULL, "no memory");
    for (queue.count = 0; queue.count < tasks; queue.count++)
        queue.task[queue.count] = limited_task;
    queue.threads = queue.workers < tokens ? queue.workers : tokens;
    queue.taken = 0;
}

static void run(void)
{
    pthread_t thread[MOST_TOKENS];

    for (unsigned i = 1; i < queue.threads; i++)
        must(-pthread_create(&thread[i], NULL, work, NULL), "no thread");
    work(NULL);
    for (unsigned i = 1; i < queue.threads; i++)
        pthread_join(thread[i], NULL);
}

static void finish(void) { free(queue.task); }

static void close_queue(void) {}

static void measure(const struct row *row, const struct row_case *c)
{
    limit_measure(
        row, c,
        &(struct limiter){ open_queue, prepare, run, finish, close_queue, 1 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = LIMIT_CASES(measure);
    struct row row = row_begin(argc, argv, "limit", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
