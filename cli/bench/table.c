/* table.c: the figures, for people. */
#include "cli/bench/table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "cli/bench/wrong.h"
#include "cli/text.h"

/* "7.4 ns", or "-" where there is no figure. */
struct cell {
    char text[32];
};

static struct cell cell(double value, const char *unit)
{
    struct cell cell = { "-" };
    char digits[24];
    if (!isnan(value))
        snprintf(cell.text, sizeof cell.text, "%s %s",
                 text_rate(digits, sizeof digits, value), unit);
    return cell;
}

static struct cell percent(double part)
{
    struct cell cell = { "-" };
    if (!isnan(part))
        snprintf(cell.text, sizeof cell.text, "%.0f %%", 100 * part);
    return cell;
}

static void row(FILE *out, const char *what, const char *a, const char *b,
                const char *c)
{
    fprintf(out, "%-36s %12s", what, a);
    fprintf(out, *b ? " %12s" : "%s", b);
    fprintf(out, *c ? " %12s\n" : "%s\n", c);
}

static void heading(FILE *out, const char *what, const char *a, const char *b,
                    const char *c)
{
    fputc('\n', out);
    row(out, what, a, b, c);
}

static void topology(const struct figures *f, FILE *out)
{
    static const char *const levels[CACHE_LEVELS] = { "L1d", "L2", "L3", "L4" };

    for (size_t i = 0; i < f->decision_count; i++)
        fprintf(out, "%-10s %s\n", f->decisions[i].what, f->decisions[i].text);
    fprintf(out, "%-10s %s", "caches", f->cache_bytes[0] ? "" : "not known");
    for (unsigned i = 0; i < CACHE_LEVELS && f->cache_bytes[i]; i++)
        fprintf(out, "%s%s %" PRIu64 " KiB", i > 0 ? ", " : "", levels[i],
                f->cache_bytes[i] / 1024);
    fputc('\n', out);
}

static void each_worker(const struct figures *f, FILE *out)
{
    heading(out, "worker, all at work", "speed", "and after", "of its CPU");
    for (unsigned i = 0; i < f->workers; i++) {
        const struct worker_figures *w = &f->each[i];
        char what[40];
        snprintf(what, sizeof what, "  worker %u, CPU %u", i, w->cpu);
        row(out, what, percent(w->before / f->alone).text,
            percent(w->after / f->alone).text, percent(w->share).text);
    }
}

static void latency(FILE *out, const char *what, struct latency l)
{
    row(out, what, cell(l.p50_us, "us").text, cell(l.p99_us, "us").text, "");
}

static void tasks(const struct figures *f, FILE *out)
{
    heading(out, "spawn, a child", "plain call", "one worker", "all workers");
    row(out, "  spawned and synced", cell(f->spawn.call_ns, "ns").text,
        cell(f->spawn.one_ns, "ns").text, cell(f->spawn.all_ns, "ns").text);

    heading(out, "steal, a child", "p50", "p99", "");
    latency(out, "  until it runs on another worker", f->steal.taken);
    row(out, "  and until its parent goes on",
        cell(f->steal.joined_us, "us").text, "", "");

    heading(out, "wake, submit and wait", "p50", "p99", "");
    latency(out, "  from idle", f->wake.idle);
    latency(out, "  a bare futex, there and back", f->wake.bare);
    latency(out, "  while a worker still looks for work", f->wake.awake);
}

static void graphs(const struct figures *f, FILE *out)
{
    char what[64];

    heading(out, "dag, run again, a node", "one worker", "all workers", "");
    for (size_t i = 0; i < DAG_SHAPES; i++) {
        const struct dag_figures *d = &f->dag[i];
        snprintf(what, sizeof what, "  %s of %zu", d->shape, d->nodes);
        row(out, what, cell(d->one_ns, "ns").text, cell(d->all_ns, "ns").text,
            "");
    }

    heading(out, "METG, the shortest task", "50 %", "90 %", "");
    for (size_t i = 0; i < METG_WIDTHS; i++) {
        const struct metg_figures *m = &f->metg[i];
        snprintf(what, sizeof what, "  stencil_1d, width %u, %u steps",
                 m->width, m->steps);
        row(out, what, cell(m->at_50_ns, "ns").text,
            cell(m->at_90_ns, "ns").text, "");
    }
}

static void memory(const struct figures *f, FILE *out)
{
    char what[64], size[32];

    snprintf(what, sizeof what, "memory, %s a buffer",
             text_bytes(size, sizeof size, f->memory_bytes));
    heading(out, what, "read", "copy", "latency");
    for (size_t i = 0; i < f->memory_count; i++) {
        const struct memory_figures *m = &f->memory[i];
        if (m->cores_of == m->memory_of)
            snprintf(what, sizeof what, "  node %u", m->cores_of);
        else
            snprintf(what, sizeof what, "  node %u, memory of node %u",
                     m->cores_of, m->memory_of);
        row(out, what, cell(m->read_gb_s, "GB/s").text,
            cell(m->copy_gb_s, "GB/s").text, cell(m->latency_ns, "ns").text);
    }
}

static void scaling(const struct figures *f, FILE *out)
{
    heading(out, "scaling, efficiency", work_names[0], work_names[1],
            work_names[2]);
    for (size_t i = 0; i < f->point_count; i++) {
        const struct point *p = &f->points[i];
        char what[40];
        snprintf(what, sizeof what, "  %u worker%s", p->workers,
                 p->workers == 1 ? "" : "s");
        row(out, what, percent(p->speedup[0] / p->workers).text,
            percent(p->speedup[1] / p->workers).text,
            percent(p->speedup[2] / p->workers).text);
    }
}

struct sentences {
    FILE *out;
    unsigned count;
};

static void print_sentence(void *sentences, const char *sentence)
{
    struct sentences *s = sentences;
    fprintf(s->out, "  %s\n", sentence);
    s->count++;
}

void table_print(const struct figures *f, FILE *out)
{
    struct sentences s = { .out = out };

    topology(f, out);
    each_worker(f, out);
    tasks(f, out);
    graphs(f, out);
    memory(f, out);
    scaling(f, out);
    fputs("\nwhat looks wrong\n", out);
    wrong_find(f, print_sentence, &s);
    if (s.count == 0)
        fputs("  nothing\n", out);
}
