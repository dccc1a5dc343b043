/* spawn.c: children: functions that others may take while their parent goes on.
 *
 * A child is a task in its parent's frame. Spawning pushes it onto the deque of
 * the worker. Syncing pops it again and calls it, which costs no more than the
 * deque does, unless it was stolen: then its state is waited for.
 *
 *      frame of f          deque of its worker          another worker
 *      +---------+         bottom
 *      | a  b    |         | b |  sync pops it
 *      +---------+         | a |  ------------------>   a runs, spawns c and d
 *           |              top     stolen                    | d |
 *           +-- waits for a, and takes c, the oldest there   | c |
 *
 *  [J] Join. Who runs a stolen child stores its result, then adds ENDED with
 *      release; the parent acquires it, and so sees the result and all that the
 *      child did. The child is gone as soon as the parent has seen that.
 *
 *  [K] Knock, as in future.c: the parent sets WAITED before it sleeps. If ENDED
 *      is added before, the parent sees it as it sets WAITED; if after, the
 *      thief sees WAITED and wakes, by the address alone.
 *
 *  [L] Leapfrog. Who waits for a child takes, from the worker that runs it,
 *      what this child is waiting for or will be: its descendants, and nothing
 *      else. A stranger may wait, in ways that we do not know, for something
 *      that lies suspended below on this stack; a descendant of the child that
 *      does is one that its ancestor could not have waited for either. To tell
 *      whether a task is a descendant, its ancestors are looked at, which live
 *      because they wait for it. They were stored before it was pushed, and a
 *      thief sees what came before the push: [P] in deque.c.
 *
 *      The child cannot end before its descendants, so this makes nobody wait
 *      longer; it is bounded by the stack. Where nothing is to be taken, the
 *      parent spins for a moment and sleeps; its worker goes on as another
 *      thread (sched/lend.c).
 *
 *  [T] Task. A child is part of its parent's task. What says so (here.h) is
 *      stored before the child is pushed, so a thief sees it, and is its
 *      thread's while it runs, stolen or not; then what was there is put back.
 *      The frame or the node that it leads to stays until the function of that
 *      task has returned, and so has synced the child. Whoever goes down from
 *      the task of a stolen child comes to what lies on its parent's stack, not
 *      on the thief's: all of it waits for the child. If the thief helps, [L],
 *      what lies on its own waits for an ancestor, and is found there too.
 *
 * A child that its parent runs itself lies on top of the parent's stack, and in
 * a deep recursion many do. When the stack is low the parent leaves the child
 * where it is and sleeps: whoever is the worker then finds it, on a new stack.
 *
 * If no thread can be had for that, the parent blocks its worker, and should
 * all workers be blocked like this, then what they wait for is a child that
 * lies in a deque, anywhere, or a descendant of it that does. So in pauses each
 * looks through all the deques for those, and runs them; or, when its stack is
 * low, ends them with -ENOBUFS: they have not run, and nobody is left who would
 * run them. Others that it finds on the way go to its own deque, the oldest at
 * the bottom: so it comes to all of them.
 *
 * What is known of the running child is thread-local: a callback stays on its
 * thread from its start to its end. */
#include <errno.h>

#include "graph/child.h"
#include "graph/pause.h"
#include "graph/stack.h"

enum { ENDED = 1, WAITED = 2 }; /* the state of a child that was taken */

enum {
    NEAR = 64,       /* levels of a child's descendants that help */
    SPIN_NS = 10000, /* about what it costs to sleep and be woken */
    LOOKS = 16,      /* for what is waited for, before a pause */
    PAUSE_NS = 200000,
};

#ifdef NDEBUG
enum { COUNTS_OPEN = false }; /* wf_misuse would say nothing */
#else
enum { COUNTS_OPEN = true };
#endif

static struct child root; /* the parent of those whose parent is none */

static _Thread_local struct {
    struct child *child; /* that runs, or the root */
    unsigned open;       /* children it has spawned and not synced */
} now __attribute__((tls_model("initial-exec"))) = { &root, 0 };

