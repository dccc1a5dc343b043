/* test_handle.c: graph/handle.c: the context of a run in its tasks, and tasks
 * that are pending until they are completed from any thread. */
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"

/* ---- the context of a run ---------------------------------------------- */

enum { RUNS = 64, WIDTH = 12, DEPTH = 5 };

/* What one run computes: each cell from those of the row above. */
struct sheet {
    bool fails; /* in the middle */
    uint64_t seed;
    uint64_t cell[DEPTH][WIDTH];
};

/* Which cell a task computes; shared by all runs. */
struct place {
    unsigned row, column;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    a ^= b + 0x9e3779b97f4a7c15u + (a << 6) + (a >> 2);
    return a * 0xbf58476d1ce4e5b9u;
}

static uint64_t cell_of(const struct sheet *s, struct place at)
{
    if (!at.row)
        return mix(s->seed, at.column);
    const uint64_t *above = s->cell[at.row - 1];
    return mix(above[at.column], above[(at.column + 1) % WIDTH]);
}

static int compute(weft_worker *self, void *ctx)
{
    struct place at = *(struct place *)ctx;
    struct sheet *s = weft_task_context(self);
    s->cell[at.row][at.column] = cell_of(s, at);
    return s->fails && at.row == DEPTH / 2 && !at.column ? -EIO : 0;
}

static void draw_sheet(weft_graph *g, struct place *places)
{
    for (unsigned i = 0; i < DEPTH * WIDTH; i++)
        places[i] = (struct place){ i / WIDTH, i % WIDTH };
    weft_node first =
        weft_tasks(g, weft_config(task, .fn = compute, .ctx = places),
                   DEPTH * WIDTH, sizeof *places);
    for (unsigned i = WIDTH; i < DEPTH * WIDTH; i++) {
        unsigned above = i - WIDTH, row = above / WIDTH * WIDTH;
        weft_after(g, weft_nth(first, i), weft_nth(first, above),
                   weft_nth(first, row + (above + 1) % WIDTH));
    }
}

static bool is_as_alone(const struct sheet *s)
{
    struct sheet alone = { .seed = s->seed };

    for (unsigned c = 0; c < DEPTH * WIDTH; c++) {
        struct place at = { c / WIDTH, c % WIDTH };
        alone.cell[at.row][at.column] = cell_of(&alone, at);
    }
    return !memcmp(alone.cell, s->cell, sizeof alone.cell);
}

/* The plan 64 times at once: each run alone has its sheet. */
static void run_sheets(const weft_plan *plan)
{
    static struct sheet sheets[RUNS];
    struct weft_run *run[RUNS];
    weft_sched *s = workers(3);

    for (unsigned again = 0; again < TIMES(50, 5); again++) {
        for (unsigned i = 0; i < RUNS; i++) {
            sheets[i] = (struct sheet){ .seed = again * RUNS + i + 1 };
            cr_assert_eq(weft_start_with(&run[i], s, plan,
                                         weft_config(run, .ctx = &sheets[i]),
                                         NULL),
                         0);
        }
        for (unsigned i = 0; i < RUNS; i++) {
            cr_assert_eq(weft_wait(run[i], -1, NULL), 0);
            weft_run_destroy(run[i]);
        }
        for (unsigned i = 0; i < RUNS; i++)
            cr_assert(is_as_alone(&sheets[i]));
    }
    weft_sched_destroy(s);
}

Test(handle, each_of_64_runs_at_once_has_its_own_context, .timeout = 60)
{
    static struct place places[DEPTH * WIDTH];
    weft_graph *g = weft_graph_create();
    draw_sheet(g, places);
    weft_plan *plan = compiled(g);
    run_sheets(plan);
    weft_plan_destroy(plan);
}

/* Some of them are cancelled, some are late, and some fail; whoever ends well
 * has done all, and who fails has failed by itself. */
