/* test_failure.c: graph/failure.c: which failures end a run, and what is told
 * of them. Retries are in test_retry.c. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <time.h>

#include "tests/flows.h"

enum { MOST = 1000, SLOTS = 16 };

typedef bool fails_fn(uint64_t number);

struct stage_world {
    fails_fn *fails;
    int error;
};

struct report {
    struct weft_failure failure;
    char stage[32], text[300];
    uint64_t content; /* of the item, when it was reported */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct report reports[MOST];
static unsigned report_count;

static void report(const struct weft_failure *failure, void *item, void *ctx)
{
    pthread_mutex_lock(&lock);
    struct report *r = &reports[report_count++];
    r->failure = *failure;
    snprintf(r->stage, sizeof r->stage, "%s", failure->stage);
    snprintf(r->text, sizeof r->text, "%s", failure->text);
    r->content = number_of(item);
    pthread_mutex_unlock(&lock);
}

static bool never(uint64_t n) { return false; }
static bool odd(uint64_t n) { return n % 2; }
static bool always(uint64_t n) { return true; }
static bool fifths(uint64_t n) { return n % 5 == 4; }
static bool from_ten(uint64_t n) { return n >= 10; }
static bool below_eight(uint64_t n) { return n < 8; }

static int may_fail(weft_worker *self, void *item, void *ctx)
{
    struct stage_world *w = ctx;
    return w->fails(number_of(item)) ? w->error : 0;
}

/* A source and two stages, which are called for one item at a time and in
 * order; so it is known which failure is the last that is tolerated. Where both
 * stages fail there is one slot, or the first would be ahead of the second. */
struct trial {
    struct weft_failures run, first_policy, second_policy;
    fails_fn *first, *second;
    uint64_t items;
    uint64_t survivors[MOST];
    unsigned count;
    int result;
    weft_error why;
    struct weft_flow flow;
};

static void try(struct trial *t, unsigned worker_count)
{
    struct numbers source = { .end = t->items };
    struct stage_world first = { t->first ? t->first : never, -EIO };
    struct stage_world second = { t->second ? t->second : never, -EBADMSG };
    weft_sched *sched = workers(worker_count);
    void *item;
    int rc;

    report_count = t->count = 0;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = t->run, .on_failure = report,
                    .items = { .bytes = sizeof(uint64_t),
                               .slots = t->second ? 1 : SLOTS }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "first", .fn = may_fail,
                              .ctx = &first, .order = WEFT_INPUT, .tokens = 1,
                              .failures = t->first_policy));
    weft_stage(p, weft_config(stage, .name = "second", .fn = may_fail,
                              .ctx = &second, .order = WEFT_INPUT, .tokens = 1,
                              .failures = t->second_policy));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while ((rc = weft_next(run, &item, -1, NULL)) == 1) {
        t->survivors[t->count++] = number_of(item);
        weft_release(item);
    }
    t->result = weft_wait(run, -1, &t->why);
    cr_assert_eq(rc, t->result);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    t->flow = ended(run, t->result);
    cr_assert_eq(t->flow.delivered, t->count);
    cr_assert_eq(t->flow.failed, report_count);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The survivors are the good ones below `end`. */
static void survive(struct trial t, uint64_t end, int result, unsigned failed)
{
    for (unsigned n = 1; n <= 3; n++) {
        unsigned count = 0;
        try(&t, n);
        for (uint64_t i = 0; i < end; i++)
            if (!(t.first && t.first(i)) && !(t.second && t.second(i)))
                cr_assert_eq(t.survivors[count++], i);
        cr_assert_eq(t.count, count);
        cr_assert_eq(t.result, result);
        cr_assert_eq(t.flow.failed, failed);
    }
}

