/* hand.h: tokens of plain stages that workers keep for their next item. */
#ifndef WEFT_GRAPH_HAND_H
#define WEFT_GRAPH_HAND_H
#include <stdalign.h>
#include <stdbool.h>

#include "graph/pack.h"
#include "sched/atomic.h"
#include "sched/task.h"

struct limit;
struct pipeline_run;
struct stage_run;

/* Of one worker in one run. */
struct hand {
    alignas(64) _Atomic uint64_t kept; /* a bit for each stage */
    bool quick;     /* were the last items that it ran: burst.c */
    unsigned turns; /* of sources: burst.c */
    struct pack packs[MOST_PACKS];
};

/* The bit of a stage, or 0: its tokens are not kept. */
uint64_t wf_hand_bit(const struct stage_run *sr, unsigned workers);

/* [worker] True: the caller has a token of the stage, for itself or the item it
 * has. False: it may ask the stage's limit. */
bool wf_hand_take(weft_worker *self, struct stage_run *sr);

/* [worker] Gives back a token of `from`. True: the caller has one of `to` now;
 * False: it may have to wait for one. */
bool wf_hand_move(weft_worker *self, struct stage_run *from,
                  struct stage_run *to);

/* [any] Gives a token back to the stage's limit: who waits for it is made
 * ready. */
void wf_hand_give_to_limit(weft_worker *self, struct stage_run *sr);

/* [worker] Gives a token back: keeps it, or makes who waits for it ready. */
void wf_hand_give(weft_worker *self, struct stage_run *sr);

/* [any] Gives back what workers keep of a stage, which somebody wants now: who
 * waits for it is made ready. */
void wf_hand_return(weft_worker *self, struct stage_run *sr);

/* [any] How many tokens of the stage are in use: not those that are kept. */
unsigned wf_hand_in_use(const struct stage_run *sr);
#endif
