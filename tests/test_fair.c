/* test_fair.c: whose turn it is: between runs, between old items and new, and
 * between what has begun and what has not. */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>

#include "sched/sched.h"
#include "tests/flows.h"

/* So many steps of work that nothing optimises away. */
static void work(unsigned steps)
{
    for (volatile unsigned i = steps; i; i--)
        ;
}

/* ---- between runs ------------------------------------------------------- */

struct rival {
    struct numbers numbers;
    struct weft_run *run, *other;
    unsigned steps;
    uint64_t others; /* the other had when this one ended */
};

static int toil(weft_worker *self, void *item, void *ctx)
{
    work(((struct rival *)ctx)->steps);
    return 0;
}

/* When it has no more, it looks how far the other is. */
static int number_and_compare(weft_worker *self, void *item, void *ctx)
{
    struct rival *r = ctx;
    int rc = number(self, item, &r->numbers);
    if (rc == WEFT_END && r->other)
        r->others = flow_of(r->other, 0).fed;
    return rc;
}

static weft_plan *rival_plan(struct rival *r, unsigned stages, unsigned slots,
                             unsigned steps)
{
    static const char *const names[] = { "one", "two", "three", "four" };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = slots }));
    r->steps = steps;
    weft_source(p, "numbers", number_and_compare, r);
    for (unsigned i = 0; i < stages; i++)
        weft_stage(p,
                   weft_config(stage, .name = names[i], .fn = toil, .ctx = r));
    return pipeline_plan(p);
}

static int hold_worker(weft_worker *self, void *ctx)
{
    while (!load_acquire((_Atomic bool *)ctx)) /* the runs, that are started */
        usleep(100);
    return 0;
}

/* Of two runs on the same workers the first, which has so many items, ends;
 * how many had the other by then, as a part of those? */
static double share(unsigned worker_count, unsigned slots, unsigned steps,
                    uint64_t items, unsigned priority)
{
    struct rival r[2] = { { .numbers = { .end = items } },
                          { .numbers = { .end = UINT64_MAX } } };
    weft_sched *sched = workers(worker_count);
    weft_plan *plan[2];
    _Atomic bool begin = false;
    weft_future *holds[8];

    for (unsigned i = 0; i < worker_count; i++)
        cr_assert_eq(weft_submit(sched, hold_worker, &begin, &holds[i], NULL),
                     0);
    for (int i = 0; i < 2; i++)
        plan[i] = rival_plan(&r[i], 2, slots, steps);
    for (int i = 1; i >= 0; i--)
        cr_assert_eq(weft_start_with(
                         &r[i].run, sched, plan[i],
                         weft_config(run, .priority = i ? 1 : priority), NULL),
                     0);
    r[0].other = r[1].run;
    store_release(&begin, true); /* for hold_worker */
    cr_assert_eq(weft_wait(r[0].run, -1, NULL), 0);
    weft_drain(r[1].run);
    cr_assert_eq(weft_wait(r[1].run, -1, NULL), 0);
    for (int i = 0; i < 2; i++) {
        weft_run_destroy(r[i].run);
        weft_plan_destroy(plan[i]);
    }
    for (unsigned i = 0; i < worker_count; i++)
        weft_future_destroy(holds[i]);
    weft_sched_destroy(sched);
    return (double)r[0].others / (double)items;
}

/* The same, several times if it does not come out: other programs may have had
 * one of the workers' cores meanwhile. */
static bool shares(unsigned worker_count, unsigned slots, unsigned steps,
                   uint64_t items)
{
    bool equal = false, third = false;
    for (int i = 0; i < 8 && !(equal && third); i++) {
        double as_one = share(worker_count, slots, steps, items, 1);
        double to_three = share(worker_count, slots, steps, items, 3);
        fprintf(stderr,
                "%u workers, %u slots: an equal run had %.3f of the items, one "
                "with a third of the priority %.3f\n",
                worker_count, slots, as_one, to_three);
        equal |= as_one > TIMES(0.9, 0.75) && as_one < TIMES(1.1, 1.33);
        third |= to_three > 0.25 && to_three < TIMES(0.42, 0.75);
    }
    return equal && third;
}

