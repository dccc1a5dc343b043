/* test_chart.c: the picture of the scaling curve. */
#include "cli/bench/chart.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static char *chart(const struct figures *f)
{
    char *text;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    chart_print(f, out);
    fclose(out);
    return text;
}

static unsigned count(const char *text, const char *part)
{
    unsigned n = 0;
    while ((text = strstr(text, part)))
        n++, text++;
    return n;
}

Test(chart, has_a_curve_for_every_work_and_a_mark_for_every_point)
{
    const struct figures f = {
        .point_count = 3,
        .points = { { 1, { 1, 0.9, 0.8 } },
                    { 2, { 2, 1.8, 1.6 } },
                    { 6, { 5, 4, 3 } } },
    };
    char *svg = chart(&f);
    cr_assert_eq(count(svg, "class=\"line\""), 2 * WORKS); /* and a legend */
    cr_assert_eq(count(svg, "translate("), WORKS * (3 + 1));
    for (size_t i = 0; i < WORKS; i++)
        cr_assert_eq(count(svg, work_names[i]), 1);
    cr_assert_eq(count(svg, ">6</text>"), 1);
    free(svg);
}

Test(chart, has_nothing_outside_even_where_all_is_faster_than_possible)
{
    const struct figures f = {
        .point_count = 2,
        .points = { { 1, { 1.7, 1, 1 } }, { 2, { 5, 0, 1 } } },
    };
    char *svg = chart(&f);
    for (const char *at = svg; (at = strstr(at, "translate(")); at++) {
        double x, y;
        cr_assert_eq(sscanf(at, "translate(%lf,%lf)", &x, &y), 2);
        cr_assert(x >= 0 && x <= 640);
        cr_assert(y >= 0 && y <= 400);
    }
    free(svg);
}

Test(chart, of_one_worker_is_a_point)
{
    const struct figures f = {
        .point_count = 1,
        .points = { { 1, { 1, 1, 1 } } },
    };
    char *svg = chart(&f);
    cr_assert_eq(count(svg, "nan"), 0);
    cr_assert_eq(count(svg, "inf"), 0);
    free(svg);
}
