/* test_stop_rules.c: graph/prun.c, run.c: what a stop lets begin and what it
 * waits for, how the end is told, and mistakes in what a run is given. */
#include <pthread.h>
#include <sched.h>

#include "tests/fed.h"

/* An item is held in its stage until the test lets it go on. */
struct gate {
    _Atomic unsigned came, open;
    _Atomic(void *) item; /* of a pending one */
};

static int hold_outside(weft_worker *self, void *item, void *ctx)
{
    struct gate *g = ctx;
    add_relaxed(&g->came, 1);
    while (!load_relaxed(&g->open))
        usleep(100);
    return 0;
}

static int hold_pending(weft_worker *self, void *item, void *ctx)
{
    struct gate *g = ctx;
    store_release(&g->item, item); /* for who completes it */
    add_relaxed(&g->came, 1);
    return WEFT_PENDING;
}

static void wait_for_one(struct gate *g)
{
    while (!load_relaxed(&g->came))
        usleep(100);
}

static int count_call(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic unsigned *)ctx, 1);
    return 0;
}

/* ---- what does not begin any more -------------------------------------- */

/* One item is in its stage, the other is behind it in the queue of the same
 * thread. */
Test(stop_rules, R24_what_waits_for_a_thread_does_not_begin_after_a_cancel,
     .timeout = 60)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = fed_by_hand(2);
    struct gate g = { 0 };
    _Atomic unsigned calls = 0;
    weft_thread *thread;

    cr_assert_eq(weft_thread_create(&thread, sched, "one", NULL), 0);
    weft_stage(p, weft_config(stage, .name = "count", .fn = count_call,
                              .ctx = &calls, .kind = WEFT_PINNED,
                              .thread = thread));
    weft_stage(p,
               weft_config(stage, .name = "hold", .fn = hold_outside, .ctx = &g,
                           .kind = WEFT_PINNED, .thread = thread));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(feed(run, 0, 0), 0);
    wait_for_one(&g);
    cr_assert_eq(feed(run, 1, 0), 0);
    struct weft_stage_stats s = { .running = 0 };
    while (!s.running) /* it has its token, and waits for the thread */
        cr_assert_eq(weft_run_stage(run, 1, &s), 0);
    usleep(2000);
    weft_cancel(run);
    store_relaxed(&g.open, 1);
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    cr_assert_eq(calls, 1);
    cr_assert_eq(flow_of(run, 0).cancelled, 1);
    cr_assert_eq(flow_of(run, 0).delivered, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_thread_destroy(thread);
    weft_sched_destroy(sched);
}

/* Another run has the tokens, and keeps them for as long as it likes. */
Test(stop_rules, R24_a_stop_does_not_wait_for_the_tokens_of_another_run,
     .timeout = 60)
{
    weft_sched *sched = workers(2);
    struct gate g = { 0 };
    _Atomic unsigned calls = 0;
    weft_limit *limit;
    struct weft_limit_stats s = { 0 };
    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    const struct weft_use use = { .limit = limit };

    weft_pipeline *p = fed_by_hand(1);
    weft_stage(p, weft_config(stage, .name = "has", .fn = hold_pending,
                              .ctx = &g, .uses = &use, .use_count = 1));
    weft_plan *has = pipeline_plan(p);
    p = fed_by_hand(4);
    weft_stage(p, weft_config(stage, .name = "wants", .fn = count_call,
                              .ctx = &calls, .uses = &use, .use_count = 1));
    weft_plan *wants = pipeline_plan(p);
    struct weft_run *first = started(sched, has);
    cr_assert_eq(feed(first, 0, 0), 0);
    wait_for_one(&g);
    for (int round = 0; round < TIMES(200, 50); round++) {
        struct weft_run *run = started(sched, wants);
        for (uint64_t i = 0; i < 3; i++)
            cr_assert_eq(feed(run, i, -1), 0);
        while (round % 2 && s.waiting < 1) /* one has asked, maybe no other */
            weft_limit_stats(limit, &s);
        weft_cancel(run);
        cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
        cr_assert_eq(flow_of(run, 0).cancelled, 3);
        weft_run_destroy(run);
        weft_limit_stats(limit, &s);
        cr_assert_eq(s.waiting, 0);
    }
    cr_assert_eq(calls, 0);
    weft_complete(NULL, load_acquire(&g.item), 0); /* of hold_pending */
    weft_drain(first);
    cr_assert_eq(result_of(first), 0);
    weft_limit_stats(limit, &s);
    cr_assert_eq(s.in_use, 0);
    cr_assert_eq(s.granted, 1);
    weft_plan_destroy(has);
    weft_plan_destroy(wants);
    weft_limit_destroy(limit);
    weft_sched_destroy(sched);
}

static int hold_each(weft_worker *self, void *item, void *ctx)
{
    _Atomic(void *) *items = ctx;
    store_release(&items[((struct fed *)item)->value], item);
    return WEFT_PENDING;
}

/* For who completes it: once it is there. */
static void *held(_Atomic(void *) *item)
{
    void *it;
    while (!(it = load_acquire(item)))
        usleep(100);
    return it;
}

