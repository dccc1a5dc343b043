/* test_sampling.c: of how many items the times are taken. That those stand for
 * all is in test_times.c. */
#include "graph/sampling.h"

#include "tests/test.h"

static struct sample fast(void)
{
    struct sample s;

    sample_init(&s, true);
    sample_paced(&s, s.paced_at + PACED_NS - 1);
    return s;
}

Test(sampling, without_statistics_nobody_is_timed)
{
    struct sample s;

    sample_init(&s, false);
    for (unsigned i = 0; i < 10 * PACED; i++) {
        cr_assert_eq(sample_next(&s), 0);
        sample_left(&s);
    }
}

Test(sampling, everyone_is_timed_before_it_is_known_how_fast_they_are)
{
    struct sample s;

    sample_init(&s, true);
    for (unsigned i = 0; i < PACED - 1; i++)
        sample_left(&s);
    for (unsigned i = 0; i < 10 * PACED; i++)
        cr_assert_eq(sample_next(&s), 1);
}

Test(sampling, of_fast_ones_each_group_has_one_that_counts_for_all)
{
    struct sample s = fast();
    unsigned places[GROUP] = { 0 };

    for (unsigned group = 0; group < 1000; group++) {
        unsigned timed = 0;
        for (unsigned i = 0; i < GROUP; i++) {
            unsigned weight = sample_next(&s);
            cr_assert(weight == 0 || weight == GROUP);
            places[i] += weight / GROUP;
            timed += weight / GROUP;
        }
        cr_assert_eq(timed, 1);
    }
    for (unsigned i = 0; i < GROUP; i++)
        cr_assert(places[i] > 100 && places[i] < 150);
}

Test(sampling, of_slow_ones_all_are_timed_again)
{
    struct sample s = fast();

    sample_paced(&s, s.paced_at + PACED_NS);
    for (unsigned i = 0; i < 10 * GROUP; i++)
        cr_assert_eq(sample_next(&s), 1);
}
