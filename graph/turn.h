/* turn.h: lets numbered tasks through in the order of their numbers. */
#ifndef WEFT_GRAPH_TURN_H
#define WEFT_GRAPH_TURN_H
#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "sched/atomic.h"
#include "sched/task.h"

/* Where a task waits that came before its turn. */
struct early {
    _Atomic uint64_t ticket; /* its number, plus 1; 0: nobody */
    _Atomic(struct task *) task;
};

struct turn {
    alignas(64) _Atomic uint64_t next; /* whose turn it is */
    uint64_t mask;
    struct early *early;
};

/* The numbers that are under way at one time are fewer than `window` apart. 0
 * or -ENOMEM. */
int wf_turn_init(struct turn *t, unsigned window);
void wf_turn_finish(struct turn *t);

/* [any] Whether it is this number's turn, until wf_turn_pass. */
bool wf_turn_is(struct turn *t, uint64_t number);

/* [any] True: it is this number's turn, until wf_turn_pass. False: `task`
 * waits, and wf_turn_pass returns it when its turn has come; it may already
 * run. */
bool wf_turn_arrive(struct turn *t, uint64_t number, struct task *task);

/* [who has the turn] The task whose turn it is now, if it has arrived, for the
 * caller to make ready; or NULL. */
struct task *wf_turn_pass(struct turn *t, uint64_t number);
#endif
