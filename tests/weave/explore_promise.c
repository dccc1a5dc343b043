/* explore_promise.c: one future by itself: those who run it, complete it,
 * cancel it and give it back. */
#include <errno.h>
#include <stdlib.h>

#include "tests/weave/around.h"

static weft_future *f, *pending;
static weft_future *promise, *other; /* of two futures; a handle of it */
static _Atomic bool is_shared, is_completed, is_over;
static int calls;  /* plain: of the task */
static int *asked; /* allocated: until it is done */

weft_worker *wf_worker_here(void) { return &worker; }

int wf_error(weft_error *why, int error, const char *format, ...)
{
    return error;
}

static void work(void)
{
    while (!load_relaxed(&is_over))
        if (!run_one())
            weave_yield();
}

static void complete_now(void)
{
    store_relaxed(&is_completed, true);
    weft_future_complete(pending, 0);
}

/* What is left is run and completed. */
static void check(void)
{
    while (run_one())
        ;
    if (pending && !load_relaxed(&is_completed))
        complete_now();
    while (run_one())
        ;
    weave_assert(load_relaxed(&sched.holds) == 0);
}

static void check_it_ran(void)
{
    check();
    weave_assert(calls == 1);
}

static int end(weft_worker *self, void *ctx)
{
    calls++;
    store_relaxed(&is_over, true);
    return -7;
}

static void submit(weft_fn *fn)
{
    weave_assert(!weft_submit(&sched, fn, NULL, &f, NULL));
}

static void give_back(void) { weft_future_destroy(f); }

static void set_up_to_end(void) { submit(end); }

static int goes_on_by_itself(weft_worker *self, void *ctx)
{
    weft_future *me = weft_future_self(self);

    weft_continue(self, end, NULL);
    weft_future_complete(me, 0);
    return WEFT_PENDING;
}

static void set_up_to_go_on(void) { submit(goes_on_by_itself); }

static int pends(weft_worker *self, void *ctx)
{
    pending = weft_future_self(self);
    store_release(&is_shared, true);
    weft_continue(self, end, NULL);
    return WEFT_PENDING;
}

static void set_up_to_pend(void) { submit(pends); }

static void complete(void)
{
    while (!load_acquire(&is_shared)) {
        if (load_relaxed(&is_over))
            return;
        weave_yield();
    }
    complete_now();
}

static void cancel(void)
{
    weft_future_cancel(f);
    weft_future_destroy(f);
    store_relaxed(&is_over, true);
}

/* As who waits for it does on a worker: helpwait.c. */
static void help(void)
{
    uint32_t state = load_acquire(&f->state);

    if (state & READY && !(state & CLAIMED) && wf_future_claim(f))
        wf_future_run_here(&worker, f);
    weft_future_destroy(f);
}

static void ask(void *ctx) { ++*(int *)ctx; }

static void set_up_to_be_asked(void)
{
    asked = calloc(1, sizeof *asked);
    weave_assert(!weft_submit_with(
        &sched, weft_config(submit, .fn = pends, .ctx = asked, .cancel = ask),
        &f, NULL));
    add_relaxed(&f->state, REF); /* two have the handle */
}

/* It is done: nobody asks any more. */
static void wait_and_free(void)
{
    while (!(load_acquire(&f->state) & DONE))
        weave_yield();
    weave_assert(*asked <= 1);
    free(asked);
    store_relaxed(&is_over, true);
    weft_future_destroy(f);
}

static void cancel_and_go(void)
{
    weft_future_cancel(f);
    weft_future_destroy(f);
}

/* ---- two futures --------------------------------------------------------- */

static int ends_as(weft_worker *self, void *ctx)
{
    int rc = weft_end_as(self, other);

    other = NULL;
    weft_continue(self, end, NULL);
    return rc;
}

static void set_up_to_follow(void)
{
    weave_assert(!weft_promise(&sched, &promise, NULL));
    other = promise;
    submit(ends_as);
}

static void keep(void) { weft_future_complete(promise, 0); }

/* A task that never began has not taken the handle. */
static void check_two(void)
{
    check();
    weft_future_destroy(other);
}

static int hear(weft_worker *self, int result, void *ctx)
{
    weave_assert(result == 0);
    return end(self, ctx);
}

static void set_up_to_hear(void)
{
    weave_assert(!weft_promise(&sched, &promise, NULL));
    other = promise;
}

static void listen_and_cancel(void)
{
    weave_assert(!weft_then(promise, weft_config(then, .fn = hear), &f, NULL));
    cancel();
}

static const struct weave_test tests[] = {
    { .name = "a_handle_is_given_back_at_any_time",
      .setup = set_up_to_end,
      .threads = { work, give_back },
      .check = check_it_ran,
      .interruptions = 4,
      .stale = 1,
      .most = 60000 },
    { .name = "who_helps_claims_what_has_gone_on",
      .setup = set_up_to_go_on,
      .threads = { work, help },
      .check = check_it_ran,
      .interruptions = 3,
      .stale = 1,
      .most = 60000 },
    { .name = "what_was_run_past_its_entry_goes_on",
      .setup = set_up_to_pend,
      .threads = { work, help, complete },
      .check = check_it_ran,
      .interruptions = 3,
      .stale = 1,
      .most = 60000 },
    { .name = "what_pends_goes_on_or_is_cancelled",
      .setup = set_up_to_pend,
      .threads = { work, complete, cancel },
      .check = check,
      .interruptions = 3,
      .stale = 1,
      .most = 60000 },
    { .name = "who_is_asked_to_end_has_what_it_needs",
      .setup = set_up_to_be_asked,
      .threads = { work, complete, cancel_and_go, wait_and_free },
      .check = check,
      .interruptions = 2,
      .stale = 1,
      .most = 60000 },
    { .name = "who_ends_as_another_goes_on_when_that_is_kept",
      .setup = set_up_to_follow,
      .threads = { work, keep, give_back },
      .check = check_it_ran,
      .interruptions = 2,
      .stale = 1,
      .most = 60000 },
    { .name = "who_ends_as_another_goes_on_or_is_cancelled",
      .setup = set_up_to_follow,
      .threads = { work, keep, cancel },
      .check = check_two,
      .interruptions = 2,
      .stale = 1,
      .most = 60000 },
    { .name = "who_listens_hears_or_is_cancelled",
      .setup = set_up_to_hear,
      .threads = { work, keep, listen_and_cancel },
      .check = check_two,
      .interruptions = 2,
      .stale = 1,
      .most = 60000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
