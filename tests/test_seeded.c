/* test_seeded.c: sched/seeded.c: the same seed calls the same callbacks in the
 * same order; others call them in other orders, each of which is one that may
 * come. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/trail.h"

enum { ITEMS = 60, FILES = 8, MOST_AT_ONCE = 3 };

/* What a step of the trail is. */
enum what {
    FED,
    LOADED,
    ROUTED,
    CALLED,
    HELD,
    TRIED,
    PENDED,
    WAITED,
    FORKED,
    BATCHED,
    OUT,
    TIME,
    LOST,
    LEAF
};

struct thing {
    uint64_t value;
    struct weft_io io;
    void *data;
    size_t room;
    weft_future *pause;
    char path[64];
};

struct batch {
    unsigned count;
};

/* Of one run: what its callbacks share, and what must hold at any time. */
struct world {
    uint64_t next[2], expected;
    unsigned inside, most, out, failed;
    pthread_t held_by;
    bool held;
    weft_sched *sched;
};

static char folder[] = "/tmp/weft-seeded-XXXXXX";

/* ---- one of everything -------------------------------------------------- */

static int feed(struct world *w, unsigned input, struct thing *t)
{
    if (w->next[input] == ITEMS)
        return WEFT_END;
    t->value = w->next[input]++ * 2 + input;
    step(FED, t->value);
    return 0;
}

static int feed_a(weft_worker *self, void *item, void *w)
{
    return feed(w, 0, item);
}

static int feed_b(weft_worker *self, void *item, void *w)
{
    return feed(w, 1, item);
}

static int load(weft_worker *self, void *item, struct weft_io **io, void *w)
{
    struct thing *t = item;
    snprintf(t->path, sizeof t->path, "%s/%u", folder,
             (unsigned)(t->value % FILES));
    t->io = (struct weft_io){
        .op = WEFT_IO_LOAD, .path = t->path, .data = t->data, .room = t->room
    };
    *io = &t->io;
    return 0;
}

static int loaded(weft_worker *self, void *item, void *w)
{
    struct thing *t = item;
    t->data = t->io.data;
    t->room = t->io.room;
    cr_assert_eq(t->io.bytes, t->value % FILES * 1000);
    step(LOADED, t->value);
    return 0;
}

static int route(weft_worker *self, void *item, unsigned *path, void *w)
{
    struct thing *t = item;
    *path = (unsigned)(t->value % 3);
    step(ROUTED, t->value);
    return 0;
}

/* A blocking stage: outside the workers. */
static int blocks(weft_worker *self, void *item, void *w)
{
    cr_assert_eq(self, NULL);
    cr_assert_eq(wf_worker_here(), NULL);
    step(CALLED, ((struct thing *)item)->value);
    return 0;
}

/* A pinned one: always on the same thread. */
static int held(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    if (!w->held)
        w->held_by = pthread_self();
    w->held = true;
    cr_assert(pthread_equal(w->held_by, pthread_self()));
    step(HELD, ((struct thing *)item)->value);
    return 0;
}

/* Fails twice, or always. */
static int flaky(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    struct thing *t = item;
    unsigned attempt = weft_item_attempt(item);

    w->inside++;
    if (w->inside > w->most)
        w->most = w->inside;
    step(TRIED, t->value << 8 | attempt);
    w->inside--;
    return t->value % 11 == 3 || (t->value % 5 == 2 && attempt < 3) ? -EAGAIN
                                                                    : 0;
}

static int pause_is_over(weft_worker *self, int rc, void *item)
{
    weft_complete(self, item, 0);
    return 0;
}

/* Pends until a pause is over, or its deadline before that. */
static int pends(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    weft_future *pause, *then;

    step(PENDED, t->value);
    cr_assert_eq(weft_after_ns(weft_worker_sched(self),
                               (t->value % 7 * 2 + 1) * 500000, &pause, NULL),
                 0);
    cr_assert_eq(weft_then(pause,
                           weft_config(then, .fn = pause_is_over, .ctx = item),
                           &then, NULL),
                 0);
    weft_future_destroy(pause);
    weft_future_destroy(then);
    return WEFT_PENDING;
}

static int look(weft_worker *self, void *item)
{
    step(LEAF, ((struct thing *)item)->value);
    return 0;
}