/* On one worker nothing is left to chance. */
Test(fair, R17_no_starvation_of_one_run_by_another, .timeout = 120)
{
    for (unsigned slots = 1; slots <= 64; slots *= 8) {
        cr_assert(shares(1, slots, 100, TIMES(20000, 2000)));
        cr_assert(shares(1, slots, TIMES(100000, 20000), 200));
    }
}

Test(fair, R17_no_starvation_of_one_run_by_another_on_two_workers,
     .timeout = 120)
{
    cr_assert(shares(2, 8, 100000, TIMES(1000, 300)));
    cr_assert(shares(2, 64, 100000, TIMES(1000, 300)));
}

/* ---- between graphs ----------------------------------------------------- */

struct crowd {
    _Atomic unsigned ran;
    unsigned size;
    struct crowd *other;
    unsigned others;    /* of the other had run when the last of these did */
    bool in_a_row;      /* each after the one before */
    _Atomic bool *gate; /* or NULL: the first waits until it is open */
};

static int step_forward(weft_worker *self, void *ctx)
{
    struct crowd *c = ctx;
    unsigned ran = add_relaxed(&c->ran, 1u) + 1;
    if (ran == c->size && c->other)
        c->others = load_relaxed(&c->other->ran);
    while (ran == 1 && c->gate && !load_relaxed(c->gate))
        usleep(10);
    return 0;
}

static weft_plan *crowd_plan(struct crowd *c)
{
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "first", nothing, NULL);
    weft_node many = weft_tasks(
        g, weft_config(task, .fn = step_forward, .ctx = c), c->size, 0);
    for (unsigned i = 0; i < c->size; i++)
        weft_after(g, weft_nth(many, i),
                   c->in_a_row && i ? weft_nth(many, i - 1) : first);
    return compiled(g);
}

static struct weft_run *start_with(weft_sched *sched, const weft_plan *plan,
                                   unsigned priority)
{
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .priority = priority), NULL),
                 0);
    return run;
}

/* How many tasks of a graph with that priority had run on one worker when the
 * last of `size` others had, whose priority is `first`. */
static unsigned beside(unsigned size, unsigned first, unsigned second,
                       bool in_a_row)
{
    struct crowd c[2] = { { .size = size, .in_a_row = in_a_row },
                          { .size = 4 * size } };
    struct weft_run *run[2];
    weft_plan *plan[2];
    weft_sched *sched = workers(1);
    _Atomic bool begin = false;
    weft_future *hold;

    c[0].other = &c[1];
    cr_assert_eq(weft_submit(sched, hold_worker, &begin, &hold, NULL), 0);
    for (int i = 0; i < 2; i++) {
        plan[i] = crowd_plan(&c[i]);
        run[i] = start_with(sched, plan[i], i ? second : first);
    }
    store_release(&begin, true); /* for hold_worker */
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(weft_wait(run[i], -1, NULL), 0);
        cr_assert_eq(c[i].ran, c[i].size);
        weft_run_destroy(run[i]);
        weft_plan_destroy(plan[i]);
    }
    weft_future_destroy(hold);
    weft_sched_destroy(sched);
    return c[0].others;
}

/* Within a quantum of eight turns for each of their priorities, and a few that
 * begin and end the graphs. */
Test(fair, R17_graphs_share_as_their_priorities_say, .timeout = 60)
{
    enum { SIZE = TIMES(9000, 1800) };
    const unsigned priority[][2] = { { 1, 1 }, { 3, 1 }, { 1, 3 }, { 100, 1 } };

    for (unsigned i = 0; i < sizeof priority / sizeof *priority; i++) {
        unsigned first = priority[i][0], second = priority[i][1];
        unsigned others = beside(SIZE, first, second, false);
        unsigned fair = SIZE * second / first, slack = 10 * second;
        fprintf(stderr, "priorities %u and %u: %u of %u, fair would be %u\n",
                first, second, others, SIZE, fair);
        cr_assert(others + slack >= fair && others <= fair + slack);
    }
}

