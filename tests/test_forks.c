/* test_forks.c: children in stages, nodes and loose tasks, beside pipelines and
 * graphs on the same workers. */
#include <semaphore.h>
#include <stdlib.h>

#include "tests/runs.h"

static const unsigned crews[] = { 1, 2, 3, 8 };
enum { CREWS = sizeof crews / sizeof *crews };

enum { NUMBERS = 3000, ITEMS = TIMES(60, 15) };

/* An item: numbers to be sorted, by a stage that forks. */
struct page {
    uint32_t number[NUMBERS], scratch[NUMBERS];
    uint64_t before, after;
};

/* What a test counts. */
struct world {
    unsigned made;
    _Atomic unsigned good, ended;
};

static int make_page(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    if (w->made == ITEMS)
        return WEFT_END;
    struct page *p = item;
    w->made++;
    for (uint32_t i = 0; i < NUMBERS; i++)
        p->number[i] = (i + w->made) * 2654435761u % 10007;
    return 0;
}

static int add_up(weft_worker *self, size_t begin, size_t end, void *acc,
                  void *ctx)
{
    const struct page *p = ctx;
    for (size_t i = begin; i < end; i++)
        *(uint64_t *)acc += p->number[i];
    return 0;
}

static void add_two(void *into, const void *from, void *ctx)
{
    *(uint64_t *)into += *(const uint64_t *)from;
}

static int sum_of(weft_worker *self, struct page *p, uint64_t *sum)
{
    static const uint64_t zero;
    return weft_reduce(self, sum,
                       weft_config(reduce, .end = NUMBERS, .fold = add_up,
                                   .combine = add_two, .ctx = p,
                                   .identity = &zero, .bytes = sizeof zero));
}

static int sum_page(weft_worker *self, void *item, void *ctx)
{
    struct page *p = item;
    return sum_of(self, p, &p->before);
}

static int by_value(const void *a, const void *b, void *ctx)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int sort_page(weft_worker *self, void *item, void *ctx)
{
    struct page *p = item;
    return weft_sort(self, p->number, NUMBERS, sizeof p->number[0], by_value,
                     NULL, p->scratch);
}

static int check_page(weft_worker *self, void *item, void *ctx)
{
    struct world *w = ctx;
    struct page *p = item;
    int rc = sum_of(self, p, &p->after);
    if (rc)
        return rc;
    for (int i = 1; i < NUMBERS; i++)
        if (p->number[i - 1] > p->number[i])
            return -EIO;
    if (p->after == p->before)
        add_relaxed(&w->good, 1u);
    return 0;
}

static weft_plan *sorting_pipeline(struct world *w)
{
    weft_pipeline *p = weft_pipeline_create(weft_config(
        pipeline, .items = { .bytes = sizeof(struct page), .slots = 4 }));
    weft_source(p, "make", make_page, w);
    weft_stage(p,
               weft_config(stage, .name = "sum", .fn = sum_page, .tokens = 2));
    weft_stage(
        p, weft_config(stage, .name = "sort", .fn = sort_page, .tokens = 3));
    weft_stage(p, weft_config(stage, .name = "check", .fn = check_page,
                              .ctx = w, .order = WEFT_INPUT));
    return pipeline_plan(p);
}

Test(forks, stage_forks_inside_a_running_pipeline, .timeout = 120)
{
    for (int c = 0; c < CREWS; c++) {
        struct world w = { 0 };
        weft_sched *s = workers(crews[c]);
        weft_plan *plan = sorting_pipeline(&w);
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(w.made, ITEMS);
        cr_assert_eq(w.good, ITEMS);
        weft_plan_destroy(plan);
        weft_sched_destroy(s);
    }
}

static int half_of_fib(weft_worker *self, void *ctx);

