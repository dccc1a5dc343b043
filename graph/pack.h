/* pack.h: items of a burst that go through plain stages together. Inside graph/
 * only. */
#ifndef WEFT_GRAPH_PACK_H
#define WEFT_GRAPH_PACK_H
#include <stdalign.h>
#include <stdbool.h>

#include "sched/atomic.h"
#include "sched/task.h"

enum { MOST_BURST = 16, MOST_PACKS = 4 };

struct slot;
struct stage_run;

struct pack {
    alignas(64) struct task task; /* for who has nothing to do: [S] */
    _Atomic unsigned users;       /* its worker, and who has the task */
    _Atomic unsigned at;          /* the item that its worker is at: [S] */
    _Atomic uint64_t since;       /* it began with the stage: ticks */
    struct stage_run *stage;
    uint64_t number; /* the turn of the first, there */
    unsigned count;
    struct slot *of[MOST_BURST];
};

/* [worker] The item is at a door. False: it goes on by itself. True: it has
 * gone on with those behind it, or waits with them for their turn; *next is as
 * of wf_burst_run. Slots that are spent were added to those, and *items tells
 * how many items there were. */
bool wf_pack_goes(weft_worker *self, struct slot *first,
                  struct task_list *spent, unsigned *items, struct task **next);

/* Whether it is the task of a pack that nobody has to take. */
bool wf_pack_is_quick(const struct task *task);
#endif
