/* test_vectors_failure.c: semantics checked against public vectors: what fails,
 * where, how often, and who is told; what is tried again; hooks. See
 * test_vectors.c for where the facts are from.
 *
 * A pipeline of SPDL leaves out what fails unless it is given a limit; one of
 * weft stops at the first failure unless it is given a policy. So what is a
 * default there is WEFT_SKIP here. */
#include <pthread.h>

#include "tests/vectors.h"

static const enum weft_order orders[] = { WEFT_ANY, WEFT_INPUT };

/* ---- sources ----------------------------------------------------------- */

Test(vectors_failure, an_empty_source_gives_the_end, .timeout = 30)
{
    struct range r = { .end = 0 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    gives_nothing(taken_from(p, WEFT_ANY));
    p = draw(&r, WEFT_STOP);
    add(p, "twice", twice, WEFT_INPUT);
    gives_nothing(taken_from(p, WEFT_INPUT));
}

Test(vectors_failure, a_source_that_fails_has_given_what_it_gave, .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        struct range r = { .end = 10, .error = -EIO };
        weft_pipeline *p = draw(&r, WEFT_SKIP);
        add(p, "twice", twice, orders[i]);
        add(p, "one more", one_more, orders[i]);
        struct taken t = taken_from(p, WEFT_INPUT);
        LISTS(t, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19);
        ends_with(&t, -EIO,
                  "source 'count' failed on item 10, attempt 1: EIO: "
                  "Input/output error");
        cr_assert_eq(t.flow.failed, 0); /* it was no item yet */
    }
}

Test(vectors_failure, a_source_may_fail_at_once, .timeout = 30)
{
    struct range r = { .error = -ENOENT };
    struct taken t = taken_from(draw(&r, WEFT_SKIP), WEFT_ANY);
    cr_assert_eq(t.count, 0);
    ends_with(&t, -ENOENT,
              "source 'count' failed on item 0, attempt 1: ENOENT: No such "
              "file or directory");
}

/* ---- one failure ------------------------------------------------------- */

static int threes_fail(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = *value_of(item);
    return value % 3 ? 0
                     : weft_fail(item, -EDOM, "%d is a multiple of three",
                                 (int)value);
}

Test(vectors_failure, what_fails_is_left_out_and_the_others_go_on,
     .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        struct range r = { .end = 10 };
        weft_pipeline *p = draw(&r, WEFT_SKIP);
        add(p, "no threes", threes_fail, orders[i]);
        add(p, "twice", twice, orders[i]);
        add(p, "one more", one_more, orders[i]);
        struct taken t = taken_from(p, WEFT_INPUT);
        GIVES(t, 3, 5, 9, 11, 15, 17);
        cr_assert_eq(t.flow.failed, 4);
    }
}

static int count_calls(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1u);
    return 0;
}

static int always_fails(weft_worker *self, void *item, void *ctx)
{
    return -EINVAL;
}

Test(vectors_failure, nothing_comes_behind_a_stage_that_always_fails,
     .timeout = 30)
{
    for (int policy = WEFT_STOP; policy <= WEFT_SKIP; policy++) {
        struct range r = { .end = 10 };
        _Atomic unsigned before = 0, behind = 0;
        weft_pipeline *p = draw(&r, (enum weft_policy)policy);
        weft_stage(p, weft_config(stage, .name = "before", .fn = count_calls,
                                  .ctx = &before));
        weft_stage(p, weft_config(stage, .name = "fail", .fn = always_fails,
                                  .order = WEFT_INPUT, .tokens = 1));
        weft_stage(p, weft_config(stage, .name = "behind", .fn = count_calls,
                                  .ctx = &behind));
        struct taken t = taken_from(p, WEFT_ANY);
        cr_assert_eq(t.count, 0);
        cr_assert_eq(behind, 0);
        if (policy == WEFT_SKIP) {
            cr_assert_eq(before, 10);
            cr_assert_eq(t.error, 0);
        } else {
            ends_with(&t, -EINVAL,
                      "stage 'fail' failed on item 0, attempt 1: EINVAL: "
                      "Invalid argument");
        }
    }
}

static int seven_fails(weft_worker *self, void *item, void *ctx)
{
    return *value_of(item) == 7
               ? weft_fail(item, -ERANGE, "%s", (const char *)ctx)
               : 0;
}

