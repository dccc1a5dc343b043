/* merge.c: several inputs become one segment: whose turn it is, and the move.
 *
 * An item crosses by exchanging its bytes with those of an empty slot: what it
 * has grown goes with it, and what the empty slot had grown is left for the
 * next item of the input. Whatever a slot holds is reset and finished once.
 *
 * Whoever adds to the inputs, or brings a slot, moves what can be moved; while
 * somebody moves, others leave it to that one, which looks again under the lock
 * before it stops. So items enter in the order in which they were chosen.
 *
 *  [X] What is told to the merge (an input has ended, here is a slot) may be
 *      what somebody else needs to move the last item and end the run. So it is
 *      told and acted upon under one lock: who finds another one moving leaves,
 *      and touches nothing any more.
 *
 * An input at whose head a marker stands has ended its epoch, and waits. When
 * all have, or have no more at all, the markers go and one enters. The next
 * epoch begins with the first input: its turns are those of the first epoch.
 *
 * But an input that ended because the run had failed has not ended its epoch:
 * nobody is told that it has ended, and what the others have behind their
 * markers would be of the next epoch, which does not begin. It is cancelled. */
#include "graph/merge.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "graph/pipeline.h"

enum { NOTHING = -1, ALL_MARKED = -2, ALL_ENDED = -3 };

int wf_merge_init(struct merge *m, unsigned inputs, bool in_turns)
{
    *m = (struct merge){ .count = inputs, .in_turns = in_turns };
    pthread_mutex_init(&m->lock, NULL);
    m->inputs = calloc(inputs, sizeof *m->inputs);
    return m->inputs ? 0 : -ENOMEM;
}

void wf_merge_finish(struct merge *m)
{
    pthread_mutex_destroy(&m->lock);
    for (unsigned i = 0; m->inputs && i < m->count; i++)
        wf_turn_finish(&m->inputs[i].turn);
    free(m->inputs);
}

void wf_merge_add(struct merge *m, struct slot *slot, unsigned input)
{
    pthread_mutex_lock(&m->lock);
    put_at(slot, AT_MERGE);
    m->in += slot->outcome == GOOD;
    task_list_add(&m->inputs[input].waiting, &slot->task);
    pthread_mutex_unlock(&m->lock);
}

static bool is_marked(const struct merge_input *in)
{
    return in->waiting.first &&
           slot_of_task(in->waiting.first)->outcome == MARKER;
}

/* Under the lock: the next input in turn; a slow one is waited for. */
static int next_in_turn(struct merge *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        const struct merge_input *in = &m->inputs[m->turn];
        bool out = is_marked(in) || (in->ended && !in->waiting.first);
        if (!out)
            return in->waiting.first ? (int)m->turn : NOTHING;
        m->turn = (m->turn + 1) % m->count;
        m->taken = 0;
    }
    return NOTHING;
}

/* Under the lock: the next input that has something, each in turn, so that one
 * that has always something does not keep the others out. */
static int next_with_item(struct merge *m)
{
    for (unsigned i = 0; i < m->count; i++) {
        unsigned input = (m->turn + i) % m->count;
        const struct merge_input *in = &m->inputs[input];
        if (in->waiting.first && !is_marked(in)) {
            m->turn = (input + 1) % m->count;
            return (int)input;
        }
    }
    return NOTHING;
}

/* Under the lock: from which input the next item comes. */
static int choose(struct merge *m)
{
    unsigned marked = 0, over = 0;

    for (unsigned i = 0; i < m->count; i++) {
        marked += is_marked(&m->inputs[i]);
        over += m->inputs[i].ended && !m->inputs[i].waiting.first;
    }
    if (over == m->count)
        return m->ended ? NOTHING : ALL_ENDED;
    if (marked && marked + over == m->count)
        return ALL_MARKED;
    return m->in_turns ? next_in_turn(m) : next_with_item(m);
}

static void exchange(struct slot *a, struct slot *b, size_t bytes)
{
    char *x = a->item, *y = b->item, part[256];

    for (size_t n; bytes; x += n, y += n, bytes -= n) {
        n = bytes < sizeof part ? bytes : sizeof part;
        memcpy(part, x, n);
        memcpy(x, y, n);
        memcpy(y, part, n);
    }
}

