/* utf8.c: reading text that may not be UTF-8.
 *
 * A sequence is accepted if it is the shortest for its character, no surrogate
 * and below U+110000: the second byte's range, which depends on the first, says
 * all of this. */
#include "cli/utf8.h"

#include <stdbool.h>

static bool follows(unsigned char byte) { return (byte & 0xc0) == 0x80; }

size_t utf8_decode(const char *text, size_t size, uint32_t *out)
{
    const unsigned char *s = (const unsigned char *)text;
    unsigned more = s[0] < 0x80 ? 0 : s[0] < 0xe0 ? 1 : s[0] < 0xf0 ? 2 : 3;
    unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;

    *out = UTF8_INVALID;
    if (more == 0) {
        *out = s[0];
        return 1;
    }
    if (s[0] < 0xc2 || s[0] > 0xf4 || size <= more || s[1] < low || s[1] > high)
        return 1;
    uint32_t c = s[0] & (0x3fU >> more);
    for (unsigned i = 1; i <= more; i++) {
        if (!follows(s[i]))
            return 1;
        c = c << 6 | (s[i] & 0x3fU);
    }
    *out = c;
    return more + 1;
}

size_t utf8_span(const char *text, size_t size)
{
    size_t at = 0;
    while (at < size) {
        uint32_t c;
        size_t bytes = utf8_decode(text + at, size - at, &c);
        if (c == UTF8_INVALID)
            break;
        at += bytes;
    }
    return at;
}

struct range {
    uint32_t first, last;
};

static bool among(uint32_t c, const struct range *ranges, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

/* The blocks, not the letters: what the width of a terminal's cell follows
 * where text is written, and no table of a thousand lines. */
unsigned utf8_width(uint32_t c)
{
    static const struct range none[] = {
        { 0x0300, 0x036f }, { 0x200b, 0x200f }, { 0x202a, 0x202e },
        { 0x2060, 0x2064 }, { 0x20d0, 0x20ff }, { 0xfe00, 0xfe0f },
        { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff },
    };
    static const struct range wide[] = {
        { 0x1100, 0x115f },   { 0x2e80, 0x303e },   { 0x3041, 0xa4cf },
        { 0xac00, 0xd7a3 },   { 0xf900, 0xfaff },   { 0xfe30, 0xfe6f },
        { 0xff00, 0xff60 },   { 0xffe0, 0xffe6 },   { 0x1f300, 0x1f64f },
        { 0x1f900, 0x1f9ff }, { 0x20000, 0x3fffd },
    };
    if (among(c, none, sizeof(none) / sizeof(none[0])))
        return 0;
    return among(c, wide, sizeof(wide) / sizeof(wide[0])) ? 2 : 1;
}
