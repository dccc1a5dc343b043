/* test_ionode.c: graph/ionode.c: nodes of a graph that are an operation. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/runs.h"
#include "weft/io.h"

/* What one run does: opens a file, writes, reads and closes it. */
struct work {
    const char *path;
    struct weft_io open, write, read, nap;
    char out[32], in[32];
    int steps; /* plain: one after the other */
};

static int describe_open(weft_worker *self, struct weft_io **io, void *ctx)
{
    struct work *w = weft_task_context(self);
    w->open = (struct weft_io){ .op = WEFT_IO_OPEN,
                                .path = w->path,
                                .flags = O_RDWR | O_CREAT | O_TRUNC,
                                .mode = 0600 };
    *io = &w->open;
    w->steps = 1;
    return 0;
}

static int describe_write(weft_worker *self, struct weft_io **io, void *ctx)
{
    struct work *w = weft_task_context(self);
    w->write = (struct weft_io){ .op = WEFT_IO_WRITE,
                                 .fd = (int)w->open.result,
                                 .data = w->out,
                                 .bytes = sizeof w->out };
    *io = &w->write;
    w->steps = w->steps == 1 ? 2 : -1;
    return 0;
}

static int describe_read(weft_worker *self, struct weft_io **io, void *ctx)
{
    struct work *w = weft_task_context(self);
    w->read = (struct weft_io){ .op = WEFT_IO_READ,
                                .fd = (int)w->open.result,
                                .data = w->in,
                                .bytes = sizeof w->in };
    *io = &w->read;
    w->steps = w->steps == 2 ? 3 : -1;
    return 0;
}

/* After the read. */
static int compare(weft_worker *self, void *ctx)
{
    struct work *w = weft_task_context(self);
    close((int)w->open.result);
    w->steps = w->steps == 3 ? 4 : -1;
    return w->read.result == sizeof w->in &&
                   memcmp(w->in, w->out, sizeof w->in) == 0
               ? 0
               : -EPROTO;
}

static weft_plan *file_plan(void)
{
    weft_graph *g = weft_graph_create();
    weft_node open = weft_task_with(
        g, weft_config(task, .name = "open", .io = describe_open));
    weft_node write = weft_task_with(
        g, weft_config(task, .name = "write", .io = describe_write));
    weft_node read =
        weft_task_with(g, weft_config(task, .name = "read", .io = describe_read,
                                      .fn = compare));
    weft_after(g, write, open);
    weft_after(g, read, write);
    return compiled(g);
}

static const enum weft_io_way ways[] = { WEFT_IO_AUTO, WEFT_IO_THREADS };

Test(ionode, operations_follow_each_other_in_runs_at_the_same_time,
     .timeout = 60)
{
    enum { RUNS = 16 };
    static struct work work[RUNS];
    struct weft_run *run[RUNS];
    char path[RUNS][64];
    weft_plan *plan = file_plan();

    for (unsigned way = 0; way < 2; way++) {
        weft_sched *s = NULL;
        cr_assert_eq(
            weft_sched_create(
                &s, weft_config(sched, .workers = 2, .io = ways[way]), NULL),
            0);
        for (int i = 0; i < RUNS; i++) {
            snprintf(path[i], sizeof path[i], "/tmp/weft_ionode_%d_%d",
                     (int)getpid(), i);
            work[i] = (struct work){ .path = path[i] };
            snprintf(work[i].out, sizeof work[i].out, "this is run %d", i);
            cr_assert_eq(weft_start_with(&run[i], s, plan,
                                         weft_config(run, .ctx = &work[i]),
                                         NULL),
                         0);
        }
        for (int i = 0; i < RUNS; i++) {
            cr_assert_eq(weft_wait(run[i], -1, NULL), 0);
            cr_assert_eq(work[i].steps, 4);
            weft_run_destroy(run[i]);
            unlink(path[i]);
        }
        weft_sched_destroy(s);
    }
    weft_plan_destroy(plan);
}

Test(ionode, its_failure_is_the_tasks, .timeout = 30)
{
    struct work w = { .path = "/no/such/folder/file" };
    struct weft_run *run;
    weft_error why;
    weft_sched *s = workers(1);
    weft_plan *plan = file_plan();

    cr_assert_eq(
        weft_start_with(&run, s, plan, weft_config(run, .ctx = &w), NULL), 0);
    cr_assert_eq(weft_wait(run, -1, &why), -ENOENT);
    cr_assert_eq(
        strcmp(why.text, "task 'open' failed: No such file or directory"), 0);
    cr_assert_eq(w.steps, 1);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* ---- without a worker -------------------------------------------------- */

static int describe_nap(weft_worker *self, struct weft_io **io, void *ctx)
{
    struct weft_io *nap = ctx;
    *nap = (struct weft_io){ .op = WEFT_IO_SLEEP, .ns = 2000000 };
    *io = nap;
    return 0;
}

/* Each of them would need 2 ms of the only worker. That no worker waits shows
 * in the count of those that sleep at one time. */
struct sleepers {
    _Atomic unsigned asleep, most;
    struct weft_io nap[200];
};

static int falls_asleep(weft_worker *self, void *ctx)
{
    struct sleepers *s = weft_task_context(self);
    unsigned asleep = add_relaxed(&s->asleep, 1u) + 1;
    unsigned most = load_relaxed(&s->most);
    while (asleep > most && !cas_relaxed(&s->most, &most, asleep))
        ;
    return 0;
}

static int wakes_up(weft_worker *self, void *ctx)
{
    struct sleepers *s = weft_task_context(self);
    sub_acq_rel(&s->asleep, 1u);
    return 0;
}

Test(ionode, no_worker_waits_for_it, .timeout = 30)
{
    static struct sleepers sleepers;
    struct weft_run *run;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();

    for (int i = 0; i < 200; i++) {
        weft_node before = weft_task(g, NULL, falls_asleep, NULL);
        weft_node nap = weft_task_with(g, weft_config(task, .io = describe_nap,
                                                      .ctx = &sleepers.nap[i],
                                                      .fn = wakes_up));
        weft_after(g, nap, before);
    }
    weft_plan *plan = compiled(g);
    cr_assert_eq(weft_start_with(&run, s, plan,
                                 weft_config(run, .ctx = &sleepers), NULL),
                 0);
    cr_assert_eq(weft_wait(run, -1, NULL), 0);
    weft_run_destroy(run);
    cr_assert(sleepers.most > 1);
    cr_assert_eq(sleepers.asleep, 0);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}

/* ---- nothing to do ----------------------------------------------------- */

static int describe_nothing(weft_worker *self, struct weft_io **io, void *ctx)
{
    return *(int *)ctx;
}

Test(ionode, it_may_say_that_there_is_nothing_to_be_done_or_fail)
{
    int result = 0;
    _Atomic unsigned ran = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_node io =
        weft_task_with(g, weft_config(task, .name = "io",
                                      .io = describe_nothing, .ctx = &result));
    weft_after(g, weft_task(g, "after", count, &ran), io);
    weft_plan *plan = compiled(g);
    weft_sched *s = workers(1);
    cr_assert_eq(weft_run(s, plan, NULL), 0);
    cr_assert_eq(ran, 1);
    result = -EBADF;
    cr_assert_eq(weft_run(s, plan, &why), -EBADF);
    cr_assert_eq(strcmp(why.text, "task 'io' failed: Bad file descriptor"), 0);
    cr_assert_eq(ran, 1);
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
}
