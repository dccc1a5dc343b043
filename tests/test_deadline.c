/* test_deadline.c: graph/attempt.c: attempts that take too long, and what asks
 * them to end. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <unistd.h>

#include "tests/calls.h"
#include "tests/flows.h"

enum { SLOTS = 32 };

/* Memory of its own, which the reset frees: who touches it later is seen by the
 * sanitizer. */
struct thing {
    uint64_t number;
    volatile char *memory;
    uint64_t due;
    struct weft_io io;
    _Atomic unsigned asked, inside;
    unsigned attempts;
};

struct world {
    struct numbers numbers;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *held[3 * SLOTS]; /* were pending, the oldest first */
    unsigned count;
    bool over;
    _Atomic unsigned asked, asked_twice, resets, failures, calls;
    uint64_t late_ns; /* a completion comes up to so much later */
    int error;
    char text[256];
};

static int make(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    int rc = number(self, item, &((struct world *)ctx)->numbers);
    if (!rc)
        t->memory = malloc(8);
    return rc;
}

static void reset(void *item, void *ctx)
{
    struct thing *t = item;
    cr_assert_eq(load_relaxed(&t->inside), 0);
    free((void *)(uintptr_t)t->memory);
    *t = (struct thing){ 0 };
    add_relaxed(&((struct world *)ctx)->resets, 1u);
}

static void note_failure(const struct weft_failure *failure, void *item,
                         void *ctx)
{
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->error = failure->error;
    snprintf(w->text, sizeof w->text, "%s", failure->text);
    pthread_mutex_unlock(&w->lock);
    add_relaxed(&w->failures, 1u);
}

static int hold(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    add_relaxed(&t->inside, 1u);
    add_relaxed(&w->calls, 1u);
    pthread_mutex_lock(&w->lock);
    t->due = wf_now_ns();
    if (w->late_ns)
        t->due += t->number * 7919 % 64 * w->late_ns / 64;
    w->held[w->count++] = item;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return WEFT_PENDING;
}

static int pend(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct thing *)item)->inside, 1u);
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    return WEFT_PENDING;
}

/* The oldest that is pending, or NULL: it is over. */
static struct thing *take(struct world *w)
{
    struct thing *t = NULL;
    pthread_mutex_lock(&w->lock);
    while (!w->count && !w->over)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->count) {
        t = w->held[0];
        memmove(w->held, w->held + 1, --w->count * sizeof w->held[0]);
    }
    pthread_mutex_unlock(&w->lock);
    return t;
}

static void give(struct thing *t, int rc)
{
    t->memory[0] = 1; /* still ours */
    add_relaxed(&t->inside, -1u);
    weft_complete(NULL, t, rc);
}

static void ask(void *item, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    t->memory[1] = 1;
    add_relaxed(&w->asked_twice, add_relaxed(&t->asked, 1u) > 0);
    add_relaxed(&w->asked, 1u);
}

static void world_init(struct world *w, uint64_t items)
{
    *w = (struct world){ .numbers = { .end = items },
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER };
}

static weft_plan *planned(struct world *w, enum weft_policy policy,
                          struct weft_stage_config *stage)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = policy },
                    .on_failure = note_failure, .ctx = w,
                    .items = { .bytes = sizeof(struct thing),
                               .slots = SLOTS,
                               .reset = reset,
                               .ctx = w }));
    stage->size = sizeof *stage;
    stage->name = "slow";
    stage->ctx = w;
    weft_source(p, "things", make, w);
    weft_stage(p, stage);
    return pipeline_plan(p);
}

static const char late[] = "it took longer than its deadline of 20 ms";

/* ---- pending ----------------------------------------------------------- */

