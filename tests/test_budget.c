/* test_budget.c: graph/budget.c alone: who gets bytes, and who waits. */
#include "graph/budget.h"

#include <string.h>

#include "tests/test.h"

/* Slots of two segments; the first leads into the second. */
struct pool {
    struct budget budget;
    struct slot slot[2][4];
};

static struct pool *pool_of(uint64_t bytes, uint64_t cost0, uint64_t cost1)
{
    static struct pool pool;

    memset(&pool, 0, sizeof pool);
    for (unsigned s = 0; s < 2; s++)
        for (unsigned i = 0; i < 4; i++)
            pool.slot[s][i].segment = s;
    cr_assert_eq(wf_budget_init(&pool.budget, bytes, 2), 0);
    wf_budget_share(&pool.budget, 0, 1, cost0);
    wf_budget_share(&pool.budget, 1, NOWHERE, cost1);
    return &pool;
}

/* The slots 0 .. count - 1 flow. */
static void let_flow(struct pool *p, unsigned segment, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        wf_budget_flows(&p->budget, &p->slot[segment][i]);
}

static bool ask(struct pool *p, unsigned segment, unsigned i, uint64_t bytes)
{
    return wf_budget_ask(&p->budget, &p->slot[segment][i], bytes, NULL);
}

/* The slot leaves, and what is served is `count` slots that begin with this. */
static void leaves(struct pool *p, unsigned segment, unsigned i, size_t count,
                   struct slot *first)
{
    struct task_list ready = wf_budget_leave(&p->budget, &p->slot[segment][i]);
    cr_assert_eq(ready.count, count);
    cr_assert_eq(ready.first, first ? &first->task : NULL);
}

static void finish(struct pool *p)
{
    cr_assert_eq(p->budget.used, 0);
    cr_assert_eq(p->budget.waiting.count, 0);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(p->budget.shares[i].held, 0);
        cr_assert_eq(p->budget.shares[i].flowing, 0);
        cr_assert_eq(p->budget.shares[i].hands, 0);
        cr_assert_eq(p->budget.shares[i].oldest, NULL);
        cr_assert_eq(p->budget.shares[i].newest, NULL);
    }
    wf_budget_finish(&p->budget);
}

Test(budget, bytes_are_had_until_there_are_none_then_in_the_order_of_asking)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 4);
    cr_assert(ask(p, 0, 0, 60));
    cr_assert(ask(p, 0, 1, 40));
    cr_assert(!ask(p, 0, 3, 50));
    cr_assert(!ask(p, 0, 2, 1)); /* fits no more than the one before it */
    cr_assert_eq(p->budget.used, 100);
    leaves(p, 0, 1, 0, NULL);
    leaves(p, 0, 0, 2, &p->slot[0][2]); /* the oldest now, and what fits */
    cr_assert_eq(p->budget.used, 51);
    cr_assert_eq(p->budget.peak, 100);
    leaves(p, 0, 3, 0, NULL);
    leaves(p, 0, 2, 0, NULL);
    finish(p);
}

Test(budget, the_oldest_gets_what_is_not_there)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 3);
    cr_assert(ask(p, 0, 2, 100));
    cr_assert(!ask(p, 0, 1, 10));
    cr_assert(ask(p, 0, 0, 500));
    cr_assert_eq(p->budget.peak, 600);
    leaves(p, 0, 0, 1, &p->slot[0][1]); /* it is the oldest now */
    cr_assert_eq(p->budget.used, 110);
    leaves(p, 0, 2, 0, NULL);
    leaves(p, 0, 1, 0, NULL);
    finish(p);
}

Test(budget, while_more_is_in_use_than_there_is_nobody_else_gets_any)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 3);
    cr_assert(ask(p, 0, 0, 101));
    cr_assert(!ask(p, 0, 2, 1));
    cr_assert(!ask(p, 0, 1, 1));
    leaves(p, 0, 0, 2, &p->slot[0][1]);
    leaves(p, 0, 1, 0, NULL);
    leaves(p, 0, 2, 0, NULL);
    finish(p);
}

/* [B] */
Test(budget, the_oldest_waits_for_what_flows_behind_its_segment)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 2);
    let_flow(p, 1, 2);
    cr_assert(ask(p, 1, 0, 150));
    cr_assert(ask(p, 1, 1, 0));
    cr_assert(!ask(p, 0, 0, 10));
    cr_assert(!ask(p, 0, 1, 10));
    leaves(p, 1, 0, 2, &p->slot[0][0]);
    cr_assert_eq(p->budget.peak, 150);
    /* Nothing flows behind the second one: it does not wait for the first. */
    cr_assert(ask(p, 0, 0, 150));
    cr_assert(ask(p, 1, 1, 70));
    cr_assert(!ask(p, 0, 1, 200));
    leaves(p, 0, 0, 1, &p->slot[0][1]); /* no more in use than there is */
    cr_assert_eq(p->budget.used, 270);
    leaves(p, 1, 1, 0, NULL);
    leaves(p, 0, 1, 0, NULL);
    finish(p);
}

Test(budget, a_slot_in_hand_gets_bytes_where_no_other_holds_any)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 2);
    cr_assert(ask(p, 0, 1, 100));
    cr_assert(ask(p, 1, 0, 30));
    cr_assert(!ask(p, 1, 1, 30));
    cr_assert(!ask(p, 1, 2, 30));
    wf_budget_flows(&p->budget, &p->slot[1][0]);
    cr_assert_eq(p->budget.shares[1].flowing, 30);
    leaves(p, 1, 0, 1, &p->slot[1][1]);
    cr_assert_eq(p->budget.shares[1].hands, 1);
    cr_assert_eq(p->budget.shares[1].flowing, 0);
    leaves(p, 0, 1, 1, &p->slot[1][2]);
    leaves(p, 1, 1, 0, NULL);
    leaves(p, 1, 2, 0, NULL);
    leaves(p, 0, 0, 0, NULL);
    finish(p);
}

