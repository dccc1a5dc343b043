/* stress_pipeline.c: what the arguments in graph/ promise when everything goes
 * wrong at once: budgets whose items overtake each other, runs that are stopped
 * and freed under the hands of whoever ends them. */
#include "graph/budget.h"
#include "tests/runs.h"

/* ---- the budget -------------------------------------------------------- */

/* Were it to wait, then behind a younger one that waits for what others hold:
 * and these may wait for their turn behind it. */
Test(budget, who_wants_nothing_never_waits)
{
    struct budget b;
    struct slot slot[4] = { 0 };

    cr_assert_eq(wf_budget_init(&b, 10, 1), 0);
    for (int i = 0; i < 4; i++)
        wf_budget_flows(&b, &slot[i]);
    cr_assert(wf_budget_ask(&b, &slot[0], 4, NULL));
    cr_assert(wf_budget_ask(&b, &slot[2], 6, NULL));
    cr_assert(!wf_budget_ask(&b, &slot[3], 5, NULL));
    cr_assert(wf_budget_ask(&b, &slot[1], 0, NULL));
    wf_budget_finish(&b);
}
