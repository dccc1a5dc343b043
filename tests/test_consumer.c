/* test_consumer.c: graph/consumer.c: threads outside take what leaves a
 * pipeline. The descriptor is in test_consumer_fd.c. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/fed.h"

/* ---- timed waits ------------------------------------------------------- */

/* A source of one item in a millisecond: it sleeps on a thread of its own. */
struct clockwork {
    uint64_t next, end;
    unsigned pause_us;
};

static int tick(weft_worker *self, void *item, void *ctx)
{
    struct clockwork *c = ctx;
    if (c->next == c->end)
        return WEFT_END;
    usleep(c->pause_us);
    ((struct fed *)item)->value = c->next++;
    return 0;
}

static weft_plan *ticking(struct clockwork *c)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct fed) }));
    weft_source_with(p, weft_config(source, .name = "tick", .fn = tick,
                                    .ctx = c, .kind = WEFT_BLOCKING));
    weft_consumer(p, WEFT_INPUT);
    return pipeline_plan(p);
}

/* Waits run out at every moment at which an item may come. */
Test(consumer, R9_a_timed_wait_never_loses_an_item, .timeout = 120)
{
    struct clockwork c = { .end = is_long() ? 10000 : 1000, .pause_us = 1000 };
    weft_sched *sched = workers(1);
    weft_plan *plan = ticking(&c);
    struct weft_run *run = started(sched, plan);
    uint64_t next = 0, expired = 0;
    void *item;
    weft_error why;

    for (int rc; (rc = weft_next(run, &item, (int)(expired % 2), &why));) {
        if (rc == -ETIMEDOUT) {
            if (!(expired++ % 2))
                usleep(100);
            continue;
        }
        cr_assert_eq(rc, 1);
        cr_assert_eq(((struct fed *)item)->value, next++);
        weft_release(item);
    }
    cr_assert_eq(next, c.end);
    cr_assert(expired > 0);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(consumer, a_wait_that_expires_says_so_and_not_before_its_time)
{
    weft_sched *sched = workers(1);
    weft_pipeline *p = fed_by_hand(2);
    void *item = p;
    weft_error why;

    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_next(run, &item, 0, &why), -ETIMEDOUT);
    cr_assert(says(&why, "no item came within 0 ms"));
    uint64_t before = wf_now_ns();
    cr_assert_eq(weft_next(run, &item, 20, &why), -ETIMEDOUT);
    cr_assert(wf_now_ns() - before >= 20000000);
    cr_assert(says(&why, "no item came within 20 ms"));
    cr_assert_eq(item, p);
    weft_drain(run);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- several consumers ------------------------------------------------- */

enum { CONSUMERS = 4, MANY = TIMES(50000, 10000) };

static int count_up(weft_worker *self, void *item, void *ctx)
{
    struct clockwork *c = ctx;
    if (c->next == c->end)
        return WEFT_END;
    ((struct fed *)item)->value = c->next++;
    return 0;
}

static weft_plan *counting(struct clockwork *c, unsigned slots,
                           enum weft_order order)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct fed), .slots = slots }));
    weft_source(p, "count", count_up, c);
    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing_to));
    weft_consumer(p, order);
    return pipeline_plan(p);
}

struct takers {
    struct weft_run *run;
    _Atomic unsigned started, ends, errors, disorder;
    unsigned char *seen; /* how often each item was taken */
    bool holds;          /* each holds one item while it takes the next */
};

static void *take_all(void *ctx)
{
    struct takers *t = ctx;
    int timeout_ms = (int)(add_relaxed(&t->started, 1) % 3) - 1;
    uint64_t last = 0;
    void *item, *held = NULL;

    for (int rc; (rc = weft_next(t->run, &item, timeout_ms, NULL));) {
        if (rc == -ETIMEDOUT && timeout_ms >= 0)
            continue;
        if (rc != 1) {
            add_relaxed(&t->errors, 1);
            continue;
        }
        uint64_t value = ((struct fed *)item)->value;
        t->seen[value]++; /* nobody else has it */
        add_relaxed(&t->disorder, value < last);
        last = value;
        if (held)
            weft_release(held);
        held = NULL;
        if (t->holds)
            held = item;
        else
            weft_release(item);
    }
    if (held)
        weft_release(held);
    add_relaxed(&t->ends, 1);
    return NULL;
}

