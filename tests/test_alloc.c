/* test_alloc.c: once a run is under way, an item costs no allocation: neither
 * in a stage of any kind, nor between them, nor at the ends. */
#include <fcntl.h>

#include "tests/allocs.h"
#include "tests/world.h"

/* So few slots that the inputs do not use up the budget. */
enum { WARM = 1000, ITEMS = TIMES(100000, 10000), SLOTS = 8 };

/* ---- a pipeline that contains everything ------------------------------- */

struct feeding {
    struct world *w;
    struct weft_run *run;
};

static void *feed_on(void *ctx)
{
    struct feeding *f = ctx;
    void *item;

    for (uint64_t value = 0;; value++) {
        if (weft_reserve(f->run, "hand", &item, value % 2 ? -1 : 60000, NULL))
            return NULL;
        if (value % 5 == 0) {
            weft_unreserve(item);
            continue;
        }
        fill(f->w, item, value);
        weft_feed(item);
        if (value % 8 == 0 && weft_feed_epoch(f->run, "hand", -1, NULL))
            return NULL;
    }
}

struct seen {
    uint64_t in, filtered, failed, retried;
    unsigned stages;
};

/* All that may be asked while it runs, but for what says -ENOMEM. */
static struct seen look(struct world *w, struct weft_run *run)
{
    struct weft_stage_stats stage;
    struct weft_sink_stats sink;
    struct weft_budget_stats budget;
    struct weft_limit_stats limit;
    struct seen seen = { 0 };

    while (weft_run_stage(run, seen.stages, &stage) == 0) {
        seen.stages++;
        seen.in += stage.in;
        seen.filtered += stage.filtered;
        seen.failed += stage.failed;
        seen.retried += stage.retried;
    }
    for (unsigned i = 0; i < 6; i++)
        flow_of(run, i);
    cr_assert_eq(weft_run_sink(run, &sink), 0);
    cr_assert_eq(weft_run_budget(run, &budget), 0);
    weft_limit_stats(w->narrow, &limit);
    return seen;
}

/* Takes until so many items have been filled, and looks at what goes on, and
 * changes it. */
static void take_until(struct world *w, struct weft_run *run, uint64_t filled)
{
    void *item;

    for (unsigned n = 0; load_relaxed(&w->filled) < filled; n++) {
        int rc = weft_next(run, &item, n % 2 ? -1 : 60000, NULL);
        if (n % 100 == 0) {
            look(w, run);
            cr_assert_eq(weft_set_tokens(run, "wait", 2 + n % 2), 0);
            weft_limit_set(w->narrow, 1 + n % 3);
        }
        cr_assert(rc == 1 || rc == WEFT_EPOCH);
        if (rc == 1)
            weft_release(item);
    }
}

Test(alloc, between_item_1000_and_item_100000_nothing_is_allocated,
     .timeout = 300)
{
    struct world w;
    struct feeding f = { .w = &w };
    struct weft_failures failures = { 0 };
    weft_sched *sched = workers(2);
    pthread_t thread;

    world_init(&w, sched);
    w.end = UINT64_MAX;
    weft_plan *plan = pipeline_plan(draw_world(&w, SLOTS, &failures));
    f.run = started(sched, plan);
    cr_assert(weft_consumer_fd(f.run, NULL) >= 0);
    pthread_create(&thread, NULL, feed_on, &f);
    take_until(&w, f.run, WARM);
    struct seen first = look(&w, f.run);
    uint64_t before = load_relaxed(&allocations);
    take_until(&w, f.run, ITEMS);
    cr_assert_eq(load_relaxed(&allocations), before);
    struct seen seen = look(&w, f.run);
    cr_assert(seen.filtered > first.filtered);
    cr_assert(seen.failed > first.failed);
    cr_assert(seen.retried > first.retried);
    weft_limit_set(w.narrow, 3); /* the most that it has had */
    weft_cancel(f.run);
    pthread_join(thread, NULL);
    cr_assert_eq(weft_wait(f.run, -1, NULL), -ECANCELED);
    assert_all_is_back(&w, f.run);
    weft_run_destroy(f.run);
    weft_plan_destroy(plan);
    world_finish(&w);
    weft_sched_destroy(sched);
}

/* ---- files, into buffers that the slots keep --------------------------- */

struct page {
    struct weft_io io;
    void *data;
    size_t room;
};

struct pages {
    uint64_t next, end;
    uint64_t before; /* allocations when the first were loaded */
    uint64_t grown;  /* slots that were used for the first time since */
    char path[64];
};

static int next_page(weft_worker *self, void *item, void *ctx)
{
    struct pages *p = ctx;
    struct page *page = item;

    if (p->next++ == p->end)
        return WEFT_END;
    if (p->next == WARM)
        p->before = load_relaxed(&allocations);
    if (page->data)
        return 0;
    page->room = 8192;
    page->data = malloc(page->room);
    p->grown += p->next >= WARM;
    return 0;
}

static int describe_load(weft_worker *self, void *item, struct weft_io **io,
                         void *ctx)
{
    struct pages *p = ctx;
    struct page *page = item;
    page->io = (struct weft_io){ .op = WEFT_IO_LOAD,
                                 .path = p->path,
                                 .data = page->data,
                                 .room = page->room };
    *io = &page->io;
    return 0;
}

static int loaded(weft_worker *self, void *item, void *ctx)
{
    struct page *page = item;
    page->data = page->io.data;
    page->room = page->io.room;
    return page->io.bytes == 5000 ? 0 : -EIO;
}

static void free_page(void *item, void *ctx)
{
    free(((struct page *)item)->data);
}

static void load_many(enum weft_io_way way, uint64_t items)
{
    struct pages p = { .end = items };
    char content[5000] = "a page";
    weft_sched *sched = NULL;
    weft_plan *plan = NULL;

    strcpy(p.path, "/tmp/weft-alloc-XXXXXX");
    int fd = mkstemp(p.path);
    cr_assert(write(fd, content, sizeof content) == (ssize_t)sizeof content);
    close(fd);
    cr_assert_eq(weft_sched_create(
                     &sched, weft_config(sched, .workers = 2, .io = way), NULL),
                 0);
    weft_pipeline *q = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct page),
                                         .slots = 16,
                                         .finish = free_page }));
    weft_source(q, "next", next_page, &p);
    weft_stage(q, weft_config(stage, .name = "load", .fn = loaded, .ctx = &p,
                              .kind = WEFT_IO, .describe = describe_load,
                              .tokens = 8));
    plan = pipeline_plan(q);
    struct weft_run *run = started(sched, plan);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    cr_assert_eq(load_relaxed(&allocations), p.before + p.grown);
    cr_assert_eq(flow_of(run, 0).delivered, items);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    unlink(p.path);
}

Test(alloc, files_are_loaded_into_what_the_slots_have_grown, .timeout = 300)
{
    load_many(WEFT_IO_AUTO, TIMES(100000, 5000));
    load_many(WEFT_IO_RING, TIMES(100000, 5000));
    load_many(WEFT_IO_THREADS, TIMES(100000, 5000));
}
