/* test_report.c: graph/report.c and look.c: what is said of each item. Each
 * test brings a run to a stand, in one of the places where an item can wait. */
#include "tests/stands.h"

/* ---- tokens, turns, limits --------------------------------------------- */

/* The famous one: somebody forgot to complete an item. */
Test(report, names_the_item_that_was_never_completed, .timeout = 60)
{
    struct shelf shelf = { .end = 100 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "decode", .fn = keep,
                              .ctx = &shelf, .tokens = 2, .order = WEFT_INPUT));
    struct stand s = start(p, 2);
    COMES_TO(s.run, "source 'make' waits for a free slot: all 4 are in use",
             "item 0 is pending in 'decode' for ",
             "item 1 is pending in 'decode' for ",
             "item 2 waits in 'decode' for a token: 2 of 2 are held by items "
             "0, 1",
             "item 3 waits in 'decode' for a token: 2 of 2 are held by items "
             "0, 1");
    let_go(&shelf, 1);
    COMES_TO(s.run, "source 'make' waits for a free slot: all 4 are in use",
             "item 0 is pending in 'decode' for ",
             "item 2 is pending in 'decode' for ",
             "item 3 waits in 'decode' for a token: 2 of 2 are held by items "
             "0, 2",
             "item 4 waits in 'decode' for a token: 2 of 2 are held by items "
             "0, 2");
    stop(&s, &shelf);
}

Test(report, names_the_item_whose_turn_is_waited_for, .timeout = 60)
{
    struct shelf shelf = { .end = 3, .from = 0, .to = 0 };
    weft_pipeline *p = drawing(4);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "decode", .fn = pass_some,
                              .ctx = &shelf, .tokens = 4));
    weft_stage(p, weft_config(stage, .name = "write", .fn = pass,
                              .order = WEFT_INPUT));
    struct stand s = start(p, 2);
    COMES_TO(s.run, "item 0 is pending in 'decode' for ",
             "item 1 waits for its turn in 'write', behind item 0",
             "item 2 waits for its turn in 'write', behind item 0");
    stop(&s, &shelf);
}

Test(report, says_which_limit_lacks_how_many_tokens_and_who_has_them,
     .timeout = 60)
{
    struct shelf shelf = { .end = 3 }, other = { .end = 1 };
    weft_limit *gpu, *disk;
    cr_assert_eq(
        weft_limit_create(&gpu, weft_config(limit, .name = "gpu", .tokens = 3),
                          NULL),
        0);
    cr_assert_eq(
        weft_limit_create(
            &disk, weft_config(limit, .name = "disk", .tokens = 9), NULL),
        0);
    const struct weft_use one[] = { { .limit = gpu } };
    const struct weft_use two[] = { { .limit = gpu, .tokens = 2 },
                                    { .limit = disk } };
    weft_pipeline *p = drawing(4), *q = drawing(4);

    weft_source(q, "make", make, &other);
    weft_stage(q, weft_config(stage, .name = "hold", .fn = keep, .ctx = &other,
                              .tokens = 1, .uses = one, .use_count = 1));
    struct stand t = start(q, 1);
    COMES_TO(t.run, "item 0 is pending in 'hold' for ");
    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "copy", .fn = keep, .ctx = &shelf,
                              .tokens = 2, .order = WEFT_INPUT, .uses = two,
                              .use_count = 2));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'copy' for ",
             "item 1 waits in 'copy' for 2 tokens of limit 'gpu' (0 of 3 free, "
             "held by item 0 and others)",
             "item 2 waits in 'copy' for a token (1 of 2 is held by item 0, 1 "
             "kept for who waits for a limit)");
    stop(&t, &other);
    stop(&s, &shelf);
    weft_limit_destroy(gpu);
    weft_limit_destroy(disk);
}

/* ---- attempts ---------------------------------------------------------- */

static int nap_for_ever(weft_worker *self, void *item, struct weft_io **out,
                        void *ctx)
{
    struct weft_io *io = ctx;
    *io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = UINT64_MAX / 4 };
    *out = io;
    return 0;
}

Test(report, tells_an_operation_from_a_pending_stage, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    struct weft_io io;
    weft_pipeline *p = drawing(1);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "fetch", .describe = nap_for_ever,
                              .ctx = &io, .kind = WEFT_IO));
    struct stand s = start(p, 1);
    COMES_TO(s.run,
             "source 'make' waits for a free slot: the only one is in "
             "use",
             "item 0 waits in 'fetch' for its operation for ");
    stop(&s, NULL);
}

static void ignore(void *item, void *ctx) {}

