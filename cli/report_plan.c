/* report_plan.c: what would run, for --dry-run. */
#include <inttypes.h>
#include <string.h>

#include "cli/json.h"
#include "cli/report.h"

static unsigned tokens_of(const struct work *w, size_t stage)
{
    unsigned tokens = job_stage(w->spec, stage)->tokens;
    return tokens ? tokens : w->job.workers;
}

static const char *order_of(const struct work *w, size_t stage)
{
    return job_stage(w->spec, stage)->ordered ? "input" : "any";
}

static void policy_text(const struct spec *spec, char *out, size_t size)
{
    if (spec->policy == WEFT_AT_MOST)
        snprintf(out, size, "at most %u", spec->max_failures);
    else
        snprintf(out, size, "%s", spec->policy == WEFT_SKIP ? "skip" : "stop");
}

void report_plan(const struct work *w, FILE *out)
{
    const struct spec *spec = w->spec;
    int name = 5, op = 8;
    char policy[32];

    for (size_t i = 0; i <= spec->stage_count; i++) {
        int n = (int)strlen(job_stage(spec, i)->name);
        int m = (int)strlen(job_stage(spec, i)->op->name);
        name = n > name ? n : name;
        op = m > op ? m : op;
    }
    policy_text(spec, policy, sizeof policy);
    fprintf(out, "%" PRIu64 " item%s, %u worker%s; nothing is written\n\n",
            job_left(w), job_left(w) == 1 ? "" : "s", w->job.workers,
            w->job.workers == 1 ? "" : "s");
    fprintf(out, "  %-*s  %-*s  tokens  order\n", name, "stage", op,
            "operator");
    for (size_t i = 0; i <= spec->stage_count; i++)
        fprintf(out, "  %-*s  %-*s  %6u  %s\n", name, job_stage(spec, i)->name,
                op, job_stage(spec, i)->op->name, tokens_of(w, i),
                order_of(w, i));
    fprintf(out, "\n  at most %u items in flight; failed items: %s\n",
            spec_slots(spec, 0, w->job.workers), policy);
}

void report_plan_json(const struct work *w, FILE *out)
{
    struct json j = { .out = out };
    char policy[32];

    policy_text(w->spec, policy, sizeof policy);
    json_object(&j, NULL);
    json_string(&j, "weft", WEFT_VERSION);
    json_string(&j, "spec", w->spec->path);
    json_bool(&j, "dry_run", true);
    json_count(&j, "items", job_left(w));
    json_count(&j, "workers", w->job.workers);
    json_count(&j, "slots", spec_slots(w->spec, 0, w->job.workers));
    json_string(&j, "on_error", policy);
    json_array(&j, "stages");
    for (size_t i = 0; i <= w->spec->stage_count; i++) {
        json_object(&j, NULL);
        json_string(&j, "name", job_stage(w->spec, i)->name);
        json_string(&j, "operator", job_stage(w->spec, i)->op->name);
        json_count(&j, "tokens", tokens_of(w, i));
        json_string(&j, "order", order_of(w, i));
        json_end(&j);
    }
    json_end(&j);
    json_end(&j);
}