/* In the middle, or as the last: what came before it comes, in order. */
Test(vectors_failure, the_good_ones_before_a_failure_come_before_the_error,
     .timeout = 30)
{
    for (int i = 0; i < TIMES(200, 50); i++) {
        struct range r = { .end = 50 };
        weft_pipeline *p = draw(&r, WEFT_STOP);
        add(p, "before", pass, WEFT_ANY);
        weft_stage(p, weft_config(stage, .name = "seven", .fn = seven_fails,
                                  .ctx = "not this one", .order = orders[i % 2],
                                  .tokens = 3));
        if (i % 4 < 2)
            add(p, "behind", pass, WEFT_ANY);
        struct taken t = taken_from(p, WEFT_INPUT);
        LISTS(t, 0, 1, 2, 3, 4, 5, 6);
        ends_with(&t, -ERANGE,
                  "stage 'seven' failed on item 7, attempt 1: ERANGE: not this "
                  "one");
    }
}

Test(vectors_failure, a_sink_that_fails_ends_the_run, .timeout = 30)
{
    struct range r = { .end = 1000 };
    struct weft_run *run;
    struct weft_flow flow;
    weft_error why;
    weft_sched *sched = workers(2);
    weft_pipeline *p = draw(&r, WEFT_STOP);

    weft_stage(p, weft_config(stage, .name = "sink", .fn = seven_fails,
                              .ctx = "disk full", .order = WEFT_INPUT,
                              .tokens = 1));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, &why), -ERANGE);
    cr_assert_eq(strcmp(why.text, "stage 'sink' failed on item 7, attempt 1: "
                                  "ERANGE: disk full"),
                 0);
    cr_assert_eq(weft_run_flow(run, 0, &flow), 0);
    cr_assert_eq(flow.delivered, 7);
    cr_assert_eq(flow.failed, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- at most so many --------------------------------------------------- */

static void with_policy(weft_pipeline *p, const char *name, weft_stage_fn *fn,
                        enum weft_order order, struct weft_failures failures)
{
    weft_stage(p, weft_config(stage, .name = name, .fn = fn, .order = order,
                              .tokens = 1, .failures = failures));
}

static struct weft_failures at_most(unsigned most)
{
    return (struct weft_failures){ .policy = WEFT_AT_MOST, .most = most };
}

/* Where no order is asked for, one item at a time is in flight: it is known
 * which fails first. */
static struct taken odd_fail(uint64_t end, struct weft_failures run,
                             struct weft_failures stage, enum weft_order order)
{
    struct range r = { .end = end };
    weft_pipeline *p = draw_with(&r, run, order == WEFT_ANY);
    with_policy(p, "odd", odd_fails, order, stage);
    return taken_on(1, p, WEFT_INPUT);
}

/* SPDL ends with the third of "at most three" failures, so 6 is not seen there;
 * weft with the first that is one too many. */
Test(vectors_failure, R19_three_may_fail_and_the_fourth_ends_the_run,
     .timeout = 30)
{
    const struct weft_failures none = { .policy = WEFT_DEFAULT };
    const struct weft_failures skip = { .policy = WEFT_SKIP };
    for (int i = 0; i < 2; i++) {
        GIVES(odd_fail(10, skip, none, orders[i]), 0, 2, 4, 6, 8);
        GIVES(odd_fail(7, at_most(3), none, orders[i]), 0, 2, 4, 6);
        struct taken t = odd_fail(10, at_most(3), none, orders[i]);
        LISTS(t, 0, 2, 4, 6);
        ends_with(&t, -EINVAL,
                  "stage 'odd' failed on item 7, attempt 1: EINVAL: Invalid "
                  "argument");
        cr_assert_eq(t.flow.failed, 4);
        t = odd_fail(10, at_most(0), none, orders[i]);
        LISTS(t, 0);
        cr_assert_eq(t.error, -EINVAL);
    }
}

Test(vectors_failure, R19_a_stage_with_a_policy_answers_for_itself,
     .timeout = 30)
{
    const struct weft_failures skip = { .policy = WEFT_SKIP };
    for (int i = 0; i < 2; i++) {
        /* Stricter than its run, and not as strict. */
        struct taken t = odd_fail(10, skip, at_most(2), orders[i]);
        LISTS(t, 0, 2, 4);
        cr_assert_eq(t.error, -EINVAL);
        GIVES(odd_fail(10, at_most(2), skip, orders[i]), 0, 2, 4, 6, 8);
    }
}

static int sixes_fail(weft_worker *self, void *item, void *ctx)
{
    return *value_of(item) % 6 ? 0 : -EDOM;
}

/* The first fails more often, but that is allowed; the second ends the run with
 * its fourth, which is 18. The run allows fewer, but is not asked. */
Test(vectors_failure, R19_each_stage_has_its_own_count, .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        struct range r = { .end = 30 };
        weft_pipeline *p = draw_with(&r, at_most(2), !i);
        with_policy(p, "odd", odd_fails, orders[i],
                    (struct weft_failures){ .policy = WEFT_SKIP });
        with_policy(p, "six", sixes_fail, orders[i], at_most(3));
        struct taken t = taken_on(1, p, WEFT_INPUT);
        LISTS(t, 2, 4, 8, 10, 14, 16);
        ends_with(&t, -EDOM,
                  "stage 'six' failed on item 18, attempt 1: EDOM: Numerical "
                  "argument out of domain");
    }
}

