/* test_load.c: which stage is said to be the bottleneck. */
#include "cli/load.h"
#include "tests/test.h"

Test(load, workers_that_are_all_busy_are_the_limit)
{
    const struct load loads[] = {
        { .tokens = 64, .in_use = 3, .running = 0.1 },
        { .tokens = 2, .in_use = 2, .waiting = 40, .running = 1.7 },
        { .tokens = 2, .in_use = 0.2, .running = 0.15 },
    };
    struct limit limit = load_limit(loads, 3, 2);
    cr_assert_eq(limit.kind, LIMIT_WORKERS);
    cr_assert_eq(limit.stage, 1);
}

Test(load, of_stages_without_tokens_the_one_with_most_waiting_is_the_limit)
{
    const struct load loads[] = {
        { .tokens = 4, .in_use = 4, .waiting = 2 },
        { .tokens = 1, .in_use = 0.99, .waiting = 30, .running = 0.5 },
        { .tokens = 2, .in_use = 1.95, .waiting = 3 },
    };
    struct limit limit = load_limit(loads, 3, 2);
    cr_assert_eq(limit.kind, LIMIT_TOKENS);
    cr_assert_eq(limit.stage, 1);
}

Test(load, items_that_wait_for_their_turn_are_no_limit)
{
    const struct load loads[] = {
        { .tokens = 4, .in_use = 2 },
        { .tokens = 1, .in_use = 0.1, .waiting = 50 },
    };
    cr_assert_eq(load_limit(loads, 2, 2).kind, LIMIT_UNKNOWN);
}

Test(load, full_tokens_that_nobody_waits_for_are_no_limit)
{
    const struct load loads[] = { { .tokens = 2, .in_use = 2 } };
    cr_assert_eq(load_limit(loads, 1, 2).kind, LIMIT_UNKNOWN);
}

Test(load, unlimited_tokens_are_never_short)
{
    const struct load loads[] = { { .tokens = 0, .in_use = 9, .waiting = 9 } };
    cr_assert_eq(load_limit(loads, 1, 2).kind, LIMIT_UNKNOWN);
}
