/* open.c: tokens that come and go without the lock. */
#include "graph/open.h"

#include <time.h>

#include "sched/sched.h"

enum {
    LOOKS = 32,         /* for a token: [P] */
    PAUSE_NS = 10000000 /* more than a tick of the coarse clock */
};

/* The two halves of `open`. */
static uint32_t requests_of(uint64_t open) { return (uint32_t)(open >> 32); }
static uint32_t in_use_of(uint64_t open) { return (uint32_t)open; }

static bool is_closed(uint64_t open) { return in_use_of(open) == LIMIT_CLOSED; }

bool wf_limit_paused(const struct weft_limit *l)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec >
           load_relaxed(&l->timed) + PAUSE_NS;
}

/* So many tokens, and this request, need the lock. */
static bool needs_lock(const struct weft_limit *l, uint64_t in_use,
                       uint32_t request)
{
    return in_use > load_relaxed(&l->peak) || in_use >= LIMIT_CLOSED ||
           wf_is_timed(request) || wf_limit_paused(l);
}

bool wf_open_take(struct weft_limit *l, unsigned tokens)
{
    for (unsigned looks = 0; looks < LOOKS && load_relaxed(&l->is_fast);) {
        uint64_t open = load_acquire(&l->open); /* [A] */
        uint64_t in_use = (uint64_t)in_use_of(open) + tokens;
        if (in_use > load_relaxed(&l->tokens)) { /* or it is closed */
            looks++;
            cpu_pause();
            continue;
        }
        if (needs_lock(l, in_use, requests_of(open)))
            return false;
        uint64_t after = ((uint64_t)requests_of(open) + 1) << 32 | in_use;
        if (cas_acq_rel(&l->open, &open, after)) /* [A], [H] */
            return true;
    }
    return false;
}

bool wf_open_give(struct weft_limit *l, unsigned tokens)
{
    uint64_t open = load_relaxed(&l->open);

    while (!is_closed(open))
        if (cas_acq_rel(&l->open, &open, open - tokens)) /* [H] */
            return true;
    return false;
}

void wf_open(struct weft_limit *l)
{
    if (!l->own && !l->first && load_relaxed(&l->is_fast))
        store_release(&l->open, /* [H] */
                      (uint64_t)(uint32_t)l->asked << 32 | l->in_use);
}

void wf_close(struct weft_limit *l)
{
    if (is_closed(load_relaxed(&l->open)))
        return;                                                     /* [O] */
    uint64_t open = swap_acquire(&l->open, (uint64_t)LIMIT_CLOSED); /* [H] */
    uint32_t more = requests_of(open) - (uint32_t)l->asked;
    l->asked += more;
    l->granted += more;
    l->in_use = in_use_of(open);
}
