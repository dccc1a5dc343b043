/* test_memory.c: the memory of a run is bounded: the items by slots, their
 * bytes by the budget. graph/budget.c is tested alone in test_budget.c. */
#include <malloc.h>
#include <stdbool.h>
#include <stdlib.h>

#include "tests/fed.h"

/* An item that says how many bytes it will hold, and then holds them: a part
 * of them in memory, all of them by count. */
struct sized {
    uint64_t bytes, holds;
    void *memory;
    struct weft_io io;
};

enum { SCALE = 4096 }; /* a byte of memory for so many */

struct store {
    uint64_t next, end, random, largest;
    uint64_t most;               /* sizes are up to this */
    struct mark held, allocated; /* by items */
    _Atomic uint64_t loaded, failed_once, reset;
    _Atomic uint64_t fail_every; /* so many loads fail the first time */
};

static int give_size(weft_worker *self, void *item, void *ctx)
{
    struct store *s = ctx;
    struct sized *i = item;

    if (s->next == s->end)
        return WEFT_END;
    s->next++;
    /* Small ones are more frequent: each power of two as often as another. */
    uint64_t top = (uint64_t)1024 << chance(&s->random) % 17;
    i->bytes = top + chance(&s->random) % top;
    if (i->bytes > s->most)
        i->bytes = s->most;
    if (i->bytes > s->largest)
        s->largest = i->bytes;
    return 0;
}

static uint64_t size_of(const void *item, void *ctx)
{
    return ((const struct sized *)item)->bytes;
}

static int load(weft_worker *self, void *item, void *ctx)
{
    struct store *s = ctx;
    struct sized *i = item;
    uint64_t every = load_relaxed(&s->fail_every);

    if (!i->memory) {
        i->memory = malloc(i->bytes / SCALE + 1);
        i->holds = i->bytes;
        memset(i->memory, 1, i->bytes / SCALE + 1);
        mark_up(&s->held, i->holds);
        mark_up(&s->allocated, malloc_usable_size(i->memory));
    }
    if (every && weft_item_attempt(item) == 1 &&
        add_relaxed(&s->loaded, 1) % every == 0) {
        add_relaxed(&s->failed_once, 1);
        return -EAGAIN;
    }
    return 0;
}

static void unload(void *item, void *ctx)
{
    struct store *s = ctx;
    struct sized *i = item;

    if (i->memory) {
        mark_down(&s->held, i->holds);
        mark_down(&s->allocated, malloc_usable_size(i->memory));
    }
    free(i->memory);
    *i = (struct sized){ 0 };
    add_relaxed(&s->reset, 1);
}

static int nothing_more(weft_worker *self, void *item, void *ctx) { return 0; }

/* Uses it for a moment, so that others wait behind it with what they hold. */
static int take_time(weft_worker *self, void *item, struct weft_io **io,
                     void *ctx)
{
    struct sized *i = item;
    i->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 100000 };
    *io = &i->io;
    return 0;
}

static int put_in(weft_worker *self, void *batch, void *item, void *ctx)
{
    add_relaxed((_Atomic uint64_t *)ctx, 1);
    return 0;
}

#define MIB ((uint64_t)1 << 20)

struct shape {
    unsigned workers, slots, tokens;
    enum weft_order order;
    unsigned batch; /* items in one, or 0 */
    uint64_t batch_cost, budget, most;
    unsigned fail_every;
    bool pauses;
};

static weft_pipeline *draw(const struct shape *shape, struct store *s,
                           _Atomic uint64_t *batched)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = shape->budget,
                    .items = { .bytes = sizeof(struct sized),
                               .slots = shape->slots,
                               .reset = unload,
                               .ctx = s }));
    weft_source(p, "sizes", give_size, s);
    weft_stage(p, weft_config(stage, .name = "load", .fn = load, .ctx = s,
                              .bytes = size_of, .tokens = shape->tokens,
                              .retry = { .attempts = 2, .first_ms = 1 }));
    weft_stage(p, weft_config(stage, .name = "use", .fn = nothing_more,
                              .kind = shape->pauses ? WEFT_IO : WEFT_CPU,
                              .describe = shape->pauses ? take_time : NULL,
                              .tokens = 1, .order = shape->order));
    if (!shape->batch)
        return p;
    weft_gather(
        p, weft_config(
               gather, .name = "batches", .fn = put_in, .ctx = batched,
               .count = shape->batch, .order = shape->order,
               .items = { .bytes = 8, .slots = 2, .cost = shape->batch_cost }));
    weft_stage(p, weft_config(stage, .name = "end", .fn = nothing_more));
    return p;
}

