/* explore_account.c: the account of a run that is about to end. */
#include "graph/account.h"

#include <stdlib.h>

#include "graph/pipeline.h"
#include "tests/weave/weave.h"

static struct stage drawn = { .uses = { { .tokens = 1 } }, .use_count = 1 };
static const struct pipeline_plan plan = { .stages = &drawn, .stage_count = 1 };
static struct pipeline_run run = { .plan = &plan };
static _Atomic uint64_t busy; /* the limit, which others use too */

/* What account.c asks of the run. */
const struct plan_kind wf_pipeline_kind;

void weft_limit_stats(weft_limit *limit, struct weft_limit_stats *out)
{
    out->busy_ns = load_relaxed(&busy);
}

int weft_run_flow(struct weft_run *base, unsigned segment,
                  struct weft_flow *out)
{
    *out = (struct weft_flow){ 0 };
    return 0;
}

int weft_run_sink(struct weft_run *base, struct weft_sink_stats *out)
{
    return 0;
}

int weft_run_stage(struct weft_run *base, unsigned stage,
                   struct weft_stage_stats *out)
{
    weave_fail("no stage is shown");
}

uint64_t wf_segment_open(struct segment *s, uint64_t start)
{
    weave_fail("there is no segment");
}

uint64_t wf_segment_blocked(struct segment *s)
{
    weave_fail("there is no segment");
}

double wf_pipeline_ns_per_tick(struct pipeline_run *it) { return 1; }

static void begin(void) { weave_assert(!wf_account_begin(&run)); }

static void end(void)
{
    store_relaxed(&busy, 7);
    wf_account_end(&run);
    store_relaxed(&busy, 9);
}

/* What was taken after the end stays what it was. */
static void take_two(void)
{
    struct account first, second;

    weave_assert(!wf_account_take(&first, &run));
    bool over = load_relaxed(&run.end_ns);
    weave_assert(!wf_account_take(&second, &run));
    if (over)
        weave_assert(second.limits[0] == 7);
    wf_account_finish(&first);
    wf_account_finish(&second);
}

static void free_limits(void) { free(run.limits); }

static const struct weave_test tests[] = {
    { .name = "an_account_is_taken_before_the_end_or_as_of_it",
      .setup = begin,
      .threads = { end, take_two },
      .check = free_limits,
      .interruptions = 4,
      .stale = 2,
      .most = 20000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
