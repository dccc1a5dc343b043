/* test_io_stage.c: graph/attempt.c: a stage that describes an operation, on
 * every way in which operations are done. */
#include <errno.h>
#include <limits.h>
#include <pthread.h>

#include "tests/calls.h"
#include "tests/flows.h"

enum { FILES = 20, SLOTS = 6 };

/* An item that is a file; the same memory is loaded into again and again. */
struct file {
    uint64_t number;
    char path[128];
    void *data;
    size_t room;
    struct weft_io io;
    unsigned attempts;
};

struct seen {
    weft_sched *sched;
    _Atomic unsigned described, called, strangers, wrong;
    unsigned failures;
    int error;
    char text[256];
    uint64_t item;
};

static void free_data(void *item, void *ctx)
{
    free(((struct file *)item)->data);
}

static void note_failure(const struct weft_failure *failure, void *item,
                         void *ctx)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct seen *seen = ctx;
    pthread_mutex_lock(&lock);
    seen->failures++;
    seen->error = failure->error;
    seen->item = failure->item;
    snprintf(seen->text, sizeof seen->text, "%s", failure->text);
    pthread_mutex_unlock(&lock);
}

static void note_thread(struct seen *seen, weft_worker *self)
{
    add_relaxed(&seen->strangers, self != wf_worker_here() ||
                                      weft_worker_sched(self) != seen->sched);
}

/* The numbers below `items` through one I/O stage. */
static struct weft_flow flow_through(struct seen *seen, uint64_t items,
                                     struct weft_stage_config *stage)
{
    struct numbers source = { .end = items };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .on_failure = note_failure, .ctx = seen,
                    .items = { .bytes = sizeof(struct file),
                               .slots = SLOTS,
                               .finish = free_data }));
    stage->size = sizeof *stage;
    stage->name = "io";
    stage->kind = WEFT_IO;
    stage->ctx = seen;
    weft_source(p, "numbers", number, &source);
    weft_stage(p, stage);
    weft_plan *plan = pipeline_plan(p);
    struct weft_flow f = ended(started(seen->sched, plan), 0);
    weft_plan_destroy(plan);
    cr_assert_eq(seen->strangers, 0);
    return f;
}

/* ---- files ------------------------------------------------------------- */

static int load(weft_worker *self, void *item, struct weft_io **io, void *ctx)
{
    struct file *f = item;
    note_thread(ctx, self);
    snprintf(f->path, sizeof f->path, "%s/%u", folder, (unsigned)f->number);
    f->io = (struct weft_io){
        .op = WEFT_IO_LOAD, .path = f->path, .data = f->data, .room = f->room
    };
    *io = &f->io;
    return 0;
}

static size_t size_of_file(uint64_t n) { return n * n * 500; }

static int check(weft_worker *self, void *item, void *ctx)
{
    struct seen *seen = ctx;
    struct file *f = item;
    note_thread(seen, self);
    f->data = f->io.data;
    f->room = f->io.room;
    add_relaxed(&seen->called, 1u);
    add_relaxed(&seen->wrong, f->io.bytes != size_of_file(f->number) ||
                                  !as_made(f->data, 0, f->io.bytes));
    return 0;
}

static void make_files(void)
{
    for (unsigned i = 0; i < FILES; i++) {
        char name[16];
        snprintf(name, sizeof name, "%u", i);
        make_file(name, size_of_file(i));
    }
}

ON_EVERY_WAY(io_stage, files_are_loaded_and_a_missing_one_is_a_failure)
{
    struct seen seen = { .sched = sched };
    make_files();
    cr_assert_eq(unlink(path_of("7")), 0);
    struct weft_flow f = flow_through(
        &seen, FILES, weft_config(stage, .describe = load, .fn = check));
    cr_assert_eq(f.delivered, FILES - 1);
    cr_assert_eq(f.failed, 1);
    cr_assert_eq(seen.called, FILES - 1); /* not for what failed */
    cr_assert_eq(seen.wrong, 0);
    cr_assert_eq(seen.failures, 1);
    cr_assert_eq(seen.item, 7);
    cr_assert_eq(seen.error, -ENOENT);
    cr_assert_eq(strcmp(seen.text, "No such file or directory"), 0);
}

/* What comes after the operation may drop the item, or fail; then the operation
 * is done again with the next attempt. */
static int check_and_judge(weft_worker *self, void *item, void *ctx)
{
    struct file *f = item;
    int rc = check(self, item, ctx);
    if (f->number % 3 == 1)
        return WEFT_FILTER;
    if (f->number % 3 == 2 && weft_item_attempt(item) < 3)
        return weft_fail(item, -EAGAIN, "not yet");
    return rc;
}

static int load_and_count(weft_worker *self, void *item, struct weft_io **io,
                          void *ctx)
{
    add_relaxed(&((struct seen *)ctx)->described, 1u);
    return load(self, item, io, ctx);
}