static long fib(weft_worker *self, long n)
{
    if (n < 2)
        return n;
    long a[2] = { n - 1 };
    struct weft_child child = { .fn = half_of_fib, .ctx = a };
    cr_assert_eq(weft_spawn(self, &child), 0);
    long b = fib(self, n - 2);
    cr_assert_eq(weft_sync(self, &child), 0);
    return a[1] + b;
}

static int half_of_fib(weft_worker *self, void *ctx)
{
    long *a = ctx;
    a[1] = fib(self, a[0]);
    return 0;
}

static int check_fib(weft_worker *self, void *ctx)
{
    struct world *w = ctx;
    if (fib(self, 12) != 144)
        return -EIO;
    add_relaxed(&w->ended, 1u);
    return 0;
}

/* A pipeline, a graph, loose tasks and calls, all of which fork. */
Test(forks, all_that_weft_runs_forks_at_once, .timeout = 120)
{
    enum { NODES = 100, LOOSE = 100, CALLS = 20 };
    for (int c = 0; c < CREWS; c++) {
        struct world w = { 0 };
        weft_sched *s = workers(crews[c]);
        weft_plan *pipeline = sorting_pipeline(&w);
        weft_graph *g = weft_graph_create();
        weft_node last = weft_task(g, "first", check_fib, &w);
        for (int i = 1; i < NODES; i++) {
            weft_node node = weft_task(g, "node", check_fib, &w);
            if (i % 3 == 0)
                weft_after(g, node, last);
            last = node;
        }
        weft_plan *graph = compiled(g);
        struct weft_run *runs[] = { started(s, pipeline), started(s, graph) };
        for (int i = 0; i < LOOSE; i++)
            cr_assert_eq(weft_submit(s, check_fib, &w, NULL, NULL), 0);
        for (int i = 0; i < CALLS; i++)
            cr_assert_eq(weft_call(s, check_fib, &w, NULL), 0);
        for (int i = 0; i < 2; i++) {
            cr_assert_eq(weft_wait(runs[i], -1, NULL), 0);
            weft_run_destroy(runs[i]);
        }
        weft_plan_destroy(graph);
        weft_plan_destroy(pipeline);
        weft_sched_destroy(s);
        cr_assert_eq(w.good, ITEMS);
        cr_assert_eq(w.ended, NODES + LOOSE + CALLS);
    }
}

/* ---- a pipeline goes on while a parent waits --------------------------- */

/* The child was taken, and waits for the pipeline with the worker that took it.
 * So the parent's is the only one that the pipeline has. */
static sem_t taken, delivered;

static int wait_for_the_pipeline(weft_worker *self, void *ctx)
{
    sem_post(&taken);
    sem_wait(&delivered);
    return 0;
}

static int fork_and_wait(weft_worker *self, void *ctx)
{
    struct weft_child child = { .fn = wait_for_the_pipeline };
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&taken);
    sem_post(ctx);
    return weft_sync(self, &child);
}

static void ended(struct weft_run *run, int result, void *ctx)
{
    cr_assert_eq(result, 0);
    sem_post(&delivered);
}

Test(forks, parent_that_waits_lends_its_worker_to_a_pipeline, .timeout = 60)
{
    for (int i = 0; i < TIMES(10, 3); i++) {
        sem_t go;
        struct world w = { 0 };
        weft_future *f;
        struct weft_run *run;
        weft_sched *s = workers(2);
        weft_plan *plan = sorting_pipeline(&w);
        sem_init(&taken, 0, 0);
        sem_init(&delivered, 0, 0);
        sem_init(&go, 0, 0);
        cr_assert_eq(weft_submit(s, fork_and_wait, &go, &f, NULL), 0);
        sem_wait(&go);
        cr_assert_eq(weft_start_with(&run, s, plan,
                                     weft_config(run, .on_end = ended), NULL),
                     0);
        cr_assert_eq(weft_future_wait(f, -1), 0);
        cr_assert_eq(w.good, ITEMS);
        weft_future_destroy(f);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
        weft_sched_destroy(s);
    }
}
