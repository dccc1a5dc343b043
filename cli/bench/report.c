/* report.c: the figures, for machines. */
#include "cli/bench/report.h"

#include <limits.h>

#include "cli/bench/wrong.h"
#include "cli/json.h"
#include "weft/base.h"

static void topology(struct json *j, const struct figures *f)
{
    json_object(j, "topology");
    json_array(j, "decisions");
    for (size_t i = 0; i < f->decision_count; i++) {
        json_object(j, NULL);
        json_string(j, "what", f->decisions[i].what);
        json_string(j, "text", f->decisions[i].text);
        json_end(j);
    }
    json_end(j);
    json_array(j, "cache_bytes");
    for (unsigned i = 0; i < CACHE_LEVELS && f->cache_bytes[i]; i++)
        json_count(j, NULL, f->cache_bytes[i]);
    json_end(j);
    json_end(j);
}

static void place(struct json *j, const char *key, unsigned number)
{
    if (number == UINT_MAX)
        json_null(j, key);
    else
        json_count(j, key, number);
}

static void each_worker(struct json *j, const struct figures *f)
{
    json_object(j, "speed");
    json_number(j, "alone_rounds_per_us", f->alone * 1e3);
    json_number(j, "other_programs_cores", f->others_cores);
    json_array(j, "workers");
    for (unsigned i = 0; i < f->workers; i++) {
        const struct worker_figures *w = &f->each[i];
        json_object(j, NULL);
        json_count(j, "worker", i);
        json_count(j, "cpu", w->cpu);
        place(j, "core", w->core);
        place(j, "node", w->node);
        json_number(j, "before_rounds_per_us", w->before * 1e3);
        json_number(j, "after_rounds_per_us", w->after * 1e3);
        json_number(j, "best_rounds_per_us", w->best * 1e3);
        json_number(j, "share_of_cpu", w->share);
        json_number(j, "stolen", w->stolen);
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

static void latency(struct json *j, const char *key, struct latency l)
{
    json_object(j, key);
    json_number(j, "p50_us", l.p50_us);
    json_number(j, "p99_us", l.p99_us);
    json_end(j);
}

static void tasks(struct json *j, const struct figures *f)
{
    json_object(j, "spawn");
    json_number(j, "plain_call_ns", f->spawn.call_ns);
    json_number(j, "one_worker_ns", f->spawn.one_ns);
    json_number(j, "all_workers_ns", f->spawn.all_ns);
    json_end(j);

    json_object(j, "steal");
    latency(j, "taken", f->steal.taken);
    json_number(j, "joined_p50_us", f->steal.joined_us);
    json_end(j);

    json_object(j, "wake");
    latency(j, "idle", f->wake.idle);
    latency(j, "bare_futex", f->wake.bare);
    latency(j, "awake", f->wake.awake);
    json_end(j);
}

static void graphs(struct json *j, const struct figures *f)
{
    json_array(j, "dag");
    for (size_t i = 0; i < DAG_SHAPES; i++) {
        json_object(j, NULL);
        json_string(j, "shape", f->dag[i].shape);
        json_count(j, "nodes", f->dag[i].nodes);
        json_number(j, "one_worker_ns", f->dag[i].one_ns);
        json_number(j, "all_workers_ns", f->dag[i].all_ns);
        json_end(j);
    }
    json_end(j);

    json_array(j, "metg");
    for (size_t i = 0; i < METG_WIDTHS; i++) {
        json_object(j, NULL);
        json_count(j, "width", f->metg[i].width);
        json_count(j, "steps", f->metg[i].steps);
        json_number(j, "at_50_percent_ns", f->metg[i].at_50_ns);
        json_number(j, "at_90_percent_ns", f->metg[i].at_90_ns);
        json_end(j);
    }
    json_end(j);
}

static void memory(struct json *j, const struct figures *f)
{
    json_object(j, "memory");
    json_count(j, "buffer_bytes", f->memory_bytes);
    json_bool(j, "bound", f->memory_bound);
    json_array(j, "pairs");
    for (size_t i = 0; i < f->memory_count; i++) {
        json_object(j, NULL);
        json_count(j, "cores_of_node", f->memory[i].cores_of);
        json_count(j, "memory_of_node", f->memory[i].memory_of);
        json_number(j, "read_gb_per_s", f->memory[i].read_gb_s);
        json_number(j, "copy_gb_per_s", f->memory[i].copy_gb_s);
        json_number(j, "latency_ns", f->memory[i].latency_ns);
        json_end(j);
    }
    json_end(j);
    json_end(j);
}

static void scaling(struct json *j, const struct figures *f)
{
    json_array(j, "scaling");
    for (size_t i = 0; i < f->point_count; i++) {
        const struct point *p = &f->points[i];
        json_object(j, NULL);
        json_count(j, "workers", p->workers);
        for (size_t work = 0; work < WORKS; work++) {
            json_object(j, work_names[work]);
            json_number(j, "speedup", p->speedup[work]);
            json_number(j, "efficiency", p->speedup[work] / p->workers);
            json_end(j);
        }
        json_end(j);
    }
    json_end(j);
}

static void add_sentence(void *json, const char *sentence)
{
    json_string(json, NULL, sentence);
}

void report_print(const struct figures *f, FILE *out)
{
    struct json j = { .out = out };

    json_object(&j, NULL);
    json_string(&j, "version", WEFT_VERSION);
    json_number(&j, "seconds", f->seconds);
    json_count(&j, "workers", f->workers);
    topology(&j, f);
    each_worker(&j, f);
    tasks(&j, f);
    graphs(&j, f);
    memory(&j, f);
    scaling(&j, f);
    json_array(&j, "looks_wrong");
    wrong_find(f, add_sentence, &j);
    json_end(&j);
    json_end(&j);
}
