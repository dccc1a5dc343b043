/* pattern.c: the names of files, such as out/train-%06d.tar or out/{key}.jpg.
 *
 * The pattern is a user's: it never reaches printf. */
#include "cli/ops/pattern.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t pattern_folder(const char *pattern, bool numbered)
{
    size_t end = numbered ? strlen(pattern) : strcspn(pattern, "{");
    while (end && pattern[end - 1] != '/')
        end--;
    return end;
}

int pattern_folder_name(char *out, size_t size, const char *pattern,
                        bool numbered)
{
    size_t length = pattern_folder(pattern, numbered), at = 0;
    for (size_t i = 0; i < length; i++) {
        if (at + 1 >= size)
            return -ENAMETOOLONG;
        out[at++] = pattern[i];
        i += numbered && pattern[i] == '%'; /* it is there twice */
    }
    out[at] = '\0';
    return 0;
}

enum { WIDEST = 20 }; /* digits of the largest number */

/* The length of the conversion that starts at a percent sign, and its width; 0:
 * it is none. */
static size_t conversion(const char *at, unsigned *width, bool *zeros)
{
    const char *c = at + 1;
    *zeros = *c == '0';
    *width = 0;
    while (*c >= '0' && *c <= '9' && *width <= WIDEST)
        *width = *width * 10 + (unsigned)(*c++ - '0');
    return *c == 'd' && *width <= WIDEST ? (size_t)(c + 1 - at) : 0;
}

const char *pattern_problem(const char *pattern)
{
    const char *slash = strrchr(pattern, '/');
    const char *name = slash ? slash + 1 : pattern;
    unsigned found = 0, width;
    bool zeros;
    for (const char *c = pattern; *c; c++) {
        if (*c != '%')
            continue;
        if (c[1] == '%') {
            c++;
            continue;
        }
        size_t length = conversion(c, &width, &zeros);
        if (!length)
            return "a percent sign starts %d, such as %06d; write %% for a "
                   "percent sign";
        if (c < name)
            return "the number belongs into the file's name, not into its "
                   "folder's";
        found++;
        c += length - 1;
    }
    if (found != 1)
        return "needs one %d, such as %06d, where the number goes";
    return NULL;
}

int pattern_name(char *out, size_t size, const char *pattern, uint64_t number)
{
    char digits[WIDEST + 1];
    size_t at = 0;
    for (const char *c = pattern; *c;) {
        const char *from = c;
        size_t length = 1, skip = 1;
        unsigned width;
        bool zeros;
        if (*c == '%' && c[1] == '%') {
            skip = 2;
        } else if (*c == '%') {
            skip = conversion(c, &width, &zeros);
            length = (size_t)snprintf(digits, sizeof digits,
                                      zeros ? "%0*" PRIu64 : "%*" PRIu64,
                                      (int)width, number);
            from = digits;
        }
        if (at + length >= size)
            return -ENAMETOOLONG;
        memcpy(out + at, from, length);
        at += length;
        c += skip;
    }
    out[at] = '\0';
    return 0;
}
