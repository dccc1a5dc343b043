/* test_circle.c: graph/circle.c: tasks that would wait for themselves are told,
 * also where a child waits, whoever runs it. */
#include <unistd.h>

#include "tests/asleep.h"
#include "tests/child.h"
#include "tests/futures.h"

/* ---- a child that waits for its own task ------------------------------- */

struct own {
    weft_future *self;
    _Atomic bool is_there;
    bool taken;
    int way;
    unsigned left; /* children of children */
};

static int wait_for_own(weft_worker *self, void *ctx)
{
    struct own *o = ctx;
    weft_future *f = NULL;

    switch (o->way) {
    case 0:
        return weft_future_wait(o->self, -1);
    case 1:
        return weft_wait_any(&o->self, 1, NULL, -1);
    case 2:
        return weft_wait_all(&o->self, 1, -1, NULL);
    case 3:
        cr_assert_eq(
            weft_when_all(weft_worker_sched(self), &o->self, 1, &f, NULL), 0);
        return wait_and_destroy(f);
    default: /* it is told though it would not wait for ever */
        return weft_future_wait(o->self, 60000);
    }
}

static int go_down(weft_worker *self, void *ctx)
{
    struct own *o = ctx;
    if (!o->left--)
        return wait_for_own(self, o);
    return as_child(self, o->taken, go_down, o);
}

static int fork_and_wait(weft_worker *self, void *ctx)
{
    struct own *o = ctx;
    while (!load_acquire(&o->is_there)) /* its handle */
        ;
    return go_down(self, o);
}

Test(circle, child_that_waits_for_its_own_task_is_told, .timeout = 60)
{
    enum { DEEP = 3 };
    for (int way = 0; way < 5; way++)
        for (unsigned deep = 1; deep <= DEEP; deep += DEEP - 1)
            for (int taken = 0; taken < 2; taken++) {
                weft_sched *s = workers(taken ? deep + 1 : 1);
                struct own o = { .way = way, .taken = taken, .left = deep };
                o.self = submitted(s, fork_and_wait, &o);
                store_release(&o.is_there, true); /* the handle */
                cr_assert_eq(wait_and_destroy(o.self), -EDEADLK);
                weft_sched_destroy(s);
            }
}

/* ---- children, and waits for several ----------------------------------- */

/* Task a waits for a promise, and for b; b for a. Who is told keeps the
 * promise. */
struct knot {
    weft_future *a, *b, *promise;
    _Atomic unsigned running;
    _Atomic bool is_there, kept;
    _Atomic long first, last; /* threads that are about to sleep */
    int way;
};

enum {
    TAKEN, /* for b only, in a child */
    CALLED,
    ALL,
    WHEN_ALL,
    DEEP_WHEN_ALL,
    CHILD_FIRST,
    PARENT_FIRST,
    WAYS
};

static int told(struct knot *k, int rc)
{
    if (rc == -EDEADLK && !swap_acq_rel(&k->kept, true))
        weft_future_complete(k->promise, 0);
    return rc;
}

static int sleep_for(struct knot *k, _Atomic long *thread, weft_future *f)
{
    store_relaxed(thread, (long)gettid());
    return told(k, weft_future_wait(f, -1));
}

static void wait_for(const _Atomic long *thread)
{
    while (!load_relaxed(thread))
        usleep(50);
    wait_until_asleep(load_relaxed(thread));
}

static weft_future *all_of(weft_worker *self, weft_future *f, weft_future *g)
{
    weft_future *both[] = { f, g }, *all = NULL;
    cr_assert_eq(weft_when_all(weft_worker_sched(self), both, 2, &all, NULL),
                 0);
    return all;
}

static int sleep_for_b(weft_worker *self, void *ctx)
{
    struct knot *k = ctx;
    return sleep_for(k, &k->first, k->b);
}

static int sleep_for_b_only(weft_worker *self, void *ctx)
{
    struct knot *k = ctx;
    return sleep_for(k, &k->last, k->b);
}

static int sleep_for_promise(weft_worker *self, void *ctx)
{
    struct knot *k = ctx;
    wait_for(&k->first);
    return sleep_for(k, &k->last, k->promise);
}

/* Both, one of them in a child that another worker has taken. */
static int sleep_for_both(weft_worker *self, struct knot *k)
{
    bool child_first = k->way == CHILD_FIRST;
    weft_fn *fns[] = { sleep_for_b, sleep_for_promise };
    struct sure_child c = { .fn = fns[!child_first], .ctx = k };
    struct weft_child child = { .fn = begin_sure_child, .ctx = &c };

    sem_init(&c.begun, 0, 0);
    cr_assert_eq(weft_spawn(self, &child), 0);
    sem_wait(&c.begun);
    int rc = fns[child_first](self, k);
    int other = weft_sync(self, &child);
    return rc ? rc : other;
}

