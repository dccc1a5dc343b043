/* metg_floor.c: a stencil with the least that it takes.
 *
 * Each thread has its columns, calls the tasks of one step after the other, and
 * waits for those beside it to have done the step before. */
#include <pthread.h>
#include <stdatomic.h>

#include "perf/rows/metg.h"

typedef void task_fn(unsigned i);

static struct column_owner {
    _Alignas(64) atomic_uint steps; /* that it has done, in all runs */
    unsigned first, last;           /* its columns, without the last */
    pthread_t thread;
} * owners;

static unsigned workers, width, steps, runs;
static task_fn **tasks;
static atomic_uint asked; /* runs */
static atomic_bool ends;

static void wait_for(const atomic_uint *counter, unsigned value)
{
    for (unsigned spins = 1;
         atomic_load_explicit(counter, memory_order_acquire) < value; spins++) {
        if (spins % 1024)
            row_pause();
        else
            sched_yield();
    }
}

static void take_part(struct column_owner *self, unsigned run)
{
    unsigned done = run * steps;

    for (unsigned step = 0; step < steps; step++) {
        if (self != owners)
            wait_for(&self[-1].steps, done + step);
        if (self + 1 != owners + workers)
            wait_for(&self[1].steps, done + step);
        for (unsigned i = self->first; i < self->last; i++)
            tasks[step * width + i](step * width + i);
        atomic_store_explicit(&self->steps, done + step + 1,
                              memory_order_release);
    }
}

static void *work(void *self)
{
    for (unsigned run = 0;; run++) {
        wait_for(&asked, run + 1);
        if (ends)
            return NULL;
        take_part(self, run);
    }
}

static void draw(const struct shape *shape)
{
    width = shape->width;
    steps = shape->nodes / width;
    tasks = malloc(shape->nodes * sizeof *tasks);
    row_check(tasks != NULL, "no memory");
    for (unsigned i = 0; i < shape->nodes; i++)
        tasks[i] = shape_visit;
}

/* A thread is there for each worker, also where there are fewer columns. */
static void open_threads(const struct row *row, const struct shape *largest)
{
    workers = row->workers;
    owners = aligned_alloc(64, workers * sizeof *owners);
    row_check(owners != NULL, "no memory");
    memset(owners, 0, workers * sizeof *owners);
    for (unsigned w = 0; w < workers; w++) {
        owners[w].first = largest->width * w / workers;
        owners[w].last = largest->width * (w + 1) / workers;
        must(w ? -pthread_create(&owners[w].thread, NULL, work, &owners[w]) : 0,
             "no thread");
    }
}

static void run(void)
{
    asked = runs + 1;
    take_part(&owners[0], runs++);
    for (unsigned w = 1; w < workers; w++)
        wait_for(&owners[w].steps, runs * steps);
}

static void destroy(void) { free(tasks); }

static void close_threads(void)
{
    ends = true;
    asked = runs + 1;
    for (unsigned w = 1; w < workers; w++)
        pthread_join(owners[w].thread, NULL);
    free(owners);
}

static void measure(const struct row *row, const struct row_case *c)
{
    metg_measure(row, c,
                 &(struct graph_runner){ open_threads, draw, NULL, run, destroy,
                                         close_threads, NULL, 1, false });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = METG_CASES(measure);
    struct row row = row_begin(argc, argv, "metg", "floor");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