Test(failure, R19_failure_policies_stop_skip_and_at_most, .timeout = 60)
{
    struct trial t = { .items = 100, .first = odd };

    survive(t, 1, -EIO, 1); /* the default is to stop at the first */
    t.run.policy = WEFT_STOP;
    survive(t, 1, -EIO, 1);
    t.run.policy = WEFT_SKIP;
    survive(t, 100, 0, 50);
    t.run = (struct weft_failures){ .policy = WEFT_AT_MOST, .most = 3 };
    survive(t, 7, -EIO, 4); /* 0, 2, 4, 6 */
    t.run.most = 0;
    survive(t, 1, -EIO, 1);
    t.run.most = 49;
    survive(t, 99, -EIO, 50);
    t.run.most = 50;
    survive(t, 100, 0, 50);
}

Test(failure, R19_failure_policies_count_all_stages_of_a_run, .timeout = 60)
{
    struct trial t = { .items = 100,
                       .first = odd,
                       .second = fifths, /* 4, 14, 24 ..: the odd are gone */
                       .run = { .policy = WEFT_AT_MOST, .most = 8 } };
    /* 1 3 4 5 7 9 11 13, and 14 is the ninth. */
    survive(t, 14, -EBADMSG, 9);
}

Test(failure, R19_failure_policies_of_a_stage_are_its_own, .timeout = 60)
{
    struct trial t = { .items = 100, .first = odd, .second = from_ten };

    /* Those of the first are skipped, and not counted for the run. */
    t.first_policy.policy = WEFT_SKIP;
    t.run = (struct weft_failures){ .policy = WEFT_AT_MOST, .most = 3 };
    survive(t, 16, -EBADMSG, 8 + 4); /* 1 .. 15, and 10 12 14 16 */
    /* The run skips, the second stage stops. */
    t.run.policy = WEFT_SKIP;
    t.second_policy.policy = WEFT_STOP;
    t.first_policy.policy = WEFT_DEFAULT;
    survive(t, 10, -EBADMSG, 5 + 1);
    /* Each counts for itself. */
    t.first_policy =
        (struct weft_failures){ .policy = WEFT_AT_MOST, .most = 9 };
    t.second_policy =
        (struct weft_failures){ .policy = WEFT_AT_MOST, .most = 4 };
    survive(t, 18, -EBADMSG, 9 + 5); /* 10 12 14 16, and 18 */
    t.second = never;
    survive(t, 19, -EIO, 10);
}

/* What a rate means, item by item; the result is how many are too many. */
static uint64_t too_many(fails_fn *fails, struct weft_failures f,
                         uint64_t items, unsigned *failed)
{
    uint64_t seen = 0;
    *failed = 0;
    while (seen < items) {
        *failed += fails(seen++);
        if (*failed > f.rate * (double)seen && seen >= f.sample)
            break;
    }
    return seen;
}

static void at_rate(fails_fn *fails, double rate, unsigned sample,
                    uint64_t expected)
{
    struct trial t = { .items = 200, .first = fails };
    unsigned failed;
    struct weft_failures f = { .policy = WEFT_AT_RATE,
                               .rate = rate,
                               .sample = sample };
    uint64_t end = too_many(fails, f, 200, &failed);
    cr_assert_eq(end, expected);
    int result = end < 200 ? -EIO : 0;
    t.run = f;
    survive(t, end, result, failed);
    t.run.policy = WEFT_STOP;
    t.first_policy = f;
    survive(t, end, result, failed);
}

Test(failure, R19_failure_policies_at_rate, .timeout = 120)
{
    at_rate(odd, 0.5, 0, 200);    /* never more than half */
    at_rate(odd, 0.49, 0, 2);     /* one of two */
    at_rate(odd, 0.49, 10, 10);   /* five of ten */
    at_rate(odd, 0.49, 11, 12);   /* six of twelve */
    at_rate(fifths, 0.2, 0, 200); /* one of five each time */
    at_rate(fifths, 0.19, 7, 10); /* two of ten */
    at_rate(below_eight, 0.5, 6, 6);
    at_rate(below_eight, 0.5, 12, 12);  /* eight of twelve, four good ones */
    at_rate(below_eight, 0.5, 15, 15);  /* eight of fifteen */
    at_rate(below_eight, 0.5, 16, 200); /* eight of sixteen */
    at_rate(below_eight, 0.039, 199, 199);
    at_rate(always, 1, 0, 200);
    at_rate(always, 0.99, 50, 50);
    at_rate(from_ten, 0.5, 0, 21); /* 11 of 21 */
}