Test(report, says_that_a_pending_item_was_asked_to_end, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    weft_pipeline *p = drawing(2);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "query", .fn = keep, .ctx = &shelf,
                              .cancel = ignore));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'query' for ");
    weft_cancel(s.run);
    struct lines l;
    const char *end = ", and was asked to end";
    do {
        l.count = 0;
        cr_assert_eq(weft_run_report(s.run, add_line, &l), 0);
    } while (!strstr(l.text[1], end));
    cr_assert_eq(l.count, 2);
    cr_assert(is_line(l.text[0], "the run has failed or was cancelled, and "
                                 "waits for what is in flight"));
    stop(&s, &shelf);
}

Test(report, says_which_attempt_is_waited_for, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    weft_pipeline *p = drawing(2);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "fetch", .fn = fail,
                              .retry = { .attempts = 3,
                                         .first_ms = 9000000,
                                         .most_ms = 9000000 }));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 waits in 'fetch' for the time of attempt 2 for ");
    stop(&s, NULL);
}

static int fail_once(weft_worker *self, void *item, void *ctx)
{
    return weft_item_attempt(item) < 3 ? -EAGAIN : keep(self, item, ctx);
}

Test(report, says_which_attempt_is_pending, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    struct lines l = { .count = 0 };
    weft_pipeline *p = drawing(2);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "fetch", .fn = fail_once,
                              .ctx = &shelf,
                              .retry = { .attempts = 3, .first_ms = 1 }));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'fetch' for ");
    cr_assert_eq(weft_run_report(s.run, add_line, &l), 0);
    cr_assert(strstr(l.text[0], " s, attempt 3") != NULL);
    stop(&s, &shelf);
}

/* A callback that returns when it is told to. */
struct door {
    _Atomic unsigned open;
};

static int wait_at(weft_worker *self, void *item, void *ctx)
{
    struct door *d = ctx;
    while (!load_relaxed(&d->open))
        usleep(100);
    return 0;
}

#define INBOX "source 'inbox' can be fed, and has not been ended: "

static void feed_one(struct weft_run *run)
{
    void *item;
    cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
    weft_feed(item);
}

static void end_well(struct stand *s)
{
    cr_assert_eq(weft_wait(s->run, -1, NULL), 0);
    weft_run_destroy(s->run);
    weft_plan_destroy(s->plan);
    weft_sched_destroy(s->sched);
}

Test(report, tells_who_runs_from_who_waits_for_a_worker, .timeout = 60)
{
    struct door door = { 0 };
    weft_pipeline *p = drawing(3);

    weft_source_fed(p, "inbox");
    weft_stage(p, weft_config(stage, .name = "work", .fn = wait_at,
                              .ctx = &door, .tokens = 2));
    struct stand s = start(p, 1);
    feed_one(s.run);
    feed_one(s.run);
    cr_assert_eq(weft_feed_end(s.run, NULL, NULL), 0);
    COMES_TO(s.run, "item 0 runs in 'work' for ",
             "item 1 is ready for 'work' and waits for a worker");
    store_relaxed(&door.open, 1);
    end_well(&s);
}

Test(report, says_that_a_completed_item_waits_for_a_worker, .timeout = 60)
{
    struct shelf shelf = { .from = 0, .to = 0 };
    struct door door = { 0 };
    weft_pipeline *p = drawing(3);

    weft_source_fed(p, "inbox");
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &shelf, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "work", .fn = wait_at,
                              .ctx = &door, .tokens = 2));
    struct stand s = start(p, 1);
    feed_one(s.run);
    feed_one(s.run);
    cr_assert_eq(weft_feed_end(s.run, NULL, NULL), 0);
    COMES_TO(s.run, "item 0 is pending in 'keep' for ",
             "item 1 runs in 'work' for ");
    let_go(&shelf, 0);
    COMES_TO(s.run, "item 0 is ready for 'keep' and waits for a worker",
             "item 1 runs in 'work' for ");
    store_relaxed(&door.open, 1);
    end_well(&s);
}

Test(report, says_that_an_item_has_its_turn_and_waits_for_a_worker,
     .timeout = 60)
{
    struct shelf shelf = { .from = 0, .to = 0 };
    struct door door = { 0 };
    weft_pipeline *p = drawing(3);

    weft_source_fed(p, "inbox");
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &shelf, .tokens = 2));
    weft_stage(p, weft_config(stage, .name = "write", .fn = wait_at,
                              .ctx = &door, .tokens = 2, .order = WEFT_INPUT));
    struct stand s = start(p, 1);
    feed_one(s.run);
    feed_one(s.run);
    cr_assert_eq(weft_feed_end(s.run, NULL, NULL), 0);
    COMES_TO(s.run, "item 0 is pending in 'keep' for ",
             "item 1 waits for its turn in 'write', behind item 0");
    let_go(&shelf, 0);
    COMES_TO(s.run, "item 0 runs in 'write' for ",
             "item 1 is ready for 'write' and waits for a worker");
    store_relaxed(&door.open, 1);
    end_well(&s);
}

