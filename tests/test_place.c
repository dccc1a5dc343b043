/* test_place.c: tasks that had better run on a worker, or near to something:
 * moved there in graph/node.c, and waiting there in sched/worker.c. */
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/runs.h"

enum { WORKERS = 3 };

/* All workers are kept busy, each until it is let go. */
struct hall {
    weft_sched *sched;
    unsigned workers;
    _Atomic unsigned busy, ended, met, wrong;
    _Atomic bool free_to_go[WORKERS];
};

static int keep_busy(weft_worker *self, void *ctx)
{
    struct hall *h = ctx;
    add_relaxed(&h->busy, 1u);
    while (!load_relaxed(&h->free_to_go[weft_worker_index(self)]))
        usleep(20);
    add_relaxed(&h->ended, 1u);
    return 0;
}

static void open_hall(struct hall *h, unsigned n)
{
    *h = (struct hall){ .sched = workers(n), .workers = n };
    for (unsigned i = 0; i < n; i++)
        cr_assert_eq(weft_submit(h->sched, keep_busy, h, NULL, NULL), 0);
    while (load_relaxed(&h->busy) < n)
        usleep(20);
}

static void let_go(struct hall *h, unsigned worker)
{
    store_relaxed(&h->free_to_go[worker], true);
}

struct guest {
    struct task task;
    struct hall *hall;
    unsigned worker;
    _Atomic bool came;
};

/* Waits until all are there: so no worker can be two of them. */
static void meet(weft_worker *self, struct guest *g, unsigned all)
{
    add_relaxed(&g->hall->wrong, weft_worker_index(self) != g->worker);
    add_relaxed(&g->hall->met, 1u);
    while (load_relaxed(&g->hall->met) < all)
        usleep(20);
    store_relaxed(&g->came, true);
}

static struct task *meet_all(weft_worker *self, struct task *task)
{
    struct guest *g = (struct guest *)task;
    meet(self, g, g->hall->workers);
    return NULL;
}

Test(place, what_is_to_run_on_a_worker_does_when_that_is_free, .timeout = 60)
{
    for (int i = 0; i < TIMES(100, 20); i++) {
        struct hall h;
        struct guest guests[WORKERS];
        open_hall(&h, WORKERS);
        for (unsigned w = 0; w < WORKERS; w++) {
            guests[w] =
                (struct guest){ .task.run = meet_all, .hall = &h, .worker = w };
            wf_ready_at(h.sched, &guests[w].task, w);
        }
        for (unsigned w = 0; w < WORKERS; w++)
            let_go(&h, (w + (unsigned)i) % WORKERS);
        weft_sched_destroy(h.sched);
        cr_assert_eq(h.met, WORKERS);
        cr_assert_eq(h.wrong, 0);
    }
}

static struct task *note(weft_worker *self, struct task *task)
{
    struct guest *g = (struct guest *)task;
    add_relaxed(&g->hall->wrong, weft_worker_index(self) != g->worker);
    store_relaxed(&g->came, true);
    return NULL;
}

static _Atomic unsigned others;

static struct task *is_first(weft_worker *self, struct task *task)
{
    struct guest *g = (struct guest *)task;
    add_relaxed(&g->hall->wrong, load_relaxed(&others));
    store_relaxed(&g->came, true);
    return NULL;
}

Test(place, it_comes_before_what_else_the_worker_has, .timeout = 60)
{
    struct hall h;
    struct guest guest = { .task.run = is_first, .hall = &h };
    open_hall(&h, 1);
    store_relaxed(&others, 0);
    for (int i = 0; i < 10; i++)
        cr_assert_eq(weft_submit(h.sched, count, &others, NULL, NULL), 0);
    wf_ready_at(h.sched, &guest.task, 0);
    let_go(&h, 0);
    weft_sched_destroy(h.sched);
    cr_assert(guest.came);
    cr_assert_eq(h.wrong, 0);
    cr_assert_eq(others, 10);
}

Test(place, a_free_worker_takes_what_waits_for_a_busy_one, .timeout = 60)
{
    struct hall h;
    struct guest guest = { .task.run = note, .hall = &h, .worker = 0 };
    open_hall(&h, 2);
    wf_ready_at(h.sched, &guest.task, 0);
    let_go(&h, 1);
    while (!load_relaxed(&guest.came))
        usleep(20);
    cr_assert_eq(h.ended, 1);
    cr_assert_eq(h.wrong, 1); /* on worker 1, that is */
    let_go(&h, 0);
    weft_sched_destroy(h.sched);
}

/* ---- in a graph -------------------------------------------------------- */

static int meet_the_other(weft_worker *self, void *ctx)
{
    struct guest *g = ctx;
    let_go(g->hall, 0);
    meet(self, g, 2);
    return 0;
}

/* Two tasks, each with a place that only one of two workers has. Worker 1 finds
 * both of them, and lets worker 0 go when it runs its own: so in every other
 * round it has come to that of the other before. */