/* Under the lock, and all inputs are marked or over: the epoch was cut short.
 */
static bool is_cut(const struct merge *m)
{
    bool cut = false;

    for (unsigned i = 0; i < m->count; i++) {
        const struct merge_input *in = &m->inputs[i];
        cut |= in->cut;
        if (is_marked(in) && is_cancelled(slot_of_task(in->waiting.first)))
            return false; /* and was cancelled for that */
    }
    return cut;
}

/* The slot was cancelled with its epoch: it leaves. */
static void drop(weft_worker *self, struct slot *slot)
{
    if (slot->outcome == GOOD)
        slot->outcome = CANCELLED;
    wf_flow_finish(self, slot);
}

/* The slot's item goes into `hand`, which flows; the slot leaves. */
static void move(struct stage_run *sr, weft_worker *self, struct slot *slot,
                 struct slot *hand)
{
    struct pipeline_run *run = sr->run;
    bool marker = slot->outcome == MARKER;

    if (!marker) {
        exchange(slot, hand, segment_of(hand)->items.bytes);
        slot->moved = true;
        if (run->plan->budgeted)
            wf_budget_move(&run->budget, slot, hand,
                           segment_of(slot)->items.cost);
        hand->origin = slot->number;
    }
    wf_feed_filled(hand, marker, false, ticks_of(hand));
    wf_ready(run->run.sched, self, &hand->task);
    wf_flow_finish(self, slot);
}

/* Under the lock: has, or will have, a slot to move something into. */
static bool has_slot(struct stage_run *sr)
{
    struct merge *m = &sr->merge;

    if (m->hand)
        return true;
    if (m->hungry)
        return false;
    m->hungry = true;
    pthread_mutex_unlock(&m->lock);
    struct slot *slot = wf_feed_take(sr->run, sr->stage->segment);
    pthread_mutex_lock(&m->lock);
    if (slot) {
        m->hand = slot;
        m->hungry = false;
    }
    return m->hand;
}

/* Under the lock: takes the item that has more of the budget than there is, and
 * so keeps the others out, if it is here; or returns NULL. */
static struct slot *take_exceeding(struct merge *m)
{
    for (unsigned i = 0; i < m->count; i++)
        for (struct task *task = m->inputs[i].waiting.first; task;
             task = task->next)
            if (slot_of_task(task)->exceeds) {
                task_list_remove(&m->inputs[i].waiting, task);
                return slot_of_task(task);
            }
    return NULL;
}

/* Under the lock: takes an item that may cross while that of the chosen input
 * has to wait; or returns NULL. Of one input, all or none may. */
static struct slot *take_other(struct stage_run *sr)
{
    struct merge *m = &sr->merge;
    struct slot *slot = take_exceeding(m);

    if (slot) {
        wf_budget_try_cross(&sr->run->budget, slot);
        return slot;
    }
    for (unsigned i = 0; i < m->count && !m->in_turns; i++) {
        struct merge_input *in = &m->inputs[(m->turn + i) % m->count];
        if (in->waiting.first && !is_marked(in) &&
            wf_budget_try_cross(&sr->run->budget,
                                slot_of_task(in->waiting.first)))
            return slot_of_task(task_list_take(&in->waiting));
    }
    return NULL;
}

/* Under the lock: the next item out of the input; or NULL: one that is not here
 * yet has to cross before it. */
static struct slot *take_item(struct stage_run *sr, unsigned input)
{
    struct pipeline_run *run = sr->run;
    struct merge *m = &sr->merge;
    struct slot *slot = slot_of_task(m->inputs[input].waiting.first);
    bool dropped = is_cancelled(slot); /* then it is no turn of its input */

    if (!run->plan->budgeted || dropped ||
        wf_budget_try_cross(&run->budget, slot)) {
        task_list_take(&m->inputs[input].waiting);
    } else {
        slot = take_other(sr);
        if (!slot)
            return NULL;
    }
    m->done++;
    if (m->in_turns && !dropped && ++m->taken == m->inputs[input].weight) {
        m->turn = (m->turn + 1) % m->count;
        m->taken = 0;
    }
    count_duration(&m->waited, slot, slot->arrived, ticks_of(slot));
    return slot;
}

/* Under the lock: what goes next, out of the input; for a marker, out of all of
 * them, the others in `more`. */
