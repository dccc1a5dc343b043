/* empty_stages.h: a pipeline of stages that do nothing, or next to nothing. */
#ifndef WEFT_PERF_EMPTY_STAGES_H
#define WEFT_PERF_EMPTY_STAGES_H
#include "perf/bench.h"
#include "weft/weft.h"

enum { MOST_STAGES = 16 };

struct job {
    uint64_t items, fed;
    unsigned stages;
    enum weft_order order;
    bool counts_only;
    uint64_t steps; /* of work in each stage */
};

struct cost {
    uint64_t wall, cpu; /* ns */
};

static inline int next_number(weft_worker *self, void *item, void *ctx)
{
    struct job *job = ctx;

    if (job->fed == job->items)
        return WEFT_END;
    *(uint64_t *)item = job->fed++;
    return 0;
}

/* Each step waits for the one before. */
static inline uint64_t work(uint64_t steps)
{
    uint64_t x = steps;

    for (uint64_t i = 0; i < steps; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

static inline int do_steps(weft_worker *self, void *item, void *ctx)
{
    *(uint64_t *)item += work(((const struct job *)ctx)->steps);
    return 0;
}

static inline weft_plan *compiled(weft_pipeline *p)
{
    weft_error why = { "" };
    weft_plan *plan;

    must(weft_pipeline_compile(&plan, p, &why), why.text);
    weft_pipeline_destroy(p);
    return plan;
}

static inline weft_plan *plan_of_job(struct job *job)
{
    static const char *const names[MOST_STAGES] = { "1",  "2",  "3",  "4",
                                                    "5",  "6",  "7",  "8",
                                                    "9",  "10", "11", "12",
                                                    "13", "14", "15", "16" };
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(uint64_t) },
        .statistics = job->counts_only ? WEFT_COUNTS_ONLY : WEFT_TIMES));

    weft_source(p, "numbers", next_number, job);
    for (unsigned i = 0; i < job->stages; i++)
        weft_stage(p, weft_config(stage, .name = names[i], .fn = do_steps,
                                  .order = job->order, .ctx = job));
    return compiled(p);
}

/* Runs it once. */
static inline struct cost cost_of(weft_sched *sched, struct job *job)
{
    weft_error why = { "" };
    weft_plan *plan = plan_of_job(job);

    job->fed = 0;
    uint64_t wall = wall_ns(), cpu = cpu_ns();
    must(weft_run(sched, plan, &why), why.text);
    struct cost cost = { .wall = wall_ns() - wall, .cpu = cpu_ns() - cpu };
    weft_plan_destroy(plan);
    return cost;
}

static inline weft_sched *sched_of(unsigned workers)
{
    weft_error why = { "" };
    weft_sched *sched;

    must(
        weft_sched_create(&sched, weft_config(sched, .workers = workers), &why),
        why.text);
    return sched;
}

static inline int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Sorts them. */
static inline double median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_value);
    return values[count / 2];
}
#endif