static struct weft_child *child_of(struct child *c)
{
    return (struct weft_child *)(void *)((char *)c -
                                         offsetof(struct weft_child, weft));
}

/* Now this child is the one that runs. */
static inline int call_as_it_is(weft_worker *self, struct child *c)
{
    struct weft_child *child = child_of(c);
    unsigned open = now.open;

    now.child = c;
    if (COUNTS_OPEN)
        now.open = 0;
    int rc = child->fn(self, child->ctx);
    if (COUNTS_OPEN && now.open)
        wf_misuse("a function has returned while %u of the children that it "
                  "spawned were not synced: they lie in a frame that is gone",
                  now.open);
    if (COUNTS_OPEN)
        now.open = open;
    return rc > 0 ? -EINVAL : rc;
}

static __attribute__((noinline)) int call(weft_worker *self, struct child *c)
{
    struct child *outer = now.child;
    uintptr_t here = wf_task_here;

    wf_task_here = c->here; /* [T] */
    int rc = call_as_it_is(self, c);
    now.child = outer;
    wf_task_here = here;
    return rc;
}

/* The child is gone after this. */
static void end(struct child *c, int result)
{
    _Atomic uint32_t *state = &c->state;

    c->result = result;
    if (add_release(state, ENDED) & WAITED) /* [J] */
        wf_wake_all(state);                 /* [K] */
}

static struct task *run_child(weft_worker *self, struct task *task)
{
    struct child *c = (struct child *)task; /* its first member */

    store_relaxed(&c->thief, self);
    end(c, call(self, c));
    return NULL;
}

static bool ended(struct child *c)
{
    return load_acquire(&c->state) & ENDED; /* [J] */
}

/* A task that this thread has taken: is it the child, or one of the first so
 * many levels below? [L] */
static bool descends(const struct task *task, const struct child *from,
                     unsigned levels)
{
    const struct child *c = (const struct child *)task;

    if (task->run != run_child)
        return false;
    for (; c && c != from && levels; c = c->parent)
        levels--;
    return c == from;
}

/* Waits for a moment, and helps: [L]. */
static void help(weft_worker *self, struct child *c)
{
    bool helps = !wf_stack_low();
    uint64_t until = wf_now_ns() + SPIN_NS;

    while (!ended(c)) {
        weft_worker *thief = helps ? load_relaxed(&c->thief) : NULL;
        struct task *task = thief ? wf_steal_from(self, thief) : NULL;
        if (task) {
            helps = descends(task, c, NEAR) && !wf_stack_low();
            if (helps)
                task->run(self, task);
            else
                wf_push(self, task);
            until = wf_now_ns() + SPIN_NS;
            continue;
        }
        for (int i = 0; i < 16; i++)
            cpu_pause();
        if (wf_now_ns() >= until)
            return;
    }
}

/* One of the tasks that wait, the older ones first. True: it was to be waited
 * for, and has ended. */
static bool look_for(weft_worker *self, const struct child *c, bool here)
{
    struct task *task =
        here ? wf_steal_from(self, self) : wf_take_elsewhere(self);

    if (!task)
        return false;
    if (!descends(task, c, UINT_MAX)) {
        wf_push(self, task);
        return false;
    }
    if (wf_stack_low())
        end((struct child *)task, -ENOBUFS);
    else
        task->run(self, task);
    return true;
}

/* No thread can be had. False: the child is here, and cannot run. */
static bool block(weft_worker *self, struct child *c)
{
    if (wf_take_back(self, &c->task)) {
        if (wf_stack_low())
            return false;
        run_child(self, &c->task);
        return true;
    }
    for (int i = 0; i < LOOKS; i++)
        if (look_for(self, c, i % 2))
            return true;
    wf_wait_while(weft_worker_sched(self), &c->state, WAITED, PAUSE_NS);
    return true;
}

/* Until the child has ended. False: it has not run, and is here. */
static bool await(weft_worker *self, struct child *c)
{
    if (or_acq_rel(&c->state, WAITED) & ENDED) /* [J] [K] */
        return true;
    wf_pause(self);
    while (!ended(c))
        if (wf_worker_sleep(self, &c->state, WAITED, -1) && !block(self, c))
            return false;
    return true;
}

