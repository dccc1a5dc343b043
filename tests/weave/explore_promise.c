/* explore_promise.c: one future by itself: those who run it, complete it,
 * cancel it and give it back. */
#include "tests/weave/one.h"

static void set_up_to_end(void) { submit(end); }

static int goes_on_by_itself(weft_worker *self, void *ctx)
{
    weft_future *me = weft_future_self(self);

    weft_continue(self, end, NULL);
    weft_future_complete(me, 0);
    return WEFT_PENDING;
}

static void set_up_to_go_on(void) { submit(goes_on_by_itself); }

static void set_up_to_pend(void) { submit(pends); }

static void ask(void *ctx) { ++*(int *)ctx; }

static void set_up_to_be_asked(void)
{
    asked = calloc(1, sizeof *asked);
    weave_assert(!weft_submit_with(
        &sched, weft_config(submit, .fn = pends, .ctx = asked, .cancel = ask),
        &f, NULL));
    add_relaxed(&f->state, REF); /* two have the handle */
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
