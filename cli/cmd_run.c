/* cmd_run.c: weft run, from a spec on disk to shards and an exit code.
 *
 * The workers do the work and a thread takes the signals; this thread looks on,
 * ten times a second, and closes and reports when the run has ended. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/image/heap.h"
#include "cli/job.h"
#include "cli/live.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/signals.h"

enum { REDRAW_MS = 100 };

struct command {
    const struct run_args *args;
    struct spec spec;
    struct work work;
    struct live live;
    struct signals signals;
    atomic_bool reporting; /* all is on disk */
};

/* Signals, on their thread. */

static void drain(void *c_)
{
    struct command *c = c_;
    job_drain(&c->work);
}

/* While we report to somebody who does not listen there is nothing to end but
 * the process. */
static void abort_now(void *c_)
{
    struct command *c = c_;
    if (atomic_load(&c->reporting))
        _exit(EXIT_SIGNAL + signals_first(&c->signals));
    job_abort(&c->work);
}

static void leave_terminal(void *c_)
{
    struct command *c = c_;
    live_leave(&c->live);
}

static void return_to_terminal(void *c_)
{
    struct command *c = c_;
    live_return(&c->live);
}

/* How it ended. */

static bool was_cancelled(const struct work *w, int rc)
{
    return w->aborting && (rc == -ECANCELED || !atomic_load(&w->job.run));
}

static bool was_stopped(const struct work *w, int rc)
{
    return rc < 0 && progress_failed(&w->progress) > 0 &&
           w->spec->policy != WEFT_SKIP;
}

/* The exit code as far as the run itself decides it. */
static int exit_code(struct command *c, int rc)
{
    struct work *w = &c->work;

    if (atomic_load(&w->job.fatal))
        return EXIT_ENVIRONMENT;
    if (was_cancelled(w, rc))
        return EXIT_SIGNAL + signals_first(&c->signals);
    if (was_stopped(w, rc))
        return EXIT_POLICY;
    if (rc < 0)
        return EXIT_ENVIRONMENT;
    if (w->draining && progress_fed(&w->progress) < job_left(w))
        return EXIT_WORK_LEFT;
    return w->failures.count > 0 ? EXIT_FAILED_ITEMS : EXIT_OK;
}

static const char *status_of(int code)
{
    switch (code) {
    case EXIT_OK:
        return "complete";
    case EXIT_FAILED_ITEMS:
        return "items failed";
    case EXIT_ENVIRONMENT:
        return "environment failed";
    case EXIT_POLICY:
        return "stopped by the failure policy";
    case EXIT_WORK_LEFT:
        return "drained";
    default:
        return "aborted";
    }
}

static void explain(struct report *r, const weft_error *why)
{
    uint64_t done = r->in - r->cancelled + r->earlier + r->earlier_failed;
    uint64_t out = r->out + r->earlier;
    size_t size = sizeof r->text;

    r->status = status_of(r->code);
    switch (r->code) {
    case EXIT_OK:
        break;
    case EXIT_FAILED_ITEMS:
        snprintf(r->text, size,
                 "%" PRIu64 " failed, %" PRIu64 " of %" PRIu64 " items are out",
                 r->failed, out, r->total);
        break;
    case EXIT_ENVIRONMENT:
        snprintf(r->text, size, "%s; --resume goes on when that is mended",
                 atomic_load(&r->work->job.fatal) ? r->work->job.fatal_text
                                                  : why->text);
        break;
    case EXIT_POLICY:
        snprintf(r->text, size,
                 "stopped by the failure policy: %" PRIu64 " failed, %" PRIu64
                 " of %" PRIu64 " items are out; --retry-failed goes on, "
                 "and with --keep-going leaves out what fails again",
                 r->failed, out, r->total);
        break;
    case EXIT_WORK_LEFT:
        snprintf(r->text, size,
                 "stopped: %" PRIu64 " of %" PRIu64 " items done, %" PRIu64
                 " left; run again with --resume to do them",
                 done, r->total, r->total - done);
        break;
    default:
        snprintf(r->text, size,
                 "aborted: %" PRIu64 " of %" PRIu64
                 " items are in finished files; run again with --resume to do "
                 "the others",
                 out, r->total);
    }
}

static int complain(const weft_error *why)
{
    fprintf(stderr, "weft: %s\n", why->text);
    return EXIT_ENVIRONMENT;
}

static int report(struct command *c, int code, double seconds,
                  const weft_error *why)
{
    struct report r;

    if (report_init(&r, &c->work, seconds) < 0)
        return complain(&(weft_error){ "no memory for the report" });
    r.code = code;
    explain(&r, why);

    if (c->args->json)
        report_json(&r, stdout);
    else if (!c->args->quiet)
        report_summary(&r, stdout);
    int rc = output_flush();
    report_errors(&r, stderr);
    return code <= EXIT_FAILED_ITEMS && rc ? rc : code;
}

