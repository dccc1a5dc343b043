/* test_callbacks.c: no lock of the engine is held while it calls anybody: every
 * callback may ask its run anything, change it, feed it, take from it, and stop
 * it, and do so with other runs; and another thread may at the same time. If a
 * lock were held, this would hang: none can be taken twice. */
#include <inttypes.h>

#include "tests/fed.h"
#include "tests/world.h"

/* What the callbacks of one run know. */
struct asking {
    struct world *w;
    weft_sched *sched;
    const weft_plan *plan, *small;
    struct weft_run *run, *other;
    uint64_t stops_at; /* after so many calls */
    bool drains;
    _Atomic bool over, ended;
    _Atomic unsigned began, gone; /* small runs, and tasks */
};

static void ask_for_flow(struct asking *a)
{
    struct weft_flow flow;
    unsigned n = 0;

    while (weft_run_flow(a->run, n, &flow) == 0)
        n++;
    cr_assert_eq(n, 6);
}

/* It is a callback, too. */
static void line_of_report(void *ctx, const char *what, const char *text)
{
    ask_for_flow(ctx);
}

static void line_of_sched(void *ctx, const char *what, const char *text)
{
    struct asking *a = ctx;
    cr_assert_eq(weft_sched_workers(a->sched), 2);
}

/* Counts, and what is looked up under the locks of all segments and limits. */
static void ask_for_counts(struct asking *a)
{
    struct weft_stage_stats stage;
    struct weft_sink_stats sink;
    struct weft_budget_stats budget;
    struct weft_limit_stats limit;
    struct weft_sched_stats sched;
    unsigned n = 0;

    ask_for_flow(a);
    while (weft_run_stage(a->run, n, &stage) == 0)
        n++;
    cr_assert_eq(weft_run_sink(a->run, &sink), 0);
    cr_assert_eq(weft_run_budget(a->run, &budget), 0);
    weft_limit_stats(a->w->narrow, &limit);
    weft_limit_stats(a->w->wide, &limit);
    weft_sched_stats(a->sched, &sched);
}

/* What takes longer. */
static void ask_for_text(struct asking *a, uint64_t n)
{
    struct weft_advice advice;
    weft_moment *moment;
    char *text;

    cr_assert_eq(weft_run_report(a->run, line_of_report, a), 0);
    weft_sched_explain(a->sched, line_of_sched, a);
    cr_assert_eq(weft_moment_create(&moment, a->run), 0);
    cr_assert_eq(weft_pipeline_explain(a->run, n % 2 ? moment : NULL, &advice),
                 0);
    weft_moment_destroy(moment);
    cr_assert_eq(weft_plan_draw(&text, a->plan, a->run,
                                n % 2 ? WEFT_DOT : WEFT_MERMAID, NULL),
                 0);
    free(text);
}

static void small_ended(struct weft_run *run, int result, void *ctx)
{
    weft_run_destroy(run);
    add_release(&((struct asking *)ctx)->gone, 1); /* after that */
}

static int small_task(weft_worker *self, void *ctx)
{
    add_release(&((struct asking *)ctx)->gone, 1); /* its last access */
    return 0;
}

/* A run of its own, a task, and a run that others use as well. */
static void use_others(struct asking *a, uint64_t n)
{
    weft_future *future;
    weft_limit *limit;
    void *item;

    add_relaxed(&a->began, 3);
    cr_assert_eq(weft_start_with(
                     NULL, a->sched, a->small,
                     weft_config(run, .on_end = small_ended, .ctx = a), NULL),
                 0);
    cr_assert_eq(weft_submit(a->sched, small_task, a, NULL, NULL), 0);
    cr_assert_eq(weft_submit(a->sched, small_task, a, &future, NULL), 0);
    weft_future_destroy(future);
    cr_assert_eq(weft_limit_create(&limit,
                                   weft_config(limit, .name = "x", .tokens = 1),
                                   NULL),
                 0);
    weft_limit_destroy(limit);
    feed(a->other, n, 0);
    if (weft_next(a->other, &item, 0, NULL) == 1)
        weft_release(item);
    cr_assert_eq(weft_set_tokens(a->other, "pass", 1 + n % 4), 0);
    flow_of(a->other, 0);
    if (n > a->stops_at / 2)
        weft_cancel(a->other);
}

static void change_and_move(struct asking *a, uint64_t n)
{
    void *item;

    weft_limit_set(a->w->narrow, 1 + n % 3);
    cr_assert_eq(weft_set_tokens(a->run, "wait", 1 + n % 4), 0);
    cr_assert_eq(weft_set_tokens(a->run, "call", 1 + n % 4), 0);
    cr_assert(weft_consumer_fd(a->run, NULL) >= 0);
    if (weft_reserve(a->run, "hand", &item, 0, NULL) == 0) {
        fill(a->w, item, n);
        weft_feed(item);
    }
    if (weft_reserve(a->run, "hand", &item, 0, NULL) == 0)
        weft_unreserve(item);
    if (n % 8 == 0)
        weft_feed_epoch(a->run, "hand", 0, NULL);
    if (n == a->stops_at / 4)
        weft_feed_end(a->run, "hand", NULL);
    if (weft_next(a->run, &item, 0, NULL) == 1)
        weft_release(item);
    weft_wait(a->run, 0, NULL);
}