/* It has its turns though there is never more than one task that could. */
Test(fair, R17_a_graph_with_one_ready_task_has_its_share, .timeout = 60)
{
    enum { SIZE = TIMES(9000, 1800) };

    for (unsigned priority = 1; priority <= 100; priority += 33) {
        unsigned others = beside(SIZE, priority, 1, true);
        fprintf(stderr, "in a row, priorities %u and 1: %u of %u\n", priority,
                others, SIZE);
        cr_assert(others + 20 >= SIZE / priority &&
                  others <= SIZE / priority + 20);
    }
}

struct end {
    struct weft_run *other;
    uint64_t fed; /* of the other, when the run ended */
    _Atomic bool told;
};

static void look_at_other(struct weft_run *run, int result, void *ctx)
{
    struct end *end = ctx;
    end->fed = flow_of(end->other, 0).fed;
    store_release(&end->told, true); /* for who waits below */
}

/* Beside the run `other`. */
static struct weft_run *start_and_look(weft_sched *sched, const weft_plan *plan,
                                       struct end *end)
{
    struct weft_run *run = NULL;
    cr_assert_eq(weft_start_with(&run, sched, plan,
                                 weft_config(run, .priority = 1, .ctx = end,
                                             .on_end = look_at_other),
                                 NULL),
                 0);
    return run;
}

/* How many the other had been fed when this run ended. */
static uint64_t fed_until(struct weft_run *run, int result, struct end *end)
{
    cr_assert_eq(weft_wait(run, -1, NULL), result);
    while (!load_acquire(&end->told)) /* what on_end has written */
        usleep(10);
    weft_run_destroy(run);
    return end->fed;
}

Test(fair, R17_a_graph_and_a_pipeline_share, .timeout = 60)
{
    enum { SIZE = TIMES(20000, 2000) };
    struct crowd c = { .size = SIZE };
    struct rival r = { .numbers = { .end = UINT64_MAX } };
    weft_sched *sched = workers(1);
    _Atomic bool begin = false;
    weft_future *hold;
    weft_plan *nodes = crowd_plan(&c), *items = rival_plan(&r, 2, 8, 100);

    cr_assert_eq(weft_submit(sched, hold_worker, &begin, &hold, NULL), 0);
    struct weft_run *of_items = start_with(sched, items, 1);
    struct end end = { .other = of_items };
    struct weft_run *of_nodes = start_and_look(sched, nodes, &end);
    store_release(&begin, true); /* for hold_worker */
    uint64_t fed = fed_until(of_nodes, 0, &end);
    weft_drain(of_items);
    cr_assert_eq(weft_wait(of_items, -1, NULL), 0);
    fprintf(stderr, "%d tasks, %u items\n", SIZE, (unsigned)fed);
    cr_assert(fed > SIZE * 9 / 10 && fed < SIZE * 11 / 10);
    weft_run_destroy(of_items);
    weft_plan_destroy(items);
    weft_plan_destroy(nodes);
    weft_future_destroy(hold);
    weft_sched_destroy(sched);
}

/* Who is to be stopped does not wait for the turns of others. */
Test(fair, R24_a_cancelled_graph_ends_at_once_beside_a_pipeline, .timeout = 60)
{
    enum { SIZE = TIMES(20000, 4000) };
    _Atomic bool cancelled = false;
    struct crowd c = { .size = SIZE, .gate = &cancelled };
    struct rival r = { .numbers = { .end = UINT64_MAX } };
    weft_sched *sched = workers(1);
    weft_plan *nodes = crowd_plan(&c), *items = rival_plan(&r, 2, 8, 100);

    struct weft_run *of_items = start_with(sched, items, 1);
    struct end end = { .other = of_items };
    struct weft_run *of_nodes = start_and_look(sched, nodes, &end);
    while (!load_relaxed(&c.ran))
        usleep(10);
    weft_cancel(of_nodes);
    uint64_t before = flow_of(of_items, 0).fed;
    store_relaxed(&cancelled, true);
    uint64_t fed = fed_until(of_nodes, -ECANCELED, &end);
    cr_assert_eq(c.ran, 1);
    weft_drain(of_items);
    cr_assert_eq(weft_wait(of_items, -1, NULL), 0);
    fprintf(stderr, "%d tasks were left, %d items came before them\n", SIZE - 1,
            (int)(fed - before));
    cr_assert(fed < before + SIZE / 100);
    weft_run_destroy(of_items);
    weft_plan_destroy(items);
    weft_plan_destroy(nodes);
    weft_sched_destroy(sched);
}

