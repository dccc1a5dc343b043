/* test_claims.c: no second input takes an output name. */
#include <errno.h>
#include <stdio.h>

#include "cli/ops/claims.h"
#include "tests/test.h"

Test(claims, the_second_learns_who_has_it)
{
    struct claims claims = { 0 };
    const char *first = "a.jpg", *second = "a.jpeg", *other = NULL;
    cr_assert_eq(claims_take(&claims, "a", 1, first, &other), 0);
    cr_assert_eq(other, NULL);
    cr_assert_eq(claims_take(&claims, "a", 1, second, &other), -EEXIST);
    cr_assert_eq(other, first);
    cr_assert_eq(claims_take(&claims, "ab", 2, second, &other), 0);
    claims_finish(&claims);
}

Test(claims, none_is_lost_when_the_table_grows)
{
    enum { N = 5000 };
    static char keys[N][8];
    struct claims claims = { 0 };
    const char *other = NULL;
    unsigned taken = 0;
    for (unsigned i = 0; i < N; i++) {
        size_t size = (size_t)snprintf(keys[i], sizeof keys[i], "%u", i);
        cr_assert_eq(claims_take(&claims, keys[i], size, keys[i], &other), 0);
    }
    for (unsigned i = 0; i < N; i++) {
        char name[8];
        size_t size = (size_t)snprintf(name, sizeof name, "%u", i);
        taken += claims_take(&claims, name, size, name, &other) == -EEXIST &&
                 other == keys[i];
    }
    cr_assert_eq(taken, N);
    cr_assert_eq(claims.count, N);
    claims_finish(&claims);
}
