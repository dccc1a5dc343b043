/* test_failure_places.c: graph/failure.c: failures wherever they happen: in
 * sources, gathers, scatters, routers, paths, and in what these make. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/flows.h"

enum { MOST = 100 };

struct report {
    char stage[32], text[64];
    uint64_t item, content;
    int error;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct report reports[MOST];
static unsigned report_count;
static uint64_t taken[MOST]; /* that came out at the end */
static unsigned taken_count;

static void report(const struct weft_failure *failure, void *item, void *ctx)
{
    pthread_mutex_lock(&lock);
    struct report *r = &reports[report_count++];
    *r = (struct report){ .item = failure->item,
                          .error = failure->error,
                          .content = number_of(item) };
    snprintf(r->stage, sizeof r->stage, "%s", failure->stage);
    snprintf(r->text, sizeof r->text, "%s", failure->text);
    pthread_mutex_unlock(&lock);
}

static weft_pipeline *draw(struct weft_failures failures)
{
    return weft_pipeline_create(
        weft_config(pipeline, .failures = failures, .on_failure = report,
                    .items = { .bytes = sizeof(uint64_t), .slots = 8 }));
}

/* Runs it to its end, and takes what comes: its result. */
static int take_all(weft_pipeline *p, struct weft_run **run, weft_error *why)
{
    static weft_sched *sched;
    static weft_plan *plan;
    void *item;
    int rc;

    if (!p) {
        weft_run_destroy(*run);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
        return 0;
    }
    report_count = taken_count = 0;
    weft_consumer(p, WEFT_INPUT);
    sched = workers(2);
    plan = pipeline_plan(p);
    *run = started(sched, plan);
    while ((rc = weft_next(*run, &item, -1, why)) == 1) {
        taken[taken_count++] = number_of(item);
        weft_release(item);
    }
    cr_assert_eq(weft_wait(*run, -1, NULL), rc);
    return rc;
}

static void reported(unsigned i, const char *stage, uint64_t item, int error)
{
    cr_assert_eq(strcmp(reports[i].stage, stage), 0);
    cr_assert_eq(reports[i].item, item);
    cr_assert_eq(reports[i].error, error);
}

static const struct weft_failures skip = { .policy = WEFT_SKIP };

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

/* ---- sources ----------------------------------------------------------- */

static int fail_after_ten(weft_worker *self, void *item, void *ctx)
{
    struct numbers *n = ctx;
    if (n->next == 10)
        return weft_fail(item, -ECONNRESET, "the line went dead");
    return number(self, item, n);
}

static int fail_after_ten_later(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, fail_after_ten(self, item, ctx));
    return WEFT_PENDING;
}

static void source_fails(weft_stage_fn *fn, enum weft_kind kind)
{
    struct numbers n = { .end = 100 };
    struct weft_run *run;
    weft_error why;

    weft_pipeline *p = draw(skip); /* whatever the policy */
    weft_source_with(p, weft_config(source, .name = "line", .fn = fn, .ctx = &n,
                                    .kind = kind));
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    cr_assert_eq(take_all(p, &run, &why), -ECONNRESET);
    cr_assert_eq(strcmp(why.text, "source 'line' failed on item 10, attempt 1: "
                                  "ECONNRESET: the line went dead"),
                 0);
    cr_assert_eq(taken_count, 10);
    cr_assert_eq(report_count, 0); /* there is no item that failed */
    struct weft_flow f = flow_of(run, 0);
    cr_assert_eq(f.fed, 10);
    cr_assert_eq(f.delivered, 10);
    take_all(NULL, &run, NULL);
}

Test(failure_places, a_source_fails_after_its_items, .timeout = 30)
{
    source_fails(fail_after_ten, WEFT_CPU);
    source_fails(fail_after_ten, WEFT_BLOCKING);
    source_fails(fail_after_ten, WEFT_PINNED);
    source_fails(fail_after_ten_later, WEFT_CPU);
}

/* ---- gathers ----------------------------------------------------------- */

static int add_even(weft_worker *self, void *batch, void *item, void *ctx)
{
    uint64_t n = number_of(item);
    if (n % 2)
        return weft_fail(item, -EDOM, "%d is odd", (int)n);
    *(uint64_t *)batch += 1000 + n;
    return 0;
}

static void clear(void *item, void *ctx) { *(uint64_t *)item = 0; }

static weft_pipeline *draw_batches(struct numbers *n,
                                   struct weft_failures failures)
{
    weft_pipeline *p = draw(failures);
    weft_source(p, "numbers", number, n);
    weft_gather(p, weft_config(gather, .name = "even", .fn = add_even,
                               .count = 3, .order = WEFT_INPUT,
                               .items = { .bytes = sizeof(uint64_t),
                                          .slots = 4,
                                          .reset = clear }));
    return p;
}

