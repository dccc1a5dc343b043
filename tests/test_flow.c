/* test_flow.c: graph/flow.c and segment.c: the account of the items, at
 * every instant and however a run ends. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/runs.h"

enum { SLOTS = 12, STOPS = TIMES(10000, 300) };

/* Every item allocates when it is fed, and frees when it is reset: what is
 * released twice or never is an error for the sanitizer; and counted. */
struct thing {
    void *memory;
    uint64_t value;
};

struct world {
    uint64_t next, end;
    _Atomic uint64_t made, reset, finished, pending_now;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    void *pending[SLOTS]; /* completed by another thread */
    unsigned count;
    _Atomic unsigned over;
};

static int make(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    if (w->next == w->end)
        return WEFT_END;
    t->memory = malloc(16);
    t->value = w->next++;
    add_relaxed(&w->made, 1);
    return 0;
}

static void reset(void *item, void *ctx)
{
    struct thing *t = item;
    struct world *w = ctx;
    free(t->memory);
    t->memory = NULL;
    add_relaxed(&w->reset, 1);
}

static void finish(void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->finished, 1);
}

static int mixed(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = ((struct thing *)item)->value;
    for (volatile unsigned i = 0; i < value * 13 % 50; i++)
        ;
    return value % 10 == 3 ? -EIO : value % 10 == 6 ? WEFT_FILTER : 0;
}

/* Hands the item to the thread `completer`. */
static int hand_over(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    w->pending[w->count++] = item;
    add_release(&w->pending_now, 1); /* after what it counts */
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return WEFT_PENDING;
}

static void *completer(void *ctx)
{
    struct world *w = ctx;
    pthread_mutex_lock(&w->lock);
    while (w->count || !load_acquire(&w->over)) { /* set before the signal */
        if (!w->count) {
            pthread_cond_wait(&w->changed, &w->lock);
            continue;
        }
        void *item = w->pending[--w->count];
        pthread_mutex_unlock(&w->lock);
        /* It is still ours: had its slot been released, reset would have
         * freed this. */
        ((volatile char *)((struct thing *)item)->memory)[0] = 1;
        add_relaxed(&w->pending_now, -1);
        weft_complete(NULL, item, 0);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static weft_plan *make_plan(struct world *w, bool consumer)
{
    weft_plan *plan = NULL;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .items = { .bytes = sizeof(struct thing),
                               .slots = SLOTS,
                               .reset = reset,
                               .finish = finish,
                               .ctx = w }));
    weft_source(p, "make", make, w);
    weft_stage(p, weft_config(stage, .name = "mixed", .fn = mixed));
    weft_stage(p, weft_config(stage, .name = "elsewhere", .fn = hand_over,
                              .ctx = w, .tokens = 5));
    weft_stage(p, weft_config(stage, .name = "ordered", .fn = mixed,
                              .tokens = 2, .order = WEFT_INPUT));
    if (consumer)
        weft_consumer(p, WEFT_INPUT);
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    return plan;
}

static void world_init(struct world *w, uint64_t end, pthread_t *thread)
{
    *w = (struct world){ .end = end };
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    pthread_create(thread, NULL, completer, w);
}

static void world_finish(struct world *w, pthread_t thread)
{
    pthread_mutex_lock(&w->lock);
    store_release(&w->over, 1); /* for the load in completer */
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(thread, NULL);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
}

static struct weft_flow balanced(struct weft_run *run)
{
    struct weft_flow f;
    cr_assert_eq(weft_run_flow(run, 0, &f), 0);
    cr_assert_eq(f.fed, f.delivered + f.filtered + f.failed + f.cancelled +
                            f.in_flight);
    return f;
}

