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
    wf_budget_share(&pool.budget, 0,
                    (struct share){ .into = 1, .least = cost0, .asks = true });
    wf_budget_share(
        &pool.budget, 1,
        (struct share){ .into = NOWHERE, .least = cost1, .asks = true });
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
    struct budget_news news = wf_budget_leave(&p->budget, &p->slot[segment][i]);
    cr_assert_eq(news.ready.count, count);
    cr_assert_eq(news.ready.first, first ? &first->task : NULL);
}

static void finish(struct pool *p)
{
    cr_assert_eq(p->budget.used, 0);
    cr_assert_eq(p->budget.waiting.count, 0);
    cr_assert_eq(p->budget.border.count, 0);
    cr_assert_eq(p->budget.exceeds, NULL);
    cr_assert_eq(p->budget.next, NULL);
    cr_assert_eq(p->budget.scatters, NULL);
    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(p->budget.shares[i].held, 0);
        cr_assert_eq(p->budget.shares[i].hands, 0);
        cr_assert_eq(p->budget.shares[i].coming, 0);
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

Test(budget, who_was_given_some_most_often_comes_first)
{
    struct pool *p = pool_of(100, 5, 0);
    const uint64_t bytes[] = { 30, 10, 5, 45 };

    let_flow(p, 0, 4);
    for (unsigned i = 0; i < 4; i++)
        cr_assert(ask(p, 0, i, bytes[i]));
    cr_assert(ask(p, 0, 1, 12));
    cr_assert(!ask(p, 0, 2, 20));
    cr_assert(ask(p, 0, 1, 20)); /* it fits */
    cr_assert(!ask(p, 0, 1, 60));
    leaves(p, 0, 3, 1, &p->slot[0][1]);
    cr_assert_eq(p->budget.used, 95);
    leaves(p, 0, 0, 1, &p->slot[0][2]);
    leaves(p, 0, 1, 0, NULL);
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

Test(budget, the_oldest_waits_for_what_flows_behind_its_segment)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 2);
    let_flow(p, 1, 2);
    cr_assert(ask(p, 1, 0, 150));
    cr_assert(!ask(p, 0, 0, 10));
    cr_assert(!ask(p, 0, 1, 10));
    leaves(p, 1, 0, 2, &p->slot[0][0]);
    cr_assert_eq(p->budget.peak, 150);
    cr_assert(!ask(p, 0, 0, 150)); /* the other one may want some, later */
    leaves(p, 1, 1, 1, &p->slot[0][0]);
    cr_assert_eq(p->budget.used, 160);
    leaves(p, 0, 0, 0, NULL);
    leaves(p, 0, 1, 0, NULL);
    finish(p);
}

static bool cross(struct pool *p, unsigned i, bool stays, size_t count)
{
    struct budget_news news = { 0 };
    bool has = wf_budget_cross(&p->budget, &p->slot[0][i], stays, &news);

    cr_assert_eq(news.ready.count, count);
    return has;
}

Test(budget, nobody_crosses_before_the_one_that_has_what_is_not_there)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 4);
    cr_assert(ask(p, 0, 1, 60));
    cr_assert(cross(p, 1, false, 0));
    cr_assert(!ask(p, 0, 0, 50)); /* one is on its way */
    leaves(p, 0, 1, 1, &p->slot[0][0]);
    cr_assert(ask(p, 0, 2, 50));
    cr_assert(ask(p, 0, 0, 200));
    cr_assert(!cross(p, 2, false, 0));
    cr_assert(!wf_budget_try_cross(&p->budget, &p->slot[0][3]));
    cr_assert(cross(p, 0, false, 0));
    cr_assert(!wf_budget_try_cross(&p->budget, &p->slot[0][3]));
    leaves(p, 0, 0, 1, &p->slot[0][2]);
    cr_assert(cross(p, 2, false, 0));
    leaves(p, 0, 2, 0, NULL);
    leaves(p, 0, 3, 0, NULL);
    finish(p);
}

