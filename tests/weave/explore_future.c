/* explore_future.c: futures, by two workers and who has their handles. */
#include <errno.h>
#include <stdlib.h>

#include "sched/atomic.h"
#include "tests/weave/world.h"

static int calls, results; /* plain */
static weft_sched *sched;
static weft_future *shared;
static _Atomic bool is_shared, has_listener;
static _Atomic int listeners; /* and others, that are done with it */
static int heard[2];          /* plain: of each listener its own */

static int seven(weft_worker *self, void *ctx) { return -7; }

static int after(weft_worker *self, int result, void *ctx)
{
    calls++;
    results = result;
    return 0;
}

static void then_hears(void)
{
    weft_future *f, *g;

    sched = workers(1);
    weave_assert(!weft_submit(sched, seven, 0, &f, 0));
    weave_assert(!weft_then(
        f, weft_config(then, .fn = after, .on = WEFT_ALWAYS), &g, 0));
    weft_future_destroy(f);
    weave_assert(!weft_future_wait(g, -1));
    weave_assert(calls == 1 && results == -7);
    weft_future_destroy(g);
    weft_sched_destroy(sched);
}

/* It ran, and has its result, or it was cancelled and never runs. */
static void cancel_or_run(void)
{
    weft_future *f;

    sched = workers(1);
    weave_assert(!weft_submit(sched, count, &calls, &f, 0));
    weft_future_cancel(f);
    int rc = weft_future_wait(f, -1);
    weave_assert(rc == 0 || rc == -ECANCELED);
    weave_assert(calls == (rc == 0));
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

/* A promise, kept by one thread while another waits for it. */
static void make_promise(void)
{
    sched = workers(1);
    weave_assert(!weft_promise(sched, &shared, 0));
    store_release(&is_shared, true);
    weave_assert(weft_future_wait(shared, -1) == -7);
    weave_assert(calls == 1);
    weft_future_destroy(shared);
    weft_sched_destroy(sched);
}

static void keep_promise(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    calls++;
    weft_future_complete(shared, -7);
}

static int pends(weft_worker *self, void *ctx)
{
    shared = weft_future_self(self);
    store_release(&is_shared, true);
    return WEFT_PENDING;
}

/* A task that pends may be completed before it has returned. */
static void wait_for_what_pends(void)
{
    weft_future *f;

    sched = workers(1);
    weave_assert(!weft_submit(sched, pends, 0, &f, 0));
    weave_assert(weft_future_wait(f, -1) == -7);
    weave_assert(calls == 1);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

static void wait_for_the_first(void)
{
    weft_future *f[2], *any;

    sched = workers(2);
    weave_assert(!weft_submit(sched, seven, 0, &f[0], 0));
    weave_assert(!weft_submit(sched, seven, 0, &f[1], 0));
    weave_assert(!weft_when_any(sched, f, 2, &any, 0));
    weave_assert(weft_future_wait(any, -1) == -7);
    weave_assert(weft_future_which(any) < 2);
    weft_future_destroy(any);
    weft_future_destroy(f[0]);
    weft_future_destroy(f[1]);
    weft_sched_destroy(sched);
}

/* Who is asked to end has what it needs until that is over. */
static void ask(void *ctx)
{
    weave_yield();
    ++*(int *)ctx;
}

static void wait_for_who_is_asked(void)
{
    weft_future *f;
    int *asked = calloc(1, sizeof *asked);

    sched = workers(1);
    weave_assert(!weft_submit_with(
        sched, weft_config(submit, .fn = pends, .ctx = asked, .cancel = ask),
        &f, 0));
    weave_assert(weft_future_wait(f, -1) == -7);
    weave_assert(*asked <= 1);
    free(asked);
    while (load_acquire(&listeners) < 2)
        weave_yield();
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

/* Two listen, a third keeps the promise, and the handle is given back as soon
 * as nobody uses it. */

static int hear(weft_worker *self, int rc, void *ctx)
{
    ++*(int *)ctx;
    return rc;
}

static weft_future *listen(int who)
{
    weft_future *g;

    weave_assert(!weft_then(
        shared,
        weft_config(then, .fn = hear, .ctx = &heard[who], .on = WEFT_ALWAYS),
        &g, 0));
    return g;
}

static void hear_of(int who)
{
    weft_future *g = listen(who);

    weave_assert(weft_future_wait(g, -1) == -7 && heard[who] == 1);
    weft_future_destroy(g);
    add_release(&listeners, 1);
}

static void begin_promise(void)
{
    sched = workers(1);
    weave_assert(!weft_promise(sched, &shared, 0));
    store_release(&is_shared, true);
}

static void leave_promise(int users)
{
    while (load_acquire(&listeners) < users)
        weave_yield();
    weft_future_destroy(shared);
    weft_sched_destroy(sched);
}

static void promise_and_listen(void)
{
    begin_promise();
    hear_of(0);
    leave_promise(3);
}

static void listen_too(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    hear_of(1);
}

static void keep_for_all(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    weft_future_complete(shared, -7);
    add_release(&listeners, 1);
}

static void cancel_for_all(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    weft_future_cancel(shared);
    add_release(&listeners, 1);
}

static void wait_for_either(void)
{
    begin_promise();
    int rc = weft_future_wait(shared, -1);
    weave_assert(rc == -7 || rc == -ECANCELED);
    leave_promise(2);
}

/* The handle is no more when the promise is kept; the scheduler waits. */
static void destroy_the_handle(void)
{
    begin_promise();
    weft_future_destroy(shared);
    weft_sched_destroy(sched);
    weave_assert(calls == 1);
}

/* Who makes a task ready that nobody waits for may have to wake a worker. */
static void destroy_all_handles(void)
{
    begin_promise();
    weft_future_destroy(listen(0));
    store_release(&has_listener, true);
    weft_future_destroy(shared);
    weft_sched_destroy(sched);
    weave_assert(calls == 1 && heard[0] == 1);
}

static void keep_what_is_heard(void)
{
    while (!load_acquire(&has_listener))
        weave_yield();
    keep_promise();
}

/* What listens is cancelled as what it listens to is kept. */
static void listen_and_cancel(void)
{
    begin_promise();
    weft_future *g = listen(0);
    weft_future_cancel(g);
    int rc = weft_future_wait(g, -1);
    weave_assert(rc == (heard[0] ? -7 : -ECANCELED));
    weft_future_destroy(g);
    leave_promise(1);
    weave_assert(rc == (heard[0] ? -7 : -ECANCELED));
}

static int minus_seven(weft_worker *self, void *ctx)
{
    calls++;
    return -7;
}

/* Says late how it goes on, when it may have been completed. */
static int pends_and_goes_on(weft_worker *self, void *ctx)
{
    pends(self, ctx);
    weft_continue(self, minus_seven, NULL);
    return WEFT_PENDING;
}

static void wait_for_what_goes_on(void)
{
    weft_future *f;

    sched = workers(1);
    weave_assert(!weft_submit(sched, pends_and_goes_on, 0, &f, 0));
    weave_assert(weft_future_wait(f, -1) == -7);
    weave_assert(calls == 1);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

static void complete_with_0(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    weft_future_complete(shared, 0);
}

static int submit_and_wait(weft_worker *self, void *ctx)
{
    weft_future *f;

    weave_assert(!weft_submit(sched, pends_and_goes_on, 0, &f, 0));
    int rc = weft_future_wait(f, -1);
    weft_future_destroy(f);
    return rc;
}

/* A task that waits runs the other one past its entry in the deque, which is
 * taken from there as that one goes on. */
static void go_on_past_an_entry(void)
{
    weft_future *f;

    sched = workers(1);
    weave_assert(!weft_submit(sched, submit_and_wait, 0, &f, 0));
    weave_assert(weft_future_wait(f, -1) == -7);
    weave_assert(calls == 1);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

static int wait_in_task(weft_worker *self, void *f)
{
    return weft_future_wait(f, -1);
}

/* A task that waits runs another one as soon as that has heard. */
static void help_who_hears(void)
{
    weft_future *f, *g, *waits;

    sched = workers(2);
    weave_assert(!weft_submit(sched, seven, 0, &f, 0));
    weave_assert(!weft_then(
        f, weft_config(then, .fn = after, .on = WEFT_ALWAYS), &g, 0));
    weave_assert(!weft_submit(sched, wait_in_task, g, &waits, 0));
    weave_assert(weft_future_wait(waits, -1) == 0);
    weave_assert(calls == 1 && results == -7);
    weft_future_destroy(waits);
    weft_future_destroy(g);
    weft_future_destroy(f);
    weft_sched_destroy(sched);
}

/* ---- as another future ------------------------------------------------- */

static weft_future *follower;
static _Atomic bool follows;
static int begun; /* plain: of the task */

/* Says late how it goes on, when the other one may be done. */
static int ends_as(weft_worker *self, void *ctx)
{
    begun++;
    int rc = weft_end_as(self, shared);
    weft_continue(self, minus_seven, NULL);
    return rc;
}

/* What it ends as is a promise. */
static int follow(int users)
{
    begin_promise();
    weave_assert(!weft_submit(sched, ends_as, 0, &follower, 0));
    store_release(&follows, true);
    int rc = weft_future_wait(follower, -1);
    weave_assert(rc == (calls ? -7 : -ECANCELED));
    if (!begun)
        weft_future_destroy(shared);
    while (load_acquire(&listeners) < users)
        weave_yield();
    weft_future_destroy(follower);
    weft_sched_destroy(sched);
    return rc;
}

static void follow_to_the_end(void) { weave_assert(follow(0) == -7); }
static void follow_or_be_cancelled(void) { follow(1); }
static void follow_and_be_cancelled(void)
{
    weave_assert(follow(1) == -ECANCELED);
}

static void cancel_who_follows(void)
{
    while (!load_acquire(&follows))
        weave_yield();
    weft_future_cancel(follower);
    add_release(&listeners, 1);
}

static void complete_after_the_cancel(void)
{
    while (!load_acquire(&listeners))
        weave_yield();
    weft_future_complete(shared, 0);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "what_comes_after_hears_once", .threads = { then_hears } },
        { .name = "a_cancel_wins_or_loses", .threads = { cancel_or_run } },
        { .name = "a_promise_is_kept_once",
          .threads = { make_promise, keep_promise } },
        { .name = "what_pends_is_completed_at_any_time",
          .threads = { wait_for_what_pends, keep_promise } },
        { .name = "who_is_asked_to_end_has_what_it_needs",
          .threads = { wait_for_who_is_asked, cancel_for_all, keep_for_all } },
        { .name = "two_listen_while_it_is_kept",
          .threads = { promise_and_listen, listen_too, keep_for_all } },
        { .name = "a_promise_is_kept_or_cancelled",
          .threads = { wait_for_either, cancel_for_all, keep_for_all } },
        { .name = "a_promise_outlives_its_handle",
          .threads = { destroy_the_handle, keep_promise } },
        { .name = "a_scheduler_outlives_who_makes_its_last_task_ready",
          .threads = { destroy_all_handles, keep_what_is_heard } },
        { .name = "who_listens_is_cancelled_or_hears",
          .threads = { listen_and_cancel, keep_for_all } },
        { .name = "the_first_of_two_decides",
          .threads = { wait_for_the_first } },
        { .name = "what_pends_goes_on_when_it_was_completed",
          .threads = { wait_for_what_goes_on, complete_with_0 } },
        { .name = "what_was_run_past_its_entry_goes_on",
          .threads = { go_on_past_an_entry, complete_with_0 } },
        { .name = "who_waits_helps_what_has_heard",
          .threads = { help_who_hears } },
        { .name = "who_ends_as_another_goes_on_when_that_is_kept",
          .threads = { follow_to_the_end, complete_with_0 } },
        { .name = "a_cancel_reaches_whom_it_follows",
          .threads = { follow_and_be_cancelled, cancel_who_follows,
                       complete_after_the_cancel } },
        { .name = "who_follows_is_cancelled_or_goes_on",
          .threads = { follow_or_be_cancelled, cancel_who_follows,
                       complete_with_0 } },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
