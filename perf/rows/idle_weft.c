/* idle_weft.c: a scheduler after work; while a read waits for data; while a
 * consumer takes nothing. Fails where it uses the CPU. */
#include <fcntl.h>
#include <poll.h>

#include "perf/rows/idle.h"
#include "weft/weft.h"

static weft_error why;

/* One spinning worker would be 100 %, one that looks around every millisecond
 * several. */
static void look(const struct row *row, const struct row_case *c)
{
    row_check(idle_look(row, c, NULL) < idle_seconds / 100,
              "a scheduler that had nothing to do used over 1 % of a CPU");
}

static weft_sched *sched_of(const struct row *row)
{
    weft_sched *sched;

    must(weft_sched_create(&sched, weft_config(sched, .workers = row->workers),
                           &why),
         why.text);
    return sched;
}

static int work(weft_worker *self, void *ctx)
{
    idle_work();
    return 0;
}

static void after_work(const struct row *row, const struct row_case *c)
{
    weft_sched *sched = sched_of(row);
    weft_graph *graph = weft_graph_create();
    weft_plan *plan;

    weft_tasks(graph, weft_config(task, .fn = work), IDLE_TASKS, 0);
    must(weft_compile(&plan, graph, &why), why.text);
    weft_graph_destroy(graph);
    must(weft_run(sched, plan, &why), why.text);
    row_check(counted() == IDLE_TASKS, "a task did not run once");
    look(row, c);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

/* ---- a pipeline that waits ---------------------------------------------- */

struct item {
    uint64_t number;
    struct weft_io io;
};

enum { ITEMS = 1000 };

struct waiting {
    uint64_t fed, passed; /* by the source; read, or taken */
    int pipe[2];
};

static int source(weft_worker *self, void *item, void *ctx)
{
    struct waiting *w = ctx;

    if (w->fed == ITEMS)
        return WEFT_END;
    ((struct item *)item)->number = w->fed++;
    return 0;
}

/* A pipe has no offset to read at: it is waited for, and then read. */
static int await_byte(weft_worker *self, void *item, struct weft_io **io,
                      void *ctx)
{
    struct item *it = item;
    const struct waiting *w = ctx;

    it->io = (struct weft_io){ .op = WEFT_IO_POLL,
                               .fd = w->pipe[0],
                               .flags = POLLIN };
    *io = &it->io;
    return 0;
}

static int read_byte(weft_worker *self, void *item, void *ctx)
{
    struct waiting *w = ctx;
    char byte;

    if (read(w->pipe[0], &byte, 1) != 1)
        return -EIO;
    __atomic_fetch_add(&w->passed, 1, __ATOMIC_RELAXED);
    return 0;
}

static struct weft_run *start(weft_sched *sched, weft_pipeline *p,
                              weft_plan **plan)
{
    struct weft_run *run;

    must(weft_pipeline_compile(plan, p, &why), why.text);
    weft_pipeline_destroy(p);
    must(weft_start(&run, sched, *plan, &why), why.text);
    return run;
}

static weft_pipeline *pipeline(struct waiting *w)
{
    weft_pipeline *p = weft_pipeline_create(
        weft_config(pipeline, .items = { .bytes = sizeof(struct item) }));
    weft_source(p, "numbers", source, w);
    return p;
}

/* The reads have what they wait for in the end. */
static void pending(const struct row *row, const struct row_case *c)
{
    weft_sched *sched = sched_of(row);
    struct waiting w = { 0 };
    weft_plan *plan;
    char bytes[ITEMS] = "";

    must(pipe2(w.pipe, O_CLOEXEC) ? -errno : 0, "a pipe");
    weft_pipeline *p = pipeline(&w);
    weft_stage(p,
               weft_config(stage, .name = "read", .kind = WEFT_IO,
                           .describe = await_byte, .fn = read_byte, .ctx = &w));
    struct weft_run *run = start(sched, p, &plan);
    look(row, c);
    must(weft_wait(run, 0, NULL) == -ETIMEDOUT ? 0 : -EIO, "it did not wait");
    row_check(write(w.pipe[1], bytes, ITEMS) == ITEMS, "the pipe is full");
    must(weft_wait(run, -1, &why), why.text);
    row_check(w.passed == ITEMS, "a byte was not read");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
    close(w.pipe[0]);
    close(w.pipe[1]);
}

static void not_taken(const struct row *row, const struct row_case *c)
{
    weft_sched *sched = sched_of(row);
    struct waiting w = { 0 };
    weft_plan *plan;
    void *item;

    weft_pipeline *p = pipeline(&w);
    weft_consumer(p, WEFT_ANY);
    struct weft_run *run = start(sched, p, &plan);
    look(row, c);
    while (weft_next(run, &item, -1, &why) == 1) {
        w.passed++;
        weft_release(item);
    }
    must(weft_wait(run, -1, &why), why.text);
    row_check(w.passed == ITEMS, "an item was not taken");
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    weft_sched_destroy(sched);
}

int main(int argc, char **argv)
{
    static const struct row_case cases[] = {
        { "after work", after_work, 0 },
        { "a read is pending", pending, 0 },
        { "nothing is taken", not_taken, 0 },
    };
    struct row row = row_begin(argc, argv, "idle", "weft");

    return row_measure(&row, cases, sizeof cases / sizeof *cases);
}
