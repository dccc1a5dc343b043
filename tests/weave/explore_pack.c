/* explore_pack.c: items that go together through two stages, the worker that
 * has them, and one that watches. What becomes of an item by itself is as in
 * flow.c, as far as it goes here. */
#include <stdlib.h>
#include <string.h>

#include "graph/plain.h"
#include "tests/weave/weave.h"

#define cas_release(p, expected, v)                                            \
    atomic_compare_exchange_strong_explicit(                                   \
        p, expected, v, memory_order_release, memory_order_relaxed)

enum { ITEMS = 4, WORKERS = 2, STAGES = 2, PLACES = 8 };

struct weft_worker {
    unsigned index;
};

static struct weft_worker workers[WORKERS] = { { 0 }, { 1 } };
static struct pipeline_run run;
static struct pipeline_plan plan;
static struct stage drawn[STAGES];
static struct stage_run *stages; /* gone as the last item has left */
static struct segment segment;
static struct hand *hands;           /* so are these, and the packs in them */
static struct slot *chains[WORKERS]; /* freed as they leave */
static unsigned fed;
static _Atomic(struct task *) ready[PLACES];
static _Atomic unsigned left; /* of the items */
static _Atomic bool is_cancelled_now;
static int calls[ITEMS][STAGES]; /* plain: of each item its own */
static int alone[STAGES];        /* plain: of who has the only token */
static int last_in_order;        /* plain: of the stage that is in order */
static int odd;                  /* the item that is filtered, or -1 */

/* ---- what the files that are explored ask of the scheduler --------------- */

unsigned weft_worker_index(const weft_worker *self) { return self->index; }
unsigned wf_steps_left(const weft_worker *self) { return 1; }
void wf_count_steps(weft_worker *self, unsigned steps) {}

/* What is published is released, and only who finds something acquires. */
void wf_push(weft_worker *self, struct task *task)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct task *none = NULL;
        if (!load_relaxed(&ready[i]) && cas_release(&ready[i], &none, task))
            return;
    }
    weave_fail("more is ready than there are places");
}

void wf_ready(weft_sched *sched, weft_worker *self, struct task *task)
{
    wf_push(self, task);
}

bool wf_take_back(weft_worker *self, struct task *task)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct task *there = task;
        if (load_relaxed(&ready[i]) == task &&
            cas_acquire(&ready[i], &there, NULL))
            return true;
    }
    return false;
}

struct task *wf_take_elsewhere(weft_worker *self)
{
    for (unsigned i = 0; i < PLACES; i++) {
        struct task *task = load_relaxed(&ready[i]);
        if (task && cas_acquire(&ready[i], &task, NULL))
            return task;
    }
    return NULL;
}

/* ---- and of the pipeline ------------------------------------------------- */

bool wf_segment_cancelled(struct segment *s, uint64_t ticket)
{
    return load_relaxed(&is_cancelled_now);
}

void wf_attempt_open(struct slot *slot) {}
bool wf_attempt_close(struct slot *slot) { return true; }

void wf_flow_hold(struct slot *slot) { add_relaxed(&slot->refs, 1); }

/* The last item has left: nothing of the run is in use, and nobody looks at it
 * any more. */
static void end_run(void)
{
    for (unsigned i = 0; i < WORKERS * MOST_PACKS; i++)
        weave_assert(
            !load_relaxed(&hands[i / MOST_PACKS].packs[i % MOST_PACKS].users));
    for (unsigned s = 0; s < STAGES; s++) {
        weave_assert(wf_hand_in_use(&stages[s]) == 0);
        if (drawn[s].ordered) {
            weave_assert(wf_turn_is(&stages[s].turn, fed));
            wf_turn_finish(&stages[s].turn);
        }
        wf_limit_finish(&stages[s].limit);
    }
    wf_counts_finish(&run.counts);
    free(hands);
    free(stages);
}

static void leave(struct slot *slot)
{
    free(slot);
    if (add_acq_rel(&left, 1) == fed - 1)
        end_run();
}

void wf_flow_finish(weft_worker *self, struct slot *slot)
{
    if (sub_acq_rel(&slot->refs, 1) == 1)
        leave(slot);
}

bool wf_flow_spend(struct slot *slot, struct task_list *spent)
{
    if (load_acquire(&slot->refs) != 1)
        return false;
    task_list_add(spent, &slot->task);
    return true;
}