static int plan(struct command *c)
{
    if (c->args->json)
        report_plan_json(&c->work, stdout);
    else
        report_plan(&c->work, stdout);
    return output_flush();
}

static int close_job(struct command *c, int code, weft_error *why)
{
    struct work *w = &c->work;
    bool commit = code != EXIT_ENVIRONMENT && code < EXIT_SIGNAL;
    bool complete = code == EXIT_OK || code == EXIT_FAILED_ITEMS;
    weft_error close_why;

    if (job_close(w, commit, complete, &close_why) < 0 && commit) {
        code = EXIT_ENVIRONMENT;
        *why = close_why;
    }
    if (complete && job_note_end(w) < 0)
        code = EXIT_ENVIRONMENT;
    return code;
}

/* There is something left to do, or to be asked. */
static int keep(struct command *c, int code)
{
    struct journal *journal = &c->work.resume.journal;
    int rc = journal->kept ? journal_sync(journal) : journal_remove(journal);
    if (rc && !atomic_load(&c->work.job.fatal)) {
        fprintf(stderr, "weft: cannot write to %s: %s\n", journal->path,
                strerror(-rc));
        code = EXIT_ENVIRONMENT;
    }
    return code;
}

/* All is out, and who asked knows. */
static int forget(struct command *c)
{
    struct journal *journal = &c->work.resume.journal;
    int rc = journal_remove(journal);
    if (!rc)
        return EXIT_OK;
    fprintf(stderr, "weft: cannot remove %s: %s\n", journal->path,
            strerror(-rc));
    return EXIT_ENVIRONMENT;
}

/* What --resume has found. */
static void tell_resumed(const struct command *c)
{
    const struct resume *r = &c->work.resume;

    if (c->args->quiet || c->args->mode == RESUME_NOT)
        return;
    if (r->found)
        fprintf(stderr,
                "weft: %" PRIu64 " of %" PRIu64 " items are out already, "
                "%" PRIu64 " failed and are left out\n",
                r->out, r->count, r->failed);
    else
        fprintf(stderr,
                "weft: there is no journal %s, or nothing is in it; beginning "
                "anew\n",
                r->journal.path);
}

static int run(struct command *c)
{
    struct work *w = &c->work;
    weft_error why = { "no memory" };
    double started = job_now();
    int rc = 0;

    if (job_open(w, &why) < 0)
        return complain(&why);
    if (c->args->dry_run)
        return plan(c);

    tell_resumed(c);
    c->live.total = job_left(w);
    c->live.workers = w->job.workers;
    if (job_start(w, &why) < 0)
        return complain(&why);
    /* With a seed the time of a wait is not ours: nobody looks on. */
    int wait_ms = c->args->seed ? -1 : REDRAW_MS;
    while (!job_wait(w, wait_ms, &rc, &why))
        live_update(&c->live, &w->progress, signals_first(&c->signals) != 0);

    int code = exit_code(c, rc);
    code = close_job(c, code, &why);
    atomic_store(&c->reporting, true);
    live_erase(&c->live);
    code = report(c, code, job_now() - started, &why);
    return code == EXIT_OK ? forget(c) : keep(c, code);
}

/* No file of ours may become descriptor 0, 1 or 2: what is printed would end up
 * in it. Where one was closed, reading gives nothing, and writing fails. */
static void hold_standard_streams(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        close(fd);
}

/* Reads in flight hold descriptors. The soft limit is low for programs that use
 * select(), which we do not; the hard one is what the system means. */
static void raise_file_limit(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) < 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

int cmd_run(const struct run_args *args)
{
    struct command c = { .args = args };
    const struct signal_actions actions = { drain, abort_now, leave_terminal,
                                            return_to_terminal, &c };

    hold_standard_streams();
    raise_file_limit();
    heap_keep();
    int code = spec_load(&c.spec, &args->spec);
    if (code)
        return code;

    job_init(&c.work, &c.spec, args->dry_run, args->mode, args->seed);
    c.work.sandboxed = args->sandbox;
    int rc = live_init(&c.live, &c.spec, args->quiet);
    if (rc == 0)
        rc = signals_start(&c.signals, &actions);
    if (rc == 0) {
        code = run(&c);
        signals_stop(&c.signals);
    } else {
        code = complain(&(weft_error){ "no memory, or no more threads" });
    }
    live_finish(&c.live);
    job_destroy(&c.work);
    spec_free(&c.spec);
    return code;
}
