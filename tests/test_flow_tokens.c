/* test_flow_tokens.c: the number of tokens, of a stage or of a limit, is
 * changed while it runs. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "tests/flows.h"

enum { SLOTS = 24 };

/* Items that are pending in a stage, until the test lets one go. */
struct hold {
    pthread_mutex_t lock;
    void *items[SLOTS];
    unsigned count;
    _Atomic unsigned calls;
};

static int hold(weft_worker *self, void *item, void *ctx)
{
    struct hold *h = ctx;
    pthread_mutex_lock(&h->lock);
    h->items[h->count++] = item;
    pthread_mutex_unlock(&h->lock);
    add_relaxed(&h->calls, 1u);
    return WEFT_PENDING;
}

static bool let_one_go(struct hold *h)
{
    void *item = NULL;
    pthread_mutex_lock(&h->lock);
    if (h->count)
        item = h->items[--h->count];
    pthread_mutex_unlock(&h->lock);
    if (item)
        weft_complete(NULL, item, 0);
    return item;
}

struct napper {
    uint64_t number;
    struct weft_io io;
};

/* How the number is set. */
enum way { OF_STAGE, OF_STAGE_WITH_LIMIT, OF_LIMIT };

struct subject {
    enum way way;
    weft_limit *limit;
    struct weft_run *run;
};

static void set(struct subject *s, unsigned tokens)
{
    if (s->way == OF_LIMIT)
        weft_limit_set(s->limit, tokens);
    else
        cr_assert_eq(weft_set_tokens(s->run, "hold", tokens), 0);
}

static unsigned in_use(struct subject *s)
{
    struct weft_limit_stats stats;
    if (s->way != OF_LIMIT)
        return stage_of(s->run, "hold").running;
    weft_limit_stats(s->limit, &stats);
    return stats.in_use;
}

static weft_plan *planned(struct numbers *source, struct subject *s,
                          struct weft_stage_config *stage, unsigned tokens)
{
    const unsigned ample = 10 * SLOTS;
    struct weft_use use;

    s->limit = NULL;
    cr_assert_eq(weft_limit_create(
                     &s->limit,
                     weft_config(limit, .name = "limit",
                                 .tokens = s->way == OF_LIMIT ? tokens : ample),
                     NULL),
                 0);
    use = (struct weft_use){ s->limit, 1 };
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct napper), .slots = SLOTS }));
    weft_source(p, "numbers", number, source);
    stage->size = sizeof *stage;
    stage->name = "hold";
    stage->tokens = s->way == OF_LIMIT ? SLOTS : tokens;
    stage->uses = &use;
    stage->use_count = s->way != OF_STAGE;
    weft_stage(p, stage);
    return pipeline_plan(p);
}

