/* test_usage.c: who used the CPUs, from what /proc/stat says. */
#include "cli/bench/usage.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tests/test.h"

static struct usage from, to; /* too large for a stack */

static void parse(struct usage *u, const char *text, double own_s)
{
    char copy[1024];
    memset(u, 0, sizeof *u);
    snprintf(copy, sizeof copy, "%s", text);
    FILE *stat = fmemopen(copy, strlen(copy), "r");
    usage_parse(u, stat);
    fclose(stat);
    u->own_s = own_s;
}

static bool near(double a, double b) { return fabs(a - b) < 1e-9; }

Test(usage, is_read_for_each_cpu_and_nothing_else)
{
    parse(&to,
          "cpu  9 9 9 9 9 9 9 9 9 9\n"
          "cpu0 1 2 3 4 5 6 7 8 9 10\n"
          "cpu7 10 0 0 0 0 0 0 1 0 0\n"
          "intr 1 2 3 4 5 6 7 8 9\n",
          0);
    cr_assert_eq(to.cpus[0].busy, 1 + 2 + 3 + 6 + 7);
    cr_assert_eq(to.cpus[0].idle, 4 + 5);
    cr_assert_eq(to.cpus[0].stolen, 8);
    cr_assert_eq(to.cpus[7].busy, 10);
    cr_assert_eq(to.cpus[1].busy, 0);
}

Test(usage, a_number_of_a_cpu_that_there_cannot_be_is_passed_over)
{
    parse(&to, "cpu4000000000 1 1 1 1 1 1 1 1\ncpu1 2 0 0 0 0 0 0 0\n", 0);
    cr_assert_eq(to.cpus[1].busy, 2);
}

Test(usage, what_the_hypervisor_took_is_a_part_of_the_time_between)
{
    parse(&from, "cpu3 100 0 0 100 0 0 0 50 0 0\n", 0);
    parse(&to, "cpu3 160 0 0 120 0 0 0 70 0 0\n", 0);
    cr_assert(near(usage_stolen(&from, &to, 3), 0.2));
    cr_assert(near(usage_stolen(&from, &to, 2), 0));
    cr_assert(near(usage_stolen(&from, &to, 4000000000U), 0));
}

Test(usage, others_have_what_was_busy_and_not_ours)
{
    parse(&from, "cpu0 0 0 0 0 0 0 0 0\ncpu1 0 0 0 0 0 0 0 0\n", 1);
    parse(&to, "cpu0 200 0 0 0 0 0 0 0\ncpu1 100 0 0 100 0 0 0 0\n", 2);
    cr_assert(near(usage_others(&from, &to, 2, 100), 1));
}

Test(usage, that_is_all_ours_leaves_nothing_for_others)
{
    parse(&from, "cpu0 0 0 0 0 0 0 0 0\n", 0);
    parse(&to, "cpu0 100 0 0 0 0 0 0 0\n", 1.01);
    cr_assert_eq(usage_others(&from, &to, 1, 100), 0);
}
