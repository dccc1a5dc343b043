/* test_supply_end.c: graph/supply.c: the end of what is fed from outside, and
 * who waits when it comes; names; epochs; run again. */
#include <pthread.h>

#include "tests/fed.h"

enum { FEEDERS = 4 };

/* ---- the end of the input ---------------------------------------------- */

static void no_more(struct weft_run *run, int error, const char *sentence)
{
    void *item = run;
    weft_error why;

    for (int timeout_ms = -1; timeout_ms <= 1; timeout_ms++) {
        cr_assert_eq(weft_reserve(run, NULL, &item, timeout_ms, &why), error);
        cr_assert(says(&why, sentence));
        cr_assert_eq(weft_feed_epoch(run, NULL, timeout_ms, &why), error);
        cr_assert(says(&why, sentence));
    }
    cr_assert_eq(item, run);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0); /* it has no effect */
}

Test(supply_end, after_the_end_no_more_is_fed)
{
    weft_sched *sched = workers(1);
    weft_plan *plan = pipeline_plan(fed_by_hand(4));

    struct weft_run *run = started(sched, plan);
    cr_assert_eq(feed(run, 1, 0), 0);
    cr_assert_eq(weft_feed_end(run, "hand", NULL), 0);
    no_more(run, -EPIPE, "the input has ended");
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    no_more(run, -EPIPE, "the input has ended");
    cr_assert_eq(flow_of(run, 0).fed, 1);
    weft_run_destroy(run);

    run = started(sched, plan);
    weft_drain(run);
    no_more(run, -EPIPE, "the input has ended");
    cr_assert_eq(result_of(run), 0);

    run = started(sched, plan);
    weft_cancel(run);
    no_more(run, -ECANCELED, "the run was stopped");
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    no_more(run, -ECANCELED, "the run was stopped");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(supply_end, what_is_reserved_may_be_fed_after_the_end)
{
    void (*const stops[])(struct weft_run *) = { NULL, weft_drain,
                                                 weft_cancel };
    weft_sched *sched = workers(1);
    weft_plan *plan = pipeline_plan(fed_by_hand(4));

    for (int i = 0; i < 3; i++) {
        struct weft_run *run = started(sched, plan);
        void *fed, *not_fed;
        cr_assert_eq(weft_reserve(run, NULL, &fed, 0, NULL), 0);
        cr_assert_eq(weft_reserve(run, NULL, &not_fed, 0, NULL), 0);
        if (stops[i])
            stops[i](run);
        else
            cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
        cr_assert_eq(weft_wait(run, 20, NULL), -ETIMEDOUT);
        weft_feed(fed);
        cr_assert_eq(weft_wait(run, 20, NULL), -ETIMEDOUT);
        weft_unreserve(not_fed);
        int rc = weft_wait(run, -1, NULL);
        cr_assert_eq(rc, i == 2 ? -ECANCELED : 0);
        struct weft_flow f = flow_of(run, 0);
        cr_assert_eq(f.fed, 1);
        cr_assert_eq(f.delivered, 1); /* no stage was left to be cancelled */
        weft_run_destroy(run);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- threads that wait when it ends ------------------------------------ */

struct blocked {
    struct weft_run *run;
    _Atomic unsigned waiting;
    _Atomic int got[FEEDERS];
};

static void *wait_for_room(void *ctx)
{
    struct blocked *b = ctx;
    unsigned number = add_relaxed(&b->waiting, 1);
    void *item;

    store_relaxed(&b->got[number],
                  number % 2 ? weft_reserve(b->run, NULL, &item, -1, NULL)
                             : weft_feed_epoch(b->run, NULL, 60000, NULL));
    return NULL;
}

static void end_input(struct weft_run *run)
{
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
}

/* The slots, or the bytes, are all reserved; four threads wait for more. */
static void release_the_blocked(weft_sched *sched, const weft_plan *plan,
                                void (*stop)(struct weft_run *), int expected)
{
    struct blocked b = { .run = started(sched, plan) };
    pthread_t thread[FEEDERS];
    void *item[2];

    for (int i = 0; i < 2; i++)
        cr_assert_eq(weft_reserve(b.run, NULL, &item[i], 0, NULL), 0);
    for (int i = 0; i < FEEDERS; i++)
        pthread_create(&thread[i], NULL, wait_for_room, &b);
    while (load_relaxed(&b.waiting) < FEEDERS)
        usleep(100);
    usleep(1000); /* most of them sleep by now */
    stop(b.run);
    for (int i = 0; i < FEEDERS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < FEEDERS; i++)
        cr_assert_eq(b.got[i], expected);
    for (int i = 0; i < 2; i++)
        weft_unreserve(item[i]);
    int rc = result_of(b.run);
    cr_assert_eq(rc, expected == -ECANCELED ? -ECANCELED : 0);
}

Test(supply_end, threads_that_wait_for_room_return_when_the_input_ends,
     .timeout = 120)
{
    weft_sched *sched = workers(2);
    weft_plan *plan[2] = { pipeline_plan(fed_by_hand(2)) };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = 25,
                    .items = { .bytes = sizeof(struct fed), .cost = 10 }));
    weft_source_fed(p, "hand");
    plan[1] = pipeline_plan(p);
    for (int i = 0; i < TIMES(100, 20); i++) {
        release_the_blocked(sched, plan[i % 2], end_input, -EPIPE);
        release_the_blocked(sched, plan[i % 2], weft_drain, -EPIPE);
        release_the_blocked(sched, plan[i % 2], weft_cancel, -ECANCELED);
    }
    weft_plan_destroy(plan[0]);
    weft_plan_destroy(plan[1]);
    weft_sched_destroy(sched);
}

/* ---- names ------------------------------------------------------------- */

static int take_value(weft_worker *self, void *item, void *ctx)
{
    uint64_t *of = ctx;
    const struct fed *fed = item;
    of[fed->feeder] += fed->value;
    return 0;
}

static weft_pipeline *input_called(const char *name)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_source_fed(p, name);
    return p;
}

