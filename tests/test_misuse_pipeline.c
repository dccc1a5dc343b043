/* test_misuse_pipeline.c: graph/supply.c, consumer.c, attempt.c: an item that
 * is given away twice, or by who does not have it. A debug build ends with a
 * sentence; a release build, as which this is compiled once more, goes on, and
 * the run with it, as if nothing had been. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>

#include "tests/aborts.h"
#include "tests/fed.h"

static void *mistaken; /* the item */

static bool release_it(void)
{
    weft_release(mistaken);
    return true;
}

static bool feed_it(void)
{
    weft_feed(mistaken);
    return true;
}

static bool unreserve_it(void)
{
    weft_unreserve(mistaken);
    return true;
}

static bool complete_it(void)
{
    weft_complete(NULL, mistaken, -EIO);
    return true;
}

/* Whether each of the calls with this item is told. Those for which it is right
 * are left out by name. */
static void all_but(const char *right, void *item, unsigned number)
{
    static const struct {
        const char *name;
        bool (*call)(void);
        const char *sentence;
    } calls[] = {
        { "weft_release", release_it,
          "weft_release: item %u is not yours: it was released before, or "
          "never taken with weft_next" },
        { "weft_feed", feed_it,
          "weft_feed: item %u is not reserved: it was fed before, or never "
          "taken with weft_reserve" },
        { "weft_unreserve", unreserve_it,
          "weft_unreserve: item %u is not reserved: it was fed before, or "
          "never taken with weft_reserve" },
        { "weft_complete", complete_it,
          "weft_complete: item %u is not pending: it was completed before, or "
          "no stage has it" },
    };
    char sentence[160];

    mistaken = item;
    for (int i = 0; i < 4; i++) {
        if (strstr(right, calls[i].name))
            continue;
        snprintf(sentence, sizeof sentence, calls[i].sentence, number);
        cr_assert(is_misuse(calls[i].call, sentence));
    }
}

struct held {
    _Atomic unsigned came;
    _Atomic(void *) item;
};

static int hold(weft_worker *self, void *item, void *ctx)
{
    struct held *h = ctx;
    store_relaxed(&h->item, item);
    add_release(&h->came, 1); /* after the item */
    return WEFT_PENDING;
}

static void *wait_for(struct held *h, unsigned n)
{
    while (load_acquire(&h->came) < n)
        usleep(100);
    return load_relaxed(&h->item);
}

static weft_plan *holding(struct held *h, unsigned slots)
{
    weft_pipeline *p = fed_by_hand(slots);
    weft_stage(p, weft_config(stage, .name = "hold", .fn = hold, .ctx = h));
    weft_consumer(p, WEFT_INPUT);
    return pipeline_plan(p);
}

/* One item from its reservation to its release. */
Test(misuse_pipeline, an_item_is_given_away_once_and_by_who_has_it,
     .timeout = 120)
{
    struct held h = { 0 };
    weft_sched *sched = workers(1);
    weft_plan *plan = holding(&h, 2);
    struct weft_run *run = started(sched, plan);
    void *item, *other;

    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(weft_reserve(run, NULL, &other, -1, NULL), 0);
        cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
        weft_unreserve(other);
        all_but("weft_feed weft_unreserve", item, i);
        all_but("", other, i);
        *(struct fed *)item = (struct fed){ .value = i };
        weft_feed(item);
        cr_assert_eq(wait_for(&h, i + 1), item);
        all_but("weft_complete", item, i);
        weft_complete(NULL, item, 0);
        cr_assert_eq(weft_next(run, &other, -1, NULL), 1);
        cr_assert_eq(other, item);
        cr_assert_eq(((struct fed *)item)->value, i);
        all_but("weft_release", item, i);
        weft_release(item);
        all_but("", item, i);
    }
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, 2);
    all_but("", item, 1); /* as long as its run is there */
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(misuse_pipeline, an_item_that_was_cancelled_is_completed_no_more,
     .timeout = 60)
{
    struct held h = { 0 };
    weft_sched *sched = workers(1);
    weft_plan *plan = holding(&h, 2);
    struct weft_run *run = started(sched, plan);

    cr_assert_eq(feed(run, 7, 0), 0);
    void *item = wait_for(&h, 1);
    weft_cancel(run);
    weft_complete(NULL, item, 0); /* it is waited for, so it is right */
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    all_but("", item, 0);
    cr_assert_eq(flow_of(run, 0).in_flight, 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- in a stage -------------------------------------------------------- */

static _Atomic unsigned told;

static int complete_twice(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, 0);
    mistaken = item;
    add_relaxed(&told, is_misuse(complete_it,
                                 "weft_complete: item 0 is not pending: it was "
                                 "completed before, or no stage has it"));
    return WEFT_PENDING;
}

static int run_with(weft_stage_fn *fn, void *ctx)
{
    weft_sched *sched = workers(1);
    weft_pipeline *p = fed_by_hand(2);

    weft_stage(p, weft_config(stage, .name = "odd", .fn = fn, .ctx = ctx));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(feed(run, 1, 0), 0);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    int rc = result_of(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return rc;
}

Test(misuse_pipeline, a_stage_may_not_complete_twice, .timeout = 60)
{
    told = 0;
    cr_assert_eq(run_with(complete_twice, NULL), 0);
    cr_assert_eq(told, 1);
}

static int complete_and_return(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, 0);
    return -EIO;
}

static bool returns_a_result_too(void)
{
    return run_with(complete_and_return, NULL) == 0;
}

/* It has completed the item: that is its result. */
Test(misuse_pipeline, a_stage_that_has_completed_returns_pending, .timeout = 60)
{
    cr_assert(is_misuse(returns_a_result_too,
                        "'odd' returned -5 for item 0, which was completed: "
                        "let it return WEFT_PENDING"));
}

/* ---- where nobody may complete ----------------------------------------- */

static int claim_operation(weft_worker *self, void *item, struct weft_io **io,
                           void *ctx)
{
    static struct weft_io a_while;

    a_while = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 1000000 };
    *io = &a_while;
    mistaken = item;
    add_relaxed(&told, is_misuse(complete_it,
                                 "weft_complete: item 0 is in 'read', which is "
                                 "not yours to complete"));
    return 0;
}

