/* test_deadline_waits.c: graph/attempt.c: a deadline is an attempt's, and does
 * not run while that waits for its thread.
 *
 * The thread is held by an item of the same run or of another one, until the
 * deadline of those that wait for it would have passed. */
#include <errno.h>

#include "tests/flows.h"

/* So long no thread of this machine is late. */
enum { DEADLINE_MS = 700, WAITERS = 5 };

struct queue {
    struct numbers numbers;
    _Atomic unsigned came, open, calls, asked, failures;
    int error;
};

static void note_failure(const struct weft_failure *failure, void *item,
                         void *ctx)
{
    struct queue *q = ctx;
    q->error = failure->error;
    add_relaxed(&q->failures, 1u);
}

static void ask(void *item, void *ctx)
{
    add_relaxed(&((struct queue *)ctx)->asked, 1u);
}

static void sleep_past_the_deadline(void)
{
    usleep((DEADLINE_MS + 200) * 1000);
}

static int first_is_late(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct queue *)ctx)->calls, 1u);
    if (number_of(item) == 0)
        sleep_past_the_deadline();
    return 0;
}

static int hold_thread(weft_worker *self, void *item, void *ctx)
{
    struct queue *q = ctx;
    add_relaxed(&q->came, 1u);
    UNTIL(load_relaxed(&q->open));
    return 0;
}

static int call_only(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct queue *)ctx)->calls, 1u);
    return 0;
}

static weft_plan *planned(struct queue *q, uint64_t items,
                          struct weft_stage_config *stage)
{
    *q = (struct queue){ .numbers = { .end = items } };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .on_failure = note_failure, .ctx = q,
                    .items = { .bytes = sizeof(uint64_t), .slots = 8 }));
    stage->size = sizeof *stage;
    stage->name = "sqlite";
    stage->ctx = q;
    stage->kind = WEFT_PINNED;
    weft_source(p, "numbers", number, &q->numbers);
    weft_stage(p, stage);
    return pipeline_plan(p);
}

/* So many items are handed to the thread, or about to be. */
static void wait_for_thread(struct weft_run *run, unsigned items)
{
    struct weft_stage_stats s = { .running = 0 };
    while (s.running < items)
        cr_assert_eq(weft_run_stage(run, 1, &s), 0);
}

Test(deadline_waits, a_pinned_attempt_is_late_for_its_own_time_only,
     .timeout = 30)
{
    struct queue q;
    weft_sched *sched = workers(1);
    weft_plan *plan =
        planned(&q, WAITERS,
                weft_config(stage, .fn = first_is_late, .cancel = ask,
                            .tokens = WAITERS, .deadline_ms = DEADLINE_MS));
    struct weft_flow f = ended(started(sched, plan), 0);
    cr_assert_eq(f.failed, 1); /* the first, which held up the others */
    cr_assert_eq(f.delivered, WAITERS - 1);
    cr_assert_eq(q.error, -ETIMEDOUT);
    cr_assert_eq(q.calls, WAITERS);
    cr_assert_eq(q.asked, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The retries wait behind the others, too. */
static int first_attempt_is_late(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct queue *)ctx)->calls, 1u);
    if (number_of(item) == 0 && weft_item_attempt(item) == 1)
        sleep_past_the_deadline();
    return number_of(item) == 1 && weft_item_attempt(item) == 1 ? -EAGAIN : 0;
}