Test(report, tells_who_is_on_a_thread_from_who_waits_for_it, .timeout = 60)
{
    struct door door = { 0 };
    weft_pipeline *p = drawing(3);

    weft_source_fed(p, "inbox");
    weft_stage(p, weft_config(stage, .name = "sqlite", .fn = wait_at,
                              .ctx = &door, .kind = WEFT_PINNED, .tokens = 2));
    struct stand s = start(p, 1);
    feed_one(s.run);
    COMES_TO(s.run, INBOX "2 of 3 slots are free",
             "item 0 runs in 'sqlite' for ");
    feed_one(s.run);
    cr_assert_eq(weft_feed_end(s.run, NULL, NULL), 0);
    COMES_TO(s.run, "item 0 runs in 'sqlite' for ",
             "item 1 waits for the thread of 'sqlite'");
    store_relaxed(&door.open, 1);
    end_well(&s);
}

/* ---- sources and consumers --------------------------------------------- */

Test(report, says_what_the_source_waits_for, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    weft_pipeline *p = drawing(3);

    weft_source(p, "files", keep, &shelf);
    weft_stage(p, weft_config(stage, .name = "pass", .fn = pass));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "source 'files' is pending for ");
    weft_drain(s.run);
    COMES_TO(s.run, "the run is drained, and waits for what is in flight",
             "source 'files' is pending for ");
    let_go_with(&shelf, 0, WEFT_END);
    end_well(&s);
}

static void *reserve_one(void *ctx)
{
    void *item;
    weft_reserve(ctx, NULL, &item, -1, NULL);
    return NULL;
}

Test(report, says_that_a_source_was_not_ended, .timeout = 60)
{
    struct shelf shelf = { .end = 1 };
    void *item[2];
    pthread_t thread;
    weft_pipeline *p = drawing(2);

    weft_source_fed(p, "inbox");
    weft_stage(p,
               weft_config(stage, .name = "keep", .fn = keep, .ctx = &shelf));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "source 'inbox' can be fed, and has not been ended: 2 of 2 "
                    "slots are free");
    cr_assert_eq(weft_reserve(s.run, NULL, &item[0], -1, NULL), 0);
    COMES_TO(s.run, "source 'inbox' can be fed, and has not been ended: 1 of 2 "
                    "slots are free, 1 reserved");
    weft_feed(item[0]);
    cr_assert_eq(weft_reserve(s.run, NULL, &item[1], -1, NULL), 0);
    pthread_create(&thread, NULL, reserve_one, s.run);
    COMES_TO(s.run,
             "source 'inbox' 1 thread waits to feed it: all 2 are in "
             "use",
             "item 0 is pending in 'keep' for ");
    weft_cancel(s.run);
    pthread_join(thread, NULL);
    weft_unreserve(item[1]);
    stop(&s, &shelf);
}

Test(report, says_what_the_consumer_holds_and_could_take, .timeout = 60)
{
    struct shelf shelf = { .end = 5, .from = 3, .to = 3 };
    void *item[2];
    weft_pipeline *p = drawing(8);

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "keep", .fn = pass_some,
                              .ctx = &shelf, .tokens = 2));
    weft_consumer(p, WEFT_INPUT);
    struct stand s = start(p, 1);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(weft_next(s.run, &item[i], -1, NULL), 1);
    COMES_TO(s.run, "item 2 waits for the consumer to take it for ",
             "item 3 is pending in 'keep' for ",
             "item 4 waits for its turn to be taken, behind item 3",
             "the consumer holds items 0, 1");
    weft_release(item[0]);
    COMES_TO(s.run, "item 2 waits for the consumer to take it for ",
             "item 3 is pending in 'keep' for ",
             "item 4 waits for its turn to be taken, behind item 3",
             "the consumer holds item 1");
    weft_release(item[1]);
    stop(&s, &shelf);
}