/* ---- between items ------------------------------------------------------ */

/* Many are pending; every hundredth call completes the hundred oldest, from a
 * worker, so that its deque is never short. Ages are counted in completions. */
enum {
    IN_FLIGHT = TIMES(10000, 1000),
    BURST = 100,
    AGED = 60 * IN_FLIGHT, /* so that one that starves would be seen */
};

struct aged {
    uint64_t number, born;
};

struct ages {
    struct numbers numbers;
    pthread_mutex_t lock;
    void *pending[IN_FLIGHT];
    uint64_t head, tail; /* of the ring */
    uint64_t calls, deaths, sum, most;
};

static int be_born(weft_worker *self, void *item, void *ctx)
{
    struct ages *a = ctx;
    pthread_mutex_lock(&a->lock);
    ((struct aged *)item)->born = a->deaths;
    int rc = number(self, item, &a->numbers);
    pthread_mutex_unlock(&a->lock);
    return rc;
}

static unsigned take_oldest(struct ages *a, void **oldest)
{
    unsigned count = 0;
    while (count < BURST && a->head < a->tail)
        oldest[count++] = a->pending[a->head++ % IN_FLIGHT];
    return count;
}

static int live(weft_worker *self, void *item, void *ctx)
{
    struct ages *a = ctx;
    void *oldest[BURST];
    unsigned count = 0;

    pthread_mutex_lock(&a->lock);
    a->pending[a->tail++ % IN_FLIGHT] = item;
    if (++a->calls % BURST == 0 && a->tail - a->head > IN_FLIGHT - 2 * BURST)
        count = take_oldest(a, oldest);
    pthread_mutex_unlock(&a->lock);
    for (unsigned i = 0; i < count; i++)
        weft_complete(self, oldest[i], 0);
    return WEFT_PENDING;
}

static int die(weft_worker *self, void *item, void *ctx)
{
    struct ages *a = ctx;
    pthread_mutex_lock(&a->lock);
    uint64_t age = a->deaths++ - ((struct aged *)item)->born;
    a->sum += age;
    a->most = age > a->most ? age : a->most;
    pthread_mutex_unlock(&a->lock);
    return 0;
}

static void complete_the_rest(struct ages *a)
{
    void *oldest[BURST];
    pthread_mutex_lock(&a->lock);
    unsigned count =
        a->numbers.next == a->numbers.end ? take_oldest(a, oldest) : 0;
    pthread_mutex_unlock(&a->lock);
    for (unsigned i = 0; i < count; i++)
        weft_complete(NULL, oldest[i], 0);
}

static void grow_old(unsigned worker_count)
{
    static struct ages a;
    weft_sched *sched = workers(worker_count);

    a = (struct ages){ .numbers = { .end = AGED },
                       .lock = PTHREAD_MUTEX_INITIALIZER };
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct aged),
                                         .slots = IN_FLIGHT }));
    weft_source(p, "birth", be_born, &a);
    weft_stage(p, weft_config(stage, .name = "live", .fn = live, .ctx = &a,
                              .tokens = WEFT_UNLIMITED));
    weft_stage(p, weft_config(stage, .name = "die", .fn = die, .ctx = &a));
    weft_plan *plan = pipeline_plan(p);
    struct weft_run *run = started(sched, plan);
    while (weft_wait(run, 1, NULL) == -ETIMEDOUT)
        complete_the_rest(&a);
    cr_assert_eq(ended(run, 0).delivered, AGED);
    fprintf(stderr, "%u workers: age %.0f on average, %.0f at most\n",
            worker_count, (double)a.sum / AGED, (double)a.most);
    cr_assert_eq(a.deaths, AGED);
    cr_assert(a.sum / AGED > IN_FLIGHT / 2); /* so many were in flight */
    cr_assert(a.most < 50 * (a.sum / AGED));
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(fair, R17_no_starvation_of_an_old_item_by_new_ones, .timeout = 120)
{
    grow_old(2);
}

