/* explore_limit.c: tokens of a stage: taken, given, kept by workers for their
 * next item, and waited for, while their number changes. */
#include "graph/hand.h"
#include "graph/limit.h"
#include "graph/pipeline.h"
#include "tests/weave/weave.h"

enum { ITEMS = 3, WORKERS = 2, STAGES = 2 };

struct weft_worker {
    unsigned index;
};

static struct weft_worker workers[WORKERS] = { { 0 }, { 1 } };
static struct pipeline_run run;
static struct pipeline_plan plan;
static struct stage drawn[STAGES];
static struct stage_run stages[STAGES];
static struct stage_run *const one = &stages[0], *const two = &stages[1];
static struct hand hands[WORKERS];
static struct slot items[ITEMS];
static _Atomic bool ready[ITEMS]; /* its task is */
static _Atomic bool is_lower;     /* the number of the first stage's tokens */
static _Atomic int inside;        /* tokens of the first stage in use */
static int most_inside, order[ITEMS], served; /* plain: of who has a token */

/* What the files that are explored ask of the scheduler. */
unsigned weft_worker_index(const weft_worker *self) { return self->index; }

void wf_ready(weft_sched *sched, weft_worker *self, struct task *task)
{
    unsigned i = (unsigned)((struct slot *)task - items); /* its first member */

    weave_assert(!load_relaxed(&ready[i]));
    store_release(&ready[i], true);
}

static void set_up(unsigned tokens)
{
    run.plan = &plan;
    run.workers = WORKERS;
    run.hands = hands;
    plan.stages = drawn;
    for (unsigned s = 0; s < STAGES; s++) {
        stages[s].stage = &drawn[s];
        stages[s].run = &run;
        stages[s].plain = true;
        wf_limit_init(&stages[s].limit, tokens);
        stages[s].bit = wf_hand_bit(&stages[s], WORKERS);
    }
    most_inside = 2;
}

static void one_token(void) { set_up(1); }
static void two_tokens(void) { set_up(2); }

static void one_token_taken(void)
{
    set_up(1);
    weave_assert(wf_limit_take(&one->limit));
}

/* One item stays inside. */
static void two_tokens_taken(void)
{
    set_up(2);
    for (unsigned i = 0; i < 2; i++)
        weave_assert(wf_limit_take(&one->limit));
}

/* Both tokens are in use, and an item waits for one. */
static void one_waits(void)
{
    two_tokens_taken();
    weave_assert(!wf_limit_take(&one->limit));
    weave_assert(!wf_limit_wait(&one->limit, &items[0].task));
}

/* The second worker keeps a token of the next stage. */
static void one_kept_of_the_next(void)
{
    set_up(2);
    weave_assert(wf_limit_take(&two->limit));
    wf_hand_give(&workers[1], two);
}

/* So are one of each, while an item has the other of the first stage. */
static void one_kept_of_each(void)
{
    one_kept_of_the_next();
    for (unsigned i = 0; i < 2; i++)
        weave_assert(wf_limit_take(&one->limit));
    wf_hand_give(&workers[1], one);
}

/* Those of the next stage are in use. */
static void none_left_of_the_next(void)
{
    set_up(2);
    for (unsigned i = 0; i < 2; i++)
        weave_assert(wf_limit_take(&two->limit));
}

static void wait_for(unsigned i)
{
    while (!load_acquire(&ready[i]))
        weave_yield();
}

/* As `takes` and take_tokens in flow.c. */
static void take(unsigned worker, struct stage_run *sr, unsigned i)
{
    weft_worker *self = &workers[worker];

    if (wf_hand_take(self, sr) || wf_limit_take(&sr->limit))
        return;
    wf_hand_return(self, sr);
    if (!wf_limit_wait(&sr->limit, &items[i].task))
        wait_for(i);
}

static void enter(void) { weave_assert(add_relaxed(&inside, 1) < most_inside); }

static void leave(void) { add_relaxed(&inside, -1); }

static void pass(unsigned worker, unsigned i)
{
    take(worker, one, i);
    enter();
    leave();
    wf_hand_give(&workers[worker], one);
}

