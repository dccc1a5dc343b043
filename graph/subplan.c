/* subplan.c: nodes of a graph that run another plan.
 *
 * The node starts a run of the plan and lets its worker go; when that run ends,
 * the node has. Meanwhile whoever cancels the graph cancels that run too.
 *
 *  [S] Three may need the inner run: who started it, until it knows that it has
 *      not been cancelled before there was anything to cancel; the end; and a
 *      visitor, who cancels it. Each holds a reference on the subplan, and the
 *      last one to drop its own, acq_rel, destroys the inner run, which has
 *      ended then: the end is one of them. Only after that the node has ended:
 *      so there is the outer run as long as any of the three, and the inner
 *      plan, which its owner may destroy once the outer run is over.
 *
 *      A visitor holds no lock while it cancels: the inner run may end under
 *      its hands, which takes the lock of the list, and calls what is not ours.
 *      So several may visit at a time; each says which one it comes to next,
 * and who takes that out of the list moves it on.
 *
 *  A cancel of a run that runs others visits these in turn, and so on. Below
 *  DEEP of them a visit is a task of its own, with its own reference, so that
 *  no stack is too small for it. */
#include "graph/subplan.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "graph/dagrun.h"
#include "graph/drawing.h"

enum { DEEP = 32 };

struct visit {
    struct task task;
    struct subplan *sub;
    void (*what)(struct weft_run *);
    bool taken; /* under the lock of the subplan: one of each kind will do */
};

struct subplan {
    struct dag_run *run; /* the outer one */
    uint32_t index;      /* of the node */
    void *context;       /* of the outermost one */
    _Atomic unsigned refs;
    pthread_mutex_t lock; /* of the two below */
    struct weft_run *inner;
    void (*missed)(struct weft_run *); /* what a visitor wanted too early */
    struct subplan *next, *before;     /* in the list: the newest first */
    weft_plan *owned;                  /* is destroyed with it */
    struct visit cancels, drains;      /* from a stack of its own */
};

/* Goes through the list as it is at its start. */
struct visitor {
    struct subplan *next;
    struct visitor *other;
};

void wf_subplans_init(struct subplans *s)
{
    pthread_mutex_init(&s->lock, NULL);
    s->first = NULL;
    s->visitors = NULL;
}

void wf_subplans_finish(struct subplans *s) { pthread_mutex_destroy(&s->lock); }

static void drop(struct subplan *sub)
{
    struct dag_run *run = sub->run;
    uint32_t index = sub->index;

    if (sub_acq_rel(&sub->refs, 1) != 1) /* [S] */
        return;
    bool started = sub->inner;
    weft_run_destroy(sub->inner);
    weft_plan_destroy(sub->owned);
    pthread_mutex_destroy(&sub->lock);
    free(sub);
    if (started)
        wf_node_ended(&run->node[index]);
}

static void enlist(struct subplans *s, struct subplan *sub)
{
    pthread_mutex_lock(&s->lock);
    sub->next = s->first;
    if (s->first)
        s->first->before = sub;
    s->first = sub;
    pthread_mutex_unlock(&s->lock);
}

static void delist(struct subplans *s, struct subplan *sub)
{
    pthread_mutex_lock(&s->lock);
    if (sub->before)
        sub->before->next = sub->next;
    else
        s->first = sub->next;
    if (sub->next)
        sub->next->before = sub->before;
    for (struct visitor *v = s->visitors; v; v = v->other)
        if (v->next == sub)
            v->next = sub->next;
    pthread_mutex_unlock(&s->lock);
}

static void ended(struct weft_run *inner, int result, void *ctx)
{
    struct subplan *sub = ctx;
    struct dag_run *run = sub->run;

    if (result) {
        struct label node =
            wf_dag_label((const struct dag_plan *)run->run.plan, sub->index);
        wf_node_fail(run, &run->node[sub->index], result,
                     "task '%s' failed: %.180s", node.text, inner->why.text);
    }
    delist(&run->subplans, sub);
    drop(sub);
}

void *wf_run_context(const struct weft_run *run)
{
    if (run->on_end != ended)
        return run->end_ctx;
    return ((const struct subplan *)run->end_ctx)->context;
}

