/* loops.c: do loops, sums, prefixes and a sort get faster with workers?
 *
 *     loops [PERCENT [WORKERS]]
 *
 * Each is done by plain calls first: that is the floor. Then on one worker,
 * where nobody takes anything, and on all. A task is an index, or an element.
 * PERCENT makes all of it smaller. */
#include "perf/bench.h"
#include "weft/weft.h"

/* One thing to measure: with the worker NULL by plain calls. */
struct question {
    const char *name;
    void (*run)(weft_worker *self, struct question *q);
    uint64_t tasks;
    long result; /* must be the same for all */
};

/* ---- loops and a sort over arrays -------------------------------------- */

static size_t indices, elements;
static uint64_t *array, *scratch;

static uint64_t mixed(uint64_t i)
{
    i *= 0x9e3779b97f4a7c15u;
    return i ^ i >> 29;
}

static int fill(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    for (size_t i = begin; i < end; i++)
        array[i] = mixed(i);
    return 0;
}

static void ask_for(weft_worker *self, struct question *q)
{
    if (self)
        must(weft_for(self, 0, indices, fill, NULL, 0), "a loop");
    else
        fill(NULL, 0, indices, NULL);
    q->tasks = indices;
    q->result = (long)array[indices - 1];
}

static int add_up(weft_worker *self, size_t begin, size_t end, void *acc,
                  void *ctx)
{
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += mixed(i) % 1000;
    *(uint64_t *)acc += sum;
    return 0;
}

static void add_sums(void *into, const void *from, void *ctx)
{
    *(uint64_t *)into += *(const uint64_t *)from;
}

static void ask_reduce(weft_worker *self, struct question *q)
{
    const uint64_t zero = 0;
    uint64_t sum = 0;

    if (self)
        must(weft_reduce(self, &sum,
                         weft_config(reduce, .end = indices, .fold = add_up,
                                     .combine = add_sums, .identity = &zero,
                                     .bytes = sizeof zero)),
             "a sum");
    else
        add_up(NULL, 0, indices, &sum, NULL);
    q->tasks = indices;
    q->result = (long)sum;
}

static int fold(weft_worker *self, size_t begin, size_t end, void *acc,
                void *ctx)
{
    uint64_t sum = *(uint64_t *)acc;
    for (size_t i = begin; i < end; i++)
        sum += mixed(i) % 1000;
    *(uint64_t *)acc = sum;
    return 0;
}

static int write_sums(weft_worker *self, size_t begin, size_t end, void *acc,
                      void *ctx)
{
    uint64_t sum = *(uint64_t *)acc;
    for (size_t i = begin; i < end; i++)
        array[i] = sum += mixed(i) % 1000;
    *(uint64_t *)acc = sum;
    return 0;
}

static void ask_scan(weft_worker *self, struct question *q)
{
    const uint64_t zero = 0;
    uint64_t sum = 0;

    if (self)
        must(weft_scan(self, &sum,
                       weft_config(scan, .end = indices, .fold = fold,
                                   .write = write_sums, .combine = add_sums,
                                   .identity = &zero, .bytes = sizeof zero)),
             "prefixes");
    else
        write_sums(NULL, 0, indices, &sum, NULL);
    q->tasks = indices;
    q->result = (long)sum;
}

static int by_value(const void *a, const void *b, void *ctx)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void ask_sort(weft_worker *self, struct question *q)
{
    fill(NULL, 0, elements, NULL);
    if (self)
        must(weft_sort(self, array, elements, sizeof *array, by_value, NULL,
                       scratch),
             "a sort");
    else
        qsort_r(array, elements, sizeof *array, by_value, NULL);
    q->tasks = elements;
    q->result = (long)array[elements / 2];
}

/* ------------------------------------------------------------------------ */

static int ask_here(weft_worker *self, void *ctx)
{
    struct question *q = ctx;
    q->run(self, q);
    return 0;
}

/* The best of three, in nanoseconds for each task. */
static double best(weft_sched *sched, struct question *q)
{
    uint64_t least = UINT64_MAX;
    long first = 0;

    for (int i = 0; i < 3; i++) {
        uint64_t wall = wall_ns();
        if (sched)
            must(weft_call(sched, ask_here, q, NULL), q->name);
        else
            q->run(NULL, q);
        wall = wall_ns() - wall;
        least = wall < least ? wall : least;
        must(i && q->result != first ? -EIO : 0, "another result");
        first = q->result;
    }
    return (double)least / (double)q->tasks;
}

int main(int argc, char **argv)
{
    struct question questions[] = {
        { "for", ask_for, 0, 0 },
        { "reduce", ask_reduce, 0, 0 },
        { "scan", ask_scan, 0, 0 },
        { "sort", ask_sort, 0, 0 },
    };
    weft_sched *one, *all;
    weft_error why = { "" };

    size_t percent = argument(argc, argv, 1, 100);
    unsigned workers = (unsigned)argument(argc, argv, 2, 0);
    indices = 100000 * percent;
    elements = 10000 * percent;
    must(weft_sched_create(&one, weft_config(sched, .workers = 1), &why),
         why.text);
    must(weft_sched_create(&all, weft_config(sched, .workers = workers), &why),
         why.text);
    array = calloc(indices, sizeof *array);
    scratch = calloc(elements, sizeof *scratch);
    must(array && scratch ? 0 : -ENOMEM, "arrays");

    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        struct question *q = &questions[i];
        double plain = best(NULL, q);
        long result = q->result;
        double alone = best(one, q), together = best(all, q);
        must(q->result == result ? 0 : -EIO, "another result");
        printf("%-6s %9" PRIu64 " tasks: %6.1f ns each by plain calls, %6.1f "
               "on 1 worker, %6.1f on %u\n",
               q->name, q->tasks, plain, alone, together,
               weft_sched_workers(all));
    }
    free(array);
    free(scratch);
    weft_sched_destroy(all);
    weft_sched_destroy(one);
    return 0;
}