ON_EVERY_WAY(io_stage, what_follows_the_operation_may_filter_and_fail)
{
    struct seen seen = { .sched = sched };
    make_files();
    struct weft_flow f = flow_through(
        &seen, 18,
        weft_config(stage, .describe = load_and_count, .fn = check_and_judge,
                    .retry = { .attempts = 3, .first_ms = 1 }));
    cr_assert_eq(f.delivered, 12);
    cr_assert_eq(f.filtered, 6);
    cr_assert_eq(f.failed, 0);
    cr_assert_eq(seen.described, 12 + 6 * 3);
    cr_assert_eq(seen.called, 12 + 6 * 3);
    cr_assert_eq(seen.wrong, 0);
}

/* ---- what it may describe ---------------------------------------------- */

static int describe_oddly(weft_worker *self, void *item, struct weft_io **io,
                          void *ctx)
{
    struct file *f = item;
    add_relaxed(&((struct seen *)ctx)->described, 1u);
    switch (f->number % 4) {
    case 0:
        return WEFT_FILTER;
    case 1:
        return weft_fail(item, -EBADMSG, "file %u is nothing for us", 1);
    case 2:
        f->io = (struct weft_io){ .op = WEFT_IO_FSYNC, .fd = INT_MAX };
        *io = &f->io;
        return 0;
    default:
        f->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 1000 };
        *io = &f->io;
        return 0;
    }
}

ON_EVERY_WAY(io_stage,
             a_description_may_filter_or_fail_and_then_nothing_is_done)
{
    struct seen seen = { .sched = sched };
    struct weft_flow f =
        flow_through(&seen, 40, weft_config(stage, .describe = describe_oddly));
    cr_assert_eq(seen.described, 40);
    cr_assert_eq(f.filtered, 10);
    cr_assert_eq(f.failed, 20);
    cr_assert_eq(f.delivered, 10);
    cr_assert_eq(seen.failures, 20);
}

static int describe_nothing(weft_worker *self, void *item, struct weft_io **io,
                            void *ctx)
{
    return number_of(item) == 0 ? 0 : WEFT_PENDING;
}

static int never(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct seen *)ctx)->called, 1u);
    return 0;
}

Test(io_stage, a_description_of_nothing_is_a_failure)
{
    struct seen seen = { .sched = workers(1) };
    struct weft_stage_config *stage =
        weft_config(stage, .describe = describe_nothing, .fn = never);

    cr_assert_eq(flow_through(&seen, 1, stage).failed, 1);
    cr_assert_eq(seen.error, -EINVAL);
    cr_assert_eq(strcmp(seen.text, "it described no operation"), 0);
    cr_assert_eq(flow_through(&seen, 2, stage).failed, 2);
    cr_assert_eq(seen.error, -EINVAL);
    cr_assert_eq(strcmp(seen.text, "a description cannot be pending"), 0);
    cr_assert_eq(seen.called, 0);
    weft_sched_destroy(seen.sched);
}

static int pend(weft_worker *self, void *item, void *ctx)
{
    check(self, item, ctx);
    return WEFT_PENDING;
}

/* The same where the operation is done at once and where it is not. */
ON_EVERY_WAY(io_stage, what_follows_the_operation_may_not_be_pending)
{
    struct seen seen = { .sched = sched };
    make_files();
    struct weft_flow f = flow_through(
        &seen, FILES, weft_config(stage, .describe = load, .fn = pend));
    cr_assert_eq(f.failed, FILES);
    cr_assert_eq(seen.error, -EINVAL);
    cr_assert_eq(strcmp(seen.text, "after its operation it may not be pending"),
                 0);
}

/* ---- time -------------------------------------------------------------- */

enum { SLEEPERS = 200, SLEEP_NS = 20000000 };

static int sleep_now(weft_worker *self, void *item, struct weft_io **io,
                     void *ctx)
{
    struct file *f = item;
    f->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = SLEEP_NS };
    f->room = weft_sched_now_ns(weft_worker_sched(self));
    *io = &f->io;
    return 0;
}

static int slept(weft_worker *self, void *item, void *ctx)
{
    struct file *f = item;
    uint64_t now = weft_sched_now_ns(weft_worker_sched(self));
    add_relaxed(&((struct seen *)ctx)->wrong, now - f->room < SLEEP_NS);
    return 0;
}

/* All of them sleep at one time, and not one worker does. */
ON_EVERY_WAY(io_stage, as_many_sleep_at_once_as_there_are_tokens)
{
    struct seen seen = { .sched = sched };
    struct numbers source = { .end = SLEEPERS };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct file),
                                         .slots = SLEEPERS }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "sleep", .kind = WEFT_IO,
                              .describe = sleep_now, .fn = slept, .ctx = &seen,
                              .tokens = SLEEPERS / 2));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(stage_of(run, "sleep").peak, SLEEPERS / 2);
    cr_assert_eq(ended(run, 0).delivered, SLEEPERS);
    cr_assert_eq(seen.wrong, 0);
    weft_plan_destroy(plan);
}