/* Runs it; the peak is not above the bound. */
static struct weft_budget_stats
run_shape(weft_sched *sched, const struct shape *shape, uint64_t items)
{
    struct store s = { .end = items,
                       .random = 88172645463325252,
                       .most = shape->most,
                       .fail_every = shape->fail_every };
    _Atomic uint64_t batched = 0;
    struct weft_budget_stats b;
    weft_plan *plan = pipeline_plan(draw(shape, &s, &batched));
    struct weft_run *run = started(sched, plan);

    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_budget(run, &b), 0);
    cr_assert_eq(flow_of(run, 0).delivered, items);
    cr_assert_eq(batched, shape->batch ? items : 0);
    cr_assert_eq(s.reset, items);
    cr_assert_eq(s.failed_once > 0, shape->fail_every > 0);
    cr_assert_eq(s.held.now, 0);
    cr_assert_eq(b.used, 0);
    cr_assert_eq(b.waiting, 0);
    cr_assert_eq(b.budget, shape->budget);
    cr_assert(b.peak <= shape->budget + s.largest);
    cr_assert(s.held.most <= b.peak);
    cr_assert(s.allocated.most <= b.peak / SCALE + shape->slots * 32);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    return b;
}

Test(memory, R18_memory_is_bounded_by_slots_and_by_the_budget, .timeout = 120)
{
    struct shape shape = { .slots = 64,
                           .tokens = 4,
                           .order = WEFT_INPUT,
                           .budget = 256 * MIB,
                           .most = 64 * MIB,
                           .pauses = true };
    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *sched = workers(n);
        for (shape.batch = 0; shape.batch <= 5; shape.batch += 5) {
            shape.batch_cost = shape.batch * 8 * MIB;
            struct weft_budget_stats b =
                run_shape(sched, &shape, TIMES(2000, 500));
            cr_assert(b.peak > 128 * MIB); /* it was worth a budget */
        }
        weft_sched_destroy(sched);
    }
}

Test(memory, R18_an_item_that_is_larger_than_the_budget_runs, .timeout = 120)
{
    struct shape shape = { .slots = 8,
                           .tokens = 3,
                           .order = WEFT_INPUT,
                           .budget = MIB,
                           .most = 64 * MIB };
    weft_sched *sched = workers(2);
    struct weft_budget_stats b = run_shape(sched, &shape, TIMES(5000, 1000));
    cr_assert(b.peak > 32 * MIB);
    weft_sched_destroy(sched);
}

/* Few slots, little budget, large items, and whatever waits for another. */
Test(memory, R18_a_budget_stalls_nothing, .timeout = 300)
{
    const uint64_t budget[] = { 1, 40 * MIB, 100 * MIB };
    unsigned runs = 0;

    for (unsigned n = 1; n <= 3; n++) {
        weft_sched *sched = workers(n);
        for (unsigned i = 0; i < 2 * 2 * 3 * 3 * 3; i++) {
            unsigned batch = i / 4 % 3, slots = i / 12 % 3;
            struct shape shape = { .slots = 1 + slots * 3,
                                   .tokens = 1 + slots,
                                   .order = i % 2 ? WEFT_INPUT : WEFT_ANY,
                                   .fail_every = i / 2 % 2 ? 50 : 0,
                                   .batch = batch,
                                   .budget = budget[i / 36],
                                   .most = 64 * MIB };
            if (batch == 2) /* no item fits beside a batch */
                shape.batch_cost = shape.budget;
            run_shape(sched, &shape, TIMES(300, 100));
            runs++;
        }
        weft_sched_destroy(sched);
    }
    printf("%u runs\n", runs);
}

/* ---- fed from outside -------------------------------------------------- */

static uint64_t four(const void *item, void *ctx) { return 4; }
static uint64_t ten(const void *item, void *ctx) { return 10; }

/* One is reserved, and stays so, while those that were reserved after it are
 * fed: they are the older ones. */
Test(memory, R18_a_slot_that_is_reserved_is_not_the_oldest, .timeout = 60)
{
    weft_sched *sched = workers(2);
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = 10,
                    .items = { .bytes = sizeof(struct fed), .slots = 4 }));
    void *item[3];

    weft_source_fed(p, "hand");
    weft_stage(p, weft_config(stage, .name = "four", .fn = nothing_more,
                              .bytes = four));
    weft_stage(p, weft_config(stage, .name = "ten", .fn = nothing_more,
                              .bytes = ten, .order = WEFT_INPUT));
    weft_plan *plan = pipeline_plan(p);
    for (int round = 0; round < TIMES(1000, 200); round++) {
        struct weft_run *run = started(sched, plan);
        for (int i = 0; i < 3; i++)
            cr_assert_eq(weft_reserve(run, NULL, &item[i], 0, NULL), 0);
        weft_feed(item[1]);
        weft_feed(item[2]);
        if (round % 2)
            while (flow_of(run, 0).delivered < 2)
                usleep(50);
        weft_feed(item[0]);
        cr_assert_eq(weft_feed_end(run, NULL, NULL), 0);
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        struct weft_budget_stats b;
        cr_assert_eq(weft_run_budget(run, &b), 0);
        cr_assert_eq(b.used, 0);
        cr_assert(b.peak <= 20);
        weft_run_destroy(run);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- into a merge ------------------------------------------------------ */

/* Items that are larger than the budget go through a merge to a consumer that
 * takes none: only one of them is there. */
Test(memory, R18_an_item_takes_its_bytes_through_a_merge, .timeout = 60)
{
    struct store s = { .end = 100, .random = 1, .most = 64 * MIB };
    weft_sched *sched = workers(2);
    struct weft_items items = {
        .bytes = sizeof(struct sized), .slots = 16, .reset = unload, .ctx = &s
    };
    weft_pipeline *in =
        weft_pipeline_create(weft_config(pipeline, .items = items));
    struct weft_path input = { .name = "in", .stages = in };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = 1, .items = items));
    struct weft_budget_stats b;
    void *item;

    weft_source(in, "sizes", give_size, &s);
    weft_stage(in, weft_config(stage, .name = "load", .fn = load, .ctx = &s,
                               .bytes = size_of));
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = &input,
                              .input_count = 1));
    weft_pipeline_destroy(in);
    weft_consumer(p, WEFT_ANY);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        cr_assert_eq(weft_run_budget(run, &b), 0);
        cr_assert_eq(b.used, s.held.now);
        cr_assert_eq(b.used, ((struct sized *)item)->bytes);
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(weft_run_budget(run, &b), 0);
    cr_assert_eq(b.used, 0);
    cr_assert_eq(s.held.most, s.largest);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- every way out ----------------------------------------------------- */