/* [N] */
Test(budget, one_that_many_have_passed_gets_a_free_way)
{
    struct pool *p = pool_of(100, 0, 0);
    unsigned crossed = 0;

    let_flow(p, 0, 2);
    let_flow(p, 1, 1);
    cr_assert(ask(p, 1, 0, 50));
    cr_assert(!ask(p, 0, 0, 150));
    while (wf_budget_try_cross(&p->budget, &p->slot[0][1])) {
        leaves(p, 0, 1, 0, NULL); /* the next one in its slot */
        wf_budget_flows(&p->budget, &p->slot[0][1]);
        cr_assert(crossed++ < 1000);
    }
    cr_assert(crossed >= 64);
    leaves(p, 1, 0, 1, &p->slot[0][0]);
    cr_assert_eq(p->budget.used, 150);
    leaves(p, 0, 0, 0, NULL);
    cr_assert(wf_budget_try_cross(&p->budget, &p->slot[0][1]));
    leaves(p, 0, 1, 0, NULL);
    finish(p);
}

/* Two inputs of a merge: what keeps the way free has its bytes, and stays. */
Test(budget, when_a_way_is_not_kept_free_any_more_others_have_theirs)
{
    struct slot slot[4] = { 0 }, *next = &slot[0], *other = &slot[1],
                *ahead = &slot[2], *passing = &slot[3];
    struct budget b;

    cr_assert_eq(wf_budget_init(&b, 100, 3), 0);
    for (unsigned i = 0; i < 3; i++)
        wf_budget_share(
            &b, i, (struct share){ .into = i < 2 ? 2 : NOWHERE, .asks = true });
    other->segment = passing->segment = 1;
    ahead->segment = 2;
    for (unsigned i = 0; i < 4; i++)
        wf_budget_flows(&b, &slot[i]);
    cr_assert(wf_budget_ask(&b, ahead, 50, NULL));
    cr_assert(!wf_budget_ask(&b, next, 80, NULL));
    while (wf_budget_try_cross(&b, passing)) {
        wf_budget_leave(&b, passing);
        wf_budget_flows(&b, passing);
    }
    cr_assert_eq(b.next, next);
    cr_assert(!wf_budget_ask(&b, other, 150, NULL));
    cr_assert_eq(wf_budget_leave(&b, ahead).ready.count, 2);
    cr_assert_eq(b.peak, 230);
    for (unsigned i = 0; i < 4; i++)
        wf_budget_leave(&b, &slot[i]);
    wf_budget_finish(&b);
}

/* Who crosses takes a turn that is the other input's when it has left. */
Test(budget, no_way_is_kept_free_for_an_input_whose_turn_is_being_taken)
{
    struct slot slot[4] = { 0 }, *large = &slot[0], *ahead = &slot[3];
    struct budget_news news = { 0 };
    struct budget b;

    cr_assert_eq(wf_budget_init(&b, 100, 3), 0);
    for (unsigned i = 0; i < 3; i++)
        wf_budget_share(&b, i,
                        (struct share){ .into = i < 2 ? 2 : NOWHERE,
                                        .asks = true,
                                        .in_turns = i == 2 });
    slot[2].segment = 1;
    ahead->segment = 2;
    for (unsigned i = 0; i < 4; i++)
        wf_budget_flows(&b, &slot[i]);
    cr_assert(wf_budget_ask(&b, ahead, 50, NULL));
    cr_assert(!wf_budget_ask(&b, large, 150, NULL));
    for (unsigned input = 0, n = 0; !b.next; input = 1 - input) {
        struct slot *passing = &slot[1 + input];
        cr_assert(wf_budget_try_cross(&b, passing));
        wf_budget_turn(&b, 2, 1 - input, &news);
        wf_budget_leave(&b, passing);
        wf_budget_flows(&b, passing);
        cr_assert(n++ < 1000);
    }
    cr_assert_eq(b.next, large);
    cr_assert_eq(b.shares[2].turn, 0);
    cr_assert_eq(wf_budget_leave(&b, ahead).ready.first, &large->task);
    for (unsigned i = 0; i < 3; i++)
        wf_budget_leave(&b, &slot[i]);
    wf_budget_finish(&b);
}

