/* explore_run.c: runs and those outside of them: who waits, cancels, feeds,
 * takes, and destroys the run as soon as it may. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

enum { NODES = 2, ITEMS = 2 };

static weft_sched *sched;
static weft_plan *plan;
static struct weft_run *run;
static _Atomic bool is_shared, is_left; /* the run, and by the other thread */
static int calls[NODES];                /* plain: of each node its own */
static int ends, result;                /* plain: of on_end */
static int fed, made, seen[ITEMS];      /* plain: one after the other */

static void ended(struct weft_run *it, int rc, void *ctx)
{
    ends++;
    result = rc;
}

static void start_with(unsigned deadline_ms)
{
    weave_assert(!weft_start_with(
        &run, sched, plan,
        weft_config(run, .on_end = ended, .deadline_ms = deadline_ms), 0));
    store_release(&is_shared, true);
}

static void start(void) { start_with(0); }

static void wait_for_run(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
}

/* The scheduler's end is after on_end, which nobody else waits for. */
static void finish(int rc)
{
    weft_sched_destroy(sched);
    weft_plan_destroy(plan);
    weave_assert(ends == 1 && result == rc);
}

static void begin_graph(void)
{
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, 0, count, &calls[0]);

    weft_after(g, weft_task(g, 0, count, &calls[1]), first);
    weave_assert(!weft_compile(&plan, g, 0));
    weft_graph_destroy(g);
    sched = workers(1);
    start();
}

static void all_ran(int rc)
{
    weave_assert(rc == 0 || rc == -ECANCELED);
    weave_assert(calls[0] <= 1 && calls[1] <= calls[0]);
    if (!rc)
        weave_assert(calls[1] == 1);
}

/* What it was told once is what it is told ever after. */
static void wait_while_cancelled(void)
{
    begin_graph();
    int rc = weft_wait(run, -1, 0);
    all_ran(rc);
    while (!load_acquire(&is_left))
        weave_yield();
    weave_assert(weft_wait(run, 0, 0) == rc);
    weft_run_destroy(run);
    finish(rc);
}

static void cancel(void)
{
    wait_for_run();
    weft_cancel(run);
    store_release(&is_left, true);
}

static void wait_too(void)
{
    wait_for_run();
    int rc = weft_wait(run, -1, 0);
    all_ran(rc);
    store_release(&is_left, true);
}

static void wait_for_a_moment(void)
{
    begin_graph();
    int rc = weft_wait(run, 1, 0);
    weave_assert(rc == 0 || rc == -ETIMEDOUT);
    if (rc)
        weave_assert(!weft_wait(run, -1, 0));
    weft_run_destroy(run);
    all_ran(0);
    finish(0);
}

static void destroy_at_once(void)
{
    begin_graph();
    weft_run_destroy(run);
    all_ran(0);
    finish(0);
}

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static void begin_pipeline(void)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(int), .slots = 1 }));

    weft_source_fed(p, "fed");
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass, .tokens = 1));
    weft_consumer(p, WEFT_INPUT);
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    sched = workers(1);
    start();
}

static void fill(void *item, int number) { *(int *)item = fed++; }

/* With one slot, the second waits until the first is released. */
static void feed(int timeout_ms)
{
    wait_for_run();
    feed_all_of(run, ITEMS, timeout_ms, fill);
    store_release(&is_left, true);
}

static void feed_all(void) { feed(-1); }
static void feed_by_moments(void) { feed(1); }

/* The number of items taken, or the error. */
static int take(int timeout_ms)
{
    int rc, taken = 0;
    void *item;

    for (;;) {
        do
            rc = weft_next(run, &item, timeout_ms, 0);
        while (rc == -ETIMEDOUT);
        if (rc != 1)
            break;
        weave_assert(*(int *)item == taken);
        seen[taken++]++;
        weft_release(item);
    }
    return rc ? rc : taken;
}

static void leave_pipeline(int rc)
{
    while (!load_acquire(&is_left))
        weave_yield();
    weave_assert(weft_wait(run, -1, 0) == rc);
    weft_run_destroy(run);
    finish(rc);
}

static void take_all(void)
{
    begin_pipeline();
    weave_assert(take(-1) == ITEMS);
    leave_pipeline(0);
}

static void take_by_moments(void)
{
    begin_pipeline();
    weave_assert(take(1) == ITEMS);
    leave_pipeline(0);
}

