/* nodeuse.c: nodes of a graph that take tokens of limits.
 *
 * What such a node takes is in a table of the plan, and its claim in one of the
 * run: nodes that take nothing have neither a byte nor an instruction more for
 * it. It asks for all its tokens at once, and lets its worker go if it has to
 * wait (node.c).
 *
 * The tokens are given back before what is behind the node is made ready: that
 * may end the run, in which the claim is. A node that runs a plan gives them
 * back when that has ended.
 *
 * When a run is stopped a node that waits goes on without tokens, calls
 * nothing, and gives none back; one that has not asked yet does not ask any
 * more. */
#include "graph/nodeuse.h"

#include <errno.h>

#include "graph/claim.h"
#include "graph/dagrun.h"

static int check(const struct node_use *to, const struct weft_use *use,
                 const char *task, weft_error *why)
{
    if (!use->limit)
        return wf_error(why, -EINVAL, "a use of task '%s' has no limit", task);
    if (to->count == WEFT_MOST_USES)
        return wf_error(why, -EINVAL,
                        "task '%s' takes of more than %d limits, as many as "
                        "are possible",
                        task, WEFT_MOST_USES);

    const char *name = wf_limit_name(use->limit);
    unsigned tokens = wf_limit_tokens(use->limit);
    if (use->tokens > tokens)
        return wf_error(why, -EINVAL,
                        "task '%s' takes %u tokens of limit '%s', which has "
                        "%u",
                        task, use->tokens, name, tokens);
    for (unsigned i = 0; i < to->count; i++)
        if (to->uses[i].limit == use->limit)
            return wf_error(why, -EINVAL,
                            "task '%s' takes of limit '%s' twice: add the "
                            "tokens up",
                            task, name);
    return 0;
}

int wf_nodeuse_add(struct node_use *to, const struct weft_use *uses, size_t n,
                   const char *task, weft_error *why)
{
    for (size_t i = 0; i < n; i++) {
        int rc = check(to, &uses[i], task, why);
        if (rc)
            return rc;
        to->uses[to->count++] = uses[i];
    }
    return 0;
}

bool wf_nodeuse_take_at_once(struct dag_run *run, const struct special *s)
{
    return s->use.count == 1 &&
           wf_claim_take_at_once(wf_node_claim(run, s), s->use.uses);
}

bool wf_nodeuse_take(struct dag_run *run, const struct special *s,
                     struct task *task)
{
    return wf_claim_take(wf_node_claim(run, s), s->use.uses, s->use.count,
                         run->run.sched, task);
}

struct task *wf_nodeuse_give(weft_worker *self, struct dag_run *run,
                             const struct special *s)
{
    return wf_claim_pass_on(self, wf_node_claim(run, s));
}
