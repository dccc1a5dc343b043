/* test_run_end.c: graph/prun.c, run.c: how the end of a run of a pipeline is
 * told, its deadline, and mistakes in what it is given. */
#include <pthread.h>
#include <sched.h>

#include "tests/entries.h"
#include "tests/fed.h"

struct end {
    struct weft_run *run;
    _Atomic unsigned times;
    _Atomic int result;
    bool destroys;
};

static void told(struct weft_run *run, int result, void *ctx)
{
    struct end *e = ctx;
    if (e->destroys)
        weft_run_destroy(run);
    store_relaxed(&e->result, result);
    add_release(&e->times, 1); /* after all that it did */
}

static void wait_until_told(struct end *e)
{
    while (!load_acquire(&e->times))
        sched_yield();
}

static int give_three(weft_worker *self, void *item, void *ctx)
{
    return weft_item_number(item) == 3 ? WEFT_END : 0;
}

static int give_for_ever(weft_worker *self, void *item, void *ctx) { return 0; }

static void finish_one(void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1);
}

static weft_plan *plan_of(weft_stage_fn *source, _Atomic unsigned *finished)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .slots = 4, .finish = finish_one, .ctx = finished }));
    weft_source(p, "source", source, NULL);
    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing_to));
    return pipeline_plan(p);
}

Test(run_end, is_told_once_and_may_destroy_the_run, .timeout = 60)
{
    weft_sched *sched = workers(2);
    _Atomic unsigned finished = 0;
    weft_plan *three = plan_of(give_three, &finished);
    weft_plan *for_ever = plan_of(give_for_ever, &finished);
    unsigned rounds = TIMES(500, 100);

    for (unsigned i = 0; i < rounds; i++) {
        struct end e = { .destroys = true };
        unsigned deadline_ms = i % 2 ? 1 + i % 3 : 0;
        cr_assert_eq(weft_start_with(NULL, sched,
                                     deadline_ms ? for_ever : three,
                                     weft_config(run, .on_end = told, .ctx = &e,
                                                 .deadline_ms = deadline_ms),
                                     NULL),
                     0);
        wait_until_told(&e);
        cr_assert_eq(e.result, deadline_ms ? -ETIMEDOUT : 0);
        cr_assert_eq(e.times, 1);
    }
    weft_sched_destroy(sched); /* after the last call has returned */
    cr_assert_eq(finished, 4 * rounds);
    weft_plan_destroy(three);
    weft_plan_destroy(for_ever);
}

/* Its own stage cancels it, and its end destroys it. */
static int cancel_own(weft_worker *self, void *item, void *ctx)
{
    struct end *e = weft_run_context(item);
    if (weft_item_number(item) == 2)
        weft_cancel(e->run);
    return 0;
}

Test(run_end, a_run_that_cancels_itself_may_be_destroyed_at_its_end,
     .timeout = 60)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(NULL);

    weft_source(p, "source", give_for_ever, NULL);
    weft_stage(p, weft_config(stage, .name = "cancel", .fn = cancel_own));
    weft_plan *plan = pipeline_plan(p);
    for (int i = 0; i < TIMES(1000, 200); i++) {
        struct end e = { .destroys = true };
        cr_assert_eq(
            weft_start_with(&e.run, sched, plan,
                            weft_config(run, .on_end = told, .ctx = &e), NULL),
            0);
        wait_until_told(&e);
        cr_assert_eq(e.result, -ECANCELED);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- the deadline ------------------------------------------------------ */

Test(run_end, a_deadline_ends_a_run_not_earlier_than_it_says, .timeout = 60)
{
    weft_sched *sched = workers(2);
    _Atomic unsigned finished = 0;
    weft_plan *plan = plan_of(give_for_ever, &finished);
    struct weft_run *run;
    weft_error why;
    uint64_t before = wf_now_ns();

    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .deadline_ms = 30), NULL),
                 0);
    cr_assert_eq(weft_wait(run, -1, &why), -ETIMEDOUT);
    cr_assert(wf_now_ns() - before >= 30000000);
    cr_assert(says(&why, "the run took longer than its deadline of 30 ms"));
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(run_end, a_run_that_ends_before_its_deadline_leaves_nothing_behind,
     .timeout = 60)
{
    weft_sched *sched = workers(2);
    _Atomic unsigned finished = 0;
    weft_plan *plan = plan_of(give_three, &finished);

    for (int i = 0; i < TIMES(2000, 300); i++) {
        struct weft_run *run;
        cr_assert_eq(weft_start_with(&run, sched, plan,
                                     weft_config(run, .deadline_ms = UINT_MAX),
                                     NULL),
                     0);
        cr_assert_eq(result_of(run), 0);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched); /* it waits for what is under way */
}

/* ---- mistakes ---------------------------------------------------------- */

Test(run_end, mistakes_in_the_configuration_are_sentences)
{
    weft_sched *sched = workers(1);
    _Atomic unsigned finished = 0;
    weft_plan *plan = plan_of(give_three, &finished);
    struct weft_run *run = NULL;
    struct end e = { 0 };
    weft_error why;

    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .priority = 101), &why),
                 -EINVAL);
    cr_assert(says(&why, "the priority is 101: it is at most 100"));
    cr_assert_eq(weft_start_with(NULL, sched, plan, NULL, &why), -EINVAL);
    cr_assert(says(&why, "nobody would know of the run: it has neither `out` "
                         "nor on_end"));
    cr_assert_eq(run, NULL);
    cr_assert_eq(finished, 0);
    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .priority = 100,
                                             .on_end = told, .ctx = &e),
                                 NULL),
                 0);
    cr_assert_eq(result_of(run), 0);
    /* A caller that knows fewer members. */
    struct weft_run_config old = {
        .size = offsetof(struct weft_run_config, deadline_ms), .deadline_ms = 1
    };
    cr_assert_eq(weft_start_with(&run, sched, plan, &old, NULL), 0);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    cr_assert_eq(e.times, 1);
    cr_assert_eq(finished, 8);
}
