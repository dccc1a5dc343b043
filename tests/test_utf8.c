/* test_utf8.c: cli/utf8.c: what is a character, and how wide it is. */
#include "cli/utf8.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static uint32_t decoded(const char *text, size_t *taken)
{
    uint32_t c;
    *taken = utf8_decode(text, strlen(text), &c);
    return c;
}

Test(utf8, every_character_is_read_back)
{
    size_t taken, wrong = 0, count = 0;
    for (uint32_t c = 1; c < 0x110000; c++) {
        char text[5] = { 0 };
        if (c >= 0xd800 && c < 0xe000)
            continue;
        if (c < 0x80) {
            text[0] = (char)c;
        } else if (c < 0x800) {
            text[0] = (char)(0xc0 | c >> 6);
            text[1] = (char)(0x80 | (c & 0x3f));
        } else if (c < 0x10000) {
            text[0] = (char)(0xe0 | c >> 12);
            text[1] = (char)(0x80 | (c >> 6 & 0x3f));
            text[2] = (char)(0x80 | (c & 0x3f));
        } else {
            text[0] = (char)(0xf0 | c >> 18);
            text[1] = (char)(0x80 | (c >> 12 & 0x3f));
            text[2] = (char)(0x80 | (c >> 6 & 0x3f));
            text[3] = (char)(0x80 | (c & 0x3f));
        }
        wrong += decoded(text, &taken) != c || taken != strlen(text);
        count++;
    }
    cr_assert_eq(wrong, 0);
    cr_assert_eq(count, 0x110000 - 1 - 0x800);
}

Test(utf8, what_is_overlong_cut_or_no_character_is_one_bad_byte)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xe0\x9f\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xed\xa0\x80",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xff",
        "\xc3",
        "\xe4\xb8",
        "\xc3(",
        "\xe4\xb8(",
        "\xf0\x9f\x98(",
    };
    size_t taken;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_eq(decoded(bad[i], &taken), UTF8_INVALID);
        cr_assert_eq(taken, 1);
    }
}

Test(utf8, nothing_is_read_behind_the_end)
{
    uint32_t c;
    char *cut = strdup("\xe4\xb8");
    cr_assert_eq(utf8_decode(cut, 2, &c), 1);
    cr_assert_eq(c, UTF8_INVALID);
    free(cut);
}

Test(utf8, the_span_ends_where_it_is_no_longer_utf8)
{
    cr_assert_eq(utf8_span("", 0), 0);
    cr_assert_eq(utf8_span("gr\xc3\xbcn", 5), 5);
    cr_assert_eq(utf8_span("gr\xc3\xbcn", 3), 2);
    cr_assert_eq(utf8_span("a\xf7z", 3), 1);
}

Test(utf8, a_letter_takes_one_column_a_mark_none_an_ideograph_two)
{
    cr_assert_eq(utf8_width('a'), 1);
    cr_assert_eq(utf8_width(0xe4), 1);
    cr_assert_eq(utf8_width(0x301), 0);
    cr_assert_eq(utf8_width(0x4e2d), 2);
    cr_assert_eq(utf8_width(0x1f600), 2);
}
