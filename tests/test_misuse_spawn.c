/* test_misuse_spawn.c: graph/spawn.c: children that are spawned or synced where
 * they must not be, or ask for what is their task's alone. A debug build ends
 * with a sentence; a release build, as which this is compiled once more, says
 * no and goes on. */
#include "tests/aborts.h"
#include "tests/child.h"
#include "tests/futures.h"

static int never(weft_worker *self, size_t begin, size_t end, void *ctx)
{
    return -EIO;
}

/* Calls fn on a worker of a scheduler that was made in this process. */
static bool on_a_worker(weft_fn *fn)
{
    weft_sched *s;
    if (weft_sched_create(&s, weft_config(sched, .workers = 1), NULL))
        return false;
    bool good = weft_call(s, fn, NULL, NULL) == 0;
    weft_sched_destroy(s);
    return good;
}

static bool spawn_outside(void)
{
    struct weft_child child = { .fn = nothing };
    return weft_spawn(NULL, &child) == -EPERM &&
           weft_sync(NULL, &child) == -EPERM;
}

Test(misuse_spawn, outside_a_worker_nothing_is_spawned, .timeout = 60)
{
    cr_assert(is_misuse(spawn_outside, "weft_spawn was called outside a "
                                       "worker: use weft_call to get there"));
}

static bool loop_outside(void)
{
    return weft_for(NULL, 0, 10, never, NULL, 0) == -EPERM;
}

Test(misuse_spawn, outside_a_worker_there_is_no_loop, .timeout = 60)
{
    cr_assert(is_misuse(loop_outside, "weft_for was called outside a worker: "
                                      "use weft_call to get there"));
}

static bool sort_outside(void)
{
    char two[2] = { 2, 1 };
    return weft_sort(NULL, two, 2, 1, NULL, NULL, NULL) == -EPERM &&
           two[0] == 2;
}

Test(misuse_spawn, outside_a_worker_nothing_is_sorted, .timeout = 60)
{
    cr_assert(is_misuse(sort_outside, "weft_sort was called outside a worker: "
                                      "use weft_call to get there"));
}

static const char not_spawned[] = "weft_sync was called for a child that was "
                                  "not spawned, or not by this worker";

static int sync_too_often(weft_worker *self, void *ctx)
{
    struct weft_child child = { .fn = nothing };
    if (weft_spawn(self, &child) || weft_sync(self, &child))
        return -EIO;
    return weft_sync(self, &child) == -EINVAL ? 0 : -EIO;
}

static bool second_sync(void) { return on_a_worker(sync_too_often); }

Test(misuse_spawn, child_is_synced_once, .timeout = 60)
{
    cr_assert(is_misuse(second_sync, not_spawned));
}

static int sync_elsewhere(weft_worker *self, void *ctx)
{
    struct weft_child child = { .fn = nothing };
    if (weft_spawn(self, &child) || weft_sync(NULL, &child) != -EPERM)
        return -EIO;
    return weft_sync(self, &child);
}

static bool sync_without_worker(void) { return on_a_worker(sync_elsewhere); }

Test(misuse_spawn, child_is_synced_by_the_worker_that_spawned_it, .timeout = 60)
{
    cr_assert(is_misuse(sync_without_worker, not_spawned));
}

static int spawn_twice(weft_worker *self, void *ctx)
{
    struct weft_child child = { .fn = nothing };
    struct weft_group group = { 0 };
    if (weft_group_spawn(self, &group, &child) ||
        weft_spawn(self, &child) != -EALREADY ||
        weft_group_spawn(self, &group, &child) != -EALREADY)
        return -EIO;
    return weft_group_sync(self, &group);
}

static bool second_spawn(void) { return on_a_worker(spawn_twice); }

Test(misuse_spawn, child_is_spawned_once, .timeout = 60)
{
    cr_assert(is_misuse(second_spawn,
                        "weft_spawn was called for a child that is "
                        "spawned already, or was not zeroed"));
}

static struct weft_child left_behind = { .fn = nothing };

static int forget(weft_worker *self, void *ctx)
{
    return weft_spawn(self, &left_behind);
}

static bool forget_a_child(void) { return on_a_worker(forget); }

Test(misuse_spawn, child_that_was_forgotten_is_told_of, .timeout = 60)
{
    cr_assert(is_misuse(forget_a_child,
                        "a function has returned while 1 of the children that "
                        "it spawned were not synced: they lie in a frame that "
                        "is gone"));
}

/* ---- what only the task itself may say --------------------------------- */

static bool taken; /* the child, by another worker */

static int go_on(weft_worker *self, void *ctx)
{
    weft_continue(self, count, ctx);
    return 0;
}

static int let_a_child_go_on(weft_worker *self, void *ctx)
{
    return as_child(self, taken, go_on, ctx);
}

static bool continue_in_a_child(void)
{
    _Atomic unsigned ran = 0;
    weft_sched *s = workers(taken ? 2 : 1);
    int rc = wait_and_destroy(submitted(s, let_a_child_go_on, &ran));
    weft_sched_destroy(s);
    return !rc && !ran;
}

Test(misuse_spawn, child_does_not_continue_its_task, .timeout = 60)
{
    for (int i = 0; i < 2; i++) {
        taken = i;
        cr_assert(is_misuse(continue_in_a_child,
                            "weft_continue was called in a child: only the "
                            "function of the task itself may go on"));
    }
}

static int ask_to_pend(weft_worker *self, void *ctx)
{
    return weft_task_pending(self) ? -ENOTRECOVERABLE : 0;
}

static int let_a_child_ask(weft_worker *self, void *ctx)
{
    return as_child(self, taken, ask_to_pend, NULL);
}

static bool pend_in_a_child(void)
{
    weft_graph *g = weft_graph_create();
    weft_task(g, "forks", let_a_child_ask, NULL);
    return run_once(g, taken ? 2 : 1, NULL) == 0;
}

Test(misuse_spawn, child_does_not_make_its_task_pend, .timeout = 60)
{
    for (int i = 0; i < 2; i++) {
        taken = i;
        cr_assert(is_misuse(pend_in_a_child,
                            "weft_task_pending was called outside the `fn` of "
                            "a task of a graph: nothing else can be pending"));
    }
}