Test(handle, none_of_64_runs_at_once_is_hit_by_the_end_of_another,
     .timeout = 120)
{
    static struct place places[DEPTH * WIDTH];
    static struct sheet sheets[RUNS];
    struct weft_run *run[RUNS];
    enum { WELL, FAILS, IS_CANCELLED, IS_LATE };
    const int error[] = { 0, -EIO, -ECANCELED, -ETIMEDOUT };
    weft_sched *s = workers(3);
    weft_graph *g = weft_graph_create();
    draw_sheet(g, places);
    weft_plan *plan = compiled(g);

    for (unsigned again = 0; again < TIMES(50, 5); again++) {
        for (unsigned i = 0; i < RUNS; i++) {
            sheets[i] = (struct sheet){ .seed = again * RUNS + i + 1,
                                        .fails = i % 4 == FAILS };
            cr_assert_eq(
                weft_start_with(&run[i], s, plan,
                                weft_config(run, .ctx = &sheets[i],
                                            .deadline_ms = i % 4 == IS_LATE),
                                NULL),
                0);
            if (i % 4 == IS_CANCELLED)
                weft_cancel(run[i - 4 * (i > 4)]);
        }
        for (unsigned i = 0; i < RUNS; i++) {
            int rc = weft_wait(run[i], -1, NULL);
            cr_assert(rc == error[i % 4] || (!rc && i % 4 != FAILS));
            cr_assert(rc || is_as_alone(&sheets[i]));
            weft_run_destroy(run[i]);
        }
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

static int draw_inner(weft_worker *self, weft_graph *g, void *places)
{
    weft_node first = weft_task(g, "first", nothing, NULL);
    draw_sheet(g, places);
    for (unsigned i = 1; i <= WIDTH; i++)
        weft_after(g, weft_nth(first, i), first);
    return weft_task_context(self) ? 0 : -EPROTO;
}

/* Every run writes the same numbers into the places. */
static int draw_shared(weft_worker *self, weft_graph *g, void *ctx)
{
    weft_task_plan(g, "sheet", ctx);
    return weft_task_context(self) ? 0 : -EPROTO;
}

Test(handle, the_context_reaches_plans_and_drawings_of_tasks, .timeout = 60)
{
    static struct place places[DEPTH * WIDTH];
    weft_graph *g = weft_graph_create();
    draw_sheet(g, places);
    weft_plan *sheet = compiled(g);
    g = weft_graph_create();
    weft_task_with(g, weft_config(task, .name = "outer", .draw = draw_shared,
                                  .ctx = sheet));
    weft_plan *plan = compiled(g);
    run_sheets(plan);
    weft_plan_destroy(plan);
    weft_plan_destroy(sheet);

    struct sheet one = { .seed = 1 };
    struct weft_run *run;
    weft_sched *s = workers(2);
    g = weft_graph_create();
    weft_task_with(g, weft_config(task, .name = "outer", .draw = draw_inner,
                                  .ctx = places));
    plan = compiled(g);
    cr_assert_eq(
        weft_start_with(&run, s, plan, weft_config(run, .ctx = &one), NULL), 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_run_destroy(run);
    cr_assert_eq(one.cell[0][3], mix(1, 3));
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

static int has_none(weft_worker *self, void *ctx)
{
    return weft_task_context(self) ? -EPROTO : 0;
}

Test(handle, a_run_without_a_context_has_none)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "only", has_none, NULL);
    cr_assert_eq(run_once(g, 1, NULL), 0);
}

/* ---- pending ----------------------------------------------------------- */

/* A thread that completes what it is given, and how. */
struct desk {
    pthread_mutex_t lock;
    weft_pending *waiting[256];
    unsigned count, done;
    int result;
    bool closed;
    pthread_t thread;
};

static void *serve(void *ctx)
{
    struct desk *d = ctx;
    for (bool closed = false; !closed;) {
        pthread_mutex_lock(&d->lock);
        weft_pending *task = d->count ? d->waiting[--d->count] : NULL;
        closed = d->closed && !task;
        d->done += task != NULL;
        pthread_mutex_unlock(&d->lock);
        if (task)
            weft_task_complete(task, d->result);
        else
            usleep(20);
    }
    return NULL;
}

static void open_desk(struct desk *d, int result)
{
    *d = (struct desk){ .result = result };
    pthread_mutex_init(&d->lock, NULL);
    pthread_create(&d->thread, NULL, serve, d);
}

static void close_desk(struct desk *d)
{
    pthread_mutex_lock(&d->lock);
    d->closed = true;
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    pthread_mutex_destroy(&d->lock);
}

static int hand_in(weft_worker *self, void *ctx)
{
    struct desk *d = ctx;
    weft_pending *task = weft_task_pending(self);
    pthread_mutex_lock(&d->lock);
    d->waiting[d->count++] = task;
    pthread_mutex_unlock(&d->lock);
    return WEFT_PENDING; /* it may be completed by now */
}

/* The desk has done all those before it. */
struct done {
    struct desk *desk;
    unsigned expected;
};

static int all_done(weft_worker *self, void *ctx)
{
    struct done *d = ctx;
    pthread_mutex_lock(&d->desk->lock);
    unsigned done = d->desk->done;
    pthread_mutex_unlock(&d->desk->lock);
    return done % d->expected ? -EPROTO : 0;
}

Test(handle, what_is_behind_a_pending_task_waits_for_its_completion,
     .timeout = 60)
{
    enum { TASKS = 100 };
    weft_limit *limit = NULL;
    struct desk desk;
    struct done after = { &desk, TASKS };
    weft_sched *s = workers(2);
    weft_graph *g = weft_graph_create();

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "net", .tokens = 7), NULL),
        0);
    weft_node last = weft_task(g, "last", all_done, &after);
    for (unsigned i = 0; i < TASKS; i++) {
        weft_node node = weft_task(g, NULL, hand_in, &desk);
        if (i % 2)
            weft_task_uses(g, node, &(struct weft_use){ limit, 1 }, 1);
        weft_after(g, last, node);
    }
    weft_plan *plan = compiled(g);
    open_desk(&desk, 0);
    for (unsigned i = 1; i <= TIMES(200, 30); i++) {
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(desk.done, i * TASKS);
    }
    close_desk(&desk);
    struct weft_limit_stats stats;
    weft_limit_stats(limit, &stats);
    cr_assert_eq(stats.in_use, 0);
    cr_assert_eq(stats.granted, TIMES(200, 30) * TASKS / 2);
    weft_plan_destroy(plan);
    weft_limit_destroy(limit);
    weft_sched_destroy(s);
}