/* Waits, in the middle of its frame. */
static int waits(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    weft_future *f, *pause;

    cr_assert_eq(weft_after_ns(weft_worker_sched(self), 500000, &pause, NULL),
                 0);
    cr_assert_eq(weft_submit(weft_worker_sched(self), look, t, &f, NULL), 0);
    cr_assert_eq(weft_future_wait(f, -1), 0);
    cr_assert_eq(weft_future_wait(pause, -1), 0);
    weft_future_destroy(f);
    weft_future_destroy(pause);
    step(WAITED, t->value);
    return 0;
}

struct half {
    unsigned depth, sum;
};

static int fork_halves(weft_worker *self, void *ctx)
{
    struct half *h = ctx;
    if (!h->depth) {
        step(LEAF, 0);
        h->sum = 1;
        return 0;
    }
    struct half one = { h->depth - 1, 0 }, other = { h->depth - 1, 0 };
    struct weft_child child = { .fn = fork_halves, .ctx = &one };
    weft_spawn(self, &child);
    fork_halves(self, &other);
    cr_assert_eq(weft_sync(self, &child), 0);
    h->sum = one.sum + other.sum;
    return 0;
}

static int forks(weft_worker *self, void *item, void *ctx)
{
    struct half all = { 3, 0 };
    cr_assert_eq(fork_halves(self, &all), 0);
    cr_assert_eq(all.sum, 8);
    step(FORKED, ((struct thing *)item)->value);
    return 0;
}

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    ((struct batch *)batch)->count++;
    step(BATCHED, ((struct thing *)item)->value);
    return 0;
}

/* In order: the batches come by number. */
static int leave(weft_worker *self, void *batch, void *ctx)
{
    struct world *w = ctx;
    cr_assert_eq(weft_item_number(batch), w->expected++);
    w->out += ((struct batch *)batch)->count;
    ((struct batch *)batch)->count = 0;
    step(OUT, weft_item_number(batch));
    step(TIME, weft_sched_now_ns(w->sched) / 1000);
    return 0;
}

static void lose(const struct weft_failure *failure, void *item, void *ctx)
{
    struct world *w = ctx;
    w->failed++;
    step(LOST, failure->item << 8 | failure->attempt);
}

static void free_data(void *item, void *ctx)
{
    free(((struct thing *)item)->data);
}

static weft_pipeline *input(weft_stage_fn *fn, struct world *w)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct thing),
                                         .slots = 5,
                                         .finish = free_data }));
    weft_source(p, "feed", fn, w);
    return p;
}

static weft_pipeline *part(struct weft_stage_config *stage)
{
    weft_pipeline *p = weft_pipeline_create(NULL);
    weft_stage(p, stage);
    return p;
}

static void draw_paths(weft_pipeline *p, struct world *w)
{
    struct weft_path paths[] = {
        { .name = "here",
          .stages = part(
              weft_config(stage, .name = "forks", .fn = forks, .tokens = 2)) },
        { .name = "blocks",
          .stages = part(weft_config(stage, .name = "blocks",
                                     .kind = WEFT_BLOCKING, .fn = blocks)) },
        { .name = "held",
          .stages = part(weft_config(stage, .name = "held", .kind = WEFT_PINNED,
                                     .fn = held, .ctx = w)) },
    };
    weft_router(p, weft_config(router, .name = "route", .fn = route,
                               .paths = paths, .path_count = 3));
    for (unsigned i = 0; i < 3; i++)
        weft_pipeline_destroy(paths[i].stages);
}

