/* report.c: what a run has done, for people. */
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/text.h"

static double seconds_of(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

/* External commands are work of this run, too. */
static void read_usage(struct report *r)
{
    struct rusage self, children;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &children);
    r->cpu_seconds = seconds_of(self.ru_utime) + seconds_of(self.ru_stime) +
                     seconds_of(children.ru_utime) +
                     seconds_of(children.ru_stime);
    r->peak_bytes = (uint64_t)self.ru_maxrss * 1024;
}

static void count_items(struct report *r)
{
    const struct progress *p = &r->work->progress;
    const struct weft_flow *first = &p->flows[0];
    const struct weft_flow *last = &p->flows[p->segment_count - 1];
    uint64_t cut_off = atomic_load(&r->work->cut_off), known;

    r->total = job_total(r->work);
    r->in = first->fed;
    r->earlier = r->work->resume.out;
    r->earlier_failed = r->work->resume.failed;
    uint64_t mine = job_left(r->work);
    r->left = mine > r->in ? mine - r->in : 0;
    r->failed = progress_failed(p) - cut_off + r->earlier_failed;
    r->filtered = first->filtered;
    r->cancelled = first->cancelled + cut_off;
    if (!job_published(r->work, &r->out, &r->files))
        r->out = last->delivered;
    known = r->out + first->failed + first->filtered + first->cancelled;
    r->unfinished = r->in > known ? r->in - known : 0;
}

static void keep_ring(void *report, const char *what, const char *text)
{
    struct report *r = report;

    if (!strcmp(what, "ring"))
        snprintf(r->ring.text, sizeof r->ring.text, "%s", text);
}

int report_init(struct report *r, const struct work *work, double seconds)
{
    struct weft_run *run = atomic_load(&work->job.run);

    *r = (struct report){ .work = work, .seconds = seconds };
    count_items(r);
    read_usage(r);
    weft_sched_explain(work->job.sched, keep_ring, r);
    if (!run)
        return 0;
    int rc = weft_pipeline_explain(run, NULL, &r->advice);
    r->advised = rc == 0;
    return rc;
}

static void print_failure(const struct report *r, const struct failure *f,
                          FILE *err)
{
    char path[1024], text[1024];
    const char *why = f->text ? f->text : strerror(-f->error);

    if (f->path)
        text_escape(path, sizeof path, f->path);
    else
        snprintf(path, sizeof path, "%s %" PRIu64,
                 f->segment ? "batch" : "item", f->item);
    fprintf(err, "weft: %s: %s: %s\n", path,
            job_stage(r->work->spec, f->stage)->name,
            text_escape(text, sizeof text, why));
}

void report_errors(const struct report *r, FILE *err)
{
    const struct failures *f = &r->work->failures;

    for (unsigned i = 0; i < f->kept_count && i < FAILURES_SHOWN; i++)
        print_failure(r, &f->kept[i], err);
    if (f->count > FAILURES_SHOWN)
        fprintf(err, "weft: and %" PRIu64 " more failed%s\n",
                f->count - FAILURES_SHOWN,
                f->count <= FAILURES_KEPT ? "; --json lists all" : "");
    if (r->text[0])
        fprintf(err, "weft: %s\n", r->text);
}

static void print_items(const struct report *r, FILE *out)
{
    fprintf(out,
            "  items    %" PRIu64 " in, %" PRIu64 " out, %" PRIu64
            " failed, %" PRIu64 " filtered\n",
            r->in, r->out, r->failed, r->filtered);
    if (r->unfinished || r->cancelled || r->left)
        fprintf(out,
                "  not done %" PRIu64 " not started, %" PRIu64
                " cancelled, %" PRIu64 " in no finished file\n",
                r->left, r->cancelled, r->unfinished);
}

