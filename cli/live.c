/* live.c: what a run is doing, while it does it.
 *
 * Everything is cut to the width of the terminal; what matters least is left
 * out first. When the block is taller than the screen, only its last line is
 * drawn.
 */
#include "cli/live.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/job.h"
#include "cli/text.h"

static const double line_every = 10; /* seconds */
enum { NAME_COLUMNS = 16, BAR_COLUMNS = 16, COLUMN = 9 };

int live_init(struct live *l, const struct spec *spec, bool quiet)
{
    size_t stages = spec->stage_count + 1;

    *l = (struct live){ .spec = spec, .quiet = quiet, .next_line = line_every };
    pthread_mutex_init(&l->lock, NULL);
    term_init(&l->term, STDERR_FILENO);
    l->loads = calloc(stages, sizeof l->loads[0]);
    return l->loads ? history_init(&l->history, stages) : -ENOMEM;
}

void live_leave(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    term_leave(&l->term);
}

void live_return(struct live *l) { pthread_mutex_unlock(&l->lock); }

void live_erase(struct live *l)
{
    pthread_mutex_lock(&l->lock);
    term_erase(&l->term);
    term_leave(&l->term);
    pthread_mutex_unlock(&l->lock);
}

void live_finish(struct live *l)
{
    live_erase(l);
    history_finish(&l->history);
    free(l->loads);
    pthread_mutex_destroy(&l->lock);
}

/* "0:08", "1:02:45", or "-" when there is no telling. */
static void eta(const struct live *l, const struct progress *p, char *out,
                size_t size)
{
    double rate = history_rate(&l->history);
    uint64_t ended = progress_ended(p);
    double s = rate > 0 && ended <= l->total
                   ? ceil((double)(l->total - ended) / rate)
                   : 1e9;
    unsigned whole = (unsigned)s;

    if (s >= 100 * 3600)
        snprintf(out, size, "-");
    else if (whole >= 3600)
        snprintf(out, size, "%u:%02u:%02u", whole / 3600, whole / 60 % 60,
                 whole % 60);
    else
        snprintf(out, size, "%u:%02u", whole / 60, whole % 60);
}

/* "decode is the bottleneck", or nothing. */
static void limit_text(const struct live *l, struct limit limit, char *out,
                       size_t size)
{
    const char *name = job_stage(l->spec, limit.stage)->name;

    out[0] = '\0';
    if (limit.kind == LIMIT_WORKERS)
        snprintf(out, size, "all workers busy, most with %s", name);
    else if (limit.kind == LIMIT_TOKENS)
        snprintf(out, size, "all tokens of %s in use", name);
}

static void bar(struct term *t, double part)
{
    static const char full[] = "━━━━━━━━━━━━━━━━", rest[] = "╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌╌";
    static const char hashes[] = "################",
                      dashes[] = "----------------";
    int size = t->utf8 ? 3 : 1, n = (int)(part * BAR_COLUMNS);

    term_add(t, TERM_BOLD, "  %.*s", n * size, t->utf8 ? full : hashes);
    term_add(t, TERM_DIM, "%.*s", (BAR_COLUMNS - n) * size,
             t->utf8 ? rest : dashes);
}

static void total_line(struct live *l, const struct progress *p,
                       struct limit limit, bool draining)
{
    struct term *t = &l->term;
    uint64_t ended = progress_ended(p), failed = progress_failed(p);
    double part = l->total ? (double)ended / (double)l->total : 1;
    char rate[32], left[32], why[128];

    text_rate(rate, sizeof rate, history_rate(&l->history));
    eta(l, p, left, sizeof left);
    limit_text(l, limit, why, sizeof why);

    term_add(t, TERM_BOLD, "%" PRIu64 " of %" PRIu64, ended, l->total);
    term_add(t, TERM_PLAIN, "  %.0f %%", floor(100 * part));
    if (t->columns >= 80)
        bar(t, part);
    term_add(t, TERM_PLAIN, "  %s/s", rate);
    if (draining) {
        term_add(t, TERM_YELLOW, "  stopping: %" PRIu64 " in flight",
                 progress_in_flight(p));
        term_add(t, TERM_PLAIN, "; ^C twice in all aborts");
    } else {
        term_add(t, TERM_PLAIN, "  ETA %s", left);
    }
    if (failed)
        term_add(t, TERM_RED, "  %" PRIu64 " failed", failed);
    if (!draining)
        term_add(t, TERM_DIM, "  %s", why);
    term_end_line(t);
}

/* Which columns there is room for, next to the name and the mark. */
struct columns {
    unsigned name;
    bool rate, in_flight;
    const char *mark;
};

