/* explore_onward.c: one future by itself, as it goes on, follows another one or
 * passes on what it comes to. */
#include "tests/weave/one.h"

/* Whoever knows only that it is cancelled may end what pends, while it asks. */
static void ask_to_complete(weft_future *asked_one)
{
    weave_assert(asked_one == f);
    ++*asked;
    complete_now();
}

static void ask_late(weft_future *asked_one) { ++*asked; }

static void submit_kind(const struct future_kind *kind)
{
    asked = calloc(1, sizeof *asked);
    f = wf_future_create(&sched, kind, &wf_a_task, sizeof *f,
                         READY | QUEUED | 3 * REF); /* two have the handle */
    f->fn = pends;
    wf_future_submit(f);
}

static void set_up_to_be_asked_late(void)
{
    static const struct future_kind late = { .ask = ask_late };

    submit_kind(&late);
}

static void set_up_to_be_completed_as_asked(void)
{
    static const struct future_kind late = { .ask = ask_to_complete };

    submit_kind(&late);
}

static int goes_on_and_pends(weft_worker *self, void *ctx)
{
    weft_continue(self, pends, NULL);
    return 0;
}

static void set_up_to_go_on_and_pend(void) { submit(goes_on_and_pends); }

static int pends_again(weft_worker *self, void *ctx)
{
    int rc = pends(self, ctx);

    weft_continue(self, pends, NULL);
    return rc;
}

static void set_up_to_pend_twice(void) { submit(pends_again); }

static void complete_once(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    store_relaxed(&is_shared, false);
    complete_now();
}

static void complete_twice(void)
{
    complete_once();
    complete_once();
    weft_future_destroy(f);
}

static void set_up_to_pend_for_two(void)
{
    store_relaxed(&mistakes, 1);
    submit(pends);
}

static void complete_too(void)
{
    while (!load_acquire(&is_shared))
        weave_yield();
    complete_now();
}

static void set_up_to_pend_to_the_end(void) { submit(pends_to_the_end); }

static void complete_and_go(void)
{
    complete_too();
    store_relaxed(&is_over, true);
}

static void check_one_was_told(void)
{
    check_it_ran();
    weave_assert(load_relaxed(&mistakes) == 0);
    weft_future_destroy(f);
}

/* Each of these by itself: what it comes to does not depend on the others. */
static int cancels_itself(weft_worker *self, void *ctx)
{
    weft_future_cancel(wf_frames()->f);
    weft_continue(self, end, NULL);
    return 0;
}

static int asks_and_cancels_itself(weft_worker *self, void *ctx)
{
    weft_future_self(self);
    return cancels_itself(self, ctx);
}

static int pends_and_cancels_itself(weft_worker *self, void *ctx)
{
    weft_future_complete(weft_future_self(self), 0);
    cancels_itself(self, ctx);
    return WEFT_PENDING;
}

static int pends_unasked(weft_worker *self, void *ctx) { return WEFT_PENDING; }

static int asked_before(weft_worker *self, void *ctx)
{
    weft_future_self(self);
    weft_continue(self, pends_unasked, NULL);
    return 0;
}

static int pended_before(weft_worker *self, void *ctx)
{
    weft_future_complete(weft_future_self(self), 0);
    weft_continue(self, pends_unasked, NULL);
    return WEFT_PENDING;
}

static void run_each(void)
{
    static const struct {
        weft_fn *fn;
        int result;
    } each[] = { { cancels_itself, -ECANCELED },
                 { asks_and_cancels_itself, -ECANCELED },
                 { pends_and_cancels_itself, -ECANCELED },
                 { asked_before, -EINVAL },
                 { pended_before, -EINVAL } };

    for (unsigned i = 0; i < sizeof each / sizeof *each; i++) {
        submit(each[i].fn);
        check();
        weave_assert(load_acquire(&f->state) & DONE && calls == 0);
        weave_assert(f->result == each[i].result);
        weft_future_destroy(f);
    }
}

/* As who helps does on its way down: helpwait.c. */
static void look_down(void)
{
    size_t from = 0;
    weft_future *next = f->kind->waits_for(f, &from);

    if (next) {
        weave_assert(next == promise);
        wf_future_drop(next);
    }
    weft_future_destroy(f);
}

static void set_up_to_look_down(void)
{
    weave_assert(!weft_promise(&sched, &promise, NULL));
    weave_assert(!weft_then(promise, weft_config(then, .fn = hear), &f, NULL));
}

static void keep_and_give_back(void)
{
    weft_future_complete(promise, 0);
    weft_future_destroy(promise);
}

static int note(weft_worker *self, int result, void *ctx)
{
    weave_assert(calls++ == *(int *)ctx);
    return result;
}

static void note_each(weft_future *source)
{
    static int nth[] = { 0, 1, 2 };

    calls = 0;
    for (unsigned i = 0; i < sizeof nth / sizeof *nth; i++)
        weave_assert(!weft_then(
            source, weft_config(then, .fn = note, .ctx = &nth[i]), NULL, NULL));
}

static int ends(weft_worker *self, void *ctx) { return 0; }

/* Of what another thread completes, and of what its worker has run. */
static void hear_in_order(void)
{
    weave_assert(!weft_promise(&sched, &promise, NULL));
    note_each(promise);
    keep_and_give_back();
    check();
    weave_assert(calls == 3);
    submit(ends);
    note_each(f);
    give_back();
    check();
    weave_assert(calls == 3);
}