static void share(enum weft_order order, bool holds)
{
    struct clockwork c = { .end = MANY };
    struct takers t = { .holds = holds, .seen = calloc(MANY, 1) };
    pthread_t thread[CONSUMERS];
    weft_sched *sched = workers(2);
    weft_plan *plan = counting(&c, 8, order);

    t.run = started(sched, plan);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_create(&thread[i], NULL, take_all, &t);
    for (int i = 0; i < CONSUMERS; i++)
        pthread_join(thread[i], NULL);
    for (unsigned i = 0; i < MANY; i++)
        cr_assert_eq(t.seen[i], 1);
    cr_assert_eq(t.ends, CONSUMERS);
    cr_assert_eq(t.errors, 0);
    if (order == WEFT_INPUT) /* each sees the items in their order */
        cr_assert_eq(t.disorder, 0);
    cr_assert_eq(weft_wait(t.run, -1, NULL), 0);
    cr_assert_eq(flow_of(t.run, 0).delivered, MANY);
    weft_run_destroy(t.run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    free(t.seen);
}

Test(consumer, each_item_goes_to_one_of_several_consumers, .timeout = 120)
{
    share(WEFT_ANY, false);
    share(WEFT_INPUT, false);
    share(WEFT_INPUT, true);
}

/* ---- the error --------------------------------------------------------- */

struct failing {
    uint64_t next, fails_after;
};

static int fail_later(weft_worker *self, void *item, void *ctx)
{
    struct failing *f = ctx;
    if (f->next == f->fails_after)
        return weft_fail(item, -ENOSPC, "the tape is full");
    ((struct fed *)item)->value = f->next++;
    return 0;
}

static weft_plan *failing_source(struct failing *f)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct fed) }));
    weft_source(p, "tape", fail_later, f);
    weft_stage(p, weft_config(stage, .name = "nothing", .fn = nothing_to));
    weft_consumer(p, WEFT_INPUT);
    return pipeline_plan(p);
}

Test(consumer, R20_the_consumer_sees_an_error_once_after_the_good_items)
{
    static const char sentence[] = "source 'tape' failed on item 10, attempt "
                                   "1: ENOSPC: the tape is full";
    weft_sched *sched = workers(2);
    weft_error why;
    void *item;

    for (int round = 0; round < TIMES(500, 100); round++) {
        struct failing f = { .fails_after = 10 };
        weft_plan *plan = failing_source(&f);
        struct weft_run *run = started(sched, plan);
        for (uint64_t i = 0; i < 10; i++) {
            cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
            cr_assert_eq(((struct fed *)item)->value, i);
            weft_release(item);
        }
        cr_assert_eq(weft_next(run, &item, -1, &why), -ENOSPC);
        cr_assert(says(&why, sentence));
        for (int i = 0; i < 5; i++)
            cr_assert_eq(weft_next(run, &item, i - 1, NULL), 0);
        cr_assert_eq(weft_wait(run, -1, &why), -ENOSPC);
        cr_assert(says(&why, sentence));
        cr_assert_eq(weft_next(run, &item, 0, NULL), 0);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

static int fail_on_ten(weft_worker *self, void *item, void *ctx)
{
    return ((struct fed *)item)->value == 10 ? -EILSEQ : 0;
}

Test(consumer, R20_the_error_of_a_stage_names_stage_item_attempt_and_errno)
{
    struct clockwork c = { .end = UINT64_MAX };
    weft_sched *sched = workers(2);
    weft_error why;
    void *item;
    int rc;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct fed) }));

    weft_source(p, "count", count_up, &c);
    weft_stage(p, weft_config(stage, .name = "decode", .fn = fail_on_ten,
                              .retry = { .attempts = 3, .first_ms = 1 }));
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    uint64_t next = 0;
    for (; (rc = weft_next(run, &item, -1, &why)) == 1; next++) {
        cr_assert_eq(((struct fed *)item)->value, next);
        weft_release(item);
    }
    cr_assert_eq(rc, -EILSEQ);
    cr_assert_eq(next, 10); /* those behind it are not delivered */
    cr_assert(says(&why, "stage 'decode' failed on item 10, attempt 3: EILSEQ: "
                         "Invalid or incomplete multibyte or wide character"));
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(result_of(run), -EILSEQ);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(consumer, R20_one_of_several_consumers_sees_the_error, .timeout = 60)
{
    weft_sched *sched = workers(2);

    for (int round = 0; round < TIMES(300, 60); round++) {
        struct failing f = { .fails_after = 10 };
        struct takers t = { .seen = calloc(10, 1) };
        pthread_t thread[CONSUMERS];
        weft_plan *plan = failing_source(&f);
        t.run = started(sched, plan);
        for (int i = 0; i < CONSUMERS; i++)
            pthread_create(&thread[i], NULL, take_all, &t);
        for (int i = 0; i < CONSUMERS; i++)
            pthread_join(thread[i], NULL);
        for (int i = 0; i < 10; i++)
            cr_assert_eq(t.seen[i], 1);
        cr_assert_eq(t.errors, 1);
        cr_assert_eq(t.ends, CONSUMERS);
        cr_assert_eq(result_of(t.run), -ENOSPC);
        weft_plan_destroy(plan);
        free(t.seen);
    }
    weft_sched_destroy(sched);
}

