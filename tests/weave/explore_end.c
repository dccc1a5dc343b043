/* explore_end.c: the end of a run, [E] in graph/run.c, by whoever counts it
 * down last, against those who wait, cancel, and free it. */
#include <errno.h>
#include <stdlib.h>

#include "graph/plan.h"
#include "sched/sched.h"
#include "tests/weave/weave.h"

static struct weft_run *run; /* allocated: whoever destroys it frees it */
static _Atomic int parties;  /* of a run that are not done */
static _Atomic int holds, users;
static int ends, told;   /* plain: of on_end */
static int failed_first; /* plain: of who was told so */
static int result;       /* plain: of who waits for it */

/* What run.c asks of the scheduler. */
weft_worker *wf_worker_here(void) { return NULL; }
void wf_sched_hold(weft_sched *sched) { add_relaxed(&holds, 1); }
void wf_sched_release(weft_sched *sched) { sub_acq_rel(&holds, 1); }
bool wf_has_clock(const weft_sched *sched) { return false; }
uint64_t wf_now_of(const weft_sched *sched) { return wf_now_ns(); }
void wf_misuse(const char *format, ...) { weave_fail("%s", format); }

void wf_wait_while(const weft_sched *sched, _Atomic uint32_t *word,
                   uint32_t seen, int64_t timeout_ns)
{
    wf_sleep_while(word, seen, timeout_ns);
}

int wf_error(weft_error *why, int error, const char *format, ...)
{
    return error;
}

static void cancel_run(struct weft_run *it)
{
    wf_run_fail(it, -ECANCELED, "cancelled");
}

static void destroy_run(struct weft_run *it) { free(it); }

static const struct plan_kind kind = { .cancel = cancel_run,
                                       .destroy_run = destroy_run };
static const struct weft_plan plan = { &kind };

/* Until it is back the scheduler does not end. */
static void ended(struct weft_run *it, int rc, void *ctx)
{
    weave_assert(load_relaxed(&holds) == 1);
    ends++;
    told = rc;
}

static void ended_and_is_destroyed(struct weft_run *it, int rc, void *ctx)
{
    ended(it, rc, ctx);
    weft_run_destroy(it);
}

static void begin(weft_end_fn *on_end)
{
    const struct weft_run_config config = { .on_end = on_end };

    run = malloc(sizeof *run);
    wf_run_init(run, NULL, &plan, &config);
    store_relaxed(&parties, 2);
    store_relaxed(&users, 2);
}

static void set_up(void) { begin(ended); }
static void set_up_alone(void) { begin(ended_and_is_destroyed); }

/* A node or a segment, of which the last ends the run. */
static void finish_one(void)
{
    if (sub_acq_rel(&parties, 1) == 1)
        wf_run_end(run);
}

static void fail_one(void)
{
    wf_run_fail(run, -EIO, "failed");
    finish_one();
}

static void fail_with(int error)
{
    if (wf_run_fail(run, error, "failed"))
        failed_first = error;
    finish_one();
}

static void fail_so(void) { fail_with(-EIO); }
static void fail_otherwise(void) { fail_with(-ENOSPC); }

/* Who uses the run last destroys it. */
static void leave(void)
{
    if (sub_acq_rel(&users, 1) == 1)
        weft_run_destroy(run);
}

static void finish_both(void)
{
    finish_one();
    finish_one();
}

static void wait_for_the_end(void)
{
    int rc = weft_wait(run, -1, 0);

    weave_assert(rc == 0 || rc == -ECANCELED || rc == -EIO);
    weave_assert(weft_wait(run, 0, 0) == rc);
    result = rc;
    leave();
}

static void wait_for_a_moment(void)
{
    int rc = weft_wait(run, 1, 0);

    weave_assert(rc == 0 || rc == -ETIMEDOUT);
    leave();
}

static void cancel(void)
{
    weft_cancel(run);
    leave();
}

static void wait_alone(void)
{
    weave_assert(weft_wait(run, -1, 0) == -EIO);
    weft_run_destroy(run);
}

static void destroy(void) { weft_run_destroy(run); }

static void is_over(void) { weave_assert(ends == 1 && !load_relaxed(&holds)); }

static void was_told_the_result(void)
{
    is_over();
    weave_assert(told == result);
}

static void was_told_of_the_failure(void)
{
    is_over();
    weave_assert(told == -EIO);
}

static void was_told_of_the_first(void)
{
    is_over();
    weave_assert(failed_first && told == failed_first);
}

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
        { .name = "a_cancel_is_the_result_or_has_none",
          .setup = set_up,
          .threads = { finish_both, wait_for_the_end, cancel },
          .check = was_told_the_result,
          .interruptions = 3,
          .stale = 1,
          .most = 200000 },
        { .name = "a_wait_times_out_or_the_run_has_ended",
          .setup = set_up,
          .threads = { finish_both, wait_for_a_moment, wait_for_the_end },
          .check = is_over,
          .interruptions = 2,
          .stale = 1,
          .most = 200000 },
        { .name = "the_last_of_two_ends_it",
          .setup = set_up,
          .threads = { finish_one, fail_one, wait_alone },
          .check = was_told_of_the_failure,
          .interruptions = 3,
          .stale = 1,
          .most = 200000 },
        { .name = "who_ends_it_does_not_look_back",
          .setup = set_up,
          .threads = { finish_both, destroy },
          .check = is_over,
          .interruptions = 4,
          .stale = 2,
          .most = 200000 },
        { .name = "the_first_of_two_failures_is_the_result",
          .setup = set_up_alone,
          .threads = { fail_so, fail_otherwise },
          .check = was_told_of_the_first,
          .interruptions = 2,
          .stale = 1,
          .most = 20000 },
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
