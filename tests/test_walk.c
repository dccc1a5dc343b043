/* test_walk.c: graph/walk.c: how a worker goes from node to node. */
#include <stddef.h>

#include "sched/worker.h"
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

/* Nodes of a crowd on one worker, some of which have another task come. */
struct street {
    weft_sched *sched;
    struct task guest;
    _Atomic uint32_t bell;
    unsigned ran;          /* nodes: plain, all on one worker */
    unsigned rang;         /* when so many had run */
    unsigned most_between; /* nodes that ran from then until it came */
    unsigned came;
};

enum { STREET = 20000, A_BELL = 997 /* no multiple of what a walk takes */ };

static void come(struct street *s)
{
    unsigned between = s->ran - s->rang;

    s->came++;
    if (between > s->most_between)
        s->most_between = between;
}

static void walk_down(struct street *s, weft_fn *fn)
{
    weft_graph *g = weft_graph_create();

    weft_tasks(g, weft_config(task, .fn = fn, .ctx = s), STREET, 0);
    weft_plan *plan = compiled(g);
    cr_assert_eq(weft_run(s->sched, plan, NULL), 0);
    weft_plan_destroy(plan);
}

static struct task *come_by_mail(weft_worker *self, struct task *task)
{
    come((struct street *)((char *)task - offsetof(struct street, guest)));
    return NULL;
}

static int send_mail(weft_worker *self, void *street)
{
    struct street *s = street;

    if (++s->ran % A_BELL)
        return 0;
    s->rang = s->ran;
    wf_ready_at(s->sched, &s->guest, 0);
    return 0;
}

/* The oldest may have its turn before it, each 61 tasks. */
Test(walk, what_is_to_run_on_its_worker_waits_for_no_other_node, .timeout = 60)
{
    struct street s = { .sched = workers(1), .guest.run = come_by_mail };

    walk_down(&s, send_mail);
    weft_sched_destroy(s.sched);
    cr_assert_eq(s.came, STREET / A_BELL);
    cr_assert(s.most_between <= 1);
}

/* Sleeps until the bell rings, and is the worker then, again and again. */
static int wait_for_the_bell(weft_worker *self, void *street)
{
    struct street *s = street;

    for (uint32_t n = 0; n < STREET / A_BELL; n++) {
        while (load_acquire(&s->bell) == n) /* what the node wrote */
            wf_worker_sleep(self, &s->bell, n, -1);
        come(s);
    }
    return 0;
}

/* Rings, and returns when the one who sleeps wants to be the worker. */
static int ring(weft_worker *self, void *street)
{
    struct street *s = street;

    if (++s->ran % A_BELL)
        return 0;
    s->rang = s->ran;
    add_release(&s->bell, 1); /* for wait_for_the_bell */
    wf_wake_all(&s->bell);
    while (!wf_lend_called(self))
        cpu_pause();
    return 0;
}

Test(walk, who_wants_its_worker_back_waits_for_no_other_node, .timeout = 60)
{
    struct street s = { .sched = workers(1) };
    weft_future *f;

    cr_assert_eq(weft_submit(s.sched, wait_for_the_bell, &s, &f, NULL), 0);
    walk_down(&s, ring);
    cr_assert_eq(weft_future_wait(f, -1), 0);
    weft_future_destroy(f);
    weft_sched_destroy(s.sched);
    cr_assert_eq(s.came, STREET / A_BELL);
    cr_assert_eq(s.most_between, 0);
}