Test(flow, R21_every_item_is_accounted_for_at_every_instant, .timeout = 60)
{
    struct world w;
    struct weft_run *run;
    pthread_t thread;
    weft_sched *sched = workers(3);
    uint64_t partial = 0;

    world_init(&w, 30000, &thread);
    weft_plan *plan = make_plan(&w, false);
    pthread_mutex_lock(&w.lock); /* no item gets past its pending stage */
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    while (weft_wait(run, 0, NULL) == -ETIMEDOUT) {
        struct weft_flow f = balanced(run);
        if (f.in_flight > 0 && !partial++)
            pthread_mutex_unlock(&w.lock);
    }
    cr_assert(partial > 0);
    struct weft_flow f = balanced(run);
    cr_assert_eq(f.fed, 30000);
    cr_assert_eq(f.in_flight, 0);
    cr_assert_eq(f.failed, 3000);
    cr_assert_eq(f.filtered, 3000);
    cr_assert_eq(f.delivered, 24000);
    cr_assert_eq(w.reset, 30000);
    weft_run_destroy(run);
    cr_assert_eq(w.finished, SLOTS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    world_finish(&w, thread);
}

struct stopper {
    struct weft_run *run;
    unsigned delay;
    void (*stop)(struct weft_run *);
};

static void *stop_later(void *ctx)
{
    struct stopper *s = ctx;
    for (volatile unsigned i = 0; i < s->delay; i++)
        ;
    s->stop(s->run);
    return NULL;
}

/* One run that is stopped from another thread at a time of its own. */
static void stop_once(weft_sched *sched, unsigned delay, bool consumer,
                      void (*stop)(struct weft_run *))
{
    struct world w;
    pthread_t thread, other;
    struct stopper s = { .delay = delay, .stop = stop };
    void *item;

    world_init(&w, 500, &thread);
    weft_plan *plan = make_plan(&w, consumer);
    cr_assert_eq(weft_start(&s.run, sched, plan, NULL), 0);
    pthread_create(&other, NULL, stop_later, &s);
    int taken = 0;
    while (consumer && weft_next(s.run, &item, -1, NULL) == 1) {
        taken++;
        weft_release(item);
    }
    int rc = weft_wait(s.run, -1, NULL);
    pthread_join(other, NULL);
    struct weft_flow f = balanced(s.run);
    cr_assert_eq(f.in_flight, 0);
    cr_assert(rc == 0 || rc == -ECANCELED);
    cr_assert_eq(w.reset, w.made);
    cr_assert_eq(w.made, f.fed);
    cr_assert_eq(w.pending_now, 0);
    if (consumer)
        cr_assert_eq(f.delivered, (uint64_t)taken);
    if (stop == weft_drain)
        cr_assert_eq(f.cancelled, 0);
    weft_run_destroy(s.run);
    weft_plan_destroy(plan);
    world_finish(&w, thread);
}

Test(flow, R24_a_stop_at_any_instant_releases_every_item_once, .timeout = 300)
{
    weft_sched *sched = workers(3);
    uint64_t random = 88172645463325252;

    for (int i = 0; i < STOPS; i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        stop_once(sched, random % 300000, i % 2,
                  i % 4 < 2 ? weft_cancel : weft_drain);
    }
    weft_sched_destroy(sched);
}

Test(flow, a_drained_run_feeds_no_more, .timeout = 30)
{
    struct world w;
    struct weft_run *run;
    pthread_t thread;
    weft_sched *sched = workers(2);

    world_init(&w, UINT64_MAX, &thread);
    weft_plan *plan = make_plan(&w, false);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    while (balanced(run).delivered < 100)
        usleep(100);
    weft_drain(run);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(balanced(run).cancelled, 0);
    cr_assert_eq(w.reset, w.made);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    world_finish(&w, thread);
}

/* Its slots are full of items that nobody will take. */
Test(flow, a_cancelled_run_ends_though_its_consumer_takes_nothing,
     .timeout = 30)
{
    struct world w;
    struct weft_run *run;
    pthread_t thread;
    void *item;
    weft_sched *sched = workers(2);

    world_init(&w, 1000, &thread);
    weft_plan *plan = make_plan(&w, true);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
    weft_cancel(run);
    weft_release(item);
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    cr_assert_eq(balanced(run).delivered, 1);
    cr_assert_eq(weft_next(run, &item, -1, NULL), -ECANCELED);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(w.reset, w.made);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    world_finish(&w, thread);
}

/* The slot of an item whose operation is under way must not be given back,
 * cancelled or not. */
Test(flow, a_pending_item_is_kept_until_its_completion, .timeout = 30)
{
    struct world w = { .end = 100 };
    struct weft_run *run;
    weft_sched *sched = workers(2);

    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.changed, NULL);
    weft_plan *plan = make_plan(&w, false);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    while (load_acquire(&w.pending_now) < 5) /* what it counts */
        usleep(100);
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, 20, NULL), -ETIMEDOUT);
    cr_assert(balanced(run).in_flight >= 5);
    cr_assert_eq(w.count, 5);
    for (int i = 0; i < 5; i++) {
        cr_assert(((struct thing *)w.pending[i])->memory != NULL);
        weft_complete(NULL, w.pending[i], 0);
    }
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    cr_assert_eq(w.count, 5); /* those that waited for a token never started */
    cr_assert_eq(w.reset, w.made);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    pthread_mutex_destroy(&w.lock);
    pthread_cond_destroy(&w.changed);
}

