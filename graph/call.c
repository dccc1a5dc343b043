/* call.c: what is made of children: several of them, and a call from outside.
 */
#include <errno.h>
#include <string.h>

#include "graph/child.h"

int weft_group_spawn(weft_worker *self, struct weft_group *group,
                     struct weft_child *child)
{
    int rc = weft_spawn(self, child);

    if (rc == -EALREADY) /* misuse: it may be in this list */
        return rc;
    child->before = group->last;
    group->last = child;
    return rc;
}

int weft_group_sync(weft_worker *self, struct weft_group *group)
{
    int first = 0;

    for (struct weft_child *c; (c = group->last);) {
        group->last = c->before;
        int rc = weft_sync(self, c);
        if (rc)
            first = rc;
    }
    return first;
}

int weft_call(weft_sched *sched, weft_fn *fn, void *ctx, weft_error *why)
{
    struct weft_child child = { .fn = fn, .ctx = ctx };

    if (wf_worker_here())
        return wf_error(why, -EDEADLK,
                        "weft_call was called on a worker: call the function "
                        "itself");
    wf_sched_hold(sched);
    int rc = wf_child_call(sched, &child);
    wf_sched_release(sched);
    if (rc)
        wf_error(why, rc, "the function failed: %s", strerror(-rc));
    return rc;
}
