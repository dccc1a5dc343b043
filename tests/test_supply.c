/* test_supply.c: graph/supply.c: items are fed from outside, by any thread,
 * while the run goes on. */
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "tests/fed.h"

enum { FEEDERS = 4 };

static int add_value(weft_worker *self, void *item, void *sum)
{
    add_relaxed((_Atomic uint64_t *)sum, ((struct fed *)item)->value);
    return 0;
}

/* ---- many threads ------------------------------------------------------ */

enum { FED = TIMES(250000, 20000), ROOM = 16 };

struct crowd {
    struct weft_run *run;
    struct mark in_flight;
    _Atomic unsigned feeders;       /* that have begun */
    _Atomic unsigned next[FEEDERS]; /* at the ordered stage */
    _Atomic unsigned out_of_order;
};

static void crowd_reset(void *item, void *ctx)
{
    mark_down(&((struct crowd *)ctx)->in_flight, 1);
}

/* Takes a slot in the manner of the feeder: waiting, asking again and again,
 * waiting a little, and giving back every third. */
static struct fed *take_slot(struct crowd *c, unsigned feeder, unsigned i)
{
    static const int timeout_ms[FEEDERS] = { -1, 0, 1, -1 };
    void *item;

    for (;;) {
        int rc = weft_reserve(c->run, "hand", &item, timeout_ms[feeder], NULL);
        if (rc == -ETIMEDOUT && timeout_ms[feeder] >= 0) {
            sched_yield();
            continue;
        }
        cr_assert_eq(rc, 0);
        mark_up(&c->in_flight, 1);
        if (feeder < 3 || i++ % 3)
            return item;
        mark_down(&c->in_flight, 1);
        weft_unreserve(item);
    }
}

static void *feeder(void *ctx)
{
    struct crowd *c = ctx;
    unsigned number = add_relaxed(&c->feeders, 1);

    for (unsigned i = 0; i < FED; i++) {
        struct fed *item = take_slot(c, number, i);
        *item = (struct fed){ .value = i, .feeder = number };
        weft_feed(item);
    }
    return NULL;
}

static int in_order(weft_worker *self, void *item, void *ctx)
{
    struct crowd *c = ctx;
    const struct fed *fed = item;
    unsigned next = load_relaxed(&c->next[fed->feeder]);

    add_relaxed(&c->out_of_order, fed->value != next);
    store_relaxed(&c->next[fed->feeder], next + 1);
    return 0;
}

Test(supply, R11_items_are_fed_from_any_thread_up_to_a_limit, .timeout = 120)
{
    struct crowd c = { 0 };
    pthread_t thread[FEEDERS];
    unsigned next[FEEDERS] = { 0 };
    _Atomic uint64_t sum = 0;
    weft_sched *sched = workers(2);
    void *item;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct fed),
                                         .slots = ROOM,
                                         .reset = crowd_reset,
                                         .ctx = &c }));
    weft_source_fed(p, "hand");
    weft_stage(p,
               weft_config(stage, .name = "sum", .fn = add_value, .ctx = &sum));
    weft_stage(p, weft_config(stage, .name = "in order", .fn = in_order,
                              .ctx = &c, .tokens = 1, .order = WEFT_INPUT));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    c.run = started(sched, plan);
    for (int i = 0; i < FEEDERS; i++)
        pthread_create(&thread[i], NULL, feeder, &c);
    for (unsigned i = 0; i < FEEDERS * FED; i++) {
        cr_assert_eq(weft_next(c.run, &item, -1, NULL), 1);
        const struct fed *fed = item;
        cr_assert_eq(fed->value, next[fed->feeder]++);
        weft_release(item);
    }
    for (int i = 0; i < FEEDERS; i++)
        pthread_join(thread[i], NULL);
    cr_assert_eq(flow_of(c.run, 0).fed, FEEDERS * FED);
    cr_assert_eq(weft_feed_end(c.run, NULL, NULL), 0);
    cr_assert_eq(weft_next(c.run, &item, -1, NULL), 0);
    cr_assert_eq(result_of(c.run), 0);
    cr_assert_eq(c.out_of_order, 0);
    cr_assert_eq(sum, FEEDERS * ((uint64_t)FED * (FED - 1) / 2));
    cr_assert_eq(c.in_flight.now, 0);
    cr_assert(c.in_flight.most <= ROOM);
    cr_assert(c.in_flight.most > 1);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- not enough room --------------------------------------------------- */