static int claim_route(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    mistaken = item;
    add_relaxed(&told, is_misuse(complete_it,
                                 "weft_complete: item 0 is in 'way', which is "
                                 "not yours to complete"));
    return 0;
}

static int claim_settled(weft_worker *self, void *item, void *ctx)
{
    mistaken = item;
    add_relaxed(&told, is_misuse(complete_it,
                                 "weft_complete: item 0 is not pending: it was "
                                 "completed before, or no stage has it"));
    return 0;
}

static int claim_gathered(weft_worker *self, void *batch, void *item, void *ctx)
{
    return claim_settled(self, item, ctx) + claim_settled(self, batch, ctx);
}

/* An operation is weft's; a router is never pending; and what is gathered is in
 * no attempt, nor is the batch. */
Test(misuse_pipeline, what_is_never_pending_is_not_completed, .timeout = 60)
{
    weft_sched *sched = workers(1);
    weft_pipeline *p = fed_by_hand(2), *path = weft_pipeline_create(NULL);

    told = 0;
    weft_stage(p, weft_config(stage, .name = "read", .kind = WEFT_IO,
                              .describe = claim_operation));
    weft_router(p,
                weft_config(router, .name = "way", .fn = claim_route,
                            .paths = (struct weft_path[]){ { .stages = path } },
                            .path_count = 1));
    weft_gather(p, weft_config(gather, .name = "bunch", .fn = claim_gathered,
                               .count = 2, .items = { .bytes = 8 }));
    weft_stage(p, weft_config(stage, .name = "last", .fn = nothing_to));
    weft_pipeline_destroy(path);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(feed(run, 1, 0), 0);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(told, 4);
    cr_assert_eq(flow_of(run, 1).delivered, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

struct elsewhere {
    weft_worker *self;
    _Atomic(void *) item;
};

static int lend_worker(weft_worker *self, void *item, void *ctx)
{
    struct elsewhere *e = ctx;
    e->self = self;
    store_release(&e->item, item); /* and the worker */
    return WEFT_PENDING;
}

static struct elsewhere lent;

static bool complete_with_a_foreign_worker(void)
{
    weft_complete(lent.self, load_acquire(&lent.item), 0); /* of lend_worker */
    return true;
}

Test(misuse_pipeline, a_worker_is_used_on_its_own_thread, .timeout = 60)
{
    weft_sched *sched = workers(1);
    weft_pipeline *p = fed_by_hand(2);

    weft_stage(
        p, weft_config(stage, .name = "lend", .fn = lend_worker, .ctx = &lent));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(feed(run, 1, 0), 0);
    while (!load_acquire(&lent.item))
        usleep(100);
    cr_assert(is_misuse(complete_with_a_foreign_worker,
                        "weft_complete was given a worker that it was not "
                        "called on: NULL is right on any thread"));
#ifndef NDEBUG /* else it was completed all the same */
    weft_complete(NULL, load_acquire(&lent.item), 0);
#endif
    weft_drain(run);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- at the same time -------------------------------------------------- */

/* Not under ThreadSanitizer: who comes too late has no claim on the number that
 * it reads for the sentence. */
#if defined NDEBUG && !defined __SANITIZE_THREAD__
/* Two threads think that they have the item. One has. */
struct pair {
    _Atomic unsigned round, done;
    void *item;
    void (*give_away)(void *item);
};

static void complete_item(void *item) { weft_complete(NULL, item, 0); }

/* Both start at the same moment, so nobody sleeps; but if the other one does
 * not run, it may need this core. */
static void wait_until(_Atomic unsigned *count, unsigned n)
{
    for (unsigned i = 1; load_acquire(count) != n; i++) /* what it did before */
        if (i % 256)
            cpu_pause();
        else
            sched_yield();
}

static void *rival(void *ctx)
{
    struct pair *p = ctx;
    for (unsigned round = 1;; round++) {
        wait_until(&p->round, round);
        void *item = p->item;
        if (item)
            p->give_away(item);
        add_release(&p->done, 1); /* after that */
        if (!item)
            return NULL;
    }
}

/* The other one needs a moment to see it: which of them is the first is left to
 * chance. */
static void by_both(struct pair *p, void *item, void (*give_away)(void *))
{
    static uint64_t random = 1234567;

    p->give_away = give_away;
    p->item = item;
    unsigned round = add_release(&p->round, 1) + 1; /* with the item */
    for (unsigned n = chance(&random) % 32; n; n--)
        cpu_pause();
    if (item)
        give_away(item);
    wait_until(&p->done, round);
}

Test(misuse_pipeline, of_two_that_give_away_one_item_one_does, .timeout = 120)
{
    enum { ROUNDS = TIMES(3000, 500) };
    struct held h = { 0 };
    struct pair pair = { 0 };
    weft_sched *sched = workers(2);
    weft_plan *plan = holding(&h, 1);
    struct weft_run *run = started(sched, plan);
    pthread_t thread;
    void *item;

    pthread_create(&thread, NULL, rival, &pair);
    for (unsigned i = 0; i < ROUNDS; i++) {
        cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
        by_both(&pair, item, weft_feed);
        wait_until(&h.came, i + 1);
        by_both(&pair, item, complete_item);
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        by_both(&pair, item, weft_release);
    }
    by_both(&pair, NULL, weft_release);
    pthread_join(thread, NULL);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).fed, ROUNDS);
    cr_assert_eq(flow_of(run, 0).delivered, ROUNDS);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

struct shown {
    _Atomic(void *) item;
    _Atomic bool over;
    _Atomic uint64_t failed; /* attempts, as the hook was told */
};

static int show_and_return(weft_worker *self, void *item, void *ctx)
{
    store_release(&((struct shown *)ctx)->item, item); /* and its content */
    return 0;
}

static void *complete_what_is_shown(void *ctx)
{
    struct shown *shown = ctx;
    while (!load_relaxed(&shown->over)) {
        void *item = load_acquire(&shown->item); /* of show_and_return */
        if (item && cas_relaxed(&shown->item, &item, NULL))
            weft_complete(NULL, item, -EIO);
    }
    return NULL;
}

static void count_failed(const struct weft_attempt *a, void *item, void *ctx)
{
    add_relaxed(&((struct shown *)ctx)->failed,
                a->event == WEFT_ENDS && a->result == -EIO);
}

/* On a worker, on another thread, and with a timer. */
static weft_plan *showing(struct shown *shown)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct fed), .slots = 4 },
        .failures = { .policy = WEFT_SKIP }, .hook = count_failed,
        .ctx = shown));

    weft_source_fed(p, "hand");
    weft_stage(p, weft_config(stage, .name = "first", .fn = show_and_return,
                              .ctx = shown));
    weft_stage(p, weft_config(stage, .name = "second", .fn = show_and_return,
                              .kind = WEFT_BLOCKING, .ctx = shown));
    weft_stage(p, weft_config(stage, .name = "third", .fn = show_and_return,
                              .deadline_ms = 60000, .ctx = shown));
    return pipeline_plan(p);
}

/* What is told is what happens: the attempt has the result of the one that came
 * first. */
Test(misuse_pipeline, of_a_return_and_a_completion_one_counts, .timeout = 120)
{
    enum { ROUNDS = TIMES(10000, 2000) };
    struct shown shown = { .failed = 0 };
    weft_sched *sched = workers(2);
    weft_plan *plan = showing(&shown);
    struct weft_run *run = started(sched, plan);
    pthread_t thread;

    pthread_create(&thread, NULL, complete_what_is_shown, &shown);
    for (uint64_t i = 0; i < ROUNDS; i++)
        cr_assert_eq(feed(run, i, -1), 0);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    store_relaxed(&shown.over, true);
    pthread_join(thread, NULL);
    struct weft_flow flow = flow_of(run, 0);
    cr_assert_eq(flow.failed, load_relaxed(&shown.failed));
    cr_assert_eq(flow.delivered + flow.failed, ROUNDS);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
#endif
