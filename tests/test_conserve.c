/* test_conserve.c: what could run, runs: a token is not idle while an item
 * could have it (R13), and a full buffer keeps no worker from others (R15). */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

#include "sched/sched.h"
#include "tests/flows.h"

/* ---- R13, exactly -------------------------------------------------------- */

/* Three stages whose items are pending until the test completes one. Then it is
 * known who must be in which stage: a queue and some servers, three times. */
enum { STAGES = 3, SLOTS = 20, STEPS = TIMES(10000, 2000) };

#define OLDEST UINT_MAX

static const unsigned tokens_of[STAGES] = { 8, 4, 1 };
static const char *const names[STAGES] = { "eight", "four", "one" };

struct server {
    struct model *model;
    void *items[SLOTS]; /* in service */
    _Atomic unsigned busy;
};

struct model {
    struct numbers numbers;
    pthread_mutex_t lock;
    struct server servers[STAGES];
    unsigned there[STAGES]; /* in the stage, with or without a token */
};

static int serve(weft_worker *self, void *item, void *ctx)
{
    struct server *s = ctx;
    pthread_mutex_lock(&s->model->lock);
    s->items[s->busy] = item;
    add_relaxed(&s->busy, 1u);
    pthread_mutex_unlock(&s->model->lock);
    return WEFT_PENDING;
}

/* As many are served as have a token: no fewer, and never more. */
static void is_busy(struct model *m)
{
    for (unsigned i = 0; i < STAGES; i++) {
        unsigned wanted =
            m->there[i] < tokens_of[i] ? m->there[i] : tokens_of[i];
        while (load_relaxed(&m->servers[i].busy) < wanted)
            sched_yield();
        cr_assert_eq(m->servers[i].busy, wanted);
    }
}

/* They enter in order; but two workers that call `serve` may overtake each
 * other. */
static unsigned oldest(const struct server *s)
{
    unsigned found = 0;

    for (unsigned i = 1; i < s->busy; i++)
        if (weft_item_number(s->items[i]) < weft_item_number(s->items[found]))
            found = i;
    return found;
}

static void serve_one(struct model *m, unsigned stage, unsigned which)
{
    struct server *s = &m->servers[stage];
    pthread_mutex_lock(&m->lock);
    if (which == OLDEST)
        which = oldest(s);
    void *item = s->items[which % s->busy];
    for (unsigned i = which % s->busy + 1; i < s->busy; i++)
        s->items[i - 1] = s->items[i];
    add_relaxed(&s->busy, -1u);
    pthread_mutex_unlock(&m->lock);
    m->there[stage]--;
    m->there[(stage + 1) % STAGES]++; /* behind the last: a new item */
    weft_complete(NULL, item, 0);
}

static void exactly(unsigned worker_count, enum weft_order order)
{
    struct model m = { .numbers = { .end = UINT64_MAX },
                       .lock = PTHREAD_MUTEX_INITIALIZER,
                       .there = { SLOTS } };
    uint64_t random = 88172645463325252;
    weft_sched *sched = workers(worker_count);

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = SLOTS }));
    weft_source(p, "numbers", number, &m.numbers);
    for (unsigned i = 0; i < STAGES; i++) {
        m.servers[i].model = &m;
        weft_stage(p, weft_config(stage, .name = names[i], .fn = serve,
                                  .ctx = &m.servers[i], .order = order,
                                  .tokens = tokens_of[i]));
    }
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (int step = 0; step < STEPS; step++) {
        is_busy(&m);
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        unsigned stage = random % STAGES;
        while (!m.servers[stage].busy)
            stage = (stage + 1) % STAGES;
        /* In order only the oldest can go on. */
        serve_one(&m, stage, order == WEFT_ANY ? random >> 32 & 0xff : OLDEST);
    }
    for (unsigned i = 0; i < STAGES; i++)
        cr_assert_eq(stage_of(run, names[i]).peak, tokens_of[i]);
    weft_drain(run);
    while (weft_wait(run, 0, NULL) == -ETIMEDOUT)
        for (unsigned i = 0; i < STAGES; i++)
            if (m.servers[i].busy)
                serve_one(&m, i, OLDEST);
    ended(run, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(conserve, R13_a_stage_with_input_and_a_token_is_not_idle, .timeout = 120)
{
    exactly(1, WEFT_ANY);
    exactly(2, WEFT_ANY);
    exactly(2, WEFT_INPUT);
}

/* ---- R13, with timers ---------------------------------------------------- */

struct nap {
    uint64_t number, since;
    struct weft_io io;
};

struct napping {
    uint64_t ns;
    _Atomic uint64_t held_ns, count;
};

static int lie_down(weft_worker *self, void *item, struct weft_io **io,
                    void *ctx)
{
    struct napping *s = ctx;
    struct nap *n = item;
    n->since = wf_now_ns();
    n->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = s->ns };
    *io = &n->io;
    return 0;
}

static int get_up(weft_worker *self, void *item, void *ctx)
{
    struct napping *s = ctx;
    add_relaxed(&s->held_ns, wf_now_ns() - ((struct nap *)item)->since);
    add_relaxed(&s->count, 1);
    return 0;
}

/* As a part of what its stages allow, with the naps that it really had: a timer
 * is never early, and late if the machine is busy. */
