/* test_epoch.c: the ends of epochs, on their way through everything: the gate
 * in graph/segment.c, and what feeders do with a marker. */
#include "tests/pipes.h"

/* The epoch of an item by its value, where epochs are so long. */
static uint64_t epoch_by_value(const void *item, uint64_t length)
{
    return value_of(item) / length;
}

/* ---- batches ----------------------------------------------------------- */

struct batch {
    uint64_t count, epoch;
    uint64_t value[8];
};

static int collect(weft_worker *self, void *batch, void *item, void *ctx)
{
    struct batch *b = batch;

    if (b->count && b->epoch != weft_item_epoch(item))
        return -EPROTO;
    b->epoch = weft_item_epoch(item);
    b->value[b->count++] = value_of(item);
    return 0;
}

static void clear(void *batch, void *ctx)
{
    ((struct batch *)batch)->count = 0;
}

/* The first attempt at every fifth item fails; some take longer than others. */
static int hard(weft_worker *self, void *item, void *ctx)
{
    dawdle(self, item, ctx);
    return value_of(item) % 5 == 2 && weft_item_attempt(item) == 1 ? -EAGAIN
                                                                   : 0;
}

static weft_pipeline *sevens(struct numbers *source, int rest,
                             enum weft_order order)
{
    weft_pipeline *p = drawing(16);
    struct weft_gather_config c = {
        .size = sizeof c,
        .name = "collect",
        .fn = collect,
        .count = 3,
        .order = order,
        .items = { .bytes = sizeof(struct batch), .slots = 2, .reset = clear }
    };
    c.rest = rest;
    weft_source(p, "numbers", give, source);
    weft_stage(p, weft_config(stage, .name = "hard", .fn = hard, .tokens = 8,
                              .retry = { .attempts = 2, .first_ms = 1 }));
    weft_stage(p, weft_config(stage, .name = "pend", .fn = pend, .tokens = 3));
    weft_gather(p, &c);
    return p;
}

/* Takes the batches of an epoch, whose items are 7 from 7 * epoch on: each
 * comes at most once, and all do if none is dropped. */
static void take_epoch(struct weft_run *run, uint64_t epoch, bool drop)
{
    static const uint64_t sizes[] = { 3, 3, 1 };
    unsigned seen = 0;
    void *item;

    for (unsigned i = 0; i < (drop ? 2 : 3); i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        struct batch *b = item;
        cr_assert_eq(b->count, sizes[i]);
        cr_assert_eq(weft_item_epoch(item), epoch);
        for (uint64_t k = 0; k < b->count; k++) {
            cr_assert_eq(b->value[k] / 7, epoch);
            cr_assert(!(seen >> b->value[k] % 7 & 1));
            seen |= 1u << b->value[k] % 7;
        }
        weft_release(item);
        balanced(run);
    }
    cr_assert(drop || seen == 127);
    cr_assert_eq(weft_next(run, &item, -1, NULL), WEFT_EPOCH);
}

static void batches(weft_sched *sched, uint64_t epochs, bool drop,
                    enum weft_order order)
{
    struct numbers source = { .end = 7 * epochs, .epoch = 7 };
    void *item;
    weft_pipeline *p = sevens(&source, drop ? WEFT_DROP : WEFT_FLUSH, order);

    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (uint64_t e = 0; e < epochs; e++)
        take_epoch(run, e, drop);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, 7 * epochs);
    cr_assert_eq(flow_of(run, 1).delivered, (drop ? 2 : 3) * epochs);
    ended(run, 0);
    weft_plan_destroy(plan);
}

Test(epoch, R22_a_batch_is_flushed_or_dropped_and_never_mixes_epochs,
     .timeout = 120)
{
    for (unsigned n = 1; n <= 4; n++) {
        weft_sched *sched = workers(n);
        for (int i = 0; i < TIMES(20, 5); i++) {
            batches(sched, 3, false, WEFT_ANY);
            batches(sched, 3, true, WEFT_ANY);
            batches(sched, 3, false, WEFT_INPUT);
            batches(sched, 3, true, WEFT_INPUT);
        }
        batches(sched, 100, false, WEFT_ANY);
        batches(sched, 100, true, WEFT_ANY);
        weft_sched_destroy(sched);
    }
}

/* ---- which epochs there are -------------------------------------------- */

