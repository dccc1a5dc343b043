/* nodeuse.c: nodes of a graph that take tokens of limits.
 *
 * What such a node takes is in a table of the plan: nodes that take nothing
 * have neither a byte nor an instruction more for it. It asks for all its
 * tokens at once, and lets its worker go if it has to wait (node.c).
 *
 * Most of a million tasks on one token neither wait nor are timed, and need no
 * claim. Those that do get one that was given back before: to touch one for
 * each node for the first time took half of all the time that they take.
 *
 * The tokens are given back before what is behind the node is made ready: that
 * may end the run, in which the claim is. A node that runs a plan gives them
 * back when that has ended.
 *
 * When a run is stopped a node that waits goes on without tokens, calls
 * nothing, and gives none back; one that has not asked yet does not ask any
 * more.
 *
 *  [S] Who waits looks for the error after that, and who stops hurries every
 *      claim after the error. Either it finds the claim waiting, or the one of
 *      the two locks under which it did not (that of the claims in use, or that
 *      of claim.c) has passed to who waits later, and with it the error. */
#include "graph/nodeuse.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "graph/claim.h"
#include "graph/dagrun.h"
#include "sched/lock.h"

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

/* ---- the claims of a run ----------------------------------------------- */

struct node_claims {
    pthread_mutex_t lock;
    struct claim *free; /* the one that was given back last first */
    uint32_t used;      /* all others were never touched */
    size_t size;        /* of a claim */
    char *all;
    uint32_t of[]; /* of each special node: which one it has, from 1; or 0 */
};

int wf_nodeuse_make(struct node_claims **out, const struct dag_plan *plan)
{
    struct node_claims *c;

    if (!plan->most_uses)
        return 0;
    c = calloc(1, sizeof *c + plan->special_count * sizeof c->of[0]);
    if (!c)
        return -ENOMEM;
    c->size = wf_claim_size(plan->most_uses);
    c->all = calloc(plan->special_count, c->size);
    if (!c->all) {
        free(c);
        return -ENOMEM;
    }
    wf_lock_init(&c->lock);
    *out = c;
    return 0;
}

void wf_nodeuse_free(struct node_claims *c)
{
    if (!c)
        return;
    pthread_mutex_destroy(&c->lock);
    free(c->all);
    free(c);
}

static struct claim *number(const struct node_claims *c, uint32_t which)
{
    return (struct claim *)(void *)(c->all + (which - 1) * c->size);
}

/* There are as many as nodes that may want one. */
static uint32_t take_claim(struct node_claims *c)
{
    pthread_mutex_lock(&c->lock);
    struct claim *claim = c->free;
    if (claim)
        c->free = claim->next;
    else
        claim = number(c, ++c->used);
    pthread_mutex_unlock(&c->lock);
    return (uint32_t)((size_t)((char *)claim - c->all) / c->size) + 1;
}

static void give_claim(struct node_claims *c, uint32_t which)
{
    struct claim *claim = number(c, which);

    pthread_mutex_lock(&c->lock);
    claim->next = c->free;
    c->free = claim;
    pthread_mutex_unlock(&c->lock);
}

static uint32_t *claim_of(struct dag_run *run, const struct special *s)
{
    return &run->claims->of[s - wf_dag_plan_of(run)->special];
}

/* ---- taking and giving ------------------------------------------------- */

bool wf_nodeuse_take_at_once(const struct special *s)
{
    return s->use.count == 1 && wf_claim_take_alone(s->use.uses);
}

bool wf_nodeuse_take(struct dag_run *run, const struct special *s,
                     struct task *task)
{
    uint32_t which = take_claim(run->claims);
    struct claim *claim = number(run->claims, which);

    *claim_of(run, s) = which;
    wf_dag_hold(run);
    bool has =
        wf_claim_take(claim, s->use.uses, s->use.count, run->run.sched, task);
    if (!has && wf_dag_is_stopped(run)) /* [S] */
        wf_claim_hurry(claim);
    wf_dag_release(run);
    return has;
}

struct task *wf_nodeuse_give(weft_worker *self, struct dag_run *run,
                             const struct special *s)
{
    uint32_t *of = claim_of(run, s), which = *of;

    if (!which)
        return wf_claim_give_alone(self, s->use.uses);
    struct task *next = wf_claim_pass_on(self, number(run->claims, which));
    *of = 0;
    give_claim(run->claims, which);
    return next;
}

void wf_nodeuse_stop(struct dag_run *run)
{
    struct node_claims *c = run->claims;

    if (!c)
        return;
    pthread_mutex_lock(&c->lock);
    uint32_t used = c->used; /* [S] */
    pthread_mutex_unlock(&c->lock);
    for (uint32_t which = 1; which <= used; which++)
        wf_claim_hurry(number(c, which));
}
