/* submit.h: what does a task cost that comes from outside, how long does one
 * take that is waited for, and an item on its way to a thread that takes it?
 *
 * Of latencies, in us: "idle" is submitted when the workers have slept for 2
 * ms, "awake" right after another. An item is stamped where it is made: 2 us
 * after the one before while the thread that takes is "awake", or 200 us. C++
 * reads this too. */
#ifndef WEFT_PERF_ROWS_SUBMIT_H
#define WEFT_PERF_ROWS_SUBMIT_H
#include <pthread.h>

#include "perf/rows/count.h"

enum { SUBMIT_TASKS = 1000000, SUBMIT_LATENCIES = 500, SUBMIT_LEAST = 20 };
enum { SUBMIT_IDLE_US = 2000, ITEM_AWAKE_US = 2, ITEM_ASLEEP_US = 200 };

/* ---- the question -------------------------------------------------------- */

struct submit {
    void (*open)(const struct row *row);
    /* Submits so many tasks that count; on several threads at a time. */
    void (*tasks)(uint64_t count);
    void (*call)(void); /* submits a task and waits for it */
    /* How long each item took, in us, from its stamp to the thread that calls.
     * The items come so many us one after the other. */
    void (*items)(const struct row *row, double *took, size_t count,
                  uint64_t us);
    void (*close)(void);
    const char *by;   /* NULL: who the program is */
    unsigned smaller; /* by how much: where it takes too long */
};

struct submit_part {
    const struct submit *submit;
    uint64_t count;
    pthread_t thread;
};

static inline void *submit_from_thread(void *ctx)
{
    struct submit_part *part = (struct submit_part *)ctx;
    part->submit->tasks(part->count);
    return NULL;
}

enum { SUBMIT_MOST = 4 };

/* From so many threads: until all have run. */
static inline double submit_all(const struct submit *submit, unsigned threads,
                                uint64_t count)
{
    struct submit_part part[SUBMIT_MOST];
    uint64_t before = counted(), each = count / threads;
    uint64_t began = wall_ns();

    for (unsigned i = 0; i < threads; i++) {
        part[i].submit = submit;
        part[i].count = each;
        if (threads > 1)
            must(-pthread_create(&part[i].thread, NULL, submit_from_thread,
                                 &part[i]),
                 "no thread");
        else
            submit->tasks(each);
    }
    while (counted() - before < each * threads)
        row_sleep_us(20);
    double took = (double)(wall_ns() - began);
    for (unsigned i = 0; threads > 1 && i < threads; i++)
        pthread_join(part[i].thread, NULL);
    row_sleep_us(1000);
    row_check(counted() - before == each * threads, "a task did not run once");
    return took / (double)(each * threads);
}

static inline void submit_latencies(const struct submit *submit, double *took,
                                    size_t count, uint64_t pause_us)
{
    for (size_t i = 0; i < count; i++) {
        if (pause_us)
            row_sleep_us(pause_us);
        uint64_t before = counted(), began = wall_ns();
        submit->call();
        took[i] = (double)(wall_ns() - began) / 1000;
        row_check(counted() == before + 1, "it has not run");
    }
}

enum submit_case { FROM_ONE, FROM_FOUR, IDLE, AWAKE, ITEM_AWAKE, ITEM_ASLEEP };

static inline void submit_measure(const struct row *row,
                                  const struct row_case *c,
                                  const struct submit *submit)
{
    size_t count = row_size(row, SUBMIT_LATENCIES, SUBMIT_LEAST);
    uint64_t tasks =
        row_size(row, SUBMIT_TASKS / submit->smaller, SUBMIT_LEAST);
    double *took = (double *)calloc(count, sizeof *took);
    struct row_result r = { c->name, "latency", submit->by, "us",
                            0,       0,         took,       count };

    row_check(took != NULL, "no memory");
    submit->open(row);
    switch ((enum submit_case)c->which) {
    case FROM_ONE:
    case FROM_FOUR: {
        unsigned threads = c->which == FROM_ONE ? 1 : SUBMIT_MOST;
        r.what = "task";
        r.unit = "ns";
        r.seen = NULL;
        r.size = tasks;
        submit_all(submit, threads, tasks / 10);
        r.value = submit_all(submit, threads, tasks);
        break;
    }
    case IDLE:
    case AWAKE:
        submit_latencies(submit, took, SUBMIT_LEAST, 0);
        submit_latencies(submit, took, count,
                         c->which == IDLE ? SUBMIT_IDLE_US : 0);
        break;
    case ITEM_AWAKE:
    case ITEM_ASLEEP:
        submit->items(row, took, SUBMIT_LEAST, ITEM_AWAKE_US);
        submit->items(row, took, count,
                      c->which == ITEM_AWAKE ? ITEM_AWAKE_US : ITEM_ASLEEP_US);
        break;
    }
    row_tell(row, r);
    submit->close();
    free(took);
}

/* The time of the next item: near ones are waited for without sleep. */
static inline uint64_t submit_stamp(uint64_t us)
{
    uint64_t until = wall_ns() + us * 1000;

    if (us >= ITEM_ASLEEP_US)
        row_sleep_us(us);
    else
        while (wall_ns() < until)
            row_pause();
    return wall_ns();
}

static inline double submit_since(uint64_t stamp)
{
    return (double)(wall_ns() - stamp) / 1000;
}

#define SUBMIT_CASES(measure)                                                  \
    {                                                                          \
        { "from 1 thread", measure, FROM_ONE },                                \
            { "from 4 threads", measure, FROM_FOUR },                          \
            { "idle", measure, IDLE }, { "awake", measure, AWAKE },            \
            { "item awake", measure, ITEM_AWAKE },                             \
            { "item asleep", measure, ITEM_ASLEEP },                           \
    }
#endif
