/* report.c: what each item in flight waits for, and who holds it: the lines of
 * weft_run_report.
 *
 * look.c has looked; here it is told, with no lock held. Each line is about one
 * item, or about who fills slots; what the consumer holds is one line. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "graph/waits.h"

struct report {
    struct look look;
    weft_say_fn *say;
    void *ctx;
};

static const struct stage *stage_at(const struct report *r, unsigned i)
{
    return &r->look.run->plan->stages[i];
}

static const char *name_at(const struct report *r, unsigned stage)
{
    return stage_at(r, stage)->name;
}

static bool is_borrowed(const struct look *l, const struct seen *s,
                        const void *none)
{
    return s->place == BORROWED && !s->marker;
}

static void say(const struct report *r, const char *text, const char *format,
                ...) __attribute__((format(printf, 3, 4)));

static void say(const struct report *r, const char *text, const char *format,
                ...)
{
    char what[128];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    r->say(r->ctx, what, text);
}

static const char *kind_of(const struct stage *stage)
{
    switch (stage->kind) {
    case GATHER:
        return "gather";
    case SCATTER:
        return "scatter";
    case MERGE:
        return "merge";
    default:
        return "source";
    }
}

/* What a source does with the slot that it fills. */
static void say_filling(const struct report *r, const struct seen *s)
{
    struct line line = { "", 0 };

    if (s->place == WANTS_COST) {
        const struct pipeline_plan *plan = r->look.run->plan;
        unsigned feeder = plan->segments[s->segment].feeder;
        wf_put(&line, "waits for ");
        wf_put_budget(&line, &r->look, s);
        say(r, line.text, "%s '%s'", kind_of(stage_at(r, feeder)),
            name_at(r, feeder));
        return;
    }
    if (s->place == RUNS)
        wf_put(&line, "runs");
    else if (s->place == PENDS && !s->attempted.completed)
        wf_put(&line, "is pending");
    else if (s->place == OUTSIDE)
        wf_put(&line, "waits for its thread");
    else
        wf_put(&line, "waits for a worker");
    if (s->place == RUNS || s->place == PENDS)
        wf_put_time(&line, &r->look, s);
    if (s->attempted.asked)
        wf_put(&line, ", and was asked to end");
    say(r, line.text, "source '%s'", name_at(r, s->stage));
}

static void say_slot(const struct report *r, const struct seen *s)
{
    struct line line = { "", 0 };

    if (s->place == FREE || s->place == IN_HAND || s->place == RESERVED ||
        s->place == BORROWED)
        return;
    if (wf_is_filled(&r->look, s)) {
        say_filling(r, s);
        return;
    }
    wf_put_wait(&line, &r->look, s);
    if (s->marker)
        say(r, line.text, "the end of epoch %" PRIu64, s->epoch);
    else
        say(r, line.text, "%s %" PRIu64, wf_noun(&r->look, s->segment, false),
            s->number);
}

/* Who fills a segment, when it is no item's line. */
static void say_feeder(const struct report *r, unsigned segment)
{
    const struct segment_seen *s = &r->look.segments[segment];
    unsigned number = r->look.run->plan->segments[segment].feeder;
    const struct stage *feeder = stage_at(r, number);
    unsigned items = load_relaxed(&r->look.run->stages[number].count);
    struct line line = { "", 0 };

    if (s->ended)
        return;
    if (s->hungry || s->reservers) {
        if (s->reservers)
            wf_put(&line, "%u thread%s to feed it: ", s->reservers,
                   s->reservers == 1 ? " waits" : "s wait");
        else
            wf_put(&line, "waits for a free slot: ");
        wf_put_full(&line, &r->look, segment);
    } else if (feeder->kind == GATHER && feeder->count) {
        wf_put(&line, "has %u of %u %s", items, feeder->count,
               wf_noun(&r->look, feeder->segment, true));
    } else if (feeder->kind == GATHER) {
        wf_put(&line, "has %u %s", items,
               wf_noun(&r->look, feeder->segment, items != 1));
    } else if (feeder->fed) {
        wf_put(&line,
               "can be fed, and has not been ended: %u of %u slots are "
               "free",
               s->free, s->count);
        if (s->reserved)
            wf_put(&line, ", %u reserved", s->reserved);
    } else {
        return;
    }
    say(r, line.text, "%s '%s'", kind_of(feeder), feeder->name);
}

static int by_number(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;

    if (x->number != y->number)
        return x->number < y->number ? -1 : 1;
    return (x->ticket[0] > y->ticket[0]) - (x->ticket[0] < y->ticket[0]);
}

static void say_consumer(const struct report *r)
{
    struct line line = { "", 0 };

    wf_put(&line, "holds ");
    if (wf_put_holders(&line, &r->look, r->look.run->plan->last, is_borrowed,
                       NULL))
        say(r, line.text, "the consumer");
}

static void say_run(const struct report *r)
{
    struct pipeline_run *run = r->look.run;

    if (load_relaxed(&run->run.error))
        say(r, "has failed or was cancelled, and waits for what is in flight",
            "the run");
    else if (load_relaxed(&run->draining))
        say(r, "is drained, and waits for what is in flight", "the run");
}

int weft_run_report(struct weft_run *base, weft_say_fn *told, void *ctx)
{
    struct pipeline_run *run = pipeline_of(base);
    struct report r = { .say = told, .ctx = ctx };

    if (!run)
        return -EINVAL;
    if (load_acquire(&base->ended)) { /* [E] in run.c */
        say(&r, "has ended", "the run");
        return 0;
    }
    if (wf_look(&r.look, run))
        return -ENOMEM;
    say_run(&r);
    for (unsigned i = 0; i < run->plan->segment_count; i++)
        qsort(r.look.segments[i].slots, r.look.segments[i].count,
              sizeof(struct seen), by_number);
    for (unsigned i = 0; i < run->plan->segment_count; i++) {
        const struct segment_seen *s = &r.look.segments[i];
        say_feeder(&r, i);
        for (unsigned k = 0; k < s->count; k++)
            say_slot(&r, &s->slots[k]);
    }
    say_consumer(&r);
    wf_look_finish(&r.look);
    return 0;
}
