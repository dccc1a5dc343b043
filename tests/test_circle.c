/* test_circle.c: graph/circle.c: tasks that would wait for themselves are told,
 * also where a child waits, whoever runs it. */
#include <unistd.h>

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