static void send_to(const struct weft_place place[2], bool are_near)
{
    for (unsigned i = 0; i < TIMES(200, 50); i++) {
        struct hall h;
        struct guest guests[2];
        weft_graph *g = weft_graph_create();
        open_hall(&h, 2);
        cr_assert_eq(wf_are_near(h.sched, 0, 1), are_near);
        for (unsigned k = 0; k < 2; k++) {
            unsigned worker = (k + i) % 2;
            guests[k] = (struct guest){ .hall = &h, .worker = worker };
            weft_task_with(g, weft_config(task, .fn = meet_the_other,
                                          .ctx = &guests[k],
                                          .place = place[worker]));
        }
        weft_plan *plan = compiled(g);
        struct weft_run *run = started(h.sched, plan);
        let_go(&h, 1); /* it lets go the other */
        cr_assert_eq(weft_wait(run, -1, NULL), 0);
        cr_assert_eq(h.wrong, 0);
        weft_run_destroy(run);
        weft_plan_destroy(plan);
        weft_sched_destroy(h.sched);
    }
}

/* Nodes as these, wherever we are. */
static void pretend(const char *shape) { setenv("HWLOC_SYNTHETIC", shape, 1); }

Test(place, each_of_two_tasks_runs_on_its_worker, .timeout = 60)
{
    const struct weft_place place[2] = { { WEFT_ON_WORKER, .worker = 0 },
                                         { WEFT_ON_WORKER, .worker = 1 } };
    pretend("node:1 core:2 pu:1");
    send_to(place, true);
}

Test(place, each_of_two_tasks_runs_on_its_numa_node, .timeout = 60)
{
    const struct weft_place place[2] = { { WEFT_ON_NODE, .worker = 0 },
                                         { WEFT_ON_NODE, .worker = 1 } };
    pretend("node:2 core:1 pu:1");
    send_to(place, false);
}

/* ---- on nodes that there are ------------------------------------------- */

/* A CPU of the NUMA node, or -1. */
static int cpu_of_node(unsigned node)
{
    char path[64];
    int cpu = -1;
    snprintf(path, sizeof path, "/sys/devices/system/node/node%u/cpulist",
             node);
    FILE *list = fopen(path, "r");
    if (list && fscanf(list, "%d", &cpu) != 1)
        cpu = -1;
    if (list)
        fclose(list);
    return cpu;
}

static void *page_on(unsigned node)
{
    unsigned long mask = 1ul << node;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert(page != MAP_FAILED);
    cr_assert_eq(syscall(SYS_mbind, page, 4096, MPOL_BIND, &mask, 64, 0), 0);
    memset(page, 1, 4096);
    return page;
}

/* In a virtual machine with nodes; where there is one there is nothing to see.
 */
Test(place, each_of_two_tasks_runs_near_its_memory, .timeout = 60)
{
    struct weft_place place[2] = { { WEFT_NEAR }, { WEFT_NEAR } };
    cpu_set_t two;

    CPU_ZERO(&two);
    for (unsigned node = 0; node < 2; node++) {
        int cpu = cpu_of_node(node);
        if (cpu < 0)
            return;
        CPU_SET((unsigned)cpu, &two);
        place[node].memory = page_on(node);
    }
    cr_assert_eq(sched_setaffinity(0, sizeof two, &two), 0);
    send_to(place, false);
}

/* ---- all together ------------------------------------------------------ */

/* Wherever they go, nothing is lost and nothing done twice. */
Test(place, tasks_that_move_run_once, .timeout = 60)
{
    enum { TASKS = 500 };
    _Atomic unsigned ran = 0;
    static int data;
    weft_limit *limit = NULL;
    weft_sched *s = workers(WORKERS);
    weft_graph *g = weft_graph_create();
    weft_node first = weft_task(g, "first", nothing, NULL);

    cr_assert_eq(
        weft_limit_create(&limit,
                          weft_config(limit, .name = "gpu", .tokens = 2), NULL),
        0);
    for (unsigned i = 0; i < TASKS; i++) {
        weft_node node = weft_task_with(
            g,
            weft_config(
                task, .fn = count, .ctx = &ran, .priority = i % 5 == 0,
                .uses = &(struct weft_use){ limit, 1 }, .use_count = i % 7 == 0,
                .place = { i % 4, .worker = i % WORKERS, .memory = &data }));
        if (i % 2)
            weft_after(g, node, first);
        if (i % 3)
            first = node;
    }
    weft_plan *plan = compiled(g);
    for (unsigned i = 1; i <= TIMES(100, 20); i++) {
        cr_assert_eq(weft_run(s, plan, NULL), 0);
        cr_assert_eq(load_relaxed(&ran), i * TASKS);
    }
    weft_plan_destroy(plan);
    weft_sched_destroy(s);
    weft_limit_destroy(limit);
}

Test(place, a_worker_that_there_is_not_fails_the_task)
{
    _Atomic unsigned ran = 0;
    weft_error why;
    weft_graph *g = weft_graph_create();
    weft_task_with(g, weft_config(task, .name = "far", .fn = count, .ctx = &ran,
                                  .place = { WEFT_ON_WORKER, .worker = 2 }));
    cr_assert_eq(run_once(g, 2, &why), -EINVAL);
    cr_assert_eq(
        strcmp(why.text, "task 'far' is to run on worker 2, and there are 2"),
        0);
    cr_assert_eq(ran, 0);
}