/* ---- old before new ----------------------------------------------------- */

/* On one worker, so it is known what could be done when the source is asked for
 * a new item: nothing but what is pending. */
enum { CROWD = 16 };

struct queue {
    struct numbers numbers;
    struct weft_run *run;
    void *pending[CROWD];
    unsigned count, steps;
    uint64_t too_early, most;
};

static int number_if_idle(weft_worker *self, void *item, void *ctx)
{
    struct queue *q = ctx;
    uint64_t in_flight = flow_of(q->run, 0).in_flight;
    q->too_early += in_flight > q->count;
    q->most = in_flight > q->most ? in_flight : q->most;
    return number(self, item, &q->numbers);
}

/* The last of a crowd completes it. */
static int pend_in_crowd(weft_worker *self, void *item, void *ctx)
{
    struct queue *q = ctx;
    q->pending[q->count++] = item;
    if (q->count == CROWD)
        while (q->count)
            weft_complete(self, q->pending[--q->count], 0);
    return WEFT_PENDING;
}

static int take_steps(weft_worker *self, void *item, void *ctx)
{
    work(((struct queue *)ctx)->steps);
    return 0;
}

static void old_before_new(unsigned steps, uint64_t items, bool pends)
{
    struct queue q = { .numbers = { .end = items }, .steps = steps };
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 64 }));
    weft_source(p, "numbers", number_if_idle, &q);
    weft_stage(p,
               weft_config(stage, .name = "one", .fn = take_steps, .ctx = &q));
    if (pends)
        weft_stage(p, weft_config(stage, .name = "pend", .fn = pend_in_crowd,
                                  .ctx = &q, .tokens = CROWD));
    weft_stage(p, weft_config(stage, .name = "two", .fn = take_steps, .ctx = &q,
                              .order = WEFT_INPUT));
    weft_stage(
        p, weft_config(stage, .name = "three", .fn = take_steps, .ctx = &q));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start_with(&q.run, sched, plan, NULL, NULL), 0);
    ended(q.run, 0);
    cr_assert_eq(q.too_early, 0);
    cr_assert_eq(q.most, pends ? CROWD - 1 : 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* The same of the pieces of an item. */
static int cut_if_idle(weft_worker *self, void *item, void *piece, void *ctx)
{
    struct queue *q = ctx;
    uint64_t in_flight = flow_of(q->run, 1).in_flight;
    q->too_early += in_flight > 0;
    return ++q->count % 10 ? 0 : WEFT_END;
}

static void pieces_old_before_new(unsigned steps, uint64_t items)
{
    struct queue q = { .numbers = { .end = items }, .steps = steps };
    weft_sched *sched = workers(1);

    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = 8, .slots = 64 }));
    weft_source(p, "numbers", number, &q.numbers);
    weft_scatter(p,
                 weft_config(scatter, .name = "cut", .fn = cut_if_idle,
                             .ctx = &q, .items = { .bytes = 8, .slots = 64 }));
    weft_stage(p,
               weft_config(stage, .name = "one", .fn = take_steps, .ctx = &q));
    weft_stage(p,
               weft_config(stage, .name = "two", .fn = take_steps, .ctx = &q));
    weft_stage(
        p, weft_config(stage, .name = "three", .fn = take_steps, .ctx = &q));
    weft_plan *plan = pipeline_plan(p);
    cr_assert_eq(weft_start_with(&q.run, sched, plan, NULL, NULL), 0);
    ended(q.run, 0);
    cr_assert_eq(q.too_early, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

Test(fair, no_piece_is_cut_while_another_could_go_on)
{
    pieces_old_before_new(10, 1000);
    pieces_old_before_new(200000, 20);
}

Test(fair, no_item_begins_while_another_could_go_on, .timeout = 120)
{
    old_before_new(10, 160000, false);
    old_before_new(10, 160000, true);
    old_before_new(200000, 320, false);
    old_before_new(200000, 320, true);
}