int wf_subplan_start(struct dag_run *run, uint32_t index, const weft_plan *plan,
                     weft_plan *owned, weft_error *why)
{
    struct subplan *sub = calloc(1, sizeof *sub);
    struct weft_run *inner;

    if (!sub) {
        weft_plan_destroy(owned);
        return wf_error(why, -ENOMEM, "no memory to run its plan");
    }
    sub->owned = owned;
    sub->run = run;
    sub->index = index;
    sub->context = wf_run_context(&run->run);
    atomic_init(&sub->refs, 2); /* the end's and ours */
    pthread_mutex_init(&sub->lock, NULL);
    enlist(&run->subplans, sub);
    /* Who fails or drains the run does so before the visit: either the visit
     * finds us, or we find the error, or that it drains. */
    int rc = wf_dag_is_stopped(run)
                 ? wf_error(why, -ECANCELED, "the run was stopped")
                 : weft_start_with(
                       &inner, run->run.sched, plan,
                       weft_config(run, .priority = run->priority,
                                   .on_end = ended, .ctx = sub,
                                   .on_failure = run->goes_on ? WEFT_GO_ON
                                                              : WEFT_FAIL_FAST),
                       why);
    if (rc) {
        delist(&run->subplans, sub);
        drop(sub); /* the end's, which does not come */
        drop(sub);
        return rc;
    }
    pthread_mutex_lock(&sub->lock);
    sub->inner = inner;
    void (*missed)(struct weft_run *) = sub->missed;
    pthread_mutex_unlock(&sub->lock);
    if (!missed && load_relaxed(&run->draining))
        missed = weft_drain;
    if (missed)
        missed(inner);
    drop(sub);
    return 0;
}

static void begin_visit(struct subplans *s, struct visitor *v)
{
    pthread_mutex_lock(&s->lock);
    *v = (struct visitor){ s->first, s->visitors };
    s->visitors = v;
    pthread_mutex_unlock(&s->lock);
}

static void end_visit(struct subplans *s, struct visitor *v)
{
    pthread_mutex_lock(&s->lock);
    struct visitor **at = &s->visitors;
    while (*at != v)
        at = &(*at)->other;
    *at = v->other;
    pthread_mutex_unlock(&s->lock);
}

/* With a reference; or NULL. */
static struct subplan *next_to_visit(struct subplans *s, struct visitor *v)
{
    pthread_mutex_lock(&s->lock);
    struct subplan *found = v->next;
    if (found) {
        add_relaxed(&found->refs, 1); /* [S] */
        v->next = found->next;
    }
    pthread_mutex_unlock(&s->lock);
    return found;
}

static struct task *visit(weft_worker *self, struct task *task)
{
    struct visit *v = (struct visit *)task; /* its first member */
    struct subplan *sub = v->sub;

    v->what(sub->inner);
    drop(sub);
    return NULL;
}

/* Makes the visit a task, which has our reference; false: there is one. */
static bool visits_later(struct subplan *sub, void (*what)(struct weft_run *))
{
    struct visit *v = what == weft_cancel ? &sub->cancels : &sub->drains;

    pthread_mutex_lock(&sub->lock);
    bool first = !v->taken;
    v->taken = true;
    pthread_mutex_unlock(&sub->lock);
    if (!first)
        return false;
    v->task.run = visit;
    v->sub = sub;
    v->what = what;
    wf_ready(sub->run->run.sched, wf_worker_here(), &v->task);
    return true;
}

void wf_subplans_visit(struct subplans *s, void (*what)(struct weft_run *))
{
    static _Thread_local unsigned depth;
    struct visitor v;

    depth++;
    begin_visit(s, &v);
    for (struct subplan *sub; (sub = next_to_visit(s, &v));) {
        pthread_mutex_lock(&sub->lock);
        struct weft_run *inner = sub->inner;
        if (!inner && sub->missed != weft_cancel)
            sub->missed = what;
        pthread_mutex_unlock(&sub->lock);
        if (inner && depth < DEEP)
            what(inner);
        else if (inner && visits_later(sub, what))
            continue;
        drop(sub);
    }
    end_visit(s, &v);
    depth--;
}
