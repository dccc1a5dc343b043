/* test_virtual_time.c: time under a seed, sched/seeded.c: it passes when
 * nothing else is left to do, and not otherwise. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "sched/play.h"
#include "tests/aborts.h"
#include "tests/trail.h"

#define MS   ((uint64_t)1000000)
#define HOUR (3600 * 1000 * MS)

/* Stages of 10, 25 and 40 ms with 1, 2 and 4 tokens. */
enum { ITEMS = 1000 };

struct thing {
    struct weft_io io;
};

static const unsigned stage_ms[] = { 10, 25, 40 };

static int give(weft_worker *self, void *item, void *left)
{
    return (*(unsigned *)left)-- ? 0 : WEFT_END;
}

static int pause_ms(weft_worker *self, void *item, struct weft_io **io,
                    void *ms)
{
    struct thing *t = item;
    t->io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                              .ns = *(const unsigned *)ms * MS };
    *io = &t->io;
    return 0;
}

static uint64_t time_of_stages(uint64_t seed)
{
    unsigned left = ITEMS;
    weft_sched *s = played(2, seed);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct thing), .slots = 64 }));

    weft_source(p, "give", give, &left);
    for (unsigned i = 0; i < 3; i++)
        weft_stage(p, weft_config(stage, .name = (char[]){ (char)('a' + i), 0 },
                                  .kind = WEFT_IO, .describe = pause_ms,
                                  .ctx = (void *)(uintptr_t)&stage_ms[i],
                                  .tokens = 1u << i));
    weft_plan *plan = pipeline_plan(p);
    uint64_t start = weft_sched_now_ns(s);
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    uint64_t took = weft_sched_now_ns(s) - start;
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    return took;
}

/* The second stage sets the speed: two at a time begin, at 10 and 20 ms, and
 * then every 25 ms. So the last one does at 20 + 25 * 499, and is in it for 25,
 * and 40 in the third, where one of four is always free. */
Test(virtual_time, a_pipeline_takes_what_its_stages_take, .timeout = 60)
{
    for (uint64_t seed = 1; seed <= TIMES(10, 3); seed++)
        cr_assert_eq(time_of_stages(seed), (20 + 25 * 499 + 25 + 40) * MS);
}

Test(virtual_time, an_hour_costs_nothing_and_is_an_hour, .timeout = 10)
{
    weft_sched *s = played(1, 5);
    uint64_t start = weft_sched_now_ns(s);
    weft_future *hour, *more;

    cr_assert_eq(weft_after_ns(s, HOUR, &hour, NULL), 0);
    cr_assert_eq(weft_at_ns(s, start + 2 * HOUR, &more, NULL), 0);
    cr_assert_eq(weft_future_wait(hour, 3599 * 1000), -ETIMEDOUT);
    cr_assert_eq(weft_sched_now_ns(s) - start, 3599 * 1000 * MS);
    cr_assert_eq(weft_future_wait(hour, 2000), 0);
    cr_assert_eq(weft_sched_now_ns(s) - start, HOUR);
    cr_assert_eq(weft_future_wait(more, -1), 0);
    cr_assert_eq(weft_sched_now_ns(s) - start, 2 * HOUR);
    weft_future_destroy(hour);
    weft_future_destroy(more);
    weft_sched_destroy(s);
}

/* ---- deadlines ---------------------------------------------------------- */

static unsigned failed_after_ms; /* since the run was started */

static void note_failure(const struct weft_failure *failure, void *item,
                         void *start)
{
    weft_sched *s = weft_worker_sched(wf_worker_here());
    cr_assert_eq(failure->error, -ETIMEDOUT);
    failed_after_ms =
        (unsigned)((weft_sched_now_ns(s) - *(uint64_t *)start) / MS);
}

/* One item, which pauses for 40 ms in one stage and for 10 in the next. */
static int run_with_deadlines(unsigned of_stage_ms, unsigned of_run_ms,
                              uint64_t *took_ms)
{
    unsigned long_ms = 40, short_ms = 10;
    unsigned left = 1;
    weft_sched *s = played(2, 11);
    uint64_t start = weft_sched_now_ns(s);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items.bytes = sizeof(struct thing), .ctx = &start,
        .failures.policy = WEFT_SKIP, .on_failure = note_failure));

    weft_source(p, "give", give, &left);
    weft_stage(p, weft_config(stage, .name = "long", .kind = WEFT_IO,
                              .describe = pause_ms, .ctx = &long_ms,
                              .deadline_ms = of_stage_ms));
    weft_stage(p, weft_config(stage, .name = "short", .kind = WEFT_IO,
                              .describe = pause_ms, .ctx = &short_ms));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run;
    failed_after_ms = 0;
    cr_assert_eq(weft_start_with(&run, s, plan,
                                 weft_config(run, .deadline_ms = of_run_ms),
                                 NULL),
                 0);
    int rc = weft_wait(run, -1, NULL);
    *took_ms = (weft_sched_now_ns(s) - start) / MS;
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    return rc;
}

