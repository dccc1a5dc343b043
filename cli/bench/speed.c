/* speed.c: how fast each worker is while all of them work.
 *
 * Before and after everything else: what lies between them is worth as much as
 * they agree. */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdlib.h>

#include "cli/bench/bench.h"
#include "cli/bench/crew.h"
#include "cli/bench/machine.h"
#include "cli/bench/work.h"

struct look {
    struct bench *bench;
    bool after;
};

static void at_work(unsigned worker, void *look_)
{
    struct look *look = look_;
    struct bench *b = look->bench;
    struct worker_figures *w = &b->figures.each[worker];
    struct work_pace pace = work_for(b->slice_ns);

    if (look->after) {
        w->after = pace.per_ns;
        w->best = fmax(w->best, pace.best);
        w->share = fmin(w->share, pace.share);
        return;
    }
    int cpu = sched_getcpu();
    w->before = pace.per_ns;
    w->best = pace.best;
    w->share = pace.share;
    w->cpu = cpu < 0 ? 0 : (unsigned)cpu;
    w->core = machine_core_of(b->machine, w->cpu);
    w->node = machine_node_of(b->machine, w->cpu);
}

static int alone(weft_worker *self, void *b_)
{
    struct bench *b = b_;
    b->figures.alone = work_for(b->slice_ns).best;
    return 0;
}

int bench_speed_before(struct bench *b, weft_error *why)
{
    struct figures *f = &b->figures;
    f->each = calloc(f->workers, sizeof f->each[0]);
    if (!f->each)
        return bench_fail(why, -ENOMEM, "the figures of the workers");
    int rc = weft_call(b->one, alone, b, why);
    return rc ? rc : crew_run(b->all, at_work, &(struct look){ b, false }, why);
}

int bench_speed_after(struct bench *b, weft_error *why)
{
    return crew_run(b->all, at_work, &(struct look){ b, true }, why);
}