/* Half of the items fail at once, the good ones take their time: they have been
 * seen all the same, also when the first of them fails where it is. */
struct held {
    void *items[32];
    _Atomic unsigned count;
};

static int hold(weft_worker *self, void *item, void *ctx)
{
    struct held *h = ctx;
    h->items[h->count] = item;
    add_release(&h->count, 1u); /* the item; for the load in the test */
    return WEFT_PENDING;
}

Test(failure, R19_failure_policies_at_rate_see_what_is_still_on_its_way,
     .timeout = 30)
{
    struct numbers source = { .end = 40 };
    struct stage_world world = { odd, -EIO };
    struct held held = { .count = 0 };
    weft_sched *sched = workers(1);

    report_count = 0;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .on_failure = report,
        .failures = { .policy = WEFT_AT_RATE, .rate = 0.55, .sample = 10 },
        .items = { .bytes = sizeof(uint64_t), .slots = 32 }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "odd", .fn = may_fail,
                              .ctx = &world, .order = WEFT_INPUT, .tokens = 1));
    weft_stage(p, weft_config(stage, .name = "hold", .fn = hold, .ctx = &held,
                              .tokens = 32));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    UNTIL(load_acquire(&held.count) == 20); /* the items, from hold() */
    for (int i = 0; i < 20; i++)
        weft_complete(NULL, held.items[i], i ? 0 : -EBADMSG);
    struct weft_flow f = ended(run, 0);
    cr_assert_eq(f.delivered, 19);
    cr_assert_eq(f.failed, 21);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Where one item becomes many, or many one, a part of these is a part of these:
 * five items make a batch, and that two pieces. Of the items 40 % fail, of the
 * batches one, and of the pieces 40 %. */
static bool two_fifths(uint64_t n) { return n % 5 < 2; }
static bool the_tenth(uint64_t n) { return n == 9; }

static int may_fail_by_number(weft_worker *self, void *item, void *ctx)
{
    struct stage_world *w = ctx;
    return w->fails(weft_item_number(item)) ? w->error : 0;
}

static int keep_nothing(weft_worker *self, void *batch, void *item, void *ctx)
{
    *(uint64_t *)batch = 0;
    return 0;
}

static int two(weft_worker *self, void *item, void *piece, void *ctx)
{
    return ++*(uint64_t *)item > 2 ? WEFT_END : 0;
}

static struct weft_flow segment_flow(struct weft_run *run, unsigned segment)
{
    struct weft_flow f = { 0 };
    cr_assert_eq(weft_run_flow(run, segment, &f), 0);
    return f;
}

Test(failure, R19_failure_policies_at_rate_judge_each_segment_for_itself,
     .timeout = 60)
{
    struct numbers source = { .end = 1000 };
    struct stage_world items = { two_fifths, -EIO };
    struct stage_world batches = { the_tenth, -EBADMSG };
    struct stage_world pieces = { two_fifths, -EPROTO };
    const struct weft_items slots = { .bytes = sizeof(uint64_t), .slots = 4 };
    weft_error why = { "" };
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = slots,
        .failures = { .policy = WEFT_AT_RATE, .rate = 0.5, .sample = 8 }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "items", .ctx = &items,
                              .fn = may_fail_by_number, .tokens = 1,
                              .order = WEFT_INPUT));
    weft_gather(p, weft_config(gather, .name = "batch", .fn = keep_nothing,
                               .count = 5, .items = slots));
    weft_stage(p, weft_config(stage, .name = "batches", .ctx = &batches,
                              .fn = may_fail_by_number, .tokens = 1,
                              .order = WEFT_INPUT));
    weft_scatter(
        p, weft_config(scatter, .name = "split", .fn = two, .items = slots));
    weft_stage(p, weft_config(stage, .name = "pieces", .ctx = &pieces,
                              .fn = may_fail_by_number, .tokens = 1,
                              .order = WEFT_INPUT));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    if (weft_wait(run, -1, &why))
        fprintf(stderr, "%s\n", why.text);
    cr_assert_eq(segment_flow(run, 1).failed, 1);
    cr_assert_eq(segment_flow(run, 2).failed, 238 * 2 / 5 + 1);
    cr_assert_eq(ended(run, 0).failed, 400);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- what is told ------------------------------------------------------ */