Test(failure_places, what_a_gather_refuses_leaves_the_batch_as_it_was)
{
    struct numbers n = { .end = 14 };
    struct weft_run *run;

    cr_assert_eq(take_all(draw_batches(&n, skip), &run, NULL), 0);
    cr_assert_eq(taken_count, 3);
    cr_assert_eq(taken[0], 3000 + 0 + 2 + 4);
    cr_assert_eq(taken[1], 3000 + 6 + 8 + 10);
    cr_assert_eq(taken[2], 1000 + 12);
    cr_assert_eq(report_count, 7);
    for (unsigned i = 0; i < 7; i++) {
        reported(i, "even", 2 * i + 1, -EDOM);
        cr_assert_eq(reports[i].content, 2 * i + 1);
    }
    cr_assert_eq(strcmp(reports[6].text, "13 is odd"), 0);
    cr_assert_eq(flow_of(run, 0).failed, 7);
    cr_assert_eq(flow_of(run, 1).failed, 0);
    cr_assert_eq(flow_of(run, 1).delivered, 3);
    take_all(NULL, &run, NULL);
}

Test(failure_places, a_gather_that_fails_too_often_ends_the_run)
{
    struct numbers n = { .end = 100 };
    struct weft_run *run;
    weft_error why;

    weft_pipeline *p = draw_batches(
        &n, (struct weft_failures){ .policy = WEFT_AT_MOST, .most = 3 });
    cr_assert_eq(take_all(p, &run, &why), -EDOM);
    cr_assert_eq(strcmp(why.text, "stage 'even' failed on item 7, attempt 1: "
                                  "EDOM: 7 is odd"),
                 0);
    cr_assert_eq(report_count, 4);
    cr_assert(taken_count >= 1);
    cr_assert_eq(taken[0], 3000 + 0 + 2 + 4);
    take_all(NULL, &run, NULL);
}

/* A stage behind the gather sees batches, and their numbers. */
static int fail_second_batch(weft_worker *self, void *item, void *ctx)
{
    return weft_item_number(item) == 1 ? -EIO : 0;
}

Test(failure_places, a_batch_fails_by_its_own_number)
{
    struct numbers n = { .end = 18 };
    struct weft_run *run;

    weft_pipeline *p = draw_batches(&n, skip);
    weft_stage(p, weft_config(stage, .name = "send", .fn = fail_second_batch));
    cr_assert_eq(take_all(p, &run, NULL), 0);
    cr_assert_eq(taken_count, 2);
    cr_assert_eq(taken[1], 3000 + 12 + 14 + 16);
    cr_assert_eq(report_count, 9 + 1);
    unsigned sent = 0;
    for (unsigned i = 0; i < report_count; i++)
        if (!strcmp(reports[i].stage, "send")) {
            reported(i, "send", 1, -EIO);
            cr_assert_eq(reports[i].content, 3000 + 6 + 8 + 10);
            sent++;
        }
    cr_assert_eq(sent, 1);
    cr_assert_eq(flow_of(run, 1).failed, 1);
    take_all(NULL, &run, NULL);
}

/* ---- scatters ---------------------------------------------------------- */

static unsigned piece_count; /* of the item that is in pieces now */

/* Each in three; of those that end with 5 only the first comes to be. */
static int cut(weft_worker *self, void *item, void *piece, void *ctx)
{
    uint64_t n = number_of(item);
    if (piece_count == 3 || (piece_count == 1 && n % 10 == 5)) {
        int rc = piece_count == 3 ? WEFT_END
                                  : weft_fail(item, -EBADMSG, "it is torn");
        piece_count = 0;
        return rc;
    }
    *(uint64_t *)piece = 10 * n + piece_count++;
    return 0;
}

static int fail_third_piece(weft_worker *self, void *item, void *ctx)
{
    return number_of(item) % 10 == 2 && ctx ? -EIO : 0;
}

static weft_pipeline *draw_pieces(struct numbers *n,
                                  struct weft_failures failures, bool pieces)
{
    weft_pipeline *p = draw(failures);
    piece_count = 0;
    weft_source(p, "numbers", number, n);
    weft_scatter(
        p, weft_config(scatter, .name = "cut", .fn = cut, .order = WEFT_INPUT,
                       .items = { .bytes = sizeof(uint64_t), .slots = 2 }));
    weft_stage(p, weft_config(stage, .name = "piece", .fn = fail_third_piece,
                              .ctx = pieces ? n : NULL));
    return p;
}

Test(failure_places, pieces_before_the_failure_of_a_scatter_are_on_their_way)
{
    struct numbers n = { .end = 10 };
    struct weft_run *run;

    cr_assert_eq(take_all(draw_pieces(&n, skip, false), &run, NULL), 0);
    cr_assert_eq(taken_count, 9 * 3 + 1);
    for (unsigned i = 0; i < taken_count; i++)
        cr_assert_eq(taken[i], i < 15    ? i / 3 * 10 + i % 3
                               : i == 15 ? 50
                                         : (i + 2) / 3 * 10 + (i + 2) % 3);
    cr_assert_eq(report_count, 1);
    reported(0, "cut", 5, -EBADMSG);
    cr_assert_eq(strcmp(reports[0].text, "it is torn"), 0);
    cr_assert_eq(flow_of(run, 0).failed, 1);
    cr_assert_eq(flow_of(run, 0).delivered, 9);
    cr_assert_eq(flow_of(run, 1).delivered, taken_count);
    take_all(NULL, &run, NULL);
}

