/* explore_many.c: several futures for which one waits: all or any of them as
 * one, on a thread, in a set, and in tasks on top of each other. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "graph/pause.h"
#include "graph/stack.h"
#include "tests/weave/around.h"

enum { MANY = 2 };

static weft_future *promises[MANY], *f, *g;
static int kept[MANY];  /* plain: before each is done */
static int told, heard; /* plain: of tasks that end one after the other */
static _Atomic int ended;
static _Thread_local weft_worker *here;
static _Thread_local uint64_t now;

/* What else the files that are explored ask of the scheduler. */
weft_worker *wf_worker_here(void) { return here; }
bool wf_stack_half(void) { return false; }
bool wf_has_clock(const weft_sched *s) { return false; }
uint64_t wf_now_of(const weft_sched *s) { return now; }

void wf_spin_while(_Atomic uint32_t *word, uint32_t mask, uint32_t seen,
                   int64_t timeout_ns)
{
}

/* Who has slept for a while has slept long enough. */
void wf_wait_while(const weft_sched *s, _Atomic uint32_t *word, uint32_t seen,
                   int64_t timeout_ns)
{
    wf_sleep_while(word, seen, timeout_ns);
    if (timeout_ns > 0)
        now += (uint64_t)timeout_ns;
}

int wf_worker_sleep(weft_worker *self, _Atomic uint32_t *word, uint32_t seen,
                    int64_t timeout_ns)
{
    wf_sleep_while(word, seen, timeout_ns);
    return 0;
}

/* Reads who failed. */
int wf_error(weft_error *why, int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (error == -7)
        weave_assert(*va_arg(args, const char *) == 't');
    va_end(args);
    return error;
}

static void promise_many(void)
{
    for (unsigned i = 0; i < MANY; i++)
        weave_assert(!weft_promise(&sched, &promises[i], NULL));
}

static void keep(unsigned i, int result)
{
    kept[i]++;
    weft_future_complete(promises[i], result);
}

static void keep_first(void) { keep(0, 0); }
static void keep_second(void) { keep(1, 0); }
static void fail_second(void) { keep(1, -7); }

static void check(void)
{
    for (unsigned i = 0; i < MANY; i++)
        weft_future_destroy(promises[i]);
    weave_assert(load_relaxed(&sched.holds) == 0);
}

/* Nobody listens any more to what is never kept before. */
static void check_the_second(void)
{
    weave_assert(!promises[1]->listeners);
    keep_second();
    check();
}

/* ---- one of many --------------------------------------------------------- */

static int make_all_and_wait(void)
{
    weave_assert(!weft_when_all(&sched, promises, MANY, &f, NULL));
    int rc = weft_future_wait(f, -1);
    weave_assert(weft_future_which(f) < MANY);
    return rc;
}

static void wait_for_all(void)
{
    weave_assert(make_all_and_wait() == 0);
    weave_assert(kept[0] == 1 && kept[1] == 1);
    weft_future_destroy(f);
}

static void wait_for_a_failure(void)
{
    weave_assert(make_all_and_wait() == -7);
    weave_assert(kept[weft_future_which(f)] == 1);
    weft_future_destroy(f);
}

static void wait_for_any(void)
{
    size_t which;

    weave_assert(!weft_when_any(&sched, promises, MANY, &f, NULL));
    while ((which = weft_future_which(f)) == SIZE_MAX)
        weave_yield();
    weave_assert(kept[which] == 1);
    weft_future_destroy(f);
}

static void promise_all(void)
{
    promise_many();
    weave_assert(!weft_when_all(&sched, promises, MANY, &f, NULL));
}

static void cancel_all(void)
{
    weft_future_cancel(f);
    int rc = weft_future_wait(f, -1);
    weave_assert(rc == -ECANCELED || (rc == 0 && kept[0] && kept[1]));
    weft_future_destroy(f);
}

/* ---- a thread that waits for many ---------------------------------------- */

static void sleep_for_all(void)
{
    weave_assert(weft_wait_all(promises, MANY, -1, NULL) == 0);
    weave_assert(kept[0] == 1 && kept[1] == 1);
}

static void sleep_for_any(void)
{
    bool done[MANY] = { 0 };
    int n = weft_wait_any(promises, MANY, done, -1);

    weave_assert(n >= 1 && n == done[0] + done[1]);
    for (unsigned i = 0; i < MANY; i++)
        weave_assert(!done[i] || kept[i] == 1);
}

static void sleep_for_a_moment(void)
{
    int rc = weft_wait_all(promises, MANY, 1, NULL);

    weave_assert(rc == -ETIMEDOUT || (rc == 0 && kept[0] && kept[1]));
}

/* ---- a set --------------------------------------------------------------- */

static weft_set *set_of_many(void)
{
    weft_set *set;

    weave_assert(!weft_set_create(&set, NULL));
    for (unsigned i = 0; i < MANY; i++)
        weave_assert(!weft_set_add(set, promises[i], &kept[i], NULL));
    return set;
}