/* What is ready can be run by who waits, as it is submitted, or has heard. */
static void help_what_is_ready(void)
{
    submit(end);
    help();
    weave_assert(calls == 1);
    set_up_to_look_down();
    keep_and_give_back();
    help();
    weave_assert(calls == 2);
    check();
}

static int ends_as_and_completes(weft_worker *self, void *ctx)
{
    int rc = weft_end_as(self, promise);

    weft_future_complete(wf_frames()->f, 0);
    return rc;
}

static void follow_a_failure(void)
{
    store_relaxed(&mistakes, 1);
    weave_assert(!weft_submit_with(
        &sched, weft_config(submit, .fn = end, .name = "x"), &promise, NULL));
    submit(ends_as_and_completes);
    check();
    weave_assert(f->result == -7 && load_relaxed(&mistakes) == 0);
    weave_assert(f->subject->text[6] == 'x');
    give_back();
}

static void cancel_alone(void)
{
    weft_future_cancel(f);
    store_relaxed(&is_over, true);
}

/* Nobody has kept what it follows: that was cancelled as well. */
static void check_it_was_cancelled(void)
{
    while (run_one())
        ;
    weave_assert(load_acquire(&f->state) & DONE && f->result == -ECANCELED);
    keep();
    give_back();
    check_two();
}

static int completes_itself(weft_worker *self, void *ctx)
{
    weft_future_complete(weft_future_self(self), 0);
    return WEFT_PENDING;
}

/* What comes of it is queued while it holds the scheduler, whether another
 * thread has completed it or its worker goes on. */
static void end_while_held(void)
{
    set_up_to_look_down();
    must_be_held = true;
    keep_and_give_back();
    must_be_held = false;
    check_it_ran();
    give_back();
    submit(completes_itself);
    note_each(f);
    must_be_held = true;
    weave_assert(run_one());
    must_be_held = false;
    check();
    give_back();
}

static void set_up_to_be_followed(void)
{
    submit(completes_itself);
    weave_assert(!weft_then(f, weft_config(then, .fn = hear), NULL, NULL));
}

/* A task with a name fails, and what comes after it: the last by its own. */
static void set_up_to_fail(void)
{
    weft_future *between;

    weave_assert(!weft_submit_with(
        &sched, weft_config(submit, .fn = end, .name = "x"), &promise, NULL));
    weave_assert(
        !weft_then(promise, weft_config(then, .fn = hear), &between, NULL));
    weave_assert(!weft_then(between, weft_config(then, .fn = hear, .name = "y"),
                            &f, NULL));
    weft_future_destroy(between);
    add_relaxed(&f->state, REF); /* two have the handle */
}

static void give_back_source(void) { weft_future_destroy(promise); }

static void look_why(void)
{
    int rc;

    while ((rc = weft_future_why(f, NULL)) == -EINPROGRESS)
        weave_yield();
    weave_assert(rc == -7 || rc == -ECANCELED);
    weave_assert(rc != -7 || f->subject->text[6] == 'x');
    weft_future_destroy(f);
}

static const struct weave_test tests[] = {
    { .name = "what_was_run_past_its_entry_ends",
      .setup = set_up_to_pend_to_the_end,
      .threads = { work, help, complete_and_go },
      .check = check,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "who_may_be_asked_late_has_what_it_needs",
      .setup = set_up_to_be_asked_late,
      .threads = { work, complete, cancel_and_go, wait_and_free },
      .check = check,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "who_is_asked_is_completed_by_that",
      .setup = set_up_to_be_completed_as_asked,
      .threads = { work, cancel_and_go, wait_and_free },
      .check = check,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "what_went_on_and_pends_goes_on_or_is_cancelled",
      .setup = set_up_to_go_on_and_pend,
      .threads = { work, complete, cancel },
      .check = check,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "what_pends_twice_is_completed_twice",
      .setup = set_up_to_pend_twice,
      .threads = { work, complete_twice },
      .check = check_it_ran,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "of_two_who_complete_one_is_told",
      .setup = set_up_to_pend_for_two,
      .threads = { work, complete_too, complete_too },
      .check = check_one_was_told,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "what_goes_on_begins_anew", .threads = { run_each } },
    { .name = "the_oldest_listener_is_the_first",
      .threads = { hear_in_order } },
    { .name = "who_follows_a_failure_is_called_as_that",
      .threads = { follow_a_failure } },
    { .name = "a_cancel_ends_whom_it_follows",
      .setup = set_up_to_follow,
      .threads = { work, cancel_alone },
      .check = check_it_was_cancelled,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "what_is_ready_can_be_helped",
      .threads = { help_what_is_ready } },
    { .name = "what_comes_of_it_is_queued_while_it_holds_the_scheduler",
      .threads = { end_while_held } },
    { .name = "who_goes_down_holds_what_it_comes_to",
      .setup = set_up_to_look_down,
      .threads = { work, keep_and_give_back, look_down },
      .check = check_it_ran,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "what_comes_after_who_was_helped_runs",
      .setup = set_up_to_be_followed,
      .threads = { work, help },
      .check = check_it_ran,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { .name = "who_has_the_failure_of_another_is_called_as_that",
      .setup = set_up_to_fail,
      .threads = { work, cancel_and_go, give_back_source, look_why },
      .check = check,
      .interruptions = 2,
      .stale = 1,
      .most = 3000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
