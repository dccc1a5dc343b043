/* node.c: a node from its turn to its end, whatever it does.
 *
 *     wf_node_execute   goes to where it had better run
 *     begin             is it to be called at all? Takes its tokens, or waits
 *                       for them and lets its worker go
 *     granted           calls its function; starts its operation, its plan, or
 *                       the plan of what it draws, and lets its worker go
 *     wf_node_end       chooses, gives the tokens back, goes on to what is
 *                       behind it
 *
 * A node that has let its worker go ends wherever its run, its operation or its
 * completion does: maybe deep in the end of another run, which is the end of a
 * node as well, and so on. So it only makes its task ready there, and a worker
 * goes on from its own stack: graphs in graphs need none, however deep. */
#include "graph/special.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/dagrun.h"

void wf_node_fail(struct dag_run *run, struct run_node *n, int error,
                  const char *format, ...)
{
    weft_error text;
    va_list args;

    va_start(args, format);
    vsnprintf(text.text, sizeof text.text, format, args);
    va_end(args);
    or_relaxed(wf_node_word(run, n), IS_BAD);
    if (wf_run_fail(&run->run, error, "%s", text.text) && !run->goes_on)
        wf_dag_stop(run);
}

void wf_node_returned_error(struct dag_run *run, struct run_node *n, int rc)
{
    struct label task = wf_dag_label(wf_dag_plan_of(run), n->index);

    if (rc < 0)
        wf_node_fail(run, n, rc, "task '%s' failed: %s", task.text,
                     strerror(-rc));
    else
        wf_node_fail(run, n, -EINVAL,
                     "task '%s' returned %d, which is neither 0 nor a negative "
                     "errno",
                     task.text, rc);
}

/* True: there was no such run, the node has ended. */
static bool starts_plan(struct dag_run *run, struct run_node *n,
                        const weft_plan *plan, weft_plan *owned)
{
    weft_error why;
    int rc = wf_subplan_start(run, n->index, plan, owned, &why);

    if (rc)
        wf_node_fail(run, n, rc, "task '%s' failed: %.180s",
                     wf_dag_label(wf_dag_plan_of(run), n->index).text,
                     why.text);
    return rc;
}

static bool starts_drawing(weft_worker *self, struct dag_run *run,
                           struct run_node *n, const struct special *s)
{
    weft_error why;
    weft_plan *plan = NULL;
    weft_graph *g = weft_graph_create();

    wf_task_here = (uintptr_t)n | MAY_NOT_ASK;
    int rc = s->draw(self, g, s->ctx);
    wf_task_here = 0;
    if (rc)
        wf_node_returned_error(run, n, rc);
    else if ((rc = weft_compile(&plan, g, &why)))
        wf_node_fail(run, n, rc, "task '%s' failed: %.180s",
                     wf_dag_label(wf_dag_plan_of(run), n->index).text,
                     why.text);
    weft_graph_destroy(g);
    return rc || starts_plan(run, n, plan, plan);
}

/* True: the node has ended. */
static bool act(weft_worker *self, struct dag_run *run, struct run_node *n)
{
    const struct dag_node *node = &wf_dag_plan_of(run)->node[n->index];
    const struct special *s = wf_node_special(run, n);

    if (!s)
        return wf_node_call(self, run, n, node->fn, node->ctx);
    if (s->io)
        return wf_ionode_start(self, run, n, s);
    if (s->draw)
        return starts_drawing(self, run, n, s);
    if (s->plan)
        return starts_plan(run, n, s->plan, NULL);
    return !s->fn || wf_node_call(self, run, n, s->fn, s->ctx);
}

static struct task *go_on(weft_worker *self, struct dag_run *run,
                          struct run_node *n, unsigned which)
{
    const struct dag_node *node = &wf_dag_plan_of(run)->node[n->index];
    struct task_list ready = { 0 };

