/* explore_claim.c: requests for tokens of one limit, or of two, with and
 * without the lock. */
#include "graph/claim.h"

#include <stdlib.h>

#include "graph/open.h"
#include "sched/sched.h"
#include "tests/weave/weave.h"

enum { ASKERS = 4, LIMITS = 2 };

static struct weft_limit room[LIMITS]; /* without histograms of latencies */
static weft_limit *const limits[LIMITS] = { &room[0], &room[1] };
static struct asker {
    struct task task;
    struct claim claim;
    _Atomic bool ready; /* its task is */
} askers[ASKERS];
static int inside[LIMITS]; /* plain: of who has the one token */

/* What claim.c asks of the scheduler. */
weft_worker *wf_worker_here(void) { return NULL; }
weft_sched *weft_worker_sched(const weft_worker *self) { return NULL; }

void wf_ready(weft_sched *sched, weft_worker *self, struct task *task)
{
    struct asker *a = (struct asker *)task; /* its first member */

    weave_assert(!load_relaxed(&a->ready));
    store_release(&a->ready, true);
}

int wf_error(weft_error *why, int error, const char *format, ...)
{
    return error;
}

static void set_up(unsigned tokens)
{
    for (unsigned i = 0; i < LIMITS; i++) {
        wf_named_limit_init(limits[i], "limit", tokens);
        limits[i]->own = false; /* not of a stage */
    }
}

/* As if requests had come fast for a while. */
static void set_up_open(unsigned tokens)
{
    set_up(tokens);
    for (unsigned i = 0; i < LIMITS; i++) {
        store_relaxed(&limits[i]->is_fast, true);
        store_relaxed(&limits[i]->timed, wf_now_ns());
        store_relaxed(&limits[i]->peak, tokens);
        limits[i]->asked = 1; /* the next one is not timed: [T] in claim.c */
        wf_open(limits[i]);
    }
}

static void one_token(void) { set_up(1); }
static void one_open_token(void) { set_up_open(1); }

static void wait_for(struct asker *a)
{
    while (!load_acquire(&a->ready))
        weave_yield();
}

/* Alone with each of the limits that it has. The claim is gone afterwards. */
static void use_tokens(unsigned who, unsigned first, unsigned n)
{
    struct asker *a = &askers[who];
    struct claim *claim = calloc(1, sizeof *claim);
    struct weft_use uses[LIMITS] = { { limits[first], 1 },
                                     { limits[1 - first], 1 } };

    if (!wf_claim_take(claim, uses, n, NULL, &a->task))
        wait_for(a);
    for (unsigned i = 0; i < n; i++)
        inside[uses[i].limit == limits[1]]++;
    wf_claim_give(claim);
    free(claim);
}

static void first_asker(void) { use_tokens(0, 0, 1); }
static void second_asker(void) { use_tokens(1, 0, 1); }
static void third_asker(void) { use_tokens(2, 0, 1); }
static void wants_both(void) { use_tokens(0, 0, 2); }
static void wants_both_the_other_way(void) { use_tokens(1, 1, 2); }

/* Without a claim, where it can be had so. */
static void ask_alone(unsigned who)
{
    struct weft_use use = { limits[0], 1 };

    if (!wf_claim_take_alone(&use)) {
        use_tokens(who, 0, 1);
        return;
    }
    inside[0]++;
    struct task *next = wf_claim_give_alone(NULL, &use);
    weave_assert(!next); /* no worker to run it */
}

static void asks_alone(void) { ask_alone(2); }
static void second_asks_alone(void) { ask_alone(1); }

static void all_is_given_back(int each)
{
    for (unsigned i = 0; i < LIMITS; i++) {
        struct weft_limit_stats s;
        weft_limit_stats(limits[i], &s);
        weave_assert(s.in_use == 0 && s.waiting == 0);
        weave_assert(s.granted == (uint64_t)inside[i]);
    }
    weave_assert(inside[0] == each);
}

static void two_were_inside(void) { all_is_given_back(2); }
static void three_were_inside(void) { all_is_given_back(3); }

/* ---- who gives up, and a stage's own token ------------------------------- */

static _Atomic int turned_away;

