/* test_child.c: graph/child.h, graph/here.h: what a child knows of its task. It
 * is the same whoever runs the child, and however deep. */
#include <stdlib.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/child.h"
#include "tests/futures.h"

enum { DEEP = 3 };

/* A child of a child of a child, and what it finds there. */
struct descent {
    bool taken;
    unsigned left;
    weft_fn *find;
    void *expected;
};

static int go_down(weft_worker *self, void *ctx)
{
    struct descent *d = ctx;
    if (!d->left--)
        return d->find(self, d->expected);
    return as_child(self, d->taken, go_down, d);
}

/* One worker for each, so that all are taken; or only one. */
static weft_sched *workers_for(bool taken)
{
    return workers(taken ? DEEP + 1 : 1);
}

/* ---- of a graph -------------------------------------------------------- */

static int find_context(weft_worker *self, void *expected)
{
    return weft_task_context(self) == expected ? 0 : -EPROTO;
}

static int run_with_context(weft_sched *s, weft_graph *g, void *context)
{
    struct weft_run *run;
    weft_plan *plan = compiled(g);
    cr_assert_eq(
        weft_start_with(&run, s, plan, weft_config(run, .ctx = context), NULL),
        0);
    int rc = weft_wait(run, -1, NULL);
    weft_run_destroy(run);
    weft_plan_destroy(plan);
    return rc;
}

Test(child, has_the_context_of_its_task, .timeout = 60)
{
    for (int taken = 0; taken < 2; taken++) {
        weft_sched *s = workers_for(taken);
        for (int i = 0; i < TIMES(50, 10); i++) {
            struct descent d = { taken, DEEP, find_context, &i };
            weft_graph *g = weft_graph_create();
            weft_task(g, "forks", go_down, &d);
            cr_assert_eq(run_with_context(s, g, &i), 0);
        }
        weft_sched_destroy(s);
    }
}

static int fork_and_choose(weft_worker *self, unsigned *which, void *ctx)
{
    return go_down(self, ctx);
}

static int fork_and_draw(weft_worker *self, weft_graph *g, void *ctx)
{
    return go_down(self, ctx);
}

Test(child, of_any_callback_has_the_context_of_its_task, .timeout = 60)
{
    for (int taken = 0; taken < 2; taken++) {
        weft_sched *s = workers_for(taken);
        int context;
        struct descent d[] = { { taken, DEEP, find_context, &context },
                               { taken, DEEP, find_context, &context } };
        weft_graph *g = weft_graph_create();
        weft_node drawn = weft_task_with(
            g, weft_config(task, .draw = fork_and_draw, .ctx = &d[0]));
        weft_node chooses = weft_task_with(
            g, weft_config(task, .choose = fork_and_choose, .ctx = &d[1]));
        weft_after(g, chooses, drawn);
        weft_choose(g, chooses, weft_task(g, "never", nothing, NULL));
        cr_assert_eq(run_with_context(s, g, &context), 0);
        weft_sched_destroy(s);
    }
}

/* ---- in loops ---------------------------------------------------------- */

/* A call returns when another one has begun, on the other worker. */
struct loops {
    _Atomic unsigned begun[4];
    pthread_t sorts;
    _Atomic bool other_sorts;
};

static int meet(weft_worker *self, struct loops *l, int loop)
{
    add_relaxed(&l->begun[loop], 1u);
    while (load_relaxed(&l->begun[loop]) < 2)
        usleep(50);
    return find_context(self, l);
}

static int each(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    return meet(self, ctx, 0);
}

static int fold(weft_worker *self, size_t begin, size_t end, void *acc,
                void *ctx)
{
    return meet(self, ctx, 1);
}

static int fold_part(weft_worker *self, size_t begin, size_t end, void *acc,
                     void *ctx)
{
    return meet(self, ctx, 2);
}

static int write_part(weft_worker *self, size_t begin, size_t end, void *acc,
                      void *ctx)
{
    return meet(self, ctx, 3);
}

static void combine(void *into, const void *from, void *ctx) {}

static int compare(const void *a, const void *b, void *ctx)
{
    struct loops *l = ctx;
    cr_assert_eq(find_context(wf_worker_here(), l), 0);
    if (!pthread_equal(l->sorts, pthread_self()))
        store_relaxed(&l->other_sorts, true);
    while (!load_relaxed(&l->other_sorts))
        usleep(50);
    return *(const char *)a - *(const char *)b;
}

