/* wrong.c: what looks wrong in the figures, in sentences.
 *
 * Rules over figures that are there already: nothing is measured here. A rule
 * speaks when what it sees costs more than the noise of a quiet machine. */
#include "cli/bench/wrong.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/percentile.h"

enum { NAMED = 4 };                 /* workers, the others are counted */
static const double slower = 1.25;  /* a worker, than most others */
static const double share = 0.9;    /* of its CPU, that a worker should get */
static const double drift = 0.05;   /* from before to after */
static const double all_busy = 0.9; /* of the speed of one alone */
static const double stolen = 0.02;
static const double others = 0.2; /* cores */
static const double uneven = 0.8; /* bandwidth of a node against the others' */
static const double scales = 0.75;
static const double wakes = 2; /* times a bare futex */

struct findings {
    const struct figures *f;
    wrong_fn *say;
    void *ctx;
};

__attribute__((format(printf, 2, 3))) static void say(const struct findings *to,
                                                      const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    to->say(to->ctx, sentence);
}

static double percent(double part) { return 100 * part; }

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static void build(const struct findings *to)
{
    if (to->f->build)
        say(to, "this weft is %s: a release build is faster", to->f->build);
}

/* How many of them may be used; 0: that is not known. */
static unsigned cores(const struct figures *f)
{
    return (unsigned)strtoul(figures_decision(f, "cores"), NULL, 10);
}

/* What the scheduler found. */
static void decisions(const struct findings *to)
{
    const struct figures *f = to->f;
    const char *which = figures_decision(f, "cores");
    const char *quota = figures_decision(f, "quota");
    const char *pinning = figures_decision(f, "pinning");
    const char *io = strstr(figures_decision(f, "I/O"), "blocking threads");
    unsigned count = cores(f);

    if (strstr(which, "affinity mask"))
        say(to, "not all cores may be used: %s", which);
    if (*quota && strcmp(quota, "none") != 0)
        say(to, "the quota is %s: %u workers were started", quota, f->workers);
    if (count > 0 && f->workers > count)
        say(to, "%u workers share %u core%s", f->workers, count,
            count == 1 ? "" : "s");
    if (begins(pinning, "refused"))
        say(to, "the workers are not pinned to their cores: %s", pinning);
    if (io)
        say(to, "reads and writes do not use io_uring: %s", io);
}

static double speed(const struct worker_figures *w)
{
    return (w->before + w->after) / 2;
}

/* Of most workers: of the upper half, the slowest. NAN: no memory. */
static double usual_speed(const struct figures *f)
{
    double *speeds = calloc(f->workers, sizeof *speeds);
    if (!speeds)
        return NAN;
    for (unsigned i = 0; i < f->workers; i++)
        speeds[i] = speed(&f->each[i]);
    percentile(speeds, f->workers, 0.5); /* sorts them */
    double usual = speeds[f->workers / 2];
    free(speeds);
    return usual;
}

/* Another worker on the same core, or f->workers. */
static unsigned sibling(const struct figures *f, unsigned worker)
{
    unsigned i = 0, core = f->each[worker].core;
    if (core == UINT_MAX)
        return f->workers;
    while (i < f->workers && (i == worker || f->each[i].core != core))
        i++;
    return i;
}

/* Why a worker is slow, as far as that can be seen. */
static const char *cause(const struct figures *f, unsigned worker, char *out,
                         size_t size)
{
    const struct worker_figures *w = &f->each[worker];
    unsigned other = sibling(f, worker);

    if (other < f->workers && f->each[other].cpu == w->cpu)
        snprintf(out, size, "worker %u is on CPU %u as well", other, w->cpu);
    else if (w->share < share)
        snprintf(out, size, "its core is shared, it got %.0f %% of CPU %u",
                 percent(w->share), w->cpu);
    else if (other < f->workers)
        snprintf(out, size, "worker %u is on the same core, an SMT sibling",
                 other);
    else if (w->stolen > stolen)
        snprintf(out, size, "the hypervisor took %.0f %% of CPU %u",
                 percent(w->stolen), w->cpu);
    else
        snprintf(out, size,
                 "CPU %u has a lower frequency, or something else runs on its "
                 "core",
                 w->cpu);
    return out;
}

static bool is_slow(const struct worker_figures *w, double usual)
{
    return usual >= slower * speed(w);
}

static void slow_workers(const struct findings *to, double usual)
{
    const struct figures *f = to->f;
    unsigned count = 0;
    char why[160];

    for (unsigned i = 0; i < f->workers; i++)
        if (is_slow(&f->each[i], usual) && count++ < NAMED)
            say(to, "worker %u is %.1fx slower: %s", i,
                usual / speed(&f->each[i]), cause(f, i, why, sizeof why));
    if (count > NAMED)
        say(to, "%u more workers are slower than most", count - NAMED);
}

/* Of those that are not slow: they were lucky, or the others are not better
 * off. The one that got least is named. */