/* Until it has them, or is told to do without. */
static void use_or_give_up(unsigned who, const struct weft_use *uses,
                           unsigned n)
{
    struct asker *a = &askers[who];

    if (!wf_claim_take(&a->claim, uses, n, NULL, &a->task))
        wait_for(a);
    if (a->claim.count)
        inside[uses[n - 1].limit == limits[1]]++;
    else
        add_relaxed(&turned_away, 1);
    wf_claim_give(&a->claim);
}

static void use_one(unsigned who)
{
    const struct weft_use use = { limits[0], 1 };

    use_or_give_up(who, &use, 1);
}

static void first_may_give_up(void) { use_one(0); }
static void second_may(void) { use_one(1); }
static void hurry_the_first(void) { wf_claim_hurry(&askers[0].claim); }

/* The second limit is that of their stage. */
static void one_token_of_their_own(void)
{
    one_token();
    limits[1]->own = true;
}

static void use_both(unsigned who)
{
    const struct weft_use uses[] = { { limits[1], 1 }, { limits[0], 1 } };

    use_or_give_up(who, uses, 2);
}

static void first_of_the_stage(void) { use_both(0); }
static void second_of_the_stage(void) { use_both(1); }
static void of_another_stage(void) { use_one(2); }

static void each_was_inside_or_gave_up(void)
{
    unsigned waiting = 0;

    for (unsigned i = 0; i < LIMITS; i++) {
        struct weft_limit_stats s;
        weft_limit_stats(limits[i], &s);
        waiting += s.waiting + s.in_use + wf_limit_reserved(limits[i]);
    }
    weave_assert(waiting == 0 && inside[1] == 0);
}

static void two_were_or_gave_up(void)
{
    each_was_inside_or_gave_up();
    weave_assert(inside[0] + load_relaxed(&turned_away) == 2);
}

static void three_were_or_gave_up(void)
{
    each_was_inside_or_gave_up();
    weave_assert(inside[0] + load_relaxed(&turned_away) == 3);
}

/* ---- two tokens become one, or one becomes two --------------------------- */

static void two_tokens(void) { set_up(2); }
static void fewer(void) { weft_limit_set(limits[0], 1); }
static void more(void) { weft_limit_set(limits[0], 2); }

static _Atomic int together;
static void use_counted(unsigned who)
{
    struct asker *a = &askers[who];
    struct weft_use use = { limits[0], 1 };

    if (!wf_claim_take(&a->claim, &use, 1, NULL, &a->task))
        wait_for(a);
    weave_assert(add_relaxed(&together, 1) < 2);
    add_relaxed(&together, -1);
    wf_claim_give(&a->claim);
}

static void first_counted(void) { use_counted(0); }
static void second_counted(void) { use_counted(1); }

static void none_is_left(void)
{
    struct weft_limit_stats s;

    weft_limit_stats(limits[0], &s);
    weave_assert(s.in_use == 0 && s.waiting == 0 && s.granted == 2);
}

/* ---- claims that stand in several queues --------------------------------- */

static bool takes(unsigned who, const struct weft_use *uses, unsigned n)
{
    struct asker *a = &askers[who];

    return wf_claim_take(&a->claim, uses, n, NULL, &a->task);
}

static bool takes_of(unsigned who, unsigned limit, unsigned tokens)
{
    const struct weft_use use = { limits[limit], tokens };

    return takes(who, &use, 1);
}

static bool takes_both(unsigned who)
{
    const struct weft_use uses[] = { { limits[0], 1 }, { limits[1], 1 } };

    return takes(who, uses, 2);
}

static bool takes_both_of_its_own(unsigned who)
{
    const struct weft_use uses[] = { { limits[1], 1 }, { limits[0], 1 } };

    return takes(who, uses, 2);
}

static void give(unsigned who) { wf_claim_give(&askers[who].claim); }

/* Alone with the first limit. */
static void enter_and_give(unsigned who)
{
    wait_for(&askers[who]);
    inside[0]++;
    give(who);
}

static void first_enters(void) { enter_and_give(0); }
static void second_enters(void) { enter_and_give(1); }
static void third_gives(void) { give(2); }

