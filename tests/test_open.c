/* test_open.c: graph/open.c: tokens that come and go without the lock, and what
 * the lock makes of them. Limits are opened by hand: whether requests come fast
 * is up to the machine. */
#include "graph/open.h"

#include "sched/sched.h"
#include "tests/flows.h"
#include "tests/runs.h"

#define SECOND UINT64_C(1000000000)
#define DAY    (24 * 3600 * SECOND)

struct asker {
    struct task task;
    struct claim claim;
    struct weft_use use;
    bool alone; /* it has no claim */
};

static weft_sched *sched;
static weft_limit *limit;
static _Atomic unsigned served;

static struct task *serve(weft_worker *self, struct task *task)
{
    add_release(&served, 1); /* for what is on the stack of the test */
    return NULL;
}

static void begin(unsigned tokens)
{
    struct weft_limit_config *config =
        weft_config(limit, .name = "limit", .tokens = tokens);

    store_relaxed(&served, 0);
    sched = workers(1);
    cr_assert_eq(weft_limit_create(&limit, config, NULL), 0);
}

static struct weft_limit_stats stats(void)
{
    struct weft_limit_stats s;
    weft_limit_stats(limit, &s);
    return s;
}

/* Everything is given back, and so many requests were granted. */
static void end(unsigned granted, unsigned had_waited)
{
    cr_assert_eq(stats().in_use, 0);
    cr_assert_eq(stats().waiting, 0);
    cr_assert_eq(stats().granted, granted);
    UNTIL(load_acquire(&served) == had_waited);
    weft_sched_destroy(sched);
    weft_limit_destroy(limit);
}

/* The next request is one that is not timed, and comes after no pause, however
 * slow the machine is: the last that was timed is one of tomorrow. */
static void open_it(void)
{
    wf_close(limit);
    store_relaxed(&limit->is_fast, true);
    store_relaxed(&limit->timed, wf_now_ns() + DAY);
    while (wf_is_timed((uint32_t)limit->asked))
        limit->asked++;
    wf_open(limit);
}

static bool take(struct asker *a, unsigned tokens)
{
    const struct weft_use use = { limit, tokens };
    *a = (struct asker){ .task = { serve, NULL } };
    return wf_claim_take(&a->claim, &use, 1, sched, &a->task);
}

static bool take_alone(struct asker *a, unsigned tokens)
{
    *a = (struct asker){ .task = { serve, NULL }, .use = { limit, tokens } };
    a->alone = wf_claim_take_alone(&a->use);
    return a->alone;
}

/* Who has its tokens now is made ready. */
static void give(struct asker *a)
{
    if (!a->alone)
        wf_claim_give(&a->claim);
    else
        cr_assert(!wf_claim_give_alone(NULL, &a->use));
}

/* So that as many have been in use: else the lock is needed to say so. */
static void reach(unsigned tokens)
{
    struct asker a;

    cr_assert(take(&a, tokens));
    give(&a);
}

Test(open, a_limit_of_which_nothing_is_known_is_closed)
{
    struct asker a;
    begin(1);
    cr_assert(!take_alone(&a, 1));
    cr_assert(take(&a, 1));
    give(&a);
    end(1, 0);
}

Test(open, what_is_taken_without_the_lock_is_counted)
{
    struct asker a, b;
    begin(3);
    reach(3);
    open_it();
    cr_assert(take_alone(&a, 1));
    open_it();
    cr_assert(take_alone(&b, 0)); /* as 1 */
    cr_assert_eq(stats().in_use, 2);
    cr_assert_eq(stats().granted, 3);
    open_it();
    give(&a);
    wf_close(limit);
    give(&b);
    end(3, 0);
}

Test(open, there_are_no_more_tokens_than_under_the_lock)
{
    struct asker a, b;
    begin(3);
    reach(3);
    open_it();
    cr_assert(take_alone(&a, 2));
    open_it();
    cr_assert(!take_alone(&b, 2));
    cr_assert(take_alone(&b, 1));
    give(&a);
    give(&b);
    end(3, 0);
}

Test(open, the_most_in_use_is_exact)
{
    struct asker a, b;
    begin(3);
    reach(1);
    open_it();
    cr_assert(take_alone(&a, 1));
    open_it();
    cr_assert(!take_alone(&b, 2)); /* it would be more than ever */
    cr_assert(take(&b, 2));
    cr_assert_eq(stats().peak, 3);
    give(&a);
    give(&b);
    end(3, 0);
}

Test(open, nobody_overtakes_who_waits)
{
    struct asker a, wide, b;
    begin(2);
    reach(2);
    open_it();
    cr_assert(take_alone(&a, 1));
    cr_assert(!take(&wide, 2));
    wf_open(limit);
    cr_assert(!take_alone(&b, 1)); /* though a token is free */
    give(&a);
    cr_assert_eq(stats().in_use, 2);
    give(&wide);
    end(3, 1);
}

Test(open, fewer_tokens_count_at_once)
{
    struct asker a, b;
    begin(2);
    reach(2);
    open_it();
    cr_assert(take_alone(&a, 1));
    open_it();
    uint64_t before = load_relaxed(&limit->open);
    weft_limit_set(limit, 1);
    open_it();
    cr_assert(load_relaxed(&limit->open) != before);
    cr_assert(!take_alone(&b, 1));
    give(&a);
    end(2, 0);
}

Test(open, one_of_each_group_needs_the_lock)
{
    struct asker a;
    unsigned timed = 0;
    begin(1);
    reach(1);
    for (uint32_t i = 0; i < 100 * GROUP; i++)
        timed += wf_is_timed(i);
    cr_assert_eq(timed, 100);
    open_it();
    wf_close(limit);
    while (!wf_is_timed((uint32_t)limit->asked))
        limit->asked++;
    wf_open(limit);
    cr_assert(!take_alone(&a, 1));
    end(1, 0);
}

Test(open, after_a_pause_the_lock_is_needed)
{
    struct asker a;
    begin(1);
    reach(1);
    open_it();
    store_relaxed(&limit->timed, wf_now_ns() - SECOND);
    cr_assert(!take_alone(&a, 1));
    end(1, 0);
}

Test(open, a_stages_own_never_is)
{
    struct weft_limit own;
    wf_named_limit_init(&own, "stage", 1);
    store_relaxed(&own.is_fast, true);
    wf_open(&own);
    cr_assert_eq((uint32_t)load_relaxed(&own.open), LIMIT_CLOSED);
}