/* ---- workers, and what is no consumer ---------------------------------- */

struct inner {
    struct weft_run *run;
    unsigned taken;
    int waits, last;
    weft_error why;
};

static int take_on_worker(weft_worker *self, void *ctx)
{
    struct inner *in = ctx;
    void *item;

    in->waits = weft_next(in->run, &item, 1, &in->why);
    while ((in->last = weft_next(in->run, &item, 0, NULL)) == 1) {
        weft_release(item);
        in->taken++;
    }
    return 0;
}

Test(consumer, a_worker_takes_but_may_not_wait)
{
    weft_sched *sched = workers(1);
    struct inner in = { .taken = 0 };
    weft_future *future;
    weft_pipeline *p = fed_by_hand(5);

    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    in.run = started(sched, plan);
    for (int round = 0; round < 2; round++) {
        in.taken = 0;
        for (uint64_t i = 0; !round && i < 5; i++)
            cr_assert_eq(feed(in.run, i, 0), 0);
        while (!round && flow_of(in.run, 0).fed < 5)
            usleep(100);
        struct weft_sink_stats sink = { 0 };
        while (!round && sink.ready < 5)
            weft_run_sink(in.run, &sink);
        if (round)
            cr_assert_eq(weft_feed_end(in.run, NULL, NULL), 0);
        cr_assert_eq(weft_submit(sched, take_on_worker, &in, &future, NULL), 0);
        cr_assert_eq(weft_future_wait(future, -1), 0);
        weft_future_destroy(future);
        cr_assert_eq(in.waits, -EDEADLK);
        cr_assert(says(&in.why, "a worker may not wait for an item: use "
                                "timeout 0, or a stage"));
        cr_assert_eq(in.taken, round ? 0 : 5);
        cr_assert_eq(in.last, round ? 0 : -ETIMEDOUT);
    }
    cr_assert_eq(result_of(in.run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(consumer, a_run_without_a_consumer_says_so)
{
    weft_sched *sched = workers(1);
    weft_plan *plan = pipeline_plan(fed_by_hand(1));
    struct weft_run *run = started(sched, plan);
    struct weft_sink_stats sink;
    weft_error why;
    void *item;

    cr_assert_eq(weft_next(run, &item, 0, &why), -EINVAL);
    cr_assert(
        says(&why, "the plan has no consumer: end it with weft_consumer"));
    cr_assert_eq(weft_consumer_fd(run, &why), -EINVAL);
    cr_assert(
        says(&why, "the plan has no consumer: end it with weft_consumer"));
    cr_assert_eq(weft_run_sink(run, &sink), -EINVAL);
    weft_drain(run);
    cr_assert_eq(result_of(run), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- statistics -------------------------------------------------------- */

Test(consumer, the_sink_tells_what_waits_and_what_is_held)
{
    weft_sched *sched = workers(1);
    weft_pipeline *p = fed_by_hand(8);
    struct weft_sink_stats s;
    void *item[3];

    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (uint64_t i = 0; i < 5; i++)
        cr_assert_eq(feed(run, i, 0), 0);
    cr_assert_eq(weft_feed_epoch(run, NULL, 0, NULL), 0);
    do
        cr_assert_eq(weft_run_sink(run, &s), 0);
    while (s.ready < 5);
    usleep(2000);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(weft_next(run, &item[i], 0, NULL), 1);
    cr_assert_eq(weft_run_sink(run, &s), 0);
    cr_assert_eq(s.ready, 2); /* an epoch's end is no item */
    cr_assert_eq(s.borrowed, 3);
    cr_assert_eq(s.taken, 3);
    cr_assert(s.ready_ns >= 3 * 1500000);
    usleep(2000);
    weft_release(item[0]);
    weft_release(item[1]);
    cr_assert_eq(weft_run_sink(run, &s), 0);
    cr_assert_eq(s.borrowed, 1);
    cr_assert_eq(s.taken, 3);
    cr_assert(s.borrowed_ns >= 2 * 1500000);
    weft_release(item[2]);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(weft_next(run, &item[0], -1, NULL), 1);
        weft_release(item[0]);
    }
    cr_assert_eq(weft_next(run, &item[0], -1, NULL), WEFT_EPOCH);
    cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
    cr_assert_eq(weft_next(run, &item[0], -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_sink(run, &s), 0);
    cr_assert_eq(s.ready, 0);
    cr_assert_eq(s.borrowed, 0);
    cr_assert_eq(s.taken, 5);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
