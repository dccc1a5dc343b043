/* crew.c: something on every worker at the same time.
 *
 * As many tasks as there are workers, and each waits for the others to begin:
 * so no worker can have two of them, whoever takes which. */
#include "cli/bench/crew.h"

#include <sched.h>
#include <stdatomic.h>

struct crew {
    crew_fn *fn;
    void *ctx;
    unsigned workers;
    atomic_uint here;
};

static int join_in(weft_worker *self, void *crew_)
{
    struct crew *crew = crew_;
    atomic_fetch_add(&crew->here, 1);
    while (atomic_load(&crew->here) < crew->workers)
        sched_yield(); /* two of them may share a core */
    crew->fn(weft_worker_index(self), crew->ctx);
    return 0;
}

int crew_run(weft_sched *sched, crew_fn *fn, void *ctx, weft_error *why)
{
    struct crew crew = { fn, ctx, weft_sched_workers(sched), 0 };
    weft_graph *g = weft_graph_create();
    weft_plan *plan;

    for (unsigned i = 0; i < crew.workers; i++)
        weft_task_with(g, weft_config(task, .fn = join_in, .ctx = &crew,
                                      .place = { WEFT_ON_WORKER, i }));
    int rc = weft_compile(&plan, g, why);
    weft_graph_destroy(g);
    if (rc)
        return rc;
    rc = weft_run(sched, plan, why);
    weft_plan_destroy(plan);
    return rc;
}