    if (run->active) {
        ready = wf_conditions_go_on(run, n, which);
    } else {
        if (load_relaxed(&run->run.error))
            wf_dag_pass_on(run, n);
        store_relaxed(&n->missing, node->before); /* [R] in walk.c */
        if (node[0].first_edge == node[1].first_edge) {
            wf_dag_end(run);
            return NULL;
        }
        wf_dag_count_down(run, n->index, &ready);
    }
    if (!ready.first)
        return NULL; /* maybe of the run, too */
    if (run->ready)
        wf_ready_add(run, &ready);
    struct task *next = task_list_take(&ready);
    if (ready.first)
        wf_push_list(self, &ready);
    return next;
}

struct task *wf_node_end(weft_worker *self, struct dag_run *run,
                         struct run_node *n)
{
    const struct special *s = wf_node_special(run, n);
    unsigned which = WEFT_NO_CHOICE;
    struct task *has_tokens = NULL;

    if (s && s->choices && wf_node_may_run(run, n))
        which = wf_conditions_ask(self, run, n, s);
    if (s && s->use.count)
        has_tokens = wf_nodeuse_give(self, run, s);
    if (run->times)
        wf_node_ends(run, n->index);
    struct task *next = go_on(self, run, n, which);
    if (!has_tokens)
        return next;
    if (next)
        wf_push(self, next);
    return has_tokens; /* others wait for it */
}

static struct task *granted(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);

    task->run = wf_node_execute; /* in the next run: [R] in walk.c */
    if (wf_node_may_run(run, n)) {
        if (run->times)
            wf_node_begins(run, n->index);
        if (!act(self, run, n))
            return NULL;
    }
    return wf_node_end(self, run, n);
}

static struct task *begin(weft_worker *self, struct dag_run *run,
                          struct run_node *n, const struct special *s)
{
    if (!wf_node_may_run(run, n))
        return go_on(self, run, n, WEFT_NO_CHOICE);
    if (s && s->use.count && !wf_nodeuse_take_at_once(s)) {
        n->task.run = granted;
        if (!wf_nodeuse_take(run, s, &n->task))
            return NULL; /* [X] in claim.c: it may already run elsewhere */
    }
    return granted(self, &n->task);
}

/* Where it had better be, whoever takes it there. */
static struct task *placed(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);

    task->run = wf_node_execute;
    return begin(self, run, n, wf_node_special(run, n));
}

/* False: it may run here. True: it has been sent to where it should be. */
static bool moves(weft_worker *self, struct dag_run *run, struct run_node *n,
                  const struct weft_place *place)
{
    weft_sched *sched = run->run.sched;
    unsigned here = weft_worker_index(self), to = place->worker;

    if (place->kind == WEFT_NEAR)
        to = wf_worker_near(sched, place->memory);
    if (to >= weft_sched_workers(sched)) {
        wf_node_fail(run, n, -EINVAL,
                     "task '%s' is to run on worker %u, and there are %u",
                     wf_dag_label(wf_dag_plan_of(run), n->index).text, to,
                     weft_sched_workers(sched));
        return false;
    }
    if (place->kind == WEFT_ON_WORKER ? here == to
                                      : wf_are_near(sched, here, to))
        return false;
    n->task.run = placed;
    if (place->kind == WEFT_ON_WORKER)
        wf_ready_at(sched, &n->task, to);
    else
        wf_ready_near(sched, &n->task, to);
    return true;
}

struct task *wf_node_execute(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);
    const struct special *s = wf_node_special(run, n);

    if (s && s->place.kind && moves(self, run, n, &s->place))
        return NULL;
    return begin(self, run, n, s);
}

static struct task *ended(weft_worker *self, struct task *task)
{
    struct run_node *n = (struct run_node *)task; /* its first member */
    struct dag_run *run = wf_dag_run_of(n);

    task->run = wf_dag_first_step(run, n->index);
    return wf_node_end(self, run, n);
}

void wf_node_ended(struct run_node *n)
{
    struct dag_run *run = wf_dag_run_of(n);

    n->task.run = ended;
    wf_ready(run->run.sched, wf_worker_here(), &n->task);
}
