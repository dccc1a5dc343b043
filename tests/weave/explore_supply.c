/* explore_supply.c: who feeds a pipeline and waits for bytes, beside those who
 * take the items, drain it, or cancel. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

enum { ITEMS = 2, COST = 8 };

struct number {
    int value;
};

static weft_sched *sched;
static weft_plan *plan;
static struct weft_run *run;
static _Atomic bool is_shared, is_left;
static _Atomic int fed;

static void wait_until(_Atomic bool *that)
{
    while (!load_acquire(that))
        weave_yield();
}

static void start(weft_pipeline *p)
{
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    sched = workers(1);
    weave_assert(!weft_start(&run, sched, plan, 0));
    store_release(&is_shared, true);
}

static void leave(void)
{
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- bytes --------------------------------------------------------------- */

static void begin_with_bytes_for_one(void)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline,
                    .items = { .bytes = sizeof(struct number),
                               .cost = COST,
                               .slots = ITEMS },
                    .budget_bytes = COST));

    weft_source_fed(p, "fed");
    weft_consumer(p, WEFT_INPUT);
    start(p);
}

static int take(void)
{
    int taken = 0, rc;
    void *item;

    while ((rc = weft_next(run, &item, -1, 0)) == 1) {
        weave_assert(((struct number *)item)->value == taken++);
        weft_release(item);
    }
    return rc ? rc : taken;
}

static void take_each(void)
{
    begin_with_bytes_for_one();
    weave_assert(take() == ITEMS);
    wait_until(&is_left);
    leave();
}

/* Nobody takes an item, so the second is never fed. */
static void cancel_who_waits(void)
{
    begin_with_bytes_for_one();
    weft_cancel(run);
    wait_until(&is_left);
    weave_assert(weft_wait(run, -1, 0) == -ECANCELED);
    leave();
}

static void fill(void *item, int number)
{
    *(struct number *)item = (struct number){ .value = number };
}

static void feed(int timeout_ms)
{
    wait_until(&is_shared);
    feed_all_of(run, ITEMS, timeout_ms, fill);
    store_release(&is_left, true);
}

static void feed_each(void) { feed(-1); }
static void feed_by_moments(void) { feed(1); }

/* Who holds the only bytes does so until who waits for some has been told. */
static void drain_who_waits(void)
{
    void *item;

    begin_with_bytes_for_one();
    weave_assert(weft_next(run, &item, -1, 0) == 1);
    weft_drain(run);
    wait_until(&is_left);
    weft_release(item);
    weave_assert(weft_next(run, &item, -1, 0) == 0);
    weave_assert(weft_wait(run, -1, 0) == 0);
    leave();
}

static void feed_until_told(void)
{
    void *item;
    int rc;

    wait_until(&is_shared);
    while (!(rc = weft_reserve(run, 0, &item, -1, 0)))
        weft_feed(item);
    weave_assert(rc == -EPIPE);
    store_release(&is_left, true);
}

static void take_one_by_one(void)
{
    void *item, *other;

    begin_with_bytes_for_one();
    for (int i = 0; i < ITEMS; i++) {
        weave_assert(weft_next(run, &item, -1, 0) == 1);
        weave_assert(weft_next(run, &other, 0, 0) == -ETIMEDOUT);
        weft_release(item);
    }
    while (load_acquire(&fed) < ITEMS)
        weave_yield();
    weave_assert(!weft_feed_end(run, 0, 0));
    weave_assert(weft_next(run, &item, -1, 0) == 0);
    leave();
}

/* What it is given for nothing it does not keep. */
static void feed_one_of_three(void)
{
    void *item;

    wait_until(&is_shared);
    for (int i = 0; i < 3; i++) {
        weave_assert(!weft_reserve(run, 0, &item, -1, 0));
        (i == 1 ? weft_feed : weft_unreserve)(item);
    }
    add_release(&fed, 1);
}

/* ---- an end -------------------------------------------------------------- */

static int gather(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static void end_input_twice(void)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 1 }));
    void *item;

    weft_source_fed(p, "fed");
    weft_gather(
        p,
        weft_config(gather, .name = "gather", .fn = gather, .count = ITEMS,
                    .items = { .bytes = sizeof(struct number), .slots = 1 }));
    weft_consumer(p, WEFT_ANY);
    start(p);
    weave_assert(!weft_reserve(run, 0, &item, -1, 0));
    weft_feed(item);
    weave_assert(!weft_feed_end(run, 0, 0) && !weft_feed_end(run, 0, 0));
    weave_assert(weft_next(run, &item, -1, 0) == 1);
    weft_release(item);
    weave_assert(weft_next(run, &item, -1, 0) == 0);
    leave();
}

static const struct weave_test tests[] = {
    { .name = "who_feeds_waits_for_bytes_and_has_them",
      .threads = { take_each, feed_each } },
    { .name = "who_waits_for_bytes_for_a_moment_loses_none",
      .threads = { take_each, feed_by_moments } },
    { .name = "who_waits_for_bytes_hears_of_a_cancel",
      .threads = { cancel_who_waits, feed_each } },
    { .name = "who_waits_for_bytes_hears_of_a_drain",
      .threads = { drain_who_waits, feed_until_told } },
    { .name = "two_who_feed_have_bytes_one_after_the_other",
      .threads = { take_one_by_one, feed_one_of_three, feed_one_of_three } },
    { .name = "an_input_that_is_ended_twice_ends_once",
      .threads = { end_input_twice } },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
