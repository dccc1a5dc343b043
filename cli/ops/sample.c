/* sample.c: what a WebDataset sample says about itself.
 *
 * JSON must be UTF-8 and file names need not be. JSON's own way out, a lone
 * surrogate, is refused by many readers; so the name that people read is
 * escaped as in a URL, and the bytes are there in base64 for programs. */
#include "cli/ops/sample.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/utf8.h"

static int append_string(struct buffer *out, const char *text, bool *exact)
{
    size_t size = strlen(text), length;
    int rc = buffer_append(out, "\"", 1);
    for (size_t i = 0; !rc && i < size; i += length) {
        uint32_t c;
        length = utf8_decode(text + i, size - i, &c);
        if (c == UTF8_INVALID) {
            *exact = false;
            rc = buffer_print(out, "%%%02X", (unsigned char)text[i]);
        } else if (c < 0x20 || c == 0x7f) {
            rc = buffer_print(out, "\\u%04x", c);
        } else if (c == '"' || c == '\\') {
            rc = buffer_print(out, "\\%c", (char)c);
        } else {
            rc = buffer_append(out, text + i, length);
        }
    }
    return rc ? rc : buffer_append(out, "\"", 1);
}

static int append_base64(struct buffer *out, const char *text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t size = strlen(text);
    int rc = 0;
    for (size_t i = 0; !rc && i < size; i += 3) {
        unsigned char in[3] = { 0 };
        size_t here = size - i < 3 ? size - i : 3;
        memcpy(in, text + i, here);
        unsigned bits = (unsigned)in[0] << 16 | (unsigned)in[1] << 8 | in[2];
        char group[4];
        for (unsigned j = 0; j < 4; j++)
            group[j] = j > here ? '=' : digits[bits >> (18 - 6 * j) & 63];
        rc = buffer_append(out, group, 4);
    }
    return rc;
}

int sample_describe(struct buffer *out, const struct item *item)
{
    bool exact = true, read = item->source_xxh3 || item->source_size;
    out->size = 0;
    int rc = buffer_print(out, "{\"source\": ");
    if (!rc)
        rc = append_string(out, item->key, &exact);
    if (!rc && !exact)
        rc = buffer_print(out, ", \"source_base64\": \"");
    if (!rc && !exact)
        rc = append_base64(out, item->key);
    if (!rc && !exact)
        rc = buffer_print(out, "\"");
    if (!rc && item->source_width)
        rc = buffer_print(out, ", \"width\": %u, \"height\": %u",
                          item->source_width, item->source_height);
    if (!rc && read)
        rc = buffer_print(out, ", \"bytes\": %" PRIu64, item->source_size);
    if (!rc && read)
        rc = buffer_print(out, ", \"xxh3\": \"%016" PRIx64 "\"",
                          item->source_xxh3);
    return rc ? rc : buffer_print(out, "}\n");
}