Test(supply, a_reservation_that_expires_leaves_everything_as_it_was)
{
    _Atomic uint64_t sum = 0;
    weft_sched *sched = workers(1);
    void *one, *two, *none = &sum;
    weft_error why;

    weft_pipeline *p = fed_by_hand(2);
    weft_stage(p,
               weft_config(stage, .name = "sum", .fn = add_value, .ctx = &sum));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_reserve(run, NULL, &one, 0, NULL), 0);
    cr_assert_eq(weft_reserve(run, NULL, &two, -1, NULL), 0);
    cr_assert_eq(weft_reserve(run, NULL, &none, 0, &why), -ETIMEDOUT);
    cr_assert(says(&why, "no slot was free within 0 ms"));
    uint64_t before = wf_now_ns();
    cr_assert_eq(weft_reserve(run, "hand", &none, 20, &why), -ETIMEDOUT);
    cr_assert(wf_now_ns() - before >= 20000000);
    cr_assert_eq(weft_feed_epoch(run, NULL, 1, &why), -ETIMEDOUT);
    cr_assert_eq(none, &sum);
    cr_assert_eq(flow_of(run, 0).fed, 0);
    cr_assert_eq(flow_of(run, 0).in_flight, 0);
    weft_unreserve(one);
    *(struct fed *)two = (struct fed){ .value = 2 };
    weft_feed(two);
    for (uint64_t i = 0; i < 10; i++)
        cr_assert_eq(feed(run, 100, -1), 0);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, 11);
    cr_assert_eq(sum, 1002);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* Both slots are free in turn, and both threads wait for one all the time: a
 * wake-up that is lost stops the one or the other. */
struct waiter {
    struct weft_run *run;
    unsigned rounds;
};

static void *take_turns(void *ctx)
{
    struct waiter *w = ctx;
    void *item;
    for (unsigned i = 0; i < w->rounds; i++) {
        cr_assert_eq(weft_reserve(w->run, NULL, &item, -1, NULL), 0);
        if (i % 2)
            weft_unreserve(item);
        else
            weft_feed(item);
    }
    return NULL;
}

