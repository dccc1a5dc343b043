/* world.h: a scheduler of a few workers, for tests by the public interface. */
#ifndef WEFT_TESTS_WEAVE_WORLD_H
#define WEFT_TESTS_WEAVE_WORLD_H
#include <errno.h>

#include "tests/weave/weave.h"
#include "weft/weft.h"

static inline weft_sched *workers(unsigned n)
{
    weft_sched *sched;

    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = n, .spin_us = 1), 0));
    return sched;
}

/* Feeds so many items, each as fill makes it, and says that there are no more,
 * or is told that the run was cancelled. */
static inline void feed_all_of(struct weft_run *run, int items, int timeout_ms,
                               void (*fill)(void *item, int number))
{
    int rc = 0;
    void *item;

    for (int i = 0; i < items && !rc; i++) {
        do
            rc = weft_reserve(run, 0, &item, timeout_ms, 0);
        while (rc == -ETIMEDOUT);
        if (!rc) {
            fill(item, i);
            weft_feed(item);
        }
    }
    weave_assert(rc == 0 || rc == -ECANCELED);
    if (!rc)
        weave_assert(!weft_feed_end(run, 0, 0));
}

/* A plain counter: who counts comes one after the other. */
static inline int count(weft_worker *self, void *counter)
{
    ++*(int *)counter;
    return 0;
}
#endif