/* 1 3 5 fail here, 0 6 there: that is five. */
Test(vectors_failure, R19_stages_without_a_policy_share_the_count_of_the_run,
     .timeout = 30)
{
    for (unsigned most = 4; most < 6; most++) {
        struct range r = { .end = 7 };
        weft_pipeline *p = draw_with(&r, at_most(most), 1);
        add(p, "odd", odd_fails, WEFT_ANY);
        add(p, "six", sixes_fail, WEFT_ANY);
        struct taken t = taken_from(p, WEFT_INPUT);
        LISTS(t, 2, 4);
        cr_assert_eq(t.error, most == 5 ? 0 : -EDOM);
    }
}

/* What two runs at one time count, each of another plan or of the same. */
Test(vectors_failure, R19_runs_do_not_share_their_counts, .timeout = 30)
{
    struct range r[3] = { { .end = 10 }, { .end = 10 }, { .end = 7 } };
    const unsigned most[3] = { 2, 3, 3 };
    weft_sched *sched = workers(2);
    weft_plan *plans[3];
    struct weft_run *runs[3];
    struct taken t[3];

    for (int i = 0; i < 3; i++) {
        weft_pipeline *p = draw_with(&r[i], at_most(most[i]), 0);
        with_policy(p, "odd", odd_fails, WEFT_INPUT,
                    (struct weft_failures){ .policy = WEFT_DEFAULT });
        weft_consumer(p, WEFT_INPUT);
        plans[i] = pipeline_plan(p);
        cr_assert_eq(weft_start(&runs[i], sched, plans[i], NULL), 0);
    }
    for (int i = 0; i < 3; i++) {
        t[i] = take_rest(runs[i]);
        weft_run_destroy(runs[i]);
        weft_plan_destroy(plans[i]);
    }
    LISTS(t[0], 0, 2, 4);
    LISTS(t[1], 0, 2, 4, 6);
    GIVES(t[2], 0, 2, 4, 6);
    weft_sched_destroy(sched);
}

/* ---- at most a rate ---------------------------------------------------- */

struct every {
    uint64_t nth, from;
};

static int every_nth_fails(weft_worker *self, void *item, void *ctx)
{
    const struct every *e = ctx;
    uint64_t value = *value_of(item);
    return value >= e->from && value % e->nth == 0 ? -EINVAL : 0;
}

/* One at a time, so it is known how many were seen when one fails. The rate is
 * that of the stage, or of the run. */
static struct taken at_rate(uint64_t items, struct every e, double rate,
                            unsigned sample, bool of_stage)
{
    struct range r = { .end = items };
    struct weft_failures f = { .policy = WEFT_AT_RATE,
                               .rate = rate,
                               .sample = sample };
    struct weft_failures skip = { .policy = WEFT_SKIP }, none = { 0 };
    weft_pipeline *p = draw_with(&r, of_stage ? skip : f, 1);
    weft_stage(p, weft_config(stage, .name = "nth", .fn = every_nth_fails,
                              .ctx = &e, .failures = of_stage ? f : none));
    return taken_from(p, WEFT_INPUT);
}

static bool passes(struct taken t, unsigned count)
{
    return !t.error && !t.result && t.count == count;
}

static bool stops(struct taken t, unsigned count, uint64_t failed)
{
    return t.error == -EINVAL && t.count == count && t.flow.failed == failed;
}

