/* cmd_bench.c: weft bench: what this machine can do, and what looks wrong.
 *
 * The figures are printed when all are there; the chart is written last, when
 * nothing can interrupt it any more. A signal before that ends the process at
 * once: nobody needs half of the figures, and nothing has been written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/bench/bench.h"
#include "cli/bench/chart.h"
#include "cli/bench/clock.h"
#include "cli/bench/machine.h"
#include "cli/bench/pace.h"
#include "cli/bench/report.h"
#include "cli/bench/table.h"
#include "cli/bench/usage.h"
#include "cli/output.h"
#include "cli/publish.h"
#include "cli/signals.h"

static const double slice_ns = 300e6, quick_slice_ns = 40e6;

struct command {
    const struct bench_args *args;
    struct bench bench;
    struct pace pace;
    struct signals signals;
    struct usage from, to;
    struct publish chart;
};

static const struct step {
    const char *name;
    int (*measure)(struct bench *b, weft_error *why);
} steps[] = {
    { "the speed of each worker", bench_speed_before },
    { "spawn", bench_spawn },
    { "steal", bench_steal },
    { "wake", bench_wake },
    { "dag", bench_dag },
    { "METG", bench_metg },
    { "memory", bench_memory },
    { "scaling", bench_scaling },
    { "the speed of each worker, again", bench_speed_after },
};
enum { STEPS = sizeof steps / sizeof steps[0] };

static int complain(struct command *c, const char *doing, const char *reason)
{
    pace_end(&c->pace);
    fprintf(stderr, "weft bench: %s: %s\n", doing, reason);
    return EXIT_ENVIRONMENT;
}

/* On the thread of the signals: the measurements go on until the process ends.
 */
static void interrupted(void *command)
{
    struct command *c = command;
    int signal = signals_first(&c->signals);
    pace_end(&c->pace);
    fprintf(stderr, "weft bench: stopped by %s; nothing was written\n",
            signal == SIGINT ? "an interrupt" : "a signal");
    _exit(EXIT_SIGNAL + signal);
}

static void leave_terminal(void *command)
{
    struct command *c = command;
    pace_leave(&c->pace);
}

static void return_to_terminal(void *command)
{
    struct command *c = command;
    pace_return(&c->pace);
}

int bench_fail(weft_error *why, int rc, const char *what)
{
    snprintf(why->text, sizeof why->text, "%s: %s", what, strerror(-rc));
    return rc;
}

/* Where memory runs out a decision is missing, no more. */
static void keep(void *figures, const char *what, const char *text)
{
    struct figures *f = figures;
    struct decision *more =
        realloc(f->decisions, (f->decision_count + 1) * sizeof *more);
    if (!more)
        return;
    f->decisions = more;
    struct decision *d = &more[f->decision_count];
    snprintf(d->what, sizeof d->what, "%s", what);
    d->text = strdup(text);
    f->decision_count += d->text != NULL;
}

#ifndef __has_feature /* gcc has none, and two macros instead */
#define __has_feature(what) 0
#endif

/* Why this weft is slower than it could be: it was built as the command was. */
static const char *build(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||           \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    return "built with a sanitizer";
#elif !defined(__OPTIMIZE__)
    return "built without optimisation";
#elif !defined(NDEBUG)
    return "a debug build, with all its checks";
#else
    return NULL;
#endif
}

static int open_bench(struct command *c, weft_error *why)
{
    struct bench *b = &c->bench;
    struct figures *f = &b->figures;

    b->quick = c->args->quick;
    b->slice_ns = b->quick ? quick_slice_ns : slice_ns;
    b->machine = machine_load();
    if (!b->machine)
        return bench_fail(why, -ENOMEM, "the topology");
    int rc = weft_sched_create(
        &b->all, weft_config(sched, .workers = c->args->workers), why);
    if (rc)
        return rc;
    f->workers = weft_sched_workers(b->all);
    b->one = b->all;
    if (f->workers > 1)
        rc = weft_sched_create(&b->one, weft_config(sched, .workers = 1), why);
    if (rc)
        b->one = b->all;
    f->build = build();
    weft_sched_explain(b->all, keep, f);
    for (unsigned i = 0; i < CACHE_LEVELS; i++)
        f->cache_bytes[i] = machine_cache(b->machine, i + 1);
    return rc;
}

