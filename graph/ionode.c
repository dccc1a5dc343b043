/* ionode.c: nodes of a graph that are an operation.
 *
 * The node describes it, weft starts it and lets the worker go; its completion
 * is a ready task like any other, which calls the node's function, if it has
 * one, and then the node has ended. */
#include <errno.h>

#include "graph/dagrun.h"
#include "weft/io.h"

/* After the operation: true if the node has ended. */
static bool after(weft_worker *self, struct dag_run *run, struct run_node *n,
                  int rc)
{
    const struct special *s = wf_node_special(run, n);

    if (rc)
        wf_node_returned_error(run, n, rc);
    return rc || !s->fn || !wf_node_may_run(run, n) ||
           wf_node_call(self, run, n, s->fn, s->ctx);
}

static void done(weft_worker *self, struct weft_io *io, int rc)
{
    struct run_node *n = io->ctx;

    if (after(self, wf_dag_run_of(n), n, rc))
        wf_node_ended(n);
}

bool wf_ionode_start(weft_worker *self, struct dag_run *run, struct run_node *n,
                     const struct special *s)
{
    struct weft_io *io = NULL;

    wf_task_here = (uintptr_t)n | MAY_NOT_ASK;
    int rc = s->io(self, &io, s->ctx);
    wf_task_here = 0;
    if (!rc && io) {
        io->done = done;
        io->ctx = n;
        rc = weft_io_start(self, io);
        if (rc == WEFT_PENDING)
            return false;
    }
    return after(self, run, n, rc);
}
