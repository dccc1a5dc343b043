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

/* Its steps end in the middle of a chain, when it owes joins for others. */
Test(walk, a_walk_that_leaves_owes_nothing_and_goes_on_all_the_same,
     .timeout = 60)
{
    enum { CHAINS = 500, LENGTH = 7, NODES = CHAINS * LENGTH };
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(1);
    weft_graph *g = weft_graph_create();
    weft_node first =
        weft_tasks(g, weft_config(task, .fn = count, .ctx = &ran), NODES, 0);
    for (unsigned i = 0; i < NODES - CHAINS; i++)
        weft_after(g, weft_nth(first, i + CHAINS), weft_nth(first, i));
    weft_plan *plan = compiled(g);

    for (unsigned i = 1; i <= 20; i++) {
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(load_relaxed(&ran), i * NODES);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
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

static struct task *be_there(weft_worker *self, struct task *task)
{
    come((struct street *)((char *)task - offsetof(struct street, guest)));
    return NULL;
}

static bool is_a_bell(struct street *s)
{
    bool is = ++s->ran % A_BELL == 0;

    if (is)
        s->rang = s->ran;
    return is;
}

static int send_mail(weft_worker *self, void *street)
{
    struct street *s = street;

    if (is_a_bell(s))
        wf_ready_at(s->sched, &s->guest, 0);
    return 0;
}

/* The oldest may have its turn before it, each 61 tasks. */
Test(walk, what_is_to_run_on_its_worker_waits_for_no_other_node, .timeout = 60)
{
    struct street s = { .sched = workers(1), .guest.run = be_there };

    walk_down(&s, send_mail);
    weft_sched_destroy(s.sched);
    cr_assert_eq(s.came, STREET / A_BELL);
    cr_assert(s.most_between <= 1);
}

static int send_from_outside(weft_worker *self, void *street)
{
    struct street *s = street;

    if (is_a_bell(s))
        wf_ready(s->sched, NULL, &s->guest);
    return 0;
}

/* A walk takes one node after another, but each 61 tasks the oldest comes. */
Test(walk, what_others_have_to_do_has_its_turn, .timeout = 60)
{
    struct street s = { .sched = workers(1), .guest.run = be_there };

    walk_down(&s, send_from_outside);
    weft_sched_destroy(s.sched);
    cr_assert_eq(s.came, STREET / A_BELL);
    cr_assert(s.most_between > 0 && s.most_between <= 61);
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

    if (!is_a_bell(s))
        return 0;
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