/* The completion of the last item ends the run; whoever waits for that may then
 * destroy everything, while the thread that completed it still wakes a worker.
 */
Test(flow, the_scheduler_outlives_the_thread_that_completed_the_last_item,
     .timeout = 60)
{
    for (int i = 0; i < TIMES(1000, 200); i++) {
        struct world w;
        pthread_t thread;
        weft_sched *sched = workers(2);

        world_init(&w, 1, &thread);
        weft_plan *plan = make_plan(&w, false);
        cr_assert_eq(weft_run(sched, plan, NULL), 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
        world_finish(&w, thread);
    }
}

/* A worker of another scheduler completes the items: they go on where they
 * were. */
struct elsewhere {
    weft_sched *home, *other;
    _Atomic unsigned lost;
};

static int complete_it(weft_worker *self, void *item)
{
    weft_complete(self, item, 0);
    return 0;
}

static int submit_elsewhere(weft_worker *self, void *item, void *ctx)
{
    struct elsewhere *e = ctx;
    int rc = weft_submit(e->other, complete_it, item, NULL, NULL);
    return rc ? rc : WEFT_PENDING;
}

static int at_home(weft_worker *self, void *item, void *ctx)
{
    struct elsewhere *e = ctx;
    add_relaxed(&e->lost, weft_worker_sched(self) != e->home);
    return 0;
}

Test(flow, an_item_completed_by_another_scheduler_goes_on_in_its_own,
     .timeout = 30)
{
    struct world w = { .end = 500 };
    struct elsewhere e = { 0 };
    weft_plan *plan = NULL;

    cr_assert_eq(
        weft_sched_create(&e.home, weft_config(sched, .workers = 1), NULL), 0);
    cr_assert_eq(
        weft_sched_create(&e.other, weft_config(sched, .workers = 3), NULL), 0);
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .bytes = sizeof(struct thing), .reset = reset, .ctx = &w }));
    weft_source(p, "make", make, &w);
    weft_stage(p, weft_config(stage, .name = "elsewhere",
                              .fn = submit_elsewhere, .ctx = &e));
    weft_stage(p,
               weft_config(stage, .name = "at home", .fn = at_home, .ctx = &e));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_run(e.home, plan, NULL), 0);
    cr_assert_eq(e.lost, 0);
    cr_assert_eq(w.reset, 500);
    weft_plan_destroy(plan);
    weft_sched_destroy(e.other);
    weft_sched_destroy(e.home);
}

/* The last item may end the run while the worker on which it came too early has
 * yet to look whether its turn has come. */