static int pass_on(weft_worker *self, int result, void *ctx) { return result; }

/* Both run, and have the handles. */
static void meet(struct knot *k)
{
    add_relaxed(&k->running, 1u);
    while (load_relaxed(&k->running) < 2 ||
           !load_acquire(&k->is_there)) /* the handles */
        usleep(50);
}

static int wait_for_several(weft_worker *self, void *ctx)
{
    struct knot *k = ctx;
    weft_future *both[2], *f, *inner;
    int rc;

    meet(k);
    both[0] = k->promise;
    both[1] = k->b;
    switch (k->way) {
    case TAKEN:
    case CALLED:
        return as_child(self, k->way == TAKEN, sleep_for_b_only, k);
    case ALL:
        store_relaxed(&k->last, (long)gettid());
        return told(k, weft_wait_all(both, 2, -1, NULL));
    case WHEN_ALL:
        f = all_of(self, k->promise, k->b);
        break;
    case DEEP_WHEN_ALL:
        cr_assert_eq(
            weft_then(k->b, weft_config(then, .fn = pass_on), &f, NULL), 0);
        inner = all_of(self, k->promise, f);
        weft_future_destroy(f);
        f = all_of(self, k->promise, inner);
        weft_future_destroy(inner);
        break;
    default:
        return sleep_for_both(self, k);
    }
    rc = sleep_for(k, &k->last, f);
    weft_future_destroy(f);
    return rc;
}

static int wait_for_a(weft_worker *self, void *ctx)
{
    struct knot *k = ctx;
    meet(k);
    wait_for(&k->last);
    return told(k, weft_future_wait(k->a, -1));
}

Test(circle, one_way_that_leads_back_is_enough, .timeout = 120)
{
    for (int i = 0; i < WAYS * TIMES(10, 2); i++) {
        struct knot k = { .way = i % WAYS };
        weft_sched *s = workers(k.way == CALLED ? 2 : 3);
        k.promise = promised(s);
        k.a = submitted(s, wait_for_several, &k);
        k.b = submitted(s, wait_for_a, &k);
        store_release(&k.is_there, true); /* the handles */
        cr_assert_eq(weft_future_wait(k.a, -1), -EDEADLK);
        cr_assert_eq(weft_future_wait(k.b, -1), -EDEADLK);
        weft_future_destroy(k.a);
        weft_future_destroy(k.b);
        weft_future_destroy(k.promise);
        weft_sched_destroy(s);
    }
}

/* ---- no circles -------------------------------------------------------- */

/* Each waits for up to three of those before it, in any way. */
enum { TASKS = TIMES(1000, 250) };

struct web {
    weft_future *f[TASKS];
    struct thread {
        struct web *web;
        unsigned number, way, some[3];
    } task[TASKS];
};

static int wait_for_some(weft_worker *self, void *ctx)
{
    struct thread *t = ctx;
    weft_future *some[3], *all = NULL;

    for (int i = 0; i < 3; i++)
        some[i] = t->web->f[t->some[i]];
    if (t->way % 2)
        return weft_wait_all(some, 3, -1, NULL);
    cr_assert_eq(weft_when_all(weft_worker_sched(self), some, 3, &all, NULL),
                 0);
    return wait_and_destroy(all);
}

static int wait_for_some_in_children(weft_worker *self, void *ctx)
{
    struct thread *t = ctx;
    struct weft_child child[2];
    struct weft_group group = { 0 };

    if (!t->number)
        return 0;
    for (unsigned i = 0; i < t->way / 2; i++) {
        child[i] = (struct weft_child){ .fn = wait_for_some, .ctx = t };
        cr_assert_eq(weft_group_spawn(self, &group, &child[i]), 0);
    }
    int rc = wait_for_some(self, t);
    int other = weft_group_sync(self, &group);
    return rc ? rc : other;
}

Test(circle, waits_that_do_not_lead_back_end, .timeout = 120)
{
    static struct web web;
    unsigned random = 7;

    for (unsigned round = 0; round < 6; round++) {
        weft_sched *s = workers(1 + round % 3);
        for (unsigned i = 0; i < TASKS; i++) {
            struct thread *t = &web.task[i];
            *t = (struct thread){ .web = &web, .number = i, .way = i % 6 };
            for (int k = 0; k < 3 && i; k++) {
                random = random * 1664525 + 1013904223;
                t->some[k] = (random >> 8) % i;
            }
            web.f[i] = submitted(s, wait_for_some_in_children, t);
        }
        for (unsigned i = 0; i < TASKS; i++) {
            int rc = weft_future_wait(web.f[i], -1);
            cr_assert(rc == 0 || rc == -EAGAIN);
        }
        for (unsigned i = 0; i < TASKS; i++)
            weft_future_destroy(web.f[i]);
        weft_sched_destroy(s);
    }
}
