/* explore_items.c: items that pend, are late, are asked to end, or are tried
 * again, by workers and who completes them, cancels, or looks. */
#include <errno.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

enum { ITEMS = 2 };

struct number {
    int value, stages;
};

static weft_sched *sched;
static weft_plan *plan;
static struct weft_run *run;
static int made, seen[ITEMS]; /* plain: of each item its own */
static struct number *pending[ITEMS];
static _Atomic bool pends_now[ITEMS], is_shared, is_left, is_over;
static _Atomic bool is_made, is_called;
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
    store_release(&is_made, true);
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

/* What is only asked to end as the run is cancelled has a timer for that. */
static void run_what_could_be_asked(void)
{
    begin_with(weft_config(stage, .name = "pends", .fn = pends, .tokens = 2,
                           .cancel = ask),
               0);
    weave_assert(wait_for_end() == 0 && load_relaxed(&asked) == 0);
    leave();
}

/* ---- who pends until asked ----------------------------------------------- */

/* Plain: whoever asks does so after the return, and completes it. */
static int pends_until_asked(weft_worker *self, void *item, void *ctx)
{
    ++*(int *)ctx;
    store_release(&is_called, true);
    return WEFT_PENDING;
}

static void end_input(void *item, void *ctx)
{
    weave_assert(--*(int *)ctx == 0);
    weft_complete(NULL, item, WEFT_END);
}

static void give_up(void *item, void *ctx)
{
    weave_assert(--*(int *)ctx == 0);
    weft_complete(NULL, item, -ECANCELED);
}

static int gather(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static void start(weft_pipeline *p)
{
    weave_assert(!weft_pipeline_compile(&plan, p, 0));
    weft_pipeline_destroy(p);
    sched = workers(2);
    weave_assert(!weft_start(&run, sched, plan, 0));
}

static void reset(void *item, void *ctx)
{
    ((struct number *)item)->value = -1;
}

static weft_pipeline *drawing(unsigned slots)
{
    return weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct number),
                                         .slots = slots,
                                         .reset = reset }));
}

static void gathers(weft_pipeline *p)
{
    weft_gather(
        p,
        weft_config(gather, .name = "gather", .fn = gather, .count = ITEMS,
                    .items = { .bytes = sizeof(struct number), .slots = 1 }));
    weft_consumer(p, WEFT_ANY);
}

static void drain_source(bool pends)
{
    weft_pipeline *p = drawing(1);
    int calls = 0;

    weft_source_with(p, weft_config(source, .name = "pends",
                                    .fn = pends_until_asked, .ctx = &calls,
                                    .cancel = end_input));
    weft_stage(p, weft_config(stage, .name = "end", .fn = end));
    start(p);
    if (pends)
        wait_until(&is_called);
    weft_drain(run);
    weave_assert(weft_wait(run, -1, 0) == 0 && calls == 0);
    leave();
}

static void drain_what_begins(void) { drain_source(false); }
static void drain_what_pends(void) { drain_source(true); }

/* The batch that it might come into is of the segment that comes after. */
static void cancel_item(_Atomic bool *when)
{
    weft_pipeline *p = drawing(1);
    int calls = 0;

    weft_source(p, "make", make, 0);
    weft_stage(p, weft_config(stage, .name = "pends", .fn = pends_until_asked,
                              .ctx = &calls, .cancel = give_up, .tokens = 1));
    gathers(p);
    start(p);
    wait_until(when);
    weft_cancel(run);
    weave_assert(weft_wait(run, -1, 0) == -ECANCELED && calls == 0);
    leave();
}

static void cancel_what_begins(void) { cancel_item(&is_made); }
static void cancel_what_pends(void) { cancel_item(&is_called); }

/* ... which does not end before it was. */
static void take_until_told(void)
{
    weft_pipeline *p = drawing(1);
    void *item;

    weft_source(p, "make", make, 0);
    weft_stage(p, weft_config(stage, .name = "pends", .fn = pends));
    weft_consumer(p, WEFT_ANY);
    start(p);
    weave_assert(weft_next(run, &item, -1, 0) == -ECANCELED);
    store_release(&is_over, true);
    weave_assert(weft_wait(run, -1, 0) == -ECANCELED);
    wait_until(&is_left);
    leave();
}

static void cancel_and_complete(void)
{
    wait_until(&pends_now[0]);
    weft_cancel(run);
    wait_until(&is_over);
    weft_complete(NULL, pending[0], 0);
    store_release(&is_left, true);
}

/* Plain: the item does not go on meanwhile, though it is completed. */
static void ask_slowly(void *item, void *ctx)
{
    struct number *n = item;

    store_release(&is_called, true);
    weave_yield();
    weave_assert(n->value == 0);
}