Test(virtual_time, deadlines_count_from_the_start_of_what_has_them,
     .timeout = 20)
{
    uint64_t ms;

    cr_assert_eq(run_with_deadlines(0, 0, &ms), 0);
    cr_assert_eq(ms, 50);
    cr_assert_eq(run_with_deadlines(39, 51, &ms), 0);
    cr_assert_eq(failed_after_ms, 39);
    cr_assert_eq(ms, 39);
    cr_assert_eq(run_with_deadlines(41, 49, &ms), -ETIMEDOUT);
    cr_assert_eq(failed_after_ms, 0);
    cr_assert_eq(ms, 49);
}

/* ---- what is due together ------------------------------------------------ */

static int note_time(weft_worker *self, int rc, void *which)
{
    step(1, (uint64_t)(uintptr_t)which);
    return 0;
}

/* Ten pauses that end together: any of them may be the first. */
Test(virtual_time, what_ends_at_the_same_time_comes_in_any_order, .timeout = 60)
{
    bool was_first[10] = { false };
    unsigned first = 0;

    for (uint64_t seed = 1; seed <= 200; seed++) {
        weft_sched *s = played(1, seed);
        for (uintptr_t i = 0; i < 10; i++) {
            weft_future *pause, *then;
            cr_assert_eq(weft_at_ns(s, 10 * HOUR, &pause, NULL), 0);
            cr_assert_eq(
                weft_then(pause,
                          weft_config(then, .fn = note_time, .ctx = (void *)i),
                          &then, NULL),
                0);
            weft_future_destroy(pause);
            weft_future_destroy(then);
        }
        weft_sched_destroy(s);
        cr_assert_eq(trail.count, 10);
        first += !was_first[trail.step[0] & 15];
        was_first[trail.step[0] & 15] = true;
    }
    cr_assert_eq(first, 10);
}

/* What comes from outside takes its time: it is not late for a deadline of a
 * minute. */
static void *write_later(void *fd)
{
    usleep(30000);
    cr_assert_eq(write(*(int *)fd, "w", 1), 1);
    return NULL;
}

Test(virtual_time, a_descriptor_is_waited_for_as_long_as_it_takes,
     .timeout = 30)
{
    weft_sched *s = played(2, 9);
    uint64_t start = weft_sched_now_ns(s);
    weft_future *ready, *minute;
    pthread_t thread;
    int ends[2];

    cr_assert_eq(pipe(ends), 0);
    struct weft_io io = { .op = WEFT_IO_POLL, .fd = ends[0], .flags = POLLIN };
    cr_assert_eq(weft_future_io(s, &io, &ready, NULL), 0);
    cr_assert_eq(weft_after_ns(s, 60000 * MS, &minute, NULL), 0);
    pthread_create(&thread, NULL, write_later, &ends[1]);
    cr_assert_eq(weft_future_wait(ready, -1), 0);
    cr_assert_eq(weft_sched_now_ns(s), start);
    cr_assert_eq(weft_future_wait(minute, -1), 0);
    cr_assert_eq(weft_sched_now_ns(s), start + 60000 * MS);
    pthread_join(thread, NULL);
    weft_future_destroy(ready);
    weft_future_destroy(minute);
    weft_sched_destroy(s);
    close(ends[0]);
    close(ends[1]);
}

/* A promise that nobody keeps, and no pause that would end the wait. */
static bool wait_for_ever(void)
{
    weft_sched *s = played(2, 77);
    weft_future *promise;

    wf_seeded_patience(wf_seeded_of(s), NEVER, 100 * MS);
    cr_assert_eq(weft_promise(s, &promise, NULL), 0);
    return weft_future_wait(promise, -1) == 0;
}

Test(virtual_time, a_wait_that_cannot_end_is_told, .timeout = 60)
{
    cr_assert(aborts(wait_for_ever,
                     "seed 77: what is waited for never comes: nothing is "
                     "ready, no timer and no operation is under way, and for "
                     "0.1 s nothing came from outside; look for what is "
                     "pending and never completed, or fed and never ended"));
}