static int loop_in_all_ways(weft_worker *self, void *ctx)
{
    static char numbers[10000];
    struct loops *l = ctx;
    char none = 0;
    int rc = weft_for(self, 0, 2, each, l, 1);

    if (!rc)
        rc = weft_reduce(
            self, &none,
            weft_config(reduce, .end = 2, .fold = fold, .combine = combine,
                        .ctx = l, .identity = &none, .bytes = 1, .grain = 1));
    if (!rc)
        rc = weft_scan(self, NULL,
                       weft_config(scan, .end = 3, .fold = fold_part,
                                   .write = write_part, .combine = combine,
                                   .ctx = l, .identity = &none, .bytes = 1,
                                   .grain = 1));
    l->sorts = pthread_self();
    if (!rc)
        rc = weft_sort(self, numbers, sizeof numbers, 1, compare, l, NULL);
    return rc ? rc : find_context(self, l);
}

Test(child, calls_of_loops_have_the_context_of_their_task, .timeout = 60)
{
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(50, 10); i++) {
        struct loops l = { .other_sorts = false };
        weft_graph *g = weft_graph_create();
        weft_task(g, "loops", loop_in_all_ways, &l);
        cr_assert_eq(run_with_context(s, g, &l), 0);
    }
    weft_sched_destroy(s);
}

/* ---- of a loose task --------------------------------------------------- */

static int find_self(weft_worker *self, void *expected)
{
    if (weft_future_self(self) != expected)
        return -EPROTO;
    return weft_is_cancelled(self) ? -ECANCELED : 0;
}

/* Cancels itself, if it is to. */
struct forking {
    bool taken, cancels;
    _Atomic unsigned ran;
};

static int fork_deep(weft_worker *self, void *ctx)
{
    struct forking *f = ctx;
    weft_future *me = weft_future_self(self);
    struct descent d = { f->taken, DEEP, find_self, me };
    if (f->cancels)
        weft_future_cancel(me);
    return go_down(self, &d);
}

Test(child, has_the_future_of_its_task_and_sees_it_cancelled, .timeout = 60)
{
    for (int way = 0; way < 4; way++) {
        struct forking f = { .taken = way & 1, .cancels = way & 2 };
        weft_sched *s = workers_for(f.taken);
        for (int i = 0; i < TIMES(50, 10); i++)
            cr_assert_eq(wait_and_destroy(submitted(s, fork_deep, &f)),
                         f.cancels ? -ECANCELED : 0);
        weft_sched_destroy(s);
    }
}

static int complete_task(weft_worker *self, void *ctx)
{
    weft_future_complete(weft_future_self(self), -EPROTO);
    return 0;
}

static int pend_for_a_child(weft_worker *self, void *ctx)
{
    struct forking *f = ctx;
    int rc = as_child(self, f->taken, complete_task, NULL);
    return rc ? rc : WEFT_PENDING;
}

Test(child, may_complete_its_task, .timeout = 60)
{
    for (int taken = 0; taken < 2; taken++) {
        weft_sched *s = workers_for(taken);
        struct forking f = { .taken = taken };
        for (int i = 0; i < TIMES(50, 10); i++)
            cr_assert_eq(wait_and_destroy(submitted(s, pend_for_a_child, &f)),
                         -EPROTO);
        weft_sched_destroy(s);
    }
}

static int end_as_promise(weft_worker *self, void *ctx)
{
    weft_future *p = promised(weft_worker_sched(self));
    weft_future_complete(p, -EIO);
    return weft_end_as(self, p);
}

static int let_a_child_end(weft_worker *self, void *ctx)
{
    struct forking *f = ctx;
    return as_child(self, f->taken, end_as_promise, NULL);
}

Test(child, does_not_end_its_task_as_another_future, .timeout = 60)
{
    for (int taken = 0; taken < 2; taken++) {
        weft_sched *s = workers_for(taken);
        struct forking f = { .taken = taken };
        cr_assert_eq(wait_and_destroy(submitted(s, let_a_child_end, &f)),
                     -EPERM);
        weft_sched_destroy(s);
    }
}

static int count_on(weft_worker *self, void *ctx)
{
    struct forking *f = ctx;
    add_relaxed(&f->ran, 1u);
    return 0;
}