Test(failure_places, a_piece_fails_by_its_own_number)
{
    struct numbers n = { .end = 4 };
    struct weft_run *run;

    cr_assert_eq(take_all(draw_pieces(&n, skip, true), &run, NULL), 0);
    cr_assert_eq(taken_count, 8);
    cr_assert_eq(report_count, 4);
    bool told[4] = { false };
    for (unsigned i = 0; i < 4; i++) {
        uint64_t of = reports[i].item / 3;
        reported(i, "piece", of * 3 + 2, -EIO);
        cr_assert_eq(reports[i].content, of * 10 + 2);
        told[of] = true;
    }
    cr_assert(told[0] && told[1] && told[2] && told[3]);
    take_all(NULL, &run, NULL);
}

Test(failure_places, a_piece_that_fails_ends_what_is_before_the_scatter)
{
    struct numbers n = { .end = UINT64_MAX };
    struct weft_run *run;
    weft_error why;

    weft_pipeline *p =
        draw_pieces(&n, (struct weft_failures){ .policy = WEFT_STOP }, true);
    cr_assert_eq(take_all(p, &run, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "stage 'piece' failed on item 2, attempt 1: "
                                  "EIO: Input/output error"),
                 0);
    cr_assert_eq(taken_count, 2);
    cr_assert_eq(taken[0], 0);
    cr_assert_eq(taken[1], 1);
    take_all(NULL, &run, NULL);
}

/* ---- routers and paths -------------------------------------------------- */

static int choose(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    uint64_t n = number_of(item);
    if (n % 10 == 7)
        return weft_fail(item, -EADDRNOTAVAIL, "nobody is at home");
    *path = n % 10 == 8 ? 5 : n % 2; /* there is no such path */
    return 0;
}

static int fail_nines(weft_worker *self, void *item, void *ctx)
{
    return number_of(item) % 10 == 9 ? -EIO : 0;
}

Test(failure_places, routers_and_stages_in_paths_fail_by_their_names)
{
    struct numbers n = { .end = 40 };
    struct weft_run *run;
    unsigned by[3] = { 0 };

    weft_pipeline *part = weft_pipeline_create(NULL), *p = draw(skip);
    weft_stage(part, weft_config(stage, .name = "check", .fn = fail_nines,
                                 .order = WEFT_INPUT));
    struct weft_path paths[] = { { .name = "even", .stages = part },
                                 { .name = "odd", .stages = part } };
    weft_source(p, "numbers", number, &n);
    weft_router(p, weft_config(router, .name = "which", .fn = choose,
                               .paths = paths, .path_count = 2,
                               .join = WEFT_INPUT));
    weft_pipeline_destroy(part);
    cr_assert_eq(take_all(p, &run, NULL), 0);
    cr_assert_eq(taken_count, 28);
    for (unsigned i = 0; i < taken_count; i++)
        cr_assert_eq(taken[i], i / 7 * 10 + i % 7);
    cr_assert_eq(report_count, 12);
    for (unsigned i = 0; i < report_count; i++) {
        const struct report *r = &reports[i];
        unsigned kind = (unsigned)(r->content % 10 - 7);
        const char *const texts[] = { "nobody is at home",
                                      "there is no path 5: there are 2",
                                      "Input/output error" };
        const int errors[] = { -EADDRNOTAVAIL, -EINVAL, -EIO };
        cr_assert(kind < 3);
        reported(i, kind == 2 ? "odd.check" : "which", r->content,
                 errors[kind]);
        cr_assert_eq(strcmp(r->text, texts[kind]), 0);
        by[kind]++;
    }
    cr_assert(by[0] == 4 && by[1] == 4 && by[2] == 4);
    cr_assert_eq(flow_of(run, 0).failed, 12);
    take_all(NULL, &run, NULL);
}

Test(failure_places, a_stage_in_a_path_answers_by_its_own_policy)
{
    struct numbers n = { .end = 100 };
    struct weft_run *run;
    weft_error why;

    weft_pipeline *part = weft_pipeline_create(NULL), *p = draw(skip);
    weft_stage(part,
               weft_config(stage, .name = "check", .fn = fail_nines,
                           .tokens = 1, .order = WEFT_INPUT,
                           .failures = { .policy = WEFT_AT_MOST, .most = 2 }));
    struct weft_path paths[] = { { .name = "even", .stages = part },
                                 { .name = "odd", .stages = part } };
    weft_source(p, "numbers", number, &n);
    weft_router(p, weft_config(router, .name = "which", .fn = choose,
                               .paths = paths, .path_count = 2));
    weft_pipeline_destroy(part);
    cr_assert_eq(take_all(p, &run, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "stage 'odd.check' failed on item 29, "
                                  "attempt 1: EIO: Input/output error"),
                 0);
    take_all(NULL, &run, NULL);
}
