/* ready.c: the ready nodes of a run, the highest priority first; and whose turn
 * it is between runs.
 *
 * A deque knows no priorities, and other workers take from its other end. So in
 * a plan that has priorities a ready node goes to a heap of its run, and a
 * ticket goes to the deque in its place. Who takes up a ticket, on whichever
 * worker, takes the highest node that is ready by then:
 *
 *     ready        heap      deques          taken up     executes
 *     b (1)        b         t               -            -
 *     a (5), c     a b c     t t t           t            a
 *
 * Also a worker that goes on at once takes up a ticket: it may be made to do
 * something else first.
 *
 * There are as many tickets under way as there are nodes in the heap, so a
 * ticket always finds one. A node is in the heap once at a time, for its task
 * is in one place at a time; so there are never more tickets than nodes.
 *
 * Of nodes with the same priority the one that was ready first goes first.
 *
 * A run that was given a priority takes turns with other such runs, and with
 * the sources of pipelines: each node is something new (feed.c). It has no
 * tickets but a baton, a task that is queued where all of these wait, exactly
 * while the heap has a node: who takes up the baton takes the highest node, and
 * queues the baton again before it executes the node. So any number of workers
 * execute nodes at a time, and what is queued is alive: the run does not end
 * before the nodes in its heap. Where the heap was empty for a while the run
 * still has the rest of its turns. A run that was stopped only has to be got
 * rid of: it does not wait for the turns of others. */
#include "graph/ready.h"

#include <pthread.h>
#include <stdlib.h>

#include "graph/dagrun.h"

struct ticket {
    struct task task;
    struct dag_run *run;
};

struct waiting {
    int priority;
    uint32_t node;
    uint64_t number; /* counts all that have been ready */
};

struct ready {
    pthread_mutex_t lock; /* of what follows */
    struct waiting *heap;
    uint32_t count;
    uint64_t number;
    uint64_t turns;           /* it has had */
    struct ticket baton;      /* queued while `count` is not 0 */
    struct task_list tickets; /* that are not under way */
    struct ticket ticket[];
};

static bool is_before(const struct waiting *a, const struct waiting *b)
{
    return a->priority != b->priority ? a->priority > b->priority
                                      : a->number < b->number;
}

static void put(struct ready *r, struct waiting w)
{
    uint32_t at = r->count++;

    for (; at && is_before(&w, &r->heap[(at - 1) / 2]); at = (at - 1) / 2)
        r->heap[at] = r->heap[(at - 1) / 2];
    r->heap[at] = w;
}

static uint32_t take(struct ready *r)
{
    uint32_t node = r->heap[0].node, at = 0;
    struct waiting last = r->heap[--r->count];

    for (uint32_t child; (child = 2 * at + 1) < r->count; at = child) {
        if (child + 1 < r->count &&
            is_before(&r->heap[child + 1], &r->heap[child]))
            child++;
        if (is_before(&last, &r->heap[child]))
            break;
        r->heap[at] = r->heap[child];
    }
    r->heap[at] = last;
    return node;
}

static struct task *redeem(weft_worker *self, struct task *task)
{
    struct dag_run *run = ((struct ticket *)task)->run; /* its first member */
    struct ready *r = run->ready;

    pthread_mutex_lock(&r->lock);
    task_list_add(&r->tickets, task);
    struct task *node = &run->node[take(r)].task;
    pthread_mutex_unlock(&r->lock);
    return node->run(self, node);
}

static struct task *take_turn(weft_worker *self, struct task *task)
{
    struct dag_run *run = ((struct ticket *)task)->run; /* its first member */
    struct ready *r = run->ready;

    pthread_mutex_lock(&r->lock);
    struct task *node = &run->node[take(r)].task;
    bool more = r->count, over = ++r->turns % (QUANTUM * run->priority) == 0;
    pthread_mutex_unlock(&r->lock);
    if (more)
        wf_ready_last(run->run.sched, self, task,
                      !over || wf_dag_is_stopped(run));
    return node->run(self, node);
}

struct ready *wf_ready_create(struct dag_run *run)
{
    uint32_t nodes = wf_dag_plan_of(run)->node_count;
    uint32_t tickets = run->takes_turns ? 0 : nodes;
    struct ready *r = malloc(sizeof *r + tickets * sizeof r->ticket[0]);

    if (!r)
        return NULL;
    *r = (struct ready){ .heap = malloc(nodes * sizeof *r->heap),
                         .baton = { { .run = take_turn }, run } };
    if (!r->heap) {
        free(r);
        return NULL;
    }
    pthread_mutex_init(&r->lock, NULL); /* cannot fail on Linux */
    for (uint32_t i = 0; i < tickets; i++) {
        r->ticket[i] = (struct ticket){ { .run = redeem }, run };
        task_list_add(&r->tickets, &r->ticket[i].task);
    }
    return r;
}

void wf_ready_destroy(struct ready *r)
{
    if (!r)
        return;
    pthread_mutex_destroy(&r->lock);
    free(r->heap);
    free(r);
}

void wf_ready_add(struct dag_run *run, struct task_list *nodes)
{
    const int *priority = wf_dag_plan_of(run)->priority;
    struct ready *r = run->ready;
    size_t tickets = run->takes_turns ? 0 : nodes->count;

    pthread_mutex_lock(&r->lock);
    bool hungry = run->takes_turns && !r->count && nodes->first;
    bool first = hungry && (r->turns % (QUANTUM * run->priority) ||
                            wf_dag_is_stopped(run));
    for (struct task *task; (task = task_list_take(nodes));) {
        uint32_t i = ((struct run_node *)task)->index; /* its first member */
        put(r, (struct waiting){ priority ? priority[i] : 0, i, r->number++ });
    }
    while (tickets--)
        task_list_add(nodes, task_list_take(&r->tickets));
    pthread_mutex_unlock(&r->lock);
    if (hungry)
        wf_ready_last(run->run.sched, wf_worker_here(), &r->baton.task, first);
}