Test(vectors_failure, R19_a_rate_is_judged_once_the_sample_is_there,
     .timeout = 60)
{
    for (int i = 0; i < 2; i++) {
        /* 0, 100, ... of a thousand: at the second failure in SPDL, here as
         * soon as a hundred were seen, of which one is too many. */
        cr_assert(
            stops(at_rate(1000, (struct every){ 100 }, 0.001, 100, i), 99, 1));
        cr_assert(passes(at_rate(100, (struct every){ 10 }, 0.15, 100, i), 90));
        cr_assert(
            passes(at_rate(100, (struct every){ 1, 90 }, 0.11, 100, i), 90));
        /* 90 to 98 are nine of 99, 99 is the tenth of a hundred. */
        cr_assert(
            stops(at_rate(200, (struct every){ 1, 90 }, 0.09, 100, i), 90, 10));
        /* Too few to be judged. */
        cr_assert(passes(at_rate(20, (struct every){ 5 }, 0.01, 100, i), 16));
        cr_assert(passes(at_rate(10, (struct every){ 3 }, 0.3, 100, i), 6));
        cr_assert(passes(at_rate(99, (struct every){ 1 }, 0.3, 100, i), 0));
        cr_assert(
            stops(at_rate(200, (struct every){ 5 }, 0.1, 100, i), 80, 20));
        /* Not more than all can fail. */
        cr_assert(passes(at_rate(300, (struct every){ 1 }, 1, 100, i), 0));
        /* Without a sample, from the first one on. */
        cr_assert(stops(at_rate(10, (struct every){ 1 }, 0.5, 0, i), 0, 1));
        /* In SPDL no rate of 0: here it is WEFT_STOP after the sample. */
        cr_assert(stops(at_rate(20, (struct every){ 1, 8 }, 0, 10, i), 8, 2));
        cr_assert(passes(at_rate(100, (struct every){ 1, 100 }, 0, 0, i), 100));
    }
}

Test(vectors_failure, R19_a_rate_is_a_part_of_one, .timeout = 30)
{
    const double wrong[] = { 1.1, 2, -0.1 };
    const char *said[] = { "1.1", "2", "-0.1" };
    char sentence[128];

    for (int i = 0; i < 3; i++) {
        struct range r = { .end = 1 };
        struct weft_failures f = { .policy = WEFT_AT_RATE, .rate = wrong[i] };
        snprintf(sentence, sizeof sentence,
                 "the pipeline lets a rate of %s fail: it is from 0 to 1",
                 said[i]);
        is_refused(draw_with(&r, f, 0), sentence);
        weft_pipeline *p = draw(&r, WEFT_SKIP);
        with_policy(p, "odd", odd_fails, WEFT_ANY, f);
        snprintf(sentence, sizeof sentence,
                 "odd lets a rate of %s fail: it is from 0 to 1", said[i]);
        is_refused(p, sentence);
    }
}

/* ---- attempts ---------------------------------------------------------- */

/* Item n needs n + 1 attempts. */
static int later(weft_worker *self, void *item, void *ctx)
{
    return weft_item_attempt(item) > *value_of(item) ? 0 : -EAGAIN;
}

static struct weft_stage_stats stats_of(struct weft_run *run, unsigned stage)
{
    struct weft_stage_stats s;
    cr_assert_eq(weft_run_stage(run, stage, &s), 0);
    return s;
}

/* SPDL makes one attempt. */
Test(vectors_failure, R19_what_fails_is_tried_again_and_keeps_its_order,
     .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        struct range r = { .end = 6 };
        struct weft_run *run;
        weft_sched *sched = workers(2);
        weft_pipeline *p = draw(&r, WEFT_SKIP);
        weft_stage(p, weft_config(stage, .name = "later", .fn = later,
                                  .tokens = 1, .order = orders[i],
                                  .retry = { .attempts = 4, .first_ms = 1 }));
        weft_consumer(p, WEFT_INPUT);
        weft_plan *plan = pipeline_plan(p);
        cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
        GIVES(take_rest(run), 0, 1, 2, 3);
        struct weft_stage_stats s = stats_of(run, 1);
        cr_assert_eq(s.in, 6);
        cr_assert_eq(s.done, 4);
        cr_assert_eq(s.failed, 2);
        cr_assert_eq(s.retried, 0 + 1 + 2 + 3 + 3 + 3);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

Test(vectors_failure, R19_the_last_attempt_is_the_one_that_is_told,
     .timeout = 30)
{
    struct range r = { .end = 1 };
    weft_pipeline *p = draw(&r, WEFT_STOP);
    weft_stage(p, weft_config(stage, .name = "fail", .fn = always_fails,
                              .tokens = 1, .order = WEFT_INPUT,
                              .retry = { .attempts = 3, .first_ms = 1 }));
    struct taken t = taken_from(p, WEFT_INPUT);
    ends_with(&t, -EINVAL,
              "stage 'fail' failed on item 0, attempt 3: EINVAL: Invalid "
              "argument");
}

static int drop_first(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1u);
    return *value_of(item) ? 0 : WEFT_FILTER;
}

