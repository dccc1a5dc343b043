/* explore_claim.c: requests for tokens of one limit, or of two, with and
 * without the lock. */
#include "graph/claim.h"
#include "graph/open.h"
#include "sched/sched.h"
#include "tests/weave/weave.h"

enum { ASKERS = 3, LIMITS = 2 };

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

/* Alone with each of the limits that it has. */
static void use_tokens(unsigned who, unsigned first, unsigned n)
{
    struct asker *a = &askers[who];
    struct weft_use uses[LIMITS] = { { limits[first], 1 },
                                     { limits[1 - first], 1 } };

    if (!wf_claim_take(&a->claim, uses, n, NULL, &a->task))
        wait_for(a);
    for (unsigned i = 0; i < n; i++)
        inside[uses[i].limit == limits[1]]++;
    wf_claim_give(&a->claim);
}

static void first_asker(void) { use_tokens(0, 0, 1); }
static void second_asker(void) { use_tokens(1, 0, 1); }
static void third_asker(void) { use_tokens(2, 0, 1); }
static void wants_both(void) { use_tokens(0, 0, 2); }
static void wants_both_the_other_way(void) { use_tokens(1, 1, 2); }

/* Without a claim, where it can be had so. */
static void asks_alone(void)
{
    struct weft_use use = { limits[0], 1 };

    if (!wf_claim_take_alone(&use)) {
        use_tokens(2, 0, 1);
        return;
    }
    inside[0]++;
    struct task *next = wf_claim_give_alone(NULL, &use);
    weave_assert(!next); /* no worker to run it */
}

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

/* Two tokens become one, or one becomes two, while they are asked for. */
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

int main(int argc, char **argv)
{
    const struct weave_test tests[] = {
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
        { 0 },
    };
    return weave_main(tests, argc, argv);
}
