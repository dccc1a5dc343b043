/* record.c: the lines of a journal: what was published, what failed.
 *
 * Text, so that a person can read what is out. Numbers of items that follow one
 * another are written as a range. What a name or a sentence holds that a line
 * cannot is written %0A; they come last, and blanks in them are kept. */
#include "cli/record.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { CHECKSUM = 16, PREFIX = CHECKSUM + 1, MOST_FOLDERS = PATH_MAX / 2 };

/* Writing. */

static bool is_plain(char c)
{
    return (unsigned char)c >= 0x20 && c != 0x7f && c != '%';
}

static int put_escaped(struct buffer *out, const char *text)
{
    int rc = 0;
    while (!rc && *text) {
        size_t plain = 0;
        while (is_plain(text[plain]))
            plain++;
        rc = buffer_append(out, text, plain);
        text += plain;
        if (!rc && *text)
            rc = buffer_print(out, "%%%02X", (unsigned char)*text++);
    }
    return rc;
}

static int put_items(struct buffer *out, const uint64_t *items, size_t count)
{
    int rc = 0;
    for (size_t i = 0, last; !rc && i < count; i = last + 1) {
        for (last = i; last + 1 < count && items[last + 1] == items[last] + 1;)
            last++;
        rc = buffer_print(out, i ? ",%" PRIu64 : "%" PRIu64, items[i]);
        if (!rc && last > i)
            rc = buffer_print(out, "-%" PRIu64, items[last]);
    }
    return rc;
}

/* The line that begins at `start` with room for its checksum is complete. */
static int seal(struct buffer *out, size_t start, uint64_t *chain)
{
    char checksum[CHECKSUM + 1];
    const unsigned char *rest = out->data + start + PREFIX;
    uint64_t hash =
        XXH3_64bits_withSeed(rest, out->size - start - PREFIX, *chain);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, hash);
    memcpy(out->data + start, checksum, CHECKSUM);
    *chain = hash;
    return buffer_append(out, "\n", 1);
}

int record_put_head(struct buffer *out, uint64_t *chain,
                    const struct journal_head *head)
{
    size_t start = out->size;
    int rc = buffer_print(out,
                          "%*s weft-journal 2 %016" PRIx64 " %016" PRIx64
                          " %" PRIu64 " %016" PRIx64 " %" PRIu64 " %" PRIu64,
                          CHECKSUM, "", head->id, head->spec, head->count,
                          head->inputs, head->older, head->made);
    return rc ? rc : seal(out, start, chain);
}

static int put_failure(struct buffer *out, const struct record *r)
{
    int rc = buffer_print(out, "failed ");
    if (!rc)
        rc = r->unit == NO_UNIT ? buffer_print(out, "- ")
                                : buffer_print(out, "%" PRId64 " ", r->unit);
    if (!rc)
        rc = put_items(out, r->items, r->item_count);
    if (!rc)
        rc = buffer_print(out, " %.64s %d ", r->stage, -r->error);
    return rc ? rc : put_escaped(out, r->text);
}

static int put_out(struct buffer *out, const struct record *r)
{
    int rc = buffer_print(out, "out %" PRId64 " ", r->unit);
    if (!rc)
        rc = put_items(out, r->items, r->item_count);
    if (!rc)
        rc = buffer_print(out, " ");
    return rc ? rc : put_escaped(out, r->text);
}

int record_put(struct buffer *out, uint64_t *chain, const struct record *r)
{
    size_t start = out->size;
    int rc = buffer_print(out, "%*s ", CHECKSUM, "");
    if (!rc)
        rc = r->kind == RECORD_OUT      ? put_out(out, r)
             : r->kind == RECORD_FAILED ? put_failure(out, r)
                                        : buffer_print(out, "end");
    return rc ? rc : seal(out, start, chain);
}

/* Reading. */

/* The line at r->at in r->line, without checksum and newline, if it is whole;
 * then *chain is its checksum. */
static int read_line(struct record_reader *r, size_t *size, uint64_t *chain)
{
    const char *line = r->data + r->at;
    const char *end = memchr(line, '\n', r->size - r->at);
    char checksum[CHECKSUM + 1];
    if (r->at == r->size)
        return -ENODATA;
    if (!end || end - line < PREFIX || line[CHECKSUM] != ' ')
        return -EBADMSG;
    *size = (size_t)(end - line) - PREFIX;
    *chain = XXH3_64bits_withSeed(line + PREFIX, *size, r->chain);
    snprintf(checksum, sizeof checksum, "%016" PRIx64, *chain);
    if (memcmp(line, checksum, CHECKSUM) || memchr(line, '\0', PREFIX + *size))
        return -EBADMSG;
    if (buffer_reserve(&r->line, *size + 1))
        return -ENOMEM;
    memcpy(r->line.data, line + PREFIX, *size);
    r->line.data[*size] = '\0';
    return 0;
}

static void accept(struct record_reader *r, size_t size, uint64_t chain)
{
    r->at += PREFIX + size + 1;
    r->chain = chain;
}

/* Steps over a number that ends with `end`. */
static bool take_number(char **at, int base, char end, uint64_t *number)
{
    char *stop;
    if (**at == '-' || **at == '+' || **at == ' ')
        return false;
    errno = 0;
    *number = strtoull(*at, &stop, base);
    if (errno || stop == *at || *stop != end)
        return false;
    *at = stop + (end != '\0');
    return true;
}