Test(supply_end, sources_of_a_merge_are_fed_by_name, .timeout = 30)
{
    struct weft_path inputs[] = {
        { .name = "left", .stages = input_called("feed") },
        { .name = "right", .stages = input_called("feed") },
        { .stages = input_called("plain") },
    };
    const char *const names[] = { "left.feed", "right.feed", "plain" };
    uint64_t sums[3] = { 0 };
    weft_sched *sched = workers(2);
    weft_error why;
    void *item = NULL;

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct fed), .slots = 3 }));
    weft_merge(p, weft_config(merge, .name = "all", .inputs = inputs,
                              .input_count = 3));
    weft_stage(p, weft_config(stage, .name = "take", .fn = take_value,
                              .ctx = sums, .tokens = 1));
    weft_plan *plan = pipeline_plan(p);
    for (int i = 0; i < 3; i++)
        weft_pipeline_destroy(inputs[i].stages);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_reserve(run, NULL, &item, 0, &why), -EINVAL);
    cr_assert(says(&why, "3 sources are fed from outside: say which"));
    cr_assert_eq(weft_feed_epoch(run, "left", 0, &why), -EINVAL);
    cr_assert(says(&why, "no source 'left' is fed from outside"));
    cr_assert_eq(weft_feed_end(run, "feed", &why), -EINVAL);
    cr_assert(says(&why, "no source 'feed' is fed from outside"));
    cr_assert_eq(item, NULL);
    for (unsigned i = 0; i < 300; i++) {
        cr_assert_eq(weft_reserve(run, names[i % 3], &item, -1, NULL), 0);
        *(struct fed *)item = (struct fed){ .value = 1, .feeder = i % 3 };
        weft_feed(item);
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(weft_wait(run, 0, NULL), -ETIMEDOUT);
        cr_assert_eq(weft_feed_end(run, names[i], NULL), 0);
        cr_assert_eq(weft_reserve(run, names[i], &item, 0, NULL), -EPIPE);
    }
    cr_assert_eq(result_of(run), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(sums[i], 100);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

static int end_at_once(weft_worker *self, void *item, void *ctx)
{
    return WEFT_END;
}

Test(supply_end, what_is_not_fed_from_outside_says_so)
{
    static const char none[] =
        "no source is fed from outside: use weft_source_fed";
    weft_sched *sched = workers(1);
    struct weft_run *runs[2];
    weft_error why;
    void *item;

    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_source(p, "hand", end_at_once, NULL);
    weft_plan *plan = pipeline_plan(p);
    weft_graph *g = weft_graph_create();
    weft_task(g, "hand", nothing, NULL);
    weft_plan *graph = compiled(g);
    runs[0] = started(sched, plan);
    runs[1] = started(sched, graph);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(weft_reserve(runs[i], NULL, &item, 0, &why), -EINVAL);
        cr_assert(says(&why, none));
        cr_assert_eq(weft_feed_epoch(runs[i], NULL, 0, &why), -EINVAL);
        cr_assert(says(&why, none));
        cr_assert_eq(weft_feed_end(runs[i], "hand", &why), -EINVAL);
        cr_assert(says(&why, "no source 'hand' is fed from outside"));
        cr_assert_eq(result_of(runs[i]), 0);
    }
    weft_plan_destroy(plan);
    weft_plan_destroy(graph);
    weft_sched_destroy(sched);
}

/* ---- epochs, and again ------------------------------------------------- */

Test(supply_end, an_epoch_ends_after_all_that_was_fed_before, .timeout = 30)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = fed_by_hand(8);
    void *item, *late;

    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing_to));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (uint64_t epoch = 0; epoch < 1000; epoch++) {
        for (uint64_t i = 0; i < epoch % 4; i++)
            cr_assert_eq(feed(run, epoch, -1), 0);
        /* Reserved before its end, and fed after it: it is of the next one. */
        cr_assert_eq(weft_reserve(run, NULL, &late, -1, NULL), 0);
        cr_assert_eq(weft_feed_epoch(run, NULL, -1, NULL), 0);
        *(struct fed *)late = (struct fed){ .value = epoch + 1 };
        weft_feed(late);
        for (uint64_t i = 0; i < epoch % 4 + (epoch > 0); i++) {
            cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
            cr_assert_eq(((struct fed *)item)->value, epoch);
            cr_assert_eq(weft_item_epoch(item), epoch);
            weft_release(item);
        }
        cr_assert_eq(weft_next(run, &item, -1, NULL), WEFT_EPOCH);
    }
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
    weft_release(item);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(supply_end, a_fed_plan_runs_again_and_twice_at_a_time, .timeout = 30)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = fed_by_hand(3);
    struct weft_run *run[2];
    void *item;

    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    for (uint64_t round = 0; round < 100; round++) {
        for (int i = 0; i < 2; i++)
            run[i] = started(sched, plan);
        for (uint64_t i = 0; i < 6; i++)
            cr_assert_eq(feed(run[i % 2], 10 * round + i, 0), 0);
        for (uint64_t i = 0; i < 6; i++) {
            cr_assert_eq(weft_next(run[i % 2], &item, -1, NULL), 1);
            cr_assert_eq(((struct fed *)item)->value, 10 * round + i);
            weft_release(item);
        }
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(weft_feed_end(run[i], NULL, NULL), 0);
            cr_assert_eq(result_of(run[i]), 0);
        }
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