static double part_of_bound(void)
{
    const uint64_t items = 1000, times[STAGES] = { 1000000, 1000000, 500000 };
    struct numbers source = { .end = items };
    struct napping naps[STAGES] = { { 0 } };
    double asked = 1e99, real = 1e99;
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct nap), .slots = 32 }));
    weft_source(p, "numbers", number, &source);
    for (unsigned i = 0; i < STAGES; i++) {
        naps[i].ns = times[i];
        weft_stage(p, weft_config(stage, .name = names[i], .kind = WEFT_IO,
                                  .describe = lie_down, .fn = get_up,
                                  .ctx = &naps[i], .tokens = tokens_of[i]));
    }
    weft_plan *plan = pipeline_plan(p);
    uint64_t begin = wf_now_ns();
    cr_assert_eq(ended(started(sched, plan), 0).delivered, items);
    double rate = (double)items * 1e9 / (double)(wf_now_ns() - begin);
    for (unsigned i = 0; i < STAGES; i++) {
        double mean = (double)naps[i].held_ns / (double)naps[i].count;
        double bound = tokens_of[i] * 1e9 / (double)times[i];
        cr_assert_eq(naps[i].count, items);
        asked = bound < asked ? bound : asked;
        real =
            tokens_of[i] * 1e9 / mean < real ? tokens_of[i] * 1e9 / mean : real;
    }
    fprintf(stderr,
            "%.0f items/s: %.1f %% of %.0f, %.1f %% of the %.0f that "
            "the timers allowed\n",
            rate, 100 * rate / asked, asked, 100 * rate / real, real);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return rate / real;
}

/* On an idle machine 95 % and more; others may take it away for a moment. */
Test(conserve, R13_a_stage_with_input_and_a_token_is_not_idle_with_timers,
     .timeout = 120)
{
    double best = 0;
    for (int i = 0; i < 10 && best < 0.7; i++) {
        double part = part_of_bound();
        best = part > best ? part : best;
    }
    cr_assert(best >= 0.7);
}

/* ---- R15 ------------------------------------------------------------------
 */

static int pass(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic uint64_t *)ctx, 1);
    return 0;
}

static int add_one(weft_worker *self, void *batch, void *item, void *ctx)
{
    add_relaxed((_Atomic uint64_t *)ctx, 1);
    return 0;
}

/* Eight stages and seven buffers of 1 between them. */
static weft_pipeline *draw_tight(struct numbers *source,
                                 _Atomic uint64_t *calls)
{
    static const char *const stages[] = {
        "a", "b", "c", "d", "e", "f", "g", "h"
    };
    static const char *const buffers[] = { "ab", "bc", "cd", "de",
                                           "ef", "fg", "gh" };
    const struct weft_items one = { .bytes = 8, .slots = 1 };
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = one));

    weft_source(p, "numbers", number, source);
    for (unsigned i = 0; i < 8; i++) {
        weft_stage(
            p, weft_config(stage, .name = stages[i], .fn = pass, .ctx = calls));
        if (i < 7)
            weft_gather(p,
                        weft_config(gather, .name = buffers[i], .count = 1,
                                    .fn = add_one, .ctx = calls, .items = one));
    }
    weft_consumer(p, WEFT_INPUT);
    return p;
}

/* How many tasks the scheduler needs for a run of its own. */
static uint64_t tasks_for(weft_sched *sched, uint64_t items)
{
    struct weft_sched_stats before, after;
    struct numbers source = { .end = items };
    _Atomic uint64_t calls = 0;

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 8 }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "one", .fn = pass, .ctx = &calls));
    weft_stage(p, weft_config(stage, .name = "two", .fn = pass, .ctx = &calls));
    weft_plan *plan = pipeline_plan(p);
    weft_sched_stats(sched, &before);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, items);
    weft_sched_stats(sched, &after);
    cr_assert_eq(calls, 2 * items);
    weft_plan_destroy(plan);
    return after.tasks - before.tasks;
}

Test(conserve, R15_a_full_buffer_stops_admission_never_a_worker, .timeout = 60)
{
    const uint64_t items = TIMES(100000, 10000);
    struct numbers source = { .end = 30 };
    _Atomic uint64_t calls = 0;
    struct weft_flow f;
    void *item;
    weft_sched *sched = workers(2);

    uint64_t alone = tasks_for(sched, items);
    weft_plan *plan = pipeline_plan(draw_tight(&source, &calls));
    struct weft_run *run = started(sched, plan);
    /* The consumer sleeps. The first item comes to the end, the second to the
     * last buffer but one, and so on: then each buffer has one, and no task of
     * the run is ready. */
    const uint64_t seen = 15 + 13 + 11 + 9 + 7 + 5 + 3 + 1;
    UNTIL(load_relaxed(&calls) == seen);
    for (unsigned i = 0; i < 8; i++) {
        cr_assert_eq(weft_run_flow(run, i, &f), 0);
        cr_assert_eq(f.in_flight, 1);
    }
    uint64_t beside = tasks_for(sched, items);
    cr_assert_eq(calls, seen); /* it has not moved */
    fprintf(stderr, "%" PRIu64 " tasks alone, %" PRIu64 " beside\n", alone,
            beside);
    cr_assert(beside <= alone + alone / 100);

    for (uint64_t n = 0; n < 30; n++) { /* and nothing was lost */
        cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
        weft_release(item);
    }
    cr_assert_eq(weft_next(run, &item, -1, NULL), 0);
    ended(run, 0);
    cr_assert_eq(calls, 30 * 15);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