/* A source by its script: '.' is an item, '|' the end of an epoch. */
struct script {
    const char *next;
    uint64_t value;
};

static int play(weft_worker *self, void *item, void *ctx)
{
    struct script *s = ctx;
    char c = *s->next;

    if (!c)
        return WEFT_END;
    s->next++;
    if (c == '|')
        return WEFT_EPOCH;
    *(struct number *)item = (struct number){ .value = s->value++ };
    return 0;
}

/* What the consumer sees, in the same terms; batches as their sizes. */
static void sees(weft_sched *sched, const char *script, bool gathers,
                 const char *expected)
{
    struct script s = { .next = script };
    char seen[64] = "";
    unsigned length = 0;
    void *item;
    int rc;
    weft_pipeline *p = drawing(3);

    weft_source(p, "play", play, &s);
    weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
    if (gathers)
        weft_gather(p, weft_config(gather, .name = "collect", .fn = collect,
                                   .count = 3,
                                   .items = { .bytes = sizeof(struct batch),
                                              .slots = 1,
                                              .reset = clear }));
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while ((rc = weft_next(run, &item, -1, NULL)) != 0) {
        cr_assert(rc == 1 || rc == WEFT_EPOCH);
        seen[length++] = rc == WEFT_EPOCH ? '|'
                         : gathers ? (char)('0' + ((struct batch *)item)->count)
                                   : '.';
        if (rc == 1)
            weft_release(item);
    }
    cr_assert_eq(strcmp(seen, expected), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
}

Test(epoch, an_epoch_may_be_empty_or_not_end, .timeout = 60)
{
    static const char *const cases[][2] = {
        { "", "" },
        { "|", "|" },
        { "|||||", "|||||" },
        { ".|", "1|" },
        { "||....||..|||.", "||31||2|||1" },
        { ".......|....", "331|31" },
        { "...|...|", "3|3|" },
    };

    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *sched = workers(n);
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
            sees(sched, cases[i][0], false, cases[i][0]);
            sees(sched, cases[i][0], true, cases[i][1]);
        }
        weft_sched_destroy(sched);
    }
}

/* Some of each epoch fail or are filtered, of every third all. */
static int holes(weft_worker *self, void *item, void *ctx)
{
    uint64_t value = value_of(item);

    dawdle(self, item, ctx);
    if (weft_item_epoch(item) != epoch_by_value(item, 10))
        return -EPROTO; /* one more than are expected */
    if (value / 10 % 3 == 2)
        return value % 2 ? WEFT_FILTER : -EIO;
    return value % 10 == 3 ? -EIO : value % 10 == 6 ? WEFT_FILTER : 0;
}

static void report_epoch(const struct weft_failure *f, void *item, void *ctx)
{
    if (f->error == -EIO && weft_item_epoch(item) == epoch_by_value(item, 10))
        add_relaxed((_Atomic unsigned *)ctx, 1u);
}