static void changes(enum way way)
{
    struct numbers source = { .end = UINT64_MAX };
    struct hold h = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct subject s = { .way = way };
    weft_sched *sched = workers(2);
    weft_plan *plan =
        planned(&source, &s, weft_config(stage, .fn = hold, .ctx = &h), 2);

    s.run = started(sched, plan);
    UNTIL(load_relaxed(&h.calls) == 2 && in_use(&s) == 2);
    set(&s, 5);
    UNTIL(load_relaxed(&h.calls) == 5);
    cr_assert_eq(in_use(&s), 5);

    set(&s, 1); /* what is in use goes on; the next comes when all are back */
    for (unsigned left = 5; left > 1; left--) {
        cr_assert_eq(in_use(&s), left);
        let_one_go(&h);
        UNTIL(flow_of(s.run, 0).delivered == 6 - left);
        cr_assert_eq(h.calls, 5);
    }
    cr_assert_eq(in_use(&s), 1);
    let_one_go(&h);
    UNTIL(load_relaxed(&h.calls) == 6);
    cr_assert_eq(in_use(&s), 1);

    set(&s, WEFT_UNLIMITED);
    UNTIL(load_relaxed(&h.calls) == 5 + SLOTS); /* all slots */
    cr_assert_eq(in_use(&s), SLOTS);
    set(&s, 3);
    cr_assert_eq(in_use(&s), SLOTS);
    weft_drain(s.run);
    while (let_one_go(&h))
        ;
    cr_assert_eq(ended(s.run, 0).delivered, 5 + SLOTS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    weft_limit_destroy(s.limit);
}

Test(flow_tokens, of_a_stage_change_while_it_runs, .timeout = 30)
{
    changes(OF_STAGE);
}

Test(flow_tokens, of_a_stage_that_takes_of_limits_change_while_it_runs,
     .timeout = 30)
{
    changes(OF_STAGE_WITH_LIMIT);
}

Test(flow_tokens, of_a_limit_change_while_it_runs, .timeout = 30)
{
    changes(OF_LIMIT);
}

/* ---- again and again ---------------------------------------------------- */

/* How many are inside; under a lock, so that `most` can be begun anew. */
struct inside {
    pthread_mutex_t lock;
    unsigned now, most;
    uint64_t calls;
};

static void come(struct inside *in)
{
    pthread_mutex_lock(&in->lock);
    in->now++;
    in->calls++;
    in->most = in->now > in->most ? in->now : in->most;
    pthread_mutex_unlock(&in->lock);
}

static int go(weft_worker *self, void *item, void *ctx)
{
    struct inside *in = ctx;
    pthread_mutex_lock(&in->lock);
    in->now--;
    pthread_mutex_unlock(&in->lock);
    return 0;
}

static int nap(weft_worker *self, void *item, struct weft_io **io, void *ctx)
{
    struct napper *n = item;
    come(ctx);
    n->io = (struct weft_io){ .op = WEFT_IO_SLEEP,
                              .ns = 20000 + n->number % 7 * 20000 };
    *io = &n->io;
    return 0;
}

static int nap_here(weft_worker *self, void *item, void *ctx)
{
    come(ctx);
    usleep(50);
    return go(self, item, ctx);
}

static unsigned most_of(struct inside *in, uint64_t *calls, bool anew)
{
    pthread_mutex_lock(&in->lock);
    unsigned most = in->most;
    *calls = in->calls;
    if (anew)
        in->most = in->now;
    pthread_mutex_unlock(&in->lock);
    return most;
}

/* After a change has settled the new number is not exceeded, and is reached. */
static void change_often(enum way way, enum weft_kind kind)
{
    struct numbers source = { .end = UINT64_MAX };
    struct inside in = { .lock = PTHREAD_MUTEX_INITIALIZER };
    struct subject s = { .way = way };
    uint64_t random = 88172645463325252, calls, now;
    weft_sched *sched = workers(2);
    struct weft_stage_config *stage =
        kind == WEFT_IO
            ? weft_config(stage, .describe = nap, .fn = go, .ctx = &in)
            : weft_config(stage, .fn = nap_here, .ctx = &in);
    stage->kind = kind;
    weft_plan *plan = planned(&source, &s, stage, 4);

    s.run = started(sched, plan);
    for (int i = 0; i < TIMES(60, 15); i++) {
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        unsigned tokens = 1 + (unsigned)(random >> 32) % 10;
        set(&s, tokens);
        UNTIL(in_use(&s) <= tokens);
        most_of(&in, &calls, true);
        UNTIL(most_of(&in, &now, false) >= tokens && now > calls + 20);
        cr_assert_eq(most_of(&in, &now, false), tokens);
    }
    weft_drain(s.run);
    ended(s.run, 0);
    cr_assert_eq(in.now, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    weft_limit_destroy(s.limit);
}

Test(flow_tokens, a_new_number_is_reached_and_not_exceeded_io, .timeout = 120)
{
    for (enum way way = OF_STAGE; way <= OF_LIMIT; way++)
        change_often(way, WEFT_IO);
}

Test(flow_tokens, a_new_number_is_reached_and_not_exceeded_blocking,
     .timeout = 120)
{
    for (enum way way = OF_STAGE; way <= OF_LIMIT; way++)
        change_often(way, WEFT_BLOCKING);
}

/* ---- at the end --------------------------------------------------------- */

struct changer {
    struct weft_run *run;
    _Atomic bool over;
};

static void *keep_changing(void *ctx)
{
    struct changer *c = ctx;
    for (unsigned n = 1; !load_acquire(&c->over); n = n % 7 + 1) /* the run */
        cr_assert_eq(weft_set_tokens(c->run, n % 2 ? "first" : "second", n), 0);
    return NULL;
}

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

Test(flow_tokens, they_may_be_changed_until_the_run_is_destroyed, .timeout = 60)
{
    weft_sched *sched = workers(2);

    for (int i = 0; i < TIMES(200, 40); i++) {
        struct numbers source = { .end = 200 };
        struct changer c = { .over = false };
        pthread_t thread;
        weft_pipeline *p = weft_pipeline_create(
            weft_config(pipeline, .items = { .bytes = 8, .slots = 8 }));
        weft_source(p, "numbers", number, &source);
        weft_stage(p, weft_config(stage, .name = "first", .fn = pass));
        weft_stage(p, weft_config(stage, .name = "second", .fn = pass,
                                  .order = WEFT_INPUT, .tokens = 2));
        weft_plan *plan = pipeline_plan(p);
        c.run = started(sched, plan);
        pthread_create(&thread, NULL, keep_changing, &c);
        cr_assert_eq(weft_wait(c.run, -1, NULL), 0);
        store_release(&c.over, true); /* keep_changing */
        pthread_join(thread, NULL);
        cr_assert_eq(ended(c.run, 0).delivered, 200);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}

/* ---- what has tokens ---------------------------------------------------- */

static int add(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

static int nothing_to_do(weft_worker *self, void *ctx) { return 0; }

Test(flow_tokens, only_a_stage_or_a_router_has_tokens_to_change)
{
    struct numbers source = { .end = 0 };
    weft_sched *sched = workers(1);
    struct weft_run *run;
    weft_plan *plan = NULL;

    weft_pipeline *part = weft_pipeline_create(NULL);
    weft_stage(part, weft_config(stage, .name = "inner", .fn = pass));
    struct weft_path path = { .name = "path", .stages = part };
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = { .bytes = 8 }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "one", .fn = pass));
    weft_router(p, weft_config(router, .name = "route", .paths = &path,
                               .path_count = 1));
    weft_embed(p, "part", part);
    weft_gather(p, weft_config(gather, .name = "batch", .fn = add, .count = 2,
                               .items = { .bytes = 8 }));
    weft_consumer(p, WEFT_ANY);
    weft_pipeline_destroy(part);
    plan = pipeline_plan(p);
    run = started(sched, plan);
    cr_assert_eq(weft_set_tokens(run, "one", 3), 0);
    cr_assert_eq(stage_of(run, "one").tokens, 3);
    cr_assert_eq(weft_set_tokens(run, "one", WEFT_UNLIMITED), 0);
    cr_assert_eq(stage_of(run, "one").tokens, 0);
    cr_assert_eq(weft_set_tokens(run, "route", 3), 0);
    cr_assert_eq(weft_set_tokens(run, "path.inner", 3), 0);
    cr_assert_eq(weft_set_tokens(run, "part.inner", 4), 0);
    cr_assert_eq(stage_of(run, "path.inner").tokens, 3);
    cr_assert_eq(stage_of(run, "part.inner").tokens, 4);
    cr_assert_eq(weft_set_tokens(run, "one", 0), -EINVAL);
    cr_assert_eq(weft_set_tokens(run, "numbers", 2), -EINVAL);
    cr_assert_eq(weft_set_tokens(run, "batch", 2), -EINVAL);
    cr_assert_eq(weft_set_tokens(run, "consumer", 2), -EINVAL);
    cr_assert_eq(weft_set_tokens(run, "inner", 2), -ENOENT);
    cr_assert_eq(weft_set_tokens(run, "", 2), -ENOENT);
    ended(run, 0);
    weft_plan_destroy(plan);

    weft_graph *g = weft_graph_create();
    weft_task(g, "one", nothing_to_do, NULL);
    plan = compiled(g);
    cr_assert_eq(weft_start(&run, sched, plan, NULL), 0);
    cr_assert_eq(weft_set_tokens(run, "one", 2), -EINVAL);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(flow_tokens, an_unlimited_stage_takes_whatever_comes, .timeout = 30)
{
    struct numbers source = { .end = UINT64_MAX };
    struct hold h = { .lock = PTHREAD_MUTEX_INITIALIZER };
    weft_sched *sched = workers(2);

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = SLOTS }));
    weft_source(p, "numbers", number, &source);
    weft_stage(p, weft_config(stage, .name = "hold", .fn = hold, .ctx = &h,
                              .tokens = WEFT_UNLIMITED, .order = WEFT_INPUT));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    UNTIL(load_relaxed(&h.calls) == SLOTS);
    cr_assert_eq(stage_of(run, "hold").tokens, 0);
    cr_assert_eq(stage_of(run, "hold").running, SLOTS);
    weft_drain(run);
    while (let_one_go(&h))
        ;
    cr_assert_eq(ended(run, 0).delivered, SLOTS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
