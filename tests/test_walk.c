/* test_walk.c: graph/walk.c: how a worker goes from node to node. */
#include "tests/runs.h"

/* So many nodes that nothing precedes or follows. */
static weft_plan *crowd(unsigned nodes, _Atomic unsigned *ran)
{
    weft_graph *g = weft_graph_create();

    weft_tasks(g, weft_config(task, .fn = count, .ctx = ran), nodes, 0);
    return compiled(g);
}

/* The nodes of two runs lie in one deque, and each of them has joins that are
 * counted down in pieces. */
Test(walk, a_worker_goes_from_one_run_to_another, .timeout = 60)
{
    enum { NODES = 1000, TIMES = TIMES(200, 20) };
    _Atomic unsigned ran[2] = { 0 };
    weft_plan *plan[] = { crowd(NODES, &ran[0]), crowd(NODES + 31, &ran[1]) };

    for (unsigned n = 1; n <= 2; n++) {
        weft_sched *s = workers(n);
        for (unsigned i = 0; i < TIMES; i++) {
            struct weft_run *run[2];
            store_relaxed(&ran[0], 0);
            store_relaxed(&ran[1], 0);
            for (int k = 0; k < 2; k++)
                cr_assert_eq(weft_start(&run[k], s, plan[k], NULL), 0);
            for (int k = 0; k < 2; k++) {
                cr_assert_eq(weft_wait(run[k], -1, NULL), 0);
                cr_assert_eq(load_relaxed(&ran[k]), NODES + 31u * k);
                weft_run_destroy(run[k]);
            }
        }
        weft_sched_destroy(s);
    }
    weft_plan_destroy(plan[0]);
    weft_plan_destroy(plan[1]);
}

struct outsider {
    weft_sched *sched;
    _Atomic unsigned ran;
    _Atomic unsigned seen; /* how many nodes had run when its task did */
};

static int look(weft_worker *self, void *outsider)
{
    struct outsider *o = outsider;

    store_relaxed(&o->seen, load_relaxed(&o->ran));
    return 0;
}

/* The first node makes a task ready that lies behind all that is there. */
static int submit_first(weft_worker *self, void *outsider)
{
    struct outsider *o = outsider;

    return add_relaxed(&o->ran, 1u)
               ? 0
               : weft_submit(o->sched, look, o, NULL, NULL);
}

/* A walk takes one task after another, but not for ever. */
Test(walk, what_others_have_to_do_has_its_turn, .timeout = 60)
{
    enum { NODES = 100000 };
    struct outsider o = { .sched = workers(1) };
    weft_graph *g = weft_graph_create();
    weft_tasks(g, weft_config(task, .fn = submit_first, .ctx = &o), NODES, 0);
    weft_plan *plan = compiled(g);

    cr_assert_eq(weft_run(o.sched, plan, NULL), 0);
    weft_sched_destroy(o.sched);
    cr_assert(o.seen > 0 && o.seen < NODES / 10);
    weft_plan_destroy(plan);
}
