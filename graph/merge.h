/* merge.h: several inputs become one segment: whose turn it is. */
#ifndef WEFT_GRAPH_MERGE_H
#define WEFT_GRAPH_MERGE_H
#include <pthread.h>

#include "graph/histogram.h"
#include "graph/slot.h"
#include "graph/turn.h"

struct pipeline_run;
struct stage_run;

struct merge_input {
    struct task_list waiting; /* slots that came, a marker among them */
    unsigned weight;
    bool ended;
    bool cut;         /* when it ended, the run had failed */
    struct turn turn; /* where the merge is ordered */
};

struct merge {
    pthread_mutex_t lock; /* of what follows */
    struct merge_input *inputs;
    unsigned count;
    bool in_turns;        /* else as they come */
    unsigned turn, taken; /* whose it is, and how many it has had of it */
    bool moving;          /* somebody moves items */
    bool hungry;          /* waits for a slot to move one into */
    bool ended;
    struct slot *hand;       /* to move the next item into */
    uint64_t in, done;       /* items */
    struct durations waited; /* ticks */
};

/* 0 or -ENOMEM. The inputs' weights are set by the caller. */
int wf_merge_init(struct merge *m, unsigned inputs, bool in_turns);
void wf_merge_finish(struct merge *m);

/* [any] A slot has come to the merge; wf_merge_move is to be called after it.
 */
void wf_merge_add(struct merge *m, struct slot *slot, unsigned input);

/* [any] Moves all that can be moved now into the merge's segment. The run may
 * be over and gone afterwards, unless the caller holds something of it. */
void wf_merge_move(struct stage_run *sr, weft_worker *self);

/* [who has an item of the run] The same for all merges: items had to wait for
 * another one, and need not any more. */
void wf_merge_move_all(struct pipeline_run *run, weft_worker *self);

/* [any] There will be no more from this input. */
void wf_merge_input_ended(struct stage_run *sr, weft_worker *self,
                          unsigned input);

/* [any] The slot that it was hungry for. */
void wf_merge_got(struct stage_run *sr, weft_worker *self, struct slot *slot);
#endif
