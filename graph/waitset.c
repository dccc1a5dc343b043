/* waitset.c: waiting for several futures at a time, as a caller of wait_any and
 * wait_all does.
 *
 * A set is made for one wait. It has a listener at each future, which counts;
 * the thread sleeps on the count, and is woken once, by the one that makes it
 * high enough. How many futures there are matters when the listeners are added
 * and taken back, not when one of them is done.
 *
 *  [N] The count is added to with acq_rel: who waits acquires it, and sees all
 *      that came before the results. The set may be counted on after the wait
 *      is over, so it is freed by who gives back the last reference: each
 *      listener has one, and who waits. They wake before they give it back.
 *
 * On a worker it helps first, with any of them. */
#include <errno.h>
#include <stdlib.h>

#include "graph/future.h"
#include "graph/wait.h"

struct waitset;

struct member {
    struct listener listener;
    struct waitset *set;
};

struct waitset {
    _Atomic uint32_t done; /* [N] */
    uint32_t needed;
    _Atomic size_t refs; /* [N] */
    struct member member[];
};

static void leave(struct waitset *set, size_t refs)
{
    if (sub_acq_rel(&set->refs, refs) == refs) /* [N] */
        free(set);
}

static void hear(struct listener *l, weft_future *source, struct settling *s)
{
    struct waitset *set = ((struct member *)l)->set; /* its first member */

    if (add_acq_rel(&set->done, 1) + 1 == set->needed) /* [N] */
        wf_wake_all(&set->done);
    leave(set, 1);
}

static bool is_done(weft_future *f)
{
    return load_acquire(&f->state) & DONE; /* [F] in future.c */
}

/* Runs what it waits for, until it is done, or there is nothing to run. */
static enum help help_one(weft_worker *self, weft_future *f,
                          struct deadline *deadline)
{
    enum help help = HELPED;

    while (help == HELPED && !is_done(f) && deadline_left(f->sched, deadline)) {
        help = wf_help(self, f);
        deadline_worked(f->sched, deadline);
    }
    return help;
}

static int help_all(weft_worker *self, weft_future *const futures[], size_t n,
                    struct deadline *deadline)
{
    for (size_t i = 0; i < n; i++)
        if (help_one(self, futures[i], deadline) == OWN)
            return -EDEADLK;
    return 0;
}

/* Until one of them is done. */
static int help_any(weft_worker *self, weft_future *const futures[], size_t n,
                    struct deadline *deadline)
{
    size_t own = 0;

    for (size_t i = 0; i < n; i++) {
        enum help help = help_one(self, futures[i], deadline);
        if (help == HELPED) /* it is done, or it is late */
            return 0;
        own += help == OWN;
    }
    return own == n ? -EDEADLK : 0;
}

/* Until as many of them are done as needed: 0, or an error. */
static int sleep_in(struct waitset *set, weft_worker *self,
                    weft_future *const futures[], size_t n,
                    struct deadline *deadline)
{
    weft_sched *sched = futures[0]->sched;
    uint32_t done;

    while ((done = load_acquire(&set->done)) < set->needed) { /* [N] */
        int64_t left = deadline_left(sched, deadline);
        if (!left)
            return -ETIMEDOUT;
        int rc = wf_wait_on(sched, self, futures, set->needed < n ? 0 : n,
                            &set->done, done, left);
        if (rc)
            return rc;
    }
    return 0;
}

/* None of them was done a moment ago, or not all. */
static int wait_in_set(weft_worker *self, weft_future *const futures[],
                       size_t n, uint32_t needed, struct deadline *deadline)
{
    struct waitset *set = malloc(sizeof *set + n * sizeof set->member[0]);
    uint32_t at_once = 0;
    size_t gone = 1; /* we */

    if (!set)
        return -ENOMEM;
    atomic_init(&set->done, 0);
    set->needed = needed;
    atomic_init(&set->refs, n + 1);
    for (size_t i = 0; i < n; i++) {
        set->member[i] = (struct member){ { .hear = hear }, set };
        at_once += !wf_listen(futures[i], &set->member[i].listener);
    }
    if (at_once)
        add_acq_rel(&set->done, at_once); /* [N] */
    int rc = sleep_in(set, self, futures, n, deadline);
    for (size_t i = 0; i < n; i++)
        gone += wf_unlisten(futures[i], &set->member[i].listener);
    leave(set, gone + at_once);
    return rc;
}

static uint32_t count_done(weft_future *const futures[], size_t n, bool done[])
{
    uint32_t count = 0;

    for (size_t i = 0; i < n; i++) {
        bool is = is_done(futures[i]);
        count += is;
        if (done)
            done[i] = is;
    }
    return count;
}

/* For one of them, or all; 0 or an error. */
static int wait_for(weft_future *const futures[], size_t n, uint32_t needed,
                    int timeout_ms)
{
    weft_worker *self = wf_worker_here();
    struct deadline deadline = deadline_in(futures[0]->sched, timeout_ms);
    int rc = 0;

    if (self)
        rc = needed < n ? help_any(self, futures, n, &deadline)
                        : help_all(self, futures, n, &deadline);
    if (!rc && count_done(futures, n, NULL) < needed)
        rc = wait_in_set(self, futures, n, needed, &deadline);
    return rc;
}

int weft_wait_any(weft_future *const futures[], size_t n, bool done[],
                  int timeout_ms)
{
    uint32_t count = count_done(futures, n, done);

    if (count || !timeout_ms || !n)
        return (int)count;
    int rc = wait_for(futures, n, 1, timeout_ms);
    return rc && rc != -ETIMEDOUT ? rc : (int)count_done(futures, n, done);
}

int weft_wait_all(weft_future *const futures[], size_t n, int timeout_ms,
                  weft_error *why)
{
    int rc = 0;

    if (count_done(futures, n, NULL) < n)
        rc = timeout_ms ? wait_for(futures, n, (uint32_t)n, timeout_ms)
                        : -ETIMEDOUT;
    if (rc)
        return wf_error(why, rc, "%s",
                        rc == -ETIMEDOUT ? "not all of them are done yet"
                        : rc == -ENOMEM  ? "no memory to wait"
                        : rc == -EDEADLK
                            ? "one of them waits for this task"
                            : "too many tasks wait on the workers");
    for (size_t i = 0; !rc && i < n; i++)
        rc = weft_future_why(futures[i], why);
    return rc;
}