Test(supply, no_wake_up_of_a_thread_that_waits_for_room_is_lost, .timeout = 120)
{
    weft_sched *sched = workers(1);
    pthread_t other[2];
    weft_pipeline *p = fed_by_hand(1);

    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing_to));
    weft_plan *plan = pipeline_plan(p);
    struct waiter w = { .run = started(sched, plan),
                        .rounds = TIMES(100000, 4000) };
    for (int i = 0; i < 2; i++)
        pthread_create(&other[i], NULL, take_turns, &w);
    for (int i = 0; i < 2; i++)
        pthread_join(other[i], NULL);
    cr_assert_eq(weft_feed_end(w.run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(w.run, -1, NULL), 0);
    cr_assert_eq(flow_of(w.run, 0).delivered, w.rounds);
    weft_run_destroy(w.run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- workers ----------------------------------------------------------- */

struct inner {
    int rc;
    _Atomic(struct weft_run *) run;
    _Atomic unsigned refused, ran;
    weft_error why;
};

/* One item feeds the next, and the last ends the input. */
static int feed_next(weft_worker *self, void *item, void *ctx)
{
    struct inner *in = ctx;
    struct weft_run *run = load_acquire(&in->run); /* from the test */
    uint64_t left = ((struct fed *)item)->value;

    add_relaxed(&in->ran, 1);
    if (!left)
        return weft_feed_end(run, NULL, NULL);
    int rc;
    while ((rc = feed(run, left - 1, 0)) == -ETIMEDOUT)
        sched_yield(); /* the item before is about to leave */
    return rc;
}

Test(supply, a_stage_feeds_the_run_that_it_is_in, .timeout = 30)
{
    for (unsigned n = 1; n <= 2; n++) {
        struct inner in = { .rc = 0 };
        weft_sched *sched = workers(n);
        weft_pipeline *p = fed_by_hand(n + 1);

        weft_stage(p, weft_config(stage, .name = "feed next", .fn = feed_next,
                                  .ctx = &in));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        store_release(&in.run, run); /* to the stage */
        cr_assert_eq(feed(run, 1000, 0), 0);
        cr_assert_eq(result_of(run), 0);
        cr_assert_eq(in.ran, 1001);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

static int feed_from_task(weft_worker *self, void *ctx)
{
    struct inner *in = ctx;
    void *item;

    in->rc = weft_reserve(in->run, NULL, &item, 1, &in->why);
    if (weft_feed_epoch(in->run, NULL, -1, NULL) == -EDEADLK)
        in->refused++;
    for (uint64_t i = 0; feed(in->run, i, 0) == 0; i++)
        in->ran++;
    return 0;
}

Test(supply, a_task_feeds_but_may_not_wait, .timeout = 30)
{
    struct inner in = { 0 };
    weft_sched *sched = workers(1);
    weft_future *future;
    void *item;
    weft_pipeline *p = fed_by_hand(5);

    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    in.run = started(sched, plan);
    cr_assert_eq(weft_submit(sched, feed_from_task, &in, &future, NULL), 0);
    cr_assert_eq(weft_future_wait(future, -1), 0);
    weft_future_destroy(future);
    cr_assert_eq(in.rc, -EDEADLK);
    cr_assert(says(&in.why, "a worker may not wait for a slot: use timeout 0"));
    cr_assert_eq(in.refused, 1);
    cr_assert_eq(in.ran, 5);
    cr_assert_eq(weft_feed_end(in.run, NULL, NULL), 0);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(weft_next(in.run, &item, -1, NULL), 1);
        weft_release(item);
    }
    cr_assert_eq(weft_next(in.run, &item, -1, NULL), 0);
    cr_assert_eq(result_of(in.run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- bytes ------------------------------------------------------------- */

static uint64_t used_by(struct weft_run *run)
{
    struct weft_budget_stats b;
    cr_assert_eq(weft_run_budget(run, &b), 0);
    return b.used;
}

Test(supply, a_reservation_waits_for_its_bytes, .timeout = 30)
{
    weft_sched *sched = workers(1);
    void *item[3];
    weft_error why;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = 25,
                    .items = { .bytes = sizeof(struct fed), .cost = 10 }));

    weft_source_fed(p, "hand");
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_reserve(run, NULL, &item[0], 0, NULL), 0);
    cr_assert_eq(weft_reserve(run, NULL, &item[1], 0, NULL), 0);
    cr_assert_eq(used_by(run), 20);
    cr_assert_eq(weft_reserve(run, NULL, &item[2], 0, &why), -ETIMEDOUT);
    cr_assert(says(&why, "the budget had no bytes left within 0 ms"));
    cr_assert_eq(weft_reserve(run, NULL, &item[2], 20, &why), -ETIMEDOUT);
    cr_assert(says(&why, "the budget had no bytes left within 20 ms"));
    cr_assert_eq(used_by(run), 20);
    weft_unreserve(item[0]);
    cr_assert_eq(used_by(run), 10);
    cr_assert_eq(weft_reserve(run, NULL, &item[0], 0, NULL), 0);
    for (uint64_t i = 0; i < 2; i++) {
        *(struct fed *)item[i] = (struct fed){ .value = i };
        weft_feed(item[i]);
    }
    for (uint64_t i = 0; i < 1000; i++) { /* taking makes room for one more */
        cr_assert_eq(feed(run, i + 2, 0), -ETIMEDOUT);
        cr_assert_eq(weft_next(run, &item[0], -1, NULL), 1);
        cr_assert_eq(((struct fed *)item[0])->value, i);
        weft_release(item[0]);
        cr_assert_eq(feed(run, i + 2, -1), 0);
    }
    weft_cancel(run);
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    cr_assert_eq(used_by(run), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static void *feed_many(void *ctx)
{
    struct waiter *w = ctx;
    for (unsigned i = 0; i < w->rounds; i++)
        cr_assert_eq(feed(w->run, 1, i % 2 ? -1 : 60000), 0);
    return NULL;
}

Test(supply, threads_that_wait_for_bytes_get_them_all, .timeout = 120)
{
    _Atomic uint64_t sum = 0;
    weft_sched *sched = workers(2);
    pthread_t thread[FEEDERS];
    struct weft_budget_stats stats;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = 25,
                    .items = { .bytes = sizeof(struct fed), .cost = 10 }));

    weft_source_fed(p, "hand");
    weft_stage(p,
               weft_config(stage, .name = "sum", .fn = add_value, .ctx = &sum));
    weft_plan *plan = pipeline_plan(p);
    struct waiter w = { .run = started(sched, plan),
                        .rounds = TIMES(20000, 2000) };
    for (int i = 0; i < FEEDERS; i++)
        pthread_create(&thread[i], NULL, feed_many, &w);
    for (int i = 0; i < FEEDERS; i++)
        pthread_join(thread[i], NULL);
    cr_assert_eq(weft_feed_end(w.run, NULL, NULL), 0);
    cr_assert_eq(weft_wait(w.run, -1, NULL), 0);
    cr_assert_eq(sum, FEEDERS * w.rounds);
    cr_assert_eq(weft_run_budget(w.run, &stats), 0);
    cr_assert_eq(stats.used, 0);
    cr_assert_eq(stats.peak, 20);
    cr_assert_eq(stats.waiting, 0);
    weft_run_destroy(w.run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
