/* flows.h: what the tests of pipelines share: numbers that flow, and looks at a
 * run.
 *
 * An item begins with its number. With `reset` as the items' function every
 * item is counted out, and its slot shows what was in it last: nothing. */
#ifndef WEFT_TESTS_FLOWS_H
#define WEFT_TESTS_FLOWS_H
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/runs.h"

/* Waits for what other threads do. */
#define UNTIL(CONDITION)                                                       \
    do {                                                                       \
        while (!(CONDITION))                                                   \
            usleep(100);                                                       \
    } while (0)

/* A source of the numbers from 0, below `end`. */
struct numbers {
    uint64_t next, end;
};

static inline int number(weft_worker *self, void *item, void *ctx)
{
    struct numbers *n = ctx;
    if (n->next == n->end)
        return WEFT_END;
    *(uint64_t *)item = n->next++;
    return 0;
}

static inline uint64_t number_of(const void *item)
{
    return *(const uint64_t *)item;
}

/* The most that were inside at one time. */
struct gauge {
    _Atomic unsigned now, most, calls;
};

static inline void enters(struct gauge *g)
{
    unsigned now = add_relaxed(&g->now, 1u) + 1, most = load_relaxed(&g->most);
    add_relaxed(&g->calls, 1u);
    while (now > most && !cas_relaxed(&g->most, &most, now))
        ;
}

static inline void leaves(struct gauge *g) { add_relaxed(&g->now, -1u); }

/* The account, which balances at every instant. */
static inline struct weft_flow flow_of(struct weft_run *run, unsigned segment)
{
    struct weft_flow f;
    cr_assert_eq(weft_run_flow(run, segment, &f), 0);
    cr_assert_eq(f.fed, f.delivered + f.filtered + f.failed + f.cancelled +
                            f.in_flight);
    cr_assert(f.in_flight <= f.slots);
    return f;
}

static inline struct weft_stage_stats stage_of(struct weft_run *run,
                                               const char *name)
{
    struct weft_stage_stats s = { NULL };
    for (unsigned i = 0; !s.name || strcmp(s.name, name) != 0; i++)
        cr_assert_eq(weft_run_stage(run, i, &s), 0);
    return s;
}

/* Waits for the end, and destroys both; the flow of the first segment. */
static inline struct weft_flow ended(struct weft_run *run, int result)
{
    cr_assert_eq(weft_wait(run, -1, NULL), result);
    struct weft_flow f = flow_of(run, 0);
    cr_assert_eq(f.in_flight, 0);
    weft_run_destroy(run);
    return f;
}
#endif