/* No more than one at a time, so a plain count does. */
static void pass_alone(unsigned i)
{
    if (!wf_limit_take(&one->limit) &&
        !wf_limit_wait(&one->limit, &items[i].task))
        wait_for(i);
    order[served++] = (int)i;
    wf_hand_give_to_limit(&workers[0], one);
}

static void first_alone(void) { pass_alone(0); }
static void second_alone(void) { pass_alone(1); }
static void third_alone(void) { pass_alone(2); }

/* The same of who does not wait. */
static void try_alone(unsigned i)
{
    while (!wf_limit_try(&one->limit))
        weave_yield();
    order[served++] = (int)i;
    wf_hand_give_to_limit(&workers[0], one);
}

static void first_tries(void) { try_alone(0); }
static void second_tries(void) { try_alone(1); }

static void two_passed(void)
{
    weave_assert(served == 2 && wf_limit_in_use(&one->limit) == 0);
}

static void three_passed(void)
{
    weave_assert(served == 3 && wf_limit_in_use(&one->limit) == 0);
    weave_assert(load_relaxed(&one->limit.peak) == 1);
}

/* One after the other: the token that comes back goes to the first. */
static void ask_in_order(void)
{
    for (unsigned i = 0; i < 2; i++)
        if (wf_limit_take(&one->limit) ||
            wf_limit_wait(&one->limit, &items[i].task))
            store_relaxed(&ready[i], true);
}

static void give_once(void) { wf_hand_give_to_limit(&workers[1], one); }

static void the_first_has_it(void)
{
    weave_assert(load_relaxed(&ready[0]) && !load_relaxed(&ready[1]));
    weave_assert(wf_limit_in_use(&one->limit) == 1);
    wf_hand_give_to_limit(&workers[1], one);
    weave_assert(load_relaxed(&ready[1]));
}

/* Two that have a token each, at one time. */
static void take_one(void) { weave_assert(wf_limit_take(&one->limit)); }
static void try_one(void) { weave_assert(wf_limit_try(&one->limit)); }
static void ask_for_one(void)
{
    if (!wf_limit_take(&one->limit) &&
        !wf_limit_wait(&one->limit, &items[0].task))
        wait_for(0);
}

static void two_have_one(void)
{
    weave_assert(wf_limit_in_use(&one->limit) == 2);
    weave_assert(load_relaxed(&one->limit.peak) == 2);
}

/* An item that keeps its token while another one of its worker's asks: the
 * other worker has no item any more, and may keep the second token. */
static void two_items(void)
{
    take(0, one, 0);
    enter();
    pass(0, 1);
    leave();
    wf_hand_give(&workers[0], one);
}

static void first_item(void) { pass(0, 0); }
static void one_item(void) { pass(1, 2); }

static void one_item_to_the_next_stage(void)
{
    take(1, one, 2);
    enter();
    leave();
    if (!wf_hand_move(&workers[1], one, two))
        take(1, two, 2);
    wf_hand_give(&workers[1], two);
}

static void move_on(void)
{
    weave_assert(wf_hand_move(&workers[1], one, two));
    wf_hand_give(&workers[1], two);
}

static void both_leave_the_next(void)
{
    for (unsigned i = 0; i < 2; i++)
        wf_hand_give(&workers[0], two);
}

static void one_leaves(void) { wf_hand_give(&workers[1], one); }

static void set(unsigned tokens)
{
    struct task_list list = wf_limit_set(&one->limit, tokens);

    for (struct task *task; (task = task_list_take(&list));)
        wf_ready(NULL, NULL, task);
    wf_hand_return(&workers[0], one);
}

static void fewer(void) { set(1); }
static void more(void) { set(2); }
static void even_more(void) { set(3); }

static void fewer_and_say_so(void)
{
    fewer();
    store_release(&is_lower, true);
}

/* Who waits gets none of more than there are. */
static void give_and_look(void)
{
    bool lower = load_acquire(&is_lower);

    give_once();
    weave_assert(!lower || !load_relaxed(&ready[0]));
}

/* So many have a token beside the one that waited. */
static void give_all_back(unsigned have)
{
    weave_assert(wf_limit_in_use(&one->limit) ==
                 have + load_relaxed(&ready[0]));
    while (have--)
        wf_hand_give_to_limit(&workers[0], one);
    weave_assert(load_relaxed(&ready[0]));
    weave_assert(wf_limit_in_use(&one->limit) == 1);
    wf_hand_give_to_limit(&workers[0], one);
    weave_assert(wf_limit_in_use(&one->limit) == 0);
}