static void nothing_is_left(void)
{
    for (unsigned i = 0; i < LIMITS; i++) {
        struct weft_limit_stats s;
        weft_limit_stats(limits[i], &s);
        weave_assert(s.in_use == 0 && s.waiting == 0);
        weave_assert(wf_limit_reserved(limits[i]) == 0);
    }
}

static void two_have_entered(void)
{
    nothing_is_left();
    weave_assert(inside[0] == 2);
}

/* The first has one of two, and waits for the other; the token that it does
 * not have yet is not the second's. */
static void one_waits_for_one_of_two(void)
{
    set_up(1);
    weave_assert(takes_of(2, 1, 1) && !takes_both(0));
}

static void second_comes(void)
{
    if (takes_of(1, 0, 1))
        store_relaxed(&askers[1].ready, true);
    enter_and_give(1);
}

/* Two of a stage wait for tokens of another limit; of their own there is one.
 */
static void two_wait_beside_their_stage(void)
{
    set_up(1);
    weft_limit_set(limits[0], 2);
    limits[1]->own = true;
    weave_assert(takes_of(2, 0, 2));
    weave_assert(!takes_both_of_its_own(0) && !takes_both_of_its_own(1));
}

/* The first has a token that was taken away since, and which the second has. */
static void one_waits_for_what_is_taken_away(void)
{
    set_up(2);
    weave_assert(takes_of(1, 0, 1) && takes_of(2, 1, 2) && !takes_both(0));
    store_relaxed(&askers[1].ready, true);
}

static void third_takes_away_and_gives(void)
{
    weft_limit_set(limits[0], 1);
    give(2);
}

/* The second stands behind the first at a limit that has tokens for both. */
static void one_stands_behind_another(void)
{
    set_up(2);
    weave_assert(takes_of(2, 0, 2) && !takes_both(0) && !takes_of(1, 1, 1));
}

static void first_waits_for_the_second(void)
{
    wait_for(&askers[0]);
    wait_for(&askers[1]);
    give(0);
}

/* There is one token, then there are two. */
static void one_waits_for_more(void)
{
    set_up(1);
    weave_assert(takes_of(0, 0, 1) && !takes_of(1, 0, 1));
    store_relaxed(&askers[0].ready, true);
}

static void second_gives(void)
{
    wait_for(&askers[1]);
    give(1);
}

/* Of a stage with one token, which the third has: the first will wait for the
 * other limit, the second for nothing else. */
static void two_wait_for_their_stage(void)
{
    set_up(1);
    limits[1]->own = true;
    weave_assert(takes_of(2, 1, 1) && takes_of(3, 0, 1));
    weave_assert(!takes_both_of_its_own(0) && !takes_of(1, 1, 1));
}

static void second_lets_the_fourth_give(void)
{
    wait_for(&askers[1]);
    give(1);
    give(3);
}

static void three_of_the_stage(void) { weft_limit_set(limits[1], 3); }

static void first_gives(void)
{
    wait_for(&askers[0]);
    give(0);
    give(2);
}

/* ---- without the lock, while there are fewer ----------------------------- */

static void two_open_tokens(void) { set_up_open(2); }

static void one_open_token_of_two(void)
{
    set_up_open(2);
    weft_limit_set(limits[0], 1);
    wf_open(limits[0]);
}

static void ask_openly(void)
{
    struct weft_use use = { limits[0], 1 };

    if (wf_claim_take_alone(&use))
        wf_claim_give_alone(NULL, &use);
}

static unsigned in_use(void)
{
    struct weft_limit_stats s;

    weft_limit_stats(limits[0], &s);
    return s.in_use;
}

/* Those that are too many go on; no others come. */
static void take_one_away(void)
{
    weft_limit_set(limits[0], 1);
    unsigned before = in_use();
    weave_assert(in_use() <= (before > 1 ? before : 1));
}