static void print_earlier(const struct report *r, FILE *out)
{
    if (r->work->resume.found)
        fprintf(out,
                "  earlier  %" PRIu64 " were out, %" PRIu64
                " had failed and are left out\n",
                r->earlier, r->earlier_failed);
}

static void print_limit(const struct report *r, FILE *out)
{
    char text[1024];

    if (!r->advised || r->advice.what == WEFT_BY_NOTHING)
        fprintf(out, "  limit    none to be seen\n");
    else
        fprintf(out, "  limit    %s\n",
                text_escape(text, sizeof text, r->advice.sentence.text));
}

/* Where the time of a stage's items went. */
static void print_stage(const struct weft_stage_stats *s, const char *name,
                        int width, FILE *out)
{
    double ns[] = { (double)s->token_wait_ns, (double)s->ready_wait_ns,
                    (double)s->run_ns, (double)s->pending_wait_ns };
    double sum = ns[0] + ns[1] + ns[2] + ns[3];
    uint64_t items = s->done + s->filtered + s->failed;
    char peak[32];

    if (s->tokens)
        snprintf(peak, sizeof peak, "%u/%u", s->peak, s->tokens);
    else
        snprintf(peak, sizeof peak, "%u", s->peak);
    fprintf(out, "  %-*s%9" PRIu64 "%9" PRIu64 "%9s%11.3f  ", width, name,
            s->done, s->failed, peak, items ? sum / 1e6 / (double)items : 0);
    for (size_t i = 0; i < 4; i++)
        fprintf(out, "%6.0f %%", sum > 0 ? 100 * ns[i] / sum : 0);
    fputc('\n', out);
}

static void print_stages(const struct report *r, FILE *out)
{
    const struct progress *p = &r->work->progress;
    size_t width = strlen("stage");

    for (size_t i = 0; i < p->stage_count; i++) {
        size_t n = strlen(job_stage(r->work->spec, i)->name);
        width = n > width ? n : width;
    }
    fprintf(out, "\n  %-*s%9s%9s%9s%11s  %8s%8s%8s%8s\n", (int)width, "stage",
            "done", "failed", "tokens", "ms/item", "token", "worker", "running",
            "pending");
    for (size_t i = 0; i < p->stage_count; i++)
        print_stage(&p->stages[i], job_stage(r->work->spec, i)->name,
                    (int)width, out);
}

void report_summary(const struct report *r, FILE *out)
{
    const struct job *job = &r->work->job;
    double rate = r->seconds > 0 ? (double)r->out / r->seconds : 0;
    double share =
        r->seconds > 0 ? r->cpu_seconds / r->seconds / job->workers : 0;
    char a[32], b[32];

    fprintf(out,
            "%" PRIu64 " item%s out in %s: %s items/s with %u worker%s\n\n",
            r->out, r->out == 1 ? "" : "s",
            text_seconds(a, sizeof a, r->seconds), text_rate(b, sizeof b, rate),
            job->workers, job->workers == 1 ? "" : "s");
    print_items(r, out);
    print_earlier(r, out);
    fprintf(out, "  read     %s\n",
            text_bytes(a, sizeof a, atomic_load(&job->bytes_read)));
    fprintf(out, "  written  %s in %" PRIu64 " file%s\n",
            text_bytes(a, sizeof a, atomic_load(&job->bytes_written)), r->files,
            r->files == 1 ? "" : "s");
    fprintf(out, "  time     %s wall, %s CPU (%.0f %% of the workers)\n",
            text_seconds(a, sizeof a, r->seconds),
            text_seconds(b, sizeof b, r->cpu_seconds), 100 * share);
    fprintf(out, "  memory   %s at the peak\n",
            text_bytes(a, sizeof a, r->peak_bytes));
    print_limit(r, out);
    if (r->ring.text[0])
        fprintf(out, "  ring     %s\n", r->ring.text);
    if (r->work->note.text[0])
        fprintf(out, "  note     %s\n", r->work->note.text);
    print_stages(r, out);
}
