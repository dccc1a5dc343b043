/* explore_items.c: items that pend, are late, are asked to end, or wait for
 * bytes, by workers and who completes them, cancels, or feeds. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

enum { ITEMS = 2, COST = 8 };

struct number {
    int value, stages;
};

static weft_sched *sched;
static weft_plan *plan;
static struct weft_run *run;
static int made, seen[ITEMS]; /* plain: of each item its own */
static struct number *pending[ITEMS];
static _Atomic bool pends_now[ITEMS], is_shared, is_left, is_over;
static _Atomic int asked; /* of all items */

static void wait_until(_Atomic bool *that)
{
    while (!load_acquire(that))
        weave_yield();
}

static int make(weft_worker *self, void *item, void *ctx)
{
    if (made == ITEMS)
        return WEFT_END;
    *(struct number *)item = (struct number){ .value = made++ };
    return 0;
}

/* Its completion may come before it has returned. */
static int pends(weft_worker *self, void *item, void *ctx)
{
    struct number *n = item;
    int i = n->value;

    pending[i] = n;
    store_release(&pends_now[i], true);
    seen[i]++;
    return WEFT_PENDING;
}

static int end(weft_worker *self, void *item, void *ctx)
{
    struct number *n = item;

    weave_assert(n->stages == 1 && seen[n->value]++ == 1);
    return 0;
}

/* Not before the stage has returned, and the item does not go on meanwhile. */
static void ask(void *item, void *ctx)
{
    weave_assert(seen[((struct number *)item)->value] == 1);
    add_relaxed(&asked, 1);
}

/* A source, this stage, and one that comes after. */
static void begin_with(const struct weft_stage_config *stage, uint64_t seed)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct number), .slots = 2 }));

    weft_source(p, "make", make, 0);
    weft_stage(p, stage);
    weft_stage(p, weft_config(stage, .name = "end", .fn = end, .tokens = 2));
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = 2, .spin_us = 1, .seed = seed),
        0));
    weave_assert(!weft_start(&run, sched, plan, 0));
    store_release(&is_shared, true);
}

static void begin(unsigned deadline_ms)
{
    begin_with(weft_config(stage, .name = "pends", .fn = pends, .tokens = 2,
                           .deadline_ms = deadline_ms,
                           .cancel = deadline_ms ? ask : NULL),
               0);
}

static void leave(void)
{
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Those that began: a run that was stopped may have begun none. */
static void complete_each(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        while (!load_acquire(&pends_now[i])) {
            if (load_acquire(&is_over))
                return;
            weave_yield();
        }
        pending[i]->stages++;
        weft_complete(NULL, pending[i], 0);
    }
}

static int wait_for_end(void)
{
    int rc = weft_wait(run, -1, 0);

    store_release(&is_over, true);
    return rc;
}

static void run_what_pends(void)
{
    begin(0);
    weave_assert(wait_for_end() == 0);
    leave();
    for (unsigned i = 0; i < ITEMS; i++)
        weave_assert(seen[i] == 2);
}

static void run_what_may_be_late(void)
{
    begin(1);
    int rc = wait_for_end();
    weave_assert(rc == 0 || rc == -ETIMEDOUT);
    weave_assert(rc || (seen[0] == 2 && seen[1] == 2));
    weave_assert(load_relaxed(&asked) <= ITEMS);
    leave();
}

static void run_what_is_cancelled(void)
{
    begin(1000);
    int rc = wait_for_end();
    weave_assert(rc == 0 || rc == -ECANCELED || rc == -ETIMEDOUT);
    weave_assert(load_relaxed(&asked) <= ITEMS);
    wait_until(&is_left);
    leave();
}

static void cancel(void)
{
    wait_until(&is_shared);
    weft_cancel(run);
    store_release(&is_left, true);
}

/* ---- a thread of its own ------------------------------------------------- */

/* Plain: only the stage's thread calls it. */
static int on_its_thread(weft_worker *self, void *item, void *ctx)
{
    struct number *n = item;

    ++*(int *)ctx;
    n->stages++;
    seen[n->value]++;
    return 0;
}

/* With a seed threads outside have turns as workers do, and time is theirs. */
static void run_on_a_thread(uint64_t seed)
{
    int calls = 0;

    begin_with(weft_config(stage, .name = "pinned", .fn = on_its_thread,
                           .ctx = &calls, .kind = WEFT_PINNED),
               seed);
    weave_assert(weft_wait(run, -1, 0) == 0 && calls == ITEMS);
    leave();
}

static void run_pinned(void) { run_on_a_thread(0); }
static void play_pinned(void) { run_on_a_thread(1); }

/* ---- who looks ----------------------------------------------------------- */

static int work(weft_worker *self, void *item, void *ctx)
{
    struct number *n = item;

    n->stages++;
    seen[n->value]++;
    return 0;
}

/* It returns as its timer goes off. */
static void run_what_has_a_deadline(void)
{
    begin_with(weft_config(stage, .name = "work", .fn = work, .tokens = 2,
                           .deadline_ms = 1),
               0);
    int rc = weft_wait(run, -1, 0);
    weave_assert(rc == -ETIMEDOUT || (rc == 0 && seen[0] == 2 && seen[1] == 2));
    leave();
}

static void run_what_is_looked_at(void)
{
    begin_with(weft_config(stage, .name = "work", .fn = work, .tokens = 2), 0);
    weave_assert(weft_wait(run, -1, 0) == 0);
    wait_until(&is_left);
    leave();
}

static void hear_of_it(void *ctx, const char *what, const char *text)
{
    weave_assert(*what && *text);
}

static void look(void)
{
    wait_until(&is_shared);
    weave_assert(!weft_run_report(run, hear_of_it, NULL));
    store_release(&is_left, true);
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
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    sched = workers(1);
    weave_assert(!weft_start(&run, sched, plan, 0));
    store_release(&is_shared, true);
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

static const struct weave_test tests[] = {
    { .name = "an_item_that_pends_goes_on_when_it_has_returned_and_is_complete",
      .threads = { run_what_pends, complete_each } },
    { .name = "a_pending_item_is_complete_or_late",
      .threads = { run_what_may_be_late, complete_each } },
    { .name = "a_pending_item_is_asked_to_end_as_the_run_is_cancelled",
      .threads = { run_what_is_cancelled, complete_each, cancel } },
    { .name = "an_attempt_that_returns_is_in_time_or_late",
      .threads = { run_what_has_a_deadline } },
    { .name = "an_item_goes_to_a_thread_and_comes_back",
      .threads = { run_pinned } },
    { .name = "so_it_does_in_turns_with_a_seed", .threads = { play_pinned } },
    { .name = "who_looks_does_so_before_the_end_or_after_it",
      .threads = { run_what_is_looked_at, look } },
    { .name = "who_feeds_waits_for_bytes_and_has_them",
      .threads = { take_each, feed_each } },
    { .name = "who_waits_for_bytes_for_a_moment_loses_none",
      .threads = { take_each, feed_by_moments } },
    { .name = "who_waits_for_bytes_hears_of_a_cancel",
      .threads = { cancel_who_waits, feed_each } },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
