/* test_attempt.c: graph/attempt.c: kinds of stages and sources, and on which
 * thread they are called. I/O is in test_io_stage.c, deadlines are in
 * test_deadline.c. */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>

#include "sched/sched.h"
#include "tests/flows.h"

enum { SLOTS = 16 };

static weft_pipeline *draw(struct numbers *source, unsigned slots)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .failures = { .policy = WEFT_SKIP },
                    .items = { .bytes = 2 * sizeof(uint64_t),
                               .slots = slots ? slots : SLOTS }));
    if (source)
        weft_source(p, "numbers", number, source);
    return p;
}

/* Runs the pipeline on so many workers; the flow of its first segment. */
static struct weft_flow flow_through(weft_pipeline *p, unsigned worker_count)
{
    weft_sched *sched = workers(worker_count);
    weft_plan *plan = pipeline_plan(p);
    struct weft_flow f = ended(started(sched, plan), 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    return f;
}

/* ---- blocking ---------------------------------------------------------- */

struct place {
    _Atomic unsigned on_workers, elsewhere;
};

static int note_place(weft_worker *self, void *item, void *ctx)
{
    struct place *p = ctx;
    bool worker = self || wf_worker_here();
    add_relaxed(worker ? &p->on_workers : &p->elsewhere, 1u);
    return number_of(item) % 4 == 1   ? WEFT_FILTER
           : number_of(item) % 4 == 2 ? -EIO
                                      : 0;
}

static void runs_outside(enum weft_kind kind)
{
    struct numbers source = { .end = 400 };
    struct place place = { 0 };
    weft_pipeline *p = draw(&source, 0);
    weft_stage(p, weft_config(stage, .name = "outside", .fn = note_place,
                              .ctx = &place, .kind = kind));
    struct weft_flow f = flow_through(p, 2);
    cr_assert_eq(place.on_workers, 0);
    cr_assert_eq(place.elsewhere, 400);
    cr_assert_eq(f.delivered, 200);
    cr_assert_eq(f.filtered, 100);
    cr_assert_eq(f.failed, 100);
}

Test(attempt, a_blocking_stage_is_never_called_on_a_worker, .timeout = 30)
{
    runs_outside(WEFT_BLOCKING);
}

Test(attempt, a_pinned_stage_is_never_called_on_a_worker, .timeout = 30)
{
    runs_outside(WEFT_PINNED);
}

/* Nobody gets through the barrier unless as many as there are tokens are in the
 * stage at one time; and there never are more. */
enum { TOGETHER = 6 };

struct meeting {
    pthread_barrier_t barrier;
    struct gauge gauge;
};

static int meet(weft_worker *self, void *item, void *ctx)
{
    struct meeting *m = ctx;
    enters(&m->gauge);
    pthread_barrier_wait(&m->barrier);
    leaves(&m->gauge);
    return 0;
}

Test(attempt, a_blocking_stage_has_as_many_threads_as_tokens, .timeout = 30)
{
    struct numbers source = { .end = 20 * TOGETHER };
    struct meeting m = { .gauge = { 0 } };
    pthread_barrier_init(&m.barrier, NULL, TOGETHER);
    weft_pipeline *p = draw(&source, 0);
    weft_stage(p, weft_config(stage, .name = "meet", .fn = meet, .ctx = &m,
                              .kind = WEFT_BLOCKING, .tokens = TOGETHER));
    cr_assert_eq(flow_through(p, 1).delivered, 20 * TOGETHER);
    cr_assert_eq(m.gauge.most, TOGETHER);
    pthread_barrier_destroy(&m.barrier);
}

/* A stage, or a source, that sleeps until the test says so. */
struct door {
    sem_t open;
    _Atomic unsigned at_it;
};

static int wait_at(weft_worker *self, void *item, void *ctx)
{
    struct door *d = ctx;
    add_relaxed(&d->at_it, 1u);
    while (sem_wait(&d->open))
        ;
    return 0;
}

/* Another run gets all its items through the only worker. */
static void others_go_on(weft_sched *sched)
{
    struct numbers source = { .end = 2000 };
    weft_pipeline *p = draw(&source, 0);
    weft_stage(p, weft_config(stage, .name = "pass", .fn = note_place,
                              .ctx = &(struct place){ 0 }));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(ended(started(sched, plan), 0).delivered, 1000);
    weft_plan_destroy(plan);
}

static void sleeps_beside_others(enum weft_kind kind)
{
    enum { ITEMS = 8 };
    struct numbers source = { .end = ITEMS };
    struct door door = { .at_it = 0 };
    weft_sched *sched = workers(1);
    weft_pipeline *p = draw(&source, 0);

    sem_init(&door.open, 0, 0);
    weft_stage(p, weft_config(stage, .name = "sleep", .fn = wait_at,
                              .ctx = &door, .kind = kind));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    unsigned asleep = kind == WEFT_PINNED ? 1 : ITEMS;
    UNTIL(load_relaxed(&door.at_it) == asleep);
    others_go_on(sched);
    cr_assert_eq(door.at_it, asleep);
    for (unsigned i = 0; i < ITEMS; i++)
        sem_post(&door.open);
    cr_assert_eq(ended(run, 0).delivered, ITEMS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    sem_destroy(&door.open);
}

Test(attempt, while_a_blocking_stage_sleeps_others_go_on, .timeout = 30)
{
    sleeps_beside_others(WEFT_BLOCKING);
}

Test(attempt, while_a_pinned_stage_sleeps_others_go_on, .timeout = 30)
{
    sleeps_beside_others(WEFT_PINNED);
}

/* ---- pinned ------------------------------------------------------------ */

/* Where a stage was called; `calls` is plain: only one thread may come here, so
 * two at a time are a race for ThreadSanitizer as well. */
struct pin {
    pthread_t thread;
    unsigned calls, strangers;
    uint64_t last;
    unsigned not_in_order;
};

static int at_pin(weft_worker *self, void *item, void *ctx)
{
    struct pin *pin = ctx;
    if (!pin->calls++)
        pin->thread = pthread_self();
    pin->strangers += !pthread_equal(pin->thread, pthread_self());
    pin->not_in_order += number_of(item) && number_of(item) <= pin->last;
    pin->last = number_of(item);
    return 0;
}

static int take_a_while(weft_worker *self, void *item, void *ctx)
{
    for (volatile uint64_t i = number_of(item) * 7919 % 400; i; i--)
        ;
    return 0;
}

Test(attempt, a_pinned_stage_is_called_by_one_thread_in_order, .timeout = 30)
{
    struct numbers source = { .end = TIMES(5000, 1000) };
    struct pin pin = { .calls = 0 };
    weft_pipeline *p = draw(&source, 0);
    weft_stage(p, weft_config(stage, .name = "mix", .fn = take_a_while));
    weft_stage(p, weft_config(stage, .name = "pin", .fn = at_pin, .ctx = &pin,
                              .kind = WEFT_PINNED, .order = WEFT_INPUT));
    cr_assert_eq(flow_through(p, 3).delivered, TIMES(5000, 1000));
    cr_assert_eq(pin.calls, TIMES(5000, 1000));
    cr_assert_eq(pin.strangers, 0);
    cr_assert_eq(pin.not_in_order, 0);
}

/* Its tokens only say how many may stand in line for the thread. */
Test(attempt, a_pinned_stage_with_many_tokens_is_still_one_thread,
     .timeout = 30)
{
    struct numbers source = { .end = 1000 };
    struct pin pin = { .calls = 0 };
    weft_pipeline *p = draw(&source, 0);
    weft_stage(p, weft_config(stage, .name = "mix", .fn = take_a_while));
    weft_stage(p, weft_config(stage, .name = "pin", .fn = at_pin, .ctx = &pin,
                              .kind = WEFT_PINNED, .tokens = 8));
    cr_assert_eq(flow_through(p, 3).delivered, 1000);
    cr_assert_eq(pin.calls, 1000);
    cr_assert_eq(pin.strangers, 0);
}

struct pinned_source {
    struct numbers numbers;
    struct pin *pin;
};

static int number_at_pin(weft_worker *self, void *item, void *ctx)
{
    struct pinned_source *s = ctx;
    at_pin(self, item, s->pin);
    return number(self, item, &s->numbers);
}

Test(attempt, a_thread_is_shared_by_sources_stages_and_runs, .timeout = 30)
{
    enum { ITEMS = 1000 };
    struct pin pin = { .calls = 0 };
    struct weft_run *run[2];
    weft_plan *plan[2];
    weft_thread *thread = NULL;
    weft_sched *sched = workers(2);
    struct pinned_source source[2] = { { { .end = ITEMS }, &pin },
                                       { { .end = ITEMS }, &pin } };

    cr_assert_eq(weft_thread_create(&thread, sched, "shared", NULL), 0);
    for (int i = 0; i < 2; i++) {
        weft_pipeline *p = draw(NULL, 0);
        weft_source_with(p, weft_config(source, .name = "numbers",
                                        .fn = number_at_pin, .ctx = &source[i],
                                        .kind = WEFT_PINNED, .thread = thread));
        for (int k = 0; k < 2; k++)
            weft_stage(p, weft_config(stage, .name = k ? "second" : "first",
                                      .fn = at_pin, .ctx = &pin,
                                      .kind = WEFT_PINNED, .thread = thread));
        plan[i] = pipeline_plan(p);
    }
    for (int i = 0; i < 2; i++)
        run[i] = started(sched, plan[i]);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(ended(run[i], 0).delivered, ITEMS);
        weft_plan_destroy(plan[i]);
    }
    weft_thread_destroy(thread);
    weft_sched_destroy(sched);
    cr_assert_eq(pin.calls, 4 * ITEMS + 2 * (ITEMS + 1));
    cr_assert_eq(pin.strangers, 0);
}

Test(attempt, each_run_has_a_thread_of_its_own_where_none_is_given,
     .timeout = 30)
{
    struct door door = { .at_it = 0 };
    struct weft_run *run[2];
    struct numbers source = { .end = 2 };
    weft_sched *sched = workers(1);

    sem_init(&door.open, 0, 0);
    weft_pipeline *p = draw(NULL, 1);
    weft_source_with(p, weft_config(source, .name = "numbers", .fn = number,
                                    .ctx = &source, .kind = WEFT_CPU));
    weft_stage(p, weft_config(stage, .name = "sleep", .fn = wait_at,
                              .ctx = &door, .kind = WEFT_PINNED));
    weft_plan *plan = pipeline_plan(p);
    for (int i = 0; i < 2; i++)
        run[i] = started(sched, plan);
    UNTIL(load_relaxed(&door.at_it) == 2); /* both sleep at one time */
    sem_post(&door.open);
    sem_post(&door.open);
    uint64_t delivered = 0;
    for (int i = 0; i < 2; i++)
        delivered += ended(run[i], 0).delivered;
    cr_assert_eq(delivered, 2);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    sem_destroy(&door.open);
}

/* ---- sources ----------------------------------------------------------- */

/* Sleeps before each number. */
struct slow_source {
    struct numbers numbers;
    struct door door;
    struct pin pin;
    void *pending; /* a slot to be completed */
    _Atomic bool pends;
};

static int sleep_then_number(weft_worker *self, void *item, void *ctx)
{
    struct slow_source *s = ctx;
    cr_assert(!self && !wf_worker_here());
    if (!s->pin.calls++)
        s->pin.thread = pthread_self();
    s->pin.strangers += !pthread_equal(s->pin.thread, pthread_self());
    wait_at(self, item, &s->door);
    return number(self, item, &s->numbers);
}

static void source_sleeps(enum weft_kind kind)
{
    enum { ITEMS = 5 };
    struct slow_source s = { .numbers = { .end = ITEMS } };
    weft_sched *sched = workers(1);
    weft_pipeline *p = draw(NULL, 0);

    sem_init(&s.door.open, 0, 0);
    weft_source_with(p, weft_config(source, .name = "slow",
                                    .fn = sleep_then_number, .ctx = &s,
                                    .kind = kind));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i < ITEMS; i++) {
        UNTIL(load_relaxed(&s.door.at_it) == i + 1);
        others_go_on(sched);
        UNTIL(flow_of(run, 0).delivered == i);
        cr_assert_eq(flow_of(run, 0).fed, i);
        sem_post(&s.door.open);
    }
    sem_post(&s.door.open); /* for the end */
    cr_assert_eq(ended(run, 0).delivered, ITEMS);
    cr_assert_eq(s.pin.calls, ITEMS + 1);
    if (kind == WEFT_PINNED)
        cr_assert_eq(s.pin.strangers, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    sem_destroy(&s.door.open);
}

Test(attempt, while_a_blocking_source_sleeps_others_go_on, .timeout = 30)
{
    source_sleeps(WEFT_BLOCKING);
}

Test(attempt, while_a_pinned_source_sleeps_others_go_on, .timeout = 30)
{
    source_sleeps(WEFT_PINNED);
}

static int number_later(weft_worker *self, void *item, void *ctx)
{
    struct slow_source *s = ctx;
    s->pending = item;
    store_release(&s->pends, true); /* for the load in the test: the item */
    return WEFT_PENDING;
}

Test(attempt, while_a_source_is_pending_others_go_on, .timeout = 30)
{
    enum { ITEMS = 5 };
    struct slow_source s = { .numbers = { .end = ITEMS } };
    weft_sched *sched = workers(1);
    weft_pipeline *p = draw(NULL, 0);

    weft_source(p, "later", number_later, &s);
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    for (unsigned i = 0; i <= ITEMS; i++) {
        UNTIL(load_acquire(&s.pends)); /* the item, from number_later */
        others_go_on(sched);
        UNTIL(flow_of(run, 0).delivered == i);
        store_relaxed(&s.pends, false);
        weft_complete(NULL, s.pending, number(NULL, s.pending, &s.numbers));
    }
    cr_assert_eq(ended(run, 0).delivered, ITEMS);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- together ---------------------------------------------------------- */

/* The numbers are dealt out to all runs. */
struct row {
    _Atomic uint64_t next;
};

static int next_of_all(weft_worker *self, void *item, void *ctx)
{
    struct row *r = ctx;
    uint64_t n = add_relaxed(&r->next, 1);
    if (n >= TIMES(20000, 2000))
        return WEFT_END;
    ((uint64_t *)item)[0] = n;
    ((uint64_t *)item)[1] = 0;
    return 0;
}

static int add_number(weft_worker *self, void *item, void *ctx)
{
    ((uint64_t *)item)[1] += number_of(item);
    return 0;
}

static int add_and_pend(weft_worker *self, void *item, void *ctx)
{
    add_number(self, item, ctx);
    weft_complete(self, item, 0);
    return WEFT_PENDING;
}

static int check_sum(weft_worker *self, void *item, void *ctx)
{
    add_relaxed((_Atomic uint64_t *)ctx, number_of(item));
    return ((uint64_t *)item)[1] == 4 * number_of(item) ? 0 : -EPROTO;
}

Test(attempt, a_plan_of_all_kinds_runs_several_times_at_once, .timeout = 120)
{
    enum { RUNS = 4 };
    const uint64_t items = TIMES(20000, 2000);
    struct weft_run *run[RUNS];
    struct row row = { 0 };
    _Atomic uint64_t sum = 0;
    uint64_t delivered = 0;
    weft_sched *sched = workers(2);

    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = 2 * sizeof(uint64_t), .slots = 8 }));
    weft_source(p, "numbers", next_of_all, &row);
    weft_stage(p, weft_config(stage, .name = "cpu", .fn = add_number));
    weft_stage(p, weft_config(stage, .name = "blocking", .fn = add_number,
                              .kind = WEFT_BLOCKING));
    weft_stage(p, weft_config(stage, .name = "pinned", .fn = add_number,
                              .kind = WEFT_PINNED, .order = WEFT_INPUT));
    weft_stage(p, weft_config(stage, .name = "pending", .fn = add_and_pend));
    weft_stage(p, weft_config(stage, .name = "check", .fn = check_sum,
                              .ctx = &sum, .order = WEFT_INPUT));
    weft_plan *plan = pipeline_plan(p);
    for (int i = 0; i < RUNS; i++)
        run[i] = started(sched, plan);
    for (int i = 0; i < RUNS; i++)
        delivered += ended(run[i], 0).delivered;
    cr_assert_eq(delivered, items);
    cr_assert_eq(sum, items * (items - 1) / 2);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}