static void close_bench(struct bench *b)
{
    if (b->one != b->all)
        weft_sched_destroy(b->one);
    weft_sched_destroy(b->all);
    machine_free(b->machine);
    figures_finish(&b->figures);
}

static int measure(struct command *c)
{
    struct figures *f = &c->bench.figures;
    double start = now_ns();
    weft_error why;

    usage_read(&c->from);
    for (size_t i = 0; i < STEPS; i++) {
        pace_step(&c->pace, steps[i].name);
        if (steps[i].measure(&c->bench, &why) < 0)
            return complain(c, steps[i].name, why.text);
    }
    usage_read(&c->to);
    f->seconds = (now_ns() - start) / 1e9;
    f->others_cores = usage_others(&c->from, &c->to, f->seconds,
                                   (double)sysconf(_SC_CLK_TCK));
    for (unsigned i = 0; i < f->workers; i++)
        f->each[i].stolen = usage_stolen(&c->from, &c->to, f->each[i].cpu);
    pace_end(&c->pace);
    return EXIT_OK;
}

/* What can be known before anything is measured. */
static int open_chart(struct command *c)
{
    const char *path = c->args->svg;
    struct stat there;
    int folder = publish_folder(path, NULL);
    int rc = folder < 0 ? folder : publish_init(&c->chart, folder, path, NULL);

    if (rc == 0 && faccessat(folder, ".", W_OK, AT_EACCESS) != 0)
        rc = -errno;
    if (rc == 0 && stat(path, &there) == 0 && !S_ISREG(there.st_mode))
        rc = S_ISDIR(there.st_mode) ? -EISDIR : -EEXIST;
    if (rc == 0)
        return EXIT_OK;
    fprintf(stderr, "weft bench: cannot create %s: %s\n", path, strerror(-rc));
    return EXIT_ENVIRONMENT;
}

static int write_chart(struct command *c)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    int rc = -ENOMEM;

    if (memory) {
        chart_print(&c->bench.figures, memory);
        if (fclose(memory) == 0)
            rc = publish_write(NULL, &c->chart, text, size, true);
    }
    if (rc < 0)
        fprintf(stderr, "weft bench: cannot %s %s: %s\n",
                publish_doing(&c->chart), c->args->svg, strerror(-rc));
    publish_discard(&c->chart);
    free(text);
    return rc < 0 ? EXIT_ENVIRONMENT : EXIT_OK;
}

static int run(struct command *c)
{
    weft_error why;
    if (open_bench(c, &why) < 0)
        return complain(c, "cannot start", why.text);
    int code = measure(c);
    if (code != EXIT_OK)
        return code;
    if (c->args->json)
        report_print(&c->bench.figures, stdout);
    else
        table_print(&c->bench.figures, stdout);
    return output_flush();
}

int cmd_bench(const struct bench_args *args)
{
    static struct command c; /* too large for a stack */
    const struct signal_actions actions = { interrupted, interrupted,
                                            leave_terminal, return_to_terminal,
                                            &c };

    c.args = args;
    c.chart.folder = -1;
    int code = args->svg ? open_chart(&c) : EXIT_OK;
    if (code == EXIT_OK) {
        pace_init(&c.pace, STEPS);
        int rc = signals_start(&c.signals, &actions);
        code = rc ? complain(&c, "cannot start", strerror(-rc)) : run(&c);
        if (rc == 0)
            signals_stop(&c.signals);
        if (code == EXIT_OK && args->svg)
            code = write_chart(&c);
        close_bench(&c.bench);
        pace_finish(&c.pace);
    }
    if (c.chart.folder >= 0)
        close(c.chart.folder);
    return code;
}