static const struct weave_test tests[] = {
    { .name = "one_token_is_nobodys_twice",
      .setup = one_token,
      .threads = { first_asker, second_asker, third_asker },
      .check = three_were_inside,
      .interruptions = 2,
      .stale = 1,
      .most = 200000 },
    { .name = "so_it_is_without_the_lock",
      .setup = one_open_token,
      .threads = { first_asker, second_asker },
      .check = two_were_inside,
      .interruptions = 4,
      .stale = 2,
      .most = 200000 },
    { .name = "three_ask_where_most_need_no_lock",
      .setup = one_open_token,
      .threads = { first_asker, second_asker, asks_alone },
      .check = three_were_inside,
      .interruptions = 2,
      .stale = 1,
      .most = 200000 },
    { .name = "two_limits_in_any_order_do_not_deadlock",
      .setup = one_token,
      .threads = { wants_both, wants_both_the_other_way },
      .check = two_were_inside,
      .interruptions = 4,
      .stale = 2,
      .most = 200000 },
    { .name = "two_limits_without_the_lock_do_not_deadlock",
      .setup = one_open_token,
      .threads = { wants_both, wants_both_the_other_way, asks_alone },
      .check = three_were_inside,
      .interruptions = 2,
      .stale = 1,
      .most = 200000 },
    { .name = "tokens_are_taken_away_meanwhile",
      .setup = two_tokens,
      .threads = { first_counted, second_counted, fewer },
      .check = none_is_left,
      .interruptions = 2,
      .stale = 1,
      .most = 200000 },
    { .name = "tokens_are_added_meanwhile",
      .setup = one_token,
      .threads = { first_counted, second_counted, more },
      .check = none_is_left,
      .interruptions = 2,
      .stale = 1,
      .most = 200000 },
    { .name = "who_gives_up_has_no_token_and_lets_the_next_one_in",
      .setup = one_token,
      .threads = { first_may_give_up, second_may, hurry_the_first },
      .check = two_were_or_gave_up,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "a_stages_own_token_is_kept_for_who_waits_for_another",
      .setup = one_token_of_their_own,
      .threads = { first_of_the_stage, second_of_the_stage, of_another_stage },
      .check = three_were_or_gave_up,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "who_gives_up_gives_its_stages_own_token_back",
      .setup = one_token_of_their_own,
      .threads = { first_of_the_stage, second_of_the_stage, of_another_stage,
                   hurry_the_first },
      .check = three_were_or_gave_up,
      .interruptions = 2,
      .stale = 1,
      .most = 50000 },
    { .name = "who_stands_in_a_queue_is_not_passed_there",
      .setup = one_waits_for_one_of_two,
      .threads = { first_enters, second_comes, third_gives },
      .check = two_have_entered,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "what_is_kept_for_one_of_a_stage_is_not_anothers",
      .setup = two_wait_beside_their_stage,
      .threads = { first_enters, second_enters, third_gives },
      .check = two_have_entered,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "what_is_met_no_more_is_waited_for",
      .setup = one_waits_for_what_is_taken_away,
      .threads = { first_enters, second_enters, third_takes_away_and_gives },
      .check = two_have_entered,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "who_stood_behind_is_let_in_with_the_one_before",
      .setup = one_stands_behind_another,
      .threads = { first_waits_for_the_second, second_gives, third_gives },
      .check = nothing_is_left,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "who_waits_is_let_in_as_tokens_are_added",
      .setup = one_waits_for_more,
      .threads = { first_waits_for_the_second, second_gives, more },
      .check = nothing_is_left,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "all_that_have_a_token_of_their_stage_now_go_on",
      .setup = two_wait_for_their_stage,
      .threads = { first_gives, second_lets_the_fourth_give,
                   three_of_the_stage },
      .check = nothing_is_left,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "no_more_than_there_are_is_taken_without_the_lock",
      .setup = one_open_token_of_two,
      .threads = { asks_alone, second_asks_alone },
      .check = two_were_inside,
      .interruptions = 2,
      .stale = 1,
      .most = 20000 },
    { .name = "who_asks_without_the_lock_knows_that_there_are_fewer",
      .setup = two_open_tokens,
      .threads = { ask_openly, ask_openly, take_one_away },
      .check = nothing_is_left,
      .interruptions = 4,
      .stale = 1,
      .most = 200000 },
    { 0 },
};

int main(int argc, char **argv) { return weave_main(tests, argc, argv); }
