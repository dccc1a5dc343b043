/* test_hook.c: graph/attempt.c: what the hook of a pipeline is told: each
 * attempt begins and ends, once, on the thread that makes it. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "sched/sched.h"
#include "tests/flows.h"

enum { SLOTS = 16, ITEMS = TIMES(2000, 400) };

struct thing {
    uint64_t number;
    unsigned begun, ended; /* attempts, in all stages */
    pthread_t thread;      /* where it has begun */
    int result;            /* of the last */
    struct weft_io io;
};

struct world {
    struct numbers numbers;
    _Atomic unsigned begun, ended, unbalanced, calls, elsewhere, wrong;
    _Atomic unsigned resets, failed_attempts;
};

static int make(weft_worker *self, void *item, void *ctx)
{
    return number(self, item, &((struct world *)ctx)->numbers);
}

/* Of an item all that has begun has ended. */
static void reset(void *item, void *ctx)
{
    struct thing *t = item;
    struct world *w = ctx;
    add_relaxed(&w->unbalanced, t->begun != t->ended);
    add_relaxed(&w->resets, 1u);
    *t = (struct thing){ 0 };
}

static void hook(const struct weft_attempt *a, void *item, void *ctx)
{
    struct thing *t = item;
    struct world *w = ctx;
    bool source = !strcmp(a->stage, "things");

    if (a->event == WEFT_BEGINS) {
        add_relaxed(&w->begun, 1u);
        add_relaxed(&w->unbalanced, t->begun++ != t->ended);
        t->thread = pthread_self();
        return;
    }
    add_relaxed(&w->ended, 1u);
    add_relaxed(&w->failed_attempts, a->result < 0);
    add_relaxed(&w->unbalanced, t->begun != ++t->ended);
    if (!strcmp(a->stage, "here"))
        add_relaxed(&w->elsewhere, !pthread_equal(t->thread, pthread_self()));
    if (!source)
        add_relaxed(&w->wrong, a->item != t->number ||
                                   a->attempt != weft_item_attempt(item));
    if (source && a->result == WEFT_END)
        t->begun = t->ended = 0; /* it was no item */
}

/* Every third fails in its first attempt, every tenth is dropped. */
static int judge(weft_worker *self, void *item, void *ctx)
{
    struct thing *t = item;
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    add_relaxed(&((struct world *)ctx)->elsewhere,
                !pthread_equal(t->thread, pthread_self()));
    if (t->number % 3 == 1 && weft_item_attempt(item) == 1)
        return -EAGAIN;
    return t->number % 10 == 9 ? WEFT_FILTER : 0;
}

static int judge_later(weft_worker *self, void *item, void *ctx)
{
    weft_complete(self, item, judge(self, item, ctx));
    return WEFT_PENDING;
}

static int nap(weft_worker *self, void *item, struct weft_io **io, void *ctx)
{
    struct thing *t = item;
    t->io = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 1000 };
    *io = &t->io;
    return 0;
}

static int choose(weft_worker *self, void *item, unsigned *path, void *ctx)
{
    return judge(self, item, ctx);
}

static weft_pipeline *draw(struct world *w)
{
    *w = (struct world){ .numbers = { .end = ITEMS } };
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .hook = hook, .ctx = w, .failures = { .policy = WEFT_SKIP },
        .items = { .bytes = sizeof(struct thing),
                   .slots = SLOTS,
                   .reset = reset,
                   .ctx = w }));
    weft_source(p, "things", make, w);
    return p;
}

static struct weft_flow flow_through(weft_pipeline *p)
{
    weft_sched *sched = workers(2);
    weft_plan *plan = pipeline_plan(p);
    struct weft_flow f = ended(started(sched, plan), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return f;
}

static void balanced(const struct world *w)
{
    cr_assert_eq(w->begun, w->ended);
    cr_assert_eq(w->unbalanced, 0);
    cr_assert_eq(w->wrong, 0);
    cr_assert_eq(w->resets, ITEMS);
}

static void of_kind(enum weft_kind kind)
{
    struct world w;
    weft_pipeline *p = draw(&w);
    weft_stage(p, weft_config(stage, .name = "here", .fn = judge, .ctx = &w,
                              .kind = kind,
                              .retry = { .attempts = 2, .first_ms = 1 }));
    struct weft_flow f = flow_through(p);
    balanced(&w);
    cr_assert_eq(f.delivered, ITEMS / 10 * 9);
    cr_assert_eq(w.elsewhere, 0);
    cr_assert_eq(w.begun, w.calls + ITEMS + 1); /* and those of the source */
    cr_assert_eq(w.failed_attempts, w.calls - ITEMS);
}

Test(hook, an_attempt_on_a_worker_begins_and_ends_there, .timeout = 30)
{
    of_kind(WEFT_CPU);
}

Test(hook, a_blocking_attempt_begins_and_ends_on_its_helper, .timeout = 30)
{
    of_kind(WEFT_BLOCKING);
}

Test(hook, a_pinned_attempt_begins_and_ends_on_its_thread, .timeout = 30)
{
    of_kind(WEFT_PINNED);
}

Test(hook, pending_attempts_operations_and_choices_begin_and_end, .timeout = 30)
{
    struct world w;
    weft_pipeline *part = weft_pipeline_create(NULL), *p = draw(&w);
    weft_stage(part, weft_config(stage, .name = "pends", .fn = judge_later,
                                 .ctx = &w, .kind = WEFT_BLOCKING));
    struct weft_path paths[] = { { .name = "a", .stages = part },
                                 { .name = "b", .stages = part } };

    weft_stage(p,
               weft_config(stage, .name = "pends", .fn = judge_later, .ctx = &w,
                           .retry = { .attempts = 2, .first_ms = 1 }));
    weft_stage(p, weft_config(stage, .name = "naps", .describe = nap,
                              .fn = judge, .ctx = &w, .kind = WEFT_IO));
    weft_router(p, weft_config(router, .name = "chooses", .fn = choose,
                               .ctx = &w, .paths = paths, .path_count = 2));
    weft_pipeline_destroy(part);
    flow_through(p);
    balanced(&w);
    cr_assert_eq(w.begun, w.calls + ITEMS + 1);
}

/* Whatever cuts them short. */
static int pend(weft_worker *self, void *item, void *ctx)
{
    add_relaxed(&((struct world *)ctx)->calls, 1u);
    return WEFT_PENDING;
}

static void let_go(void *item, void *ctx) { weft_complete(NULL, item, 0); }

Test(hook, late_and_cancelled_attempts_end_as_well, .timeout = 60)
{
    struct world w;
    weft_sched *sched = workers(2);

    for (int i = 0; i < TIMES(100, 20); i++) {
        weft_pipeline *p = draw(&w);
        w.numbers.end = UINT64_MAX;
        weft_stage(p, weft_config(stage, .name = "pends", .fn = pend, .ctx = &w,
                                  .cancel = let_go, .tokens = SLOTS,
                                  .deadline_ms = 1,
                                  .retry = { .attempts = 3, .first_ms = 1 }));
        weft_plan *plan = pipeline_plan(p);
        struct weft_run *run = started(sched, plan);
        usleep(i * 100);
        weft_cancel(run);
        struct weft_flow f = ended(run, -ECANCELED);
        cr_assert_eq(w.begun, w.ended);
        cr_assert_eq(w.unbalanced, 0);
        cr_assert_eq(w.resets, f.fed);
        weft_plan_destroy(plan);
    }
    weft_sched_destroy(sched);
}
