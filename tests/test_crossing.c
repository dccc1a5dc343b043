/* test_crossing.c: where a curve first reaches a height. */
#include "cli/bench/crossing.h"

#include <math.h>

#include "tests/test.h"

static const double sizes[] = { 10, 20, 40, 80 };

Test(crossing, at_a_point_is_that_point)
{
    const double parts[] = { 0.1, 0.5, 0.8, 0.95 };
    cr_assert(fabs(crossing(sizes, parts, 4, 0.5) - 20) < 1e-9);
}

Test(crossing, half_way_between_two_sizes_is_their_geometric_mean)
{
    const double parts[] = { 0.1, 0.4, 0.6, 0.95 };
    cr_assert(fabs(crossing(sizes, parts, 4, 0.5) - sqrt(20.0 * 40)) < 1e-9);
}

Test(crossing, the_first_one_counts_where_noise_makes_several)
{
    const double parts[] = { 0.6, 0.4, 0.3, 0.7 };
    cr_assert_eq(crossing(sizes, parts, 4, 0.5), 10);
}

Test(crossing, that_never_comes_is_no_number)
{
    const double parts[] = { 0.1, 0.2, 0.3, 0.4 };
    cr_assert(isnan(crossing(sizes, parts, 4, 0.5)));
    cr_assert(isnan(crossing(sizes, parts, 0, 0.5)));
}