Test(report, names_some_of_many_and_counts_the_others, .timeout = 60)
{
    struct shelf shelf = { .end = 12 };
    void *item[12];
    weft_pipeline *p = drawing(16);

    weft_source(p, "make", make, &shelf);
    weft_consumer(p, WEFT_INPUT);
    struct stand s = start(p, 1);
    for (int i = 0; i < 12; i++)
        cr_assert_eq(weft_next(s.run, &item[i], -1, NULL), 1);
    COMES_TO(s.run,
             "the consumer holds items 0, 1, 2, 3, 4, 5, 6, 7 and 4 more");
    for (int i = 0; i < 12; i++)
        weft_release(item[i]);
    end_well(&s);
}

/* ---- bytes ------------------------------------------------------------- */

static uint64_t four_mib(const void *item, void *ctx) { return 4 << 20; }

Test(report, says_who_has_the_budget, .timeout = 60)
{
    struct shelf shelf = { .end = 0 };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = numbers(4), .budget_bytes = 6 << 20));

    weft_source_fed(p, "inbox");
    weft_stage(p, weft_config(stage, .name = "decode", .fn = keep,
                              .ctx = &shelf, .bytes = four_mib, .tokens = 2));
    struct stand s = start(p, 1);
    feed_one(s.run);
    COMES_TO(s.run, INBOX "3 of 4 slots are free",
             "item 0 is pending in 'decode' for ");
    feed_one(s.run);
    COMES_TO(s.run, INBOX "2 of 4 slots are free",
             "item 0 is pending in 'decode' for ",
             "item 1 waits before 'decode' for 4 MiB of the budget: 4 MiB of 6 "
             "MiB are used, item 0 has 4 MiB");
    stop(&s, &shelf);
}

Test(report, says_that_a_source_waits_for_the_cost_of_its_item, .timeout = 60)
{
    struct shelf shelf = { .end = 9 };
    struct weft_items items = numbers(4);
    items.cost = 1000;
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = items, .budget_bytes = 2500));

    weft_source(p, "make", make, &shelf);
    weft_stage(p, weft_config(stage, .name = "keep", .fn = keep, .ctx = &shelf,
                              .tokens = 4));
    struct stand s = start(p, 1);
    COMES_TO(s.run, "item 0 is pending in 'keep' for ",
             "item 1 is pending in 'keep' for ",
             "source 'make' waits for 1000 bytes of the budget: 1.953 KiB of "
             "2.441 KiB are used, item 0 has 1000 bytes");
    stop(&s, &shelf);
}

/* ---- while it runs ----------------------------------------------------- */

struct asker {
    struct weft_run *run;
    _Atomic unsigned over;
    uint64_t lines;
};

static void count_line(void *ctx, const char *what, const char *text)
{
    struct asker *a = ctx;
    cr_assert(*what && *text);
    a->lines++;
}

static void *keep_asking(void *ctx)
{
    struct asker *a = ctx;
    while (!load_acquire(&a->over)) { /* the run is still there */
        cr_assert_eq(weft_run_report(a->run, count_line, a), 0);
        usleep(300);
    }
    return NULL;
}

Test(report, may_be_asked_for_while_everything_moves, .timeout = 120)
{
    weft_limit *limit;
    weft_sched *sched = workers(3);

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 1), NULL),
        0);
    for (unsigned i = 0; i < 4; i++) {
        struct world w = { .items = TIMES(300, 60),
                           .epochs = 3,
                           .fails = true,
                           .nap_ns = 20000,
                           .limit = i & 1 ? limit : NULL,
                           .budget = 5000,
                           .order = i & 2 ? WEFT_INPUT : WEFT_ANY };
        struct asker a = { .lines = 0 };
        pthread_t thread;
        void *item;
        int rc;
        weft_plan *plan = everything(&w);
        cr_assert_eq(weft_start(&a.run, sched, plan, NULL), 0);
        pthread_create(&thread, NULL, keep_asking, &a);
        while ((rc = weft_next(a.run, &item, -1, NULL)) == 1 ||
               rc == WEFT_EPOCH)
            if (rc == 1)
                weft_release(item);
        cr_assert_eq(weft_wait(a.run, -1, NULL), 0);
        store_release(&a.over, 1); /* keep_asking */
        pthread_join(thread, NULL);
        cr_assert(a.lines > 0);
        weft_run_destroy(a.run);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
    weft_limit_destroy(limit);
}

Test(report, there_is_none_of_a_graph)
{
    struct lines l = { .count = 0 };
    struct weft_run *run;
    weft_sched *sched = workers(1);
    weft_graph *g = weft_graph_create();

    weft_task(g, "only", nothing, NULL);
    weft_plan *plan = compiled(g);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_run_report(run, add_line, &l), -EINVAL);
    cr_assert_eq(l.count, 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
