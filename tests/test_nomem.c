/* test_nomem.c: every allocation of a scheduler, a thread, a graph, a pipeline,
 * a run, a loose task or a limit may fail.
 *
 * The n-th allocation of this thread fails, for n = 0, 1, 2 ... until nothing
 * fails any more. Each time the call that needed memory says -ENOMEM and leaves
 * its result alone. What leaks on the way is found by LeakSanitizer. */
#include <fcntl.h>
#include <stdlib.h>

#include "tests/allocs.h"
#include "tests/runs.h"

Test(nomem, scheduler_says_so_wherever_memory_ends)
{
    int n = 0;
    for (int rc = -1; rc; n++) {
        weft_sched *s = NULL;
        weft_error why = { "" };
        left = n;
        rc = weft_sched_create(&s, weft_config(sched, .workers = 3), &why);
        left = -1;
        cr_assert(!rc || (rc == -ENOMEM && !s && strstr(why.text, "memory")));
        weft_sched_destroy(s);
    }
    cr_assert(n > 12);
}

Test(nomem, thread_says_so_and_holds_nothing)
{
    weft_sched *s = workers(1);
    weft_thread *thread = NULL;
    weft_error why;
    left = 0;
    int rc = weft_thread_create(&thread, s, "gpu", &why);
    left = -1;
    cr_assert_eq(rc, -ENOMEM);
    cr_assert_eq(thread, NULL);
    cr_assert_eq(strcmp(why.text, "no memory for thread 'gpu'"), 0);
    weft_sched_destroy(s);
}

/* Drawn, compiled and run with the n-th allocation failing: 0 or -ENOMEM. */
static int draw_and_run(weft_sched *s, int n, _Atomic unsigned *ran)
{
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    weft_error why = { "" };

    left = n;
    weft_graph *g = weft_graph_create();
    weft_node last = weft_task(g, "first", count, ran);
    for (int i = 0; i < 100; i++) {
        weft_node node = weft_task(g, "node", count, ran);
        weft_after(g, node, last);
        weft_task(g, "beside", count, ran);
        last = node;
    }
    int rc = weft_compile(&plan, g, &why);
    cr_assert(!rc || !plan);
    if (!rc) {
        rc = weft_start(&run, s, plan, &why);
        cr_assert(!rc || !run);
    }
    left = -1;
    cr_assert(!rc || strstr(why.text, "no memory"));
    weft_graph_destroy(g);
    if (!rc)
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    return rc;
}

Test(nomem, graph_says_so_wherever_memory_ends)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    int n = 0;
    for (int rc; (rc = draw_and_run(s, n, &ran)); n++)
        cr_assert_eq(rc, -ENOMEM);
    cr_assert(n > 12);
    cr_assert_eq(ran, 201);
    weft_sched_destroy(s);
}

Test(nomem, submit_says_so_and_runs_nothing)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    weft_future *f = NULL;
    weft_error why;
    left = 0;
    int rc = weft_submit(s, count, &ran, &f, &why);
    left = -1;
    cr_assert_eq(rc, -ENOMEM);
    cr_assert_eq(f, NULL);
    cr_assert_eq(strcmp(why.text, "no memory to submit a task"), 0);
    weft_sched_destroy(s);
    cr_assert_eq(ran, 0);
}

Test(nomem, limit_says_so)
{
    weft_limit *l = NULL;
    weft_error why;
    left = 0;
    int rc = weft_limit_create(
        &l, weft_config(limit, .name = "gpu", .tokens = 1), &why);
    left = -1;
    cr_assert_eq(rc, -ENOMEM);
    cr_assert_eq(l, NULL);
    cr_assert_eq(strcmp(why.text, "no memory for limit gpu"), 0);
}

static int give(weft_worker *self, void *item, void *ctx)
{
    unsigned *given = ctx;
    return (*given)++ < 10 ? 0 : WEFT_END;
}

static int pass(weft_worker *self, void *item, void *ctx) { return 0; }

static int put_in(weft_worker *self, void *batch, void *item, void *ctx)
{
    return 0;
}

/* The parts, which there was memory for, are two inputs and two paths. */
enum { PARTS = 4 };