static bool take_word(char **at, const char *word)
{
    size_t size = strlen(word);
    if (strncmp(*at, word, size) != 0)
        return false;
    *at += size;
    return true;
}

int record_read_head(struct record_reader *r, struct journal_head *head)
{
    size_t size;
    uint64_t chain;
    int rc = read_line(r, &size, &chain);
    if (rc)
        return rc == -ENODATA ? -EBADMSG : rc;
    char *at = (char *)r->line.data;
    if (!take_word(&at, "weft-journal 2 ") ||
        !take_number(&at, 16, ' ', &head->id) ||
        !take_number(&at, 16, ' ', &head->spec) ||
        !take_number(&at, 10, ' ', &head->count) ||
        !take_number(&at, 16, ' ', &head->inputs) ||
        !take_number(&at, 10, ' ', &head->older) ||
        !take_number(&at, 10, '\0', &head->made) || head->made > MOST_FOLDERS)
        return -EBADMSG;
    r->count = head->count;
    accept(r, size, chain);
    return 0;
}

static int add_range(struct record_reader *r, uint64_t first, uint64_t last)
{
    uint64_t count = last - first + 1;
    if (count > SIZE_MAX / sizeof first / 2 ||
        buffer_reserve(&r->items, r->items.size + count * sizeof first))
        return -ENOMEM;
    int rc = 0;
    for (uint64_t i = first; !rc && i <= last; i++)
        rc = buffer_add(&r->items, i);
    return rc;
}

/* "3,5-7 ": ascending, of items that the source has. */
static int take_items(struct record_reader *r, char **at, size_t *count)
{
    uint64_t least = 0;
    for (;;) {
        size_t length = strspn(*at, "0123456789");
        char end = (*at)[length];
        uint64_t first, last;
        if (!take_number(at, 10, end, &first))
            return -EBADMSG;
        last = first;
        if (end == '-') {
            end = (*at)[strspn(*at, "0123456789")];
            if (!take_number(at, 10, end, &last))
                return -EBADMSG;
        }
        if (first < least || last < first || last >= r->count ||
            (end != ',' && end != ' '))
            return -EBADMSG;
        *count += last - first + 1;
        int rc = r->only_counts ? 0 : add_range(r, first, last);
        if (rc || end == ' ')
            return rc;
        least = last + 1;
    }
}

/* In place: what is written is never longer than what is read. */
static bool unescape(char *text)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = text;
    for (; *text; text++) {
        const char *high, *low;
        if (*text != '%') {
            *out++ = *text;
            continue;
        }
        if (!text[1] || !text[2] || !(high = strchr(digits, text[1])) ||
            !(low = strchr(digits, text[2])))
            return false;
        *out++ = (char)((high - digits) * 16 + (low - digits));
        text += 2;
    }
    *out = '\0';
    return true;
}

static bool take_unit(char **at, int64_t *unit)
{
    uint64_t number;
    if (take_word(at, "- ")) {
        *unit = NO_UNIT;
        return true;
    }
    if (!take_number(at, 10, ' ', &number) || number > INT64_MAX)
        return false;
    *unit = (int64_t)number;
    return true;
}

static int take_failure(struct record_reader *r, char *at, struct record *out)
{
    uint64_t error;
    out->kind = RECORD_FAILED;
    if (!take_unit(&at, &out->unit))
        return -EBADMSG;
    int rc = take_items(r, &at, &out->item_count);
    if (rc)
        return rc;
    out->stage = at;
    at = strchr(at, ' ');
    if (!at)
        return -EBADMSG;
    *at++ = '\0';
    if (!take_number(&at, 10, ' ', &error) || error > 4095 || !unescape(at))
        return -EBADMSG;
    out->error = -(int)error;
    out->text = at;
    return 0;
}

static int take_out(struct record_reader *r, char *at, struct record *out)
{
    out->kind = RECORD_OUT;
    if (!take_unit(&at, &out->unit) || out->unit == NO_UNIT)
        return -EBADMSG;
    int rc = take_items(r, &at, &out->item_count);
    out->text = at;
    return rc || unescape(at) ? rc : -EBADMSG;
}

static int take_record(struct record_reader *r, struct record *out)
{
    char *at = (char *)r->line.data;
    *out = (struct record){ .kind = RECORD_END, .unit = NO_UNIT };
    r->items.size = 0;
    if (strcmp(at, "end") == 0)
        return 0;
    return take_word(&at, "out ")      ? take_out(r, at, out)
           : take_word(&at, "failed ") ? take_failure(r, at, out)
                                       : -EBADMSG;
}

int record_read(struct record_reader *r, struct record *out)
{
    size_t size;
    uint64_t chain;
    int rc = read_line(r, &size, &chain);
    if (!rc)
        rc = take_record(r, out);
    if (rc)
        return rc;
    if (out->item_count && !r->only_counts)
        out->items = (const uint64_t *)(const void *)r->items.data;
    accept(r, size, chain);
    return 0;
}

void record_reader_finish(struct record_reader *r)
{
    buffer_free(&r->line);
    buffer_free(&r->items);
}