Test(deadline, a_late_pending_attempt_is_asked_to_end_and_waited_for,
     .timeout = 30)
{
    struct world w;
    weft_error why;
    weft_sched *sched = workers(2);

    world_init(&w, 1);
    weft_plan *plan = planned(
        &w, WEFT_STOP,
        weft_config(stage, .fn = hold, .cancel = ask, .deadline_ms = 20));
    struct weft_run *run = started(sched, plan);
    struct thing *t = take(&w);
    UNTIL(load_relaxed(&w.asked));
    for (int i = 0; i < 20; i++) { /* nothing is freed under it */
        cr_assert_eq(weft_wait(run, 1, NULL), -ETIMEDOUT);
        cr_assert_eq(flow_of(run, 0).in_flight, 1);
        t->memory[2]++;
    }
    cr_assert_eq(w.resets, 0);
    cr_assert_eq(w.failures, 0);
    give(t, 0);
    cr_assert_eq(weft_wait(run, -1, &why), -ETIMEDOUT);
    cr_assert_eq(strcmp(why.text, "stage 'slow' failed on item 0, attempt 1: "
                                  "ETIMEDOUT: it took longer than its deadline "
                                  "of 20 ms"),
                 0);
    cr_assert_eq(w.asked, 1);
    cr_assert_eq(w.failures, 1);
    cr_assert_eq(w.error, -ETIMEDOUT);
    cr_assert_eq(strcmp(w.text, late), 0);
    cr_assert_eq(ended(run, -ETIMEDOUT).failed, 1);
    cr_assert_eq(w.resets, 1);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static void end_it(void *item, void *ctx)
{
    ask(item, ctx);
    give(item, -ECANCELED);
}

Test(deadline, who_is_asked_may_complete_it_there_and_then, .timeout = 30)
{
    struct world w;
    weft_sched *sched = workers(1);

    world_init(&w, 3 * SLOTS);
    weft_plan *plan = planned(&w, WEFT_SKIP,
                              weft_config(stage, .fn = hold, .cancel = end_it,
                                          .deadline_ms = 20, .tokens = SLOTS));
    struct weft_run *run = started(sched, plan);
    while (load_relaxed(&w.calls) < 3 * SLOTS)
        take(&w);
    cr_assert_eq(ended(run, 0).failed, 3 * SLOTS);
    cr_assert_eq(w.error, -ETIMEDOUT);
    cr_assert_eq(w.asked, 3 * SLOTS);
    cr_assert_eq(w.asked_twice, 0);
    cr_assert_eq(w.resets, 3 * SLOTS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(deadline, what_was_completed_in_time_is_not_asked, .timeout = 30)
{
    struct world w;
    weft_sched *sched = workers(2);

    world_init(&w, 100);
    weft_plan *plan = planned(
        &w, WEFT_STOP,
        weft_config(stage, .fn = hold, .cancel = ask, .deadline_ms = 60000));
    struct weft_run *run = started(sched, plan);
    for (int i = 0; i < 100; i++)
        give(take(&w), 0);
    cr_assert_eq(ended(run, 0).delivered, 100);
    cr_assert_eq(w.asked, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Completions come from 0 to 2 ms after the beginning, the deadline after 1. */
static void *complete_when_due(void *ctx)
{
    struct world *w = ctx;
    for (struct thing *t; (t = take(w));) {
        while (wf_now_ns() < t->due)
            ;
        give(t, 0);
    }
    return NULL;
}

Test(deadline, a_completion_that_races_with_the_deadline_ends_the_item_once,
     .timeout = 120)
{
    const unsigned rounds = TIMES(10000, 2000);
    struct world w;
    pthread_t thread;
    weft_sched *sched = workers(2);

    world_init(&w, rounds);
    w.late_ns = 2000000;
    pthread_create(&thread, NULL, complete_when_due, &w);
    weft_plan *plan = planned(&w, WEFT_SKIP,
                              weft_config(stage, .fn = hold, .cancel = ask,
                                          .deadline_ms = 1, .tokens = SLOTS));
    struct weft_flow f = ended(started(sched, plan), 0);
    cr_assert_eq(f.delivered + f.failed, rounds);
    cr_assert(f.delivered > 0);
    cr_assert(f.failed > 0);
    cr_assert_eq(w.resets, rounds);
    cr_assert_eq(w.failures, f.failed);
    cr_assert(w.asked <= f.failed);
    cr_assert_eq(w.asked_twice, 0);
    pthread_mutex_lock(&w.lock);
    w.over = true;
    pthread_cond_signal(&w.changed);
    pthread_mutex_unlock(&w.lock);
    pthread_join(thread, NULL);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- a cancelled run --------------------------------------------------- */

static void cancel_asks_in(enum weft_kind kind, unsigned deadline_ms)
{
    struct world w;
    weft_sched *sched = workers(2);

    world_init(&w, 100);
    weft_plan *plan =
        planned(&w, WEFT_STOP,
                weft_config(stage, .fn = hold, .cancel = ask, .kind = kind,
                            .deadline_ms = deadline_ms, .tokens = 5));
    struct weft_run *run = started(sched, plan);
    UNTIL(load_relaxed(&w.calls) == 5);
    if (deadline_ms == 1)
        UNTIL(load_relaxed(&w.asked) == 5);
    weft_cancel(run);
    UNTIL(load_relaxed(&w.asked) == 5);
    cr_assert_eq(weft_wait(run, 10, NULL), -ETIMEDOUT);
    cr_assert_eq(w.resets, 0);
    for (int i = 0; i < 5; i++)
        give(take(&w), 0);
    struct weft_flow f = ended(run, -ECANCELED);
    cr_assert_eq(f.cancelled, f.fed);
    cr_assert_eq(w.asked, 5);
    cr_assert_eq(w.calls, 5);
    cr_assert_eq(w.failures, 0);
    cr_assert_eq(w.resets, f.fed);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Whoever called it. */
static void cancel_asks(unsigned deadline_ms)
{
    cancel_asks_in(WEFT_CPU, deadline_ms);
    cancel_asks_in(WEFT_BLOCKING, deadline_ms);
    cancel_asks_in(WEFT_PINNED, deadline_ms);
}

Test(deadline, a_cancelled_run_asks_what_is_pending_to_end, .timeout = 30)
{
    cancel_asks(0);
}

Test(deadline, a_cancelled_run_asks_before_the_deadline_does, .timeout = 30)
{
    cancel_asks(60000);
}

Test(deadline, what_was_asked_at_its_deadline_is_not_asked_again, .timeout = 30)
{
    cancel_asks(1);
}

/* ---- operations -------------------------------------------------------- */

static int sleep_long(weft_worker *self, void *item, struct weft_io **io,
                      void *ctx)
{
    struct thing *t = item;
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    t->io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                              .ns = (uint64_t)1000 * 1000000000 };
    *io = &t->io;
    return 0;
}

static int silent[2]; /* a pipe into which nobody writes */

static int poll_long(weft_worker *self, void *item, struct weft_io **io,
                     void *ctx)
{
    struct thing *t = item;
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    t->io = (struct weft_io){ .op = WEFT_IO_POLL,
                              .fd = silent[0],
                              .flags = POLLIN };
    *io = &t->io;
    return 0;
}

static int after_it(weft_worker *self, void *item, void *ctx)
{
    cr_assert(!"what follows an operation that was cancelled");
    return 0;
}

/* They would last for ever. */
static void operation_ends(weft_sched *sched, weft_describe_fn *describe)
{
    struct world w;

    cr_assert_eq(pipe(silent), 0);
    world_init(&w, 40);
    weft_plan *plan =
        planned(&w, WEFT_SKIP,
                weft_config(stage, .describe = describe, .fn = after_it,
                            .kind = WEFT_IO, .deadline_ms = 20));
    cr_assert_eq(ended(started(sched, plan), 0).failed, 40);
    cr_assert_eq(w.calls, 40);
    cr_assert_eq(w.failures, 40);
    cr_assert_eq(w.error, -ETIMEDOUT);
    cr_assert_eq(strcmp(w.text, late), 0);
    weft_plan_destroy(plan);

    /* The same without a deadline, in a run that is cancelled. */
    world_init(&w, 40);
    plan = planned(&w, WEFT_STOP,
                   weft_config(stage, .describe = describe, .fn = after_it,
                               .kind = WEFT_IO, .tokens = 7));
    struct weft_run *run = started(sched, plan);
    for (unsigned n; (n = load_relaxed(&w.calls)) != 7;)
        wait_while(&w.calls, n);
    weft_cancel(run);
    struct weft_flow f = ended(run, -ECANCELED);
    cr_assert_eq(f.cancelled, f.fed);
    cr_assert_eq(w.calls, 7);
    cr_assert_eq(w.failures, 0);
    weft_plan_destroy(plan);
    close(silent[0]);
    close(silent[1]);
}

ON_EVERY_WAY(deadline, a_late_sleep_is_cancelled)
{
    operation_ends(sched, sleep_long);
}

ON_EVERY_WAY(deadline, a_late_poll_is_cancelled)
{
    operation_ends(sched, poll_long);
}

/* ---- calls ------------------------------------------------------------- */

/* Nobody can stop it; when it returns it is too late, if only just: the timer
 * may not have gone off yet. */
static int dawdle(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    uint64_t end = wf_now_ns() + (t->number % 2 ? 0 : 20000000);
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    while (wf_now_ns() <= end)
        ;
    t->memory[3] = 1;
    return 0;
}

static void call_is_late(weft_stage_fn *fn, enum weft_kind kind)
{
    struct world w;
    weft_sched *sched = workers(1);

    world_init(&w, 10);
    weft_plan *plan = planned(&w, WEFT_SKIP,
                              weft_config(stage, .fn = fn, .cancel = ask,
                                          .deadline_ms = 20, .kind = kind));
    struct weft_flow f = ended(started(sched, plan), 0);
    cr_assert(f.failed >= 5); /* others may have had to wait for the machine */
    cr_assert_eq(f.failed, w.failures);
    cr_assert_eq(f.delivered + f.failed, 10);
    cr_assert_eq(w.error, -ETIMEDOUT);
    cr_assert_eq(strcmp(w.text, late), 0);
    cr_assert_eq(w.asked, 0); /* they were not pending */
    cr_assert_eq(w.calls, 10);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(deadline, a_call_on_a_worker_that_returns_too_late_has_failed,
     .timeout = 30)
{
    call_is_late(dawdle, WEFT_CPU);
}

Test(deadline, a_blocking_call_that_returns_too_late_has_failed, .timeout = 30)
{
    call_is_late(dawdle, WEFT_BLOCKING);
}

Test(deadline, a_pinned_call_that_returns_too_late_has_failed, .timeout = 30)
{
    call_is_late(dawdle, WEFT_PINNED);
}

static int complete_late(weft_worker *self, void *item, void *ctx)
{
    dawdle(self, item, ctx);
    weft_complete(self, item, 0);
    return WEFT_PENDING;
}

Test(deadline, an_attempt_that_is_completed_too_late_has_failed, .timeout = 30)
{
    call_is_late(complete_late, WEFT_CPU);
    call_is_late(complete_late, WEFT_BLOCKING);
}

/* ---- more than one attempt --------------------------------------------- */

/* The first two attempts never end by themselves. */
static int third_is_good(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    cr_assert_eq(weft_item_attempt(item), ++t->attempts);
    store_relaxed(&t->asked, 0);
    if (t->attempts < 3)
        return pend(self, item, ctx);
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    return 0;
}

Test(deadline, each_attempt_has_a_deadline_of_its_own, .timeout = 60)
{
    struct world w;
    weft_sched *sched = workers(2);

    world_init(&w, 100);
    weft_plan *plan = planned(
        &w, WEFT_STOP,
        weft_config(stage, .fn = third_is_good, .cancel = end_it,
                    .deadline_ms = 2, .tokens = SLOTS,
                    .retry = { .attempts = 50, .first_ms = 1, .most_ms = 1 }));
    struct weft_flow f = ended(started(sched, plan), 0);
    cr_assert_eq(f.delivered, 100);
    cr_assert_eq(f.failed, 0);
    cr_assert_eq(w.asked, 200);
    cr_assert_eq(w.asked_twice, 0);
    cr_assert(w.calls >= 300); /* the third may have to wait for the machine */
    cr_assert_eq(w.failures, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
