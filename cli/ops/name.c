/* name.c: from an input's path to names that any system can hold. */
#include "cli/ops/name.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "cli/utf8.h"

enum { CHECKSUM = 17 }; /* "-" and 16 digits */

static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == UTF8_INVALID;
}

/* One character, written out if it must be. */
static int append_character(struct buffer *out, const char *text, size_t size,
                            uint32_t c)
{
    char escaped[4];
    int rc = 0;
    if (!is_control(c))
        return buffer_append(out, text, size);
    for (size_t i = 0; !rc && i < size; i++) {
        snprintf(escaped, sizeof escaped, "%%%02X", (unsigned char)text[i]);
        rc = buffer_append(out, escaped, 3);
    }
    return rc;
}

/* What was appended since `start` is cut where a character begins. */
static int shorten(struct buffer *out, size_t start, size_t longest,
                   const char *part, size_t size)
{
    char checksum[CHECKSUM + 1];
    if (out->size - start <= longest)
        return 0;
    size_t end = start + longest - CHECKSUM;
    while (end > start && (out->data[end] & 0xc0) == 0x80)
        end--;
    out->size = end;
    snprintf(checksum, sizeof checksum, "-%016" PRIx64,
             (uint64_t)XXH3_64bits(part, size));
    return buffer_append(out, checksum, CHECKSUM);
}

static int append_part(struct buffer *out, const char *part, size_t size,
                       char dot, size_t longest)
{
    size_t start = out->size, length;
    int rc = 0;
    if (!size || (*part == '.' && (size == 1 || (size == 2 && part[1] == '.'))))
        return buffer_append(out, "_", 1);
    for (size_t i = 0; !rc && i < size; i += length) {
        uint32_t c;
        length = utf8_decode(part + i, size - i, &c);
        rc = c == '.' ? buffer_append(out, &dot, 1)
                      : append_character(out, part + i, length, c);
    }
    return rc ? rc : shorten(out, start, longest, part, size);
}

int name_from_key(struct buffer *out, const char *key, char dot)
{
    const char *slash;
    int rc = 0;
    for (; !rc && (slash = strchr(key, '/')); key = slash + 1) {
        rc = append_part(out, key, (size_t)(slash - key), '.', NAME_MAX);
        if (!rc)
            rc = buffer_append(out, "/", 1);
    }
    const char *end = strrchr(key, '.');
    size_t size = end && end != key ? (size_t)(end - key) : strlen(key);
    return rc ? rc : append_part(out, key, size, dot, NAME_LONGEST);
}

const char *name_extension(const char *extension)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789"
                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    size_t length = extension ? strspn(extension, allowed) : 0;
    return length && !extension[length] && length < EXTENSION_LONGEST
               ? extension
               : "bin";
}