static int go_on(weft_worker *self, void *ctx)
{
    weft_continue(self, count_on, ctx);
    return 0;
}

static int help_one_that_goes_on(weft_worker *self, void *ctx)
{
    weft_sched *s = weft_worker_sched(self);
    return wait_and_destroy(submitted(s, go_on, ctx));
}

static int let_a_child_help(weft_worker *self, void *ctx)
{
    struct forking *f = ctx;
    return as_child(self, f->taken, help_one_that_goes_on, f);
}

/* It runs on top of the child, and is part of nothing. */
Test(child, waits_for_a_task_that_goes_on, .timeout = 60)
{
    for (int taken = 0; taken < 2; taken++) {
        weft_sched *s = workers_for(taken);
        struct forking f = { .taken = taken };
        for (unsigned i = 1; i <= TIMES(50, 10); i++) {
            cr_assert_eq(wait_and_destroy(submitted(s, let_a_child_help, &f)),
                         0);
            cr_assert_eq(f.ran, i);
        }
        weft_sched_destroy(s);
    }
}

/* ---- whoever runs it has its own again --------------------------------- */

/* The child waits for a task, of which a child is taken: by the first parent,
 * on top of its own task, unless that sleeps already. */
struct visit {
    sem_t begun, is_there, pushed;
    weft_future *sender;
    _Atomic bool ran;
};

static int visitor(weft_worker *self, void *ctx)
{
    struct visit *v = ctx;
    int rc = find_self(self, v->sender);
    store_relaxed(&v->ran, true);
    return rc;
}

static int send_visitor(weft_worker *self, void *ctx)
{
    struct visit *v = ctx;
    struct weft_child child = { .fn = visitor, .ctx = v };
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_post(&v->pushed);
    while (!load_relaxed(&v->ran))
        usleep(50);
    return weft_sync(self, &child);
}

static int wait_for_sender(weft_worker *self, void *ctx)
{
    struct visit *v = ctx;
    sem_post(&v->begun);
    sem_wait(&v->is_there);
    return wait_and_destroy(v->sender);
}

static int be_visited(weft_worker *self, void *ctx)
{
    struct visit *v = ctx;
    struct weft_child child = { .fn = wait_for_sender, .ctx = v };
    weft_future *me = weft_future_self(self);
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&v->begun);
    v->sender = submitted(weft_worker_sched(self), send_visitor, v);
    sem_post(&v->is_there);
    sem_wait(&v->pushed); /* the other worker runs both */
    int rc = weft_sync(self, &child);
    return rc ? rc : find_self(self, me);
}

Test(child, leaves_the_task_of_who_runs_it_as_it_was, .timeout = 60)
{
    weft_sched *s = workers(2);
    for (int i = 0; i < TIMES(500, 100); i++) {
        struct visit v = { .ran = false };
        sem_init(&v.begun, 0, 0);
        sem_init(&v.is_there, 0, 0);
        sem_init(&v.pushed, 0, 0);
        cr_assert_eq(wait_and_destroy(submitted(s, be_visited, &v)), 0);
    }
    weft_sched_destroy(s);
}

static int go_on_after_a_child(weft_worker *self, void *ctx)
{
    struct forking *f = ctx;
    cr_assert_eq(as_child(self, f->taken, find_self, weft_future_self(self)),
                 0);
    return go_on(self, f);
}

static int pend_after_a_child(weft_worker *self, void *ctx)
{
    struct descent *d = ctx;
    int rc = as_child(self, d->taken, find_context, d->expected);
    weft_task_complete(weft_task_pending(self), rc);
    return WEFT_PENDING;
}

Test(child, leaves_it_to_its_task_how_that_ends, .timeout = 60)
{
    for (int taken = 0; taken < 2; taken++) {
        weft_sched *s = workers_for(taken);
        struct forking f = { .taken = taken };
        struct descent d = { .taken = taken, .expected = &f };
        weft_graph *g = weft_graph_create();
        cr_assert_eq(wait_and_destroy(submitted(s, go_on_after_a_child, &f)),
                     0);
        cr_assert_eq(f.ran, 1);
        weft_task(g, "pends", pend_after_a_child, &d);
        cr_assert_eq(run_with_context(s, g, &f), 0);
        weft_sched_destroy(s);
    }
}