static void draw(weft_pipeline *p, weft_pipeline **parts, unsigned *given)
{
    const struct weft_path inputs[] = { { .name = "a", .stages = parts[0] },
                                        { .name = "b", .stages = parts[1] } };
    const struct weft_path paths[] = { { .name = "c", .stages = parts[2] },
                                       { .name = "d", .stages = parts[3] } };

    for (int i = 0; i < 2; i++) {
        weft_source(parts[i], "give", give, given);
        weft_stage(parts[i + 2], weft_config(stage, .name = "in", .fn = pass,
                                             .order = WEFT_INPUT));
    }
    weft_merge(p, weft_config(merge, .name = "merge", .inputs = inputs,
                              .input_count = 2, .order = WEFT_INPUT));
    weft_stage(
        p, weft_config(stage, .name = "pass", .fn = pass, .order = WEFT_INPUT));
    weft_router(p, weft_config(router, .name = "router", .paths = paths,
                               .path_count = 2, .join = WEFT_INPUT));
    weft_gather(p, weft_config(gather, .name = "gather", .fn = put_in,
                               .count = 3, .items = { .bytes = 8 }));
    weft_stage(p, weft_config(stage, .name = "again", .fn = pass));
    weft_consumer(p, WEFT_INPUT);
}

/* The same of a pipeline; the number of its batches, or -ENOMEM. */
static int draw_and_flow(weft_sched *s, int n)
{
    unsigned given = 0;
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    weft_error why = { "" };
    void *item;
    int batches = 0;
    weft_pipeline *parts[PARTS];

    for (int i = 0; i < PARTS; i++)
        parts[i] = weft_pipeline_create(NULL);
    left = n;
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = { .bytes = 8 }));
    draw(p, parts, &given);
    int rc = weft_pipeline_compile(&plan, p, &why);
    cr_assert(!rc || !plan);
    if (!rc) {
        rc = weft_start(&run, s, plan, &why);
        cr_assert(!rc || !run);
    }
    left = -1;
    cr_assert(!rc || strstr(why.text, "no memory"));
    weft_pipeline_destroy(p);
    for (int i = 0; i < PARTS; i++)
        weft_pipeline_destroy(parts[i]);
    for (; !rc && weft_next(run, &item, -1, NULL) == 1; batches++)
        weft_release(item);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    return rc ? rc : batches;
}

Test(nomem, pipeline_says_so_wherever_memory_ends)
{
    weft_sched *s = workers(1);
    int n = 0, got;
    if (fcntl(0, F_GETFD) < 0)
        cr_assert_eq(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    while ((got = draw_and_flow(s, n)) < 0) {
        cr_assert_eq(got, -ENOMEM);
        cr_assert(fcntl(0, F_GETFD) >= 0); /* what is half made is not closed */
        n++;
    }
    cr_assert(n > 10);
    cr_assert_eq(got, 4);
    weft_sched_destroy(s);
}

static void ignore_line(void *ctx, const char *what, const char *text) {}

/* The n-th allocation fails in this question. */
static int ask(struct weft_run *run, const weft_plan *plan, int question, int n)
{
    weft_moment *moment = NULL;
    struct weft_advice advice = { .stage = "untouched" };
    char *text = NULL;
    int rc = 0;

    left = n;
    if (question == 0)
        rc = weft_moment_create(&moment, run);
    else if (question == 1)
        rc = weft_pipeline_explain(run, NULL, &advice);
    else if (question == 2)
        rc = weft_run_report(run, ignore_line, NULL);
    else
        rc = weft_plan_draw(&text, plan, run, WEFT_DOT, NULL);
    left = -1;
    cr_assert(!rc || (!moment && !text && advice.stage &&
                      !strcmp(advice.stage, "untouched")));
    weft_moment_destroy(moment);
    free(text);
    return rc;
}

Test(nomem, a_run_says_so_when_it_cannot_be_asked)
{
    unsigned given = 0;
    weft_plan *plan = NULL;
    struct weft_run *run = NULL;
    void *item;
    weft_sched *s = workers(1);
    weft_pipeline *parts[PARTS];
    weft_pipeline *p =
        weft_pipeline_create(weft_config(pipeline, .items = { .bytes = 8 }));

    for (int i = 0; i < PARTS; i++)
        parts[i] = weft_pipeline_create(NULL);
    draw(p, parts, &given);
    for (int i = 0; i < PARTS; i++)
        weft_pipeline_destroy(parts[i]);
    cr_assert_eq(weft_pipeline_compile(&plan, p, NULL), 0);
    cr_assert_eq(weft_start(&run, s, plan, NULL), 0);
    cr_assert_eq(weft_next(run, &item, -1, NULL), 1);
    weft_release(item);
    for (int question = 0; question < 4; question++) {
        int n = 0, rc;
        while ((rc = ask(run, plan, question, n)) != 0) {
            cr_assert_eq(rc, -ENOMEM);
            n++;
        }
        cr_assert(n >= 2);
    }
    weft_cancel(run);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_pipeline_destroy(p);
    weft_sched_destroy(s);
}