/* Who waits for a slot, or for an item, is told. */
static void take_and_cancel(void)
{
    void *item;

    begin_pipeline();
    int rc = weft_next(run, &item, -1, 0);
    weave_assert(rc == 1);
    weft_cancel(run);
    weft_release(item);
    while ((rc = weft_next(run, &item, -1, 0)) == 1)
        weft_release(item);
    weave_assert(rc == -ECANCELED);
    leave_pipeline(-ECANCELED);
}

/* ---- stopped from outside, or by a deadline ------------------------------ */

/* With one slot: the next is not made before the first is released. */
static int make_for_ever(weft_worker *self, void *item, void *ctx)
{
    *(int *)item = made++;
    return 0;
}

static int make_each(weft_worker *self, void *item, void *ctx)
{
    return made == ITEMS ? WEFT_END : make_for_ever(self, item, ctx);
}

static void begin_source(weft_stage_fn *fn, bool is_taken, unsigned deadline_ms)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(int), .slots = 1 }));

    weft_source(p, "make", fn, 0);
    if (is_taken)
        weft_consumer(p, WEFT_INPUT);
    else
        weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    sched = workers(2);
    start_with(deadline_ms);
}

/* That there will be no other is told while it has the one. */
static void take_one(void)
{
    void *item, *other;
    int rc = weft_next(run, &item, -1, 0);

    if (rc == 1) {
        weave_assert(weft_next(run, &other, -1, 0) <= 0);
        weft_release(item);
    }
}

static void take_one_of_many(void)
{
    begin_source(make_for_ever, true, 0);
    take_one();
    leave_pipeline(0);
}

static void take_one_in_vain(void)
{
    begin_source(make_for_ever, true, 0);
    take_one();
    leave_pipeline(-ECANCELED);
}

static void drain(void)
{
    wait_for_run();
    weft_drain(run);
    store_release(&is_left, true);
}

static void feed_until_told(void)
{
    void *item;
    int rc;

    wait_for_run();
    while (!(rc = weft_reserve(run, 0, &item, -1, 0)))
        weft_feed(item);
    weave_assert(rc == -EPIPE);
    store_release(&is_left, true);
}

/* Who waits for a slot is told while none is free. */
static void take_and_drain(void)
{
    void *item;

    begin_pipeline();
    weave_assert(weft_next(run, &item, -1, 0) == 1);
    weft_drain(run);
    while (!load_acquire(&is_left))
        weave_yield();
    weft_release(item);
    weave_assert(weft_next(run, &item, -1, 0) == 0);
    leave_pipeline(0);
}

static void stop_what_is_over(void)
{
    begin_source(make_each, false, 0);
    weave_assert(weft_wait(run, -1, 0) == 0);
    weft_drain(run);
    weft_cancel(run);
    weave_assert(weft_wait(run, -1, 0) == 0);
    weft_run_destroy(run);
    finish(0);
}

static void run_to_a_deadline(void)
{
    begin_source(make_each, false, 1);
    int rc = weft_wait(run, -1, 0);
    weave_assert((rc == 0 && made == ITEMS) || rc == -ETIMEDOUT);
    weft_run_destroy(run);
    finish(rc);
}

static void take_one_until_a_deadline(void)
{
    begin_source(make_for_ever, true, 1);
    take_one();
    weft_run_destroy(run);
    finish(-ETIMEDOUT);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_cancel_is_the_result_or_has_none",
          .threads = { wait_while_cancelled, cancel } },
        { .name = "two_hear_of_the_end",
          .threads = { wait_while_cancelled, wait_too } },
        { .name = "a_wait_times_out_or_the_run_has_ended",
          .threads = { wait_for_a_moment } },
        { .name = "a_run_that_is_destroyed_has_ended",
          .threads = { destroy_at_once } },
        { .name = "what_is_fed_is_taken", .threads = { take_all, feed_all } },
        { .name = "no_item_is_lost_by_a_timeout",
          .threads = { take_by_moments, feed_by_moments } },
        { .name = "who_feeds_and_who_takes_hear_of_a_cancel",
          .threads = { take_and_cancel, feed_all } },
        { .name = "who_feeds_hears_of_a_drain",
          .threads = { take_and_drain, feed_until_told } },
        { .name = "a_source_that_waits_for_a_slot_is_ended_by_a_drain",
          .threads = { take_one_of_many, drain } },
        { .name = "a_source_that_waits_for_a_slot_is_ended_by_a_cancel",
          .threads = { take_one_in_vain, cancel } },
        { .name = "what_is_over_is_not_stopped_any_more",
          .threads = { stop_what_is_over } },
        { .name = "a_run_ends_in_time_or_by_its_deadline",
          .threads = { run_to_a_deadline } },
        { .name = "who_takes_hears_of_a_deadline",
          .threads = { take_one_until_a_deadline } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