/* The end of an epoch may wait for those that would wait. */
Test(budget, no_way_is_kept_free_where_an_epoch_ends)
{
    struct pool *p = pool_of(100, 0, 0);

    p->slot[1][0].marker = true;
    let_flow(p, 0, 2);
    let_flow(p, 1, 1);
    cr_assert(ask(p, 1, 0, 50));
    cr_assert(!ask(p, 0, 0, 150));
    for (unsigned i = 0; i < 1000; i++) {
        cr_assert(wf_budget_try_cross(&p->budget, &p->slot[0][1]));
        leaves(p, 0, 1, 0, NULL);
        wf_budget_flows(&p->budget, &p->slot[0][1]);
    }
    leaves(p, 1, 0, 1, &p->slot[0][0]);
    leaves(p, 0, 0, 0, NULL);
    leaves(p, 0, 1, 0, NULL);
    finish(p);
}

Test(budget, an_item_has_what_it_costs_whatever_it_asks_for)
{
    struct pool *p = pool_of(100, 40, 0);
    struct budget_news news = { 0 };

    cr_assert(ask(p, 0, 0, 40));
    let_flow(p, 0, 1);
    cr_assert(wf_budget_ask(&p->budget, &p->slot[0][0], 0, &news));
    cr_assert_eq(p->slot[0][0].bytes, 40);
    leaves(p, 0, 0, 0, NULL);
    finish(p);
}

/* [S] */
Test(budget, behind_an_item_that_scatters_another_may_have_what_is_not_there)
{
    struct pool *p = pool_of(100, 0, 0);
    let_flow(p, 0, 2);
    cr_assert(ask(p, 0, 1, 10));
    cr_assert(ask(p, 0, 0, 120));
    cr_assert(!cross(p, 1, true, 0));
    cr_assert(cross(p, 0, true, 1)); /* and the other one may */
    cr_assert(cross(p, 1, true, 0));
    let_flow(p, 1, 2);
    cr_assert(!ask(p, 1, 1, 80));
    cr_assert(ask(p, 1, 0, 80));
    leaves(p, 1, 0, 1, &p->slot[1][1]);
    cr_assert_eq(p->budget.peak, 210);
    leaves(p, 0, 0, 0, NULL);
    leaves(p, 0, 1, 0, NULL);
    leaves(p, 1, 1, 0, NULL);
    finish(p);
}

/* Two inputs that scatter, one after the other, and a merge of any turn. */
Test(budget, while_an_item_scatters_only_its_pieces_may_have_what_is_not_there)
{
    const unsigned into[] = { 1, 4, 3, 4, NOWHERE };
    struct slot slot[5] = { 0 }, *x = &slot[0], *piece = &slot[1],
                *other = &slot[2], *merged = &slot[4];
    struct budget_news news = { 0 };
    struct budget b;

    cr_assert_eq(wf_budget_init(&b, 100, 5), 0);
    for (unsigned i = 0; i < 5; i++) {
        slot[i].segment = i;
        wf_budget_share(&b, i, (struct share){ .into = into[i], .asks = true });
    }
    wf_budget_flows(&b, x);
    wf_budget_flows(&b, other);
    cr_assert(wf_budget_ask(&b, x, 150, NULL));
    cr_assert(wf_budget_cross(&b, x, true, &news));
    cr_assert(!wf_budget_ask(&b, other, 50, NULL));
    for (struct slot *s = piece;; s = merged) {
        wf_budget_flows(&b, s);
        cr_assert(wf_budget_ask(&b, s, 40, NULL));
        cr_assert_eq(b.peak, 190);
        cr_assert_eq(wf_budget_leave(&b, s).ready.count, 0);
        if (s == merged)
            break;
    }
    struct budget_news then = wf_budget_leave(&b, x);
    cr_assert_eq(then.ready.first, &other->task);
    cr_assert_eq(b.used, 50);
    wf_budget_leave(&b, other);
    cr_assert_eq(b.scatters, NULL);
    wf_budget_finish(&b);
}

