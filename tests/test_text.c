/* test_text.c: names and figures as people read them. */
#include <stdbool.h>
#include <string.h>

#include "cli/text.h"
#include "tests/test.h"

static bool escapes_to(const char *name, const char *want)
{
    char out[64];
    return strcmp(text_escape(out, sizeof out, name), want) == 0;
}

Test(text, plain_names_stay_as_they_are)
{
    cr_assert(escapes_to("photos/one two.jpg", "photos/one two.jpg"));
    cr_assert(escapes_to("gr\303\274n", "gr\303\274n"));
    cr_assert(escapes_to("", ""));
}

Test(text, what_would_move_the_cursor_is_escaped)
{
    cr_assert(escapes_to("a\nb\tc", "a\\nb\\tc"));
    cr_assert(escapes_to("\033[31m", "\\x1b[31m"));
    cr_assert(escapes_to("\177", "\\x7f"));
    cr_assert(escapes_to("\302\233", "\\u009b"));     /* C1: CSI */
    cr_assert(escapes_to("\342\200\256", "\\u202e")); /* right to left */
}

Test(text, what_is_not_utf8_is_escaped_byte_by_byte)
{
    cr_assert(escapes_to("latin-\374.jpg", "latin-\\xfc.jpg"));
    cr_assert(escapes_to("\303", "\\xc3"));
}

Test(text, an_escape_cannot_be_forged)
{
    cr_assert(escapes_to("\\n", "\\\\n"));
}

Test(text, a_long_name_is_cut_between_characters)
{
    char out[6];
    cr_assert(!strcmp(text_escape(out, sizeof out, "abcdefgh"), "abcde"));
    cr_assert(!strcmp(text_escape(out, sizeof out, "abcd\n"), "abcd"));
    cr_assert(!strcmp(text_escape(out, sizeof out, "abcd\303\274"), "abcd"));
}

Test(text, a_cut_counts_columns_not_bytes)
{
    char wide[] = "\345\206\231\347\234\237!"; /* two of two columns, one */
    cr_assert_eq(text_width(wide), 5);
    cr_assert_eq(strlen(text_cut(wide, 3)), 3);
    cr_assert_eq(text_width(wide), 2);
}

Test(text, figures_have_a_unit)
{
    char s[32];
    cr_assert(!strcmp(text_bytes(s, sizeof s, 0), "0 bytes"));
    cr_assert(!strcmp(text_bytes(s, sizeof s, 1), "1 byte"));
    cr_assert(!strcmp(text_bytes(s, sizeof s, 999), "999 bytes"));
    cr_assert(!strcmp(text_bytes(s, sizeof s, 31234567), "31.2 MB"));
    cr_assert(!strcmp(text_bytes(s, sizeof s, 999999), "1.0 MB"));
    cr_assert(!strcmp(text_bytes(s, sizeof s, UINT64_MAX), "18.4 EB"));
    cr_assert(!strcmp(text_seconds(s, sizeof s, 4.214), "4.21 s"));
    cr_assert(!strcmp(text_seconds(s, sizeof s, 187), "3:07"));
    cr_assert(!strcmp(text_seconds(s, sizeof s, 3765), "1:02:45"));
    cr_assert(!strcmp(text_rate(s, sizeof s, 0.254), "0.25"));
    cr_assert(!strcmp(text_rate(s, sizeof s, 61.24), "61.2"));
    cr_assert(!strcmp(text_rate(s, sizeof s, 143.2), "143"));
}