static void the_other_gives_too(void) { give_all_back(1); }

/* There are as many as were set last. */
static void the_last_number_counts(void)
{
    unsigned tokens = load_relaxed(&one->limit.tokens), free = 0;

    weave_assert(tokens == 1 || (tokens == 3 && load_relaxed(&ready[0])));
    give_all_back(2);
    while (wf_limit_try(&one->limit))
        free++;
    weave_assert(free == tokens);
}

/* What is left are tokens that are kept, and no more than there are. */
static void all_is_kept_or_free(void)
{
    for (unsigned s = 0; s < STAGES; s++) {
        weave_assert(wf_hand_in_use(&stages[s]) == 0);
        weave_assert(!wf_limit_is_short(&stages[s].limit));
        weave_assert(wf_limit_in_use(&stages[s].limit) <=
                     load_relaxed(&stages[s].limit.tokens));
        wf_hand_return(&workers[0], &stages[s]);
        weave_assert(wf_limit_in_use(&stages[s].limit) == 0);
    }
}

/* One is in use, so none may be kept of the one that there is. */
static void the_other_is_not_kept(void)
{
    weave_assert(load_relaxed(&one->limit.tokens) == 1);
    weave_assert(!wf_limit_is_short(&one->limit));
    weave_assert(wf_limit_in_use(&one->limit) == 1);
    weave_assert(wf_hand_in_use(one) == 1);
}

static const struct weave_test tests[] = {
    { .name = "one_token_is_nobodys_twice",
      .setup = one_token,
      .threads = { first_alone, second_alone, third_alone },
      .check = three_passed,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "who_tries_sees_what_the_last_one_did",
      .setup = one_token,
      .threads = { first_tries, second_tries },
      .check = two_passed,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "a_token_goes_to_the_oldest",
      .setup = one_token_taken,
      .threads = { ask_in_order, give_once },
      .check = the_first_has_it,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "the_peak_counts_all_that_are_in_use",
      .setup = two_tokens,
      .threads = { take_one, try_one },
      .check = two_have_one,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "also_who_got_one_as_more_were_added",
      .setup = one_token_taken,
      .threads = { ask_for_one, more },
      .check = two_have_one,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "no_token_is_handed_on_beyond_a_lower_number",
      .setup = one_waits,
      .threads = { give_and_look, fewer_and_say_so },
      .check = the_other_gives_too,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "of_two_numbers_the_last_one_counts",
      .setup = one_waits,
      .threads = { fewer, even_more },
      .check = the_last_number_counts,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "nobody_waits_for_a_token_that_is_kept",
      .setup = two_tokens,
      .threads = { two_items, one_item },
      .check = all_is_kept_or_free,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "nor_for_one_that_moves_on",
      .setup = two_tokens,
      .threads = { two_items, one_item_to_the_next_stage },
      .check = all_is_kept_or_free,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "nor_for_one_exchanged_for_the_next_stage_s",
      .setup = one_kept_of_the_next,
      .threads = { two_items, one_item_to_the_next_stage },
      .check = all_is_kept_or_free,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "none_is_lost_where_one_is_kept_already",
      .setup = one_kept_of_each,
      .threads = { first_item, move_on },
      .check = all_is_kept_or_free,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "who_moves_on_waits_where_none_is_left",
      .setup = none_left_of_the_next,
      .threads = { both_leave_the_next, one_item_to_the_next_stage },
      .check = all_is_kept_or_free,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "none_is_kept_beside_the_one_in_use",
      .setup = two_tokens_taken,
      .threads = { one_leaves, fewer },
      .check = the_other_is_not_kept,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "what_is_kept_is_no_more_than_there_are",
      .setup = two_tokens,
      .threads = { one_item, fewer },
      .check = all_is_kept_or_free,
      .interruptions = 3,
      .stale = 1,
      .most = 200000 },
    { .name = "tokens_are_added_meanwhile",
      .setup = one_token,
      .threads = { two_items, one_item, more },
      .check = all_is_kept_or_free,
      .interruptions = 2,
      .stale = 1,
      .most = 200000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
