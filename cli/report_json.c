/* report_json.c: what a run has done, for programs. */
#include <string.h>

#include "cli/json.h"
#include "cli/report.h"

static void put_items(struct json *j, const struct report *r)
{
    json_object(j, "items");
    json_count(j, "total", r->total);
    json_count(j, "in", r->in);
    json_count(j, "out", r->out);
    json_count(j, "failed", r->failed);
    json_count(j, "filtered", r->filtered);
    json_count(j, "cancelled", r->cancelled);
    json_count(j, "unfinished", r->unfinished);
    json_count(j, "left", r->left);
    json_count(j, "earlier", r->earlier);
    json_count(j, "earlier_failed", r->earlier_failed);
    json_end(j);
}

static void put_limit(struct json *j, const struct report *r)
{
    static const char *const kinds[] = {
        [WEFT_BY_SOURCE] = "source",     [WEFT_BY_STAGE] = "tokens",
        [WEFT_BY_WORKERS] = "workers",   [WEFT_BY_LIMIT] = "limit",
        [WEFT_BY_CONSUMER] = "consumer", [WEFT_BY_SLOTS] = "slots",
        [WEFT_BY_BUDGET] = "budget",
    };
    const struct weft_advice *a = &r->advice;

    if (!r->advised || a->what == WEFT_BY_NOTHING) {
        json_null(j, "bottleneck");
        return;
    }
    json_object(j, "bottleneck");
    json_string(j, "kind", kinds[a->what]);
    if (a->stage)
        json_string(j, "stage", a->stage);
    json_number(j, "use", a->use);
    json_string(j, "text", a->sentence.text);
    json_end(j);
}

static void put_stage(struct json *j, const struct weft_stage_stats *s,
                      const char *name)
{
    json_object(j, NULL);
    json_string(j, "name", name);
    json_count(j, "done", s->done);
    json_count(j, "filtered", s->filtered);
    json_count(j, "failed", s->failed);
    json_count(j, "tokens", s->tokens);
    json_count(j, "peak", s->peak);
    json_number(j, "token_wait_seconds", (double)s->token_wait_ns / 1e9);
    json_number(j, "worker_wait_seconds", (double)s->ready_wait_ns / 1e9);
    json_number(j, "running_seconds", (double)s->run_ns / 1e9);
    json_number(j, "pending_seconds", (double)s->pending_wait_ns / 1e9);
    json_end(j);
}

static void put_failure(struct json *j, const struct report *r,
                        const struct failure *f)
{
    const char *name = strerrorname_np(-f->error);

    json_object(j, NULL);
    if (f->path)
        json_string(j, "path", f->path);
    else
        json_null(j, "path");
    json_count(j, f->segment ? "batch" : "item", f->item);
    json_string(j, "stage", job_stage(r->work->spec, f->stage)->name);
    json_string(j, "errno", name ? name : "unknown");
    json_string(j, "text", f->text ? f->text : strerror(-f->error));
    json_end(j);
}

static void put_lists(struct json *j, const struct report *r)
{
    const struct progress *p = &r->work->progress;
    const struct failures *f = &r->work->failures;

    json_array(j, "stages");
    for (size_t i = 0; i < p->stage_count; i++)
        put_stage(j, &p->stages[i], job_stage(r->work->spec, i)->name);
    json_end(j);
    json_array(j, "failures");
    for (unsigned i = 0; i < f->kept_count; i++)
        put_failure(j, r, &f->kept[i]);
    json_end(j);
    json_count(j, "failures_not_listed", f->count - f->kept_count);
}

void report_json(const struct report *r, FILE *out)
{
    struct json j = { .out = out };
    const struct job *job = &r->work->job;

    json_object(&j, NULL);
    json_string(&j, "weft", WEFT_VERSION);
    json_string(&j, "spec", r->work->spec->path);
    json_string(&j, "status", r->status);
    json_count(&j, "exit_code", (uint64_t)r->code);
    json_string(&j, "text", r->text);
    json_string(&j, "note", r->work->note.text);
    json_string(&j, "ring", r->ring.text);
    put_items(&j, r);
    json_count(&j, "files_written", r->files);
    json_count(&j, "bytes_read", atomic_load(&job->bytes_read));
    json_count(&j, "bytes_written", atomic_load(&job->bytes_written));
    json_count(&j, "workers", job->workers);
    json_number(&j, "wall_seconds", r->seconds);
    json_number(&j, "cpu_seconds", r->cpu_seconds);
    json_number(&j, "items_per_second",
                r->seconds > 0 ? (double)r->out / r->seconds : 0);
    json_count(&j, "peak_memory_bytes", r->peak_bytes);
    put_limit(&j, r);
    put_lists(&j, r);
    json_end(&j);
}
