/* test_pending.c: graph/attempt.c: stages that are completed later, by whom. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/flows.h"

enum { SLOTS = 16 };

static weft_pipeline *draw(struct numbers *source, unsigned slots)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .items = { .bytes = 2 * sizeof(uint64_t),
                               .slots = slots ? slots : SLOTS }));
    if (source)
        weft_source(p, "numbers", number, source);
    return p;
}

/* Runs the pipeline on so many workers; the flow of its first segment. */
static struct weft_flow flow_through(weft_pipeline *p, unsigned worker_count)
{
    weft_sched *sched = workers(worker_count);
    weft_plan *plan = pipeline_plan(p);
    struct weft_flow f = ended(started(sched, plan), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return f;
}

/* ---- pending ----------------------------------------------------------- */

/* Items are handed to other threads, which complete them with what the item
 * says. */
enum { COMPLETERS = 3 };

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *items[64];
    unsigned count;
    bool over;
};

static int result_of(const void *item)
{
    uint64_t n = number_of(item);
    return n % 10 == 3 ? -EIO : n % 10 == 6 ? WEFT_FILTER : 0;
}

static void put(struct counter *c, void *item)
{
    pthread_mutex_lock(&c->lock);
    c->items[c->count++] = item;
    pthread_cond_signal(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

static void *completer(void *ctx)
{
    struct counter *c = ctx;
    pthread_mutex_lock(&c->lock);
    for (;;) {
        while (!c->count && !c->over)
            pthread_cond_wait(&c->changed, &c->lock);
        if (!c->count)
            break;
        void *item = c->items[--c->count];
        pthread_mutex_unlock(&c->lock);
        weft_complete(NULL, item, result_of(item));
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return NULL;
}

static int complete_it(weft_worker *self, void *item)
{
    weft_complete(self, item, result_of(item));
    return 0;
}

/* By a thread outside, by another task, or in here before it returns. */
static int somehow(weft_worker *self, void *item, void *ctx)
{
    switch (number_of(item) / 10 % 3) {
    case 0:
        put(ctx, item);
        break;
    case 1:
        if (self)
            cr_assert_eq(weft_submit(weft_worker_sched(self), complete_it, item,
                                     NULL, NULL),
                         0);
        else
            weft_complete(NULL, item, result_of(item));
        break;
    default:
        weft_complete(self, item, result_of(item));
        break;
    }
    return WEFT_PENDING;
}

static void completes_anywhere(enum weft_kind kind)
{
    const unsigned items = TIMES(30000, 3000);
    struct numbers source = { .end = items };
    pthread_t thread[COMPLETERS];
    struct counter c = { .lock = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER };

    for (int i = 0; i < COMPLETERS; i++)
        pthread_create(&thread[i], NULL, completer, &c);
    weft_pipeline *p = draw(&source, 64);
    weft_stage(p, weft_config(stage, .name = "somehow", .fn = somehow,
                              .ctx = &c, .kind = kind, .tokens = 7));
    struct weft_flow f = flow_through(p, 2);
    cr_assert_eq(f.fed, items);
    cr_assert_eq(f.failed, items / 10);
    cr_assert_eq(f.filtered, items / 10);
    cr_assert_eq(f.delivered, items / 10 * 8);
    pthread_mutex_lock(&c.lock);
    c.over = true;
    pthread_cond_broadcast(&c.changed);
    pthread_mutex_unlock(&c.lock);
    for (int i = 0; i < COMPLETERS; i++)
        pthread_join(thread[i], NULL);
}

Test(attempt, a_pending_item_is_completed_by_any_thread, .timeout = 60)
{
    completes_anywhere(WEFT_CPU);
}

Test(attempt, a_blocking_stage_may_be_pending, .timeout = 60)
{
    completes_anywhere(WEFT_BLOCKING);
}

Test(attempt, a_pinned_stage_may_be_pending, .timeout = 60)
{
    completes_anywhere(WEFT_PINNED);
}

struct result {
    int error;
    char text[128];
};

static void note_failure(const struct weft_failure *failure, void *item,
                         void *ctx)
{
    struct result *r = ctx;
    r->error = failure->error;
    snprintf(r->text, sizeof r->text, "%s", failure->text);
}

static int odd_result(weft_worker *self, void *item, void *ctx)
{
    if (number_of(item) == 0)
        return WEFT_FULL;
    weft_complete(self, item, WEFT_END);
    return WEFT_PENDING;
}

Test(attempt, what_a_stage_may_not_return_is_a_failure)
{
    struct numbers source = { .end = 1 };
    struct result r = { 0 };
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .failures = { .policy = WEFT_SKIP },
        .on_failure = note_failure, .ctx = &r, .items = { .bytes = 8 }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "odd", .fn = odd_result));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(ended(started(sched, plan), 0).failed, 1);
    cr_assert_eq(r.error, -EINVAL);
    cr_assert_eq(strcmp(r.text, "the stage returned 4"), 0);
    source.end = 2; /* the next is 1 */
    cr_assert_eq(ended(started(sched, plan), 0).failed, 1);
    cr_assert_eq(strcmp(r.text, "the stage returned 1"), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