/* Who is told of it takes it. */
static void take_next(weft_set *set)
{
    void *tag;
    int result;

    weave_assert(weft_set_next(set, &tag, &result, -1) == 1);
    weave_assert(result == 0 && --*(int *)tag == 0);
}

static void take_each(void)
{
    weft_set *set = set_of_many();
    void *tag;

    for (unsigned i = 0; i < MANY; i++)
        take_next(set);
    weave_assert(weft_set_next(set, &tag, NULL, -1) == 0);
    weft_set_destroy(set);
}

static void take_one(void)
{
    weft_set *set = set_of_many();

    take_next(set);
    weft_set_destroy(set);
}

/* ---- who failed ---------------------------------------------------------- */

static int fails(weft_worker *self, void *ctx)
{
    kept[0]++;
    return -7;
}

static void submit_with_a_name(void)
{
    weave_assert(!weft_submit_with(
        &sched, weft_config(submit, .fn = fails, .name = "x"), &f, NULL));
}

static void run_it(void) { weave_assert(run_one()); }

static void ask_why(void)
{
    int rc;

    while ((rc = weft_future_why(f, NULL)) == -EINPROGRESS)
        weave_yield();
    weave_assert(rc == -7 && kept[0] == 1);
}

static void check_one(void) { weft_future_destroy(f); }

static int never(weft_worker *self, int result, void *ctx)
{
    weave_fail("it is not called after a failure");
}

static void blame_it(void)
{
    submit_with_a_name();
    weave_assert(!weft_then(f, weft_config(then, .fn = never), &g, NULL));
    run_it();
}

static void ask_and_forget(weft_future *who)
{
    weave_assert(weft_future_why(who, NULL) == -7);
    weft_future_destroy(who);
}

static void forget_the_first(void) { ask_and_forget(f); }
static void forget_what_follows(void) { ask_and_forget(g); }

/* ---- tasks that wait for each other -------------------------------------- */

static int wait_for_other(weft_worker *self, void *other)
{
    int rc = weft_future_wait(*(weft_future **)other, -1);

    weave_assert(rc == -EDEADLK || rc == -7);
    told += rc == -EDEADLK;
    heard += rc == -7;
    add_relaxed(&ended, 1);
    return -7;
}

static void submit_a_circle(void)
{
    weave_assert(!weft_submit(&sched, wait_for_other, &g, &f, NULL));
    weave_assert(!weft_submit(&sched, wait_for_other, &f, &g, NULL));
}

static void work(void)
{
    here = &worker;
    while (load_relaxed(&ended) < MANY)
        if (!run_one())
            weave_yield();
}

static void check_the_circle(void)
{
    while (run_one()) /* the entry of one that was run on top of the other */
        ;
    weave_assert(told == 1 && heard == 1);
    weft_future_destroy(f);
    weft_future_destroy(g);
}

#define WITHIN(n) .interruptions = n, .stale = 1, .most = 12000

static const struct weave_test tests[] = {
    { .name = "all_are_done_when_the_last_one_is",
      .setup = promise_many,
      .threads = { wait_for_all, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "the_first_that_fails_decides",
      .setup = promise_many,
      .threads = { wait_for_a_failure, keep_first, fail_second },
      .check = check,
      WITHIN(2) },
    { .name = "any_is_the_first",
      .setup = promise_many,
      .threads = { wait_for_any, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "who_has_one_no_longer_listens_to_the_other",
      .setup = promise_many,
      .threads = { wait_for_any, keep_first },
      .check = check_the_second,
      WITHIN(3) },
    { .name = "all_are_cancelled_or_done",
      .setup = promise_all,
      .threads = { cancel_all, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "who_sleeps_for_all_sees_all",
      .setup = promise_many,
      .threads = { sleep_for_all, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "who_sleeps_for_any_sees_those_that_are_done",
      .setup = promise_many,
      .threads = { sleep_for_any, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "who_slept_for_one_no_longer_listens_to_the_other",
      .setup = promise_many,
      .threads = { sleep_for_any, keep_first },
      .check = check_the_second,
      WITHIN(3) },
    { .name = "who_waits_for_a_moment_leaves_nothing",
      .setup = promise_many,
      .threads = { sleep_for_a_moment, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "a_set_tells_of_each_once",
      .setup = promise_many,
      .threads = { take_each, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "a_set_is_destroyed_at_any_time",
      .setup = promise_many,
      .threads = { take_one, keep_first, keep_second },
      .check = check,
      WITHIN(2) },
    { .name = "why_it_failed_is_known_when_it_is_done",
      .setup = submit_with_a_name,
      .threads = { run_it, ask_why },
      .check = check_one,
      WITHIN(3) },
    { .name = "who_failed_is_there_for_the_last_who_asks",
      .setup = blame_it,
      .threads = { forget_the_first, forget_what_follows },
      WITHIN(3) },
    { .name = "of_two_that_wait_for_each_other_one_is_told",
      .setup = submit_a_circle,
      .threads = { work, work },
      .check = check_the_circle,
      WITHIN(3) },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