struct tale {
    uint64_t number;
    char *memory; /* of its own, until the reset */
    uint64_t content;
};

static _Atomic unsigned resets;

static int start_tale(weft_worker *self, void *item, void *ctx)
{
    struct tale *t = item;
    int rc = number(self, item, ctx);
    if (!rc)
        t->memory = strcpy(malloc(16), "intact");
    return rc;
}

static void end_tale(void *item, void *ctx)
{
    struct tale *t = item;
    free(t->memory);
    *t = (struct tale){ 0 };
    add_relaxed(&resets, 1u);
}

static int fail_with_words(weft_worker *self, void *item, void *ctx)
{
    uint64_t n = number_of(item);
    if (n % 7 == 3)
        return weft_fail(item, -EPROTO, "number %" PRIu64 " has %s", n,
                         "a bad form");
    if (n % 7 == 5)
        return -ENOSPC;
    if (n % 7 == 6)
        weft_fail(item, -EAGAIN, "what was mended in time");
    return 0;
}

static void report_tale(const struct weft_failure *failure, void *item,
                        void *ctx)
{
    struct tale *t = item;
    cr_assert_eq(strcmp(t->memory, "intact"), 0);
    strcpy(t->memory, "told");
    report(failure, item, ctx);
}

static uint64_t time_of_day(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

Test(failure, R19_failure_policies_tell_once_of_each_failed_item, .timeout = 30)
{
    enum { ITEMS = 7 * 60 };
    struct numbers source = { .end = ITEMS };
    weft_sched *sched = workers(2);
    bool told[ITEMS] = { false };

    report_count = 0;
    resets = 0;
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .on_failure = report_tale,
        .failures = { .policy = WEFT_SKIP },
        .items = {
            .bytes = sizeof(struct tale), .slots = 4, .reset = end_tale }));
    weft_source(p, "tales", start_tale, &source);
    weft_stage(p, weft_config(stage, .name = "judge", .fn = fail_with_words));
    weft_plan *plan = pipeline_plan(p);
    uint64_t before = time_of_day();
    cr_assert_eq(ended(started(sched, plan), 0).failed, ITEMS / 7 * 2);
    uint64_t after = time_of_day();
    cr_assert_eq(resets, ITEMS);
    cr_assert_eq(report_count, ITEMS / 7 * 2);
    for (unsigned i = 0; i < report_count; i++) {
        const struct report *r = &reports[i];
        const struct weft_failure *f = &r->failure;
        char text[64] = "No space left on device";
        bool words = f->item % 7 == 3;
        cr_assert(f->item < ITEMS && (words || f->item % 7 == 5));
        cr_assert(!told[f->item]);
        told[f->item] = true;
        if (words)
            sprintf(text, "number %" PRIu64 " has a bad form", f->item);
        cr_assert_eq(strcmp(r->text, text), 0);
        cr_assert_eq(strcmp(r->stage, "judge"), 0);
        cr_assert_eq(r->content, f->item);
        cr_assert_eq(f->attempt, 1);
        cr_assert_eq(f->error, words ? -EPROTO : -ENOSPC);
        cr_assert(f->time_ns >= before && f->time_ns <= after);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int fail_at_length(weft_worker *self, void *item, void *ctx)
{
    char text[1000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    return weft_fail(item, -EIO, "%s", text);
}

Test(failure, a_sentence_that_is_too_long_is_cut)
{
    struct numbers source = { .end = 1 };
    weft_error why;
    weft_sched *sched = workers(1);

    report_count = 0;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .on_failure = report, .items = { .bytes = 8 }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "long", .fn = fail_at_length));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_run(sched, plan, &why), -EIO);
    cr_assert_eq(strlen(reports[0].text), 255);
    cr_assert_eq(strlen(why.text), 255);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