static struct slot *take_next(struct stage_run *sr, int input,
                              struct task_list *more)
{
    struct merge *m = &sr->merge;

    if (input != ALL_MARKED)
        return take_item(sr, (unsigned)input);
    m->turn = m->taken = 0;
    for (unsigned i = 0; i < m->count; i++)
        if (is_marked(&m->inputs[i]))
            task_list_add(more, task_list_take(&m->inputs[i].waiting));
    return slot_of_task(task_list_take(more));
}

/* Under the lock, whenever the turn may have changed: tells the budget from
 * which input an item is waited for. */
static void tell_turn(struct stage_run *sr, struct budget_news *opens)
{
    struct pipeline_run *run = sr->run;
    unsigned into = sr->stage->segment;

    if (run->plan->budgeted && sr->merge.in_turns)
        wf_budget_turn(&run->budget, into,
                       segment_of_input(run->plan, into, sr->merge.turn),
                       opens);
}

/* Under the lock, which it leaves for a time: what goes next, as take_next
 * does; or NULL: nothing can, and *input says why. */
static struct slot *next(struct stage_run *sr, weft_worker *self, int *input,
                         struct task_list *more, struct budget_news *opens)
{
    struct merge *m = &sr->merge;

    *input = choose(m);
    tell_turn(sr, opens);
    if (*input == NOTHING || *input == ALL_ENDED)
        return NULL;
    if (*input == ALL_MARKED && is_cut(m)) {
        pthread_mutex_unlock(&m->lock);
        wf_pipeline_stop(sr->run, self, sr->stage->segment, UINT64_MAX);
        pthread_mutex_lock(&m->lock);
    }
    struct slot *slot = has_slot(sr) ? take_next(sr, *input, more) : NULL;
    if (slot)
        tell_turn(sr, opens);
    return slot;
}

/* Under the lock, which it leaves: [X]. */
static void move_and_unlock(struct stage_run *sr, weft_worker *self)
{
    struct task_list more = { 0 };
    struct budget_news opens = { 0 };
    struct pipeline_run *run = sr->run;
    struct merge *m = &sr->merge;
    int input = NOTHING;

    if (m->moving) {
        pthread_mutex_unlock(&m->lock);
        return;
    }
    m->moving = true;
    for (struct slot *slot; (slot = next(sr, self, &input, &more, &opens));) {
        struct slot *hand = m->hand;
        bool dropped = is_cancelled(slot);
        if (!dropped)
            m->hand = NULL;
        pthread_mutex_unlock(&m->lock);
        if (dropped)
            drop(self, slot);
        else
            move(sr, self, slot, hand);
        for (struct task *task; (task = task_list_take(&more));)
            wf_flow_finish(self, slot_of_task(task));
        wf_flow_budget(run, self, &opens);
        pthread_mutex_lock(&m->lock);
    }
    m->moving = false;
    struct slot *last = m->hand;
    if (input == ALL_ENDED) {
        m->ended = true;
        m->hand = NULL;
    }
    pthread_mutex_unlock(&m->lock);
    if (input == ALL_ENDED)
        wf_feed_ended(run, self, sr->stage->segment, last);
    else
        wf_flow_budget(run, self, &opens);
}

void wf_merge_move_all(struct pipeline_run *run, weft_worker *self)
{
    for (unsigned i = 0; i < run->plan->stage_count; i++)
        if (run->plan->stages[i].kind == MERGE)
            wf_merge_move(&run->stages[i], self);
}

void wf_merge_move(struct stage_run *sr, weft_worker *self)
{
    pthread_mutex_lock(&sr->merge.lock);
    move_and_unlock(sr, self);
}

void wf_merge_input_ended(struct stage_run *sr, weft_worker *self,
                          unsigned input)
{
    pthread_mutex_lock(&sr->merge.lock);
    sr->merge.inputs[input].ended = true;
    sr->merge.inputs[input].cut = load_relaxed(&sr->run->run.error);
    move_and_unlock(sr, self);
}

void wf_merge_got(struct stage_run *sr, weft_worker *self, struct slot *slot)
{
    pthread_mutex_lock(&sr->merge.lock);
    sr->merge.hand = slot;
    sr->merge.hungry = false;
    move_and_unlock(sr, self);
}
