/* handle.c: what a callback of a node may ask of it: the context of its run,
 * and the handle with which another completes it.
 *
 *  [H] A node with a handle ends when both have come: its function has returned
 *      WEFT_PENDING, and it was completed. Each sets its bit, acq_rel, and who
 *      finds that of the other goes on; who does not touches the run no more.
 *      So the completion may come while the function still runs, and the run
 *      does not end before that has returned.
 *
 * The node is known by a thread-local word: here.h. */
#include <errno.h>

#include "graph/dagrun.h"

/* NULL: in no callback of a node, nor a child of one. */
static struct run_node *here(void)
{
    return wf_task_here & IS_LOOSE ? NULL : wf_task_of(wf_task_here);
}

void *weft_task_context(weft_worker *self)
{
    struct run_node *n = here();

    if (n)
        return wf_run_context(&wf_dag_run_of(n)->run);
    wf_misuse("weft_task_context was called outside a task of a graph: only "
              "there is a run that has a context");
    return NULL;
}

weft_pending *weft_task_pending(weft_worker *self)
{
    struct run_node *n = here();

    if (!n || wf_task_here & MAY_NOT_ASK) {
        wf_misuse("weft_task_pending was called outside the `fn` of a task of "
                  "a graph: nothing else can be pending");
        return NULL;
    }
    if (!(wf_task_here & ASKED))
        or_relaxed(wf_node_word(wf_dag_run_of(n), n), HAS_HANDLE);
    wf_task_here |= ASKED;
    return (weft_pending *)n;
}

bool wf_node_returned(struct dag_run *run, struct run_node *n, int rc)
{
    _Atomic uint32_t *word = wf_node_word(run, n);
    bool has_handle = load_relaxed(word) & HAS_HANDLE;

    if (rc == WEFT_PENDING && has_handle)
        return or_acq_rel(word, HAS_RETURNED) & IS_COMPLETE; /* [H] */
    if (rc == WEFT_PENDING)
        wf_node_fail(run, n, -EINVAL,
                     "task '%s' returned WEFT_PENDING, but nobody has its "
                     "handle: it has not called weft_task_pending",
                     wf_dag_label(wf_dag_plan_of(run), n->index).text);
    else if (rc)
        wf_node_returned_error(run, n, rc);
    return true;
}

void weft_task_complete(weft_pending *task, int rc)
{
    struct run_node *n = (struct run_node *)task;
    struct dag_run *run = wf_dag_run_of(n);
    _Atomic uint32_t *word = wf_node_word(run, n);
    uint32_t bits = load_relaxed(word);

    if (!(bits & HAS_HANDLE) || bits & IS_COMPLETE) {
        wf_misuse("weft_task_complete was called for a task that is not "
                  "pending: call it once, and only if the task has returned, "
                  "or will return, WEFT_PENDING");
        return;
    }
    if (rc)
        wf_node_returned_error(run, n, rc);
    if (or_acq_rel(word, IS_COMPLETE) & HAS_RETURNED) /* [H] */
        wf_node_ended(n);
}