/* [L] */
Test(budget, the_cost_of_one_item_of_each_segment_is_kept_for_it)
{
    struct pool *p = pool_of(100, 10, 30);
    cr_assert_eq(p->budget.kept, 40);
    cr_assert(ask(p, 0, 0, 10));
    let_flow(p, 0, 2);
    cr_assert(ask(p, 0, 1, 60));
    cr_assert_eq(p->budget.kept, 30);
    cr_assert(!ask(p, 0, 1, 61));
    cr_assert(ask(p, 1, 0, 30));
    cr_assert_eq(p->budget.peak, 100);
    cr_assert(!ask(p, 1, 1, 30)); /* one is enough */
    leaves(p, 1, 0, 1, &p->slot[1][1]);
    leaves(p, 1, 1, 0, NULL);
    leaves(p, 0, 0, 1, &p->slot[0][1]);
    cr_assert_eq(p->budget.kept, 30);
    leaves(p, 0, 1, 0, NULL);
    cr_assert_eq(p->budget.kept, 40);
    finish(p);

    p = pool_of(100, 80, 30); /* as far as it goes */
    cr_assert_eq(p->budget.kept, 80);
    finish(p);
}

Test(budget, what_an_item_asks_for_is_all_that_it_has_afterwards)
{
    struct pool *p = pool_of(100, 0, 0);
    struct task_list ready = { 0 };
    let_flow(p, 0, 3);
    cr_assert(ask(p, 0, 0, 10));
    cr_assert(ask(p, 0, 1, 50));
    cr_assert(ask(p, 0, 1, 80));
    cr_assert_eq(p->budget.used, 90);
    cr_assert(ask(p, 0, 1, 80));
    cr_assert_eq(p->budget.used, 90);
    cr_assert(!ask(p, 0, 2, 20));
    cr_assert(wf_budget_ask(&p->budget, &p->slot[0][1], 70, &ready));
    cr_assert_eq(ready.first, &p->slot[0][2].task);
    cr_assert_eq(ready.count, 1);
    cr_assert_eq(p->budget.used, 100);
    for (unsigned i = 0; i < 3; i++)
        leaves(p, 0, i, 0, NULL);
    finish(p);
}

Test(budget, who_only_tries_is_not_in_the_way)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 2);
    cr_assert(ask(p, 0, 1, 90));
    cr_assert(wf_budget_try(&p->budget, &p->slot[1][1], 5));
    cr_assert(!wf_budget_try(&p->budget, &p->slot[1][2], 6));
    cr_assert_eq(p->budget.waiting.count, 0);
    cr_assert(wf_budget_try(&p->budget, &p->slot[1][2], 5));
    leaves(p, 1, 1, 0, NULL);
    leaves(p, 1, 2, 0, NULL);
    leaves(p, 0, 1, 0, NULL);
    leaves(p, 0, 0, 0, NULL);
    finish(p);
}

Test(budget, a_request_is_withdrawn_or_granted_but_not_both)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 4);
    cr_assert(ask(p, 0, 0, 100));
    for (unsigned i = 1; i < 4; i++)
        cr_assert(!ask(p, 0, i, 40));
    cr_assert(wf_budget_withdraw(&p->budget, &p->slot[0][2]));
    cr_assert(!wf_budget_withdraw(&p->budget, &p->slot[0][2]));
    leaves(p, 0, 0, 2, &p->slot[0][1]);
    cr_assert(!wf_budget_withdraw(&p->budget, &p->slot[0][1]));
    for (unsigned i = 1; i < 4; i++)
        leaves(p, 0, i, 0, NULL);
    finish(p);
}

Test(budget, what_an_item_has_moves_with_it)
{
    struct pool *p = pool_of(100, 10, 20);
    cr_assert(ask(p, 0, 0, 10));
    let_flow(p, 0, 1);
    cr_assert(ask(p, 0, 0, 50));
    cr_assert(ask(p, 1, 0, 20));
    wf_budget_move(&p->budget, &p->slot[0][0], &p->slot[1][0], 10);
    cr_assert_eq(p->slot[0][0].bytes, 10);
    cr_assert_eq(p->slot[1][0].bytes, 60);
    cr_assert_eq(p->budget.shares[0].flowing, 10);
    wf_budget_flows(&p->budget, &p->slot[1][0]);
    cr_assert_eq(p->budget.shares[1].flowing, 60);
    leaves(p, 0, 0, 0, NULL);
    leaves(p, 1, 0, 0, NULL);
    cr_assert_eq(p->budget.peak, 70);
    finish(p);
}

Test(budget, sizes_beyond_all_measure_are_very_large)
{
    struct pool *p = pool_of(UINT64_MAX, 0, 0);
    let_flow(p, 0, 4);
    for (unsigned i = 1; i < 4; i++)
        cr_assert(ask(p, 0, i, UINT64_MAX));
    cr_assert(p->budget.used > (uint64_t)1 << 56);
    for (unsigned i = 0; i < 4; i++)
        leaves(p, 0, i, 0, NULL);
    finish(p);

    p = pool_of(1, 0, 0);
    let_flow(p, 0, 2);
    cr_assert(!ask(p, 0, 1, UINT64_MAX));
    cr_assert(ask(p, 0, 0, UINT64_MAX));
    leaves(p, 0, 0, 1, &p->slot[0][1]);
    leaves(p, 0, 1, 0, NULL);
    finish(p);
}
