/* turn.c: lets numbered tasks through in the order of their numbers.
 *
 * Every number passes exactly once, also that of an item that failed earlier:
 * so there are no holes to wait for. A task that comes early leaves itself in a
 * ring of as many places as numbers can be under way.
 *
 *  [E] Early. The task that arrives leaves its ticket, then reads whose turn
 *      it is; the one that passes stores the new turn, then looks for that
 *      ticket. All four are seq_cst: at least one of them sees the other. If
 *      both do, the exchange of the ticket decides who takes the task out:
 *      once. It orders nothing: who reads the ticket before has acquired the
 *      task with it.
 *
 *  [N] No mistaken identity. Once it has stored the new turn, the one that
 *      passes may be delayed for as long as you like: the next task may come
 *      and find its turn, the turn go round the ring, and another task wait in
 *      the same place. So what is exchanged is the number, which never comes
 *      again, and not the task, which may be the same. While a number has not
 *      passed, none that shares its place is under way: so who gets the ticket
 *      finds the task that belongs to it.
 *
 *  [T] Whoever has the turn sees what the one before it did: it acquired
 *      `next`, or it was taken from its place and made ready by the one
 *      before. */
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

/* One of two takes it: [E]. */
static bool take_ticket(struct early *e, uint64_t number)
{
    uint64_t ticket = number + 1;

    return load_seq_cst(&e->ticket) == ticket && /* [E] */
           cas_relaxed(&e->ticket, &ticket, 0);
}

bool wf_turn_is(struct turn *t, uint64_t number)
{
    return load_acquire(&t->next) == number; /* [T] */
}

bool wf_turn_arrive(struct turn *t, uint64_t number, struct task *task)
{
    struct early *e = &t->early[number & t->mask];

    if (wf_turn_is(t, number))
        return true;
    store_relaxed(&e->task, task);
    store_seq_cst(&e->ticket, number + 1); /* [E], and the task with it */
    if (load_seq_cst(&t->next) != number)  /* [E] [T] */
        return false;
    return take_ticket(e, number);
}

struct task *wf_turn_pass(struct turn *t, uint64_t number)
{
    struct early *e = &t->early[(number + 1) & t->mask];

    store_seq_cst(&t->next, number + 1); /* [E] [T] */
    return take_ticket(e, number + 1) ? load_relaxed(&e->task) : NULL; /* [N] */
}
