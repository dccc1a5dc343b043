/* limit.h: what does a task cost that needs the one token that there is, or one
 * of two, and is it the same for ten times as many tasks? C++ reads this too.
 */
#ifndef WEFT_PERF_ROWS_LIMIT_H
#define WEFT_PERF_ROWS_LIMIT_H
#include "perf/rows/count.h"

enum {
    LIMIT_TASKS = 1000000,
    LIMIT_LEAST = 100,

    MOST_TOKENS = 2
};

static const uint64_t limit_looks = 2000;

/* Set while what is in the limit is looked at. */
static struct {
    bool looks, wrong;
    unsigned tokens, inside;
} limited;

/* What a task does. */
static inline void limited_task(void)
{
    if (__builtin_expect(limited.looks, 0)) {
        if (__atomic_fetch_add(&limited.inside, 1, __ATOMIC_RELAXED) >=
            limited.tokens)
            __atomic_store_n(&limited.wrong, true, __ATOMIC_RELAXED);
        for (int i = 0; i < 100; i++)
            row_pause();
        __atomic_fetch_sub(&limited.inside, 1, __ATOMIC_RELAXED);
    }
    count_one();
}

struct limiter {
    void (*open)(const struct row *row);
    void (*prepare)(uint64_t tasks, unsigned tokens); /* is not measured */
    void (*run)(void);
    void (*finish)(void);
    void (*close)(void);
    unsigned smaller; /* by how much: where it takes too long */
};

static inline double limit_run(const struct limiter *limiter, uint64_t tasks)
{
    uint64_t before = counted(), began;

    limiter->prepare(tasks, limited.tokens);
    began = wall_ns();
    limiter->run();
    double took = (double)(wall_ns() - began);
    limiter->finish();
    row_check(counted() - before == tasks, "a task did not run once");
    return took / (double)tasks;
}

static inline void limit_measure(const struct row *row,
                                 const struct row_case *c,
                                 const struct limiter *limiter)
{
    struct row_result r = { c->name, "task", NULL, "ns", 0, 0, NULL, 0 };
    uint64_t parts = c->which / 10;

    limited.tokens = c->which % 10;
    r.size = row_size(row, LIMIT_TASKS / parts / limiter->smaller, LIMIT_LEAST);
    limiter->open(row);
    limited.looks = true;
    limit_run(limiter, r.size < limit_looks ? r.size : limit_looks);
    limited.looks = false;
    row_check(!limited.wrong, "more tasks at a time than tokens");
    r.value = limit_run(limiter, r.size);
    row_tell(row, r);
    limiter->close();
}

/* Tokens, and the part of the tasks that there are. */
#define LIMIT_CASES(measure)                                                   \
    {                                                                          \
        { "1 token, 1e5 tasks", measure, 101 },                                \
            { "1 token, 1e6 tasks", measure, 11 },                             \
            { "2 tokens, 1e5 tasks", measure, 102 },                           \
            { "2 tokens, 1e6 tasks", measure, 12 },                            \
    }
#endif
