/* test_percentile.c: one figure for many measurements. */
#include "cli/bench/percentile.h"
#include "tests/test.h"

Test(percentile, the_median_is_in_the_middle_whatever_the_order)
{
    double odd[] = { 9, 1, 5 }, even[] = { 4, 1, 100, 2 };
    cr_assert_eq(median(odd, 3), 5);
    cr_assert_eq(median(even, 4), 3);
}

Test(percentile, one_outlier_does_not_move_the_median)
{
    double quiet[] = { 3, 3, 4, 4, 5 }, noisy[] = { 3, 3, 4, 4, 5000 };
    cr_assert_eq(median(quiet, 5), median(noisy, 5));
}

Test(percentile, of_a_hundred_values_each_percentile_is_one_of_them)
{
    double values[100];
    for (int i = 0; i < 100; i++)
        values[i] = 100 - i; /* 1 to 100, the wrong way round */
    cr_assert_eq(percentile(values, 100, 0.5), 50);
    cr_assert_eq(percentile(values, 100, 0.99), 99);
    cr_assert_eq(percentile(values, 100, 1), 100);
    cr_assert_eq(percentile(values, 100, 0), 1);
}

Test(percentile, of_few_values_the_99th_is_the_largest)
{
    double values[] = { 2, 1, 3 };
    cr_assert_eq(percentile(values, 3, 0.99), 3);
}

Test(percentile, one_value_is_all_of_them_and_none_is_0)
{
    double value[] = { 7 };
    cr_assert_eq(median(value, 1), 7);
    cr_assert_eq(percentile(value, 1, 0.99), 7);
    cr_assert_eq(median(value, 0), 0);
    cr_assert_eq(percentile(value, 0, 0.5), 0);
}
