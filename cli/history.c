/* history.c: the last seconds of a run: rates, and what limits it now.
 *
 * Times in a stage's statistics arrive when a callback ends, which says nothing
 * of a stage that has been pending for a minute. So tokens and waiting items
 * are sampled. Sums over all samples make every average a difference of two. */
#include "cli/history.h"

#include <errno.h>
#include <stdlib.h>

int history_init(struct history *h, size_t stages)
{
    *h = (struct history){ .stages = stages };
    h->samples = calloc(HISTORY_SAMPLES * stages, sizeof h->samples[0]);
    return h->samples ? 0 : -ENOMEM;
}

void history_finish(struct history *h) { free(h->samples); }

static struct stage_sample *sample(const struct history *h, uint64_t n,
                                   size_t stage)
{
    return &h->samples[n % HISTORY_SAMPLES * h->stages + stage];
}

void history_add(struct history *h, const struct progress *p)
{
    uint64_t n = h->count++;

    h->at[n % HISTORY_SAMPLES] = p->seconds;
    h->ended[n % HISTORY_SAMPLES] = progress_ended(p);
    for (size_t i = 0; i < h->stages; i++) {
        const struct weft_stage_stats *s = &p->stages[i];
        const struct stage_sample none = { 0 };
        const struct stage_sample *last = n ? sample(h, n - 1, i) : &none;
        *sample(h, n, i) = (struct stage_sample){
            .done = s->done,
            .run_ns = s->run_ns,
            .in_use = last->in_use + s->running,
            .waiting = last->waiting + s->waiting,
        };
    }
}

/* The oldest and the newest sample: false if that is one and the same. */
static bool ends(const struct history *h, uint64_t *first, uint64_t *last)
{
    if (h->count < 2)
        return false;
    *last = h->count - 1;
    *first = h->count > HISTORY_SAMPLES ? h->count - HISTORY_SAMPLES : 0;
    return true;
}

static double between(const struct history *h, uint64_t first, uint64_t last)
{
    double seconds =
        h->at[last % HISTORY_SAMPLES] - h->at[first % HISTORY_SAMPLES];
    return seconds > 1e-6 ? seconds : 1e-6;
}

double history_rate(const struct history *h)
{
    uint64_t first, last;
    if (!ends(h, &first, &last))
        return 0;
    uint64_t items =
        h->ended[last % HISTORY_SAMPLES] - h->ended[first % HISTORY_SAMPLES];
    return (double)items / between(h, first, last);
}

double history_stage_rate(const struct history *h, size_t stage)
{
    uint64_t first, last;
    if (!ends(h, &first, &last))
        return 0;
    uint64_t items =
        sample(h, last, stage)->done - sample(h, first, stage)->done;
    return (double)items / between(h, first, last);
}

void history_loads(const struct history *h, const struct progress *now,
                   struct load *loads)
{
    uint64_t first = 0, last = 0;
    bool known = ends(h, &first, &last);

    for (size_t i = 0; i < h->stages; i++) {
        loads[i] = (struct load){ .tokens = now->stages[i].tokens };
        if (!known)
            continue;
        const struct stage_sample *a = sample(h, first, i);
        const struct stage_sample *b = sample(h, last, i);
        double n = (double)(last - first);
        loads[i].in_use = (b->in_use - a->in_use) / n;
        loads[i].waiting = (b->waiting - a->waiting) / n;
        loads[i].running =
            (double)(b->run_ns - a->run_ns) / 1e9 / between(h, first, last);
    }
}