static int every_way(weft_worker *self, void *item, void *ctx)
{
    static const int result[] = { 0, -EIO, WEFT_FILTER };
    return result[weft_item_number(item) % 3];
}

Test(memory, R18_bytes_come_back_however_an_item_ends, .timeout = 60)
{
    weft_sched *sched = workers(2);

    for (int stop = 0; stop < 4; stop++) {
        struct store s = { .end = stop ? UINT64_MAX : 3000,
                           .random = 1,
                           .most = 64 * MIB };
        enum weft_policy policy = stop == 3 ? WEFT_STOP : WEFT_SKIP;
        weft_pipeline *p = weft_pipeline_create(
            weft_config(pipeline, .budget_bytes = 100 * MIB,
                        .failures = { .policy = policy },
                        .items = { .bytes = sizeof(struct sized),
                                   .slots = 16,
                                   .cost = MIB,
                                   .reset = unload,
                                   .ctx = &s }));
        struct weft_budget_stats b;

        weft_source(p, "sizes", give_size, &s);
        weft_stage(p, weft_config(stage, .name = "load", .fn = load, .ctx = &s,
                                  .bytes = size_of));
        weft_stage(p, weft_config(stage, .name = "ends", .fn = every_way));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        while (stop < 3 && flow_of(run, 0).filtered < 100)
            usleep(100);
        if (stop == 1)
            weft_drain(run);
        if (stop == 2)
            weft_cancel(run);
        int rc = weft_wait(run, -1, NULL);
        cr_assert_eq(rc, stop == 2 ? -ECANCELED : stop == 3 ? -EIO : 0);
        cr_assert_eq(weft_run_budget(run, &b), 0);
        cr_assert_eq(b.used, 0);
        cr_assert_eq(b.waiting, 0);
        cr_assert_eq(s.held.now, 0);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

/* ---- however many ------------------------------------------------------ */

/* The most memory that this process has had, in KiB. */
static long peak_kib(void)
{
    FILE *f = fopen("/proc/self/status", "r");
    char line[128];
    long kib = 0;

    while (fgets(line, sizeof line, f))
        if (sscanf(line, "VmHWM: %ld", &kib) == 1)
            break;
    fclose(f);
    return kib;
}

static int count_items(weft_worker *self, void *item, void *ctx)
{
    struct store *s = ctx;
    if (s->next == s->end)
        return WEFT_END;
    ((struct sized *)item)->bytes = ++s->next % 64;
    return 0;
}

static void run_tiny(weft_sched *sched, uint64_t items)
{
    struct store s = { .end = items };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .budget_bytes = 1024,
                    .items = { .bytes = sizeof(struct sized), .slots = 64 }));

    weft_source(p, "count", count_items, &s);
    weft_stage(p, weft_config(stage, .name = "any", .fn = nothing_more,
                              .bytes = size_of));
    weft_stage(p, weft_config(stage, .name = "ordered", .fn = nothing_more,
                              .order = WEFT_INPUT));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(flow_of(run, 0).delivered, items);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
}

/* A quarter of a byte for an item would be seen; in the long variant, a
 * four-hundredth. */
Test(memory, R18_the_peak_does_not_depend_on_the_number_of_items,
     .timeout = 3600)
{
    uint64_t many = is_long() ? 100000000 : TIMES(1000000, 100000);
    weft_sched *sched = workers(2);

    run_tiny(sched, many / 100);
    long first = peak_kib();
    run_tiny(sched, many / 100);
    long before = peak_kib();
    run_tiny(sched, many);
    long after = peak_kib();
    printf("%ld KiB, %ld KiB, then %ld KiB\n", first, before, after);
    /* A sanitizer keeps what a run has freed, so each takes memory anew. */
    cr_assert(after - before <= 256 + before - first);
    weft_sched_destroy(sched);
}