/* The consumer gets the ends exactly between the items of two epochs. */
Test(epoch, the_end_of_an_epoch_comes_after_all_its_items, .timeout = 120)
{
    enum { EPOCHS = TIMES(600, 90) };

    for (unsigned i = 0; i < 8; i++) {
        struct numbers source = { .end = EPOCHS * 10, .epoch = 10 };
        _Atomic unsigned failed = 0;
        void *item;
        weft_sched *sched = workers(1 + i / 2);
        weft_pipeline *p = weft_pipeline_create(
            weft_config(pipeline, .items = slots_of(25),
                        .failures = { .policy = WEFT_SKIP },
                        .on_failure = report_epoch, .ctx = &failed));

        weft_source(p, "numbers", give, &source);
        weft_stage(p, weft_config(stage, .name = "holes", .fn = holes));
        weft_stage(p, weft_config(stage, .name = "pend", .fn = pend));
        weft_consumer(p, i % 2 ? WEFT_INPUT : WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t e = 0; e < EPOCHS; e++) {
            for (int k = 0; k < (e % 3 == 2 ? 0 : 8); k++) {
                cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
                cr_assert_eq(epoch_by_value(item, 10), e);
                cr_assert_eq(weft_item_epoch(item), e);
                weft_release(item);
                balanced(run);
            }
            cr_assert_eq(weft_next(run, &item, -1, NULL), WEFT_EPOCH);
        }
        cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
        cr_assert_eq(failed, EPOCHS / 3 * (1 + 1 + 5));
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

/* ---- several consumers ------------------------------------------------- */

struct taker {
    struct weft_run *run;
    uint64_t items, epochs;
};

static void *take_some(void *ctx)
{
    struct taker *t = ctx;
    void *item;
    int rc;

    while ((rc = weft_next(t->run, &item, -1, NULL)) != 0) {
        t->items += rc == 1;
        t->epochs += rc == WEFT_EPOCH;
        if (rc == 1)
            weft_release(item);
    }
    return NULL;
}

Test(epoch, of_several_consumers_one_sees_the_end_of_an_epoch, .timeout = 60)
{
    enum { EPOCHS = TIMES(2000, 300), TAKERS = 3 };
    struct numbers source = { .end = EPOCHS * 4, .epoch = 4 };
    struct taker taker[TAKERS];
    pthread_t thread[TAKERS];
    uint64_t items = 0, epochs = 0;
    weft_sched *sched = workers(2);
    weft_pipeline *p = drawing(6);

    weft_source(p, "numbers", give, &source);
    weft_consumer(p, WEFT_INPUT);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (int i = 0; i < TAKERS; i++) {
        taker[i] = (struct taker){ .run = run };
        cr_assert_eq(pthread_create(&thread[i], NULL, take_some, &taker[i]), 0);
    }
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(thread[i], NULL);
        items += taker[i].items;
        epochs += taker[i].epochs;
    }
    cr_assert_eq(items, 4 * EPOCHS);
    cr_assert_eq(epochs, EPOCHS);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- fed from outside -------------------------------------------------- */

Test(epoch, whoever_feeds_ends_the_epochs, .timeout = 60)
{
    enum { EPOCHS = TIMES(1000, 200) };

    for (unsigned n = 1; n <= 2; n++) {
        void *item;
        weft_sched *sched = workers(n);
        weft_pipeline *p = drawing(5);

        weft_source_fed(p, "fed");
        weft_stage(p, weft_config(stage, .name = "dawdle", .fn = dawdle));
        weft_consumer(p, WEFT_ANY);
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        for (uint64_t e = 0; e < EPOCHS; e++) {
            uint64_t count = e % 4;
            for (uint64_t i = 0; i < count; i++) {
                cr_assert_eq(weft_reserve(run, NULL, &item, -1, NULL), 0);
                *(struct number *)item = (struct number){ .value = e };
                weft_feed(item);
            }
            cr_assert_eq(weft_feed_epoch(run, NULL, -1, NULL), 0);
            for (uint64_t i = 0; i < count; i++) {
                cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
                cr_assert_eq(value_of(item), e);
                cr_assert_eq(weft_item_epoch(item), e);
                weft_release(item);
            }
            cr_assert_eq(weft_next(run, &item, -1, NULL), WEFT_EPOCH);
        }
        cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
        cr_assert_eq(weft_feed_epoch(run, NULL, -1, NULL), -EPIPE);
        cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
        ended(run, 0);
        weft_plan_destroy(plan);
        weft_sched_destroy(sched);
    }
}

Test(epoch, the_end_of_an_epoch_needs_a_slot, .timeout = 60)
{
    void *item[2];
    weft_error why;
    weft_sched *sched = workers(1);
    weft_pipeline *p = drawing(2);

    weft_source_fed(p, "fed");
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_reserve(run, "fed", &item[0], -1, NULL), 0);
    cr_assert_eq(weft_reserve(run, "fed", &item[1], -1, NULL), 0);
    cr_assert_eq(weft_feed_epoch(run, "fed", 0, &why), -ETIMEDOUT);
    cr_assert_eq(strcmp(why.text, "no slot was free within 0 ms"), 0);
    weft_unreserve(item[0]);
    cr_assert_eq(weft_feed_epoch(run, "fed", 0, NULL), 0);
    weft_feed(item[1]); /* reserved before, fed after */
    cr_assert_eq(weft_next(run, &item[0], -1, NULL), WEFT_EPOCH);
    cr_assert_eq(weft_next(run, &item[0], -1, NULL), 1);
    cr_assert_eq(weft_item_epoch(item[0]), 1);
    weft_release(item[0]);
    cr_assert_eq(weft_feed_end(run, "fed", NULL), 0);
    cr_assert_eq(weft_next(run, &item[0], -1, NULL), 0);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
