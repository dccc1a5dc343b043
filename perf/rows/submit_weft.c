/* submit_weft.c: loose tasks, and a pipeline with a consumer. */
#include "perf/rows/submit.h"
#include "weft/weft.h"

static weft_sched *sched;
static weft_error why;

static int task(weft_worker *self, void *ctx)
{
    count_one();
    return 0;
}

static void tasks(uint64_t count)
{
    weft_error error = { "" };

    for (uint64_t i = 0; i < count; i++)
        must(weft_submit(sched, task, NULL, NULL, &error), error.text);
}

static void call(void)
{
    weft_future *future;

    must(weft_submit(sched, task, NULL, &future, &why), why.text);
    must(weft_future_wait(future, -1), "a task");
    weft_future_destroy(future);
}

/* ---- items --------------------------------------------------------------- */

struct stamps {
    uint64_t us;
    size_t left;
};

static int stamp(weft_worker *self, void *item, void *ctx)
{
    struct stamps *stamps = ctx;

    if (!stamps->left)
        return WEFT_END;
    stamps->left--;
    *(uint64_t *)item = submit_stamp(stamps->us);
    return 0;
}

static void items(const struct row *row, double *took, size_t count,
                  uint64_t us)
{
    struct stamps stamps = { us, count };
    weft_plan *plan;
    struct weft_run *run;
    void *item;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(uint64_t) },
                    .statistics = WEFT_COUNTS_ONLY));

    weft_source(p, "stamps", stamp, &stamps);
    weft_consumer(p, WEFT_ANY);
    must(weft_pipeline_compile(&plan, p, &why), why.text);
    weft_pipeline_destroy(p);
    must(weft_start(&run, sched, plan, &why), why.text);
    for (size_t i = 0; i < count; i++) {
        must(weft_next(run, &item, -1, &why) == 1 ? 0 : -EIO, why.text);
        took[i] = submit_since(*(uint64_t *)item);
        weft_release(item);
    }
    must(weft_wait(run, -1, &why), why.text);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
}

static void open_sched(const struct row *row)
{
    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
}

static void close_sched(void) { weft_sched_destroy(sched); }

static void measure(const struct row *row, const struct row_case *c)
{
    submit_measure(row, c,
                   &(struct submit){ open_sched, tasks, call, items,
                                     close_sched, NULL, 1 });
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = SUBMIT_CASES(measure);
    struct row row = row_begin(argc, argv, "submit", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
