/* world.h: a scheduler of a few workers, for tests by the public interface. */
#ifndef WEFT_TESTS_WEAVE_WORLD_H
#define WEFT_TESTS_WEAVE_WORLD_H
#include "tests/weave/weave.h"
#include "weft/weft.h"

static inline weft_sched *workers(unsigned n)
{
    weft_sched *sched;

    weave_assert(!weft_sched_create(
        &sched, weft_config(sched, .workers = n, .spin_us = 1), 0));
    return sched;
}

/* A plain counter: who counts comes one after the other. */
static inline int count(weft_worker *self, void *counter)
{
    ++*(int *)counter;
    return 0;
}
#endif