static void cancel_what_is_asked(void)
{
    weft_pipeline *p = drawing(1);

    weft_source(p, "make", make, 0);
    weft_stage(p, weft_config(stage, .name = "pends", .fn = pends,
                              .cancel = ask_slowly));
    start(p);
    wait_until(&pends_now[0]);
    weft_cancel(run);
    weave_assert(weft_wait(run, -1, 0) == -ECANCELED);
    wait_until(&is_left);
    leave();
}

static void complete_what_is_asked(void)
{
    wait_until(&is_called);
    weft_complete(NULL, pending[0], 0);
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

/* Nobody asks what has its result. */
static void end_while_cancelled(unsigned attempts, weft_stage_fn *fn)
{
    begin_with(weft_config(stage, .name = "work", .fn = fn, .tokens = 1,
                           .retry = { .attempts = attempts, .first_ms = 1 },
                           .cancel = ask),
               0);
    int rc = weft_wait(run, -1, 0);
    weave_assert(rc == -ECANCELED || (rc == 0 && seen[0] == 2 && seen[1] == 2));
    weave_assert(load_relaxed(&asked) == 0);
    wait_until(&is_left);
    leave();
}

static int fail_first(weft_worker *self, void *item, void *ctx)
{
    return weft_item_attempt(item) == 1 ? -EAGAIN : work(self, item, ctx);
}

static void return_while_cancelled(void) { end_while_cancelled(1, work); }
static void retry_while_cancelled(void) { end_while_cancelled(2, fail_first); }

static void run_what_is_tried_again(void)
{
    begin_with(
        weft_config(stage, .name = "fails", .fn = fail_first, .tokens = 1,
                    .retry = { .attempts = 2, .first_ms = 1 }, .cancel = ask),
        0);
    weave_assert(weft_wait(run, -1, 0) == 0 && seen[0] == 2 && seen[1] == 2);
    weave_assert(load_relaxed(&asked) == 0);
    leave();
}

static int cancel_here(weft_worker *self, void *item, void *ctx)
{
    ++*(int *)ctx;
    wait_until(&is_shared);
    weft_cancel(run);
    return 0;
}

static void run_until_one_cancels(void)
{
    int calls = 0;

    begin_with(weft_config(stage, .name = "cancel", .fn = cancel_here,
                           .ctx = &calls, .tokens = 1),
               0);
    weave_assert(weft_wait(run, -1, 0) == -ECANCELED && calls == 1);
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

static const struct weave_test tests[] = {
    { .name = "an_item_that_pends_goes_on_when_it_has_returned_and_is_complete",
      .threads = { run_what_pends, complete_each } },
    { .name = "a_pending_item_is_complete_or_late",
      .threads = { run_what_may_be_late, complete_each } },
    { .name = "a_pending_item_is_asked_to_end_as_the_run_is_cancelled",
      .threads = { run_what_is_cancelled, complete_each, cancel } },
    { .name = "a_source_that_is_to_pend_is_asked_to_end_by_a_drain",
      .threads = { drain_what_begins } },
    { .name = "a_source_that_pends_is_asked_to_end_by_a_drain",
      .threads = { drain_what_pends } },
    { .name = "what_is_to_pend_before_a_gather_is_asked_to_end",
      .threads = { cancel_what_begins } },
    { .name = "what_pends_before_a_gather_is_asked_to_end",
      .threads = { cancel_what_pends } },
    { .name = "who_takes_hears_of_a_cancel_while_an_item_pends",
      .threads = { take_until_told, cancel_and_complete } },
    { .name = "an_item_does_not_go_on_while_it_is_asked",
      .threads = { cancel_what_is_asked, complete_what_is_asked } },
    { .name = "an_attempt_that_returns_is_in_time_or_late",
      .threads = { run_what_has_a_deadline } },
    { .name = "what_could_be_asked_to_end_does_not_wait_for_that",
      .threads = { run_what_could_be_asked, complete_each } },
    { .name = "what_returns_is_not_asked_to_end",
      .threads = { return_while_cancelled, cancel } },
    { .name = "an_item_is_tried_again_without_its_token",
      .threads = { run_what_is_tried_again } },
    { .name = "an_item_is_tried_again_or_cancelled",
      .threads = { retry_while_cancelled, cancel } },
    { .name = "an_item_goes_to_a_thread_and_comes_back",
      .threads = { run_pinned } },
    { .name = "so_it_does_in_turns_with_a_seed", .threads = { play_pinned } },
    { .name = "nothing_begins_after_a_cancel",
      .threads = { run_until_one_cancels } },
    { .name = "who_looks_does_so_before_the_end_or_after_it",
      .threads = { run_what_is_looked_at, look } },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
