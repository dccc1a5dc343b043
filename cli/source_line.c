/* source_line.c: a line of a file, shown with a caret below it.
 *
 * Each character becomes a cell: what is printed for it and how wide that is.
 * Both the line and the caret are laid out in cells, so that they agree about
 * tabs, wide characters and bytes that are shown as \xff. */
#include "cli/source_line.h"

#include <stdbool.h>
#include <string.h>

#include "cli/utf8.h"

enum { SHOWN = 76, TAB = 4 };

struct cell {
    size_t bytes; /* of the source */
    unsigned width;
    char text[16];
};

static struct cell cell_at(const char *text, size_t size)
{
    struct cell cell = { 0 };
    uint32_t c;

    cell.bytes = utf8_decode(text, size, &c);
    if (c == '\t') {
        cell.width = TAB;
        snprintf(cell.text, sizeof(cell.text), "%*s", TAB, "");
    } else if (c < 0x20 || c == 0x7f || c == UTF8_INVALID) {
        cell.width = 4;
        snprintf(cell.text, sizeof(cell.text), "\\x%02x",
                 (unsigned)(unsigned char)text[0]);
    } else if ((c >= 0x80 && c < 0xa0) || (c >= 0x202a && c <= 0x202e) ||
               (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029) {
        /* Commands to the terminal, and what would turn the line around. */
        cell.width =
            (unsigned)snprintf(cell.text, sizeof(cell.text), "\\u%04x", c);
    } else {
        cell.width = utf8_width(c);
        memcpy(cell.text, text, cell.bytes);
    }
    return cell;
}

void visible_print(const char *text, size_t size, FILE *out)
{
    for (size_t at = 0; at < size;) {
        struct cell cell = cell_at(text + at, size - at);
        fputs(cell.text, out);
        at += cell.bytes;
    }
}

static bool ends_line(char c) { return c == '\n' || c == '\r'; }

struct source_line source_line_at(const char *text, size_t size, size_t offset)
{
    struct source_line found = { .start = text, .line = 1, .column = 1 };
    if (offset > size)
        offset = size;
    for (size_t i = 0; i < offset; i++) {
        if (text[i] == '\r' && i + 1 < size && text[i + 1] == '\n')
            continue;
        if (ends_line(text[i])) {
            found.start = text + i + 1;
            found.line++;
        }
    }
    const char *end = text + size;
    while (found.start + found.size < end &&
           !ends_line(found.start[found.size]))
        found.size++;
    found.offset = (size_t)(text + offset - found.start);
    if (found.offset > found.size)
        found.offset = found.size;
    for (size_t i = 0; i < found.offset; found.column++)
        i += cell_at(found.start + i, found.size - i).bytes;
    return found;
}

size_t source_offset(const char *text, size_t size, size_t line, size_t column)
{
    struct source_line at = source_line_at(text, size, 0);
    while (at.line < line) {
        size_t next = (size_t)(at.start - text) + at.size;
        if (next >= size)
            break;
        next += size - next > 1 && memcmp(text + next, "\r\n", 2) == 0 ? 2 : 1;
        size_t number = at.line + 1;
        at = source_line_at(text + next, size - next, 0);
        at.line = number;
    }
    size_t offset = 0;
    for (size_t i = 1; i < column && offset < at.size; i++)
        offset += cell_at(at.start + offset, at.size - offset).bytes;
    return (size_t)(at.start - text) + offset;
}

/* How wide the first `bytes` of a line are. */
static size_t width_of(const char *text, size_t size, size_t bytes)
{
    size_t width = 0;
    for (size_t i = 0; i < bytes;) {
        struct cell cell = cell_at(text + i, size - i);
        width += cell.width;
        i += cell.bytes;
    }
    return width;
}

void source_line_print(const struct source_line *line, FILE *out)
{
    size_t caret = width_of(line->start, line->size, line->offset);
    size_t whole = width_of(line->start, line->size, line->size);
    size_t from = 0, until = whole; /* columns of the line that are shown */

    if (whole > SHOWN) {
        from = caret > SHOWN / 2 ? caret - SHOWN / 2 : 0;
        until = from + SHOWN;
    }
    const char *before = from > 0 ? "..." : "";
    fprintf(out, "  %s", before);

    size_t skipped = 0, column = 0;
    for (size_t i = 0; i < line->size && column < until;) {
        struct cell cell = cell_at(line->start + i, line->size - i);
        if (column >= from)
            fputs(cell.text, out);
        else
            skipped = column + cell.width;
        column += cell.width;
        i += cell.bytes;
    }
    fprintf(out, "%s\n  %*s^\n", until < whole ? "..." : "",
            (int)(strlen(before) + caret - skipped), "");
}