/* What it does may call callbacks, which then do not ask. */
static void ask_as_the(uint64_t n, struct asking *a)
{
    static _Thread_local bool asks;

    if (asks)
        return;
    asks = true;
    if (n % 4 == 0)
        ask_for_counts(a);
    if (n % 16 == 1)
        ask_for_text(a, n / 16);
    if (n % 16 == 2)
        use_others(a, n / 16);
    change_and_move(a, n);
    asks = false;
}

static void ask(struct world *w)
{
    struct asking *a = w->ctx;
    uint64_t n = add_relaxed(&w->visits, 1);

    ask_as_the(n, a);
    if (n == a->stops_at && a->drains)
        weft_drain(a->run);
    if (n == a->stops_at || n >= a->stops_at + 200)
        weft_cancel(a->run);
}

static void ask_at_end(struct weft_run *run, int result, void *ctx)
{
    struct asking *a = ctx;
    void *item;

    ask_for_counts(a);
    ask_for_text(a, a->stops_at);
    use_others(a, a->stops_at);
    cr_assert_eq(weft_wait(run, 0, NULL), result);
    cr_assert(weft_reserve(run, "hand", &item, 0, NULL) != 0);
    weft_cancel(run);
    store_release(&a->ended, true); /* its last access */
}

static void *ask_from_outside(void *ctx)
{
    struct asking *a = ctx;
    for (uint64_t n = 0; !load_acquire(&a->over); n++) /* it is there so long */
        ask_as_the(n, a);
    return NULL;
}

static void take_all(struct asking *a)
{
    uint64_t before = UINT64_MAX;
    void *item;

    for (int rc; (rc = weft_next(a->run, &item, TIMES(20, 50), NULL));) {
        uint64_t visits = load_relaxed(&a->w->visits);
        if (rc == 1)
            weft_release(item);
        else if (rc == -ETIMEDOUT && visits == before)
            weft_cancel(a->run); /* whatever was to come waits for ever */
        before = visits;
    }
}

static void finish_asking(struct asking *a)
{
    weft_cancel(a->run);
    weft_cancel(a->other);
    int rc = weft_wait(a->run, -1, NULL);
    cr_assert(rc == 0 || rc == -ECANCELED);
    while (!load_acquire(&a->ended)) /* of ask_at_end */
        usleep(100);
    weft_wait(a->other, -1, NULL);
    while (load_acquire(&a->gone) != load_relaxed(&a->began)) /* of the small */
        usleep(100);
}

/* One run whose callbacks ask, and stop it. */
static void run_and_ask(struct asking *a, const weft_plan *other)
{
    struct world *w = a->w;
    pthread_t thread;

    world_again(w);
    w->ctx = a;
    a->other = started(a->sched, other);
    cr_assert_eq(
        weft_start_with(&a->run, a->sched, a->plan,
                        weft_config(run, .on_end = ask_at_end, .ctx = a), NULL),
        0);
    pthread_create(&thread, NULL, ask_from_outside, a);
    take_all(a);
    store_release(&a->over, true); /* for the thread */
    pthread_join(thread, NULL);
    finish_asking(a);
    weft_limit_set(w->narrow, 2);
    cr_assert_eq(w->keeps, 0);
    cr_assert_eq(w->filled, w->reset);
    cr_assert_eq(w->bunches, w->bunches_reset);
    weft_run_destroy(a->run);
    weft_run_destroy(a->other);
}

static weft_plan *passing(void)
{
    weft_pipeline *p = fed_by_hand(4);
    weft_stage(p, weft_config(stage, .name = "pass", .fn = nothing_to));
    weft_consumer(p, WEFT_ANY);
    return pipeline_plan(p);
}

static weft_plan *single(void)
{
    static unsigned runs;
    weft_graph *g = weft_graph_create();
    weft_task(g, "count", count, &runs);
    return compiled(g);
}

Test(callbacks, may_ask_feed_take_and_stop, .timeout = 300)
{
    const struct weft_failures failures = { 0 };
    weft_sched *sched = workers(2);
    uint64_t random = 88172645463325252;
    struct world w;
    weft_plan *plan[2], *other = passing(), *small = single();

    world_init(&w, sched);
    w.end = 1000;
    w.allocates = true;
    for (int i = 0; i < 2; i++) {
        w.for_ever = i;
        plan[i] = pipeline_plan(draw_world(&w, 8, &failures));
    }
    w.visit = ask;
    for (int i = 0; i < TIMES(100, 10); i++) {
        struct asking a = { .w = &w,
                            .sched = sched,
                            .plan = plan[i % 2],
                            .small = small,
                            .stops_at =
                                100 + chance(&random) % TIMES(8000, 1000),
                            .drains = i % 4 > 1 };
        w.for_ever = i % 2;
        run_and_ask(&a, other);
    }
    for (int i = 0; i < CALLS; i++) {
        printf("%" PRIu64 "%c", load_relaxed(&w.calls[i]),
               i < CALLS - 1 ? ' ' : '\n');
        cr_assert(w.calls[i] > 0 || TIMES(false, true)); /* too few */
    }
    for (int i = 0; i < 2; i++)
        weft_plan_destroy(plan[i]);
    weft_plan_destroy(other);
    weft_plan_destroy(small);
    world_finish(&w);
    weft_sched_destroy(sched);
}