static void shared_cpus(const struct findings *to, double usual)
{
    const struct figures *f = to->f;
    const struct worker_figures *least = NULL;
    unsigned count = 0;

    for (unsigned i = 0; i < f->workers; i++) {
        const struct worker_figures *w = &f->each[i];
        if (w->share >= share || is_slow(w, usual))
            continue;
        count++;
        if (!least || w->share < least->share)
            least = w;
    }
    if (count == 1)
        say(to,
            "worker %u got only %.0f %% of CPU %u: something else runs "
            "there",
            (unsigned)(least - f->each), percent(least->share), least->cpu);
    else if (count > 1)
        say(to,
            "%u workers got less than %.0f %% of their CPUs, worker %u "
            "%.0f %% of CPU %u: something else runs there",
            count, percent(share), (unsigned)(least - f->each),
            percent(least->share), least->cpu);
}

/* Of those that are not slow, too. */
static void stolen_time(const struct findings *to, double usual)
{
    const struct figures *f = to->f;
    const struct worker_figures *most = NULL;

    for (unsigned i = 0; i < f->workers; i++)
        if (!is_slow(&f->each[i], usual) &&
            (!most || f->each[i].stolen > most->stolen))
            most = &f->each[i];
    if (most && most->stolen > stolen)
        say(to, "the hypervisor took %.0f %% of CPU %u, worker %u's",
            percent(most->stolen), most->cpu, (unsigned)(most - f->each));
}

/* More workers than cores each have a part of one: that is told once. */
static void workers(const struct findings *to)
{
    unsigned count = cores(to->f);
    if (count > 0 && to->f->workers > count)
        return;
    double usual = usual_speed(to->f);
    slow_workers(to, usual);
    shared_cpus(to, usual);
    stolen_time(to, usual);
}

/* How far the figures can be trusted. */
static void steadiness(const struct findings *to)
{
    const struct figures *f = to->f;
    double before = 0, after = 0, best = 0;

    for (unsigned i = 0; i < f->workers; i++) {
        before += f->each[i].before;
        after += f->each[i].after;
        best += f->each[i].best;
    }
    double change = after / before - 1, each = best / f->workers / f->alone;
    if (fabs(change) > drift)
        say(to,
            "the workers were %.0f %% %s after the measurements than "
            "before: the figures are no more certain than that",
            percent(fabs(change)), change < 0 ? "slower" : "faster");
    if (f->workers > 1 && each < all_busy)
        say(to,
            "when all work, a worker has %.0f %% of the speed of one "
            "alone: frequency, or SMT siblings",
            percent(each));
    if (f->others_cores > others)
        say(to, "other programs used %.1f cores meanwhile", f->others_cores);
}

static uint64_t last_cache(const struct figures *f)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < CACHE_LEVELS; i++)
        most = f->cache_bytes[i] > most ? f->cache_bytes[i] : most;
    return most;
}

static void memory(const struct findings *to)
{
    const struct figures *f = to->f;
    const double mib = 1 << 20;
    double best = 0;

    for (size_t i = 0; i < f->memory_count; i++)
        if (f->memory[i].cores_of == f->memory[i].memory_of)
            best = fmax(best, f->memory[i].read_gb_s);
    for (size_t i = 0; i < f->memory_count; i++) {
        const struct memory_figures *m = &f->memory[i];
        if (m->cores_of == m->memory_of && m->read_gb_s < uneven * best)
            say(to,
                "the memory of node %u gives its cores %.1f GB/s, that of "
                "the best node %.1f GB/s",
                m->memory_of, m->read_gb_s, best);
    }
    if (!f->memory_bound)
        say(to, "memory could not be bound to its node: which one was "
                "measured is not certain");
    if (f->memory_count > 0 && f->memory_bytes < 2 * last_cache(f))
        say(to,
            "a buffer of %.0f MiB is small against the last cache, "
            "%.0f MiB: what is said of memory is partly the cache's",
            (double)f->memory_bytes / mib, (double)last_cache(f) / mib);
}

static void wake(const struct findings *to)
{
    double ours = to->f->wake.idle.p50_us, bare = to->f->wake.bare.p50_us;
    if (ours > wakes * bare)
        say(to,
            "submit and wait takes %.1f us when idle, a bare futex there "
            "and back %.1f us",
            ours, bare);
}

static void scaling(const struct findings *to)
{
    const struct figures *f = to->f;
    if (f->point_count == 0)
        return;
    const struct point *last = &f->points[f->point_count - 1];
    for (size_t i = 0; i < WORKS; i++)
        if (last->speedup[i] < scales * last->workers)
            say(to,
                "%s with %u worker%s is %.2f times as fast as a plain "
                "loop: %.0f %% efficiency",
                work_names[i], last->workers, last->workers == 1 ? "" : "s",
                last->speedup[i], percent(last->speedup[i] / last->workers));
}

void wrong_find(const struct figures *f, wrong_fn *say_, void *ctx)
{
    const struct findings to = { f, say_, ctx };
    build(&to);
    decisions(&to);
    workers(&to);
    steadiness(&to);
    memory(&to);
    wake(&to);
    scaling(&to);
}