/* In turns, a piece may wait for what comes from the other input. */
Test(budget, where_inputs_take_turns_others_may_have_what_is_not_there_as_well)
{
    const unsigned into[] = { 1, 2, NOWHERE, 2 };
    struct slot slot[4] = { 0 };
    struct budget_news news = { 0 };
    struct budget b;

    cr_assert_eq(wf_budget_init(&b, 100, 4), 0);
    for (unsigned i = 0; i < 4; i++) {
        slot[i].segment = i;
        wf_budget_share(&b, i,
                        (struct share){ .into = into[i],
                                        .asks = true,
                                        .in_turns = i == 2,
                                        .turn = i == 2 ? 1 : 0 });
    }
    wf_budget_flows(&b, &slot[0]);
    wf_budget_flows(&b, &slot[3]);
    cr_assert(wf_budget_ask(&b, &slot[0], 150, NULL));
    cr_assert(wf_budget_cross(&b, &slot[0], true, &news));
    cr_assert(!wf_budget_ask(&b, &slot[3], 50, NULL));
    wf_budget_turn(&b, 2, 3, &news);
    cr_assert_eq(news.ready.first, &slot[3].task);
    cr_assert_eq(b.peak, 200);
    wf_budget_leave(&b, &slot[3]);
    wf_budget_leave(&b, &slot[0]);
    wf_budget_finish(&b);
}

/* Two inputs, and what a merge fills in turns. */
Test(budget, what_is_not_there_is_for_the_input_whose_turn_it_is)
{
    struct budget b;
    struct slot slot[2] = { { .segment = 0 }, { .segment = 1 } };
    struct slot into = { .segment = 2 };
    struct budget_news news = { 0 };

    cr_assert_eq(wf_budget_init(&b, 100, 3), 0);
    for (unsigned i = 0; i < 2; i++)
        wf_budget_share(&b, i, (struct share){ .into = 2, .asks = true });
    wf_budget_share(
        &b, 2, (struct share){ .into = NOWHERE, .in_turns = true, .turn = 1 });
    for (unsigned i = 0; i < 2; i++)
        wf_budget_flows(&b, &slot[i]);
    cr_assert(!wf_budget_ask(&b, &slot[0], 150, NULL));
    cr_assert(wf_budget_ask(&b, &slot[1], 120, NULL));
    cr_assert(wf_budget_try_cross(&b, &slot[1]));
    wf_budget_move(&b, &slot[1], &into, 0);
    cr_assert(into.exceeds);
    wf_budget_flows(&b, &into);
    wf_budget_turn(&b, 2, 0, &news);
    cr_assert_eq(wf_budget_leave(&b, &slot[1]).ready.count, 0);
    cr_assert_eq(news.ready.count, 0);
    cr_assert_eq(wf_budget_leave(&b, &into).ready.first, &slot[0].task);
    cr_assert_eq(b.peak, 150);
    wf_budget_leave(&b, &slot[0]);
    wf_budget_finish(&b);
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
}

Test(budget, what_an_item_asks_for_is_all_that_it_has_afterwards)
{
    struct pool *p = pool_of(100, 0, 0);
    struct budget_news news = { 0 };
    let_flow(p, 0, 3);
    cr_assert(ask(p, 0, 0, 10));
    cr_assert(ask(p, 0, 1, 50));
    cr_assert(ask(p, 0, 1, 80));
    cr_assert_eq(p->budget.used, 90);
    cr_assert(ask(p, 0, 1, 80));
    cr_assert_eq(p->budget.used, 90);
    cr_assert(!ask(p, 0, 2, 20));
    cr_assert(wf_budget_ask(&p->budget, &p->slot[0][1], 70, &news));
    cr_assert_eq(news.ready.first, &p->slot[0][2].task);
    cr_assert_eq(news.ready.count, 1);
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
    wf_budget_flows(&p->budget, &p->slot[1][0]);
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
