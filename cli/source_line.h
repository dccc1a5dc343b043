/* source_line.h: a line of a file, shown with a caret below it. */
#ifndef WEFT_CLI_SOURCE_LINE_H
#define WEFT_CLI_SOURCE_LINE_H
#include <stddef.h>
#include <stdio.h>

/* The line that holds the byte at `offset`, and where in it; from 1, columns
 * counted in characters. */
struct source_line {
    const char *start;
    size_t size;   /* without what ends it */
    size_t offset; /* in the line */
    size_t line, column;
};

struct source_line source_line_at(const char *text, size_t size, size_t offset);

/* The byte of a line and a column. */
size_t source_offset(const char *text, size_t size, size_t line, size_t column);

/* Two lines: the source, cut around the caret where it is long, and the caret.
 * Whatever is in it, a terminal shows it. */
void source_line_print(const struct source_line *line, FILE *out);

/* Text with control characters and broken bytes made visible: \x1b. */
void visible_print(const char *text, size_t size, FILE *out);
#endif
