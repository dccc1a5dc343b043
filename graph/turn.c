/* turn.c: lets numbered tasks through in the order of their numbers.
 *
 * Every number passes exactly once, also that of an item that failed earlier:
 * so there are no holes to wait for. A task that comes early leaves itself in a
 * ring of as many places as numbers can be under way.
 *
 *  [E] Early. The task that arrives stores itself in its place, then reads
 * whose turn it is; the one that passes stores the new turn, then looks into
 * the place. All four are seq_cst: at least one of them sees the other. If both
 *      do, the exchange decides who takes the task out: once.
 *
 *  [T] Whoever has the turn sees what the one before it did: it acquired
 * `next`, or it was taken from its place and made ready by the one before. */
#include "graph/turn.h"

#include <errno.h>
#include <stdlib.h>

int wf_turn_init(struct turn *t, unsigned window)
{
    uint64_t places = 1;

    while (places < window)
        places *= 2;
    *t = (struct turn){ .mask = places - 1 };
    t->early = calloc(places, sizeof *t->early);
    return t->early ? 0 : -ENOMEM;
}

void wf_turn_finish(struct turn *t) { free(t->early); }

bool wf_turn_arrive(struct turn *t, uint64_t number, struct task *task)
{
    _Atomic(struct task *) *place = &t->early[number & t->mask];

    if (load_acquire(&t->next) == number) /* [T] */
        return true;
    store_seq_cst(place, task);           /* [E] */
    if (load_seq_cst(&t->next) != number) /* [E] [T] */
        return false;
    return swap_seq_cst(place, NULL) != NULL; /* [E] */
}

struct task *wf_turn_pass(struct turn *t, uint64_t number)
{
    _Atomic(struct task *) *place = &t->early[(number + 1) & t->mask];

    store_seq_cst(&t->next, number + 1); /* [E] [T] */
    if (!load_seq_cst(place))            /* [E] */
        return NULL;
    return swap_seq_cst(place, NULL); /* [E] */
}
