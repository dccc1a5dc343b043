/* ends.h: what the tests of the ends of a pipeline share: how it is fed, taken
 * from, stopped, and what it costs. */
#ifndef WEFT_TESTS_ENDS_H
#define WEFT_TESTS_ENDS_H
#include <stdio.h>
#include <unistd.h>

#include "sched/sched.h"
#include "tests/runs.h"

/* Waits for the end, and destroys. */
static inline int result_of(struct weft_run *run)
{
    int rc = weft_wait(run, -1, NULL);
    weft_run_destroy(run);
    return rc;
}

/* The account of a segment, which balances. */
static inline struct weft_flow flow_of(struct weft_run *run, unsigned segment)
{
    struct weft_flow f;
    cr_assert_eq(weft_run_flow(run, segment, &f), 0);
    cr_assert_eq(f.fed, f.delivered + f.filtered + f.failed + f.cancelled +
                            f.in_flight);
    cr_assert(f.in_flight <= f.slots);
    return f;
}

static inline bool says(const weft_error *why, const char *sentence)
{
    if (!strcmp(why->text, sentence))
        return true;
    fprintf(stderr, "it says: %s\nand not: %s\n", why->text, sentence);
    return false;
}

/* The most that a counter has been. */
struct mark {
    _Atomic uint64_t now, most;
};

static inline void mark_up(struct mark *m, uint64_t n)
{
    uint64_t now = add_relaxed(&m->now, n) + n, most = load_relaxed(&m->most);
    while (now > most && !cas_relaxed(&m->most, &most, now))
        ;
}

static inline void mark_down(struct mark *m, uint64_t n)
{
    add_relaxed(&m->now, -n);
}

/* xorshift: where a test wants chance, and the same every time. */
static inline uint64_t chance(uint64_t *random)
{
    *random ^= *random << 13, *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}
#endif