Test(flow, a_run_outlives_the_workers_on_which_items_came_early, .timeout = 120)
{
    weft_sched *sched = workers(4);

    for (int i = 0; i < TIMES(20000, 4000); i++) {
        struct world w = { .end = 4 };
        weft_plan *plan = NULL;
        weft_pipeline *p = weft_pipeline_create(
            weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                        .items = { .bytes = sizeof(struct thing),
                                   .slots = 4,
                                   .reset = reset,
                                   .ctx = &w }));
        weft_source(p, "make", make, &w);
        weft_stage(p, weft_config(stage, .name = "mixed", .fn = mixed));
        weft_stage(p, weft_config(stage, .name = "ordered", .fn = mixed,
                                  .order = WEFT_INPUT));
        cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
        weft_pipeline_destroy(p);
        cr_assert_eq(weft_run(sched, plan, NULL), 0);
        cr_assert_eq(w.reset, 4);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

static int complain(weft_worker *self, void *item, void *ctx)
{
    weft_fail(item, -EAGAIN, "what was mended in time");
    return 0;
}

static int fail_silently(weft_worker *self, void *item, void *ctx)
{
    return -EIO;
}

Test(flow, R20_a_failure_has_the_reason_of_its_own_stage)
{
    struct world w = { .end = 1 };
    weft_plan *plan = NULL;
    weft_error why;
    weft_sched *sched = workers(2);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .bytes = sizeof(struct thing), .reset = reset, .ctx = &w }));
    weft_source(p, "make", make, &w);
    weft_stage(p, weft_config(stage, .name = "complain", .fn = complain));
    weft_stage(p, weft_config(stage, .name = "fail", .fn = fail_silently));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_run(sched, plan, &why), -EIO);
    cr_assert_eq(strcmp(why.text, "stage 'fail' failed on item 0, attempt 1: "
                                  "EIO: Input/output error"),
                 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The last of four items fails while the others are pending: these go on. It
 * may come before them, for a worker does not always go on with the item that
 * it has: then it waits until they are there. */
struct held {
    void *item[3], *fourth;
    unsigned count;
    _Atomic unsigned went_on;
};

static int fail_fourth(weft_worker *self, void *item, void *ctx)
{
    struct held *h = ctx;
    if (((struct thing *)item)->value != 3)
        return 0;
    h->fourth = item;
    return h->count == 3 ? -EIO : WEFT_PENDING;
}

static int keep(weft_worker *self, void *item, void *ctx)
{
    struct held *h = ctx;
    h->item[h->count++] = item;
    if (h->count == 3 && h->fourth)
        weft_complete(self, h->fourth, -EIO);
    return WEFT_PENDING;
}

static void let_go(const struct weft_failure *failure, void *item, void *ctx)
{
    struct held *h = ctx;
    for (unsigned i = 0; i < h->count; i++)
        weft_complete(NULL, h->item[i], 0);
}

static int go_on(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct held *)ctx)->went_on, 1u);
    return 0;
}

Test(flow, R20_what_came_before_the_failure_goes_on)
{
    struct world w = { .end = 4 };
    struct held held = { .count = 0 };
    struct weft_run *run;
    weft_plan *plan = NULL;
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .on_failure = let_go, .ctx = &held,
        .items = { .bytes = sizeof(struct thing), .reset = reset, .ctx = &w }));
    weft_source(p, "make", make, &w);
    weft_stage(p, weft_config(stage, .name = "fail", .fn = fail_fourth,
                              .ctx = &held, .tokens = 4));
    weft_stage(p, weft_config(stage, .name = "keep", .fn = keep, .ctx = &held,
                              .tokens = 3));
    weft_stage(p,
               weft_config(stage, .name = "go on", .fn = go_on, .ctx = &held));
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), -EIO);
    cr_assert_eq(held.count, 3);
    cr_assert_eq(held.went_on, 3);
    cr_assert_eq(balanced(run).delivered, 3);
    cr_assert_eq(balanced(run).failed, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- consumer ---------------------------------------------------------- */

Test(flow, a_consumer_may_hold_the_last_item_and_still_see_the_end)
{
    struct world w = { .end = 3 };
    struct weft_run *run;
    weft_plan *plan = NULL;
    void *item[3], *none = &w;
    weft_error why;
    weft_sched *sched = workers(2);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline,
        .items = { .bytes = sizeof(struct thing), .reset = reset, .ctx = &w }));
    weft_source(p, "make", make, &w);
    weft_consumer(p, WEFT_INPUT);
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    weft_pipeline_destroy(p);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(weft_next(run, &item[i], -1, NULL), 1);
    cr_assert_eq(weft_next(run, &none, -1, NULL), 0);
    cr_assert_eq(none, &w);
    cr_assert_eq(weft_wait(run, 0, &why), -ETIMEDOUT);
    weft_cancel(run); /* too late for the consumer: the end was for ever */
    cr_assert_eq(weft_next(run, &none, -1, NULL), 0);
    for (int i = 0; i < 3; i++)
        weft_release(item[i]);
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(flow, a_plan_runs_again_and_twice_at_a_time, .timeout = 30)
{
    struct world w;
    pthread_t thread;
    struct weft_run *run[2];
    weft_sched *sched = workers(2);

    world_init(&w, 0, &thread);
    weft_plan *plan = make_plan(&w, false);
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 2; i++)
            cr_assert_eq(weft_start(&run[i], sched, plan, NULL), 0);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(weft_wait(run[i], -1, NULL), 0);
            weft_run_destroy(run[i]);
        }
    }
    cr_assert_eq(w.finished, 40 * SLOTS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    world_finish(&w, thread);
}