Test(vectors_failure, what_is_dropped_is_not_tried_again, .timeout = 30)
{
    struct range r = { .end = 2 };
    _Atomic unsigned calls = 0;
    weft_pipeline *p = draw(&r, WEFT_STOP);
    weft_stage(p, weft_config(stage, .name = "drop", .fn = drop_first,
                              .ctx = &calls, .retry = { .attempts = 5 }));
    GIVES(taken_from(p, WEFT_INPUT), 1);
    cr_assert_eq(calls, 2);
}

/* ---- hooks ------------------------------------------------------------- */

struct hooked {
    pthread_mutex_t lock;
    unsigned begun[4], ended[4], failed[4]; /* by stage */
    uint64_t items[4];                      /* numbers, added up */
};

static const char *const hooked_stages[4] = { "count", "twice", "batch",
                                              "fail" };

static void hook(const struct weft_attempt *a, void *item, void *ctx)
{
    struct hooked *h = ctx;
    unsigned i = 0;

    while (strcmp(hooked_stages[i], a->stage) != 0)
        i++;
    pthread_mutex_lock(&h->lock);
    if (a->event == WEFT_BEGINS) {
        h->begun[i]++;
        h->items[i] += a->item;
    } else {
        h->ended[i]++;
        h->failed[i] += a->result < 0;
    }
    pthread_mutex_unlock(&h->lock);
}

/* SPDL calls hooks around what an aggregator does as well. In weft they are
 * called for attempts, which may be several for an item; to gather and to
 * scatter are none. */
Test(vectors_failure, a_hook_is_called_around_every_attempt, .timeout = 30)
{
    for (int drop = 0; drop < 2; drop++) {
        struct range r = { .end = 12 };
        struct hooked h = { .lock = PTHREAD_MUTEX_INITIALIZER };
        weft_pipeline *p = weft_pipeline_create(weft_config(
            pipeline, .items = { .bytes = sizeof(struct vec) },
            .failures = { .policy = WEFT_SKIP }, .hook = hook, .ctx = &h));
        weft_source(p, "count", count_up, &r);
        add(p, "twice", twice, WEFT_ANY);
        batch_by(p, 5, drop);
        weft_stage(p, weft_config(stage, .name = "fail", .fn = always_fails,
                                  .retry = { .attempts = 2, .first_ms = 1 }));
        gives_nothing(taken_from(p, WEFT_ANY));
        unsigned rest = drop ? 2 : 3;
        cr_assert_eq(h.begun[0], 13); /* the end is an attempt as well */
        cr_assert_eq(h.begun[1], 12);
        cr_assert_eq(h.begun[2], 0);
        cr_assert_eq(h.begun[3], 2 * rest);
        for (int i = 0; i < 4; i++)
            cr_assert_eq(h.ended[i], h.begun[i]);
        cr_assert_eq(h.failed[1], 0);
        cr_assert_eq(h.failed[3], 2 * rest);
        cr_assert_eq(h.items[1], 66);
        cr_assert_eq(h.items[3], drop ? 2 : 6);
    }
}

/* It has the item, also of an attempt that fails. */
struct seen {
    _Atomic uint64_t all, failed;
};

static void see(const struct weft_attempt *a, void *item, void *ctx)
{
    struct seen *s = ctx;
    if (a->event == WEFT_ENDS && strcmp(a->stage, "odd") == 0) {
        add_relaxed(&s->all, (uint64_t)1 << *value_of(item));
        add_relaxed(&s->failed, (uint64_t)(a->result == -EINVAL)
                                    << *value_of(item));
    }
}

Test(vectors_failure, a_hook_sees_the_item_and_how_it_ended, .timeout = 30)
{
    for (int i = 0; i < 2; i++) {
        struct range r = { .end = 6 };
        struct seen seen = { 0 };
        weft_pipeline *p = weft_pipeline_create(weft_config(
            pipeline, .items = { .bytes = sizeof(struct vec) },
            .failures = { .policy = WEFT_SKIP }, .hook = see, .ctx = &seen));
        weft_source(p, "count", count_up, &r);
        weft_stage(p, weft_config(stage, .name = "odd", .fn = odd_fails,
                                  .tokens = 4, .order = orders[i]));
        GIVES(taken_from(p, WEFT_INPUT), 0, 2, 4);
        cr_assert_eq(seen.all, 0x3f);
        cr_assert_eq(seen.failed, 0x2a);
    }
}