Test(handle, no_worker_waits_with_a_pending_task, .timeout = 30)
{
    struct desk desk = { .count = 0 };
    _Atomic unsigned ran = 0;
    struct weft_run *run;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();

    pthread_mutex_init(&desk.lock, NULL); /* nobody serves there */
    weft_task(g, "pending", hand_in, &desk);
    for (int i = 0; i < 10; i++)
        weft_task(g, "other", count, &ran);
    weft_plan *plan = compiled(g);
    run = started(s, plan);
    while (load_relaxed(&ran) < 10 || weft_wait(run, 0, NULL) != -ETIMEDOUT)
        usleep(50);
    weft_cancel(run); /* it is waited for all the same */
    cr_assert_eq(weft_wait(run, 10, NULL), -ETIMEDOUT);
    for (weft_pending *task = NULL; !task; usleep(50)) {
        pthread_mutex_lock(&desk.lock);
        task = desk.count ? desk.waiting[0] : NULL;
        pthread_mutex_unlock(&desk.lock);
        if (task)
            weft_task_complete(task, 0);
    }
    cr_assert_eq(weft_wait(run, -1, NULL), -ECANCELED);
    weft_run_destroy(run);
    pthread_mutex_destroy(&desk.lock);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

Test(handle, its_error_is_the_tasks, .timeout = 30)
{
    struct desk desk;
    _Atomic unsigned ran = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();

    weft_node fetch = weft_task(g, "fetch", hand_in, &desk);
    weft_after(g, weft_task(g, "use", count, &ran), fetch);
    open_desk(&desk, -ECONNRESET);
    cr_assert_eq(run_once(g, 1, &why), -ECONNRESET);
    cr_assert_eq(
        strcmp(why.text, "task 'fetch' failed: Connection reset by peer"), 0);
    cr_assert_eq(ran, 0);
    close_desk(&desk);
}

static int completes_at_once(weft_worker *self, void *ctx)
{
    weft_task_complete(weft_task_pending(self), 0);
    *(unsigned *)ctx += 1; /* the run has not ended */
    return WEFT_PENDING;
}

static int changes_its_mind(weft_worker *self, void *ctx)
{
    cr_assert(weft_task_pending(self) == weft_task_pending(self));
    *(unsigned *)ctx += 1;
    return 0;
}

Test(handle, it_may_be_completed_before_it_returns_or_not_pend_at_all,
     .timeout = 30)
{
    unsigned sum = 0;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, NULL, completes_at_once, &sum);

    for (int i = 1; i < 10; i++) {
        weft_node node = weft_task(
            g, NULL, i % 2 ? changes_its_mind : completes_at_once, &sum);
        weft_after(g, node, last);
        last = node;
    }
    weft_plan *plan = compiled(g);
    for (unsigned i = 1; i <= 3; i++) {
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(sum, i * 10);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

static int pends_without_a_handle(weft_worker *self, void *ctx)
{
    return WEFT_PENDING;
}

Test(handle, pending_without_a_handle_is_a_mistake_and_no_hang)
{
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_task(g, "lost", pends_without_a_handle, NULL);
    cr_assert_eq(run_once(g, 1, &why), -EINVAL);
    cr_assert_eq(strcmp(why.text,
                        "task 'lost' returned WEFT_PENDING, but nobody has its "
                        "handle: it has not called weft_task_pending"),
                 0);
}