static void wait_for_waiting(weft_limit *limit, unsigned n)
{
    struct weft_limit_stats s;
    do
        weft_limit_stats(limit, &s);
    while (s.waiting != n);
}

/* Who came before the failure keeps its place, and gets its token. */
Test(stop_rules, R24_a_failure_takes_from_the_queue_what_came_after_it,
     .timeout = 60)
{
    weft_sched *sched = workers(1);
    struct gate has = { 0 };
    static _Atomic(void *) item[3];
    _Atomic unsigned calls = 0;
    weft_limit *limit;
    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    const struct weft_use use = { .limit = limit };
    weft_pipeline *p = fed_by_hand(8), *q = fed_by_hand(1);
    weft_stage(p, weft_config(stage, .name = "hold", .fn = hold_each,
                              .ctx = item, .tokens = 3));
    weft_stage(p, weft_config(stage, .name = "wants", .fn = count_call,
                              .tokens = 3, .ctx = &calls, .uses = &use,
                              .use_count = 1));
    weft_stage(q, weft_config(stage, .name = "has", .fn = hold_pending,
                              .ctx = &has, .uses = &use, .use_count = 1));
    weft_plan *plan = pipeline_plan(p), *other = pipeline_plan(q);

    struct weft_run *first = started(sched, other);
    cr_assert_eq(feed(first, 0, 0), 0);
    wait_for_one(&has);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(feed(run, i, 0), 0);
    weft_complete(NULL, held(&item[2]), 0);
    wait_for_waiting(limit, 1);
    weft_complete(NULL, held(&item[0]), 0);
    wait_for_waiting(limit, 2);
    weft_complete(NULL, held(&item[1]), -EIO);
    wait_for_waiting(limit, 1);
    cr_assert_eq(weft_wait(run, 20, NULL), -ETIMEDOUT);
    weft_complete(NULL, held(&has.item), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), -EIO);
    cr_assert_eq(calls, 1);
    cr_assert_eq(flow_of(run, 0).delivered, 1);
    cr_assert_eq(flow_of(run, 0).failed, 1);
    cr_assert_eq(flow_of(run, 0).cancelled, 1);
    weft_run_destroy(run);
    weft_drain(first);
    cr_assert_eq(result_of(first), 0);
    weft_plan_destroy(plan);
    weft_plan_destroy(other);
    weft_limit_destroy(limit);
    weft_sched_destroy(sched);
}

/* ---- a drain ----------------------------------------------------------- */

struct pending_source {
    int gives; /* when it is asked */
    _Atomic(void *) item;
    _Atomic unsigned calls, asked;
};

static int be_pending(weft_worker *self, void *item, void *ctx)
{
    struct pending_source *s = ctx;
    store_release(&s->item, item); /* for who completes it */
    add_release(&s->calls, 1);
    return WEFT_PENDING;
}

static void asked_to_end(void *item, void *ctx)
{
    struct pending_source *s = ctx;
    add_relaxed(&s->asked, 1);
    weft_complete(NULL, item, s->gives);
}

Test(stop_rules, a_drain_asks_a_pending_source_to_end, .timeout = 60)
{
    weft_sched *sched = workers(2);
    void (*const stops[])(struct weft_run *) = { weft_drain, weft_cancel };

    for (int i = 0; i < TIMES(400, 100); i++) {
        struct pending_source s = { .gives = i / 2 % 2 ? 0 : WEFT_END };
        weft_pipeline *p = weft_pipeline_create(NULL);
        weft_source_with(p,
                         weft_config(source, .name = "source", .fn = be_pending,
                                     .ctx = &s, .cancel = asked_to_end));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        while (i % 3 && !load_acquire(&s.calls)) /* or it is not called yet */
            sched_yield();
        stops[i % 2](run);
        int rc = weft_wait(run, -1, NULL);
        cr_assert_eq(rc, i % 2 ? -ECANCELED : 0);
        cr_assert_eq(s.asked, s.calls);
        cr_assert(s.calls <= 1);
        cr_assert_eq(flow_of(run, 0).fed, s.gives ? 0 : s.calls);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

Test(stop_rules, a_drain_waits_for_a_source_that_cannot_be_asked)
{
    weft_sched *sched = workers(1);
    struct pending_source s = { 0 };
    weft_pipeline *p = weft_pipeline_create(NULL);

    weft_source(p, "source", be_pending, &s);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (!load_acquire(&s.calls))
        sched_yield();
    weft_drain(run);
    cr_assert_eq(weft_wait(run, 20, NULL), -ETIMEDOUT);
    weft_complete(NULL, load_acquire(&s.item), 0); /* of be_pending */
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(stop_rules, a_run_that_has_ended_is_not_stopped)
{
    weft_sched *sched = workers(1);
    weft_plan *plan = pipeline_plan(fed_by_hand(1));
    struct weft_run *run = started(sched, plan);

    cr_assert_eq(feed(run, 1, 0), 0);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_cancel(run);
    weft_drain(run);
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
