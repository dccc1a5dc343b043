/* test_buffer.c: bytes that grow. */
#include "cli/buffer.h"

#include <stdio.h>
#include <string.h>

#include "tests/test.h"

Test(buffer, what_is_printed_follows_what_was_there_however_long_it_is)
{
    struct buffer b = { 0 };
    char want[3000] = "";
    for (int i = 1; i <= 40; i++) {
        cr_assert_eq(buffer_print(&b, "%*d,", i, i), 0);
        sprintf(want + strlen(want), "%*d,", i, i);
        cr_assert_eq(b.size, strlen(want));
        cr_assert(!memcmp(b.data, want, b.size));
    }
    cr_assert_eq(buffer_append(&b, "end", 3), 0);
    cr_assert(!memcmp(b.data + strlen(want), "end", 3));
    buffer_free(&b);
}

Test(buffer, nothing_is_appended_to_nothing)
{
    struct buffer b = { 0 };
    cr_assert_eq(buffer_append(&b, NULL, 0), 0);
    cr_assert_eq(buffer_print(&b, "%s", ""), 0);
    cr_assert_eq(b.size, 0);
    buffer_free(&b);
}

Test(buffer, numbers_come_out_sorted)
{
    struct buffer b = { 0 };
    const uint64_t numbers[] = { 5, UINT64_MAX, 0, 7 };
    size_t count;
    for (int i = 0; i < 4; i++)
        cr_assert_eq(buffer_add(&b, numbers[i]), 0);
    const uint64_t *sorted = buffer_sorted(&b, &count);
    cr_assert_eq(count, 4);
    for (size_t i = 1; i < count; i++)
        cr_assert(sorted[i - 1] < sorted[i]);
    buffer_free(&b);
}
