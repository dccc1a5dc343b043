/* pipeline_weft.c: stages that do nothing, with statistics and without.
 *
 * Tokens are items on their way, as with the rivals: slots. Of those a stage in
 * any order has all that come, one in order has one. */
#include "perf/rows/pipe.h"
#include "weft/weft.h"

static weft_sched *sched;
static weft_error why;
static bool statistics;

static int source(weft_worker *self, void *item, void *ctx)
{
    struct pipe_job *job = ctx;

    if (job->fed == job->items)
        return WEFT_END;
    pipe_source(job, item);
    return 0;
}

static int any(weft_worker *self, void *item, void *ctx)
{
    pipe_any(ctx, item);
    return 0;
}

static int ordered(weft_worker *self, void *item, void *ctx)
{
    pipe_ordered(ctx, item);
    return 0;
}

static void open_sched(const struct row *row)
{
    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
}

static weft_plan *draw(struct pipe_job *job)
{
    weft_plan *plan;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .bytes = sizeof(struct pipe_item), .slots = job->tokens },
        .statistics = statistics ? WEFT_TIMES : WEFT_COUNTS_ONLY));

    weft_source(p, "numbers", source, job);
    for (unsigned i = 0; i < job->stages; i++) {
        bool in_order = pipe_is_ordered(job, i);
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        weft_stage(p, weft_config(stage, .name = name,
                                  .fn = in_order ? ordered : any,
                                  .ctx = &job->stage[i],
                                  .tokens = in_order ? 1 : WEFT_UNLIMITED,
                                  .order = in_order ? WEFT_INPUT : WEFT_ANY));
    }
    must(weft_pipeline_compile(&plan, p, &why), why.text);
    weft_pipeline_destroy(p);
    return plan;
}

static uint64_t run(struct pipe_job *job)
{
    weft_plan *plan = draw(job);
    struct weft_flow flow;
    struct weft_run *run;

    must(weft_start(&run, sched, plan, &why), why.text);
    must(weft_wait(run, -1, &why), why.text);
    must(weft_run_flow(run, 0, &flow), "no flow");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    return flow.delivered;
}

static void close_sched(void) { weft_sched_destroy(sched); }

static void measure(const struct row *row, const struct row_case *c)
{
    static const char *const by[] = { "weft", "weft statistics" };

    for (int i = 0; i < 2; i++) {
        statistics = i;
        pipe_measure(
            row, c,
            &(struct pipe_contestant){ open_sched, run, close_sched, by[i] });
    }
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = PIPE_CASES(measure);
    struct row row = row_begin(argc, argv, "pipeline", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