static struct columns choose_columns(const struct live *l)
{
    struct columns c = { .name = 5 };
    unsigned width;

    for (size_t i = 0; i <= l->spec->stage_count; i++) {
        width = (unsigned)strlen(job_stage(l->spec, i)->name);
        c.name = width > c.name ? width : c.name;
    }
    c.name = c.name < NAME_COLUMNS ? c.name : NAME_COLUMNS;
    width = c.name + 3 * COLUMN + 3; /* with the short mark */
    c.rate = width + COLUMN < l->term.columns;
    c.in_flight = c.rate && width + 2 * COLUMN + 2 < l->term.columns;
    c.mark = c.in_flight && width + 2 * COLUMN + 13 < l->term.columns
                 ? l->term.utf8 ? "  ◀ bottleneck" : "  < bottleneck"
             : l->term.utf8 ? " ◀"
                            : " <";
    return c;
}

static void header_line(struct live *l, const struct columns *c)
{
    struct term *t = &l->term;
    term_add(t, TERM_DIM, "%-*s%*s", (int)c->name, "stage", COLUMN, "done");
    if (c->rate)
        term_add(t, TERM_DIM, "%*s", COLUMN, "per s");
    if (c->in_flight)
        term_add(t, TERM_DIM, "%*s", COLUMN + 2, "in flight");
    term_add(t, TERM_DIM, "%*s%*s", COLUMN, "tokens", COLUMN, "busy");
    term_end_line(t);
}

static void stage_line(struct live *l, const struct progress *p, size_t i,
                       const struct columns *c, bool is_limit)
{
    struct term *t = &l->term;
    const struct weft_stage_stats *s = &p->stages[i];
    double busy = l->loads[i].running / l->workers;
    const char *name = job_stage(l->spec, i)->name;
    char rate[32], tokens[32];

    text_rate(rate, sizeof rate, history_stage_rate(&l->history, i));
    if (s->tokens)
        snprintf(tokens, sizeof tokens, "%u/%u", s->running, s->tokens);
    else
        snprintf(tokens, sizeof tokens, "%u", s->running);

    term_add(t, is_limit ? TERM_YELLOW : TERM_PLAIN, "%-*.*s", (int)c->name,
             (int)c->name, name);
    term_add(t, TERM_PLAIN, "%*" PRIu64, COLUMN, s->done);
    if (c->rate)
        term_add(t, TERM_PLAIN, "%*s", COLUMN, rate);
    if (c->in_flight)
        term_add(t, TERM_PLAIN, "%*u", COLUMN + 2, s->running + s->waiting);
    term_add(t, TERM_PLAIN, "%*s%*.0f %%", COLUMN, tokens, COLUMN - 2,
             100 * (busy < 1 ? busy : 1));
    if (is_limit)
        term_add(t, TERM_YELLOW, "%s", c->mark);
    term_end_line(t);
}

static void draw(struct live *l, const struct progress *p, struct limit limit,
                 bool draining)
{
    if (!term_begin(&l->term))
        return;
    if (p->stage_count + 3 <= l->term.rows) {
        struct columns c = choose_columns(l);
        header_line(l, &c);
        for (size_t i = 0; i < p->stage_count; i++)
            stage_line(l, p, i, &c,
                       limit.kind != LIMIT_UNKNOWN && limit.stage == i);
    }
    total_line(l, p, limit, draining);
    term_draw(&l->term);
}

static void print_line(struct live *l, const struct progress *p,
                       struct limit limit, bool draining)
{
    char rate[32], left[32], why[128];

    if (draining && !l->told_draining) {
        fprintf(stderr, "weft: stopping: %" PRIu64 " items in flight\n",
                progress_in_flight(p));
        l->told_draining = true;
    }
    if (p->seconds < l->next_line)
        return;
    l->next_line += line_every;
    text_rate(rate, sizeof rate, history_rate(&l->history));
    eta(l, p, left, sizeof left);
    limit_text(l, limit, why, sizeof why);
    fprintf(stderr,
            "weft: %" PRIu64 " of %" PRIu64 " items, %" PRIu64
            " failed, %s/s, ETA %s%s%s\n",
            progress_ended(p), l->total, progress_failed(p), rate, left,
            *why ? ", " : "", why);
}

void live_update(struct live *l, const struct progress *p, bool draining)
{
    if (l->quiet)
        return;
    history_add(&l->history, p);
    history_loads(&l->history, p, l->loads);
    struct limit limit = load_limit(l->loads, p->stage_count, l->workers);

    pthread_mutex_lock(&l->lock);
    if (l->term.live)
        draw(l, p, limit, draining);
    else
        print_line(l, p, limit, draining);
    pthread_mutex_unlock(&l->lock);
}
