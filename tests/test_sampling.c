/* test_sampling.c: of how many items the times are taken. */
#include "graph/pipeline.h"

#include <inttypes.h>
#include <stdio.h>

#include "tests/test.h"
#include "tests/times.h"

static struct sample fast(void)
{
    struct sample s;

    sample_init(&s, true);
    sample_paced(&s, s.paced_at + PACED_NS - 1);
    return s;
}

Test(sampling, without_statistics_nobody_is_timed)
{
    struct sample s;

    sample_init(&s, false);
    for (unsigned i = 0; i < 10 * PACED; i++) {
        cr_assert_eq(sample_next(&s), 0);
        sample_left(&s);
    }
}

Test(sampling, everyone_is_timed_before_it_is_known_how_fast_they_are)
{
    struct sample s;

    sample_init(&s, true);
    for (unsigned i = 0; i < PACED - 1; i++)
        sample_left(&s);
    for (unsigned i = 0; i < 10 * PACED; i++)
        cr_assert_eq(sample_next(&s), 1);
}

Test(sampling, of_fast_ones_each_group_has_one_that_counts_for_all)
{
    struct sample s = fast();
    unsigned places[GROUP] = { 0 };

    for (unsigned group = 0; group < 1000; group++) {
        unsigned timed = 0;
        for (unsigned i = 0; i < GROUP; i++) {
            unsigned weight = sample_next(&s);
            cr_assert(weight == 0 || weight == GROUP);
            places[i] += weight / GROUP;
            timed += weight / GROUP;
        }
        cr_assert_eq(timed, 1);
    }
    for (unsigned i = 0; i < GROUP; i++)
        cr_assert(places[i] > 100 && places[i] < 150);
}

Test(sampling, of_slow_ones_all_are_timed_again)
{
    struct sample s = fast();

    sample_paced(&s, s.paced_at + PACED_NS);
    for (unsigned i = 0; i < 10 * GROUP; i++)
        cr_assert_eq(sample_next(&s), 1);
}

/* ---- of a run ------------------------------------------------------------ */

/* For how many items do the latencies count that were taken? */
static uint64_t latencies_of(const struct weft_run *run, unsigned stage)
{
    const struct counts *c = &((const struct pipeline_run *)run)->counts;
    uint64_t sum = 0;

    for (unsigned w = 0; w < c->workers; w++)
        for (unsigned i = 0; i < BUCKETS; i++)
            sum += load_relaxed(&wf_counts_of(c, w, stage)->latency[i]);
    return sum;
}

static uint64_t made, to_make;

static int number(weft_worker *self, void *item, void *ctx)
{
    return made++ < to_make ? 0 : WEFT_END;
}

static int nothing(weft_worker *self, void *item, void *ctx) { return 0; }

/* All but a group, wherever it is found that they have become fast or slow. */
Test(sampling, those_that_are_timed_stand_for_all)
{
    uint64_t spare = GROUP;
    weft_sched *sched;
    weft_plan *plan;
    struct weft_run *run;

    to_make = TIMES(100000, 10000);
    spare *= to_make / PACED + 1;
    cr_assert_eq(weft_sched_create(&sched, NULL, NULL), 0);
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = { .bytes = 8 }));
    weft_source(p, "numbers", number, NULL);
    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    uint64_t timed = latencies_of(run, 1);
    fprintf(stderr, "%" PRIu64 " of %" PRIu64 "\n", timed, to_make);
    cr_assert(timed >= to_make - spare);
    cr_assert(timed <= to_make + spare);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
