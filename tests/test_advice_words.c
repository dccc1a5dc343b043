/* test_advice_words.c: graph/advice.c: numbers, as they are told, of a run that
 * there is not: a source, and a sink behind it. */
#include <stdio.h>
#include <string.h>

#include "graph/advice.h"
#include "graph/pipeline.h"
#include "tests/test.h"

/* What is said of a budget of 100 bytes that is all in use, or of two workers:
 * `figure` of the bytes can be used, so many items wait for a worker. */
static bool tells(enum resource_kind kind, double figure, const char *words)
{
    struct stage stages[2] = { { .name = "first" }, { .name = "last" } };
    struct segment_plan segment = { .feeder = 0, .end = 1 };
    const struct pipeline_plan plan = { .config.budget_bytes = 100,
                                        .stages = stages,
                                        .stage_count = 2,
                                        .segments = &segment,
                                        .segment_count = 1 };
    struct pipeline_run run = { .plan = &plan };
    const struct resource r = {
        .kind = kind, .count = 2, .use = 1, .bytes = figure
    };
    const struct finding f = { .run = &run,
                               .best = &r,
                               .then = &r,
                               .more = 1000,
                               .crowd = kind == OF_WORKERS ? figure : 0 };
    struct weft_advice advice = { .items_per_s = 1000 };

    wf_advise(&f, &advice);
    printf("%s\n", advice.sentence.text);
    return strstr(advice.sentence.text, words) != NULL;
}

/* Three items of 33.3 bytes are all of it, however that is rounded. */
Test(advice_words, what_items_can_use_of_a_budget_is_told_where_it_is_less)
{
    cr_assert(tells(OF_BUDGET, 100, " had 100 % of its 100 bytes;"));
    cr_assert(tells(OF_BUDGET, 3 * 33.33, " had 100 % of its 100 bytes;"));
    cr_assert(
        tells(OF_BUDGET, 66.6, " of the 67 bytes that they can use of its "));
}

Test(advice_words, so_many_wait_is_a_number_that_people_read)
{
    cr_assert(tells(OF_WORKERS, 0.25, " 0.25 items at a time were ready"));
    cr_assert(tells(OF_WORKERS, 9.96, " 10 items at a time were ready"));
    cr_assert(tells(OF_WORKERS, 123.4, " 123 items at a time were ready"));
}
