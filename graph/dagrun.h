/* dagrun.h: one run of a compiled graph. Inside graph/ only. */
#ifndef WEFT_GRAPH_DAGRUN_H
#define WEFT_GRAPH_DAGRUN_H
#include <stdbool.h>

#include "graph/claim.h"
#include "graph/critical.h"
#include "graph/dag.h"
#include "graph/drawing.h"
#include "graph/here.h"
#include "graph/ready.h"
#include "graph/subplan.h"
#include "sched/sched.h"

struct run_node {
    struct task task;
    _Atomic uint32_t missing; /* unless the node is behind only one */
    uint32_t index;           /* leads from the task to the run */
};

/* What a node says of itself, in the bits of its word above a count: `missing`,
 * or `active` where nodes choose. */
enum {
    COUNT = (1 << 28) - 1,
    IS_BAD = 1 << 28,      /* it failed; or what it comes after has */
    HAS_HANDLE = 1 << 29,  /* somebody may complete it: handle.c */
    HAS_RETURNED = 1 << 30 /* and is pending */
};
#define IS_COMPLETE ((uint32_t)1 << 31) /* it was completed */

struct dag_run {
    struct weft_run run;
    struct dag_run *next; /* in the pool */
    unsigned priority;    /* also of the runs that its nodes start; 0: none */
    unsigned deadline_ms; /* 0: none */
    struct timer deadline;
    _Atomic unsigned parties; /* that may still touch it: [E] in dag.c */
    struct subplans subplans;
    _Atomic bool draining;      /* also what its nodes will start */
    _Atomic bool stopped;       /* by a cancel, or its deadline */
    bool goes_on;               /* after a failure */
    struct node_claims *claims; /* or NULL: no node takes tokens */
    struct ready *ready;        /* or NULL: no priorities */
    bool takes_turns;           /* with other runs: it was given a priority */
    struct node_times *times;   /* or NULL: none are taken */
    uint64_t began;             /* what they count from: ns */
    _Atomic uint32_t *active;   /* of each node, or NULL: conditions.c */
    _Atomic uint64_t under_way; /* the same: of all nodes */
    struct starter *starters;   /* of its roots */
    struct run_node node[];
};

static inline struct dag_run *wf_dag_run_of(struct run_node *n)
{
    char *first = (char *)(n - n->index);
    return (struct dag_run *)(void *)(first - offsetof(struct dag_run, node));
}

static inline const struct dag_plan *wf_dag_plan_of(const struct dag_run *run)
{
    return (const struct dag_plan *)run->run.plan;
}

/* What is special of the node, or NULL. */
static inline const struct special *wf_node_special(const struct dag_run *run,
                                                    const struct run_node *n)
{
    const struct dag_node *node = &wf_dag_plan_of(run)->node[n->index];
    return node->fn == wf_special_node ? node->ctx : NULL;
}

static inline _Atomic uint32_t *wf_node_word(struct dag_run *run,
                                             struct run_node *n)
{
    return run->active ? &run->active[n->index] : &n->missing;
}

/* Nothing is to start any more. */
static inline bool wf_dag_is_stopped(struct dag_run *run)
{
    return load_relaxed(&run->run.error) &&
           (!run->goes_on || load_relaxed(&run->stopped));
}

/* Whether the node is to be called. */
static inline bool wf_node_may_run(struct dag_run *run, struct run_node *n)
{
    return !load_relaxed(&run->run.error) ||
           (!wf_dag_is_stopped(run) &&
            !(load_relaxed(wf_node_word(run, n)) & IS_BAD));
}

/* ---- dag.c ------------------------------------------------------------- */

/* What a sentence calls the node. */
struct label wf_dag_label(const struct dag_plan *plan, uint32_t index);

/* [any] Nothing starts any more: the plans that nodes run are cancelled, and no
 * node waits for tokens. The run has failed, and is not over yet. */
void wf_dag_stop(struct dag_run *run);

/* A party of the run, which is not over: [E] in dag.c. */
void wf_dag_hold(struct dag_run *run);
void wf_dag_release(struct dag_run *run);

/* All nodes have ended. */
void wf_dag_end(struct dag_run *run);

/* ---- walk.c ------------------------------------------------------------ */

/* What the node's task does first. */
typedef struct task *node_step(weft_worker *self, struct task *task);
node_step *wf_dag_first_step(const struct dag_run *run, uint32_t index);

/* Counts down what is behind the node, and adds to `ready` what is ready now.
 */
void wf_dag_count_down(struct dag_run *run, uint32_t index,
                       struct task_list *ready);

/* If the node is bad, so is what is behind it. */
void wf_dag_pass_on(struct dag_run *run, struct run_node *n);

/* ---- roots.c ----------------------------------------------------------- */

/* What a run needs for them, behind its nodes. */
size_t wf_starters_size(const struct dag_plan *plan);

/* The run is about to start: the tasks that make its roots ready. */
struct task_list wf_starters(struct dag_run *run);

/* ---- node.c ------------------------------------------------------------ */

/* The first step of a node that is special. */
struct task *wf_node_execute(weft_worker *self, struct task *task);

/* The node has ended, or is not called: what this worker runs next. */
struct task *wf_node_end(weft_worker *self, struct dag_run *run,
                         struct run_node *n);

/* [any] A node that has let its worker go has ended: a worker goes on with it.
 */
void wf_node_ended(struct run_node *n);

/* [any] The node has failed. */
void wf_node_fail(struct dag_run *run, struct run_node *n, int error,
                  const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* [any] The same, for what a callback returned. */
void wf_node_returned_error(struct dag_run *run, struct run_node *n, int rc);

/* ---- handle.c ---------------------------------------------------------- */

/* What fn has returned: true if the node has ended. */
bool wf_node_returned(struct dag_run *run, struct run_node *n, int rc);

/* Calls the node's function. True: it returned 0, and has asked for nothing. */
static inline bool wf_node_just_ends(weft_worker *self, struct run_node *n,
                                     weft_fn *fn, void *ctx, int *rc)
{
    wf_task_here = (uintptr_t)n;
    *rc = fn(self, ctx);
    bool asked = wf_task_here != (uintptr_t)n;
    wf_task_here = 0;
    return !*rc && !asked;
}

/* Calls the node's function. True: it has ended; false: it is pending, and may
 * have ended elsewhere. */
static inline bool wf_node_call(weft_worker *self, struct dag_run *run,
                                struct run_node *n, weft_fn *fn, void *ctx)
{
    int rc;

    return wf_node_just_ends(self, n, fn, ctx, &rc) ||
           wf_node_returned(run, n, rc);
}

/* ---- ionode.c ---------------------------------------------------------- */

/* Starts the node's operation. True: the node has ended; false: it will, and
 * may have. */
bool wf_ionode_start(weft_worker *self, struct dag_run *run, struct run_node *n,
                     const struct special *s);

/* ---- conditions.c ------------------------------------------------------ */

/* The node has ended, in a graph where nodes choose, and has chosen, if it has
 * (else WEFT_NO_CHOICE): what is ready now. */
struct task_list wf_conditions_go_on(struct dag_run *run, struct run_node *n,
                                     unsigned which);

/* A run is made, or about to start; its roots are active. */
int wf_conditions_make(struct dag_run *run);
void wf_conditions_start(struct dag_run *run);

/* Asks what the node chooses, if it does. */
unsigned wf_conditions_ask(weft_worker *self, struct dag_run *run,
                           struct run_node *n, const struct special *s);
#endif
