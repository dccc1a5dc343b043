/* pipe.h: what does the engine of a pipeline cost, for an item and stage? How
 * the row asks all contestants, and how each item is checked.
 *
 * An item is a slot with its number and how many stages it has seen. A stage in
 * order is given one item at a time, in the order of the source. C++ reads this
 * too. */
#ifndef WEFT_PERF_ROWS_PIPE_H
#define WEFT_PERF_ROWS_PIPE_H
#include "perf/rows/row.h"

enum { PIPE_MOST_STAGES = 16, PIPE_ITEMS = 1000000, PIPE_LEAST = 100 };

struct pipe_item {
    uint64_t number, seen;
};

struct pipe_stage {
    struct pipe_job *job;
    uint64_t index, next; /* the number of the next item, in order */
};

enum pipe_order { PIPE_ANY, PIPE_ORDERED, PIPE_MIXED };

struct pipe_job {
    enum pipe_order order;
    unsigned stages, tokens; /* items that may be on their way */
    uint64_t items, fed;
    bool wrong; /* is only ever set */
    struct pipe_stage stage[PIPE_MOST_STAGES];
};

/* Of the stages of a mixed one, every second is in order. */
static inline bool pipe_is_ordered(const struct pipe_job *job, unsigned stage)
{
    return job->order == PIPE_ORDERED ||
           (job->order == PIPE_MIXED && stage % 2);
}

static inline void pipe_wrong(struct pipe_job *job)
{
    __atomic_store_n(&job->wrong, true, __ATOMIC_RELAXED);
}

static inline void pipe_source(struct pipe_job *job, struct pipe_item *item)
{
    item->number = job->fed++;
    item->seen = 0;
}

static inline void pipe_any(struct pipe_stage *stage, struct pipe_item *item)
{
    if (__builtin_expect(item->seen++ != stage->index, 0))
        pipe_wrong(stage->job);
}

static inline void pipe_ordered(struct pipe_stage *stage,
                                struct pipe_item *item)
{
    if (__builtin_expect(item->number != stage->next++, 0))
        pipe_wrong(stage->job);
    pipe_any(stage, item);
}

/* ---- the cases ---------------------------------------------------------- */

struct pipe_contestant {
    void (*open)(const struct row *row);
    /* Runs it once: how many items have been through all stages. */
    uint64_t (*run)(struct pipe_job *job);
    void (*close)(void);
    const char *by; /* NULL: who the program is */
};

static inline uint64_t pipe_items(const struct row *row)
{
    return row_size(row, PIPE_ITEMS, PIPE_LEAST);
}

static inline double pipe_round(const struct pipe_contestant *contestant,
                                struct pipe_job job)
{
    for (unsigned i = 0; i < job.stages; i++)
        job.stage[i] = (struct pipe_stage){ &job, i, 0 };
    uint64_t began = wall_ns();
    uint64_t ended = contestant->run(&job);
    double took = (double)(wall_ns() - began);
    row_check(ended == job.items, "an item did not come out of the pipeline");
    row_check(!job.wrong, "an item was given to a stage before its time");
    return took / (double)job.items / job.stages;
}

static inline void pipe_measure(const struct row *row, const struct row_case *c,
                                const struct pipe_contestant *contestant)
{
    struct row_result r = {
        c->name, "item and stage", contestant->by, "ns", 0, 0, NULL, 0
    };
    struct pipe_job job = { PIPE_ANY, 0, 0, 0, 0, false, {} };

    job.stages = c->which % 100;
    job.tokens = c->which / 100 % 100;
    job.order = (enum pipe_order)(c->which / 10000);
    job.tokens = job.tokens ? job.tokens : 2 * row->workers;
    r.size = pipe_items(row);

    contestant->open(row);
    job.items = r.size / 10;
    pipe_round(contestant, job);
    job.items = r.size;
    r.value = pipe_round(contestant, job);
    row_tell(row, r);
    contestant->close();
}

/* Stages and tokens: 64, or two for each worker. */
#define PIPE_CASES_OF(measure, name, order)                                    \
    { name " 1x64", measure, (order)*10000u + 6401 },                          \
        { name " 4x64", measure, (order)*10000u + 6404 },                      \
        { name " 8x64", measure, (order)*10000u + 6408 },                      \
        { name " 16x64", measure, (order)*10000u + 6416 },                     \
        { name " 1x2W", measure, (order)*10000u + 1 },                         \
        { name " 4x2W", measure, (order)*10000u + 4 },                         \
        { name " 8x2W", measure, (order)*10000u + 8 },                         \
    {                                                                          \
        name " 16x2W", measure, (order)*10000u + 16                            \
    }

#define PIPE_CASES(measure)                                                    \
    {                                                                          \
        PIPE_CASES_OF(measure, "any", PIPE_ANY),                               \
            PIPE_CASES_OF(measure, "ordered", PIPE_ORDERED),                   \
            PIPE_CASES_OF(measure, "mixed", PIPE_MIXED)                        \
    }
#endif
