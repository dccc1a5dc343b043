/* withdraw.c: cancelling a future.
 *
 * What has not started is claimed like a task that is to run ([C] in future.c),
 * and has its result at once; settle.c passes that on. What has started is
 * asked to end ([A] in promise.c). A task that ends as another future does asks
 * that one, and so on. */
#include <errno.h>

#include "graph/future.h"

/* Not claimed until now. */
static void end(weft_future *f)
{
    wf_settle(f, -ECANCELED);
    if (f->kind && f->kind->withdraw)
        f->kind->withdraw(f);
}

/* The state before; true: it may be asked, by us. */
static bool mark(weft_future *f, uint32_t *state)
{
    const struct future_kind *kind = f->kind;
    uint32_t after;

    *state = load_relaxed(&f->state);
    do {
        if (*state & (DONE | CANCELLED))
            return false;
        after = *state | CANCELLED;
        if (!(*state & CLAIMED))
            after |= CLAIMED;
        else if (!(*state & COMPLETED) && kind && kind->ask &&
                 (kind->asks_early || *state & RETURNED))
            after |= ASKING;
        /* [C] in future.c; [A], [O] in promise.c */
    } while (!cas_acq_rel(&f->state, state, after));
    return after & ASKING;
}

/* Of one future; what it follows, with a reference, or NULL. */
static weft_future *cancel(weft_future *f)
{
    uint32_t state;

    if (mark(f, &state))
        wf_future_ask(f);
    if (state & (DONE | CANCELLED))
        return NULL;
    if (!(state & CLAIMED)) {
        end(f);
        return NULL;
    }
    return wf_future_followed(f);
}

void weft_future_cancel(weft_future *f)
{
    weft_future *next = cancel(f);

    while (next) {
        f = next;
        next = cancel(f);
        wf_future_drop(f);
    }
}