static weft_plan *everything(struct world *w)
{
    struct weft_path inputs[] = { { .name = "a", .stages = input(feed_a, w) },
                                  { .name = "b", .stages = input(feed_b, w) } };
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .failures = { .policy = WEFT_SKIP }, .on_failure = lose,
        .ctx = w,
        .items = {
            .bytes = sizeof(struct thing), .slots = 12, .finish = free_data }));

    weft_merge(p, weft_config(merge, .name = "both", .inputs = inputs,
                              .input_count = 2));
    weft_stage(p, weft_config(stage, .name = "load", .kind = WEFT_IO,
                              .describe = load, .fn = loaded, .ctx = w));
    draw_paths(p, w);
    weft_stage(p, weft_config(stage, .name = "flaky", .fn = flaky, .ctx = w,
                              .tokens = MOST_AT_ONCE,
                              .retry = { .attempts = 3, .jitter = 0.5 }));
    weft_stage(p, weft_config(stage, .name = "pends", .fn = pends,
                              .tokens = MOST_AT_ONCE, .deadline_ms = 6));
    weft_stage(p, weft_config(stage, .name = "waits", .fn = waits));
    weft_gather(
        p, weft_config(gather, .name = "batch", .fn = add, .count = 4,
                       .items = { .bytes = sizeof(struct batch), .slots = 3 }));
    weft_stage(p, weft_config(stage, .name = "leave", .fn = leave, .ctx = w,
                              .tokens = 1, .order = WEFT_INPUT));
    for (unsigned i = 0; i < 2; i++)
        weft_pipeline_destroy(inputs[i].stages);
    return pipeline_plan(p);
}

static void make_files(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
    for (unsigned i = 0; i < FILES; i++) {
        char path[64], data[1000 * FILES] = { 0 };
        snprintf(path, sizeof path, "%s/%u", folder, i);
        int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
        cr_assert_eq(write(fd, data, i * 1000), i * 1000);
        close(fd);
    }
}

static void remove_files(void)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", folder);
    cr_assert_eq(system(command), 0);
}

/* 120 items come. Of those, 3 + 11n (11) fail for good, as do those whose pause
 * is longer than the deadline: 6.5 ms, every seventh. */
static void run_everything(unsigned worker_count, uint64_t seed)
{
    struct world w = { .sched = played(worker_count, seed) };
    weft_plan *plan = everything(&w);
    unsigned lost = 0;

    for (unsigned i = 0; i < 2 * ITEMS; i++)
        lost += i % 11 == 3 || i % 7 == 6;
    cr_assert_eq(weft_run(w.sched, plan, NULL), 0);
    cr_assert_eq(w.failed, lost);
    cr_assert_eq(w.out, 2 * ITEMS - lost);
    cr_assert(w.most <= MOST_AT_ONCE);
    weft_plan_destroy(plan);
    weft_sched_destroy(w.sched);
}

Test(seeded, a_seed_repeats_all_callbacks_of_a_pipeline, .timeout = 120)
{
    static struct trail once;

    make_files();
    for (uint64_t seed = 1; seed <= TIMES(40, 8); seed++) {
        run_everything(1 + seed % 4, seed);
        once = trail;
        run_everything(1 + seed % 4, seed);
        cr_assert(is_as(&once));
    }
    remove_files();
}

/* ---- operations --------------------------------------------------------- */

static void note_load(weft_worker *self, struct weft_io *io, int rc)
{
    cr_assert_eq(rc, 0);
    step(LOADED, (uint64_t)(uintptr_t)io->ctx);
}

static int load_at_last(weft_worker *self, void *ctx)
{
    struct weft_io *io = ctx;
    int rc = weft_io_start(self, io);
    if (rc != WEFT_PENDING)
        note_load(self, io, rc);
    return 0;
}

/* Three loads end in each of their six orders. */
Test(seeded, operations_end_in_any_order, .timeout = 60)
{
    static char path[3][64];
    bool seen[64] = { false };
    unsigned orders = 0;

    make_files();
    for (uint64_t seed = 1; seed <= 100; seed++) {
        struct weft_io io[3];
        weft_sched *s = played(1, seed);
        unsigned order = 0;
        for (uintptr_t i = 0; i < 3; i++) {
            snprintf(path[i], sizeof path[i], "%s/%u", folder, (unsigned)i);
            io[i] = (struct weft_io){ .op = WEFT_IO_LOAD,
                                      .path = path[i],
                                      .done = note_load,
                                      .ctx = (void *)i };
            cr_assert_eq(weft_submit(s, load_at_last, &io[i], NULL, NULL), 0);
        }
        weft_sched_destroy(s);
        cr_assert_eq(trail.count, 3);
        for (unsigned i = 0; i < 3; i++) {
            order = order * 4 + (trail.step[i] & 3);
            free(io[i].data);
        }
        orders += !seen[order];
        seen[order] = true;
    }
    remove_files();
    cr_assert_eq(orders, 6);
}
