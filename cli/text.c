/* text.c: names and figures as people read them. */
#include "cli/text.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/utf8.h"

/* Control characters, C1 among them, and what turns the direction of a line. */
static bool is_unsafe(uint32_t c)
{
    return c == UTF8_INVALID || c < 0x20 || (c >= 0x7f && c < 0xa0) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static int escaped(char *out, size_t size, uint32_t c, unsigned char byte)
{
    if (c == '\n')
        return snprintf(out, size, "\\n");
    if (c == '\t')
        return snprintf(out, size, "\\t");
    if (c != UTF8_INVALID && c > 0x7f)
        return snprintf(out, size, "\\u%04x", (unsigned)c);
    return snprintf(out, size, "\\x%02x", byte);
}

char *text_escape(char *out, size_t size, const char *name)
{
    const char *end = name + strlen(name);
    size_t used = 0;

    while (name < end) {
        char one[16];
        uint32_t c;
        size_t taken = utf8_decode(name, (size_t)(end - name), &c), n = taken;
        if (is_unsafe(c))
            n = (size_t)escaped(one, sizeof one, c, (unsigned char)*name);
        else if (c == '\\')
            n = (size_t)snprintf(one, sizeof one, "\\\\");
        else
            memcpy(one, name, n);
        if (used + n >= size)
            break;
        memcpy(out + used, one, n);
        used += n;
        name += taken;
    }
    out[used] = '\0';
    return out;
}

unsigned text_width(const char *text)
{
    const char *end = text + strlen(text);
    unsigned width = 0;

    while (text < end) {
        uint32_t c;
        text += utf8_decode(text, (size_t)(end - text), &c);
        width += utf8_width(c);
    }
    return width;
}

char *text_cut(char *text, unsigned columns)
{
    size_t at = 0, end = strlen(text);

    while (at < end) {
        uint32_t c;
        size_t taken = utf8_decode(text + at, end - at, &c);
        unsigned width = utf8_width(c);
        if (width > columns)
            break;
        columns -= width;
        at += taken;
    }
    text[at] = '\0';
    return text;
}

char *text_bytes(char *out, size_t size, uint64_t bytes)
{
    static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
    double value = (double)bytes / 1000;
    size_t unit = 0;

    if (bytes < 1000) {
        snprintf(out, size, "%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
        return out;
    }
    while (value >= 999.95 && unit + 1 < sizeof units / sizeof units[0])
        value /= 1000, unit++;
    snprintf(out, size, "%.1f %s", value, units[unit]);
    return out;
}

char *text_seconds(char *out, size_t size, double seconds)
{
    uint64_t whole = (uint64_t)(seconds + 0.5);

    if (seconds < 99.995)
        snprintf(out, size, "%.2f s", seconds);
    else if (whole < 3600)
        snprintf(out, size, "%" PRIu64 ":%02u", whole / 60,
                 (unsigned)(whole % 60));
    else
        snprintf(out, size, "%" PRIu64 ":%02u:%02u", whole / 3600,
                 (unsigned)(whole / 60 % 60), (unsigned)(whole % 60));
    return out;
}

char *text_rate(char *out, size_t size, double rate)
{
    int decimals = rate < 1 ? 2 : rate < 100 ? 1 : 0;
    snprintf(out, size, "%.*f", decimals, rate);
    return out;
}