struct task *wf_flow_on(struct slot *slot, uint64_t now)
{
    slot->stage = stage_of(slot)->stage->next;
    put_at(slot, AT_DOOR);
    return &slot->task;
}

struct task *wf_attempt_returned(weft_worker *self, struct slot *slot, int rc)
{
    weave_assert(rc == WEFT_FILTER);
    slot->outcome = FILTERED;
    wf_hand_give(self, stage_of(slot));
    return wf_flow_on(slot, 0);
}

/* ---- an item by itself --------------------------------------------------- */

static struct task *with_token(weft_worker *self, struct slot *slot)
{
    const struct stage *stage = stage_of(slot)->stage;

    if (is_cancelled(slot)) {
        slot->outcome = CANCELLED;
        wf_hand_give(self, stage_of(slot));
        return wf_flow_on(slot, 0);
    }
    plain_enters(counts_at(slot, self), slot);
    if (stage->fn(self, slot->item, stage->ctx))
        return wf_attempt_returned(self, slot, WEFT_FILTER);
    plain_leaves(counts_at(slot, self), &segment, slot, false);
    wf_hand_give(self, stage_of(slot));
    return wf_flow_on(slot, 0);
}

static bool takes(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    put_at(slot, WANTS_TOKEN);
    if (wf_hand_take(self, sr) || wf_limit_take(&sr->limit))
        return true;
    wf_hand_return(self, sr);
    return wf_limit_wait(&sr->limit, &slot->task);
}

/* The item is not touched where it waits. */
static struct task *with_turn(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);
    uint64_t number = slot->ticket[0];
    bool is_good = slot->outcome == GOOD, goes_on = true;

    if (is_good)
        goes_on = takes(self, slot);
    else
        wf_flow_on(slot, 0);
    struct task *next = wf_turn_pass(&sr->turn, number);
    if (next)
        wf_push(self, next);
    wf_flow_finish(self, slot);
    return goes_on ? &slot->task : NULL;
}

static struct task *at_door(weft_worker *self, struct slot *slot)
{
    struct stage_run *sr = stage_of(slot);

    if (sr->stage->ordered) {
        put_at(slot, WANTS_TURN);
        wf_flow_hold(slot);
        if (wf_turn_arrive(&sr->turn, slot->ticket[0], &slot->task))
            return with_turn(self, slot);
        wf_flow_finish(self, slot);
        return NULL;
    }
    if (slot->outcome != GOOD)
        return wf_flow_on(slot, 0);
    return takes(self, slot) ? &slot->task : NULL;
}

static void leave_all(struct task_list *spent)
{
    for (struct task *task; (task = task_list_take(spent));)
        leave(slot_of_task(task));
}

static struct task *step(weft_worker *self, struct task *task)
{
    struct slot *slot = slot_of_task(task), *rest = slot->behind;
    struct task_list spent = { 0 };
    unsigned count = 0;
    struct task *next;

    if (place_of(slot) == WANTS_TOKEN)
        return with_token(self, slot);
    if (place_of(slot) == WANTS_TURN) {
        wf_flow_hold(slot);
        return with_turn(self, slot);
    }
    if (wf_pack_goes(self, slot, &spent, &count, &next)) {
        leave_all(&spent);
        return next;
    }
    slot->behind = NULL;
    if (rest)
        wf_push(self, &rest->task);
    if (slot->stage != NOWHERE)
        return at_door(self, slot);
    wf_flow_finish(self, slot);
    return NULL;
}

/* ---- tests --------------------------------------------------------------- */

static int work(weft_worker *self, void *item, void *ctx)
{
    const struct stage *stage = ctx;
    int i = *(int *)item;

    if (stage->ordered) {
        weave_assert(i > last_in_order);
        last_in_order = i;
    }
    if (stage->tokens == 1)
        alone[stage - drawn]++;
    calls[i][stage - drawn]++;
    return i == odd ? WEFT_FILTER : 0;
}

static void set_up_stage(unsigned s, bool ordered, unsigned tokens)
{
    drawn[s] = (struct stage){ .ordered = ordered,
                               .tokens = tokens,
                               .fn = work,
                               .ctx = &drawn[s],
                               .next = s + 1 < STAGES ? s + 1 : NOWHERE };
    stages[s].stage = &drawn[s];
    stages[s].run = &run;
    stages[s].plain = true;
    wf_limit_init(&stages[s].limit, tokens);
    stages[s].bit = wf_hand_bit(&stages[s], WORKERS);
    if (ordered)
        weave_assert(!wf_turn_init(&stages[s].turn, ITEMS));
}