Test(deadline_waits, each_attempt_begins_when_it_is_called, .timeout = 30)
{
    struct queue q;
    weft_sched *sched = workers(1);
    weft_plan *plan =
        planned(&q, WAITERS,
                weft_config(stage, .fn = first_attempt_is_late,
                            .tokens = WAITERS, .deadline_ms = DEADLINE_MS,
                            .retry = { .attempts = 2, .first_ms = 1 }));
    cr_assert_eq(ended(started(sched, plan), 0).delivered, WAITERS);
    cr_assert_eq(q.failures, 0);
    cr_assert_eq(q.calls, WAITERS + 2);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* One run has the thread, another one waits for it. */
struct pair {
    struct queue holder, waiter;
    weft_sched *sched;
    weft_thread *thread;
    weft_plan *holders, *waiters;
    struct weft_run *holding, *waiting;
};

static void begin_pair(struct pair *p, unsigned deadline_ms)
{
    p->sched = workers(2);
    cr_assert_eq(weft_thread_create(&p->thread, p->sched, "one", NULL), 0);
    p->holders =
        planned(&p->holder, 1,
                weft_config(stage, .fn = hold_thread, .thread = p->thread));
    p->waiters = planned(&p->waiter, WAITERS,
                         weft_config(stage, .fn = call_only, .cancel = ask,
                                     .thread = p->thread, .tokens = WAITERS,
                                     .deadline_ms = deadline_ms));
    p->holding = started(p->sched, p->holders);
    UNTIL(load_relaxed(&p->holder.came));
    p->waiting = started(p->sched, p->waiters);
    wait_for_thread(p->waiting, WAITERS);
}

static void end_pair(struct pair *p)
{
    weft_plan_destroy(p->holders);
    weft_plan_destroy(p->waiters);
    weft_thread_destroy(p->thread);
    weft_sched_destroy(p->sched);
}

Test(deadline_waits, another_run_may_have_the_thread_for_longer, .timeout = 30)
{
    struct pair p;

    begin_pair(&p, DEADLINE_MS);
    sleep_past_the_deadline();
    cr_assert_eq(p.waiter.failures, 0);
    store_relaxed(&p.holder.open, 1);
    cr_assert_eq(ended(p.waiting, 0).delivered, WAITERS);
    cr_assert_eq(ended(p.holding, 0).delivered, 1);
    cr_assert_eq(p.waiter.calls, WAITERS);
    cr_assert_eq(p.waiter.failures, 0);
    cr_assert_eq(p.waiter.asked, 0);
    end_pair(&p);
}

/* With a deadline, or only the timer that a cancel makes go off. */
static void cancel_while_it_waits(unsigned deadline_ms)
{
    struct pair p;

    begin_pair(&p, deadline_ms);
    weft_cancel(p.waiting);
    store_relaxed(&p.holder.open, 1);
    cr_assert_eq(ended(p.waiting, -ECANCELED).cancelled, WAITERS);
    cr_assert_eq(ended(p.holding, 0).delivered, 1);
    cr_assert_eq(p.waiter.calls, 0);
    cr_assert_eq(p.waiter.asked, 0); /* nothing was pending */
    cr_assert_eq(p.waiter.failures, 0);
    end_pair(&p);
}

Test(deadline_waits, what_waits_for_its_thread_is_cancelled_unasked,
     .timeout = 30)
{
    cancel_while_it_waits(0);
    cancel_while_it_waits(DEADLINE_MS);
    cancel_while_it_waits(1); /* has no time left to run */
}

/* A cancel that comes when the thread is about to begin: it begins and is asked
 * to end, or it does not begin. */
static int pend(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct queue *)ctx)->calls, 1u);
    return WEFT_PENDING;
}

static void end_it(void *item, void *ctx)
{
    ask(item, ctx);
    weft_complete(NULL, item, -ECANCELED);
}

Test(deadline_waits, a_cancel_meets_what_begins_and_what_waits, .timeout = 60)
{
    const unsigned rounds = TIMES(2000, 300);
    weft_sched *sched = workers(2);
    unsigned calls = 0;

    for (unsigned i = 0; i < rounds; i++) {
        struct queue q;
        weft_plan *plan =
            planned(&q, WAITERS,
                    weft_config(stage, .fn = pend, .cancel = end_it,
                                .tokens = WAITERS));
        struct weft_run *run = started(sched, plan);
        while (load_relaxed(&q.calls) < i % WAITERS)
            ;
        weft_cancel(run);
        struct weft_flow f = ended(run, -ECANCELED);
        cr_assert_eq(f.cancelled, f.fed);
        cr_assert_eq(q.asked, q.calls); /* or it would never have ended */
        calls += q.calls;
        weft_plan_destroy(plan);
    }
    cr_assert(calls > 0);
    weft_sched_destroy(sched);
}