/* All of it is zeroed but what is written here: by the program, or when the
 * child was synced. */
static inline int spawn(weft_worker *self, struct child *c)
{
    c->task.run = run_child;
    c->here = wf_task_here | MAY_NOT_ASK; /* [T] */
    c->parent = now.child;
    if (COUNTS_OPEN)
        now.open++;
    c->place = PUSHED;
    if (!wf_push_own(self, &c->task))
        c->place = KEPT;
    return 0;
}

/* Where it is not obvious that it may be. */
static __attribute__((noinline)) int spawn_seldom(weft_worker *self,
                                                  struct child *c)
{
    if (c->place == PUSHED || c->place == KEPT) {
        wf_misuse("weft_spawn was called for a child that is spawned already, "
                  "or was not zeroed");
        return -EALREADY;
    }
    c->place = REFUSED;
    c->result = 0;
    if (!self || self != wf_worker_here()) {
        c->result = -EPERM;
        wf_misuse("weft_spawn was called outside a worker: use weft_call to "
                  "get there");
    } else if (wf_stack_out()) {
        c->result = -ENOBUFS;
    }
    return c->result ? c->result : spawn(self, c);
}

static inline bool is_usual(weft_worker *self)
{
    return self && self == wf_worker_here() && wf_stack_is_ample();
}

int weft_spawn(weft_worker *self, struct weft_child *child)
{
    struct child *c = state_of(child);

    return c->place == NOT_SPAWNED && is_usual(self) ? spawn(self, c)
                                                     : spawn_seldom(self, c);
}

/* The result of a child that has been pushed, and is not here any more; or is,
 * but there is too little stack. */
static __attribute__((noinline)) int wait_for(weft_worker *self,
                                              struct child *c)
{
    if (!wf_stack_low())
        help(self, c);
    int rc = await(self, c) ? c->result : -ENOBUFS;
    store_relaxed(&c->thief, NULL);
    store_relaxed(&c->state, 0);
    return rc;
}

static __attribute__((noinline)) int sync_seldom(weft_worker *self,
                                                 struct child *c)
{
    enum place place = c->place;
    int rc = 0;

    if (place == NOT_SPAWNED ||
        (place != REFUSED && (!self || self != wf_worker_here()))) {
        wf_misuse("weft_sync was called for a child that was not spawned, or "
                  "not by this worker");
        return place == NOT_SPAWNED ? -EINVAL : -EPERM;
    }
    if (COUNTS_OPEN && place != REFUSED)
        now.open--;
    c->place = NOT_SPAWNED;
    if (place == REFUSED)
        rc = c->result;
    else if (place == PUSHED)
        rc = !wf_stack_low() && wf_take_back(self, &c->task)
                 ? call(self, c)
                 : wait_for(self, c);
    else if (place == KEPT)
        rc = wf_stack_low() ? -ENOBUFS : call(self, c);
    return rc;
}

int weft_sync(weft_worker *self, struct weft_child *child)
{
    struct child *c = state_of(child);

    if (c->place != PUSHED || !is_usual(self))
        return sync_seldom(self, c);
    if (COUNTS_OPEN)
        now.open--;
    c->place = NOT_SPAWNED;
    if (!wf_take_back(self, &c->task))
        return wait_for(self, c);
    if (c->here != wf_task_here)
        return call(self, c);
    int rc = call_as_it_is(self, c); /* a child's child: less is to put back */
    now.child = c->parent;
    return rc;
}

int wf_child_call(weft_sched *sched, struct weft_child *child)
{
    struct child *c = state_of(child);
    struct task_list list = { 0 };

    *c = (struct child){ .task.run = run_child };
    task_list_add(&list, &c->task);
    wf_inject(sched, &list);
    if (!(or_acq_rel(&c->state, WAITED) & ENDED)) /* [J] [K] */
        while (!ended(c))
            wf_wait_while(sched, &c->state, WAITED, -1);
    return c->result;
}