static void set_up(void)
{
    run.plan = &plan;
    run.workers = WORKERS;
    hands = run.hands = aligned_alloc(64, WORKERS * sizeof *hands);
    memset(hands, 0, WORKERS * sizeof *hands);
    stages = run.stages = calloc(STAGES, sizeof *stages);
    run.segments = &segment;
    plan.stages = drawn;
    odd = last_in_order = -1;
    weave_assert(!wf_counts_init(&run.counts, WORKERS, STAGES));
    for (unsigned w = 0; w < WORKERS; w++)
        hands[w].quick = true;
}

/* To this worker: so many, each behind the one before. */
static void feed(unsigned worker, unsigned count, unsigned stage)
{
    struct slot **place = &chains[worker];

    for (; count; count--, fed++) {
        struct slot *slot = malloc(sizeof *slot + sizeof(int));
        *slot = (struct slot){ .task = { .run = step },
                               .run = &run,
                               .stage = stage,
                               .ticket = { fed } };
        atomic_init(&slot->refs, 1);
        *(int *)slot->item = (int)fed;
        put_at(slot, AT_DOOR);
        *place = slot;
        place = &slot->behind;
    }
}

static void ordered_last(void)
{
    set_up();
    set_up_stage(0, false, 2);
    set_up_stage(1, true, 1);
}

static void ordered_first(void)
{
    set_up();
    set_up_stage(0, true, 1);
    set_up_stage(1, false, 2);
}

static void three_together(void)
{
    ordered_last();
    feed(0, 3, 0);
}

static void three_in_turn(void)
{
    ordered_first();
    feed(0, 3, 0);
}

static void three_one_is_filtered(void)
{
    three_together();
    odd = 1;
}

static void three_with_one_token(void)
{
    set_up();
    set_up_stage(0, false, 1);
    set_up_stage(1, false, 1);
    feed(0, 2, 0);
    feed(1, 1, 0);
}

static void two_and_two(void)
{
    ordered_last();
    feed(0, 2, 0);
    feed(1, 2, 0);
}

static void two_come_early(void)
{
    ordered_last();
    feed(0, 1, 0);
    feed(1, 2, 1);
}

static void run_items(unsigned w)
{
    struct task *task = chains[w] ? &chains[w]->task : NULL;

    while (load_relaxed(&left) < fed) {
        if (!task)
            task = wf_take_elsewhere(&workers[w]);
        if (task)
            task = task->run(&workers[w], task);
        else
            weave_yield();
    }
}

static void first(void) { run_items(0); }
static void second(void) { run_items(1); }
static void cancel(void) { store_relaxed(&is_cancelled_now, true); }

static void check(void)
{
    weave_assert(load_relaxed(&left) == fed);
    for (unsigned i = 0; i < PLACES; i++)
        weave_assert(!load_relaxed(&ready[i]));
}

static void all_passed(void)
{
    check();
    for (unsigned i = 0; i < fed; i++)
        weave_assert(calls[i][0] == 1 && calls[i][1] == ((int)i != odd));
}

static void those_behind_passed(void)
{
    check();
    weave_assert(calls[0][0] == 1 && calls[0][1] == 1);
    for (unsigned i = 1; i < fed; i++)
        weave_assert(calls[i][1] == 1);
}

static void none_twice(void)
{
    check();
    for (unsigned i = 0; i < fed; i++)
        weave_assert(calls[i][0] <= 1 && calls[i][1] <= calls[i][0]);
}

static const struct weave_test tests[] = {
    { .name = "items_together_pass_each_stage_once",
      .setup = three_together,
      .threads = { first, second },
      .check = all_passed,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "a_pack_has_the_turn_of_its_first",
      .setup = three_in_turn,
      .threads = { first, second },
      .check = all_passed,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "what_is_filtered_leaves_its_pack",
      .setup = three_one_is_filtered,
      .threads = { first, second },
      .check = all_passed,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "the_only_token_is_one_workers_at_a_time",
      .setup = three_with_one_token,
      .threads = { first, second },
      .check = all_passed,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "two_packs_keep_the_order",
      .setup = two_and_two,
      .threads = { first, second },
      .check = all_passed,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "items_that_are_early_wait_for_their_turn",
      .setup = two_come_early,
      .threads = { first, second },
      .check = those_behind_passed,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "a_pack_that_is_cancelled_gives_all_back",
      .setup = three_together,
      .threads = { first, second, cancel },
      .check = none_twice,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
