/* test_failures.c: failures are kept in the order of the source. */
#include <string.h>

#include "cli/failures.h"
#include "tests/test.h"

static void add(struct failures *f, unsigned segment, uint64_t item)
{
    char path[] = "path", text[] = "text";
    failures_add(
        f, &(struct failure){
               .segment = segment, .item = item, .path = path, .text = text });
    path[0] = text[0] = '-'; /* they were borrowed */
}

Test(failures, they_are_sorted_and_copied)
{
    struct failures f;
    failures_init(&f);
    add(&f, 1, 0);
    add(&f, 0, 7);
    add(&f, 0, 2);
    cr_assert_eq(f.count, 3);
    cr_assert_eq(f.kept[0].item, 2);
    cr_assert_eq(f.kept[1].item, 7);
    cr_assert_eq(f.kept[2].segment, 1);
    cr_assert(!strcmp(f.kept[2].path, "path"));
    cr_assert(!strcmp(f.kept[2].text, "text"));
    failures_finish(&f);
}

Test(failures, of_too_many_the_first_of_the_source_are_kept)
{
    struct failures f;
    failures_init(&f);
    for (uint64_t i = 3 * FAILURES_KEPT; i > 0; i--)
        add(&f, 0, i - 1);
    add(&f, 0, 5 * FAILURES_KEPT);
    cr_assert_eq(f.count, 3 * FAILURES_KEPT + 1);
    cr_assert_eq(f.kept_count, FAILURES_KEPT);
    for (unsigned i = 0; i < FAILURES_KEPT; i++)
        cr_assert_eq(f.kept[i].item, i);
    failures_finish(&f);
}
